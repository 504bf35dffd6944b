import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  bernoulli, bits, bitsAt, fire, foldIn, grad, key, mul, normal, sum, tensor, uniform, uniformAt, zeros, type Tensor,
} from '../../src/index.ts'

const n = 100_000

/** Mean of f over a tensor, and its standard error. */
function meanOf(x: Tensor, f: (value: number) => number): { mean: number; error: number } {
  const values = Array.from(x.toArray(), f)
  const mean = values.reduce((a, b) => a + b, 0) / values.length
  return { mean, error: Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length / (values.length - 1)) }
}

function expectMean(x: Tensor, f: (value: number) => number, expected: number): void {
  const { mean, error } = meanOf(x, f)
  expect(Math.abs(mean - expected)).toBeLessThan(4 * error)
}

describe('tensors are drawn as in JAX (0.10.2, partitionable threefry)', () => {
  const k = key(42)

  it('bits', () => {
    expect(bits(k, [2, 3]).toArray()).toEqual(Uint32Array.of(2098992034, 2919706841, 2646866425, 2409546199, 1935504149, 2516274904))
  })

  it('uniform, to the last bit', () => {
    expect(uniform(k, [2, 3]).toArray()).toEqual(Float32Array.of(0.48870956897735596, 0.6797971725463867, 0.6162714958190918, 0.5610160827636719, 0.4506446123123169, 0.58586585521698))
    expect(uniform(k, [3], { dtype: 'float64' }).toArray()).toEqual(Float64Array.of(0.4267275666499091, 0.015010069515314584, 0.5741444178995352))
  })

  it('normal, to the last digits, in either element type', () => {
    const expected = [-0.02830461598932743, 0.4671318531036377, 0.2957029640674591, 0.15354591608047485, -0.12403281778097153, 0.21692314743995667]
    for (const dtype of ['float32', 'float64'] as const) {
      normal(k, [2, 3], { dtype }).toArray().forEach((z, i) => expect(Math.abs(z - expected[i])).toBeLessThan(1e-7))
    }
    // The extremes of 100,000 draws come from the tails of erf⁻¹.
    const many = normal(k, [n], { dtype: 'float64' }).toArray()
    expect(Math.min(...many)).toBeCloseTo(-4.4803915, 5)
    expect(Math.max(...many)).toBeCloseTo(4.38012, 5)
  })

  it('bernoulli, whatever the element type of `like`', () => {
    expect(bernoulli(k, [2, 8], 0.5).toArray()).toEqual(Uint32Array.of(1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0))
    for (const dtype of ['float32', 'float64', 'uint32'] as const) {
      expect(sum(bernoulli(k, [1000], 0.3, { like: zeros([1], { dtype }) })).toArray()[0]).toBe(279)
    }
  })
})

describe('distributions', () => {
  it.each(['float32', 'float64'] as const)('uniform has the moments of [low, high) (%s)', dtype => {
    const u = uniform(key(1), [n], { dtype })
    for (const power of [1, 2, 3]) expectMean(u, x => x ** power, 1 / (power + 1))
    expect(Math.min(...u.toArray())).toBeGreaterThanOrEqual(0)
    expect(Math.max(...u.toArray())).toBeLessThan(1)
    expectMean(uniform(key(2), [n], { low: -3, high: 1, dtype }), x => x, -1)
    expectMean(uniform(key(2), [n], { low: -3, high: 1, dtype }), x => (x + 1) ** 2, 16 / 12)
  })

  it('float64 uniforms have 52 bits and are those of the host', () => {
    const u = uniform(key(1), [100], { dtype: 'float64' }).toArray()
    expect(Array.from(u)).toEqual(Array.from({ length: 100 }, (_, i) => uniformAt(key(1), i)))
  })

  it('normal has the moments and the tails of the normal distribution', () => {
    const z = normal(key(1), [n], { dtype: 'float64' })
    for (const [power, moment] of [[1, 0], [2, 1], [3, 0], [4, 3], [6, 15]]) expectMean(z, x => x ** power, moment)
    for (const [bound, share] of [[1, 0.158655], [2, 0.022750], [3, 0.0013499]]) expectMean(z, x => +(x > bound), share)
    const shifted = normal(key(1), [n], { mean: 2, std: 3 })
    expectMean(shifted, x => x, 2)
    expectMean(shifted, x => (x - 2) ** 2, 9)
  })

  it('bernoulli has its rate, and is exact for 0 and 1', () => {
    for (const p of [0.1, 0.5, 0.9]) expectMean(bernoulli(key(1), [n], p), x => x, p)
    expect(sum(bernoulli(key(1), [n], 0)).toArray()[0]).toBe(0)
    expect(sum(bernoulli(key(1), [n], 1)).toArray()[0]).toBe(n)
  })

  it('neighbours and neighbouring keys are not correlated', () => {
    const a = normal(foldIn(key(1), 0), [n], { dtype: 'float64' })
    const b = normal(foldIn(key(1), 1), [n], { dtype: 'float64' })
    expectMean(mul(a, b), x => x, 0)
    const values = a.toArray()
    expectMean(tensor(values.map((x, i) => x * values[(i + 1) % n])), x => x, 0)
  })

  it('are constants to every transform, with the same values inside one', () => {
    const x = tensor([1, 2, 3])
    expect(grad((y: Tensor) => sum(mul(y, uniform(key(1), [3], { like: y }))))(x).toArray()).toEqual(uniform(key(1), [3]).toArray())
  })
})

describe('the fire mask', () => {
  const state = (batch: number, dtype: 'float32' | 'float64' = 'float32'): Tensor => zeros([batch, 5, 7, 2], { dtype })

  it('has one entry per cell, which fires at its rate', () => {
    const mask = fire(key(1), zeros([4, 100, 250, 1]), 0.3)
    expect([mask.shape, mask.dtype]).toEqual([[4, 100, 250], 'uint32'])
    expectMean(mask, x => x, 0.3)
    expect(sum(fire(key(1), zeros([1, 100, 100, 1]), 0)).toArray()[0]).toBe(0)
    expect(sum(fire(key(1), zeros([1, 100, 100, 1]), 1)).toArray()[0]).toBe(10_000)
  })

  it('of a sample depends on key, sample and cell, not on the batch, the channels or the element type', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 0, max: 10 }), fc.nat(), (batch, tenths, seed) => {
      const rate = tenths / 10
      const mask = Array.from(fire(key(seed), state(batch), rate).toArray())
      expect(Array.from(fire(key(seed), state(batch, 'float64'), rate).toArray())).toEqual(mask)
      expect(Array.from(fire(key(seed), zeros([batch, 5, 7, 9]), rate).toArray())).toEqual(mask)
      expect(Array.from(fire(key(seed), state(batch + 3), rate).toArray()).slice(0, mask.length)).toEqual(mask)
      const drawn = Array.from({ length: batch * 35 }, (_, i) => +(bitsAt(key(seed), Math.floor(i / 35), i % 35) / 2 ** 32 < rate))
      expect(mask.filter((x, i) => x !== drawn[i])).toEqual([])
    }))
  })

  it('differs between samples and between steps', () => {
    const [a, b] = [fire(foldIn(key(1), 0), state(2), 0.5), fire(foldIn(key(1), 1), state(2), 0.5)].map(mask => Array.from(mask.toArray()))
    expect(a).not.toEqual(b)
    expect(a.slice(0, 35)).not.toEqual(a.slice(35))
  })

  it('fires strictly below its rate', () => {
    const draw = bitsAt(key(1), 0, 17)
    const fires = (rate: number): number => fire(key(1), state(1), rate).toArray()[17]
    expect([fires(draw / 2 ** 32), fires((draw + 1) / 2 ** 32)]).toEqual([0, 1])
  })

  it('grows with the rate: cells that fire at 0.3 fire at 0.6', () => {
    const [few, many] = [0.3, 0.6].map(rate => fire(key(9), state(8), rate).toArray())
    few.forEach((x, i) => expect(x).toBeLessThanOrEqual(many[i]))
  })
})

describe('errors', () => {
  it('name what cannot be drawn', () => {
    expect(() => bernoulli(key(0), [2], 1.5)).toThrowErrorMatchingInlineSnapshot(`[Error: bernoulli: a probability is a number from 0 to 1, got 1.5.]`)
    expect(() => bernoulli(key(0), [2], NaN)).toThrowErrorMatchingInlineSnapshot(`[Error: bernoulli: a probability is a number from 0 to 1, got NaN.]`)
    expect(() => fire(key(0), zeros([1, 2, 2, 1]), -0.1)).toThrowErrorMatchingInlineSnapshot(`[Error: fire: a probability is a number from 0 to 1, got -0.1.]`)
    expect(() => fire(key(0), zeros([2, 2]), 0.5)).toThrowErrorMatchingInlineSnapshot(`[Error: fire: needs a state [b,h,w,c]; x [2,2].]`)
    expect(() => uniform(key(0), [2], { like: zeros([1], { dtype: 'uint32' }) })).toThrowErrorMatchingInlineSnapshot(`[Error: uniform: draws float32 or float64, not uint32.]`)
    expect(() => normal(key(0), [2], { dtype: 'int32' })).toThrowErrorMatchingInlineSnapshot(`[Error: normal: draws float32 or float64, not int32.]`)
  })
})
