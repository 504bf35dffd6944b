import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { full, grad, pad, slice, sum, tensor, vjp, zeros, type Tensor } from '../../src/index.ts'
import { shapes, seeds, spaced } from '../operators/case.ts'
import { build, entries, expectClose } from './arrays.ts'

const width = fc.integer({ min: 0, max: 3 })
const widths3 = fc.tuple(fc.tuple(width, width), fc.tuple(width, width), fc.tuple(width, width))

describe('pad', () => {
  it('puts a constant around x', () => {
    fc.assert(fc.property(shapes(3), widths3, seeds, (shape, widths, seed) => {
      const x = spaced(seed, shape)
      const value = entries(x)
      const padded = shape.map((n, i) => widths[i][0] + n + widths[i][1])
      const inner = (index: number[]): number[] => index.map((i, axis) => i - widths[axis][0])
      const outside = (index: number[]): boolean => inner(index).some((i, axis) => i < 0 || i >= shape[axis])
      expectClose(pad(x, widths), build(padded, index => (outside(index) ? 0 : value(inner(index)))))
      expectClose(pad(x, widths, { value: -Infinity }), build(padded, index => (outside(index) ? -Infinity : value(inner(index)))))
    }))
  })

  it('wraps around in mode circular, and folds gradients back', () => {
    fc.assert(fc.property(shapes(3), widths3, seeds, (shape, widths, seed) => {
      const x = spaced(seed, shape)
      const padded = shape.map((n, i) => widths[i][0] + n + widths[i][1])
      const source = (index: number[]): number[] => index.map((i, axis) => (i - widths[axis][0] + 12 * shape[axis]) % shape[axis])
      const [y, pullback] = vjp((z: Tensor) => pad(z, widths, { mode: 'circular' }), x)
      expectClose(y, build(padded, index => entries(x)(source(index))))
      const reads = new Map<string, number>()
      build(padded, index => {
        const name = source(index).join()
        reads.set(name, (reads.get(name) ?? 0) + 1)
        return 0
      })
      expectClose(pullback(build(padded, () => 1)), build(shape, index => reads.get(index.join()) ?? 0))
    }))
  })

  it('mirrors without the edge in mode reflect', () => {
    const x = tensor([[1, 2, 3], [4, 5, 6]])
    expect(pad(x, [[1, 0], [2, 2]], { mode: 'reflect' }).toString()).toBe('Tensor [3,7] float32 cpu [[6, 5, 4, 5, 6, 5, …], [3, 2, 1, 2, 3, 2, …], [6, 5, 4, 5, 6, 5, …]]')
    expect(grad((y: Tensor) => sum(pad(y, [[0, 0], [2, 2]], { mode: 'reflect' })))(x).toArray()).toEqual(new Float32Array([2, 3, 2, 2, 3, 2]))
  })

  it('repeats the edge in mode replicate', () => {
    const x = tensor([[1, 2], [4, 5]])
    const widths = [[2, 0], [1, 2]] as const
    expect(pad(x, widths, { mode: 'replicate' }).toArray()).toEqual(Float32Array.from([
      1, 1, 2, 2, 2, 1, 1, 2, 2, 2, 1, 1, 2, 2, 2, 4, 4, 5, 5, 5,
    ]))
    expect(grad((y: Tensor) => sum(pad(y, widths, { mode: 'replicate' })))(x).toArray()).toEqual(new Float32Array([6, 9, 2, 3]))
  })

  it('keeps integers, rank 0 and x itself where nothing is added', () => {
    expect(pad(tensor([1, 2], { dtype: 'uint32' }), [[1, 1]], { value: 7 }).toArray()).toEqual(new Uint32Array([7, 1, 2, 7]))
    expect(pad(full([], 3), []).toArray()[0]).toBe(3)
    expect(pad(zeros([2, 2]), [[0, 0], [0, 0]], { mode: 'circular' }).shape).toEqual([2, 2])
  })

  it('refuses widths that do not fit', () => {
    const x = zeros([1, 3, 4, 2])
    expect(() => pad(x, [[1, 1], [1, 1]])).toThrowErrorMatchingInlineSnapshot(`[Error: pad: 2 pairs of widths for 4 axes; x [1,3,4,2].]`)
    expect(() => pad(x, [[0, 0], [1, -1], [0, 0], [0, 0]])).toThrowErrorMatchingInlineSnapshot(`[Error: pad: widths must be whole numbers ≥ 0, got [0,0] [1,-1] [0,0] [0,0]; x [1,3,4,2].]`)
    expect(() => pad(x, [[0, 0], [3, 0], [0, 0], [0, 0]], { mode: 'reflect' })).toThrowErrorMatchingInlineSnapshot(`[Error: pad: reflect padding of [3,0] needs more than the 3 entries of axis 1; x [1,3,4,2].]`)
    expect(() => pad(zeros([0]), [[1, 1]], { mode: 'circular' })).toThrowErrorMatchingInlineSnapshot(`[Error: pad: circular padding of [1,1] needs more than the 0 entries of axis 0; x [0].]`)
  })
})

describe('slice', () => {
  it('takes a box', () => {
    fc.assert(fc.property(shapes(3), widths3, seeds, (size, widths, seed) => {
      const start = widths.map(([before]) => before)
      const x = spaced(seed, size.map((n, i) => widths[i][0] + n + widths[i][1]))
      expectClose(slice(x, start, size), build(size, index => entries(x)(index.map((i, axis) => i + start[axis]))))
    }))
  })

  it('undoes pad', () => {
    const x = spaced(1, [2, 3, 4])
    for (const mode of ['zero', 'circular', 'reflect', 'replicate'] as const) {
      expectClose(slice(pad(x, [[1, 0], [2, 1], [0, 3]], { mode }), [1, 2, 0], [2, 3, 4]), x)
    }
  })

  it('may be empty', () => {
    expect(slice(zeros([2, 3]), [1, 3], [1, 0]).shape).toEqual([1, 0])
    expect(slice(zeros([2, 3]), [2, 0], [0, 3]).shape).toEqual([0, 3])
  })

  it('refuses boxes that are not inside', () => {
    const x = zeros([1, 4, 4, 2])
    expect(() => slice(x, [0, 0, 2, 0], [1, 4, 3, 2])).toThrowErrorMatchingInlineSnapshot(`[Error: slice: a box of [1,4,3,2] at [0,0,2,0] is not inside of x; x [1,4,4,2].]`)
    expect(() => slice(x, [0, 0, -1, 0], [1, 4, 3, 2])).toThrowErrorMatchingInlineSnapshot(`[Error: slice: a box of [1,4,3,2] at [0,0,-1,0] is not inside of x; x [1,4,4,2].]`)
    expect(() => slice(x, [0, 0], [1, 4])).toThrowErrorMatchingInlineSnapshot(`[Error: slice: a box of [1,4] at [0,0] is not inside of x; x [1,4,4,2].]`)
  })
})
