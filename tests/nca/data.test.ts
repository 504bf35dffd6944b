// Formats of arrays, tested with encoders written here and with NumPy's own bytes; moving digits, with a digit of one pixel.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeIdx } from '../../src/nca/data/idx.ts'
import { movingMnist, type MovingMnistOptions } from '../../src/nca/data/moving-mnist.ts'
import { decodeNifti, encodeNifti } from '../../src/nca/data/nifti.ts'
import { fromHalf } from '../../src/nca/files/half.ts'
import { decodeNpy, encodeNpy, type Npy } from '../../src/nca/data/npy.ts'
import { foldIn, key, uniformAt } from '../../src/tensor/key.ts'
import { sentence } from '../tensor/values.ts'

const runs = fc.readConfigureGlobal().numRuns!
const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

/** How a DataView writes the numbers of a type, and which numbers it holds. */
const kinds = {
  u8: [Uint8Array, 'setUint8', fc.nat(255)],
  i8: [Int8Array, 'setInt8', fc.integer({ min: -128, max: 127 })],
  u16: [Uint16Array, 'setUint16', fc.nat(65535)],
  i16: [Int16Array, 'setInt16', fc.integer({ min: -32768, max: 32767 })],
  u32: [Uint32Array, 'setUint32', fc.nat(2 ** 32 - 1)],
  i32: [Int32Array, 'setInt32', fc.integer()],
  f32: [Float32Array, 'setFloat32', fc.float()],
  f64: [Float64Array, 'setFloat64', fc.double()],
} as const
type Kind = keyof typeof kinds

type Array_ = { kind: Kind; shape: number[]; values: number[]; little: boolean }

/** An array of one of these types: its numbers in row-major order, to be written in a byte order. */
function arrays(of: readonly Kind[], ranks: { minLength: number; maxLength: number }, least = 0): fc.Arbitrary<Array_> {
  const shape = fc.array(fc.integer({ min: least, max: 4 }), ranks)
  return fc.tuple(fc.constantFrom(...of), shape, fc.boolean()).chain(([kind, sizes, little]) => {
    const number: fc.Arbitrary<number> = kinds[kind][2]
    return fc.array(number, { minLength: count(sizes), maxLength: count(sizes) })
      .map(values => ({ kind, shape: sizes, values, little }))
  })
}

/** The bytes of these numbers. */
function bytesOf(kind: Kind, values: readonly number[], little: boolean): Uint8Array {
  const [type, set] = kinds[kind]
  const bytes = new Uint8Array(values.length * type.BYTES_PER_ELEMENT)
  const view = new DataView(bytes.buffer)
  values.forEach((value, i) => view[set](i * type.BYTES_PER_ELEMENT, value, little))
  return bytes
}

/** The same numbers, the first axis fastest. */
function columnMajor(shape: readonly number[], values: readonly number[]): number[] {
  const out: number[] = []
  values.forEach((value, i) => {
    let [rest, at] = [i, 0]
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += (rest % shape[axis]) * count(shape.slice(0, axis))
      rest = Math.floor(rest / shape[axis])
    }
    out[at] = value
  })
  return out
}

function join(...parts: (readonly number[] | Uint8Array)[]): Uint8Array {
  return Uint8Array.from(parts.flatMap(part => [...part]))
}

/** A file within other bytes, so that a decoder that ignores where its bytes begin and end is noticed. */
function inside(bytes: Uint8Array): Uint8Array {
  return join([1, 2, 3], bytes, [4, 5]).subarray(3, 3 + bytes.length)
}

/** Whatever is cut off, added or overwritten, the result is an array or a sentence that begins with `start`. */
function expectSentences(
  whole: Uint8Array, start: string, decode: (bytes: Uint8Array, where: string) => unknown,
): void {
  for (let length = 0; length < whole.length; length++) {
    expect(sentence(() => decode(inside(whole.subarray(0, length)), 'x.bin')), `${length} bytes`)
      .toMatch(new RegExp(`^${start}: x\\.bin [^\n]+\\.$`))
  }
  expect(sentence(() => decode(join(whole, [0]), 'x.bin'))).toMatch(/^\w+: x\.bin is too long: .+ bytes, got \d+\.$/)
  const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
  fc.assert(fc.property(damage, changes => {
    const bytes = whole.slice()
    for (const [at, value] of changes) bytes[at] = value
    try {
      decode(bytes, 'x.bin')
    } catch (error) {
      expect((error as Error).constructor).toBe(Error)
      expect((error as Error).message).toMatch(new RegExp(`^${start}: x\\.bin `))
    }
  }), { numRuns: 20 * runs })
}

describe('decodeIdx', () => {
  const codes = { u8: 8, i8: 9, i16: 11, i32: 12, f32: 13, f64: 14 } as const
  const encode = ({ kind, shape, values }: Array_): Uint8Array => join(
    [0, 0, codes[kind as keyof typeof codes], shape.length], bytesOf('u32', shape, false), bytesOf(kind, values, false))
  const all = arrays(Object.keys(codes) as Kind[], { minLength: 1, maxLength: 4 })

  it('gives back what was written, of its type', () => {
    fc.assert(fc.property(all, array => {
      const { shape, data } = decodeIdx(inside(encode(array)))
      expect(shape).toEqual(array.shape)
      expect(data).toEqual(kinds[array.kind][0].from(array.values))
    }), { numRuns: 5 * runs })
  })

  it('has a limit', () => {
    const bytes = encode({ kind: 'i16', shape: [2, 3], values: [1, 2, 3, 4, 5, 6], little: false })
    expect(decodeIdx(bytes, 'labels', { maxBytes: 12 }).shape).toEqual([2, 3])
    expect(sentence(() => decodeIdx(bytes, 'labels', { maxBytes: 11 }))).toBe('idx: labels is too large: [2,3] i16 '
      + 'takes 12 bytes, expected at most 11; the option maxBytes raises the limit.')
    expect(sentence(() => decodeIdx(bytes, 'labels', { maxBytes: NaN })))
      .toBe('decodeIdx: maxBytes is NaN, expected a whole number > 0.')
    expect(sentence(() => decodeIdx(bytes, 'labels', { maxbytes: 5 } as object)))
      .toBe('decodeIdx: there is no option "maxbytes"; did you mean "maxBytes"?')
    expect(sentence(() => decodeIdx(bytes.buffer as never))).toMatch(/^decodeIdx: the file is ArrayBuffer, expected/)
  })

  it('answers everything else with a sentence', () => {
    expectSentences(encode({ kind: 'i16', shape: [2, 3], values: [1, 2, 3, 4, 5, 6], little: false }), 'idx', decodeIdx)
  })

  it('says what is wrong', () => {
    const say = (...bytes: number[]): string => sentence(() => decodeIdx(Uint8Array.from(bytes), 'labels'))
    expect(say()).toBe('idx: labels is not an IDX file (it is empty), expected 00 00 and a type from 08 to 0e.')
    expect(say(0x89, 0x50, 0x4e, 0x47, 1))
      .toBe('idx: labels is not an IDX file (starts with 89 50 4e 47), expected 00 00 and a type from 08 to 0e.')
    for (const start of [[0, 0, 10, 1], [1, 0, 8, 1], [0, 1, 8, 1]]) expect(say(...start)).toMatch(/is not an IDX file/)
    expect(say(0, 0, 8, 0)).toBe('idx: labels has rank 0, expected at least 1.')
    expect(say(0, 0, 8, 2, 0)).toBe('idx: labels is truncated: its header takes at least 12 bytes, got 5.')
    expect(say(0, 0, 12, 1, 0, 0, 0, 3, 0, 0)).toBe('idx: labels is truncated: [3] i32 takes 12 bytes, got 2.')
    expect(say(0, 0, 8, 1, 0, 0, 0, 1, 5, 5)).toBe('idx: labels is too long: [1] u8 takes 1 bytes, got 2.')
    const huge = new Array<number>(8).fill(255)
    expect(say(0, 0, 8, 2, ...huge)).toMatch(/is truncated: \[4294967295,4294967295\] u8/)
  })
})

describe('npy', () => {
  const codes = { u8: '|u1', i8: '|i1', u16: 'u2', i16: 'i2', u32: 'u4', i32: 'i4', f32: 'f4', f64: 'f8' } as const
  /** As NumPy writes it: version 1 or 2, either byte order, either order of the axes. */
  function encode(array: Array_, version: 1 | 2, fortran: boolean): Uint8Array {
    const { kind, shape, values, little } = array
    const descr = codes[kind].startsWith('|') ? codes[kind] : (little ? '<' : '>') + codes[kind]
    const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ')
    const text = `{'descr': '${descr}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': (${sizes}), }  \n`
    const length = version === 1 ? bytesOf('u16', [text.length], true) : bytesOf('u32', [text.length], true)
    const numbers = bytesOf(kind, fortran ? columnMajor(shape, values) : values, little)
    return join([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0], length, new TextEncoder().encode(text), numbers)
  }
  const all = arrays(Object.keys(codes) as Kind[], { minLength: 0, maxLength: 4 })
  const headerOf = (version: number, text: string, ...numbers: number[]): Uint8Array => {
    const length = version === 1 ? bytesOf('u16', [text.length], true) : bytesOf('u32', [text.length], true)
    const start = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0]
    return join(start, length, new TextEncoder().encode(text), numbers)
  }
  const header = (text: string, ...numbers: number[]): Uint8Array => headerOf(1, text, ...numbers)

  it('gives back what was written, row-major, of its type', () => {
    fc.assert(fc.property(all, fc.constantFrom(1 as const, 2 as const), fc.boolean(), (array, version, fortran) => {
      const { shape, data } = decodeNpy(inside(encode(array, version, fortran)))
      expect(shape).toEqual(array.shape)
      expect(data).toEqual(kinds[array.kind][0].from(array.values))
    }), { numRuns: 5 * runs })
  })

  it('decodes what it encodes, with numbers at a multiple of 64', () => {
    fc.assert(fc.property(all, ({ kind, shape, values }) => {
      const array: Npy = { shape, data: kinds[kind][0].from(values) }
      const bytes = encodeNpy(array)
      expect((bytes.length - array.data.byteLength) % 64).toBe(0)
      expect(decodeNpy(bytes)).toEqual(array)
    }))
    const text = new TextDecoder('latin1').decode(encodeNpy({ shape: [1], data: Int16Array.of(5) }).subarray(10, 70))
    expect(text.trim()).toBe(`{'descr': '<i2', 'fortran_order': False, 'shape': (1,), }`)
    const view = new Float32Array([1, 2, 3, 4]).subarray(1, 3)
    expect(decodeNpy(encodeNpy({ shape: [2], data: view })).data).toEqual(Float32Array.of(2, 3))
    expect(sentence(() => encodeNpy({ shape: [2, 2], data: view })))
      .toBe('encodeNpy: the number of data is 2, expected that of [2,2].')
    expect(sentence(() => encodeNpy({ shape: [2], data: new BigInt64Array(2) as never })))
      .toBe('encodeNpy: the data is BigInt64Array, expected a typed array of numbers of up to 32 bits, or of float64.')
    expect(sentence(() => encodeNpy({ shape: Array<number>(10_000).fill(1), data: Float32Array.of(1) })))
      .toBe('encodeNpy: the number of axes is 10000, expected at most 64.')
    expect(sentence(() => encodeNpy({ shape: [0.5, 4], data: view }))).toMatch(/^encodeNpy: the shape is \[0\.5, 4\]/)
  })

  /** Made by NumPy 2.4, without the spaces that fill the header to 128 bytes. */
  const made = (base64: string): Uint8Array => {
    const [head, tail] = base64.split(' ').map(part => Uint8Array.from(atob(part), c => c.charCodeAt(0)))
    return join(head, new Array<number>(127 - head.length).fill(0x20), [0x0a], tail)
  }
  it('reads and writes as NumPy does', () => {
    const matrix = made('k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDMpLCB9 '
      + 'AACAPwAAAEAAAEBAAACAQAAAoEAAANBA')
    expect(decodeNpy(matrix)).toEqual({ shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6.5) })
    expect(encodeNpy({ shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6.5) })).toEqual(matrix)
    const columns = made('k05VTVBZAQB2AHsnZGVzY3InOiAnPmY4JywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAoMiwgMyksIH0g '
      + 'AAAAAAAAAABACAAAAAAAAD/wAAAAAAAAQBAAAAAAAABAAAAAAAAAAEAUAAAAAAAA')
    expect(decodeNpy(columns)).toEqual({ shape: [2, 3], data: Float64Array.of(0, 1, 2, 3, 4, 5) })
    const labels = made('k05VTVBZAQB2AHsnZGVzY3InOiAnPGk4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDMsKSwgfSAg '
      + 'AwAAAAAAAAD//////////////38AAAAA')
    expect(decodeNpy(labels)).toEqual({ shape: [3], data: Int32Array.of(3, -1, 2 ** 31 - 1) })
  })

  it('reads booleans as 0 and 1, and 64-bit integers that fit into 32', () => {
    expect(decodeNpy(header(`{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }`, 1, 0)))
      .toEqual({ shape: [2], data: Uint8Array.of(1, 0) })
    const wide = (...numbers: bigint[]): Uint8Array =>
      header(`{'descr': '<i8', 'fortran_order': False, 'shape': (${numbers.length},), }`,
        ...new Uint8Array(BigInt64Array.from(numbers).buffer))
    fc.assert(fc.property(fc.array(fc.integer()), numbers => {
      expect(decodeNpy(wide(...numbers.map(BigInt))).data).toEqual(Int32Array.from(numbers))
    }))
    for (const large of [2n ** 31n, -(2n ** 31n) - 1n, 2n ** 63n - 1n]) {
      expect(sentence(() => decodeNpy(wide(5n, large), 'y.npy')))
        .toBe(`npy: y.npy holds ${large} as element 1, which does not fit into 32 bits.`)
    }
    const unsigned = (...numbers: bigint[]): Uint8Array =>
      header(`{'descr': '>u8', 'fortran_order': False, 'shape': (${numbers.length},), }`,
        ...numbers.flatMap(n => [...new Uint8Array(BigUint64Array.of(n).buffer)].reverse()))
    expect(decodeNpy(unsigned(0n, 2n ** 32n - 1n)).data).toEqual(Uint32Array.of(0, 2 ** 32 - 1))
    expect(sentence(() => decodeNpy(unsigned(2n ** 32n), 'y.npy'))).toBe(`npy: y.npy holds 4294967296 as element 0, which does not fit into 32 bits.`)
  })

  it('reads half precision exactly, as float32, of which the limit counts', () => {
    fc.assert(fc.property(fc.array(fc.nat(0xffff), { maxLength: 8 }), fc.boolean(), fc.boolean(), (bits, little, fortran) => {
      const text = `{'descr': '${little ? '<' : '>'}f2', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': (${bits.length},), }`
      expect(decodeNpy(header(text, ...bytesOf('u16', bits, little))).data).toEqual(Float32Array.from(bits, fromHalf))
    }))
    const three = header(`{'descr': '<f2', 'fortran_order': False, 'shape': (3,), }`, 0, 60, 0, 60, 1, 192)
    expect(decodeNpy(three, 'y.npy', { maxBytes: 12 }).data).toEqual(Float32Array.of(1, 1, -2 - 2 ** -9))
    expect(sentence(() => decodeNpy(three, 'y.npy', { maxBytes: 11 }))).toMatch(/^npy: y\.npy is too large: \[3\] f4 takes 12 bytes/)
  })

  it('reads files of other programs than NumPy', () => {
    const numbers = [0, 0, 128, 63, 0, 0, 0, 64]
    const expected = { shape: [2], data: Float32Array.of(1, 2) }
    for (const descr of ["'<f4'", "'=f4'", "'f4'", '"<f4"', '"f4"']) {
      for (const version of [1, 2, 3]) {
        const text = `{'descr': ${descr}, 'fortran_order': False, 'shape': (2,), }`
        expect(decodeNpy(headerOf(version, text, ...numbers)), descr).toEqual(expected)
      }
    }
    expect(decodeNpy(headerOf(3, '{"shape": (2,), "fortran_order": False, "descr": ">u2"}', 1, 0, 0, 2)))
      .toEqual({ shape: [2], data: Uint16Array.of(256, 2) })
  })

  it('has a limit', () => {
    const bytes = encodeNpy({ shape: [3], data: Float32Array.of(1, 2, 3) })
    expect(decodeNpy(bytes, 'y.npy', { maxBytes: 12 }).shape).toEqual([3])
    expect(sentence(() => decodeNpy(bytes, 'y.npy', { maxBytes: 11 }))).toBe('npy: y.npy is too large: [3] <f4 takes '
      + '12 bytes, expected at most 11; the option maxBytes raises the limit.')
  })

  it('answers everything else with a sentence', () => {
    const whole: Array_ = { kind: 'i16', shape: [2, 3], values: [1, 2, 3, 4, 5, 6], little: true }
    expectSentences(encode(whole, 1, true), 'npy', decodeNpy)
    expectSentences(encode(whole, 2, false), 'npy', decodeNpy)
  })

  it('says what is wrong', () => {
    const say = (bytes: Uint8Array): string => sentence(() => decodeNpy(bytes, 'y.npy'))
    expect(say(new Uint8Array(0))).toBe('npy: y.npy is not an .npy file (it is empty), expected 93 4e 55 4d 50 59.')
    expect(say(Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 4, 0, 0, 0, 0, 0)))
      .toBe('npy: y.npy has version 4, expected 1, 2 or 3.')
    expect(say('text' as never)).toBe('decodeNpy: the file is "text", expected its bytes as a Uint8Array.')
    expect(say([1, 2] as never)).toBe('decodeNpy: the file is [1, 2], expected its bytes as a Uint8Array.')
    for (const shape of ['9'.repeat(400), `0, ${'9'.repeat(400)}`, '1, '.repeat(65)]) {
      expect(say(headerOf(2, `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape}), }`)), shape)
        .toMatch(/^npy: y\.npy has the header /)
    }
    expect(say(header(`{'descr': '<f4', 'fortran_order': False, 'shape': (), }`).subarray(0, 50)))
      .toBe('npy: y.npy is truncated: the header takes 65 bytes, got 50.')
    expect(say(header(`{'descr': '<c8', 'fortran_order': False, 'shape': (2,), }`))).toBe(
      `npy: y.npy holds numbers of the type '<c8', expected one of u1, i1, u2, i2, u4, i4, f4, f8, b1, i8, u8, f2.`)
    expect(say(header(`{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }`)))
      .toMatch(/^npy: y\.npy holds numbers of the type \[\('a'/)
    expect(say(header(`{'descr': '<f4', 'shape': (2,)}`))).toBe(
      `npy: y.npy has the header "{'descr': '<f4', 'shape': (2,)}", expected descr, fortran_order and shape.`)
    expect(say(header(`{'descr': '<f4', 'fortran_order': False, 'shape': (2,-1), }`))).toMatch(/has the header/)
    expect(say(header(`{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }`, 0, 0)))
      .toBe('npy: y.npy is truncated: [3] <f4 takes 12 bytes, got 2.')
  })
})

describe('decodeNifti', () => {
  const codes = { u8: 2, i16: 4, i32: 8, f32: 16, f64: 64, i8: 256, u16: 512, u32: 768 } as const
  type Header = {
    rank?: number; more?: number[]; code?: number; start?: number; slope?: number; inter?: number; magic?: string
    spacing?: number[]
  }
  /** A file; `more` sizes may follow those of the shape. */
  function encode({ kind, shape, values, little }: Array_, header: Header = {}): Uint8Array {
    const { rank = shape.length, slope = 0, inter = 0, start = 352, magic = 'n+1', more = [], spacing = [0.5, 2, -3] } = header
    const bytes = new Uint8Array(352)
    const view = new DataView(bytes.buffer)
    view.setInt32(0, 348, little)
    view.setInt16(40, rank, little)
    ;[...shape, ...more].forEach((n, axis) => view.setInt16(42 + 2 * axis, n, little))
    view.setInt16(70, header.code ?? codes[kind as keyof typeof codes], little)
    ;[-1, ...spacing].forEach((d, axis) => view.setFloat32(76 + 4 * axis, d, little))
    ;[start, slope, inter].forEach((x, i) => view.setFloat32(108 + 4 * i, x, little))
    bytes.set(new TextEncoder().encode(magic), 344)
    const extension = new Array<number>(Math.ceil(start - 352) || 0).fill(9)
    return join(bytes, extension, bytesOf(kind, columnMajor(shape, values), little))
  }
  const all = arrays(Object.keys(codes) as Kind[], { minLength: 3, maxLength: 5 }, 1)
  const small: Array_ = { kind: 'i16', shape: [2, 1, 2], values: [1, 2, 3, 4], little: true }

  it('gives back what was written, row-major over [x,y,z] or [x,y,z,t], of its type', () => {
    fc.assert(fc.property(all, fc.integer({ min: 352, max: 400 }), (array, start) => {
      const data = kinds[array.kind][0].from(array.values)
      const volume = decodeNifti(inside(encode(array, { start })))
      const last = Math.max(2, array.shape.findLastIndex(n => n > 1))
      expect(volume).toEqual({ shape: array.shape.slice(0, last + 1), data, spacing: [0.5, 2, 3], affine: [[0.5, 0, 0, 0], [0, 2, 0, 0], [0, 0, 3, 0]] })
    }), { numRuns: 3 * runs })
  })

  it('does not change the bytes of the file', () => {
    for (const scaling of [{}, { slope: 2, inter: 1 }]) {
      const bytes = encode({ kind: 'f64', shape: [2, 2], values: [1, 2, 3, 4], little: true }, scaling)
      const [before, { data }] = [bytes.slice(), decodeNifti(bytes)]
      expect(bytes).toEqual(before)
      ;(data as Float64Array).fill(0)
      expect(bytes).toEqual(before)
    }
  })

  it('scales if the file says so', () => {
    expect(decodeNifti(encode(small, { slope: 0.5, inter: -1 })).data).toEqual(Float32Array.of(-0.5, 0, 0.5, 1))
    expect(decodeNifti(encode(small, { slope: 1, inter: 2 })).data).toEqual(Float32Array.of(3, 4, 5, 6))
    const unscaled = [[1, 0], [0, 5], [0, NaN], [NaN, 0], [NaN, NaN], [Infinity, 1], [1, NaN], [1, -Infinity]]
    for (const [slope, inter] of unscaled) {
      expect(decodeNifti(encode(small, { slope, inter })).data, `${slope} ${inter}`).toEqual(Int16Array.of(1, 2, 3, 4))
    }
    for (const inter of [NaN, Infinity, -Infinity]) {
      expect(decodeNifti(encode(small, { slope: 2, inter })).data).toEqual(Float32Array.of(2, 4, 6, 8))
    }
    const double: Array_ = { kind: 'f64', shape: [2], values: [1, 1 / 3], little: true }
    expect(decodeNifti(encode(double, { slope: 2, inter: 1 })).data).toEqual(Float64Array.of(3, 2 / 3 + 1))
  })

  it('reads numbers of 64 bits that fit into 32', () => {
    const wide = (code: number, values: BigInt64Array | BigUint64Array): Uint8Array => join(
      encode({ kind: 'u8', shape: [values.length], values: [], little: true }, { code }), new Uint8Array(values.buffer))
    expect(decodeNifti(wide(1024, BigInt64Array.of(5n, -1n))).data).toEqual(Int32Array.of(5, -1))
    expect(decodeNifti(wide(1280, BigUint64Array.of(5n, 2n ** 31n))).data).toEqual(Uint32Array.of(5, 2 ** 31))
    expect(sentence(() => decodeNifti(wide(1024, BigInt64Array.of(5n, 2n ** 31n)), 'aal.nii')))
      .toBe('nifti: aal.nii holds 2147483648 as element 1, which does not fit into 32 bits.')
    expect(sentence(() => decodeNifti(wide(1280, BigUint64Array.of(2n ** 32n)), 'aal.nii')))
      .toBe('nifti: aal.nii holds 4294967296 as element 0, which does not fit into 32 bits.')
  })

  it('finds the numbers if the file does not say where they begin', () => {
    fc.assert(fc.property(all, array => {
      const bytes = encode(array, { start: 352 })
      const expected = decodeNifti(bytes)
      new DataView(bytes.buffer).setFloat32(108, 0, array.little)
      expect(decodeNifti(bytes)).toEqual(expected)
      expect(decodeNifti(join(bytes.subarray(0, 348), bytes.subarray(352)))).toEqual(expected)
    }))
  })

  it('keeps the positions of cells: by the matrix, else by the rotation, else by the distances', () => {
    const file = (change: (header: DataView) => void): readonly (readonly number[])[] => {
      const bytes = encode(small, { spacing: [1, 2, 3] })
      change(new DataView(bytes.buffer))
      return decodeNifti(bytes).affine
    }
    const floats = (view: DataView, at: number, values: number[]): void => values.forEach((v, i) => view.setFloat32(at + 4 * i, v, true))
    // A quarter turn about z, (x, y) → (−y, x); the first pixdim is −1, which turns the third axis round.
    const half = Math.SQRT1_2
    const turned = (view: DataView): void => {
      view.setInt16(252, 1, true)
      floats(view, 256, [0, 0, half, 10, 20, 30])
    }
    file(turned).forEach((row, i) => row.forEach((v, j) => expect(v).toBeCloseTo([[0, -2, 0, 10], [1, 0, 0, 20], [0, 0, -3, 30]][i][j], 6)))
    const rows = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]
    const given = (view: DataView): void => {
      turned(view)
      view.setInt16(254, 1, true)
      floats(view, 280, rows.flat())
    }
    expect(file(given)).toEqual(rows)
    expect(file(view => { given(view); view.setFloat32(280, NaN, true); view.setFloat32(256, Infinity, true) })).toEqual([[1, 0, 0, 0], [0, 2, 0, 0], [0, 0, 3, 0]])
  })

  it('reads what encodeNifti writes, of every type, with its matrix', () => {
    const matrix = fc.array(fc.array(fc.float({ noNaN: true, min: -100, max: 100 }), { minLength: 4, maxLength: 4 }), { minLength: 3, maxLength: 3 })
    fc.assert(fc.property(all, matrix, (array, affine) => {
      const data = kinds[array.kind][0].from(array.values)
      const written = encodeNifti({ shape: array.shape, data, affine })
      const read = decodeNifti(written)
      const last = Math.max(2, array.shape.findLastIndex(n => n > 1))
      expect({ ...read, spacing: null }).toEqual({ shape: array.shape.slice(0, last + 1), data, affine, spacing: null })
      expect(encodeNifti({ ...read, shape: array.shape })).toEqual(written)
    }))
    const affine = [[0, -2, 0, 5], [1, 0, 0, 6], [0, 0, 3, 7]]
    expect(decodeNifti(encodeNifti({ shape: [2], data: Uint8Array.of(1, 2), affine }))).toEqual({
      shape: [2, 1, 1], data: Uint8Array.of(1, 2), spacing: [1, 2, 3], affine,
    })
    const data = new Uint8Array(4)
    expect([
      () => encodeNifti({ shape: [3], data, affine }), () => encodeNifti({ shape: [], data, affine }), () => encodeNifti({ shape: [32_768], data, affine }),
      () => encodeNifti({ shape: [4], data, affine: [[1]] }), () => encodeNifti({ shape: [4], data: [1, 2, 3, 4] as never, affine }),
    ].map(sentence)).toEqual([
      'encodeNifti: the number of data is 4, expected that of [3].', 'encodeNifti: the shape is [], expected 1 to 7 whole numbers from 1 to 32767.',
      'encodeNifti: the shape is [32768], expected 1 to 7 whole numbers from 1 to 32767.', 'encodeNifti: affine is [[…]], expected three rows of four numbers.',
      'encodeNifti: the data is [1, 2, 3, 4], expected a typed array.',
    ])
  })

  it('has a distance of 1 where the file gives none', () => {
    expect(decodeNifti(encode(small, { spacing: [0, NaN, -2] })).spacing).toEqual([1, 1, 2])
    expect(decodeNifti(encode(small, { spacing: [Infinity, 0.25, -Infinity] })).spacing).toEqual([1, 0.25, 1])
  })

  it('has a limit, for the decoded numbers too', () => {
    const bytes: Array_ = { kind: 'u8', shape: [2, 3], values: [1, 2, 3, 4, 5, 6], little: true }
    expect(decodeNifti(encode(bytes), 'x.nii', { maxBytes: 6 }).shape).toEqual([2, 3, 1])
    expect(sentence(() => decodeNifti(encode(bytes, { slope: 2 }), 'x.nii', { maxBytes: 23 })))
      .toMatch(/^nifti: x\.nii is too large: \[2,3,1\] u8, scaled to f32, takes 24 bytes, expected at most 23; /)
  })

  it('reads fewer axes, and further ones of one entry', () => {
    expect(decodeNifti(encode({ ...small, shape: [4] })).shape).toEqual([4, 1, 1])
    expect(decodeNifti(encode({ ...small, shape: [2, 1, 2, 1, 1] })).shape).toEqual([2, 1, 2])
    expect(decodeNifti(encode({ ...small, shape: [2, 2] }, { more: [7] })).shape).toEqual([2, 2, 1])
  })

  it('answers everything else with a sentence', () => {
    expectSentences(encode(small), 'nifti', decodeNifti)
    expectSentences(encode({ ...small, little: false }), 'nifti', decodeNifti)
  })

  it('says what is wrong', () => {
    const say = (header: Header, array: Partial<Array_> = {}): string =>
      sentence(() => decodeNifti(encode({ ...small, ...array }, header), 'ch2.nii'))
    expect(sentence(() => decodeNifti(Uint8Array.of(0x1f, 0x8b), 'ch2.nii'))).toBe(
      'nifti: ch2.nii is not a NIfTI-1 file (starts with 1f 8b), expected 5c 01 00 00 or 00 00 01 5c.')
    expect(sentence(() => decodeNifti(encode(small).subarray(0, 347), 'ch2.nii')))
      .toBe('nifti: ch2.nii is truncated: the header takes 348 bytes, got 347.')
    expect(say({ magic: 'ni1' }))
      .toBe('nifti: ch2.nii is of the kind "ni1", expected "n+1", header and numbers in one file.')
    expect(say({ rank: 8 })).toBe('nifti: ch2.nii has rank 8, expected 1 to 7.')
    expect(say({ rank: 4 })).toBe('nifti: ch2.nii has the sizes 2 × 1 × 2 × 0, expected positive ones.')
    expect(say({ code: 128 }))
      .toBe('nifti: ch2.nii has the datatype 128, expected one of 2 (u8), 4 (i16), 8 (i32), '
        + '16 (f32), 64 (f64), 256 (i8), 512 (u16), 768 (u32), 1024 (i64), 1280 (u64).')
    expect(say({ start: 352.5 })).toBe('nifti: ch2.nii has its numbers at byte 352.5, expected 0 or a whole number ≥ 348.')
    expect(say({ start: NaN })).toMatch(/has its numbers at byte NaN/)
    expect(say({}, { values: [1, 2, 3] })).toBe('nifti: ch2.nii is truncated: [2,1,2] i16 takes 8 bytes, got 6.')
  })
})

describe('movingMnist', () => {
  const seeds = fc.nat(1e6).map(key)
  const dot = { images: Float32Array.of(1), n: 1 }
  /** n pictures of h × h pixels, all of them lit. */
  const pictures = (n: number, h: number): { images: Float32Array; n: number } =>
    ({ images: Float32Array.from({ length: n * h * h }, (_, i) => 0.1 + uniformAt(key(5), i) * 0.9), n })
  const options = fc.record({
    count: fc.integer({ min: 1, max: 3 }), length: fc.integer({ min: 1, max: 12 }),
    size: fc.integer({ min: 4, max: 12 }), digits: fc.integer({ min: 1, max: 3 }),
    speed: fc.double({ min: 0, max: 30, noNaN: true }),
  })
  const total = (x: Float32Array): number => x.reduce((a, b) => a + b, 0)
  /** The frames, one list for each sequence. */
  function split(of: { frames: Float32Array; shape: readonly number[] }): Float32Array[][] {
    const [count, length, height, width] = of.shape
    return Array.from({ length: count }, (_, s) => Array.from({ length }, (_, t) =>
      of.frames.subarray((s * length + t) * height * width, (s * length + t + 1) * height * width)))
  }
  /** Where the dot of a frame is, [y, x]. */
  const where = (frame: Float32Array, size: number): [number, number] => {
    const at = frame.indexOf(1)
    return [Math.floor(at / size), at % size]
  }

  it('draws whole digits: a single one keeps its sum in every frame', () => {
    fc.assert(fc.property(seeds, options, fc.integer({ min: 1, max: 4 }), (k, given, h) => {
      const moved = movingMnist(pictures(1, h), k, { ...given, digits: 1 })
      expect(moved.shape).toEqual([given.count, given.length, given.size, given.size])
      expect(moved.frames.length).toBe(count(moved.shape))
      for (const frame of split(moved).flat()) expect(total(frame)).toBeCloseTo(total(pictures(1, h).images), 4)
    }))
  })

  it('shows the brighter pixel where digits overlap', () => {
    fc.assert(fc.property(seeds, options, (k, given) => {
      const [both, ...each] = [2, 1].map(digits => movingMnist(pictures(3, 4), k, { ...given, digits }).frames)
      const single = Math.max(...pictures(3, 4).images)
      both.forEach((x, i) => expect(x).toBeGreaterThanOrEqual(each[0][i]))
      expect(Math.max(...both)).toBeLessThanOrEqual(single)
    }))
    const filled = movingMnist(pictures(1, 4), key(1), { size: 4, digits: 1, length: 2 }).frames
    expect([filled.subarray(0, 16), filled.subarray(16)]).toEqual([0, 1].map(() => pictures(1, 4).images))
    const full = movingMnist({ images: Float32Array.of(0.2, 0.9), n: 2 }, key(1), { size: 1, digits: 40, length: 1 })
    expect([...full.frames]).toEqual([Math.fround(0.9)])
  })

  it('moves a digit with constant speed on a line, and reflects it at the walls', () => {
    fc.assert(fc.property(seeds, options, (k, { size, speed }) => {
      const [frames] = split(movingMnist(dot, k, { size, speed, digits: 1, length: 30 }))
      const [, x0, y0, turn] = [0, 1, 2, 3].map(i => uniformAt(foldIn(foldIn(k, 0), 0), i))
      const room = size - 1
      let [x, y] = [x0 * room, y0 * room]
      let [vx, vy] = [speed * Math.cos(2 * Math.PI * turn), speed * Math.sin(2 * Math.PI * turn)]
      for (const frame of frames) {
        const [top, left] = where(frame, size)
        // within rounding, which may put a digit that is exactly between two pixels into either
        expect(x).toBeGreaterThan(left - 1e-6)
        expect(x).toBeLessThan(left + 1 + 1e-6)
        expect(y).toBeGreaterThan(top - 1e-6)
        expect(y).toBeLessThan(top + 1 + 1e-6)
        ;[x, y] = [x + vx, y + vy]
        while (x < 0 || x > room) [x, vx] = [x < 0 ? -x : 2 * room - x, -vx]
        while (y < 0 || y > room) [y, vy] = [y < 0 ? -y : 2 * room - y, -vy]
      }
    }))
  })

  it('takes digits to both walls, in all directions', () => {
    const size = 8
    const frames = split(movingMnist(dot, key(0), { count: 20, size, speed: 1, digits: 1, length: 60 })).flat()
    const seen = new Set(frames.map(frame => where(frame, size).join()))
    for (let i = 0; i < size - 1; i++) { // the last pixel is reached only in the moment of the reflection
      for (const place of [`0,${i}`, `${i},0`, `${size - 2},${i}`, `${i},${size - 2}`]) expect(seen).toContain(place)
    }
  })

  it('draws every digit about equally often, and sequences that do not depend on their number', () => {
    const digits = { images: Float32Array.of(1, 2, 3, 4), n: 4 }
    const moved = movingMnist(digits, key(3), { count: 400, length: 1, size: 1, digits: 1 })
    for (const value of digits.images) {
      const times = moved.frames.filter(x => x === value).length
      expect(times).toBeGreaterThan(70)
      expect(times).toBeLessThan(130)
    }
    fc.assert(fc.property(seeds, options, (k, given: MovingMnistOptions) => {
      const all = movingMnist(pictures(3, 2), k, { ...given, count: 3 }).frames
      expect(movingMnist(pictures(3, 2), k, { ...given, count: 3 }).frames).toEqual(all)
      expect(movingMnist(pictures(3, 2), k, { ...given, count: 1 }).frames).toEqual(all.subarray(0, all.length / 3))
    }))
    expect(movingMnist(pictures(3, 2), key(1)).frames).not.toEqual(movingMnist(pictures(3, 2), key(2)).frames)
  })

  it('says what is wrong', () => {
    const say = (given: object, digits = pictures(2, 3)): string =>
      sentence(() => movingMnist(digits, key(0), given as MovingMnistOptions))
    expect(say({ size: 2 })).toBe('movingMnist: size is 2, expected at least 3, the side of a digit.')
    expect(say({ count: 1e9 })).toBe(
      'movingMnist: the number of pixels of all frames is 81920000000000, expected at most 1073741824.')
    expect(say({ count: 0 })).toBe('movingMnist: count is 0, expected a whole number > 0.')
    expect(say({ speed: -1 })).toBe('movingMnist: speed is -1, expected a number ≥ 0.')
    expect(say({ sped: 1 })).toBe('movingMnist: there is no option "sped"; did you mean "speed"?')
    expect(say({}, { images: new Float32Array(7), n: 1 }))
      .toBe('movingMnist: the number of pixels is 7, expected as many as 1 square pictures have.')
    expect(say({}, { images: new Float32Array(0), n: 0 })).toMatch(/the number of pixels is 0/)
    expect(sentence(() => movingMnist(dot, 0 as never))).toMatch(/^movingMnist: the key is 0/)
  })
})
