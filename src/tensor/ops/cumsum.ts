/**
 * cumsum: cumulative sums along an axis.
 *
 *   cumsum      out_k = Σ_{i ≤ k} x_i
 *   its rule    ∂L/∂x_i = Σ_{k ≥ i} g_k         each entry is in all sums from its own on: a cumsum from the end
 *
 * It is linear, and its adjoint is cumsum from the other end, so one operator is closed under differentiation. Each sum is the
 * one before it plus the next entry, rounded each time: every backend has the same bits.
 */
import { defineOp, type Op } from '../op.ts'
import { checkOptions, flag, keysOf } from '../../backends/options.ts'
import type { Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'
import { axisOf, linesAlong } from './lines.ts'

type Attrs = { axis: number; fromEnd: boolean }

/** cumsum: from the first entry of each line forwards, or from the last backwards. */
export const cumsumOp: Op<Attrs> = defineOp<Attrs>({
  name: 'cumsum',
  infer: ([x]) => ({ shape: x.shape, dtype: x.dtype }),
  cpu: ([x], out, { inputs: [{ shape }], attrs: { axis, fromEnd } }) => {
    const { outer, n, inner } = linesAlong(shape, axis)
    for (let line = 0; line < outer * inner; line++) {
      const start = Math.floor(line / inner) * n * inner + line % inner
      for (let k = 0; k < n; k++) {
        const at = start + (fromEnd ? n - 1 - k : k) * inner
        out[at] = k === 0 ? x[at] : out[at + (fromEnd ? inner : -inner)] + x[at]
      }
    }
  },
  wgsl: ({ inputs: [{ shape }], attrs: { axis, fromEnd } }) => {
    const { outer, n, inner } = linesAlong(shape, axis)
    return {
      inputs: ['x'],
      threads: outer * inner,
      u32: { n, inner },
      source: `
        fn main(line: u32) {
          let start = line / u.inner * u.n * u.inner + line % u.inner;
          var total = T();
          for (var k = 0u; k < u.n; k++) {
            let at = start + ${fromEnd ? '(u.n - 1 - k)' : 'k'} * u.inner;
            if (k == 0) { total = x[at]; } else { total += x[at]; }
            out[at] = total;
          }
        }`,
    }
  },
  vjp: [{ uses: [], grad: (g, { attrs: { axis, fromEnd } }) => apply(cumsumOp, [g], { axis, fromEnd: !fromEnd }) }],
})

export type CumsumOptions = {
  /** Whether sums begin at the last entry, default false. */
  fromEnd?: boolean
}

const cumsumOptions = keysOf<CumsumOptions>({ fromEnd: flag })

/**
 * Cumulative sums along an axis; each includes its own entry.
 *
 * @param axis the last by default
 * @returns the shape of x
 * @example cumsum(tensor([1, 2, 3]))                          // [1, 3, 6]
 * @example cumsum(tensor([1, 2, 3]), -1, { fromEnd: true })   // [6, 5, 3]
 */
export function cumsum(x: Tensor, axis: number = -1, options: CumsumOptions = {}): Tensor {
  const along = axisOf('cumsum', x, axis)
  checkOptions('cumsum', options, cumsumOptions)
  return apply(cumsumOp, [x], { axis: along, fromEnd: options.fromEnd ?? false })
}
