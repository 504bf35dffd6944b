/**
 * Sorting along an axis: first where every entry goes, then one gather.
 *
 *   argsort   p with x_{p(0)} ≤ x_{p(1)} ≤ …          integers, so a constant to every transform
 *   sort      out_k = x_{p(k)}                        ∂L/∂x_{p(k)} = g_k
 *
 * Where no two entries are equal, p does not change in a neighbourhood of x, and sorting is the linear map that p
 * describes; its derivative is that of `takeAlong` and needs no rule of its own. In either direction equal entries keep
 * their order, which fixes p and with it the gradient.
 *
 * NaN stands above every number, as it does for `max`: it comes last, and first where the greatest come first. So what
 * is ranked by a loss, the worst first, begins with the samples whose loss is none.
 */
import { defineOp } from '../op.ts'
import type { Op } from '../op.ts'
import { checkOptions, flag, keysOf, later } from '../options.ts'
import { sizeOf } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'
import { takeAlong } from './gather.ts'
import { axisOf, linesAlong } from './lines.ts'
import { withFunctions } from '../../backends/webgpu/functions.ts'

/** argsort: the positions of each line's entries, in the order of the entries. */
export const argsortOp: Op<{ axis: number; descending: boolean }> = defineOp<{ axis: number; descending: boolean }>({
  name: 'argsort',
  infer: ([x]) => ({ shape: x.shape, dtype: 'int32' }),
  cpu: ([x], out, { inputs: [{ shape }], attrs: { axis, descending } }) => {
    const { outer, n, inner } = linesAlong(shape, axis)
    const sign = descending ? -1 : 1
    const line = new Float64Array(n)
    const order = new Int32Array(n)
    // A difference of 0 or NaN is falsy: the entries are equal, or one of them is NaN.
    const compare = (a: number, b: number): number =>
      sign * (line[a] - line[b] || +Number.isNaN(line[a]) - +Number.isNaN(line[b]))
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        for (let k = 0; k < n; k++) {
          line[k] = x[(o * n + k) * inner + i]
          order[k] = k
        }
        order.sort(compare)
        for (let k = 0; k < n; k++) out[(o * n + k) * inner + i] = order[k]
      }
    }
  },
  // Each entry counts those that come before it. That is n² comparisons for a line, but all at once.
  wgsl: ({ inputs: [x], attrs: { axis, descending } }) => {
    const { n, inner } = linesAlong(x.shape, axis)
    return {
      inputs: ['x'],
      threads: sizeOf(x.shape),
      u32: { n, inner },
      source: withFunctions(`
        fn main(i: u32) {
          let own = i / u.inner % u.n;
          let start = i - own * u.inner;
          var place = 0u;
          for (var k = 0u; k < u.n; k++) {
            let a = rank(x[start + k * u.inner]);
            let b = rank(x[i]);
            if (a ${descending ? '>' : '<'} b || (a == b && k < own)) { place++; }
          }
          out[start + place * u.inner] = i32(own);
        }`, x.dtype),
    }
  },
  vjp: null,
})

export type SortOptions = {
  /** The axis to sort along, the last by default. */
  axis?: number
  /** Greatest first; default false. */
  descending?: boolean
}

const sortOptions = keysOf<SortOptions>({ axis: later, descending: flag })

/**
 * The positions of the entries in sorted order: int32, of the shape of x. Equal entries keep their order. NaN stands
 * above every number: last, or first with `descending`. No gradient passes.
 *
 * @example argsort(tensor([3, 1, 2]))            // [1, 2, 0]
 * @example argsort(argsort(x))                   // the rank of every entry
 */
export function argsort(x: Tensor, options: SortOptions = {}): Tensor {
  checkOptions('argsort', options, sortOptions)
  const { axis = -1, descending = false } = options
  return apply(argsortOp, [x], { axis: axisOf('argsort', x, axis), descending })
}

/**
 * The entries in sorted order along an axis; the gradient goes back to where each came from. NaN stands above every
 * number: last, or first with `descending`.
 *
 * @example sort(x, { axis: 1, descending: true })
 */
export function sort(x: Tensor, options: SortOptions = {}): Tensor {
  checkOptions('sort', options, sortOptions)
  const { axis = -1, descending = false } = options
  const along = axisOf('sort', x, axis)
  return takeAlong(x, argsort(x, { axis: along, descending }), along)
}
