/**
 * maxPool: the greatest value in the window around each cell, channel by channel.
 *
 *   tap[o, c] = the first t, in scan order, whose cell i has the greatest x[i, c]       winningTap
 *   out[o, c] = x[i, c], where i is the cell that o reads through tap[o, c]             pool
 *   ∂L/∂x[i, c] = Σ g[o, c] over the links (o, t, i) with t = tap[o, c]                 unpool, the adjoint of pool
 *
 * The links are those of `window.ts`. The winning tap is constant almost everywhere, so winningTap has no derivative;
 * for given taps, pool and unpool are linear and adjoint to each other, so the set is closed under differentiation. A
 * NaN wins against every number, and the first NaN against later ones: the output is NaN exactly where a window has one.
 *
 * The tap is remembered, not the cell: on a torus smaller than the window, a cell is read through several taps, and only
 * one of them wins.
 */
import type { Data } from '../../backends/backend.ts'
import { defineOp, refuse, type Op } from '../op.ts'
import { check, checkOptions, keysOf } from '../../backends/options.ts'
import { bands, loadBand, planOf, tapOffsets } from '../../backends/wasm/simd/bands.ts'
import { isFloat } from '../../backends/wasm/simd/conditions.ts'
import { sizeOf } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'
import { linksWgsl } from '../../backends/wgsl/window.ts'
import { eachLink, windowKinds, windows } from './window.ts'
import { cellsAlong, type Padding, type Windows } from '../../backends/window.ts'

/** The rank of what lies outside of the grid, below that of any number (assembly/pool.ts). */
const outside = 0x80000000

/** The tap of the greatest value. inputs: x [b,h,w,c]. */
export const winningTapOp: Op<Windows> = /* @__PURE__ */ defineOp<Windows>({
  name: 'winningTap',
  infer: ([x]) => ({ shape: x.shape, dtype: 'uint32' }),
  cpu: ([x], out, { inputs: [{ shape: [b, , , n] }], attrs }) => {
    const none = attrs.kernel[0] * attrs.kernel[1]
    const best = new Float64Array(out.length)
    out.fill(none)
    eachLink(attrs, b, undefined, (o, t, i) => {
      for (let c = 0, at = o * n; c < n && i >= 0; c++, at++) {
        const v = x[i * n + c]
        // Not `v > best`: a NaN must win, unless there is one already.
        if (out[at] === none || (!(v <= best[at]) && best[at] === best[at])) {
          best[at] = v
          out[at] = t
        }
      }
    })
  },
  simd: room => ([x], out, { inputs: [{ shape: [batch, height, width, n] }], attrs }) => {
    if (!isFloat(x) || out.length === 0) return false
    const plan = planOf(attrs, n), taps = tapOffsets(plan), line = width * n
    // Windows at the end of lines, which begin in the border, are computed too but not copied.
    const { kernels, words, at: [image, offsets, to] } =
      room(4 * (plan.bandSize + plan.pitch), 4 * taps.length, 4 * plan.lines * plan.pitch)
    const bits = new Uint32Array(x.buffer, x.byteOffset, x.length)
    words.set(taps, offsets / 4)
    for (const band of bands(plan, batch)) {
      loadBand(plan, band, bits, words, image / 4, outside, at => kernels.ranks(4 * at, 4 * line))
      kernels.winningTaps(image, 4 * band.lines * plan.pitch, taps.length, offsets, to)
      for (let i = 0; i < band.lines; i++) {
        const from = to / 4 + i * plan.pitch
        out.set(words.subarray(from, from + line), (band.sample * height + band.line + i) * line)
      }
    }
    return true
  },
  wgsl: ({ inputs: [x], attrs }) => {
    const { wgsl, u32 } = linksWgsl('reads', attrs)
    return {
      inputs: ['x'],
      threads: sizeOf(x.shape),
      u32: { ...u32, n: x.shape[3] },
      source: `${wgsl}
        fn main(o: u32) {
          let at = place(o / u.n);
          var best = 0u;
          var tap = taps;
          for (var e = 0u; e < u.links; e++) {
            let cell = linked(at, e);
            if (cell < 0) { continue; }
            let i = u32(cell) * u.n + o % u.n;
            if (tap == taps || (!isNan(x[best]) && (isNan(x[i]) || order(x[i]) > order(x[best])))) {
              best = i;
              tap = e;
            }
          }
          out[o] = tap;
        }`,
    }
  },
  vjp: null,
})

/** The value that each tap reads. inputs: x [b,h,w,c], tap [b,h,w,c]. */
export const poolOp: Op<Windows> = defineOp<Windows>({
  name: 'pool',
  infer: ([x]) => x,
  cpu: ([x, tap], out, { inputs: [{ shape }], attrs }) => {
    eachPicked(attrs, shape, tap, (o, from) => { out[o] = x[from] })
  },
  wgsl: ({ inputs: [x], attrs }) => {
    const { wgsl, u32 } = linksWgsl('reads', attrs)
    return {
      inputs: ['x', 'tap'],
      threads: sizeOf(x.shape),
      u32: { ...u32, n: x.shape[3] },
      source: `${wgsl} fn main(o: u32) { out[o] = x[u32(linked(place(o / u.n), tap[o])) * u.n + o % u.n]; }`,
    }
  },
  vjp: [{ uses: [1], grad: (g, { inputs: [, tap], attrs }) => apply(unpoolOp, [g, tap], attrs) }, null],
})

/** Each cell collects from those whose tap reads it. inputs: g [b,h,w,c], tap [b,h,w,c]. */
export const unpoolOp: Op<Windows> = defineOp<Windows>({
  name: 'unpool',
  infer: ([g]) => g,
  cpu: ([g, tap], out, { inputs: [{ shape }], attrs }) => {
    const sums = new Float64Array(out.length)
    eachPicked(attrs, shape, tap, (o, to) => { sums[to] += g[o] })
    out.set(sums)
  },
  wgsl: ({ inputs: [g], attrs }) => {
    const { wgsl, u32 } = linksWgsl('readers', attrs)
    return {
      inputs: ['g', 'tap'],
      threads: sizeOf(g.shape),
      u32: { ...u32, n: g.shape[3] },
      source: `${wgsl}
        fn main(o: u32) {
          let at = place(o / u.n);
          var t = T();
          for (var e = 0u; e < u.links; e++) {
            let cell = linked(at, e);
            if (cell < 0) { continue; }
            let i = u32(cell) * u.n + o % u.n;
            if (tap[i] == e % taps) { t += g[i]; }
          }
          out[o] = t;
        }`,
    }
  },
  vjp: [{ uses: [1], grad: (u, { inputs: [, tap], attrs }) => apply(poolOp, [u, tap], attrs) }, null],
})

/** Calls `visit` for each number of the output, in order, with the position of the number that its tap reads. */
function eachPicked(
  win: Windows, [batch, height, width, n]: readonly number[], taps: Data, visit: (o: number, i: number) => void,
): void {
  const { kernel: [kh, kw], dilation } = win
  const ys = cellsAlong(win, 0), xs = cellsAlong(win, 1)
  // The distance of each tap from the first one.
  const down = Int32Array.from({ length: kh * kw }, (_, t) => dilation * Math.floor(t / kw))
  const right = Int32Array.from({ length: kh * kw }, (_, t) => dilation * (t % kw))
  let o = 0
  for (let sample = 0; sample < batch; sample++) {
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        for (let c = 0; c < n; c++, o++) {
          const t = taps[o]
          visit(o, ((sample * height + ys[i + down[t]]) * width + xs[j + right[t]]) * n + c)
        }
      }
    }
  }
}

export type PoolOptions = {
  /** What lies outside of the grid: 'zero' (default; it never wins, like −∞), 'circular', 'reflect' or 'replicate'. */
  padding?: Padding
  /** Distance between neighbouring taps, a whole number > 0, default 1. */
  dilation?: number
}

const poolOptions = keysOf<PoolOptions>({ padding: windowKinds.padding, dilation: windowKinds.dilation })

/**
 * The greatest value in the window around each cell; keeps the size. The gradient goes to the first of equal values in
 * scan order. NaN propagates.
 *
 * @param x `[b,h,w,c]`
 * @param k odd size of the window, default 3, or `[kh,kw]`
 * @returns `[b,h,w,c]`
 * @throws where x is no image or a size is even: a cell must be in its own window
 * @example greater(maxPool(alpha), 0.1)   // the living mask of Growing NCA
 */
export function maxPool(x: Tensor, k: number | readonly [number, number] = 3, options: PoolOptions = {}): Tensor {
  const win = poolWindows('maxPool', x, k, options)
  return apply(poolOp, [x, apply(winningTapOp, [x], win)], win)
}

/** The windows of a pooling; each contains its own cell. */
export function poolWindows(
  op: string, x: Tensor, k: number | readonly [number, number], options: PoolOptions,
): Windows {
  checkOptions(op, options, poolOptions)
  const size = typeof k === 'number' ? [k, k] : k
  check(Array.isArray(size) && size.length === 2, op, 'k', k, 'a number of cells, or two')
  const win = windows(op, x, size, options)
  if (size.some(n => n % 2 === 0)) {
    refuse(op, `a cell must be in its own window, so sizes must be odd, got ${size.join('×')}`)
  }
  return win
}
