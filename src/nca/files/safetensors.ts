/**
 * The safetensors file format: named tensors in one file that is safe to open and that every framework reads
 * (https://github.com/huggingface/safetensors, section "Format").
 *
 *     8 bytes   N, little-endian u64
 *     N bytes   JSON, padded with spaces to a multiple of 8:
 *               { "__metadata__": { text: text, … },
 *                 name: { "dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24] }, … }
 *     the rest  the tensors' bytes, little-endian, row-major; the offsets count from here and leave no gaps
 *
 * Encoding is deterministic: the same tensors give the same bytes. As in the reference implementation the widest types
 * come first, so that every tensor lies aligned; among equals the name decides. Decoding trusts nothing: whatever the
 * bytes are, the result is either right or an Error of one sentence that begins with `safetensors:`.
 *
 * Tensors are copied in the machine's own byte order, which is little-endian wherever JavaScript engines run.
 */
import { checkOptions, inLine, keysOf, quoted, wholeFrom, type Kinds } from '../../backends/options.ts'
import { parseJson } from './json.ts'
import { byteKinds, byteLimit, checkBytes, type ByteLimit } from './limits.ts'

/** The element types that are read and written. */
export type SafetensorsDtype = 'float32' | 'float64' | 'int32' | 'uint32'

/** One tensor as plain data: `data` is the typed array of `dtype`, its length the product of `shape`. */
export interface SafetensorsEntry {
  readonly dtype: SafetensorsDtype
  readonly shape: readonly number[]
  readonly data: Float32Array | Float64Array | Int32Array | Uint32Array
}

/** What a file holds: tensors by name, and free text by key. */
export interface SafetensorsFile {
  readonly entries: Record<string, SafetensorsEntry>
  readonly metadata: Record<string, string>
}

const dtypes = {
  float64: { code: 'F64', array: Float64Array },
  float32: { code: 'F32', array: Float32Array },
  int32: { code: 'I32', array: Int32Array },
  uint32: { code: 'U32', array: Uint32Array },
} as const

/** How large a file may be. */
export type SafetensorsLimits = ByteLimit & {
  /**
   * Most bytes of the header, 2²³ by default, enough for 80,000 tensors. The objects parsed from it take thirty times its
   * bytes.
   */
  readonly maxHeaderBytes?: number
}

/** The kinds of these options, to be spread into those of functions that pass them on. */
export const limitKinds: Kinds<SafetensorsLimits> = { ...byteKinds, maxHeaderBytes: wholeFrom(1) }
const limitOptions = keysOf<SafetensorsLimits>(limitKinds)

const longestHeader = 2 ** 23

// A header is nested no deeper than this: the list of a shape, in a tensor's description, in the header.
const deepestHeader = 3

/**
 * Encodes tensors and metadata as the bytes of a safetensors file.
 *
 * @throws if an entry's data is not of its dtype and shape, or an entry is called `__metadata__`
 * @example encodeSafetensors({ 'update.w1': { dtype: 'float32', shape: [48, 128], data } }, { format: '1' })
 */
export function encodeSafetensors(
  entries: Readonly<Record<string, SafetensorsEntry>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const sorted = Object.entries(entries).sort(([a, x], [b, y]) => width(y.dtype) - width(x.dtype) || compare(a, b))
  // The JSON is put together by hand because objects reorder names that look like numbers.
  const fields = [`"__metadata__":${jsonObject(Object.entries(metadata).sort(([a], [b]) => compare(a, b)))}`]
  let end = 0
  for (const [name, { dtype, shape, data }] of sorted) {
    const size = byteLength(dtype, shape)
    if (name === '__metadata__') throw new Error('safetensors: a tensor cannot be called __metadata__')
    if (!isCounts(shape) || !(data instanceof dtypes[dtype].array) || data.byteLength !== size) {
      const got = `${data.constructor.name} of ${data.length}`
      throw new Error(`safetensors: ${name} should be ${dtype} [${shape.join(',')}], but its data is ${got}`)
    }
    const field = { dtype: dtypes[dtype].code, shape, data_offsets: [end, end + size] }
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(field)}`)
    end += size
  }
  const json = new TextEncoder().encode(`{${fields.join(',')}}`)
  const headerLength = Math.ceil(json.length / 8) * 8
  if (headerLength > longestHeader) {
    throw new Error(`safetensors: a header of ${headerLength} bytes is too long (at most ${longestHeader})`)
  }

  const bytes = new Uint8Array(8 + headerLength + end)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true)
  bytes.fill(0x20, 8, 8 + headerLength)
  bytes.set(json, 8)
  let at = 8 + headerLength
  for (const [, { data }] of sorted) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at)
    at += data.byteLength
  }
  return bytes
}

/**
 * Decodes the bytes of a safetensors file; `where` names it in messages. The tensors are copies.
 *
 * @throws `safetensors: lizard.safetensors: header of 4096 bytes does not fit into 120 bytes`, and the like
 * @example const { entries, metadata } = decodeSafetensors(await readFile(path), path)
 */
export function decodeSafetensors(
  bytes: Uint8Array, where = 'input', limits: SafetensorsLimits = {},
): SafetensorsFile {
  checkOptions('decodeSafetensors', limits, limitOptions)
  const { maxHeaderBytes = longestHeader } = limits
  const maxBytes = byteLimit('decodeSafetensors', { maxBytes: limits.maxBytes })
  checkBytes('decodeSafetensors', bytes)
  try {
    if (bytes.length > maxBytes) throw new Error(`${bytes.length} bytes are too many (at most ${maxBytes})`)
    return decode(bytes, maxHeaderBytes)
  } catch (cause) {
    throw new Error(`safetensors: ${where}: ${(cause as Error).message}`, { cause })
  }
}

function decode(bytes: Uint8Array, maxHeaderBytes: number): SafetensorsFile {
  const { header, dataStart } = readHeader(bytes, maxHeaderBytes)
  const fields = Object.entries(header)
  const metadata = fields.find(([name]) => name === '__metadata__')?.[1] ?? {}
  if (!isObject(metadata) || !Object.values(metadata).every(value => typeof value === 'string')) {
    throw new Error('__metadata__ must map text to text')
  }
  const tensors = fields.filter(([name]) => name !== '__metadata__').map(([name, info]) => readInfo(name, info))
  checkLayout(tensors, bytes.length - dataStart)

  // Object.fromEntries, because assigning to a tensor called `__proto__` would not add an entry.
  const entries = Object.fromEntries(tensors.map(({ name, dtype, shape, begin, end }) => {
    const copy = new Uint8Array(end - begin) // a copy is aligned, which the file's own bytes need not be
    copy.set(bytes.subarray(dataStart + begin, dataStart + end))
    return [name, { dtype, shape, data: new dtypes[dtype].array(copy.buffer) }]
  }))
  return { entries, metadata: metadata as Record<string, string> }
}

function readHeader(
  bytes: Uint8Array, maxHeaderBytes: number,
): { header: Record<string, unknown>; dataStart: number } {
  if (bytes.length < 8) throw new Error(`truncated: ${bytes.length} bytes, expected at least 8`)
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))
  if (length > maxHeaderBytes) throw new Error(`header of ${length} bytes is too long (at most ${maxHeaderBytes})`)
  if (8 + length > bytes.length) throw new Error(`header of ${length} bytes does not fit into ${bytes.length} bytes`)
  const json = readUtf8(bytes.subarray(8, 8 + length))
  const header = readJson(json)
  const duplicate = findDuplicateKey(json)
  if (duplicate !== undefined) throw new Error(`${show(duplicate)} occurs twice in the header`)
  return { header, dataStart: 8 + length }
}

function readUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new Error('header is not UTF-8 text')
  }
}

function readJson(text: string): Record<string, unknown> {
  try {
    if (text[0] === '{') return parseJson(text, deepestHeader) as Record<string, unknown>
  } catch {
    // reported below, in the same words
  }
  throw new Error(`header is not a JSON object of tensors (starts with ${quoted(text.slice(0, 20))})`)
}

interface TensorInfo {
  readonly name: string
  readonly dtype: SafetensorsDtype
  readonly shape: readonly number[]
  readonly begin: number
  readonly end: number
}

function readInfo(name: string, info: unknown): TensorInfo {
  const { dtype: code, shape, data_offsets: offsets } = isObject(info) ? info : {}
  const dtype = dtypeNames.find(key => dtypes[key].code === code)
  if (dtype === undefined) {
    const known = dtypeNames.map(key => dtypes[key].code).join(', ')
    throw new Error(`${show(name)} has dtype ${show(code)}, expected one of ${known}`)
  }
  if (!isCounts(shape)) throw new Error(`${show(name)} has shape ${show(shape)}, expected non-negative integers`)
  if (!isCounts(offsets) || offsets.length !== 2) {
    throw new Error(`${show(name)} has data_offsets ${show(offsets)}, expected [begin, end]`)
  }
  const [begin, end] = offsets as [number, number]
  const size = byteLength(dtype, shape)
  if (!Number.isSafeInteger(size)) throw new Error(`${show(name)} has shape ${show(shape)}, which is too large`)
  if (end - begin !== size) {
    throw new Error(`${show(name)} has ${end - begin} bytes, but ${code} ${show(shape)} needs ${size}`)
  }
  return { name, dtype, shape, begin, end }
}

/** The tensors must tile the data: no overlap, no gap, nothing left over, nothing outside. */
function checkLayout(tensors: readonly TensorInfo[], dataLength: number): void {
  let covered = 0
  for (const { name, begin, end } of tensors.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin < covered) throw new Error(`${show(name)} begins at ${begin}, inside the tensor that ends at ${covered}`)
    if (begin > covered) throw new Error(`gap of ${begin - covered} bytes before ${show(name)}`)
    if (end > dataLength) throw new Error(`truncated: ${show(name)} ends at byte ${end} of ${dataLength} bytes of data`)
    covered = end
  }
  if (covered < dataLength) throw new Error(`${dataLength - covered} bytes after the last tensor belong to none`)
}

/**
 * The first key that occurs twice in one object of the JSON text. `JSON.parse` silently keeps the last; a reader that
 * keeps the first would see another file. The text is known to be valid, so a key is the string before a colon.
 */
function findDuplicateKey(json: string): string | undefined {
  const seen: Set<string>[] = []
  let lastString = ''
  for (let i = 0; i < json.length; i++) {
    const char = json[i]
    if (char === '{') seen.push(new Set())
    else if (char === '}') seen.pop()
    else if (char === '"') {
      const start = i
      for (i++; json[i] !== '"'; i++) if (json[i] === '\\') i++
      lastString = json.slice(start, i + 1)
    } else if (char === ':') {
      const key = JSON.parse(lastString) as string
      const keys = seen.at(-1)!
      if (keys.has(key)) return key
      keys.add(key)
    }
  }
  return undefined
}

const dtypeNames = Object.keys(dtypes) as SafetensorsDtype[]

function width(dtype: SafetensorsDtype): number {
  return dtypes[dtype].array.BYTES_PER_ELEMENT
}

/** Not a safe integer if the product overflows. */
function byteLength(dtype: SafetensorsDtype, shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, width(dtype))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function jsonObject(entries: readonly (readonly [string, unknown])[]): string {
  return `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCounts(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every(n => Number.isSafeInteger(n) && n >= 0)
}

/** A value from the file for a message: as JSON, shortened, and without control characters for a terminal. */
function show(value: unknown): string {
  return inLine(String(JSON.stringify(value)))
}
