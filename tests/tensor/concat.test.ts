import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concat, gather, grad, mul, splitAxis, stack, sum, tensor, unstack, zeros, type Tensor } from '../../src/index.ts'
import { seeds, shapes, spaced } from '../operators/case.ts'
import { build, entries, expectClose } from './arrays.ts'

const parts = fc.record({
  shape: shapes(3), axis: fc.integer({ min: -3, max: 2 }), sizes: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 4 }), seed: seeds,
})

describe('concat and splitAxis', () => {
  it('join and take apart again', () => {
    fc.assert(fc.property(parts, ({ shape, axis, sizes, seed }) => {
      const list = sizes.map((n, i) => spaced(seed + i, shape.with(axis, n)))
      const joined = concat(list, axis)
      const owner = sizes.flatMap((n, k) => Array.from({ length: n }, (_, i) => [k, i]))
      expectClose(joined, build(shape.with(axis, owner.length), index => {
        const [k, i] = owner[index.at(axis)!]
        return entries(list[k])(index.with(axis, i))
      }))
      splitAxis(joined, sizes, axis).forEach((x, i) => expectClose(x, list[i]))
    }))
  })

  it('join channels by default', () => {
    const x = concat([zeros([1, 2, 2, 3]), zeros([1, 2, 2, 5])])
    expect(x.shape).toEqual([1, 2, 2, 8])
    expect(splitAxis(x, [4, 4]).map(part => part.shape)).toEqual([[1, 2, 2, 4], [1, 2, 2, 4]])
  })

  it('sum the gradients of a tensor that is joined with itself', () => {
    const x = tensor([1, 2])
    const weights = tensor([1, 10, 100, 1000])
    expect(grad((y: Tensor) => sum(mul(concat([y, y]), weights)))(x).toArray()).toEqual(new Float32Array([101, 1010]))
  })

  it('refuse what does not fit together', () => {
    expect(() => concat([])).toThrowErrorMatchingInlineSnapshot(`[Error: concat: the list is empty.]`)
    expect(() => concat([zeros([1, 2, 3]), zeros([1, 3, 3])])).toThrowErrorMatchingInlineSnapshot(`[Error: concat: shapes differ outside of axis 2; list[0] [1,2,3], list[1] [1,3,3].]`)
    expect(() => concat([zeros([1, 2]), zeros([2])])).toThrowErrorMatchingInlineSnapshot(`[Error: concat: shapes differ outside of axis 1; list[0] [1,2], list[1] [2].]`)
    expect(() => concat([zeros([2]), zeros([2], { dtype: 'int32' })])).toThrowErrorMatchingInlineSnapshot(`[Error: concat: element types differ: list[0] is float32, list[1] is int32. Convert one with cast(x, dtype).]`)
    expect(() => concat([zeros([2])], 1)).toThrowErrorMatchingInlineSnapshot(`[Error: concat: there is no axis 1 in a tensor of rank 1.]`)
    expect(() => splitAxis(zeros([2, 16]), [4, 4])).toThrowErrorMatchingInlineSnapshot(`[Error: splitAxis: sizes 4 + 4 are 8, but axis 1 has 16; x [2,16].]`)
  })
})

describe('stack and unstack', () => {
  it('add and take away an axis', () => {
    fc.assert(fc.property(shapes(2), fc.integer({ min: -3, max: 2 }), fc.integer({ min: 1, max: 4 }), seeds, (shape, axis, n, seed) => {
      const list = Array.from({ length: n }, (_, i) => spaced(seed + i, shape))
      const stacked = stack(list, axis)
      expect(stacked.shape.at(axis)).toBe(n)
      list.forEach((x, i) => expectClose(gather(stacked, [i], axis), stack([x], axis)))
      unstack(stacked, axis).forEach((x, i) => expectClose(x, list[i]))
    }))
  })

  it('make a batch of samples by default', () => {
    expect(stack([zeros([4, 5, 3]), zeros([4, 5, 3])]).shape).toEqual([2, 4, 5, 3])
    expect(unstack(zeros([2, 4, 5, 3])).map(x => x.shape)).toEqual([[4, 5, 3], [4, 5, 3]])
    expect(stack([tensor(1), tensor(2)]).toArray()).toEqual(new Float32Array([1, 2]))
  })

  it('refuse what does not fit together', () => {
    expect(() => stack([])).toThrowErrorMatchingInlineSnapshot(`[Error: stack: the list is empty.]`)
    expect(() => stack([zeros([2]), zeros([3])])).toThrowErrorMatchingInlineSnapshot(`[Error: stack: shapes differ; list[0] [2], list[1] [3].]`)
    expect(() => stack([zeros([2]), zeros([2])], 2)).toThrowErrorMatchingInlineSnapshot(`[Error: stack: there is no axis 2 in a tensor of rank 2.]`)
    expect(() => unstack(zeros([]))).toThrowErrorMatchingInlineSnapshot(`[Error: unstack: there is no axis 0 in a tensor of rank 0.]`)
  })
})
