import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  argMax, cast, exp, grad, log, logSoftmax, logSumExp, max, mean, min, mul, neg, softmax, sum, tensor, vjp, zeros,
  type Tensor,
} from '../../src/index.ts'
import { loadReference } from '../reference/load.ts'
import { build, entries, expectClose, fromReference, withTies } from './arrays.ts'

const reference = loadReference('operators')
const shape = [2, 3, 4]
const double = (values: number[]): Tensor => tensor(Float64Array.from(values))

describe('mean', () => {
  it('divides the sum by the number of entries that it adds up', () => {
    const x = build(shape, ([i, j, k]) => 100 * i + 10 * j + k)
    expect(mean(x).toArray()[0]).toBe(61.5)
    expectClose(mean(x, [0, 2]), build([3], ([j]) => 51.5 + 10 * j))
    expect(mean(x, 1, { keepDims: true }).shape).toEqual([2, 1, 4])
    expectClose(grad((y: Tensor) => mean(y))(x), build(shape, () => 1 / 24))
  })

  it('refuses integers, whose mean would be truncated', () => {
    expect(() => mean(tensor([1, 2], { dtype: 'int32' }))).toThrowErrorMatchingInlineSnapshot(`[Error: mean: x is int32, but must be float32 or float64.]`)
  })
})

describe('max, min and argMax', () => {
  it('choose the first of equal extremes in scan order, over any axes', () => {
    fc.assert(fc.property(withTies(shape), fc.subarray([0, 1, 2], { minLength: 1 }), (make, axes) => {
      const x = make()
      const value = entries(x)
      const kept = (index: readonly number[]): string => index.map((i, axis) => (axes.includes(axis) ? 0 : i)).join()
      for (const [f, sign] of [[max, 1], [min, -1]] as const) {
        const firsts = new Map<string, number[]>()
        build(shape, index => {
          const first = firsts.get(kept(index))
          if (!first || sign * value(index) > sign * value(first)) firsts.set(kept(index), index)
          return 0
        })
        const [y, pullback] = vjp((z: Tensor) => f(z, axes, { keepDims: true }), x)
        expectClose(y, build(y.shape, index => value(firsts.get(kept(index))!)))
        const g = build(y.shape, index => 1 + index[0] + 10 * index[1] + 100 * index[2])
        const gAt = entries(g)
        expectClose(pullback(g), build(shape, index => (String(firsts.get(kept(index))) === String(index) ? gAt(kept(index).split(',').map(Number)) : 0)))
      }
    }))
  })

  it('give the place along one axis', () => {
    const x = tensor([[1, 5, 5], [7, 2, 7]])
    expect(argMax(x).toString()).toBe('Tensor [2] int32 cpu [1, 0]')
    expect(argMax(x, 0).toString()).toBe('Tensor [3] int32 cpu [1, 0, 1]')
    expect(argMax(x, -1, { keepDims: true }).shape).toEqual([2, 1])
    expect(grad((y: Tensor) => sum(mul(y, cast(argMax(y, -1, { keepDims: true }), 'float32'))))(x).toArray()).toEqual(new Float32Array([1, 1, 1, 0, 0, 0]))
  })

  it('pass on the first NaN, and give no place in its line', () => {
    const x = tensor([[1, NaN, 3, NaN], [4, 5, Infinity, -Infinity]])
    expect(max(x, 1).toArray()).toEqual(new Float32Array([NaN, Infinity]))
    expect(min(x, 1).toArray()).toEqual(new Float32Array([NaN, -Infinity]))
    expect(argMax(x).toArray()).toEqual(new Int32Array([-1, 2]))
    expect(max(x).toArray()[0]).toBeNaN()
    expect(grad((y: Tensor) => max(y))(x).toArray()).toEqual(new Float32Array([0, 1, 0, 0, 0, 0, 0, 0]))
  })

  it('work on integers', () => {
    const x = tensor([3, 1, 2], { dtype: 'uint32' })
    expect([max(x).toArray(), min(x).toArray()]).toEqual([new Uint32Array([3]), new Uint32Array([1])])
  })

  it('refuse empty and missing axes', () => {
    expect(() => max(zeros([2, 0]), 1)).toThrowErrorMatchingInlineSnapshot(`[Error: max: axis 1 is empty; x [2,0].]`)
    expect(() => argMax(zeros([2, 0]))).toThrowErrorMatchingInlineSnapshot(`[Error: argMax: axis 1 is empty; x [2,0].]`)
    expect(() => min(zeros([2, 3]), 2)).toThrowErrorMatchingInlineSnapshot(`[Error: min: there is no axis 2 in a tensor of rank 2.]`)
    expect(() => max(zeros([2, 3]), [0, -2])).toThrowErrorMatchingInlineSnapshot(`[Error: max: axis given twice in [0,-2].]`)
  })
})

describe('logSumExp and softmax', () => {
  it.each(['axis1', 'axis2', 'large-axis1', 'large-axis2'])('agree with PyTorch (%s)', name => {
    for (const [op, f] of [['logsumexp', logSumExp], ['softmax', softmax]] as const) {
      const at = (array: string): Tensor => fromReference(reference[`${op}-${name}.${array}`])
      const [y, pullback] = vjp((x: Tensor) => f(x, Number(name.at(-1))), at('x'))
      expectClose(y, at('y'))
      expectClose(pullback(at('u')), at('grad.x'))
    }
  })

  it('are as exact as float32 allows, at any magnitude', () => {
    const x = fromReference(reference['softmax-large-axis2.x'])
    expectClose(cast(softmax(cast(x, 'float32')), 'float64'), softmax(x), 1e-6)
    expectClose(cast(logSoftmax(cast(x, 'float32')), 'float64'), logSoftmax(x), 1e-6)
  })

  it('are the logarithms of each other', () => {
    fc.assert(fc.property(withTies(shape), fc.integer({ min: 0, max: 2 }), (make, axis) => {
      const x = make()
      expectClose(logSumExp(x, axis), log(sum(exp(x), axis)))
      expectClose(logSoftmax(x, axis), log(softmax(x, axis)))
      expectClose(sum(softmax(x, axis), axis), build(sum(x, axis).shape, () => 1))
    }))
  })

  it('give entries of −∞ no weight, and a line of −∞ none at all, also in the gradient', () => {
    const x = tensor(Float64Array.of(-Infinity, 0, 0, -Infinity, -Infinity, -Infinity), { shape: [2, 3] })
    expectClose(logSumExp(x), double([Math.log(2), -Infinity]))
    expectClose(softmax(x), tensor(Float64Array.of(0, 0.5, 0.5, 0, 0, 0), { shape: [2, 3] }))
    const u = build([2, 3], ([i, j]) => 1 + i + j)
    expectClose(grad((y: Tensor) => sum(logSumExp(y)))(x), softmax(x))
    expectClose(grad((y: Tensor) => sum(mul(u, softmax(y))))(x), tensor(Float64Array.of(0, -0.25, 0.25, 0, 0, 0), { shape: [2, 3] }))
  })

  it('let NaN and ∞ through', () => {
    const x = tensor(Float64Array.of(NaN, 1, Infinity, 1), { shape: [2, 2] })
    expectClose(logSumExp(x), double([NaN, Infinity]))
    expectClose(softmax(x), tensor(Float64Array.of(NaN, NaN, NaN, 0), { shape: [2, 2] }))
  })

  it('are the cross-entropy of a classifier, whose gradient is softmax − labels', () => {
    const logits = build([4, 5], ([i, j]) => Math.sin(3 * i + j))
    const labels = build([4, 5], ([i, j]) => +(j === i))
    const loss = (x: Tensor): Tensor => sum(neg(sum(mul(labels, logSoftmax(x)), -1)))
    expectClose(grad(loss)(logits), build([4, 5], index => entries(softmax(logits))(index) - entries(labels)(index)))
  })

  it('refuse integers and missing axes', () => {
    expect(() => softmax(tensor([1, 2], { dtype: 'int32' }))).toThrowErrorMatchingInlineSnapshot(`[Error: softmax: x is int32, but must be float32 or float64.]`)
    expect(() => logSumExp(tensor([1, 2], { dtype: 'uint32' }))).toThrowErrorMatchingInlineSnapshot(`[Error: logSumExp: x is uint32, but must be float32 or float64.]`)
    expect(() => logSumExp(zeros([2, 3]), 2)).toThrowErrorMatchingInlineSnapshot(`[Error: logSumExp: there is no axis 2 in a tensor of rank 2.]`)
  })
})
