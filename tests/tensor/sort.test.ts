import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { argSort, grad, mul, sort, sum, tensor, vjp, zeros, type Tensor } from '../../src/index.ts'
import { loadReference } from '../reference/load.ts'
import { build, entries, expectClose, fromReference, withTies } from './arrays.ts'

const reference = loadReference('operators')

describe('sort and argSort', () => {
  it.each([1, 2])('agree with PyTorch along axis %i', axis => {
    const at = (array: string): Tensor => fromReference(reference[`sort-descending-axis${axis}.${array}`])
    expectClose(argSort(at('x'), axis, { descending: true }), at('order'), 0)
    const [y, pullback] = vjp((x: Tensor) => sort(x, axis, { descending: true }), at('x'))
    expectClose(y, at('y'), 0)
    expectClose(pullback(at('u')), at('grad.x'))
  })

  it('are stable along any axis, in either direction', () => {
    const shape = [3, 4, 5]
    fc.assert(fc.property(withTies(shape), fc.integer({ min: 0, max: 2 }), fc.boolean(), (make, axis, descending) => {
      const x = make()
      const value = entries(x)
      const sign = descending ? -1 : 1
      // The place of an entry is the number of those that come before it.
      const place = build(shape, index => Array.from({ length: shape[axis] }, (_, k) => sign * (value(index.with(axis, k)) - value(index)) || k - index[axis])
        .filter(difference => difference < 0).length)
      const order = entries(argSort(x, axis, { descending }))
      expectClose(build(shape, index => entries(place)(index.with(axis, order(index)))), build(shape, index => index[axis]), 0)
    }))
  })

  it('put NaN above every number and know infinities', () => {
    const x = tensor([NaN, 2, Infinity, NaN, -Infinity, 2, Infinity])
    expect(argSort(x).toArray()).toEqual(new Int32Array([4, 1, 5, 2, 6, 0, 3]))
    expect(argSort(x, -1, { descending: true }).toArray()).toEqual(new Int32Array([0, 3, 2, 6, 1, 5, 4]))
    expect(sort(x).toArray()).toEqual(new Float32Array([-Infinity, 2, 2, Infinity, Infinity, NaN, NaN]))
  })

  it.each(['float32', 'float64', 'int32', 'uint32'] as const)('order any numbers of type %s as comparisons do', dtype => {
    const number = {
      float32: fc.float(), float64: fc.double(), int32: fc.integer(), uint32: fc.nat({ max: 2 ** 32 - 1 }),
    }[dtype]
    const isLess = (a: number, b: number): boolean => a < b || (Number.isNaN(b) && !Number.isNaN(a))
    fc.assert(fc.property(fc.array(number, { minLength: 1, maxLength: 300 }), fc.boolean(), (values, descending) => {
      const before = (a: number, b: number): boolean => (descending ? isLess(values[b], values[a]) : isLess(values[a], values[b]))
      const expected = values.map((_, i) => i).sort((a, b) => (before(a, b) ? -1 : before(b, a) ? 1 : a - b))
      expect([...argSort(tensor(values, { dtype }), -1, { descending }).toArray()]).toEqual(expected)
    }))
  })

  it('send the gradient of each entry to its origin, also for equal entries', () => {
    const x = tensor([5, 1, 5, 1])
    const weights = tensor([1, 10, 100, 1000])
    expect(grad((y: Tensor) => sum(mul(sort(y), weights)))(x).toArray()).toEqual(new Float32Array([100, 1, 1000, 10]))
    expect(grad((y: Tensor) => sum(mul(sort(y, -1, { descending: true }), weights)))(x).toArray()).toEqual(new Float32Array([1, 100, 10, 1000]))
  })

  it('rank: argSort of argSort', () => {
    const x = tensor([0.3, 0.1, 0.9, 0.5])
    expect(argSort(argSort(x)).toArray()).toEqual(new Int32Array([1, 0, 3, 2]))
  })

  it('refuse axes that do not exist', () => {
    expect(() => argSort(zeros([]))).toThrowErrorMatchingInlineSnapshot(`[Error: argSort: there is no axis -1 in a tensor of rank 0.]`)
    expect(() => sort(zeros([2, 3]), 2)).toThrowErrorMatchingInlineSnapshot(`[Error: sort: there is no axis 2 in a tensor of rank 2.]`)
  })
})
