/**
 * cast: the same numbers in another element type. Between floating types its derivative casts back.
 */
import type { DType } from '../../backends/backend.ts'
import { check } from '../../backends/options.ts'
import { defineOp, requireTensor, type Op } from '../op.ts'
import { sizeOf } from '../shape.ts'
import { place, type Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'

/** cast between floating types, see `cast`; the derivative casts back. */
export const castOp: Op<{ dtype: DType }> = defineOp<{ dtype: DType }>({
  name: 'cast',
  infer: ([x], { dtype }) => ({ shape: x.shape, dtype }),
  cpu: ([x], out) => { out.set(x) },
  wgsl: ({ inputs: [x], out }) => {
    const [from, to] = [x, out].map(({ dtype }) => dtype === 'float32')
    const value = from === to ? 'x[i]' : from ? 'truncated(x[i])' : 'rounded(x[i])'
    return {
      inputs: ['x'],
      threads: sizeOf(x.shape),
      source: `fn main(i: u32) { out[i] = T(${value}); }`,
    }
  },
  vjp: [{ uses: [], grad: (g, { inputs: [x] }) => cast(g, x.dtype) }],
})

/** cast where either type is an integer: a constant to every transform. */
export const castIntegersOp: Op<{ dtype: DType }> = defineOp<{ dtype: DType }>({ ...castOp, vjp: null })

/**
 * The same numbers in another element type. A gradient passes between floating types only.
 *
 *   to float32, float64   the nearest number of the type, ties to even
 *   float to int, uint    the fraction is cut off, and the rest taken modulo 2³², as JavaScript's `x | 0` does:
 *                         2³² + 1.9 becomes 1, −1.5 as uint32 becomes 2³² − 1; NaN and ±∞ become 0
 *   int32 to uint32       modulo 2³², and back
 *
 * @example cast(tensor([1.9, -1.9, NaN]), 'int32')     // [1, −1, 0]
 */
export function cast(x: Tensor, dtype: DType): Tensor {
  requireTensor('cast', 'x', x)
  check(dtype !== undefined, 'cast', 'dtype', dtype, "an element type, like 'int32'")
  place({ dtype, backend: x.backend }, 'cast')
  const smooth = [x.dtype, dtype].every(type => type.startsWith('float'))
  return x.dtype === dtype ? x : apply(smooth ? castOp : castIntegersOp, [x], { dtype })
}
