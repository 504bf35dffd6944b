/**
 * NPY, NumPy's format of one array (NumPy Enhancement Proposal 1, "A simple file format for NumPy arrays").
 *
 *     6 bytes   93 'NUMPY'
 *     2 bytes   the version: 1.0, 2.0 for long headers, or 3.0 for names beyond Latin letters
 *     2 bytes   the length of the header, little-endian (4 bytes in versions 2 and 3)
 *     header    a Python dictionary, padded with spaces so that the numbers start at a multiple of 64:
 *               {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
 *     the rest  the numbers
 */
import { check, inLine, isWhole, quoted } from '../../backends/options.ts'
import { showShape, sizeOf, type Shape } from '../../tensor/shape.ts'
import { fromHalf } from '../files/half.ts'
import { byteLimit, checkBytes, type ByteLimit } from '../files/limits.ts'
import { checkLength, checkLimit, narrow, readNumbers, rowMajor, startOf, type Numbers, type NumberType } from './bytes.ts'

/** An array: `data` is row-major. */
export type Npy = { readonly shape: readonly number[]; readonly data: Numbers }

const types = new Map<string, NumberType>([
  ['u1', Uint8Array], ['i1', Int8Array], ['u2', Uint16Array], ['i2', Int16Array], ['u4', Uint32Array],
  ['i4', Int32Array], ['f4', Float32Array], ['f8', Float64Array], ['b1', Uint8Array],
])
/** Types that are read as others: 64-bit integers, and the bits of halves. */
const others = new Map<string, NumberType<Uint16Array | BigInt64Array | BigUint64Array>>([
  ['i8', BigInt64Array], ['u8', BigUint64Array], ['f2', Uint16Array],
])
const mostAxes = 64 // as in NumPy
const magic = [0x93, ...new TextEncoder().encode('NUMPY')]

/**
 * Decodes the bytes of an .npy file; `where` names it in messages.
 *
 * Numbers keep their type, and either byte order is read; booleans become 0 and 1 in a Uint8Array, 64-bit integers,
 * which NumPy makes of lists of labels, an Int32Array or Uint32Array, and numbers in half precision a Float32Array. Arrays in Fortran's order are transposed. Headers of other writers
 * than NumPy are read too: with double quotes, or with a type in the writer's own byte order ('=f4' or 'f4'), which is
 * taken to be little-endian.
 *
 * @throws one sentence, where the bytes are not such a file, its numbers are of another type or do not fit, or they are
 * beyond the limit
 * @example const { shape, data } = decodeNpy(bytes, 'frames.npy')   // tensor(data, { shape })
 */
export function decodeNpy(bytes: Uint8Array, where: string = 'input', options: ByteLimit = {}): Npy {
  checkBytes('decodeNpy', bytes)
  const maxBytes = byteLimit('decodeNpy', options)
  const { order, code, fortran, shape, start } = readHeader(bytes, where)
  const rest = bytes.subarray(start)
  const type: NumberType<Numbers | BigInt64Array | BigUint64Array> = types.get(code) ?? others.get(code)!
  checkLength(`npy: ${where}`, rest.length, shape, order + code, type.BYTES_PER_ELEMENT)
  checkLimit(`npy: ${where}`, shape, ...(code === 'f2' ? ['f4', 4] as const : [order + code, type.BYTES_PER_ELEMENT] as const), maxBytes)
  const read = narrow(readNumbers(type, rest, order !== '>', fortran || others.has(code)), `npy: ${where}`) // what is shared is copied below
  const data = code === 'f2' ? Float32Array.from(read, fromHalf) : read
  return { shape, data: fortran ? rowMajor(data, shape) : data }
}

function readHeader(
  bytes: Uint8Array, where: string,
): { order: string; code: string; fortran: boolean; shape: number[]; start: number } {
  if (magic.some((byte, i) => bytes[i] !== byte)) {
    throw new Error(`npy: ${where} is not an .npy file (${startOf(bytes)}), expected 93 4e 55 4d 50 59.`)
  }
  const version = bytes[6]
  const from = version === 1 ? 10 : 12
  if (bytes.length < from) throw new Error(`npy: ${where} is truncated: the header begins at byte ${from}.`)
  if (!(version >= 1 && version <= 3)) throw new Error(`npy: ${where} has version ${version}, expected 1, 2 or 3.`)
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const start = from + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true))
  if (bytes.length < start) {
    throw new Error(`npy: ${where} is truncated: the header takes ${start} bytes, got ${bytes.length}.`)
  }
  const header = new TextDecoder('latin1').decode(bytes.subarray(from, start)).trim().replaceAll('"', "'")
  const [, descr] = /'descr': *(.{0,40})/s.exec(header) ?? []
  const [, fortran] = /'fortran_order': *(True|False)/.exec(header) ?? []
  const [, sizes] = /'shape': *\(((?:\d+, *)*(?:\d+)?)\)/.exec(header) ?? []
  const shape = (sizes?.match(/\d+/g) ?? []).map(Number)
  if (descr === undefined || fortran === undefined || sizes === undefined
    || shape.length > mostAxes || !shape.every(n => isWhole(n))) {
    const got = quoted(header)
    throw new Error(`npy: ${where} has the header ${got}, expected descr, fortran_order and shape.`)
  }
  const [, order = '', code] = /^'([<>=|])?(\w+)'/.exec(descr) ?? []
  if (!types.has(code) && !others.has(code)) {
    const known = [...types.keys(), ...others.keys()].join(', ')
    throw new Error(`npy: ${where} holds numbers of the type ${inLine(descr.split(', \'')[0])}, expected one of ${known}.`)
  }
  return { order, code, fortran: fortran === 'True', shape, start }
}

/**
 * Encodes an array as the bytes of an .npy file, version 1, little-endian: `numpy.load` reads it.
 *
 * @throws where the number of data does not match the shape, or their type is one that NumPy does not have
 * @example await writeFileAtomic('state.npy', encodeNpy({ shape: x.shape, data: await x.data() }))
 */
export function encodeNpy({ shape, data }: { readonly shape: Shape; readonly data: Numbers }): Uint8Array {
  check(Array.isArray(shape) && shape.every(n => isWhole(n)), 'encodeNpy', 'the shape', shape, 'whole numbers')
  check(data.length === sizeOf(shape), 'encodeNpy', 'the number of data', data.length, `that of ${showShape(shape)}`)
  check(shape.length <= mostAxes, 'encodeNpy', 'the number of axes', shape.length, `at most ${mostAxes}`)
  const [code] = [...types].find(([, type]) => data instanceof type) ?? []
  check(code !== undefined, 'encodeNpy', 'the data', data, 'a typed array of numbers of up to 32 bits, or of float64')
  const descr = `${data.BYTES_PER_ELEMENT === 1 ? '|' : '<'}${code}`
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ') // (3) would be a number
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${sizes}), }`
  const start = Math.ceil((magic.length + 4 + header.length + 1) / 64) * 64
  const bytes = new Uint8Array(start + data.byteLength)
  bytes.set([...magic, 1, 0, (start - 10) & 255, (start - 10) >> 8])
  bytes.set(new TextEncoder().encode(`${header.padEnd(start - 11)}\n`), 10)
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), start)
  return bytes
}
