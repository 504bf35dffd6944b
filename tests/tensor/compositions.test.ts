// Functions composed of other operators: logic over axes, one-hot rows, the variance; and reading as nested lists.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  add, all, any, argMax, argMin, cast, checkGrad, cpu, eye, gelu, grad, groupNorm, key, layerNorm, log1p, matmul, mul, neg, normal, oneHot, range, reshape, silu, sum,
  tensor, variance, zeros, type Tensor,
} from '../../src/index.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { runs } from '../long.ts'
import { build, entries, expectClose, withTies } from './arrays.ts'

const shape = [2, 3, 4]
const someAxes = fc.subarray([0, 1, 2], { minLength: 1 })

/** The entries of x that meet in an entry of a reduction over these axes, by the index of that entry with axes kept. */
function met(x: Tensor, axes: readonly number[]): Map<string, number[]> {
  const groups = new Map<string, number[]>()
  const value = entries(x)
  build(x.shape, index => {
    const at = String(index.map((i, axis) => (axes.includes(axis) ? 0 : i)))
    groups.set(at, [...groups.get(at) ?? [], value(index)])
    return 0
  })
  return groups
}

describe('silu and gelu', () => {
  it('are x·σ(x), and x·Φ(x) by its formula with tanh, with two derivatives', () => {
    fc.assert(fc.property(fc.array(fc.double({ min: -6, max: 6, noNaN: true }), { minLength: 1, maxLength: 5 }), list => {
      const x = tensor(Float64Array.from(list))
      silu(x).toArray().forEach((v, i) => expect(v).toBeCloseTo(list[i] / (1 + Math.exp(-list[i])), 12))
      const phi = (v: number): number => (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))) / 2
      gelu(x).toArray().forEach((v, i) => expect(v).toBeCloseTo(list[i] * phi(list[i]), 12))
      checkGrad(silu, x, { order: 2 })
      checkGrad(gelu, x, { order: 2 })
    }))
    // Φ(1) = 0.8413447, up to the error of the formula.
    expect(Math.abs(gelu(tensor([1])).toArray()[0] - 0.8413447)).toBeLessThan(5e-4)
  })
})

describe('any and all', () => {
  it('say whether some or every entry over the axes is not 0', () => {
    fc.assert(fc.property(withTies(shape), someAxes, fc.boolean(), (make, axes, keepDims) => {
      const x = make()
      const groups = [...met(x, axes).values()]
      const [some, every] = [any(x, axes, { keepDims }), all(x, axes, { keepDims })]
      expect([...some.toArray()]).toEqual(groups.map(list => +list.some(v => v !== 0)))
      expect([...every.toArray()]).toEqual(groups.map(list => +list.every(v => v !== 0)))
      expect([some.dtype, every.shape]).toEqual(['uint32', sum(x, axes, { keepDims }).shape])
    }))
  })

  it('count NaN as true; of no entries, all is true and any is false', () => {
    expect([any(tensor([0, NaN])), all(tensor([1, NaN]))].map(x => x.toNested())).toEqual([1, 1])
    expect([any(zeros([2, 0]), 1), all(zeros([2, 0]), 1)].map(x => x.toNested())).toEqual([[0, 0], [1, 1]])
  })

  it('refuse by their own names', () => {
    expect(() => any([1] as never)).toThrow(/^any: x is a Array, expected a tensor/)
    expect(() => all(zeros([2]), 1)).toThrow(/^all: there is no axis 1/)
    expect(() => all(zeros([2]), 0, { keepdims: true } as never)).toThrow(/^all: there is no option "keepdims"/)
  })
})

it('argMin is argMax of the opposite, ties and NaN included', () => {
  fc.assert(fc.property(withTies(shape), fc.constantFrom(0, 1, 2, -1), fc.boolean(), fc.boolean(), (make, axis, keepDims, broken) => {
    const x = broken ? mul(make(), build(shape, ([i, j]) => (i === j ? NaN : 1))) : make()
    const place = argMin(x, axis, { keepDims })
    expect(place.dtype).toBe('int32')
    expect(place.toNested()).toEqual(argMax(neg(x), axis, { keepDims }).toNested())
  }))
  expect(() => argMin(zeros([2, 0]))).toThrow('argMin: axis 1 is empty; x [2,0].')
})

describe('layerNorm and groupNorm', () => {
  const drawn = fc.record({ cells: fc.integer({ min: 1, max: 3 }), groups: fc.integer({ min: 1, max: 3 }), each: fc.integer({ min: 1, max: 3 }), seed: fc.nat() })

  it('give every group of channels, of a cell or of a sample, the mean 0 and the variance 1', () => {
    fc.assert(fc.property(drawn, ({ cells, groups, each, seed }) => {
      const c = groups * each
      const [noise, scale, shift] = [[2, cells, 2, c], [c], [c]].map((shape, i) => normal(key(seed + i), shape, { std: 0.2, dtype: 'float64' }))
      // Numbers far enough apart for differences to measure the curvature.
      const x = add(noise, reshape(range(2 * c, { dtype: 'float64' }), [1, 1, 2, c]))
      const value = entries(x), by = scale.toArray(), to = shift.toArray()
      const beside = ([b, y, w, k]: number[], all: boolean): number[] => {
        const places = all ? build([cells, 2], () => 0).shape : [1, 1]
        return Array.from({ length: places[0] * places[1] }, (_, i) => (all ? [Math.floor(i / 2), i % 2] : [y, w]))
          .flatMap(([y, w]) => Array.from({ length: each }, (_, j) => value([b, y, w, k - k % each + j])))
      }
      for (const [norm, all] of [[layerNorm, false], [groupNorm, true]] as const) {
        expectClose(norm(x, { groups, scale, shift }), build(x.shape, index => {
          const group = beside(index, all)
          const mean = group.reduce((a, b) => a + b) / group.length
          const variance = group.reduce((t, v) => t + (v - mean) ** 2, 0) / group.length
          return (value(index) - mean) / Math.sqrt(variance + 1e-5) * by[index[3]] + to[index[3]]
        }))
        checkGrad((p: { x: Tensor; scale: Tensor; shift: Tensor }) => norm(p.x, { scale: p.scale, shift: p.shift, groups }), { x, scale, shift }, { order: 2 })
      }
    }), runs(20))
  })

  it('is 0 where all channels are equal, with a finite gradient', () => {
    expect(layerNorm(tensor([[7, 7, 7]])).toNested()).toEqual([[0, 0, 0]])
    expect(grad((x: Tensor) => sum(layerNorm(x)))(zeros([2, 3])).toArray().every(Number.isFinite)).toBe(true)
  })

  it('refuses arguments that do not fit', () => {
    expect(() => layerNorm(zeros([2, 6]), { groups: 4 })).toThrow('layerNorm: there are no 4 equal groups of 6 channels; x [2,6].')
    expect(() => groupNorm(zeros([2, 6]), { scale: zeros([5]) })).toThrow('groupNorm: the scale must be [c]; x [2,6], scale [5].')
    expect(() => groupNorm(zeros([6]))).toThrow('groupNorm: x must be [b,…,c]; x [6].')
    expect(() => layerNorm(tensor([1, 2], { dtype: 'int32' }))).toThrow(/^layerNorm: x is int32/)
    expect(() => layerNorm(zeros([2, 2], { dtype: 'float64' }), { shift: zeros([2]) })).toThrow(/^layerNorm: element types differ/)
  })
})

describe('oneHot and eye', () => {
  it('have a 1 at the class and nothing else', () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: -1, max: 5 }), { minLength: 1, maxLength: 6 }), fc.integer({ min: 0, max: 5 }), (classes, n) => {
      const rows = oneHot(tensor(classes, { dtype: 'int32' }), n)
      expect([rows.shape, rows.dtype]).toEqual([[classes.length, n], 'float32'])
      expect([...rows.toArray()]).toEqual(classes.flatMap(c => Array.from({ length: n }, (_, k) => +(k === c))))
    }))
  })

  it('are undone by argMax', () => {
    const classes = tensor([[0, 2], [1, 1]], { dtype: 'uint32' })
    expect(argMax(oneHot(classes, 3, { dtype: 'float64' })).toNested()).toEqual([[0, 2], [1, 1]])
  })

  it('change nothing in a product with the identity', () => {
    const x = build([2, 3], ([i, j]) => i - 2 * j)
    expectClose(matmul(x, eye(3, { like: x })), x)
    expect(eye(2).toNested()).toEqual([[1, 0], [0, 1]])
    const other = cpu()
    expect(eye(2, { backend: other }).backend).toBe(other)
  })

  it('refuse fractions', () => {
    expect(() => oneHot(tensor([1.5]), 3)).toThrow('oneHot: the classes are float32, but must be int32 or uint32; classes [1].')
    expect(() => eye(1.5)).toThrow('eye: n is 1.5, expected a whole number ≥ 0.')
  })
})

describe('variance', () => {
  it('is the mean squared distance from the mean', () => {
    fc.assert(fc.property(withTies(shape), someAxes, fc.boolean(), (make, axes, keepDims) => {
      const x = make()
      const expected = [...met(x, axes).values()].map(list => {
        const mean = list.reduce((a, b) => a + b) / list.length
        return list.reduce((total, v) => total + (v - mean) ** 2, 0) / list.length
      })
      const y = variance(x, axes, { keepDims })
      expectClose(reshape(y, [-1]), tensor(Float64Array.from(expected)))
      expect(y.shape).toEqual(sum(x, axes, { keepDims }).shape)
      checkGrad((v: Tensor) => variance(v, axes), x)
    }))
  })

  it('stays accurate if the mean is large', () => {
    expect(variance(tensor([1e6, 1e6 + 1])).toNested()).toBe(0.25)
  })

  it('refuses whole numbers', () => {
    expect(() => variance(tensor([1, 2], { dtype: 'int32' }))).toThrow('variance: x is int32, but must be float32 or float64.')
  })
})

it('log1p keeps the digits of small numbers', () => {
  expect([...log1p(tensor([1e-20, -0, -1, -2, Infinity])).toArray()])
    .toEqual([Math.fround(1e-20), -0, -Infinity, NaN, Infinity])
})

describe('a tensor', () => {
  it('is read as the nested lists from which it was made', () => {
    const shapes = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 4 })
    fc.assert(fc.property(shapes, sizes => {
      const x = cast(reshape(range(sizeOf(sizes)), sizes), 'float32')
      const again = tensor(x.toNested())
      expect([again.shape, again.toArray()]).toEqual([x.shape, x.toArray()])
      expect(x.ndim).toBe(sizes.length)
    }))
    expect(zeros([2, 0]).toNested()).toEqual([[], []])
    const unread = { ...cpu(), readSync: undefined }
    expect(() => zeros([2], { backend: unread }).toNested()).toThrow(/^toNested: .* can only be read by/)
  })
})
