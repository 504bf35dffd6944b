/**
 * What array formats have in common: a header says how many numbers follow, of which type, in which byte order.
 *
 * Every decoder counts before it reads: a header that lies is answered by a sentence, never by an allocation. Numbers
 * are copied in the machine's own order, which is little-endian wherever JavaScript engines run.
 */
import { showShape, sizeOf, type Shape } from '../../tensor/shape.ts'

/** An array of numbers of any type. */
export type Numbers =
  | Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array

/** The constructor of a typed array. */
export type NumberType<A = Numbers> = {
  new (buffer: ArrayBuffer, byteOffset?: number, length?: number): A
  readonly BYTES_PER_ELEMENT: number
}

/**
 * The bytes as numbers, copied; or, if `mayShare`, the same memory where it happens to be aligned and in the machine's
 * order.
 */
export function readNumbers<A>(type: NumberType<A>, bytes: Uint8Array, littleEndian: boolean, mayShare = false): A {
  if (mayShare && littleEndian && bytes.byteOffset % type.BYTES_PER_ELEMENT === 0) {
    return new type(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length / type.BYTES_PER_ELEMENT)
  }
  const copy = new Uint8Array(bytes) // aligned, which the file's own bytes need not be
  const width = type.BYTES_PER_ELEMENT
  if (!littleEndian && width > 1) for (let i = 0; i < copy.length; i += width) copy.subarray(i, i + width).reverse()
  return new type(copy.buffer)
}

/** Throws unless `bytes` is the size of an array of this shape; `type` is how messages name its numbers. */
export function checkLength(where: string, bytes: number, shape: Shape, type: string, width: number): void {
  const needed = sizeOf(shape) * width
  if (bytes === needed) return
  const wrong = bytes < needed ? 'is truncated' : 'is too long'
  throw new Error(`${where} ${wrong}: ${showShape(shape)} ${type} takes ${needed} bytes, got ${bytes}.`)
}

/** Throws where an array of this shape would take more than `maxBytes`. */
export function checkLimit(where: string, shape: Shape, type: string, width: number, maxBytes: number): void {
  const needed = sizeOf(shape) * width
  if (needed <= maxBytes) return
  const takes = `${showShape(shape)} ${type} takes ${needed} bytes`
  throw new Error(`${where} is too large: ${takes}, expected at most ${maxBytes}; the option maxBytes raises the limit.`)
}

/** 64-bit integers as 32-bit ones; throws where one does not fit. Other numbers as they are. */
export function narrow<A extends Numbers>(read: A | BigInt64Array | BigUint64Array, where: string): A | Int32Array | Uint32Array {
  if (!(read instanceof BigInt64Array || read instanceof BigUint64Array)) return read
  const data = read instanceof BigInt64Array ? new Int32Array(read.length) : new Uint32Array(read.length)
  for (let i = 0; i < data.length; i++) {
    data[i] = Number(read[i])
    if (BigInt(data[i]) === read[i]) continue
    throw new Error(`${where} holds ${read[i]} as element ${i}, which does not fit into 32 bits.`)
  }
  return data
}

/** 'starts with 89 50 4e 47': what a message says of a file that is not of the expected format. */
export function startOf(bytes: Uint8Array): string {
  const start = Array.from(bytes.subarray(0, 4), byte => byte.toString(16).padStart(2, '0')).join(' ')
  return start === '' ? 'it is empty' : `starts with ${start}`
}

/** Column-major numbers (Fortran's order: the first axis runs fastest) in row-major order. */
export function rowMajor<A extends Numbers>(data: A, shape: Shape): A {
  const out = data.slice() as A
  const strides = shape.map((_, axis) => sizeOf(shape.slice(0, axis)))
  const index = shape.map(() => 0)
  for (let i = 0, from = 0; i < out.length; i++) {
    out[i] = data[from]
    for (let axis = shape.length - 1; axis >= 0; axis--) { // count up, as an odometer does
      from += strides[axis]
      if (++index[axis] < shape[axis]) break
      from -= strides[axis] * shape[axis]
      index[axis] = 0
    }
  }
  return out
}
