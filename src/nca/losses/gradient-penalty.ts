/**
 * The gradient penalty, which keeps a critic close to 1-Lipschitz (Gulrajani, Ahmed, Arjovsky, Dumoulin & Courville, "Improved
 * Training of Wasserstein GANs", NeurIPS 2017, algorithm 1):
 *
 *   x̂ = ε x + (1 − ε) x̃,  ε ~ U(0, 1) for each sample          penalty = (‖∇_x̂ D(x̂)‖ − 1)²
 *
 * for real x and generated x̃. The penalty contains a gradient, so the critic learns by second derivatives.
 */
import { grad } from '../../autograd/grad.ts'
import { checkFunction } from '../../backends/options.ts'
import { checkKey, type Key } from '../../tensor/key.ts'
import { scope } from '../../tensor/lifetime.ts'
import { add, mul, sub } from '../../tensor/ops/arithmetic.ts'
import { square } from '../../tensor/ops/functions.ts'
import { norm } from '../../tensor/ops/norm.ts'
import { uniform } from '../../tensor/ops/random.ts'
import { sum } from '../../tensor/ops/sum.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { checkTarget, sampleAxes } from './loss.ts'

/**
 * The penalty of a critic per sample, `[b]`, ≥ 0.
 *
 * @param critic from images `[b,…]` to a score for each, `[b]`, which depends on no other sample
 * @param real,made images, real and generated, `[b,…]` each
 * @param key draws ε, the point between each pair at which the gradient is taken
 * @throws where images differ in shape
 * @example
 * const loss = (params: Params) => mul(10, mean(gradientPenalty(y => score(params, y), real, made, key(0))))
 * grad(loss)(params)   // second order
 */
export function gradientPenalty(critic: (images: Tensor) => Tensor, real: Tensor, made: Tensor, key: Key): Tensor {
  checkFunction('gradientPenalty', 'critic', critic)
  checkTarget('gradientPenalty', made, real)
  checkKey('gradientPenalty', key)
  return scope(() => {
    const e = uniform(key, [made.shape[0], ...sampleAxes(made).map(() => 1)], { like: made })
    const between = add(made, mul(e, sub(real, made)))
    const slope = grad((x: Tensor) => sum(critic(x)))(between)
    return square(sub(norm(slope, sampleAxes(slope)), 1))
  }, 'gradientPenalty()')
}
