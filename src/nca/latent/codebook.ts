/**
 * Codebooks: discrete latents, each one of a few vectors (van den Oord, Vinyals & Kavukcuoglu, "Neural Discrete Representation
 * Learning", NeurIPS 2017). With e_k the entries and z the encoder's output, in each cell:
 *
 *   q(z) = e_k,  k = argmin_j ‖z − e_j‖² = argmin_j (‖e_j‖² − 2 z·e_j)        ∂q/∂z := 1
 *
 * q is piecewise constant in z, so its true derivative, 0 or undefined, is of no use. The straight-through estimator passes the
 * cotangent to z unchanged (Bengio, Léonard & Courville 2013), a good approximation where z is near its entry. The entries learn
 * by moving towards the vectors that are quantised to them.
 */
import { customVjp } from '../../autograd/custom-vjp.ts'
import { mul, sub } from '../../tensor/ops/arithmetic.ts'
import { dense } from '../../tensor/ops/dense.ts'
import { square } from '../../tensor/ops/functions.ts'
import { oneHot } from '../../tensor/ops/one-hot.ts'
import { argMin } from '../../tensor/ops/reduce.ts'
import { stopGradient } from '../../tensor/ops/stop-gradient.ts'
import { sum } from '../../tensor/ops/sum.ts'
import { transpose } from '../../tensor/ops/transpose.ts'
import type { Tensor } from '../../tensor/tensor.ts'

/** The index of the nearest entry in each cell: z `[n,h,w,c]`, codebook `[entries,c]` → int32 `[n,h,w]`. */
export function nearestIndices(z: Tensor, codebook: Tensor): Tensor {
  const [cells, entries] = stopGradient([z, codebook])
  return argMin(sub(sum(square(entries), -1), mul(2, dense(cells, transpose(entries)))), -1)
}

/** The nearest entry in each cell, `[n,h,w,c]`; differentiable with respect to the codebook, constant in z. */
export function nearestEntries(z: Tensor, codebook: Tensor): Tensor {
  return dense(oneHot(nearestIndices(z, codebook), codebook.shape[0], { dtype: z.dtype }), codebook)
}

/** The values of entries with the derivative of the identity in z. */
export const straightThrough: (z: Tensor, entries: Tensor) => Tensor = customVjp((_z: Tensor, entries: Tensor) => [entries, []], (_, g) => [g, null])
