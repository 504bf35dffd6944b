import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { broadcastShapes, broadcastStrides, normaliseAxes, normaliseAxis, sameShape, showShape, sizeOf, stridesOf } from '../../src/tensor/shape.ts'
import { sentence } from './values.ts'

const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 })

/** All index tuples of a shape, row-major. */
function indices(sizes: readonly number[]): number[][] {
  return sizes.reduce<number[][]>((rows, n) => rows.flatMap(row => Array.from({ length: n }, (_, i) => [...row, i])), [[]])
}

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * b[i], 0)

describe('shapes', () => {
  it('have sizes, strides and a written form', () => {
    expect(sizeOf([])).toBe(1)
    expect(sizeOf([2, 0, 3])).toBe(0)
    expect(showShape([1, 40, 40, 16])).toBe('[1,40,40,16]')
    fc.assert(fc.property(shape, s => {
      indices(s).forEach((index, i) => expect(dot(index, stridesOf(s))).toBe(i))
      expect(indices(s).length).toBe(sizeOf(s))
      expect(sameShape(s, [...s])).toBe(true)
      expect(sameShape(s, [...s, 1])).toBe(false)
      expect(sameShape([...s, 2], [...s, 3])).toBe(false)
    }))
  })

  it('broadcast as in NumPy', () => {
    expect(broadcastShapes([2, 3, 4], [4])).toEqual([2, 3, 4])
    expect(broadcastShapes([2, 1, 4], [3, 1])).toEqual([2, 3, 4])
    expect(broadcastShapes([1], [0])).toEqual([0])
    expect(broadcastShapes([2], [3])).toBeNull()
    expect(broadcastShapes([0], [2])).toBeNull()
    fc.assert(fc.property(shape, shape, (a, b) => {
      const joint = broadcastShapes(a, b)
      expect(broadcastShapes(b, a)).toEqual(joint)
      expect(broadcastShapes(a, a)).toEqual(a)
      expect(broadcastShapes(a, [])).toEqual(a)
      if (joint) expect(broadcastShapes(joint, a)).toEqual(joint)
    }))
  })

  it('are read with strides that repeat axes of size 1 and missing ones', () => {
    const pair = shape.chain(to => fc.tuple(fc.constant(to), fc.subarray(to.map((_, i) => i)), fc.nat({ max: 4 })))
    fc.assert(fc.property(pair, ([to, ones, missing]) => {
      const from = to.map((n, i) => (ones.includes(i) ? 1 : n)).slice(missing)
      const strides = broadcastStrides(from, to)
      for (const index of indices(to)) {
        const own = index.slice(to.length - from.length).map((i, axis) => (from[axis] === 1 ? 0 : i))
        expect(dot(index, strides)).toBe(dot(own, stridesOf(from)))
      }
    }))
  })

  it('have axes from either end', () => {
    expect(normaliseAxis('op', -1, 3)).toBe(2)
    expect(normaliseAxes('op', undefined, 3)).toEqual([0, 1, 2])
    expect(normaliseAxes('op', [-1, 0], 3)).toEqual([0, 2])
    expect(normaliseAxes('op', 1, 3)).toEqual([1])
    expect(sentence(() => normaliseAxis('sum', 3, 3))).toMatchInlineSnapshot(
      `"sum: there is no axis 3 in a tensor of rank 3."`,
    )
    expect(sentence(() => normaliseAxis('sum', -4, 3))).toMatchInlineSnapshot(
      `"sum: there is no axis -4 in a tensor of rank 3."`,
    )
    expect(sentence(() => normaliseAxis('sum', 0.5, 3))).toMatchInlineSnapshot(
      `"sum: there is no axis 0.5 in a tensor of rank 3."`,
    )
    expect(sentence(() => normaliseAxes('sum', [0, -3], 3))).toMatchInlineSnapshot(`"sum: axis given twice in [0,-3]."`)
  })
})
