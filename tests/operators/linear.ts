// Cases of sum, broadcastTo, reshape, transpose, the dense layer and products of matrices.

import fc from 'fast-check'
import { broadcastTo, dense, greater, matmul, reshape, sum, transpose } from '../../src/index.ts'
import { reshapeOp } from '../../src/tensor/ops/reshape.ts'
import * as denseOps from '../../src/tensor/ops/dense.ts'
import { matmulOp } from '../../src/tensor/ops/matmul.ts'
import * as sums from '../../src/tensor/ops/broadcast.ts'
import { transposeOp } from '../../src/tensor/ops/transpose.ts'
import { apply } from '../../src/tensor/trace.ts'
import { gradCase, seeds, shapes, size, spaced, type Case } from './case.ts'

const layer = fc.record({
  cells: shapes(3, 3),
  n: size(5),
  m: size(6),
  masked: fc.boolean(),
  seed: seeds,
})

const products = fc.record({ s: shapes(2, 2), n: size(3), k: size(4), m: size(5), seed: seeds })

const summed = fc.record({ shape: shapes(3), axes: fc.subarray([0, 1, 2]), keepDims: fc.boolean(), seed: seeds })
const repeated = fc.record({ shape: shapes(3), axes: fc.subarray([0, 1, 2]), seed: seeds })
const reordered = fc.record({ shape: shapes(3), order: fc.shuffledSubarray([0, 1, 2], { minLength: 3 }), seed: seeds })

const twice = 'the check itself sums to one number by this operator, and two wrong signs cancel'

export const linearCases: Case[] = [
  gradCase(sums.sumOp, summed, ({ shape, axes, keepDims, seed }) => ({
    f: x => sum(x, axes, { keepDims }), at: [spaced(seed, shape)],
  }), { linear: true, harmless: { sign: twice } }),
  gradCase(sums.broadcastToOp, repeated, ({ shape, axes, seed }) => ({
    f: x => broadcastTo(x, [2, ...shape]), at: [spaced(seed, shape.map((n, i) => (axes.includes(i) ? 1 : n)))],
  }), { linear: true }),
  gradCase(reshapeOp, fc.record({ shape: shapes(3), seed: seeds }), ({ shape, seed }) => ({
    f: x => reshape(x, [-1, shape[1]]), at: [spaced(seed, shape)],
  }), { linear: true, harmless: { sign: twice } }),
  gradCase(transposeOp, reordered, ({ shape, order, seed }) => ({
    f: x => transpose(x, order), at: [spaced(seed, shape)],
  }), { linear: true }),
  gradCase(denseOps.denseOp, layer, ({ cells, n, m, masked, seed }) => {
    const rows = masked ? greater(spaced(seed + 3, cells), 0) : undefined
    return {
      f: (x, w, bias) => dense(x, w, { bias, mask: rows }),
      at: [spaced(seed, [...cells, n]), spaced(seed + 1, [n, m]), spaced(seed + 2, [m])],
    }
  }),
  gradCase(matmulOp, products, ({ s, n, k, m, seed }) => ({
    f: matmul, at: [spaced(seed, [...s, n, k]), spaced(seed + 1, [...s, k, m])],
  })),
  gradCase(matmulOp, products, ({ s, n, k, m, seed }) => ({
    f: a => matmul(a, spaced(seed + 1, [...s, k, m])), at: [spaced(seed, [...s, n, k])],
  }), { linear: true, positions: [0] }),
  gradCase(matmulOp, products, ({ s, n, k, m, seed }) => ({
    f: b => matmul(spaced(seed, [...s, n, k]), b), at: [spaced(seed + 1, [...s, k, m])],
  }), { linear: true, positions: [1] }),
  gradCase(denseOps.denseFilterOp, layer, ({ cells, n, m, masked, seed }) => {
    const rows = masked ? [greater(spaced(seed + 3, cells), 0)] : []
    return {
      f: (x, y) => apply(denseOps.denseFilterOp, [x, y, ...rows], null),
      at: [spaced(seed, [...cells, n]), spaced(seed + 1, [...cells, m])],
    }
  }),
]
