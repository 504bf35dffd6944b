// Cases of logSumExp and softmax, and of the extremes, which differentiate as takeAlong.

import fc from 'fast-check'
import { logSoftmax, logSumExp, max, mean, min, norm, softmax, type Tensor } from '../../src/index.ts'
import { divOp } from '../../src/tensor/ops/arithmetic.ts'
import { takeAlongOp } from '../../src/tensor/ops/gather.ts'
import { normOp } from '../../src/tensor/ops/norm.ts'
import { logSoftmaxOp, logSumExpOp } from '../../src/tensor/ops/reduce.ts'
import { gradCase, seeds, shapes, spaced, type Case } from './case.ts'

const overAxis = fc.record({
  shape: shapes(3), axis: fc.integer({ min: 0, max: 2 }), keepDims: fc.boolean(), seed: seeds,
})
const overAxes = fc.record({
  shape: shapes(3), axes: fc.subarray([0, 1, 2], { minLength: 1 }), keepDims: fc.boolean(), seed: seeds,
})

function extremeCase(f: typeof max): Case {
  return gradCase(takeAlongOp, overAxes, ({ shape, axes, keepDims, seed }) => ({
    f: (x: Tensor) => f(x, axes, { keepDims }), at: [spaced(seed, shape)],
  }))
}

export const reduceCases: Case[] = [
  gradCase(divOp, overAxes, ({ shape, axes, keepDims, seed }) => ({
    f: x => mean(x, axes, { keepDims }), at: [spaced(seed, shape)],
  }), { linear: true, positions: [0] }),
  gradCase(normOp, overAxes, ({ shape, axes, keepDims, seed }) => ({
    f: x => norm(x, axes, { keepDims }), at: [spaced(seed, shape, { shift: 0.3 })],
  })),
  extremeCase(max),
  extremeCase(min),
  gradCase(logSumExpOp, overAxis, ({ shape, axis, keepDims, seed }) => ({
    f: x => logSumExp(x, axis, { keepDims }), at: [spaced(seed, shape)],
  })),
  gradCase(logSoftmaxOp, overAxis, ({ shape, axis, seed }) => ({
    f: x => logSoftmax(x, axis), at: [spaced(seed, shape)],
  })),
  gradCase(logSoftmaxOp, overAxis, ({ shape, axis, seed }) => ({
    f: x => softmax(x, axis), at: [spaced(seed, shape)],
  })),
]
