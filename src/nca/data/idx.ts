/**
 * IDX, the format of MNIST and Fashion-MNIST (LeCun, Cortes & Burges, "The MNIST database of handwritten digits",
 * 1998).
 *
 *     2 bytes       0
 *     1 byte        the type of the numbers: 08 u8, 09 i8, 0b i16, 0c i32, 0d f32, 0e f64
 *     1 byte        the rank
 *     4 bytes each  the sizes, the outermost first, big-endian
 *     the rest      the numbers, row-major, big-endian
 */
import { byteLimit, checkBytes, type ByteLimit } from '../files/limits.ts'
import { checkLength, checkLimit, readNumbers, startOf, type NumberType } from './bytes.ts'

/** The array of an IDX file: `data` is row-major, of the file's own type. */
export type Idx = {
  readonly shape: readonly number[]
  readonly data: Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array
}

const types = new Map<number, readonly [name: string, type: NumberType<Idx['data']>]>([
  [0x08, ['u8', Uint8Array]], [0x09, ['i8', Int8Array]], [0x0b, ['i16', Int16Array]], [0x0c, ['i32', Int32Array]],
  [0x0d, ['f32', Float32Array]], [0x0e, ['f64', Float64Array]],
])

/**
 * Decodes the bytes of an IDX file (not compressed); `where` names it in messages.
 *
 * @throws one sentence, where the bytes are not an IDX file, fewer or more than its header says, or beyond the limit
 * @example const { shape, data } = decodeIdx(bytes, 'train-images-idx3-ubyte')   // [60000,28,28], a Uint8Array
 */
export function decodeIdx(bytes: Uint8Array, where: string = 'input', options: ByteLimit = {}): Idx {
  checkBytes('decodeIdx', bytes)
  const maxBytes = byteLimit('decodeIdx', options)
  const known = types.get(bytes[2])
  if (bytes[0] !== 0 || bytes[1] !== 0 || !known) {
    throw new Error(`idx: ${where} is not an IDX file (${startOf(bytes)}), expected 00 00 and a type from 08 to 0e.`)
  }
  const [name, type] = known
  const rank = bytes[3] ?? 1
  const start = 4 + 4 * rank
  if (rank === 0) throw new Error(`idx: ${where} has rank 0, expected at least 1.`)
  if (bytes.length < start) {
    throw new Error(`idx: ${where} is truncated: its header takes at least ${start} bytes, got ${bytes.length}.`)
  }
  const header = new DataView(bytes.buffer, bytes.byteOffset)
  const shape = Array.from({ length: rank }, (_, axis) => header.getUint32(4 + 4 * axis))
  checkLength(`idx: ${where}`, bytes.length - start, shape, name, type.BYTES_PER_ELEMENT)
  checkLimit(`idx: ${where}`, shape, name, type.BYTES_PER_ELEMENT, maxBytes)
  return { shape, data: readNumbers(type, bytes.subarray(start), false) }
}
