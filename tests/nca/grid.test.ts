// Convolutions, masks and filters on lines, planes and volumes, against loops over cells and taps.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  checkGrad, conv2d, depthwiseConv, dilate, filterKernel, greater, key, reshape, slice, tensor, uniform,
  type FilterName, type Padding, type Tensor,
} from '../../src/index.ts'
import { convOn, depthwiseOn, dilateOn } from '../../src/tensor/ops/grid.ts'
import { filterKernelOn, filterNames, filterNamesOn, type Dimensions } from '../../src/tensor/filters.ts'
import { sizeOf, stridesOf } from '../../src/tensor/shape.ts'
import { build } from '../tensor/arrays.ts'
import { expectClose, list, sentence } from '../tensor/values.ts'

const upTo = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max })
const grids = fc.constantFrom<Dimensions>(1, 2, 3)
const names = ['circular', 'reflect', 'replicate', 'zero'] as const

function draw(seed: number, shape: readonly number[]): Tensor {
  return uniform(key(seed), shape, { low: -1, high: 1, dtype: 'float64' })
}

/** Every index of a box, in scan order. */
function places(box: readonly number[]): number[][] {
  const strides = stridesOf(box)
  return Array.from({ length: sizeOf(box) }, (_, i) =>
    strides.map((stride, axis) => Math.floor(i / stride) % box[axis]))
}

function at(place: readonly number[], box: readonly number[]): number {
  return stridesOf(box).reduce((sum, stride, axis) => sum + stride * place[axis], 0)
}

/** The index along an axis of a position that may be beyond its border, if it has one. */
function wrapped(i: number, n: number, padding: Padding): number {
  if (i >= 0 && i < n) return i
  if (padding === 'zero') return NaN
  if (padding === 'circular') return ((i % n) + n) % n
  if (padding === 'replicate') return i < 0 ? 0 : n - 1
  return i < 0 ? -i : 2 * (n - 1) - i
}

/** For each cell of a sample, the taps of its window and the cells that they read. */
function links(grid: number[], k: number, dilation: number, padding: Padding): { tap: number; cell: number }[][] {
  const taps = places(grid.map(() => k))
  return places(grid).map(place => taps.flatMap((t, tap) => {
    const before = Math.floor((k - 1) * dilation / 2)
    const read = place.map((p, axis) => wrapped(p + t[axis] * dilation - before, grid[axis], padding))
    return read.some(Number.isNaN) ? [] : [{ tap, cell: at(read, grid) }]
  }))
}

/** A convolution of all channels, or of each by itself, as it is defined. */
function naive(x: Tensor, kernel: Tensor, dilation: number, padding: Padding, each: boolean): number[] {
  const grid = x.shape.slice(1, -1)
  const [b, c, n] = [x.shape[0], x.shape.at(-1)!, kernel.shape.at(-1)!]
  const [xs, ks] = [x.toArray(), kernel.toArray()]
  const cells = links(grid, kernel.shape[0], dilation, padding)
  const outputs = Array.from({ length: each ? c * n : n }, (_, j) => j)
  return Array.from({ length: b }, (_, sample) => cells.flatMap(window => outputs.map(j => {
    const channels = each ? [Math.floor(j / n)] : Array.from({ length: c }, (_, i) => i)
    return window.flatMap(({ tap, cell }) => channels.map(i =>
      xs[(sample * cells.length + cell) * c + i] * ks[(tap * c + i) * n + j % n])).reduce((t, v) => t + v, 0)
  }))).flat()
}

type Scene = { x: Tensor; kernel: Tensor; mask: Tensor; padding: Padding; dilation: number }

const scenes: fc.Arbitrary<() => Scene> = fc.record({
  grid: grids, sizes: fc.tuple(upTo(4), upTo(4), upTo(4)), b: upTo(2), c: upTo(2), n: upTo(2), k: upTo(4),
  dilation: upTo(2), padding: fc.constantFrom<Padding>(...names), seed: fc.nat(),
}).map(({ grid, sizes, b, c, n, k, dilation, padding, seed }) => () => {
  const least = padding === 'reflect' ? (k - 1) * dilation + 1 : 1
  const shape = [b, ...sizes.slice(0, grid).map(size => Math.max(size, least)), c]
  return {
    x: draw(seed, shape), kernel: draw(seed + 1, [...new Array<number>(grid).fill(k), c, n]),
    mask: greater(draw(seed + 2, shape.slice(0, -1)), 0), padding, dilation,
  }
})

describe('convolutions on every grid', () => {
  it('agree with the definition', () => {
    fc.assert(fc.property(scenes, make => {
      const { x, kernel, padding, dilation } = make()
      const [c, n] = kernel.shape.slice(-2)
      const both = [depthwiseOn, convOn].map(f => f(x, kernel, { padding, dilation }))
      expect(both.map(y => y.shape)).toEqual([c * n, n].map(last => [...x.shape.slice(0, -1), last]))
      both.forEach((y, i) => expectClose(y, naive(x, kernel, dilation, padding, i === 0)))
    }))
  })

  it('leave out masked cells', () => {
    fc.assert(fc.property(scenes, make => {
      const { x, kernel, mask, ...options } = make()
      for (const f of [depthwiseOn, convOn]) {
        const whole = f(x, kernel, options)
        const n = whole.shape.at(-1)!
        const kept = mask.toArray()
        expectClose(f(x, kernel, { ...options, mask }), list(whole).map((v, i) => (kept[Math.floor(i / n)] ? v : 0)))
      }
    }))
  })

  it('have first and second derivatives', () => {
    fc.assert(fc.property(scenes, make => {
      const { x, kernel, ...options } = make()
      for (const f of [depthwiseOn, convOn]) checkGrad(([s, k]: Tensor[]) => f(s, k, options), [x, kernel])
    }), { numRuns: 10 })
  })

  it('are those of the plane in the plane, and in every plane of a volume if windows have no depth', () => {
    fc.assert(fc.property(fc.constantFrom<Padding>('zero', 'circular'), fc.nat(), (padding, seed) => {
      const [x, k] = [draw(seed, [2, 3, 4, 5, 2]), draw(seed, [3, 3, 2, 3])]
      const planes = reshape(x, [6, 4, 5, 2])
      const zero = tensor(new Float64Array(54), { shape: k.shape })
      const deep = tensor(Float64Array.from([zero, k, zero].flatMap(list)), { shape: [3, ...k.shape] })
      expect(list(depthwiseOn(planes, k, { padding }))).toEqual(list(depthwiseConv(planes, k, { padding })))
      expect(list(convOn(planes, k, { padding }))).toEqual(list(conv2d(planes, k, { padding })))
      expectClose(depthwiseOn(x, deep, { padding }), depthwiseConv(planes, k, { padding }))
      expectClose(convOn(x, deep, { padding }), conv2d(planes, k, { padding }))
    }))
  })

  it('say what does not fit', () => {
    const x = draw(1, [2, 3, 4, 5, 1])
    const mask = greater(draw(1, [2, 3, 4]), 0)
    expect([
      () => depthwiseOn(x, draw(1, [3, 3, 1, 1])),
      () => convOn(draw(1, [2, 5, 1]), draw(1, [3, 3, 1, 1])),
      () => convOn(mask, draw(1, [3, 1, 1])),
      () => convOn(draw(1, [4, 2]), draw(1, [4, 2])),
      () => convOn(x, draw(1, [3, 3, 3, 2, 1])),
      () => convOn(x, draw(1, [3, 3, 3, 1, 1]), { mask }),
      () => convOn(x, draw(1, [7, 3, 3, 1, 1]), { padding: 'reflect' }),
      () => dilateOn(reshape(mask, [24])),
      () => dilateOn(mask, { size: 2 }),
      () => dilateOn(x),
      () => filterKernelOn(4 as Dimensions, ['mean'], 1),
    ].map(sentence)).toMatchInlineSnapshot(`
      [
        "depthwiseOn: the kernel must be [k,k,k,c,n], with a size for each axis of the grid; x [2,3,4,5,1], kernel [3,3,1,1].",
        "convOn: the kernel must be [k,c,n], with a size for each axis of the grid; x [2,5,1], kernel [3,3,1,1].",
        "conv2d: element types differ: x is uint32, kernel is float64. Convert one with cast(x, dtype).",
        "convOn: x must be [b,w,c], [b,h,w,c] or [b,d,h,w,c]; x [4,2].",
        "conv2d: kernel channels 2 ≠ input channels 1; x [6,4,5,1], kernel [3,3,2,1]. Layout is [b,h,w,in] and [kh,kw,in,out].",
        "convOn: the cell mask must be [2,3,4,5]; mask [2,3,4].",
        "pad: reflect padding of [3,3] needs more than the 3 entries of axis 1; x [2,3,4,5,1].",
        "dilateOn: the mask must be [b,w], [b,h,w] or [b,d,h,w]; mask [24].",
        "dilate: a cell must be in its own window, so sizes must be odd, got 2×2.",
        "dilateOn: the mask must be [b,w], [b,h,w] or [b,d,h,w]; mask [2,3,4,5,1].",
        "filterKernel: the grid is 4, expected 1, 2 or 3.",
      ]
    `)
  })
})

describe('dilateOn', () => {
  it('marks the cells whose windows hold a marked one', () => {
    fc.assert(fc.property(
      grids, fc.tuple(upTo(5), upTo(5), upTo(5)), fc.constantFrom(1, 3, 5), fc.constantFrom(...names),
      fc.nat(),
      (grid, sizes, size, padding, seed) => {
        const shape = sizes.slice(0, grid)
        const mask = greater(draw(seed, [2, ...shape]), 0.8)
        const marked = mask.toArray()
        const windows = links(shape, size, 1, padding === 'circular' ? padding : 'zero')
        const want = [0, 1].flatMap(b => windows.map(w => +w.some(({ cell }) => marked[b * windows.length + cell])))
        const got = dilateOn(mask, { size, padding })
        expect([got.shape, got.dtype, list(got)]).toEqual([mask.shape, 'uint32', want])
        if (grid === 2 && (padding !== 'reflect' || Math.min(...shape) > size / 2)) expect(list(dilate(mask, size, { padding }))).toEqual(want)
      },
    ))
  })
})

describe('filters on every grid', () => {
  type Field = (x: number, y: number, z: number) => number

  /** A state of one sample and channel, a function of x, y and z. */
  const field = (grid: Dimensions, f: Field): Tensor =>
    build([1, ...[5, 6, 7].slice(3 - grid), 1], index => {
      const [x, y = 0, z = 0] = index.slice(1, -1).reverse()
      return f(x, y, z)
    })
  const inside = (x: Tensor): number[] => {
    const start = x.shape.map((_, axis) => (axis > 0 && axis < x.shape.length - 1 ? 1 : 0))
    return list(slice(x, start, x.shape.map((n, axis) => n - 2 * start[axis])))
  }
  const sensed = (x: Tensor, name: FilterName): Tensor =>
    depthwiseOn(x, filterKernelOn((x.shape.length - 2) as Dimensions, [name], 1, { like: x }))

  function expectField(grid: Dimensions, name: FilterName, f: Field, want: Field): void {
    const expected = inside(field(grid, want))
    inside(sensed(field(grid, f), name)).forEach((v, i) => expect(v, `${name} on ${grid}`).toBeCloseTo(expected[i], 10))
  }

  it('are these', () => {
    expect(filterNamesOn).toEqual({
      1: ['identity', 'sobelX', 'laplacian', 'scharrX', 'gaussian', 'mean'],
      2: filterNames,
      3: [
        'identity', 'sobelX', 'sobelY', 'sobelZ', 'laplacian', 'scharrX', 'scharrY', 'scharrZ', 'gaussian', 'mean',
      ],
    })
    const weights = (name: FilterName): number[] => list(filterKernelOn(1, [name], 1, { dtype: 'float64' }))
    expect(filterNamesOn[1].map(weights)).toEqual([
      [0, 1, 0], [-0.5, 0, 0.5], [0.25, -0.5, 0.25], [-0.5, 0, 0.5], [0.25, 0.5, 0.25], [1 / 3, 1 / 3, 1 / 3],
    ])
    expect(filterKernelOn(3, ['mean', 'sobelZ'], 4).shape).toEqual([3, 3, 3, 4, 2])
  })

  it('are exact for the polynomials that they claim', () => {
    const ramp = (x: number, y: number, z: number): number => 3 + 2 * x - 5 * y + 7 * z
    const slopes = { X: 2, Y: -5, Z: 7 }
    for (const grid of [1, 2, 3] as const) {
      for (const name of filterNamesOn[grid]) {
        const axis = name.at(-1) as 'X' | 'Y' | 'Z'
        const want = /^(sobel|scharr)/.test(name) ? () => slopes[axis] : name === 'laplacian' ? () => 0 : ramp
        expectField(grid, name, ramp, want)
      }
      const squares = [1.5, -0.25, 2].slice(0, grid)
      const bowl = (...place: number[]): number => squares.reduce((t, a, i) => t + a * place[i] ** 2, ramp(1, 2, 3))
      expectField(grid, 'laplacian', bowl, () => squares.reduce((t, a) => t + a / 2, 0))
      expectField(grid, 'gaussian', bowl, (...place) => bowl(...place) + squares.reduce((t, a) => t + a / 2, 0))
    }
  })

  // If nothing changes along an axis, filters give the same as without that axis.
  it('are those of fewer dimensions if nothing changes along one', () => {
    const values = draw(1, [6, 7]).toArray()
    const plane = (x: number, y: number): number => values[y * 7 + x]
    for (const name of filterNamesOn[2]) {
      const flat = inside(sensed(field(2, plane), name))
      expectClose(tensor(Float64Array.from(inside(sensed(field(3, plane), name)))), [...flat, ...flat, ...flat])
    }
    for (const name of filterNamesOn[1]) {
      const line = inside(sensed(field(1, x => values[x]), name))
      expectClose(
        tensor(Float64Array.from(inside(sensed(field(2, x => values[x]), name)))), [line, line, line, line].flat())
    }
  })

  it('agree with those of the plane, turned or not', () => {
    fc.assert(fc.property(fc.double({ min: -4, max: 4, noNaN: true }), angle => {
      const filters = [...filterNames, { name: 'laplacian', factor: 16 } as const]
      const [a, b] = [filterKernelOn(2, filters, 2, { angle }), filterKernel(filters, 2, { angle })]
      expect([a.shape, list(a)]).toEqual([b.shape, list(b)])
    }))
  })

  it('turn about the axis z in a volume', () => {
    fc.assert(fc.property(fc.double({ min: -4, max: 4, noNaN: true }), angle => {
      const weights = (name: FilterName, by = 0): number[] =>
        list(filterKernelOn(3, [name], 1, { angle: by, dtype: 'float64' }))
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
      for (const kind of ['sobel', 'scharr'] as const) {
        const [dx, dy] = [weights(`${kind}X`), weights(`${kind}Y`)]
        const turned = (name: FilterName): Tensor => tensor(Float64Array.from(weights(name, angle)))
        expectClose(turned(`${kind}X`), dx.map((v, i) => cos * v - sin * dy[i]))
        expectClose(turned(`${kind}Y`), dx.map((v, i) => sin * v + cos * dy[i]))
        expectClose(turned(`${kind}Z`), weights(`${kind}Z`))
      }
    }))
  })

  it('refuse what does not exist', () => {
    expect([
      () => filterKernelOn(1, ['sobelY'], 1),
      () => filterKernelOn(2, ['sobelZ'], 1),
      () => filterKernelOn(3, ['sobelW' as 'sobelX'], 1),
      () => filterKernelOn(1, ['sobelX'], 1, { angle: 1 }),
    ].map(sentence)).toMatchInlineSnapshot(`
      [
        "filterKernel: a filter on a grid of 1 dimension is "sobelY", expected one of identity, sobelX, laplacian, scharrX, gaussian, mean; did you mean "sobelX"?",
        "filterKernel: a filter is "sobelZ", expected one of identity, sobelX, sobelY, laplacian, scharrX, scharrY, gaussian, mean; did you mean "sobelX"?",
        "filterKernel: a filter on a grid of 3 dimensions is "sobelW", expected one of identity, sobelX, sobelY, sobelZ, laplacian, scharrX, scharrY, scharrZ, gaussian, mean; did you mean "sobelX"?",
        "filterKernel: the angle is 1, expected 0 on a line, where nothing can turn.",
      ]
    `)
  })
})
