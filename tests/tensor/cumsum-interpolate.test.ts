// Cumulative sums, and interpolation to another size: compared with the definition, entry by entry, and with differences.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  checkGrad, cumsum, inner, interpolate, key, ones, sum, tensor, uniform, vjp, zeros, type Tensor,
} from '../../src/index.ts'
import { sentence } from './values.ts'

const sizes = fc.integer({ min: 1, max: 5 })
const draw = (n: number, shape: readonly number[]): Tensor => uniform(key(n), shape, { low: -1, high: 1, dtype: 'float64' })

describe('cumsum', () => {
  it('adds up all entries up to each, from either end of any axis', () => {
    fc.assert(fc.property(fc.tuple(sizes, sizes, sizes), fc.integer({ min: 0, max: 2 }), fc.boolean(), fc.nat(), (shape, axis, fromEnd, n) => {
      const x = draw(n, shape)
      const [values, got] = [x.toArray(), cumsum(x, axis, { fromEnd }).toArray()]
      const inside = shape.slice(axis + 1).reduce((a, b) => a * b, 1)
      got.forEach((v, i) => {
        const k = Math.floor(i / inside) % shape[axis]
        let total = 0
        for (let j = fromEnd ? k : 0; j <= (fromEnd ? shape[axis] - 1 : k); j++) total += values[i + (j - k) * inside]
        expect(v).toBeCloseTo(total, 12)
      })
    }))
    expect([...cumsum(tensor([1, 2, 3])).toArray()]).toEqual([1, 3, 6])
    expect([...cumsum(tensor([2 ** 31, 2 ** 31, 5], { dtype: 'uint32' })).toArray()]).toEqual([2 ** 31, 0, 5])
    expect(cumsum(zeros([2, 0, 3]), 1).shape).toEqual([2, 0, 3])
  })

  it('ends with the sum', () => {
    const x = draw(1, [4, 7])
    const last = cumsum(x).toArray().filter((_, i) => i % 7 === 6)
    sum(x, 1).toArray().forEach((v, i) => expect(last[i]).toBeCloseTo(v, 12))
  })
})

describe('interpolate', () => {
  /** Where new cell i of N lies among n, as weights of the old cells. */
  function weights(n: number, size: number, i: number, mode: string): number[] {
    if (mode === 'nearest') return Array.from({ length: n }, (_, j) => +(j === Math.floor((i + 0.5) * n / size)))
    const p = Math.min(Math.max((i + 0.5) * n / size - 0.5, 0), n - 1)
    return Array.from({ length: n }, (_, j) => Math.max(0, 1 - Math.abs(p - j)))
  }
  const scenes = fc.record({ b: fc.integer({ min: 1, max: 2 }), h: sizes, w: sizes, c: fc.integer({ min: 1, max: 2 }), H: fc.integer({ min: 1, max: 9 }), W: fc.integer({ min: 1, max: 9 }), mode: fc.constantFrom('bilinear' as const, 'nearest' as const), n: fc.nat() })

  it('weights the cells around the centre of each new one', () => {
    fc.assert(fc.property(scenes, ({ b, h, w, c, H, W, mode, n }) => {
      const x = draw(n, [b, h, w, c]), values = x.toArray()
      const y = interpolate(x, [H, W], { mode })
      expect(y.shape).toEqual([b, H, W, c])
      y.toArray().forEach((got, at) => {
        const [k, j, i, s] = [at % c, Math.floor(at / c) % W, Math.floor(at / c / W) % H, Math.floor(at / c / W / H)]
        const [rows, columns] = [weights(h, H, i, mode), weights(w, W, j, mode)]
        let total = 0
        rows.forEach((r, y) => columns.forEach((q, x) => { total += r * q * values[((s * h + y) * w + x) * c + k] }))
        expect(got).toBeCloseTo(total, 12)
      })
    }))
  })

  it('has its adjoint, ⟨Ax, u⟩ = ⟨x, Aᵀu⟩, and derivatives', () => {
    fc.assert(fc.property(scenes, ({ b, h, w, c, H, W, mode, n }) => {
      const x = draw(n, [b, h, w, c]), u = draw(n + 1, [b, H, W, c])
      const [y, pull] = vjp((z: Tensor) => interpolate(z, [H, W], { mode }), x)
      expect(inner(y, u).toArray()[0]).toBeCloseTo(inner(x, pull(u)).toArray()[0], 10)
      checkGrad(z => interpolate(z, [H, W], { mode }), x, { order: 2 })
    }))
  })

  it('keeps constants, keeps a grid of the same size bit for bit, and spreads a NaN only to the cells that read it', () => {
    expect([...interpolate(ones([1, 3, 5, 1]), [7, 2]).toArray()].every(v => v === 1)).toBe(true)
    const x = draw(5, [1, 3, 4, 2])
    expect([...interpolate(x, [3, 4]).toArray()]).toEqual([...x.toArray()])
    const holed = tensor([NaN, 1, 1, 1], { shape: [1, 1, 4, 1] })
    expect([...interpolate(holed, [1, 8]).toArray()].map(Number.isNaN)).toEqual([true, true, true, false, false, false, false, false])
  })

  it('says what does not fit', () => {
    expect([
      () => interpolate(zeros([3, 3, 1]), [2, 2]), () => interpolate(zeros([1, 3, 3, 1]), [2, 0]),
      () => interpolate(zeros([1, 0, 3, 1]), [2, 2]), () => interpolate(zeros([1, 3, 3, 1]), [2, 2], { mode: 'cubic' as 'nearest' }),
    ].map(sentence)).toMatchInlineSnapshot(`
      [
        "interpolate: x must be [b,h,w,c] with at least one cell; x [3,3,1].",
        "interpolate: size is [2, 0], expected two whole numbers > 0, rows and columns.",
        "interpolate: x must be [b,h,w,c] with at least one cell; x [1,0,3,1].",
        "interpolate: mode is "cubic", expected 'bilinear' or 'nearest'.",
      ]
    `)
  })
})
