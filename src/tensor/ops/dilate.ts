/**
 * dilate: a mask grown by a window (morphological dilation).
 *
 *   out[o] = 1 where mask[i] ≠ 0 for any link (o, t, i) of `window.ts`, else 0
 *
 * A living mask is a dilation: a cell lives if its neighbourhood has a cell with enough alpha. The loop of the CPU
 * goes the other way round, from each marked cell to those that read it, because most cells of an automaton are empty.
 * Those are also the cells that it reads itself, because a window of odd size reaches equally far in both directions. This
 * holds for circular and reflected borders too, but not for replicated ones.
 */
import { defineOp, refuse, requireTensor, type Op } from '../op.ts'
import { sizeOf } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'
import { poolWindows, type PoolOptions } from './max-pool.ts'
import { reshape } from './reshape.ts'
import { linksWgsl } from '../../backends/wgsl/window.ts'
import { eachLink } from './window.ts'
import type { Windows } from '../../backends/window.ts'

/** inputs: mask [b,h,w,1]. */
export const dilateOp: Op<Windows> = defineOp<Windows>({
  name: 'dilate',
  infer: ([mask]) => mask,
  cpu: ([mask], out, { inputs: [{ shape: [b] }], attrs }) => {
    out.fill(0)
    if (attrs.padding === 'replicate') eachLink(attrs, b, undefined, (o, _, i) => { if (mask[i]) out[o] = 1 })
    else eachLink(attrs, b, mask, (_, t, i) => { if (i >= 0) out[i] = 1 })
  },
  wgsl: ({ out, attrs }) => {
    const { wgsl, u32 } = linksWgsl('reads', attrs)
    return {
      inputs: ['mask'],
      threads: sizeOf(out.shape),
      u32,
      source: `${wgsl}
        fn main(r: u32) {
          let at = place(r);
          out[r] = 0;
          for (var e = 0u; e < u.links; e++) {
            let cell = linked(at, e);
            if (cell >= 0 && mask[cell] != 0) { out[r] = 1; }
          }
        }`,
    }
  },
  vjp: null,
})

/**
 * A mask grown by a window: 1 where the window around a cell holds a 1 (morphological dilation).
 *
 * @param mask `[b,h,w]`, uint32, 0 or 1
 * @param k odd size of the window, default 3, or `[kh,kw]`
 * @returns `[b,h,w]`
 * @throws where the mask has another type or rank, or a size is even
 * @example dilate(alive, 3)   // the living cells and their neighbours
 */
export function dilate(mask: Tensor, k: number | readonly [number, number] = 3, options: PoolOptions = {}): Tensor {
  requireTensor('dilate', 'the mask', mask)
  if (mask.dtype !== 'uint32' || mask.shape.length !== 3) {
    refuse('dilate', `the mask must be uint32 [b,h,w], got ${mask.dtype}`, { mask })
  }
  const image = reshape(mask, [...mask.shape, 1])
  return reshape(apply(dilateOp, [image], poolWindows('dilate', image, k, options)), mask.shape)
}
