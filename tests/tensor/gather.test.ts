import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  argMax, cast, gather, grad, max, mul, ones, putAlong, scatter, sum, takeAlong, tensor, vjp, zeros, type Tensor,
} from '../../src/index.ts'
import { loadReference } from '../reference/load.ts'
import { expectClose, fromReference } from './arrays.ts'

const reference = loadReference('operators')

describe('gather and scatter', () => {
  it.each([1, 2])('agree with PyTorch along axis %i', axis => {
    const at = (array: string): Tensor => fromReference(reference[`take-axis${axis}.${array}`])
    const index = Array.from(at('index').toArray())
    const [y, pullback] = vjp((x: Tensor) => gather(x, index, axis), at('x'))
    expectClose(y, at('y'), 0)
    expectClose(pullback(at('u')), at('grad.x'))
    expectClose(scatter(at('u'), index, axis, at('x').shape[axis]), at('grad.x'))
  })

  it('add up entries at repeated places, and leave zeros at the others', () => {
    expect(scatter(tensor([1, 2, 3]), [4, 0, 4], 0, 5).toArray()).toEqual(new Float32Array([2, 0, 0, 0, 4]))
    expect(scatter(tensor([1, 2, 3], { dtype: 'uint32' }), [1, 1, 1], 0, 2).toArray()).toEqual(new Uint32Array([0, 6]))
    expect(scatter(zeros([0, 2]), [], 0, 1).toArray()).toEqual(new Float32Array([0, 0]))
  })

  it('add up in double precision', () => {
    // One by one in float32, the small terms would all be lost.
    const x = tensor([1, ...Array.from({ length: 1000 }, () => 1e-8)])
    expect(scatter(x, Array.from({ length: 1001 }, () => 0), 0, 1).toArray()[0]).toBe(Math.fround(1.00001))
  })

  it('are inverse for a permutation', () => {
    fc.assert(fc.property(fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5 }), fc.integer({ min: -3, max: -1 }), (order, axis) => {
      const x = tensor(Float64Array.from({ length: 125 }, (_, i) => i), { shape: [5, 5, 5] })
      expectClose(scatter(gather(x, order, axis), order, axis, 5), x, 0)
    }))
  })

  it('refuse places that do not exist', () => {
    const x = zeros([2, 3])
    expect(() => gather(x, [0, 3], 1)).toThrowErrorMatchingInlineSnapshot(`[Error: gather: index 3 is outside of an axis of size 3.]`)
    expect(() => gather(x, [-1], 0)).toThrowErrorMatchingInlineSnapshot(`[Error: gather: index -1 is outside of an axis of size 2.]`)
    expect(() => gather(x, [0.5], 0)).toThrowErrorMatchingInlineSnapshot(`[Error: gather: index 0.5 is not a whole number; x [2,3].]`)
    expect(() => gather(x, [0], 2)).toThrowErrorMatchingInlineSnapshot(`[Error: gather: there is no axis 2 in a tensor of rank 2.]`)
    expect(() => scatter(x, [0, 5], 0, 5)).toThrowErrorMatchingInlineSnapshot(`[Error: scatter: index 5 is outside of an axis of size 5.]`)
    expect(() => scatter(x, [0, 1, 2], 0, 5)).toThrowErrorMatchingInlineSnapshot(`[Error: scatter: 3 indices for an axis of size 2; x [2,3].]`)
  })
})

describe('takeAlong and putAlong', () => {
  it.each([1, 2])('agree with PyTorch along axis %i', axis => {
    const at = (array: string): Tensor => fromReference(reference[`gather-axis${axis}.${array}`])
    const [y, pullback] = vjp((x: Tensor) => takeAlong(x, at('index'), axis), at('x'))
    expectClose(y, at('y'), 0)
    expectClose(pullback(at('u')), at('grad.x'))
    expectClose(putAlong(at('u'), at('index'), axis, at('x').shape[axis]), at('grad.x'))
  })

  it('pick the greatest, and put ones at labels', () => {
    const x = tensor([[1, 4, 2], [9, 5, 7]])
    expect(takeAlong(x, argMax(x, -1, { keepDims: true }), -1).toArray()).toEqual(max(x, 1).toArray())
    const labels = tensor([[2], [0]], { dtype: 'int32' })
    expect(putAlong(ones([2, 1]), labels, 1, 3).toArray()).toEqual(new Float32Array([0, 0, 1, 1, 0, 0]))
  })

  it('treat indices that were computed from x as constants', () => {
    const x = tensor([3, 1, 2])
    const f = (y: Tensor): Tensor => sum(mul(takeAlong(y, cast(y, 'int32'), 0), tensor([1, 10, 100])))
    expect(grad(f)(tensor([2, 0, 1])).toArray()).toEqual(new Float32Array([10, 100, 1]))
    expect(() => f(x)).toThrowErrorMatchingInlineSnapshot(`[Error: takeAlong: index 3 is outside of an axis of size 3.]`)
  })

  it('refuse what does not fit', () => {
    const x = zeros([2, 3])
    const index = (shape: number[]): Tensor => zeros(shape, { dtype: 'int32' })
    expect(() => takeAlong(x, index([3, 1]), 1)).toThrowErrorMatchingInlineSnapshot(`[Error: takeAlong: shapes differ outside of axis 1; x [2,3], indices [3,1].]`)
    expect(() => takeAlong(x, index([2]), 1)).toThrowErrorMatchingInlineSnapshot(`[Error: takeAlong: shapes differ outside of axis 1; x [2,3], indices [2].]`)
    expect(() => takeAlong(x, zeros([2, 3]), 1)).toThrowErrorMatchingInlineSnapshot(`[Error: takeAlong: indices are float32, but must be int32.]`)
    expect(() => putAlong(x, index([2, 4]), 1, 5)).toThrowErrorMatchingInlineSnapshot(`[Error: putAlong: every value needs an index; x [2,3], indices [2,4].]`)
    expect(() => putAlong(x, zeros([2, 3], { dtype: 'uint32' }), 1, 5)).toThrowErrorMatchingInlineSnapshot(`[Error: putAlong: indices are uint32, but must be int32.]`)
    expect(() => putAlong(x, tensor([[0, 1, 2], [3, 4, 5]], { dtype: 'int32' }), 1, 5)).toThrowErrorMatchingInlineSnapshot(`[Error: putAlong: index 5 is outside of an axis of size 5.]`)
    expect(() => takeAlong(x, tensor([[0, -1, 2], [0, 0, 0]], { dtype: 'int32' }), 1)).toThrowErrorMatchingInlineSnapshot(`[Error: takeAlong: index -1 is outside of an axis of size 3.]`)
  })
})
