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
 *     at 252   qform_code, sform_code: whether there is such a matrix               2 × i16
 *     at 256   quaternion b, c, d of a rotation, and an offset                      6 × f32
 *     at 280   the rows of the affine matrix                                        12 × f32
 *     at 344   'n+1\0' for a single file
 *
 * In the file x runs fastest. Here arrays are row-major, so the numbers are transposed: a cell of `[x,y,z]` is at
 * (x·Y + y)·Z + z. The orientation is returned as an affine matrix A, which puts cell (x, y, z) at A·(x, y, z, 1). It is not
 * applied, since a scan and its labels are on the same grid. A is the sform where there is one; else it is made of the qform,
 * a rotation R and the spacings p, A = [R·diag(p₁, p₂, ±p₃) | offset]; else of the spacings alone.
 */
import { check, isWhole, quoted } from '../../backends/options.ts'
import { showShape, sizeOf } from '../../tensor/shape.ts'
import { byteLimit, checkBytes, type ByteLimit } from '../files/limits.ts'
import { checkLength, checkLimit, narrow, readNumbers, rowMajor, startOf, type Numbers, type NumberType } from './bytes.ts'

/** A volume, or several: `data` is row-major over `shape`. */
export type Volume = {
  /** `[x,y,z]`; `[x,y,z,t,…]` where there are several volumes. */
  readonly shape: readonly [number, number, number, ...number[]]
  /**
   * The file's own numbers (64-bit integers as an Int32Array or Uint32Array) or, where the file scales them, a Float32Array; a
   * Float64Array where the file's numbers are of that type.
   */
  readonly data: Numbers
  /**
   * The distance between neighbouring cells in x, y and z, in the file's unit, mostly millimetres; 1 where the file gives
   * 0 or a number that is not finite.
   */
  readonly spacing: readonly [number, number, number]
  /** Where cells lie: three rows of four numbers, from (x, y, z, 1) to places in the file's unit. */
  readonly affine: readonly (readonly number[])[]
}

const types = new Map<number, readonly [name: string, type: NumberType<Numbers | BigInt64Array | BigUint64Array>]>([
  [2, ['u8', Uint8Array]], [4, ['i16', Int16Array]], [8, ['i32', Int32Array]], [16, ['f32', Float32Array]],
  [64, ['f64', Float64Array]], [256, ['i8', Int8Array]], [512, ['u16', Uint16Array]], [768, ['u32', Uint32Array]],
  [1024, ['i64', BigInt64Array]], [1280, ['u64', BigUint64Array]],
])
const headerLength = 348

/**
 * Decodes the bytes of a .nii file (not compressed); `where` names it in messages.
 *
 * Numbers are scaled, value = slope · number + intercept, where the file gives a finite slope that is not 0, as the
 * standard says; an intercept that is not finite counts as 0.
 *
 * @throws one sentence, where the bytes are not such a file, fewer or more than its header says, or beyond the limit
 * @example const { shape, data, affine } = decodeNifti(bytes, 'ch2.nii')   // [181,217,181], …, [[−1, 0, 0, 90], …]
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
  const numbers = rowMajor(narrow(read, `nifti: ${where}`), shape)
  const data = scaled ? scale(numbers, slope, inter) : numbers
  const spacing = [80, 84, 88].map(at => {
    const distance = Math.abs(header.getFloat32(at, little))
    return Number.isFinite(distance) && distance > 0 ? distance : 1
  }) as [number, number, number]
  return { shape, data, spacing, affine: readAffine(header, little, spacing) }
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

/** Where the numbers begin. Where a writer left 0, they follow the header, with or without the four bytes after it. */
function readStart(header: DataView, little: boolean, needed: number, fail: (what: string) => never): number {
  const start = header.getFloat32(108, little)
  if (start === 0) return header.byteLength - headerLength === needed ? headerLength : headerLength + 4
  if (Number.isInteger(start) && start >= headerLength) return start
  return fail(`has its numbers at byte ${start}, expected 0 or a whole number ≥ ${headerLength}`)
}

/** Where cells lie: the first of sform, qform and spacings that the file gives in finite numbers. */
function readAffine(header: DataView, little: boolean, spacing: readonly number[]): Volume['affine'] {
  const floats = (at: number, n: number): number[] => Array.from({ length: n }, (_, i) => header.getFloat32(at + 4 * i, little))
  const has = (at: number, numbers: readonly number[]): boolean => header.getInt16(at, little) > 0 && numbers.every(Number.isFinite)
  const rows = [280, 296, 312].map(at => floats(at, 4))
  if (has(254, rows.flat())) return rows
  const quaternion = floats(256, 6)
  if (!has(252, quaternion)) return spacing.map((p, i) => [0, 1, 2, 3].map(j => (i === j ? p : 0)))
  const [b, c, d, ...offset] = quaternion
  const a = Math.sqrt(Math.max(0, 1 - b * b - c * c - d * d))
  const [p, q, r] = [spacing[0], spacing[1], header.getFloat32(76, little) < 0 ? -spacing[2] : spacing[2]]
  return [
    [p * (a * a + b * b - c * c - d * d), q * 2 * (b * c - a * d), r * 2 * (b * d + a * c), offset[0]],
    [p * 2 * (b * c + a * d), q * (a * a + c * c - b * b - d * d), r * 2 * (c * d - a * b), offset[1]],
    [p * 2 * (b * d - a * c), q * 2 * (c * d + a * b), r * (a * a + d * d - b * b - c * c), offset[2]],
  ]
}

/**
 * The bytes of a .nii file, little-endian, without scaling.
 *
 * @param volume `shape` of 1 to 7 axes, `data` row-major over it; `affine` as `decodeNifti` gives it
 * @throws where the data are not of the shape, or an axis has more than 32,767 entries
 * @example await writeFileAtomic('mask.nii', encodeNifti({ shape: scan.shape, data: mask, affine: scan.affine }))
 */
export function encodeNifti(
  { shape, data, affine }: Pick<Volume, 'data' | 'affine'> & { readonly shape: readonly number[] },
): Uint8Array {
  const fits = Array.isArray(shape) && shape.length >= 1 && shape.length <= 7 && shape.every(n => isWhole(n, 1) && n <= 32_767)
  check(fits, 'encodeNifti', 'the shape', shape, '1 to 7 whole numbers from 1 to 32767')
  check(ArrayBuffer.isView(data), 'encodeNifti', 'the data', data, 'a typed array')
  check(data.length === sizeOf(shape), 'encodeNifti', 'the number of data', data.length, `that of ${showShape(shape)}`)
  const isMatrix = Array.isArray(affine) && affine.length === 3 && affine.every(row => Array.isArray(row) && row.length === 4 && row.every(Number.isFinite))
  check(isMatrix, 'encodeNifti', 'affine', affine, 'three rows of four numbers')
  const [code] = [...types].find(([, [, type]]) => data instanceof type) ?? []
  check(code !== undefined, 'encodeNifti', 'the data', data, 'a typed array of numbers')
  const start = headerLength + 4
  const bytes = new Uint8Array(start + data.byteLength)
  const header = new DataView(bytes.buffer)
  header.setInt32(0, headerLength, true)
  ;[shape.length, ...Array.from({ length: 7 }, (_, axis) => shape[axis] ?? 1)].forEach((n, i) => header.setInt16(40 + 2 * i, n, true))
  header.setInt16(70, code!, true)
  header.setInt16(72, 8 * data.BYTES_PER_ELEMENT, true)
  const spacing = [0, 1, 2].map(j => Math.hypot(...affine.map(row => row[j])))
  ;[1, ...spacing, 1, 1, 1, 1].forEach((p, i) => header.setFloat32(76 + 4 * i, p, true))
  header.setFloat32(108, start, true)
  header.setFloat32(112, 1, true)
  header.setInt16(254, 2, true) // aligned with something else, the NIFTI_XFORM_ALIGNED_ANAT of nifti1.h
  affine.flat().forEach((v, i) => header.setFloat32(280 + 4 * i, v, true))
  bytes.set([0x6e, 0x2b, 0x31], 344) // n+1
  const numbers = rowMajor(data, shape.toReversed()) // in the file the first axis runs fastest
  bytes.set(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength), start)
  return bytes
}
