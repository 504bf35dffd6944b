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
import { bytesOf, dtypeOf, hostArray, sizeOf, type Data } from '../../backends/backend.ts'
import { checkOptions, inLine, isObject, isWhole, keysOf, oneOf, quoted, wholeFrom, type Kinds, type Options } from '../../backends/options.ts'
import { fromHalf, toHalf } from './half.ts'
import { parseJson } from './json.ts'
import { byteKinds, byteLimit, checkBytes, type ByteLimit } from './limits.ts'

/** The element types of entries. Tensors of a file that are float16 or bfloat16 become entries in float32, exactly. */
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

/** The element types of files: the type of their entry, and bytes per number in the file. */
const codes = {
  F64: { dtype: 'float64', width: 8 },
  F32: { dtype: 'float32', width: 4 },
  I32: { dtype: 'int32', width: 4 },
  U32: { dtype: 'uint32', width: 4 },
  F16: { dtype: 'float32', width: 2 },
  BF16: { dtype: 'float32', width: 2 },
} as const

type Code = keyof typeof codes

/** How tensors are stored. */
export type StoredAs = {
  /**
   * 'float16' stores float32 and float64 numbers in half precision: rounded to 11 significant bits, to multiples of 2^−24 below
   * 2^−14, and at most 65504. Reading gives float32. By default numbers are stored as they are.
   */
  readonly dtype?: 'float16'
}

export const storedOptions: Options = keysOf<StoredAs>({ dtype: oneOf(['float16']) })

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
 * @throws if an entry's data is not of its dtype and shape, an entry is called `__metadata__`, or a number is too large for
 *   half precision
 * @example encodeSafetensors({ 'update.w1': { dtype: 'float32', shape: [48, 128], data } }, { format: '1' })
 * @example encodeSafetensors(entries, {}, { dtype: 'float16' })   // half as large
 */
export function encodeSafetensors(
  entries: Readonly<Record<string, SafetensorsEntry>>,
  metadata: Readonly<Record<string, string>> = {},
  options: StoredAs = {},
): Uint8Array {
  checkOptions('encodeSafetensors', options, storedOptions)
  const codeOf = (dtype: SafetensorsDtype): Code => (
    options.dtype && dtype.startsWith('float') ? 'F16' : codeNames.find(code => codes[code].dtype === dtype)!)
  const sorted = Object.entries(entries).map(([name, entry]) => ({ name, code: codeOf(entry.dtype), ...entry }))
    .sort((a, b) => codes[b.code].width - codes[a.code].width || compare(a.name, b.name))
  // The JSON is put together by hand because objects reorder names that look like numbers.
  const fields = [`"__metadata__":${jsonObject(Object.entries(metadata).sort(([a], [b]) => compare(a, b)))}`]
  let end = 0
  for (const { name, code, dtype, shape, data } of sorted) {
    const size = byteLength(code, shape)
    if (name === '__metadata__') throw new Error('safetensors: a tensor cannot be called __metadata__')
    if (!isCounts(shape) || dtypeOf(data) !== dtype || data.length !== sizeOf(shape)) {
      const got = `${data.constructor.name} of ${data.length}`
      throw new Error(`safetensors: ${name} should be ${dtype} [${shape.join(',')}], but its data is ${got}`)
    }
    const field = { dtype: code, shape, data_offsets: [end, end + size] }
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
  for (const { name, code, data } of sorted) {
    bytes.set(bytesIn(code !== 'F16' ? data : Uint16Array.from(data, x => {
      const half = toHalf(x)
      if (Math.abs(fromHalf(half) - x) === Infinity) { // if x itself is infinite, this is NaN
        throw new Error(`safetensors: ${name} has ${x}, which is too large for float16 (at most 65504)`)
      }
      return half
    })), at)
    at += codes[code].width * data.length
  }
  return bytes
}

function bytesIn({ buffer, byteOffset, byteLength }: ArrayBufferView<ArrayBufferLike>): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
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
    return decode(bytes, maxHeaderBytes, maxBytes)
  } catch (cause) {
    throw new Error(`safetensors: ${where}: ${(cause as Error).message}`, { cause })
  }
}

function decode(bytes: Uint8Array, maxHeaderBytes: number, maxBytes: number): SafetensorsFile {
  const limit = (size: number): void => {
    if (size > maxBytes) throw new Error(`${size} bytes are too many (at most ${maxBytes})`)
  }
  limit(bytes.length)
  const { header, dataStart } = readHeader(bytes, maxHeaderBytes)
  const fields = Object.entries(header)
  const metadata = fields.find(([name]) => name === '__metadata__')?.[1] ?? {}
  if (!isObject(metadata) || !Object.values(metadata).every(value => typeof value === 'string')) {
    throw new Error('__metadata__ must map text to text')
  }
  const tensors = fields.filter(([name]) => name !== '__metadata__').map(([name, info]) => readInfo(name, info))
  checkLayout(tensors, bytes.length - dataStart)
  limit(tensors.reduce((sum, tensor) => sum + bytesOf(tensor), dataStart)) // halves become twice their bytes

  // Object.fromEntries, because assigning to a tensor called `__proto__` would not add an entry.
  const entries = Object.fromEntries(tensors.map(({ name, code, dtype, shape, begin, end }) => (
    [name, { dtype, shape, data: numbersOf(code, bytes.subarray(dataStart + begin, dataStart + end)) }])))
  return { entries, metadata: metadata as Record<string, string> }
}

/** The numbers of a tensor, copied: the copy is aligned, which the file's own bytes need not be. */
function numbersOf(code: Code, bytes: Uint8Array): Data {
  const { dtype, width } = codes[code]
  const data = hostArray(dtype, bytes.length / width), own = bytesIn(data)
  if (width > 2) own.set(bytes)
  else {
    for (let i = 0; i < data.length; i++) {
      const half = bytes.subarray(2 * i, 2 * i + 2)
      if (code === 'F16') data[i] = fromHalf(half[0] + 256 * half[1])
      else own.set(half, 4 * i + 2) // bfloat16 is the upper half of a float32
    }
  }
  return data
}

function readHeader(
  bytes: Uint8Array, maxHeaderBytes: number,
): { header: Record<string, unknown>; dataStart: number } {
  if (bytes.length < 8) throw new Error(`truncated: ${bytes.length} bytes, expected at least 8`)
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))
  if (length > maxHeaderBytes) throw new Error(`header of ${length} bytes is too long (at most ${maxHeaderBytes})`)
  if (8 + length > bytes.length) throw new Error(`header of ${length} bytes does not fit into ${bytes.length} bytes`)
  return { header: readJson(readUtf8(bytes.subarray(8, 8 + length))), dataStart: 8 + length }
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
  } catch (error) {
    const { message } = error as Error
    if (message.endsWith('twice')) throw new Error(`header ${message}`)
    // other mistakes are reported below, in the same words
  }
  throw new Error(`header is not a JSON object of tensors (starts with ${quoted(text.slice(0, 20))})`)
}

interface TensorInfo {
  readonly name: string
  readonly code: Code
  readonly dtype: SafetensorsDtype
  readonly shape: readonly number[]
  readonly begin: number
  readonly end: number
}

function readInfo(name: string, info: unknown): TensorInfo {
  const { dtype: told, shape, data_offsets: offsets } = isObject(info) ? info : {}
  const code = codeNames.find(known => known === told)
  if (!code) throw new Error(`${show(name)} has dtype ${show(told)}, expected one of ${codeNames.join(', ')}`)
  if (!isCounts(shape)) throw new Error(`${show(name)} has shape ${show(shape)}, expected non-negative integers`)
  if (!isCounts(offsets) || offsets.length !== 2) {
    throw new Error(`${show(name)} has data_offsets ${show(offsets)}, expected [begin, end]`)
  }
  const [begin, end] = offsets as [number, number]
  const size = byteLength(code, shape)
  if (!Number.isSafeInteger(size)) throw new Error(`${show(name)} has shape ${show(shape)}, which is too large`)
  if (end - begin !== size) {
    throw new Error(`${show(name)} has ${end - begin} bytes, but ${code} ${show(shape)} needs ${size}`)
  }
  return { name, code, dtype: codes[code].dtype, shape, begin, end }
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

const codeNames = Object.keys(codes) as Code[]

/** Not a safe integer if the product overflows. */
function byteLength(code: Code, shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, codes[code].width)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function jsonObject(entries: readonly (readonly [string, unknown])[]): string {
  return `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`
}

function isCounts(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every(n => isWhole(n))
}

/** A value from the file for a message: as JSON, shortened, and without control characters for a terminal. */
function show(value: unknown): string {
  return inLine(String(JSON.stringify(value)))
}
