// Cases of the convolutions and of max-pooling, with all paddings, strides, dilations; windows larger than the grid.

import fc from 'fast-check'
import { conv2d, depthwiseConv, greater, maxPool, type Padding, type Tensor } from '../../src/index.ts'
import * as conv from '../../src/tensor/ops/conv2d/conv2d.ts'
import * as depthwise from '../../src/tensor/ops/depthwise-conv/depthwise-conv.ts'
import * as pool from '../../src/tensor/ops/max-pool.ts'
import type { Conv2dOptions } from '../../src/tensor/ops/conv2d/conv2d.ts'
import { outputSize, type Windows } from '../../src/backends/window.ts'
import { windows } from '../../src/tensor/ops/window.ts'
import { apply } from '../../src/tensor/trace.ts'
import { gradCase, seeds, size, spaced, type Case } from './case.ts'

const upTo = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max })

/** Images, kernels and the options of convolutions. Grids are large enough for mirrored borders. */
const meetings = fc.record({
  b: size(2), h: size(4), w: size(4), n: size(5), m: size(5), kh: upTo(3), kw: upTo(4),
  padding: fc.constantFrom<Padding>('zero', 'circular', 'reflect', 'replicate'), stride: upTo(3), dilation: upTo(2),
  masked: fc.boolean(), seed: seeds,
}).map(({ h, w, ...rest }) => {
  const least = (k: number): number => (rest.padding === 'reflect' ? (k - 1) * rest.dilation + 1 : 1)
  return { ...rest, h: h && Math.max(h, least(rest.kh)), w: w && Math.max(w, least(rest.kw)) }
})

type Meeting = typeof meetings extends fc.Arbitrary<infer T> ? T : never

function placed({ b, h, w, n, m, kh, kw, stride, masked, seed, ...options }: Meeting, name: 'depthwise' | 'conv2d'): {
  x: Tensor; k: Tensor; g: Tensor; rows?: Tensor; win: Windows
} {
  const x = spaced(seed, [b, h, w, n])
  const win = windows(name, x, [kh, kw], name === 'conv2d' ? { ...options, stride } : options)
  const out = [b, ...outputSize(win)]
  return {
    x, win, k: spaced(seed + 1, [kh, kw, n, m]), g: spaced(seed + 2, [...out, name === 'conv2d' ? m : n * m]),
    ...(masked ? { rows: greater(spaced(seed + 3, out), 0) } : {}),
  }
}

const grouped = fc.tuple(meetings, upTo(3))

/** A convolution in groups, each of up to two channels. */
function inGroups([meeting, groups]: [Meeting, number]): { x: Tensor; k: Tensor; bias: Tensor; options: Conv2dOptions } {
  const { padding, stride, dilation, kh, kw, seed } = meeting
  const [n, m] = [meeting.n, meeting.m].map(channels => Math.min(channels, 2))
  const { x, rows } = placed({ ...meeting, n: n * groups, m: m * groups }, 'conv2d')
  return {
    x, k: spaced(seed + 1, [kh, kw, n, m * groups]), bias: spaced(seed + 4, [m * groups]),
    options: { groups, padding, stride, dilation, mask: rows },
  }
}

const pools = fc.record({
  b: size(2), h: size(5), w: size(5), c: size(2), k: fc.tuple(fc.constantFrom(1, 3, 5), fc.constantFrom(1, 3)),
  padding: fc.constantFrom<'zero' | 'circular'>('zero', 'circular'), dilation: upTo(2), seed: seeds,
})

type Pool = typeof pools extends fc.Arbitrary<infer T> ? T : never

/** Taps that windows could have chosen. */
function chosen(seed: number, { b, h, w, c, k, padding, dilation }: Pool): { tap: Tensor; win: Windows } {
  const x = spaced(seed, [b, h, w, c])
  const win = windows('pool', x, k, { padding, dilation })
  return { tap: apply(pool.winningTapOp, [x], win), win }
}

export const spatialCases: Case[] = [
  gradCase(depthwise.depthwiseConvOp, meetings, meeting => {
    const { x, k, rows } = placed(meeting, 'depthwise')
    const { padding, dilation } = meeting
    return { f: (a, f) => depthwiseConv(a, f, { padding, dilation, mask: rows }), at: [x, k] }
  }),
  gradCase(depthwise.depthwiseConvInputOp, meetings, meeting => {
    const { g, k, rows, win } = placed(meeting, 'depthwise')
    return { f: (u, f) => apply(depthwise.depthwiseConvInputOp, rows ? [u, f, rows] : [u, f], win), at: [g, k] }
  }),
  gradCase(depthwise.depthwiseConvFilterOp, meetings, meeting => {
    const { x, g, rows, win } = placed(meeting, 'depthwise')
    return { f: (a, u) => apply(depthwise.depthwiseConvFilterOp, rows ? [a, u, rows] : [a, u], win), at: [x, g] }
  }),
  gradCase(conv.conv2dOp, meetings, meeting => {
    const { x, k, rows } = placed(meeting, 'conv2d')
    const { padding, stride, dilation, m, seed } = meeting
    return {
      f: (a, f, bias) => conv2d(a, f, { padding, stride, dilation, bias, mask: rows }),
      at: [x, k, spaced(seed + 4, [m])],
    }
  }),
  gradCase(conv.conv2dOp, grouped, meeting => {
    const { x, k, options, bias } = inGroups(meeting)
    return { f: (a, f, by) => conv2d(a, f, { ...options, bias: by }), at: [x, k, bias] }
  }),
  gradCase(conv.conv2dOp, grouped, meeting => {
    const { x, k, options } = inGroups(meeting)
    return { f: a => conv2d(a, k, options), at: [x] }
  }, { linear: true, positions: [0] }),
  gradCase(conv.conv2dOp, grouped, meeting => {
    const { x, k, options } = inGroups(meeting)
    return { f: f => conv2d(x, f, options), at: [k] }
  }, { linear: true, positions: [1] }),
  gradCase(conv.conv2dInputOp, meetings, meeting => {
    const { g, k, rows, win } = placed(meeting, 'conv2d')
    return { f: (u, f) => apply(conv.conv2dInputOp, rows ? [u, f, rows] : [u, f], win), at: [g, k] }
  }),
  gradCase(conv.conv2dFilterOp, meetings, meeting => {
    const { x, g, rows, win } = placed(meeting, 'conv2d')
    return { f: (a, u) => apply(conv.conv2dFilterOp, rows ? [a, u, rows] : [a, u], win), at: [x, g] }
  }),
  gradCase(pool.poolOp, pools, ({ b, h, w, c, k, padding, dilation, seed }) => ({
    f: x => maxPool(x, k, { padding, dilation }), at: [spaced(seed, [b, h, w, c])],
  })),
  gradCase(pool.poolOp, pools, pooled => {
    const { tap, win } = chosen(pooled.seed + 1, pooled)
    return { f: x => apply(pool.poolOp, [x, tap], win), at: [spaced(pooled.seed, tap.shape)] }
  }, { linear: true }),
  gradCase(pool.unpoolOp, pools, pooled => {
    const { tap, win } = chosen(pooled.seed + 1, pooled)
    return { f: g => apply(pool.unpoolOp, [g, tap], win), at: [spaced(pooled.seed, tap.shape)] }
  }, { linear: true }),
]
