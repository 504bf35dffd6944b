/**
 * Losses: how far a state is from what it should be, one number per sample.
 *
 * They return `[b]`, not a mean, because a pool ranks its samples; `mean(loss)` is what is differentiated.
 */
import { abs, clamp, square } from '../tensor/ops/functions.ts'
import { sub } from '../tensor/ops/arithmetic.ts'
import { refuse, requireTensor } from '../tensor/op.ts'
import { mean } from '../tensor/ops/reduce.ts'
import { broadcastShapes, sameShape } from '../tensor/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** Mean over all axes but the first: `[b, …]` → `[b]`. */
export function perSample(x: Tensor): Tensor {
  return mean(x, x.shape.map((_, i) => i).slice(1))
}

/**
 * Mean squared error per sample.
 *
 * @param x `[b,h,w,c]`
 * @param target `[h,w,c]` for all samples, or `[b,h,w,c]`
 * @returns `[b]`
 * @example mean(mse(rgba(state), target))
 */
export function mse(x: Tensor, target: Tensor): Tensor {
  return perSample(square(difference('mse', x, target)))
}

function difference(loss: string, x: Tensor, target: Tensor): Tensor {
  requireTensor(loss, 'x', x)
  requireTensor(loss, 'the target', target)
  const shape = broadcastShapes(x.shape, target.shape)
  if (!shape || !sameShape(shape, x.shape)) {
    refuse(loss, 'the target does not have the shape of x or of one of its samples', { x, target })
  }
  return sub(x, target)
}

/** Mean absolute error per sample; shapes as for `mse`. */
export function l1(x: Tensor, target: Tensor): Tensor {
  return perSample(abs(difference('l1', x, target)))
}

/** Mean distance of a state from [−bound, bound] per sample: keeps channels from drifting away. `[b,h,w,c]` → `[b]`. */
export function overflow(x: Tensor, bound = 1): Tensor {
  return l1(x, clamp(x, -bound, bound))
}
