/**
 * JPEG files → images, by libjpeg-turbo (ITU-T T.81; JFIF and Exif).
 *
 * A file is a list of segments, 'ff', a marker and mostly a length, from d8 to d9:
 *
 *     c0, c1, c2   the frame: bits, height, width, components; baseline, extended, progressive
 *     e1           'Exif' and how the camera was held
 *     da           a scan: a header, then compressed data, in which ff is followed by 00 or d0 to d7
 *
 * The segments are walked through first, so that size, kind and completeness are known before anything is allocated. Colour
 * profiles are not applied.
 */
import { createRequire } from 'node:module'
import { fromPlain, type Image } from '../../nca/files/image.ts'
import { checkPixels } from '../../nca/files/limits.ts'
import { exifOrientation, orient } from '../../nca/files/orientation.ts'
import { openCodec, whyNot } from './wasm-codec.ts'

const require = createRequire(import.meta.url)

type Frame = { readonly width: number; readonly height: number; readonly components: number }

// More scans than any encoder writes. A small file with thousands of scans would take hours to decode.
const mostScans = 200

/** Decodes the bytes of a JPEG file; `where` begins the messages. */
export function decodeJpeg(bytes: Uint8Array, where: string, maxPixels: number): Image {
  const fail = (what: string): never => { throw new Error(`${where} ${what}.`) }
  const { frame: { width, height, components }, exif } = readSegments(bytes, fail)
  checkPixels(where, width, height, maxPixels)
  if (components !== 1 && components !== 3) fail(`has ${components} colours, expected grey or RGB; ${convert}`)
  // A block of at least 1 bit stands for at most 32 × 32 pixels.
  if (bytes.length * 8 < Math.ceil(width / 32) * Math.ceil(height / 32)) {
    fail(`is truncated: ${bytes.length} bytes cannot hold ${width}×${height} pixels`)
  }
  try {
    return orient(fromPlain(width, height, decode(bytes, width, height)), exifOrientation(exif))
  } catch (cause) {
    return fail(whyNot(cause))
  }
}

const convert = 'save it as a PNG, or as a usual JPEG'

function readSegments(bytes: Uint8Array, fail: (what: string) => never): { frame: Frame; exif: Uint8Array | undefined } {
  let frame: Frame | undefined
  let exif: Uint8Array | undefined
  let scans = 0
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 2; ;) {
    while (bytes[at] === 0xff && bytes[at + 1] === 0xff) at++ // any number of ff may precede a marker
    if (at + 2 > bytes.length) return fail(`is truncated: it ends after ${bytes.length} bytes, without its last marker`)
    if (bytes[at] !== 0xff) return fail(`is damaged: there is no marker at byte ${at}`)
    const marker = bytes[at + 1]
    if (marker === 0xd9) break
    const end = at + 2 + (at + 4 <= bytes.length ? view.getUint16(at + 2) : Infinity)
    if (end > bytes.length) return fail(`is truncated: a segment ends behind the file's ${bytes.length} bytes`)
    if (end < at + 4) return fail(`is damaged: a segment at byte ${at} has no length`)
    const data = bytes.subarray(at + 4, end)
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      if (frame) return fail('has several frames, expected one')
      if (data.length < 6) return fail('is damaged: its frame is too short')
      if (marker > 0xc2 || data[0] !== 8) return fail(`is a JPEG of a rare kind (c${marker & 15}, ${data[0]} bits); ${convert}`)
      frame = { width: view.getUint16(at + 7), height: view.getUint16(at + 5), components: data[5] }
    }
    if (marker === 0xe1 && String.fromCharCode(...data.subarray(0, 6)) === 'Exif\0\0') exif ??= data.subarray(6)
    at = end
    if (marker !== 0xda) continue
    if (++scans > mostScans) return fail(`has more than ${mostScans} scans; ${convert}`)
    while (at < bytes.length && !(bytes[at] === 0xff && !inScan(bytes[at + 1]))) at++
  }
  if (!frame || scans === 0) return fail('is damaged: it has no picture')
  return { frame, exif }
}

/** Whether a byte after ff belongs to a scan: 00 for ff itself, a restart marker, or a further ff. */
function inScan(byte: number): boolean {
  return byte === 0x00 || byte === 0xff || (byte >= 0xd0 && byte <= 0xd7)
}

const rgba = 7 // TJPF_RGBA
const stopOnWarning = 8192 // TJFLAG_STOPONWARNING: without it, missing parts would be filled with grey

function decode(bytes: Uint8Array, width: number, height: number): Uint8Array {
  const codec = openCodec(require.resolve('@cwasm/jpeg-turbo/jpeg-turbo.wasm'))
  const handle = codec.call('tjInitDecompress')
  const file = codec.put(bytes)
  const facts = codec.allocate(16)
  const read = codec.call('tjDecompressHeader3', handle, file, bytes.length, facts, facts + 4, facts + 8, facts + 12)
  if (read !== 0 || codec.u32(facts) !== width || codec.u32(facts + 4) !== height) throw new Error('its header is wrong')
  const pixels = codec.allocate(4 * width * height)
  const status = codec.call(
    'tjDecompress2', handle, file, bytes.length, pixels, width, 4 * width, height, rgba, stopOnWarning)
  if (status !== 0) throw new Error('it failed')
  return codec.view(pixels, 4 * width * height)
}
