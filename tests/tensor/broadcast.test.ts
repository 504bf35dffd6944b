// Broadcasting, and masking by selection: what a mask excludes must not come back as 0·NaN.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  add, div, exp, grad, greater, less, log, mul, sqrt, square, sub, sum, tensor, vjp, where, zeros, type Tensor,
} from '../../src/index.ts'
import { seeds, shapes, spaced } from '../operators/case.ts'
import { build, entries, expectClose } from './arrays.ts'

describe('broadcasting', () => {
  it('repeats axes of size 1 and missing leading axes, and sums their gradients', () => {
    const axes = fc.subarray([0, 1, 2])
    fc.assert(fc.property(shapes(3), axes, axes, fc.integer({ min: 0, max: 3 }), seeds, (shape, onesA, onesB, missing, seed) => {
      const a = spaced(seed, shape.map((n, i) => (onesA.includes(i) ? 1 : n)))
      const b = spaced(seed + 1, shape.map((n, i) => (onesB.includes(i) ? 1 : n)).slice(missing))
      const read = (x: Tensor, index: number[]): number => entries(x)(x.shape.map((n, i) => (n === 1 ? 0 : index[i + 3 - x.shape.length])))
      const whole = shape.map((n, i) => (onesA.includes(i) && (onesB.includes(i) || i < missing) ? 1 : n))
      const [y, pullback] = vjp(([p, q]: Tensor[]) => sub(p, q), [a, b])
      expectClose(y, build(whole, index => read(a, index) - read(b, index)))
      const [ga, gb] = pullback(build(whole, () => 1))
      const repeats = (x: Tensor): number => whole.reduce((p, q) => p * q, 1) / x.shape.reduce((p, q) => p * q, 1)
      expectClose(ga, build(a.shape, () => repeats(a)))
      expectClose(gb, build(b.shape, () => -repeats(b)))
    }))
  })

  it('refuses shapes and types that do not fit', () => {
    expect(() => add(zeros([2, 3]), zeros([4]))).toThrowErrorMatchingInlineSnapshot(`[Error: add: shapes do not broadcast; a [2,3], b [4].]`)
    expect(() => mul(zeros([2]), zeros([2], { dtype: 'float64' }))).toThrowErrorMatchingInlineSnapshot(`[Error: mul: element types differ: a is float32, b is float64. Convert one with cast(x, dtype).]`)
    expect(() => where(zeros([3]), zeros([2, 2]), 0)).toThrowErrorMatchingInlineSnapshot(`[Error: where: shapes do not broadcast; condition [3], a [2,2], b [].]`)
    expect(() => where(zeros([2]), zeros([2]), zeros([2], { dtype: 'int32' }))).toThrowErrorMatchingInlineSnapshot(`[Error: where: element types differ: a is float32, b is int32. Convert one with cast(x, dtype).]`)
    expect(() => add(1, 2)).toThrowErrorMatchingInlineSnapshot(`[Error: add: at least one operand must be a tensor.]`)
  })
})

describe('where', () => {
  const mask = tensor([[[1], [0]], [[0], [1]]], { dtype: 'uint32' })                         // [2,2,1]
  const bad = build([2, 2, 2], ([i, j]) => (i === j ? 1 : [NaN, Infinity][i]))               // wrong where the mask is 0

  it('ignores values that are not selected, in the result and in every gradient', () => {
    const x = build([2, 2, 2], ([i, j, k]) => 1 + i + j + k)
    const [y, pullback] = vjp(([p, q]: Tensor[]) => where(mask, p, q), [bad, x])
    expectClose(y, build([2, 2, 2], ([i, j, k]) => (i === j ? 1 : 1 + i + j + k)))
    const [gBad, gx] = pullback(bad)
    expectClose(gBad, build([2, 2, 2], ([i, j]) => +(i === j)))
    expectClose(gx, build([2, 2, 2], index => (index[0] === index[1] ? 0 : entries(bad)(index))))
  })

  it('does so under broadcasting: one bias per channel, one mask per cell', () => {
    const bias = tensor(Float64Array.of(1, 2))
    const f = (b: Tensor): Tensor => sum(where(mask, mul(square(b), bad), 0))
    expectClose(grad(f)(bias), tensor(Float64Array.of(NaN, NaN)))          // NaN·b² is computed before it is masked: 0·NaN
    const safe = (b: Tensor): Tensor => sum(mul(square(b), where(mask, bad, 0)))
    expectClose(grad(safe)(bias), tensor(Float64Array.of(4, 8)))
  })

  it('guards a function outside its domain when the argument is selected first', () => {
    const x = tensor(Float64Array.of(-1, 0, 0.5, 2))
    const inside = greater(x, 0)
    const root = (y: Tensor): Tensor => where(inside, sqrt(where(inside, y, 1)), 0)
    expectClose(root(x), tensor(Float64Array.of(0, 0, Math.SQRT1_2, Math.SQRT2)))
    expectClose(grad((y: Tensor) => sum(root(y)))(x), tensor(Float64Array.of(0, 0, Math.SQRT1_2, Math.SQRT1_2 / 2)))
    // Selected only afterwards, the gradient 0 is multiplied by the infinite derivative of √ at 0.
    expect(grad((y: Tensor) => sum(where(inside, sqrt(y), 0)))(x).toArray()[1]).toBeNaN()
    const f = (y: Tensor): Tensor => sum(where(inside, log(where(inside, y, 1)), 0))
    expectClose(grad(f)(x), tensor(Float64Array.of(0, 0, 2, 0.5)))
    expectClose(grad((y: Tensor) => sum(grad(f)(y)))(x), tensor(Float64Array.of(0, 0, -4, -0.25)))
  })

  it('passes gradients through the branch that was taken, to second order', () => {
    const x = tensor(Float64Array.of(-2, 3))
    const f = (y: Tensor): Tensor => sum(where(less(y, 0), exp(y), div(1, y)))
    expectClose(grad(f)(x), tensor(Float64Array.of(Math.exp(-2), -1 / 9)))
    expectClose(grad((y: Tensor) => sum(grad(f)(y)))(x), tensor(Float64Array.of(Math.exp(-2), 2 / 27)))
  })
})
