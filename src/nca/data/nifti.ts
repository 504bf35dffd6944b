/**
 * NIfTI-1, the format of brain scans and their labels: one volume in a single .nii file
 * (Cox et al., "A (sort of) new image data format standard: NIfTI-1", 2004; the fields below are those of nifti1.h).
 *
 *     at 0     348, the length of the header, in the byte order of the file
 *     at 40    dim: the rank, then the sizes in x, y, z, t, …                       8 × i16
 *     at 70    datatype                                                             i16
 *     at 76    pixdim: [0] is a sign, then the spacing in x, y, z, …                8 × f32
 *     at 108   vox_offset: where the numbers begin                                  f32
 *     at 112   scl_slope, scl_inter: value = slope · number + inter, if slope ≠ 0   2 × f32
 *     at 344   'n+1\0' for a single file
 *
 * In the file x runs fastest. Here arrays are row-major, so the numbers are transposed: a cell of `[x,y,z]` is at
 * (x·Y + y)·Z + z. The orientation (qform, sform) is not applied: a scan and its labels belong together where they lie
 * on the same grid.
 */
import { checkLength, readNumbers, rowMajor, startOf } from './bytes.ts'
import type { Numbers, NumberType } from './bytes.ts'

/** A volume: `data` is row-major over `shape`. */
export type Volume = {
  /** `[x,y,z]` */
  readonly shape: readonly [number, number, number]
  /** The file's own numbers, or a Float32Array where the file scales them. */
  readonly data: Numbers
  /** The distance of neighbouring cells in x, y and z, in the file's unit, mostly millimetres. */
  readonly spacing: readonly [number, number, number]
}

const types = new Map<number, readonly [name: string, type: NumberType]>([
  [2, ['u8', Uint8Array]], [4, ['i16', Int16Array]], [8, ['i32', Int32Array]], [16, ['f32', Float32Array]],
])
const headerLength = 348

/**
 * Decodes the bytes of a .nii file (not compressed) of one volume of u8, i16, i32 or f32; `where` names it in messages.
 *
 * @throws one sentence, where the bytes are not such a file, or fewer or more than its header says
 * @example const { shape, data, spacing } = decodeNifti(bytes, 'ch2.nii')   // [181,217,181], …, [1,1,1]
 */
export function decodeNifti(bytes: Uint8Array, where: string = 'input'): Volume {
  const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const fail = (what: string): never => { throw new Error(`nifti: ${where} ${what}.`) }
  const little = bytes.length >= 4 && header.getInt32(0, true) === headerLength
  if (!little && !(bytes.length >= 4 && header.getInt32(0) === headerLength)) {
    fail(`is not a NIfTI-1 file (${startOf(bytes)}), expected 5c 01 00 00 or 00 00 01 5c`)
  }
  if (bytes.length < headerLength) fail(`is truncated: the header takes ${headerLength} bytes, got ${bytes.length}`)
  const kind = String.fromCharCode(...bytes.subarray(344, 347))
  if (kind !== 'n+1') fail(`is of the kind ${JSON.stringify(kind)}, expected "n+1", header and numbers in one file`)

  const rank = header.getInt16(40, little)
  if (rank < 1 || rank > 7) fail(`has rank ${rank}, expected 1 to 7`)
  const sizes = Array.from({ length: 7 }, (_, axis) => (axis < rank ? header.getInt16(42 + 2 * axis, little) : 1))
  if (sizes.some(n => n < 1)) fail(`has the sizes ${sizes.slice(0, rank).join(' × ')}, expected positive ones`)
  if (sizes.slice(3).some(n => n > 1)) fail(`has the sizes ${sizes.slice(0, rank).join(' × ')}, expected one volume`)
  const [width, height, depth] = sizes
  const shape = [width, height, depth] as const

  const code = header.getInt16(70, little)
  const [name, type] = types.get(code)
    ?? fail(`has the datatype ${code}, expected 2 (u8), 4 (i16), 8 (i32) or 16 (f32)`)
  const start = header.getFloat32(108, little)
  if (!(Number.isInteger(start) && start >= headerLength)) {
    fail(`has its numbers at byte ${start}, expected a whole number ≥ ${headerLength}`)
  }
  checkLength(`nifti: ${where}`, Math.max(0, bytes.length - start), shape, name, type.BYTES_PER_ELEMENT)

  const numbers = rowMajor(readNumbers(type, bytes.subarray(start), little), shape)
  const [slope, inter] = [header.getFloat32(112, little), header.getFloat32(116, little)]
  const scaled = Number.isFinite(slope) && slope !== 0 && (slope !== 1 || inter !== 0)
  const data = scaled ? Float32Array.from(numbers, x => slope * x + inter) : numbers
  const spacing = [80, 84, 88].map(at => Math.abs(header.getFloat32(at, little))) as [number, number, number]
  return { shape, data, spacing }
}
