// The Euclidean norm, from the smallest numbers to the greatest, and its derivative at 0.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkGrad, grad, norm, sum, tensor, zeros, type Tensor } from '../../src/index.ts'
import { expectClose, f64, list } from './values.ts'

describe('norm', () => {
  it('is the root of the sum of squares, over any axes', () => {
    const x = tensor([[3, 4], [6, 8]])
    expect([norm(x), norm(x, 1), norm(x, [0, 1], { keepDims: true })].map(y => y.shape)).toEqual([[], [2], [1, 1]])
    expect(list(norm(x, -1))).toEqual([5, 10])
    expectClose(norm(x), [Math.sqrt(125)], 1e-7)
    expect(list(norm(zeros([0, 2]), 0))).toEqual([0, 0])
  })

  it('neither overflows nor underflows if the result can be represented', () => {
    const scale = fc.integer({ min: -1070, max: 1020 })
    fc.assert(fc.property(fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 1 }), scale, (values, n) => {
      const scaled = values.map(v => v * 2 ** n)
      expectClose(norm(f64(...scaled)), [Math.hypot(...scaled)], 1e-12)
      if (n < -1000 || n > 120) return
      const single = Float32Array.from(scaled)
      expect(list(norm(tensor(single)))).toEqual([Math.fround(list(norm(f64(...single)))[0])])
    }))
    expect(list(norm(tensor([[NaN, 1], [-Infinity, 2], [Infinity, NaN]]), 1))).toEqual([NaN, Infinity, NaN])
  })

  it('has a gradient of length 1, and 0 at 0, to every order', () => {
    const x = f64(3, 4, 0, 0)
    const rows = (y: Tensor): Tensor => sum(norm(y, 1))
    const at = tensor(x.toArray(), { shape: [2, 2] })
    expectClose(grad(rows)(at), [0.6, 0.8, 0, 0])
    let f: (y: Tensor) => Tensor = rows
    for (let order = 1; order <= 3; order++) {
      const before = f
      f = y => sum(grad(before)(y))
      expect(list(grad(before)(zeros([2, 2])))).toEqual([0, 0, 0, 0])
    }
    expect(() => checkGrad((y: Tensor) => norm(y), f64(1, -2, 3), { order: 3 })).not.toThrow()
  })

  it('refuses integers', () => {
    expect(() => norm(tensor([1], { dtype: 'int32' }))).toThrow('norm: x is int32, but must be float32 or float64.')
  })
})
