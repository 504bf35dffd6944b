// Reads TensorBoard event files with protobufjs and the messages of tensorboard.proto; shares no code with their writer. The
// CRC is computed bit by bit, as RFC 3720 defines it.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import protobuf from 'protobufjs'

const { root } = protobuf.parse(readFileSync(fileURLToPath(new URL('tensorboard.proto', import.meta.url)), 'utf8'), { keepCase: true })
const asPlain = { longs: Number, enums: String, defaults: true, arrays: true }

export type Histogram = { min: number; max: number; num: number; sum: number; sum_squares: number; bucket_limit: number[]; bucket: number[] }
export type Value = {
  tag: string
  simple_value?: number
  image?: { height: number; width: number; colorspace: number; encoded_image_string: Uint8Array }
  histo?: Histogram
  tensor?: { dtype: number; tensor_shape: { dim: { size: number }[] }; string_val: Uint8Array[] }
  metadata?: { plugin_data: { plugin_name: string; content?: Uint8Array } }
}
export type Event = {
  wall_time: number
  step?: number
  file_version?: string
  session_log?: { status: string }
  summary?: { value: Value[] }
}
export type Hparams = {
  experiment?: { hparam_infos: { name: string; type: string }[]; metric_infos: { name: { tag: string } }[] }
  session_start_info?: { hparams: Record<string, { number_value?: number; string_value?: string; bool_value?: boolean }> }
  session_end_info?: { status: string }
}

export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    for (let bit = 0; bit < 8; bit++) {
      const odd = (crc ^ (byte >> bit)) & 1
      crc = odd ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
    }
  }
  return (crc ^ 0xffffffff) >>> 0
}

function checkCrc(stored: number, bytes: Uint8Array): void {
  const rotated = (stored - 0xa282ead8) >>> 0
  const crc = ((rotated >>> 17) | (rotated << 15)) >>> 0
  if (crc !== crc32c(bytes)) throw new Error(`a record's CRC is ${crc}, but its bytes have ${crc32c(bytes)}`)
}

/** The events of a file; throws if a record or a message is damaged. */
export function readEvents(file: Buffer): Event[] {
  const events: Event[] = []
  for (let at = 0; at < file.length;) {
    const size = Number(file.readBigUInt64LE(at))
    checkCrc(file.readUInt32LE(at + 8), file.subarray(at, at + 8))
    const data = file.subarray(at + 12, at + 12 + size)
    checkCrc(file.readUInt32LE(at + 12 + size), data)
    events.push(decode('Event', data) as Event)
    at += size + 16
  }
  return events
}

/** The plugin data of the hyperparameters. */
export function readHparams(content: Uint8Array): Hparams {
  return decode('HParamsPluginData', content) as Hparams
}

function decode(name: string, bytes: Uint8Array): unknown {
  const type = root.lookupType(name)
  return type.toObject(type.decode(bytes), asPlain)
}
