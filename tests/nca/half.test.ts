// Half precision, held against the bits of float32 and against a search among all halves; and files that have it.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeModel, decodeSafetensors, defineRule, encodeModel, encodeSafetensors, init, key, mlp, mul, type DataParams } from '../../src/index.ts'
import { fromHalf, toHalf } from '../../src/nca/files/half.ts'

const all = Array.from({ length: 65536 }, (_, bits) => bits)
const view = new DataView(new ArrayBuffer(4))

/** The same number in the layout of float32, in which every half is an ordinary number. */
function widened(bits: number): number {
  const [sign, e, rest] = [bits >> 15, (bits >> 10) & 31, bits & 1023]
  if (e === 0) return (sign ? -1 : 1) * rest / 2 ** 24
  view.setUint32(0, ((sign << 31) | ((e === 31 ? 255 : e + 112) << 23) | (rest << 13)) >>> 0)
  return view.getFloat32(0)
}

/** All finite halves ≥ 0, in order: their bits are their places. */
const halves = all.slice(0, 0x7c00).map(widened)

/** The bits of the nearest half by a search: between two, the nearer, and where both are as near the one of even bits. */
function nearest(x: number): number {
  const size = Math.abs(x), sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0
  let [low, high] = [0, halves.length]
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (halves[middle] <= size) low = middle
    else high = middle
  }
  const above = halves[low + 1] ?? 65536 // as if there were one more, which is infinity
  const [down, up] = [size - halves[low], above - size]
  return sign + (down < up || (down === up && low % 2 === 0) ? low : low + 1)
}

const anyFinite = fc.double({ noNaN: true, noDefaultInfinity: true })
const near = fc.tuple(fc.nat(0x7bff), fc.constantFrom(-1, 1), fc.constantFrom(0, 0.25, 0.5, 0.75), fc.integer({ min: -1, max: 1 }))
  .map(([bits, sign, share, ulps]) => sign * (halves[bits] + share * ((halves[bits + 1] ?? 65536) - halves[bits])) * (1 + ulps * 2 ** -52))
const inRange = fc.double({ min: -70_000, max: 70_000, noNaN: true })

describe('a half', () => {
  it('is read exactly, and comes back as it was: each of the 65,536', () => {
    for (const bits of all) {
      const x = fromHalf(bits)
      if (!Object.is(x, widened(bits))) expect([bits, x]).toEqual([bits, widened(bits)])
      const back = Number.isNaN(x) ? (bits & 0x7c00) === 0x7c00 && (bits & 1023) !== 0 : toHalf(x) === bits
      if (!back) expect([bits, toHalf(x)]).toEqual([bits, bits])
    }
    expect(Number.isNaN(fromHalf(toHalf(NaN)))).toBe(true)
  })

  it('is the nearest to a number, of two as near the even one, subnormal and beyond the largest too', () => {
    for (const bits of all.slice(0, 0x7c00)) { // every tie
      const tie = (halves[bits] + (halves[bits + 1] ?? 65536)) / 2
      const even = bits % 2 === 0 ? bits : bits + 1
      if (toHalf(tie) !== even || toHalf(-tie) !== even + 0x8000) expect([bits, toHalf(tie), toHalf(-tie)]).toEqual([bits, even, even + 0x8000])
    }
    fc.assert(fc.property(fc.oneof(anyFinite, near, inRange), x => {
      expect(toHalf(x)).toBe(Math.abs(x) >= 65536 ? nearest(Math.sign(x) * 65535) : nearest(x))
    }), { numRuns: 400 })
    expect([0, -0, Infinity, -Infinity, 65504, 65519.99, 65520, 2 ** -24, 2 ** -25, 1.001 * 2 ** -25].map(toHalf))
      .toEqual([0, 0x8000, 0x7c00, 0xfc00, 0x7bff, 0x7bff, 0x7c00, 1, 0, 1])
  })
})

describe('a file', () => {
  const file = (header: object, data: Uint8Array): Uint8Array => {
    const json = new TextEncoder().encode(JSON.stringify(header))
    return Buffer.concat([new Uint8Array(BigUint64Array.of(BigInt(json.length)).buffer), json, data])
  }
  const one = (code: string, numbers: number[]): Uint8Array =>
    file({ a: { dtype: code, shape: [numbers.length], data_offsets: [0, 2 * numbers.length] } }, new Uint8Array(Uint16Array.from(numbers).buffer))

  it('that others wrote in float16 and bfloat16 is read as the same numbers, wherever it lies', () => {
    fc.assert(fc.property(fc.array(fc.nat(65535), { maxLength: 9 }), fc.nat(3), (bits, shift) => {
      const read = (code: string) => decodeSafetensors(Buffer.concat([new Uint8Array(shift), one(code, bits)]).subarray(shift)).entries.a
      expect(read('F16')).toEqual({ dtype: 'float32', shape: [bits.length], data: Float32Array.from(bits, widened) })
      const wide = new Float32Array(Uint32Array.from(bits, half => half * 65536).buffer)
      expect(read('BF16')).toEqual({ dtype: 'float32', shape: [bits.length], data: wide })
    }))
  })

  it('may not become more numbers than its limit has bytes', () => {
    const bytes = one('F16', new Array<number>(500).fill(0x3c00))
    expect(bytes.length).toBeLessThan(1500)
    const size = bytes.length + 1000 // of the header, and of the numbers in float32
    expect(() => decodeSafetensors(bytes, 'm', { maxBytes: 1500 })).toThrow(`safetensors: m: ${size} bytes are too many (at most 1500)`)
    expect(decodeSafetensors(bytes, 'm', { maxBytes: size }).entries.a.data[499]).toBe(1)
  })

  it('is written in float16 where that is asked for: numbers with a fraction, not whole ones, each in its place', () => {
    fc.assert(fc.property(fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -65000, max: 65000 }), { maxLength: 7 }), fc.boolean(), (list, wide) => {
      const data = wide ? Float64Array.from(list) : Float32Array.from(list)
      const entries = { b: { dtype: wide ? 'float64' : 'float32', shape: [list.length], data }, a: { dtype: 'int32', shape: [1], data: Int32Array.of(70_000) } } as const
      const bytes = encodeSafetensors(entries, {}, { dtype: 'float16' })
      const end = bytes.length - 2 * list.length
      expect([...new Uint16Array(bytes.slice(end).buffer)]).toEqual(list.map(nearest))
      const read = decodeSafetensors(bytes).entries
      expect([...read.b.data]).toEqual(list.map(x => widened(nearest(x))))
      expect(read.a.data).toEqual(Int32Array.of(70_000))
    }))
  })

  it('refuses what half precision has no number for, and nothing that it has', () => {
    const write = (x: number) => () => encodeSafetensors({ w: { dtype: 'float32', shape: [2], data: Float32Array.of(1, x) } }, {}, { dtype: 'float16' })
    for (const x of [65520, -70_000, 1e38]) expect(write(x)).toThrow(`safetensors: w has ${Math.fround(x)}, which is too large for float16 (at most 65504)`)
    for (const x of [65504, 65519, 1e-30, Infinity, NaN]) expect(write(x)).not.toThrow()
  })
})

describe('a model', () => {
  const rule = defineRule({ channels: { a: 4 }, perceive: ['identity'], update: mlp(16, { lastStd: 0.3 }) })
  const params = (): DataParams => init(rule, key(3))

  it('in float16 is half as large, is read in float32, and is written the same again', async () => {
    const model = { rule, params: params(), provenance: { grid: '9' } }
    const [whole, half] = [await encodeModel(model), await encodeModel(model, { dtype: 'float16' })]
    const count = 4 * 16 + 16 + 16 * 4 + 4
    expect(whole.length - half.length).toBe(2 * count)
    const read = decodeModel(half)
    expect(read.provenance).toEqual({ grid: '9' })
    expect([...read.params.update.w1.toArray()]).toEqual(Array.from(model.params.update.w1.toArray(), x => widened(nearest(x))))
    expect(read.params.update.w1.dtype).toBe('float32')
    expect(await encodeModel(read, { dtype: 'float16' })).toEqual(half)
  })

  it('with an infinity or no number in float16 is refused as one in float32 is', async () => {
    const bytes = await encodeModel({ rule, params: params(), provenance: {} }, { dtype: 'float16' })
    for (const [bits, said] of [[0x7c00, 'Infinity'], [0xfc00, '-Infinity'], [0x7e00, 'NaN']] as const) {
      const wrong = bytes.slice()
      new DataView(wrong.buffer).setUint16(wrong.length - 2, bits, true)
      expect(() => decodeModel(wrong, 'm')).toThrow(new RegExp(`^m: params\\.update\\.\\w+ is ${said} at `))
    }
  })

  it('that overflows, and another type, are refused', async () => {
    const { update, ...rest } = params()
    const model = { rule, params: { ...rest, update: { ...update, w1: mul(update.w1, 1e6) } }, provenance: {} }
    await expect(encodeModel(model, { dtype: 'float16' })).rejects.toThrow(/^safetensors: update\.w1 has -?\d+(\.\d+)?, which is too large for float16/)
    await expect(encodeModel(model, { dtype: 'float64' as never })).rejects.toThrow(/^encodeModel: dtype is "float64", expected 'float16'/)
  })
})
