/**
 * NIfTI-1, the format of brain scans and their labels: volumes in a single .nii file
 * (Cox et al., "A (sort of) new image data format standard: NIfTI-1", 2004; the fields below are those of nifti1.h).
 *
 *     at 0     348, the length of the header, in the byte order of the file
 *     at 40    dim: the rank, then the sizes in x, y, z, t, …                       8 × i16
 *     at 70    datatype                                                             i16
 *     at 76    pixdim: [0] is a sign, then the spacing in x, y, z, …                8 × f32
 *     at 108   vox_offset: where the numbers begin                                  f32
 *     at 112   scl_slope, scl_inter: value = slope · number + inter                 2 × f32
 *     at 344   'n+1\0' for a single file
 *
 * In the file x runs fastest. Here arrays are row-major, so the numbers are transposed: a cell of `[x,y,z]` is at
 * (x·Y + y)·Z + z. The orientation (qform, sform) is not applied: a scan and its labels belong together where they lie
 * on the same grid.
 */
import { quoted } from '../../backends/options.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { byteLimit, checkBytes, type ByteLimit } from '../files/limits.ts'
import { checkLength, checkLimit, narrow, readNumbers, rowMajor, startOf, type Numbers, type NumberType } from './bytes.ts'

/** A volume, or several: `data` is row-major over `shape`. */
export type Volume = {
  /** `[x,y,z]`; `[x,y,z,t,…]` where there are several volumes. */
  readonly shape: readonly [number, number, number, ...number[]]
  /**
   * The file's own numbers (those of 64 bits as an Int32Array), or, where the file scales them, a Float32Array, a
   * Float64Array for numbers of that type.
   */
  readonly data: Numbers
  /**
   * The distance of neighbouring cells in x, y and z, in the file's unit, mostly millimetres; 1 where the file gives
   * none, that is, 0 or what is not finite.
   */
  readonly spacing: readonly [number, number, number]
}

const types = new Map<number, readonly [name: string, type: NumberType<Numbers | BigInt64Array>]>([
  [2, ['u8', Uint8Array]], [4, ['i16', Int16Array]], [8, ['i32', Int32Array]], [16, ['f32', Float32Array]],
  [64, ['f64', Float64Array]], [256, ['i8', Int8Array]], [512, ['u16', Uint16Array]], [768, ['u32', Uint32Array]],
  [1024, ['i64', BigInt64Array]],
])
const headerLength = 348

/**
 * Decodes the bytes of a .nii file (not compressed); `where` names it in messages.
 *
 * Numbers are scaled, value = slope · number + intercept, where the file gives a finite slope that is not 0, as the
 * standard says; an intercept that is not finite counts as 0.
 *
 * @throws one sentence, where the bytes are not such a file, fewer or more than its header says, or beyond the limit
 * @example const { shape, data, spacing } = decodeNifti(bytes, 'ch2.nii')   // [181,217,181], …, [1,1,1]
 */
export function decodeNifti(bytes: Uint8Array, where: string = 'input', options: ByteLimit = {}): Volume {
  checkBytes('decodeNifti', bytes)
  const maxBytes = byteLimit('decodeNifti', options)
  const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const fail = (what: string): never => { throw new Error(`nifti: ${where} ${what}.`) }
  const little = bytes.length >= 4 && header.getInt32(0, true) === headerLength
  if (!little && !(bytes.length >= 4 && header.getInt32(0) === headerLength)) {
    fail(`is not a NIfTI-1 file (${startOf(bytes)}), expected 5c 01 00 00 or 00 00 01 5c`)
  }
  if (bytes.length < headerLength) fail(`is truncated: the header takes ${headerLength} bytes, got ${bytes.length}`)
  const kind = String.fromCharCode(...bytes.subarray(344, 347))
  if (kind !== 'n+1') fail(`is of the kind ${quoted(kind)}, expected "n+1", header and numbers in one file`)

  const shape = readShape(header, little, fail)
  const code = header.getInt16(70, little)
  const known = [...types].map(([number, [name]]) => `${number} (${name})`).join(', ')
  const [name, type] = types.get(code) ?? fail(`has the datatype ${code}, expected one of ${known}`)
  const width = type.BYTES_PER_ELEMENT
  const start = readStart(header, little, sizeOf(shape) * width, fail)
  checkLength(`nifti: ${where}`, Math.max(0, bytes.length - start), shape, name, width)
  const slope = header.getFloat32(112, little)
  const given = header.getFloat32(116, little)
  const inter = Number.isFinite(given) ? given : 0
  const scaled = Number.isFinite(slope) && slope !== 0 && (slope !== 1 || inter !== 0)
  if (scaled && width < 4) checkLimit(`nifti: ${where}`, shape, `${name}, scaled to f32,`, 4, maxBytes)
  else checkLimit(`nifti: ${where}`, shape, name, width, maxBytes)

  const read = readNumbers(type, bytes.subarray(start), little, true) // the transposed ones are a copy
  const numbers = rowMajor(read instanceof BigInt64Array ? narrow(read, `nifti: ${where}`) : read, shape)
  const data = scaled ? scale(numbers, slope, inter) : numbers
  const spacing = [80, 84, 88].map(at => {
    const distance = Math.abs(header.getFloat32(at, little))
    return Number.isFinite(distance) && distance > 0 ? distance : 1
  }) as [number, number, number]
  return { shape, data, spacing }
}

function scale(numbers: Numbers, slope: number, inter: number): Float32Array | Float64Array {
  const out = numbers instanceof Float64Array ? numbers : new Float32Array(numbers.length)
  for (let i = 0; i < out.length; i++) out[i] = slope * numbers[i] + inter
  return out
}

/** Three axes at least; axes of one entry at the end are left out. */
function readShape(header: DataView, little: boolean, fail: (what: string) => never): Volume['shape'] {
  const rank = header.getInt16(40, little)
  if (rank < 1 || rank > 7) fail(`has rank ${rank}, expected 1 to 7`)
  const sizes = Array.from({ length: 7 }, (_, axis) => (axis < rank ? header.getInt16(42 + 2 * axis, little) : 1))
  if (sizes.some(n => n < 1)) fail(`has the sizes ${sizes.slice(0, rank).join(' × ')}, expected positive ones`)
  const [width, height, depth, ...more] = sizes
  return [width, height, depth, ...more.slice(0, more.findLastIndex(n => n > 1) + 1)]
}

/** Where the numbers begin. Some writers say 0: then after the header, with or without the four bytes after it. */
function readStart(header: DataView, little: boolean, needed: number, fail: (what: string) => never): number {
  const start = header.getFloat32(108, little)
  if (start === 0) return header.byteLength - headerLength === needed ? headerLength : headerLength + 4
  if (Number.isInteger(start) && start >= headerLength) return start
  return fail(`has its numbers at byte ${start}, expected 0 or a whole number ≥ ${headerLength}`)
}
