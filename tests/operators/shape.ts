// Cases of the operators that move entries: pad and slice, concat and its inverses, gather and scatter, sort; and of cumsum.

import fc from 'fast-check'
import {
  argSort, concat, cumsum, gather, pad, putAlong, scatter, slice, sort, splitAxis, stack, takeAlong, unstack,
  type Tensor,
} from '../../src/index.ts'
import { bitsAt, key } from '../../src/tensor/key.ts'
import { concatOp } from '../../src/tensor/ops/concat.ts'
import { cumsumOp } from '../../src/tensor/ops/cumsum.ts'
import * as gathers from '../../src/tensor/ops/gather.ts'
import { padOp, sliceOp } from '../../src/tensor/ops/pad-slice.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { given, gradCase, seeds, shapes, size, spaced, type Case } from './case.ts'

const axes = fc.integer({ min: 0, max: 2 })

const width = fc.integer({ min: 0, max: 2 })
const widths = fc.array(fc.tuple(width, width), { minLength: 3, maxLength: 3 })

/** Arbitrary indices below n. */
function numbers(seed: number, count: number, n: number): number[] {
  return Array.from({ length: count }, (_, i) => bitsAt(key(seed), 0, i) % n)
}

/** An arbitrary index below n for each entry of `shape`. */
function indices(seed: number, shape: readonly number[], n: number): Tensor {
  return given(numbers(seed, sizeOf(shape), n), shape, 'int32')
}

const anyIndices = fc.record({ shape: shapes(3), axis: axes, length: size(6), seed: seeds })
  .map(({ shape, axis, length, seed }) => ({ shape, other: shape.with(axis, length), axis, length, seed }))

/** Tensors whose shapes agree except in one axis. */
const joined = fc.record({
  shape: shapes(3, 3),
  axis: axes,
  sizes: fc.array(size(3), { minLength: 2, maxLength: 3 }),
  seed: seeds,
})

const sorted = fc.record({ shape: shapes(3), axis: axes, descending: fc.boolean(), seed: seeds })

export const shapeCases: Case[] = [
  gradCase(padOp, fc.record({ shape: shapes(3), widths, seed: seeds }), ({ shape, widths: w, seed }) => ({
    f: x => pad(x, w), at: [spaced(seed, shape)],
  }), { linear: true }),
  gradCase(sliceOp, fc.record({ shape: shapes(3), widths, seed: seeds }), ({ shape, widths: w, seed }) => ({
    f: x => slice(x, w.map(([start]) => start), shape), at: [spaced(seed, shape.map((n, i) => w[i][0] + n + w[i][1]))],
  }), { linear: true }),
  gradCase(gathers.gatherOp, fc.record({ shape: shapes(3), widths, seed: seeds }), ({ shape, widths: w, seed }) => ({
    f: x => pad(x, w, { mode: 'circular' }), at: [spaced(seed, shape)],
  }), { linear: true }),
  gradCase(gathers.gatherOp, fc.record({ shape: shapes(3), widths, seed: seeds }), ({ shape, widths: w, seed }) => ({
    f: x => pad(x, w, { mode: 'replicate' }), at: [spaced(seed, shape)],
  }), { linear: true }),
  gradCase(gathers.gatherOp, fc.record({ widths, seed: seeds }), ({ widths: w, seed }) => ({
    f: x => pad(x, w, { mode: 'reflect' }), at: [spaced(seed, [3, 4, 3])],
  }), { linear: true }),
  gradCase(gathers.gatherOp, anyIndices, ({ shape, axis, length, seed }) => {
    const index = numbers(seed, length, shape[axis])
    return { f: x => gather(x, index, axis), at: [spaced(seed, shape)] }
  }, { linear: true }),
  gradCase(gathers.scatterOp, anyIndices, ({ other, axis, length, shape, seed }) => {
    const index = numbers(seed, length, shape[axis])
    return { f: x => scatter(x, index, axis, shape[axis]), at: [spaced(seed, other)] }
  }, { linear: true }),
  gradCase(gathers.takeAlongOp, anyIndices, ({ shape, other, axis, seed }) => {
    const index = indices(seed, other, shape[axis])
    return { f: x => takeAlong(x, index, axis), at: [spaced(seed, shape)] }
  }, { linear: true }),
  gradCase(gathers.takeAlongOp, sorted, ({ shape, axis, descending, seed }) => ({
    f: x => sort(x, axis, { descending }), at: [spaced(seed, shape)],
  })),
  gradCase(gathers.putAlongOp, anyIndices, ({ shape, other, axis, seed }) => {
    const index = indices(seed, other, shape[axis])
    return { f: x => putAlong(x, index, axis, shape[axis]), at: [spaced(seed, other)] }
  }, { linear: true }),
  gradCase(gathers.putAlongOp, fc.record({ shape: shapes(2), seed: seeds }), ({ shape, seed }) => {
    const order = argSort(spaced(seed + 1, shape), 0)
    return { f: x => putAlong(x, order, 0, shape[0]), at: [spaced(seed, shape)] }
  }, { linear: true }),
  gradCase(cumsumOp, fc.record({ shape: shapes(3), axis: axes, fromEnd: fc.boolean(), seed: seeds }), ({ shape, axis, fromEnd, seed }) => ({
    f: x => cumsum(x, axis, { fromEnd }), at: [spaced(seed, shape)],
  }), { linear: true }),
  gradCase(concatOp, joined, ({ shape, axis, sizes, seed }) => ({
    f: (...list) => concat(list, axis), at: sizes.map((n, i) => spaced(seed + i, shape.with(axis, n))),
  }), { linear: true, positions: [0, 1] }),
  gradCase(concatOp, joined, ({ shape, axis, sizes, seed }) => ({
    f: (...list) => stack(list, axis), at: sizes.map((_, i) => spaced(seed + i, shape)),
  }), { linear: true, positions: [0, 1] }),
  gradCase(sliceOp, joined, ({ shape, axis, sizes, seed }) => ({
    f: x => {
      const [first, last] = splitAxis(x, sizes, axis).filter((_, i) => i < 2)
      return concat([last, first], axis)
    },
    at: [spaced(seed, shape.with(axis, sizes.reduce((a, b) => a + b)))],
  }), { linear: true }),
  gradCase(sliceOp, fc.record({ shape: shapes(3), axis: axes, seed: seeds }), ({ shape, axis, seed }) => ({
    f: x => stack(unstack(x, axis).reverse(), 0), at: [spaced(seed, shape)],
  }), { linear: true }),
]
