/**
 * checkRule: proof that the gradients of a rule are right, yours included.
 *
 * A few steps are run in float64 with fixed fire masks, and the gradients with respect to parameters and state are compared
 * with differences. Parameters are moved away from their first values, where a zero layer would hide mistakes. The steps of
 * the differences are small enough that hardly a ReLU or a living mask switches between them.
 */
import { checkGrad } from '../autograd/check-grad.ts'
import type { GradReport } from '../autograd/check-grad.ts'
import { foldIn, key } from '../tensor/key.ts'
import { scope } from '../tensor/lifetime.ts'
import { add } from '../tensor/ops/arithmetic.ts'
import { cast } from '../tensor/ops/compare.ts'
import { normal, uniform } from '../tensor/random.ts'
import { Tensor } from '../tensor/tensor.ts'
import { mapTree } from '../tensor/tree.ts'
import { channelCount, init } from './rule.ts'
import type { Rule } from './rule.ts'
import { rollout } from './step.ts'

export type CheckRuleOptions = {
  /** Rows and columns of the grid, default 5 × 6. */
  grid?: readonly [number, number]
  /** Steps of the rollout, default 2. */
  steps?: number
  /** Highest order of derivatives, default 1. */
  order?: number
  seed?: number
}

/**
 * Compares the gradients of a rule's rollout with differences, for parameters and state.
 *
 * @returns the comparisons
 * @throws where a gradient is wrong, see `checkGrad`
 * @example checkRule(mine)
 */
export function checkRule(rule: Rule, options: CheckRuleOptions = {}): GradReport[] {
  const { grid: [h, w] = [5, 6], steps = 2, order = 1, seed = 0 } = options
  return scope(() => {
    const k = key(seed)
    let i = 0
    const params = mapTree<unknown>(init(rule, foldIn(k, 0), { dtype: 'float64' }), leaf => {
      if (!(leaf instanceof Tensor)) return leaf
      const x = cast(leaf, 'float64')
      return add(x, normal(foldIn(foldIn(k, 1), i++), x.shape, { like: x, std: 0.1 }))
    })
    const x = uniform(foldIn(k, 2), [2, h, w, channelCount(rule.channels)], { low: -1, high: 1, dtype: 'float64' })
    const run = (at: { params: unknown; x: Tensor }): Tensor => rollout(rule, at.params as never, at.x, foldIn(k, 3), { steps })
    return checkGrad(run, { params, x }, { order, seed, epsilon: 1e-6, tolerance: 1e-5 })
  })
}
