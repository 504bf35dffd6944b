/**
 * variance: the mean squared distance from the mean.
 *
 *   variance   out = Σ (x − μ)² / n,  μ = Σ x / n        ∂out/∂x_i = 2 (x_i − μ) / n
 *
 * The mean is subtracted before anything is squared: Σ x²/n − μ² would lose all digits for a large μ.
 */
import { floating } from '../op.ts'
import type { Tensor } from '../tensor.ts'
import { sub } from './arithmetic.ts'
import { square } from './functions.ts'
import { mean } from './reduce.ts'
import { reducedAxes, type ReduceOptions } from './sum.ts'

/**
 * The variance over the given axes, all by default: the population variance, divided by n (for an unbiased estimate from a
 * sample multiply by n/(n − 1)). NaN for n = 0.
 *
 * @throws for integer tensors: cast them first
 * @example variance(x, [1, 2])             // [b,h,w,c] → [b,c]
 * @example sqrt(add(variance(x), 1e-5))    // a standard deviation whose gradient is finite where all are equal
 */
export function variance(x: Tensor, axes?: number | readonly number[], options: ReduceOptions = {}): Tensor {
  floating('variance', 'x', x)
  const list = reducedAxes('variance', x, axes, options)
  return mean(square(sub(x, mean(x, list, { keepDims: true }))), list, options)
}
