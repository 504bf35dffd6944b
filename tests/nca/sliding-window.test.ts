// Windows that slide over a grid: functions of single cells are blended to exactly themselves, and automata without randomness make
// the same of windows with a margin as of the whole.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  add, checkGrad, conv, cpu, defineRule, foldIn, init, key, mapTree, mlp, mul, normal, ones, rollout, slidingWindow, square, tensor,
  uniform, zeros, type DataParams, type SlidingWindowOptions, type Tensor,
} from '../../src/index.ts'
import { sentence } from '../tensor/values.ts'
import { runs } from '../long.ts'

const draw = (n: number, shape: readonly number[]): Tensor => uniform(key(n), shape, { low: -1, high: 1, dtype: 'float64' })
const near = (a: Tensor, b: Tensor, digits = 10): void => {
  expect(a.shape).toEqual(b.shape)
  const expected = b.toArray()
  a.toArray().forEach((v, i) => expect(v).toBeCloseTo(expected[i], digits))
}

const scenes = fc.record({
  grid: fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 3 }), side: fc.integer({ min: 1, max: 7 }),
  overlap: fc.constantFrom(0, 0.25, 0.5, 0.9), blend: fc.constantFrom('gaussian' as const, 'even' as const), margin: fc.nat(2), seed: fc.nat(),
}).map(({ grid, side, margin, ...rest }) => ({ grid, ...rest, size: grid.map((_, i) => Math.max(side + i, 2 * margin + 1)), margin }))

describe('slidingWindow', () => {
  it('gives the result of a function of single cells, since weights add up to 1', () => {
    fc.assert(fc.property(scenes, ({ grid, seed, ...options }) => {
      const x = draw(seed, [2, ...grid, 3])
      near(slidingWindow(x, square, options), square(x))
      near(slidingWindow(x, window => ones([...window.shape.slice(0, -1), 1], { like: x }), options), ones([2, ...grid, 1], { like: x }))
    }), runs(100))
  })

  it('has every cell in some window, each of the given size, numbered from 0', () => {
    fc.assert(fc.property(scenes, ({ grid, seed, ...options }) => {
      const numbers: number[] = []
      slidingWindow(draw(seed, [1, ...grid, 1]), (window, i) => {
        expect(window.shape.slice(1, -1)).toEqual(options.size.map((n, axis) => Math.min(n, grid[axis])))
        numbers.push(i)
        return window
      }, options)
      expect(numbers).toEqual(numbers.map((_, i) => i))
    }), runs(50))
  })

  it('is the function itself if one window has all cells', () => {
    const x = normal(key(1), [1, 5, 6, 2])
    expect(slidingWindow(x, square, { size: [5, 9] }).toArray()).toEqual(square(x).toArray())
  })

  it('makes the same as an automaton on the whole, if the margin is as wide as cells see in all steps', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 2 }), fc.constantFrom('gaussian' as const, 'even' as const), fc.nat(999), (steps, blend, n) => {
      const rule = defineRule({ channels: { a: 2 }, perceive: ['identity', conv(3, { size: 3 })], update: mlp(4, { lastStd: 0.5 }) })
      const params = mapTree(init(rule, key(n), { dtype: 'float64' }), p => add(p as Tensor, 0.1)) as DataParams
      const x = draw(n + 1, [1, 11, 13, 2])
      const grown = (s: Tensor): Tensor => rollout(rule, params, s, key(0), { steps })
      near(slidingWindow(x, grown, { size: [7, 6], margin: steps, overlap: 0.3, blend }), grown(x))
      const cut = slidingWindow(x, grown, { size: [7, 6], overlap: 0.3, blend }).toArray()
      expect(Math.max(...grown(x).toArray().map((v, i) => Math.abs(v - cut[i])))).toBeGreaterThan(1e-6)
    }), runs(10))
  })

  it('weights the middle of a window most: for windows of 4 cells in 6, the two that both have', () => {
    // Windows at 0 and 2: cells 2 and 3 are the third and fourth of one, the first and second of the other.
    const bell = [0, 1, 2, 3].map(k => Math.exp(-0.5 * ((k - 1.5) / 0.5) ** 2))
    const x = tensor(new Float64Array(6), { shape: [1, 6, 1] })
    const got = slidingWindow(x, (w, i) => add(w, i), { size: [4] }).toArray()
    expect([...got.slice(0, 2), ...got.slice(4)]).toEqual([0, 0, 1, 1])
    expect(got[2]).toBeCloseTo(bell[0] / (bell[0] + bell[2]), 12)
    expect(got[3]).toBeCloseTo(bell[1] / (bell[1] + bell[3]), 12)
    expect([...slidingWindow(x, (w, i) => add(w, i), { size: [4], blend: 'even' }).toArray()]).toEqual([0, 0, 0.5, 0.5, 1, 1])
  })

  it('keeps numbers that are not finite in place, and takes nothing from a margin', () => {
    const x = tensor(Float64Array.from({ length: 12 }, (_, i) => (i === 5 ? NaN : i)), { shape: [1, 12, 1] })
    expect([...slidingWindow(x, w => w, { size: [6] }).toArray()].map(Number.isNaN)).toEqual(Array.from({ length: 12 }, (_, i) => i === 5))
    const edges = (w: Tensor): Tensor => mul(w, tensor(Float64Array.from({ length: 6 }, (_, k) => (k === 0 || k === 5 ? NaN : 1)), { shape: [1, 6, 1] }))
    const got = [...slidingWindow(ones([1, 12, 1], { dtype: 'float64' }), edges, { size: [6], margin: 1 }).toArray()]
    expect(got.slice(1, -1).every(v => Math.abs(v - 1) < 1e-12)).toBe(true)
    expect([got[0], got[11]]).toEqual([NaN, NaN])
  })

  it('needs no more memory for more windows', () => {
    const peak = (cells: number): number => {
      const backend = cpu()
      const x = zeros([1, cells, 8, 4], { backend })
      backend.resetPeak()
      slidingWindow(x, square, { size: [8, 8] })
      return backend.memory().peakBytes / cells
    }
    expect(peak(512)).toBeLessThan(1.05 * peak(64))
  })

  it('has derivatives', () => {
    checkGrad((x: Tensor) => slidingWindow(x, w => mul(w, square(w)), { size: [3, 2] }), draw(3, [1, 4, 5, 1]), { order: 2 })
  })

  it('says what does not fit', () => {
    const x = draw(0, [1, 4, 5, 2]), same = (w: Tensor): Tensor => w
    const lib = slidingWindow as unknown as (...args: unknown[]) => Tensor
    const given = (options: Partial<SlidingWindowOptions>): (() => Tensor) => () => slidingWindow(x, same, { size: [3, 3], ...options })
    expect([
      given({ size: [3] }), given({ size: [3, 0] }), given({ overlap: 1 }), given({ margin: 2 }), given({ blend: 'linear' as never }),
      () => lib(x, same, {}), () => lib(x, 3, { size: [3, 3] }), () => lib(draw(0, [4, 5]), same, { size: [3] }),
      () => slidingWindow(x, () => x, { size: [3, 3] }), () => slidingWindow(x, w => tensor([1, 2], { dtype: 'int32', shape: [...w.shape.slice(0, 0), 2] }), { size: [3, 3] }),
      () => slidingWindow(x, w => foldIn(key(0), w.shape[0]) as never, { size: [3, 3] }),
    ].map(sentence)).toMatchInlineSnapshot(`
      [
        "slidingWindow: size is [3], expected as many sizes as the grid has axes, 2.",
        "slidingWindow: size is [3, 0], expected a list of whole numbers > 0, one for each axis of the grid.",
        "slidingWindow: overlap is 1, expected a number from 0 to less than 1.",
        "slidingWindow: margin is 2, expected less than half of a window of 3 cells.",
        "slidingWindow: blend is "linear", expected 'gaussian' or 'even'.",
        "slidingWindow: size is undefined, expected a list of whole numbers > 0, one for each axis of the grid.",
        "slidingWindow: f is 3, expected a function.",
        "slidingWindow: x must be [b,w,c], [b,h,w,c] or [b,d,h,w,c], with cells; x [4,5].",
        "slidingWindow: what f returned is a tensor [1,4,5,2] float64, expected a tensor [1,3,3,m].",
        "slidingWindow: what f returned is a tensor [2] int32, expected a tensor [1,3,3,m].",
        "slidingWindow: what f returned is [928981903, 3453687069], expected a tensor [1,3,3,m].",
      ]
    `)
  })
})
