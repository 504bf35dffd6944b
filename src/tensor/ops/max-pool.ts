/**
 * maxPool: the greatest value in the window around each cell, channel by channel.
 *
 *   tap[o, c] = the first t, in scan order, whose cell i holds the greatest x[i, c]        winningTap, an index
 *   out[o, c] = x[i, c] with i = the cell that o reads through tap[o, c]                   pick
 *   ∂L/∂x[i, c] = Σ g[o, c] over the links (o, t, i) with t = tap[o, c]                    unpick, the adjoint of pick
 *
 * The links are those of `window.ts`. Which tap wins is constant almost everywhere, so winningTap has no derivative; pick
 * and unpick are linear for a given index and adjoint to each other, so that the set is closed under differentiation. A
 * NaN wins against every number, and the first NaN against later ones: the output is NaN exactly where a window holds one.
 *
 * The index is a tap, not a cell: on a torus smaller than the window a cell is read through several taps, and only one wins.
 */
import { defineOp, refuse } from '../op.ts'
import type { Op } from '../op.ts'
import type { Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'
import { reshape } from './sum.ts'
import { readers, reads, windows } from './window.ts'
import type { Windows } from './window.ts'

/** The tap of the greatest value. inputs: x [b,h,w,c]. */
export const winningTapOp: Op<Windows> = defineOp<Windows>({
  name: 'winningTap',
  infer: ([x]) => ({ shape: x.shape, dtype: 'uint32' }),
  cpu: ([x], out, { inputs: [{ shape: [, , , n] }], attrs }) => {
    const { at, cells, taps } = reads(attrs, n, 1)
    for (let r = 0, o = 0; o < out.length; r++, o += n) {
      const links = at(r)
      for (let c = 0; c < n; c++) {
        let best = x[cells[0] + c], tap = taps[0]
        for (let i = 1; i < links; i++) {
          const v = x[cells[i] + c]
          // Not `v > best`: a NaN must win, unless there is one already.
          if (!(v <= best) && best === best) {
            best = v
            tap = taps[i]
          }
        }
        out[o + c] = tap
      }
    }
  },
  vjp: null,
})

/** The value that each tap reads. inputs: x [b,h,w,c], tap [b,h,w,c]. */
export const pickOp: Op<Windows> = defineOp<Windows>({
  name: 'pick',
  infer: ([x]) => x,
  cpu: ([x, tap], out, { inputs: [{ shape: [, , , n] }], attrs }) => {
    const { at, cells, taps } = reads(attrs, n, 1)
    for (let r = 0, o = 0; o < out.length; r++, o += n) {
      const links = at(r)
      for (let c = 0; c < n; c++) {
        for (let i = 0; i < links; i++) if (taps[i] === tap[o + c]) out[o + c] = x[cells[i] + c]
      }
    }
  },
  vjp: [{ uses: [1], grad: (g, { inputs: [, tap], attrs }) => apply(unpickOp, [g, tap], attrs) }, null],
})

/** Each cell collects from those whose tap reads it. inputs: g [b,h,w,c], tap [b,h,w,c]. */
export const unpickOp: Op<Windows> = defineOp<Windows>({
  name: 'unpick',
  infer: ([g]) => g,
  cpu: ([g, tap], out, { inputs: [{ shape: [, , , n] }], attrs }) => {
    const { at, cells, taps } = readers(attrs, n, 1)
    for (let r = 0, o = 0; o < out.length; r++, o += n) {
      const links = at(r)
      for (let c = 0; c < n; c++) {
        let t = 0
        for (let i = 0; i < links; i++) if (taps[i] === tap[cells[i] + c]) t += g[cells[i] + c]
        out[o + c] = t
      }
    }
  },
  vjp: [{ uses: [1], grad: (u, { inputs: [, tap], attrs }) => apply(pickOp, [u, tap], attrs) }, null],
})

export type PoolOptions = {
  /** 'none' (the default): windows end at the border, as if −∞ lay outside. 'circular': they go on at the opposite side. */
  padding?: 'none' | 'circular'
  /** Distance of neighbouring taps, default 1. */
  dilation?: number
}

/**
 * The greatest value in the window around each cell; the size stays. The gradient goes to the first greatest value in scan
 * order. NaN propagates.
 *
 * @param x `[b,h,w,c]`
 * @param k odd size of the window, default 3, or `[kh,kw]`
 * @returns `[b,h,w,c]`
 * @throws where x is no image or a size is even: a cell must be in its own window
 * @example greater(maxPool(alpha), 0.1)   // the living mask of a growing cellular automaton
 */
export function maxPool(x: Tensor, k: number | readonly [number, number] = 3, options: PoolOptions = {}): Tensor {
  return pool('maxPool', x, k, options)
}

/**
 * A mask grown by a window: 1 wherever the window around a cell holds a 1 (morphological dilation).
 *
 * @param mask `[b,h,w]`, uint32, 0 or 1
 * @returns `[b,h,w]`
 * @throws where the mask is not uint32 or a size is even
 * @example dilate(greater(alpha, 0.1), 3)   // living cells and their neighbours
 */
export function dilate(mask: Tensor, k: number | readonly [number, number] = 3, options: PoolOptions = {}): Tensor {
  if (mask.dtype !== 'uint32' || mask.shape.length !== 3) refuse('dilate', `needs a mask [b,h,w] of type uint32, got ${mask.dtype}`, { mask })
  return reshape(pool('dilate', reshape(mask, [...mask.shape, 1]), k, options), mask.shape)
}

function pool(op: string, x: Tensor, k: number | readonly [number, number], { padding = 'none', dilation }: PoolOptions): Tensor {
  const size = typeof k === 'number' ? [k, k] : k
  // A sum and a maximum agree that a tap without a cell does not count; only the name differs.
  const win = windows(op, x, size, { padding: padding === 'none' ? 'zero' : padding, dilation })
  if (size.some(n => n % 2 === 0)) refuse(op, `the window must have odd sizes, so that each cell is in its own, got ${size.join('×')}`)
  return apply(pickOp, [x, apply(winningTapOp, [x], win)], win)
}
