import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeSafetensors, encodeSafetensors, type SafetensorsEntry } from '../../src/nca/files/safetensors.ts'

const arrays = { float32: Float32Array, float64: Float64Array, int32: Int32Array, uint32: Uint32Array }

/** A tensor of any type, shape and bits (NaN payloads included). */
const entry: fc.Arbitrary<SafetensorsEntry> = fc
  .tuple(fc.constantFrom(...(Object.keys(arrays) as (keyof typeof arrays)[])), fc.array(fc.nat(3), { maxLength: 3 }))
  .chain(([dtype, shape]) => {
    const bytes = shape.reduce((a, b) => a * b, arrays[dtype].BYTES_PER_ELEMENT)
    return fc.uint8Array({ minLength: bytes, maxLength: bytes })
      .map(raw => ({ dtype, shape, data: new arrays[dtype](raw.slice().buffer) }))
  })
const runs = fc.readConfigureGlobal().numRuns!

const text = fc.string({ unit: 'grapheme', maxLength: 8 })
const name = fc.oneof(text, fc.constantFrom('0', '1', '__proto__', 'constructor', 'a"b\\', 'update.w1'))
const entries = fc.dictionary(name.filter(key => key !== '__metadata__'), entry, { maxKeys: 5 })
const metadata = fc.dictionary(name, text, { maxKeys: 3 })

function bytesOf({ data }: SafetensorsEntry): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

/** A file with this header text, padded, and this many bytes of data. */
function file(header: string, dataLength = 0): Uint8Array {
  const json = new TextEncoder().encode(header)
  const bytes = new Uint8Array(8 + json.length + dataLength)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true)
  bytes.set(json, 8)
  return bytes
}

function tensor(dtype: string, shape: unknown, offsets: unknown): string {
  return JSON.stringify({ dtype, shape, data_offsets: offsets })
}

function message(bytes: Uint8Array): string {
  try {
    decodeSafetensors(bytes, 'm')
    return 'decoded'
  } catch (error) {
    return (error as Error).message
  }
}

describe('a round trip', () => {
  it('gives back every bit, shape, type and text', () => {
    fc.assert(fc.property(entries, metadata, (tensors, notes) => {
      const decoded = decodeSafetensors(encodeSafetensors(tensors, notes))
      expect(Object.keys(decoded.entries).sort()).toEqual(Object.keys(tensors).sort())
      for (const [key, given] of Object.entries(tensors)) {
        const got = Object.entries(decoded.entries).find(([other]) => other === key)![1]
        expect([got.dtype, got.shape]).toEqual([given.dtype, given.shape])
        expect(bytesOf(got)).toEqual(bytesOf(given))
      }
      expect(Object.entries(decoded.metadata).sort()).toEqual(Object.entries(notes).sort())
    }))
  })

  it('reads from and writes into the middle of larger buffers', () => {
    const whole = Float32Array.of(9, 1, 2, 9)
    const encoded = encodeSafetensors({ a: { dtype: 'float32', shape: [2], data: whole.subarray(1, 3) } })
    const shifted = Buffer.concat([Buffer.from([7, 7, 7]), encoded]).subarray(3)
    expect(decodeSafetensors(shifted).entries['a']!.data).toEqual(Float32Array.of(1, 2))
  })

  it('copies: the tensors do not change with the bytes', () => {
    const encoded = encodeSafetensors({ a: { dtype: 'int32', shape: [], data: Int32Array.of(5) } })
    const { entries: { a } } = decodeSafetensors(encoded)
    encoded.fill(0)
    expect(a!.data).toEqual(Int32Array.of(5))
  })
})

describe('the bytes', () => {
  it('are exactly the published format', () => {
    const encoded = encodeSafetensors(
      {
        b: { dtype: 'float32', shape: [2], data: Float32Array.of(1, -2) },
        a: { dtype: 'uint32', shape: [], data: Uint32Array.of(258) },
      },
      { z: '1', k: 'v' },
    )
    const header = '{"__metadata__":{"k":"v","z":"1"},"a":{"dtype":"U32","shape":[],"data_offsets":[0,4]},'
      + '"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}'
    const padded = header.padEnd(Math.ceil(header.length / 8) * 8)
    expect([...encoded.subarray(0, 8)]).toEqual([padded.length, 0, 0, 0, 0, 0, 0, 0])
    expect(new TextDecoder().decode(encoded.subarray(8, 8 + padded.length))).toBe(padded)
    expect([...encoded.subarray(8 + padded.length)]).toEqual([2, 1, 0, 0, 0, 0, 128, 63, 0, 0, 0, 192])
  })

  it('do not depend on the order in which tensors and metadata are given', () => {
    const reversed = <T>(record: Record<string, T>): Record<string, T> =>
      Object.fromEntries(Object.entries(record).reverse())
    fc.assert(fc.property(entries, metadata, (tensors, notes) => {
      expect(encodeSafetensors(reversed(tensors), reversed(notes))).toEqual(encodeSafetensors(tensors, notes))
    }))
  })

  it('hold every tensor at a multiple of its element size', () => {
    fc.assert(fc.property(entries, tensors => {
      const encoded = encodeSafetensors(tensors)
      const headerLength = Number(new DataView(encoded.buffer).getBigUint64(0, true))
      expect(headerLength % 8).toBe(0)
      const header = JSON.parse(new TextDecoder().decode(encoded.subarray(8, 8 + headerLength))) as
        Record<string, { dtype: string; data_offsets: [number, number] }>
      for (const [key, info] of Object.entries(header)) {
        if (key !== '__metadata__') expect(info.data_offsets[0] % (info.dtype === 'F64' ? 8 : 4)).toBe(0)
      }
    }))
  })
})

describe('encoding refuses', () => {
  it('data that do not fit dtype and shape', () => {
    const encode = (dtype: 'float32', shape: number[], data: SafetensorsEntry['data']) => () =>
      encodeSafetensors({ 'update.w1': { dtype, shape, data } })
    expect(encode('float32', [2, 2], new Float32Array(3)))
      .toThrow('safetensors: update.w1 should be float32 [2,2], but its data is Float32Array of 3')
    expect(encode('float32', [2], new Int32Array(2)))
      .toThrow('safetensors: update.w1 should be float32 [2], but its data is Int32Array of 2')
    expect(encode('float32', [-1, -2], new Float32Array(2))).toThrow('should be float32 [-1,-2]')
  })

  it('a tensor called __metadata__', () => {
    expect(() => encodeSafetensors({ __metadata__: { dtype: 'float32', shape: [0], data: new Float32Array(0) } }))
      .toThrow('safetensors: a tensor cannot be called __metadata__')
  })
})

describe('decoding', () => {
  it('accepts files of other programs: no metadata, null metadata, any order, empty tensors, no padding', () => {
    const [b, e, a] = [tensor('F32', [1], [4, 8]), tensor('F64', [0, 7], [8, 8]), tensor('I32', [], [0, 4])]
    expect(Object.keys(decodeSafetensors(file(`{"b":${b},"e":${e},"a":${a}}`, 8)).entries)).toEqual(['b', 'e', 'a'])
    expect(decodeSafetensors(file('{"__metadata__":null}'))).toEqual({ entries: {}, metadata: {} })
  })

  const one = tensor('F32', [1], [0, 4])
  it.each([
    ['nothing', new Uint8Array(0), 'truncated: 0 bytes, expected at least 8'],
    ['half a length', new Uint8Array(5), 'truncated: 5 bytes, expected at least 8'],
    ['a header that goes past the end', file('{}').subarray(0, 9), 'header of 2 bytes does not fit into 9 bytes'],
    ['a hostile length', new Uint8Array(8).fill(255),
      'header of 18446744073709552000 bytes is too long (at most 8388608)'],
    ['no JSON', file('{"a":'), 'header is not a JSON object of tensors (starts with "{\\"a\\":")'],
    ['a JSON array', file('[1]'), 'header is not a JSON object of tensors (starts with "[1]")'],
    ['an empty header', file(''), 'header is not a JSON object of tensors (starts with "")'],
    ['a byte order mark', file('\ufeff{}'), 'header is not a JSON object of tensors (starts with "\ufeff{}")'],
    ['bytes that are no text', file('{}').fill(255, 8), 'header is not UTF-8 text'],
    ['metadata that is no map of texts', file('{"__metadata__":{"a":1}}'), '__metadata__ must map text to text'],
    ['a tensor that is no object', file('{"a":7}'), '"a" has dtype undefined, expected one of F64, F32, I32, U32, F16, BF16'],
    ['an unknown dtype', file(`{"a":${tensor('F8', [1], [0, 1])}}`, 1),
      '"a" has dtype "F8", expected one of F64, F32, I32, U32, F16, BF16'],
    ['a negative size', file(`{"a":${tensor('F32', [-1], [0, 4])}}`, 4),
      '"a" has shape [-1], expected non-negative integers'],
    ['a fractional size', file(`{"a":${tensor('F32', [0.5, 2], [0, 4])}}`, 4),
      '"a" has shape [0.5,2], expected non-negative integers'],
    ['one offset', file(`{"a":${tensor('F32', [1], [4])}}`, 4), '"a" has data_offsets [4], expected [begin, end]'],
    ['offsets backwards', file(`{"a":${tensor('F32', [1], [4, 0])}}`, 4), '"a" has -4 bytes, but F32 [1] needs 4'],
    ['a size that is not shape × dtype', file(`{"a":${tensor('F64', [2, 3], [0, 24])}}`, 24),
      '"a" has 24 bytes, but F64 [2,3] needs 48'],
    ['a shape that overflows', file(`{"a":${tensor('F32', [2 ** 31, 2 ** 31], [0, 4])}}`, 4),
      '"a" has shape [2147483648,2147483648], which is too large'],
    ['a shape that overflows to zero', file(`{"a":${tensor('F32', [...Array(24).fill(2 ** 52), 0], [0, 0])}}`),
      'which is too large'],
    ['data that ends early', file(`{"a":${tensor('F32', [2], [0, 8])}}`, 7),
      'truncated: "a" ends at byte 8 of 7 bytes of data'],
    ['data left over', file(`{"a":${one}}`, 6), '2 bytes after the last tensor belong to none'],
    ['an overlap', file(`{"a":${one},"b":${tensor('F32', [1], [2, 6])}}`, 6),
      '"b" begins at 2, inside the tensor that ends at 4'],
    ['one place for two', file(`{"a":${one},"b":${one}}`, 4), '"b" begins at 0, inside the tensor that ends at 4'],
    ['a gap', file(`{"a":${one},"b":${tensor('F32', [1], [8, 12])}}`, 12), 'gap of 4 bytes before "b"'],
    ['a gap at the start', file(`{"a":${tensor('F32', [1], [4, 8])}}`, 8), 'gap of 4 bytes before "a"'],
    ['a name twice', file(`{"a":${one},"a":${one}}`, 4), 'header says "a" twice'],
    ['a name twice, once escaped', file(`{"a":${one},"\\u0061"  :${one}}`, 4), 'header says "a" twice'],
    ['a field twice', file('{"a":{"dtype":"F32","dtype":"F32","shape":[0],"data_offsets":[0,0]}}'),
      'header says "dtype" twice'],
  ])('refuses %s', (_what, bytes, expected) => {
    expect(message(bytes)).toContain('safetensors: m: ')
    expect(message(bytes)).toContain(expected)
    expect(message(bytes)).not.toContain('\n')
  })

  it('does not confuse text in values with names', () => {
    const header = '{"__metadata__":{"a":"a","b":"\\"a\\":{}, \\\\"}}'
    expect(decodeSafetensors(file(header)).metadata).toEqual({ a: 'a', b: '"a":{}, \\' })
  })

  it('keeps messages short and free of control characters, whatever the file says', () => {
    const header = `{${JSON.stringify('\x1b[2J'.repeat(1000))}:${tensor('F32', [1], [0, 4])}}`
    expect(message(file(header))).toMatch(/^[^\p{Cc}]{1,250}$/u)
  })

  /** Decodes, or throws one sentence that it meant to throw: never a TypeError or RangeError from within. */
  function decodesOrExplains(bytes: Uint8Array): void {
    try {
      decodeSafetensors(bytes)
    } catch (error) {
      expect((error as Error).message).toMatch(/^safetensors: /)
      expect((error as { cause: Error }).cause.constructor).toBe(Error)
    }
  }

  it('explains every truncation', () => {
    fc.assert(fc.property(entries, metadata, fc.nat(), (tensors, notes, n) => {
      const encoded = encodeSafetensors(tensors, notes)
      const cut = encoded.subarray(0, n % encoded.length)
      expect(() => decodeSafetensors(cut)).toThrow(/^safetensors: input: /)
      decodesOrExplains(cut)
    }))
  })

  it('survives flipped bytes', () => {
    const flips = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 })
    fc.assert(fc.property(entries, metadata, flips, (tensors, notes, changes) => {
      const bytes = encodeSafetensors(tensors, notes)
      for (const [at, mask] of changes) bytes[at % bytes.length]! ^= mask
      decodesOrExplains(bytes)
    }), { numRuns: 20 * runs })
  })

  it('survives any JSON for a header', () => {
    const field = fc.oneof(fc.jsonValue(), fc.record({
      dtype: fc.oneof(fc.constant('F32'), fc.jsonValue()),
      shape: fc.oneof(fc.array(fc.nat(2 ** 33)), fc.jsonValue()),
      data_offsets: fc.oneof(fc.tuple(fc.nat(64), fc.nat(64)), fc.jsonValue()),
    }))
    const header = fc.dictionary(fc.oneof(name, fc.constant('__metadata__')), field)
    fc.assert(fc.property(header, fc.nat(64), (json, n) => {
      decodesOrExplains(file(JSON.stringify(json), n))
    }), { numRuns: 10 * runs })
  })
})
