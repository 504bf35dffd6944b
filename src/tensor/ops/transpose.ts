/**
 * transpose: axes in another order. Its derivative is the transposition back.
 *
 *   out[i_{p(0)}, i_{p(1)}, …] = x[i_0, i_1, …]        ⟨Px, g⟩ = ⟨x, P⁻¹g⟩
 */
import { defineOp, refuse, requireTensor, type Op } from '../op.ts'
import { check } from '../../backends/options.ts'
import { normaliseAxis, showShape, sizeOf, stridesOf } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'
import { strided } from './strides.ts'

/** transpose: axis k of the output is axis order[k] of x. */
export const transposeOp: Op<{ order: readonly number[] }> = defineOp<{ order: readonly number[] }>({
  name: 'transpose',
  infer: ([x], { order }) => ({ shape: order.map(axis => x.shape[axis]), dtype: x.dtype }),
  cpu: ([x], out, { inputs: [{ shape }], out: { shape: outShape }, attrs: { order } }) => {
    const own = stridesOf(shape)
    const strides = order.map(axis => own[axis])
    const at = outShape.map(() => 0)
    let from = 0
    for (let i = 0; i < out.length; i++) {
      out[i] = x[from]
      for (let axis = at.length - 1; axis >= 0; axis--) {
        from += strides[axis]
        if (++at[axis] < outShape[axis]) break
        from -= strides[axis] * outShape[axis]
        at[axis] = 0
      }
    }
  },
  wgsl: ({ inputs: [{ shape }], out, attrs: { order } }) => {
    const own = stridesOf(shape)
    const from = strided('source', out.shape, order.map(axis => own[axis]))
    return {
      inputs: ['x'],
      threads: sizeOf(shape),
      u32: from.u32,
      source: `${from.wgsl} fn main(i: u32) { out[i] = x[source(i)]; }`,
    }
  },
  vjp: [{ uses: [], grad: (g, { attrs: { order } }) => transpose(g, order.map((_, i) => order.indexOf(i))) }],
})

/**
 * The axes of x in another order, reversed by default.
 *
 * @example transpose(x, [0, 3, 1, 2])   // [b,h,w,c] → [b,c,h,w]
 */
export function transpose(x: Tensor, order?: readonly number[]): Tensor {
  requireTensor('transpose', 'x', x)
  check(order === undefined || Array.isArray(order), 'transpose', 'the order', order, 'a list of axes')
  const rank = x.shape.length
  const axes = order ? order.map(axis => normaliseAxis('transpose', axis, rank)) : x.shape.map((_, i) => rank - 1 - i)
  if (axes.length !== rank || new Set(axes).size !== rank) {
    refuse('transpose', `${showShape(axes)} is not an order of ${rank} axes`, { x })
  }
  return apply(transposeOp, [x], { order: axes })
}
