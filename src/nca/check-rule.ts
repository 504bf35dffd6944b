/**
 * checkRule: are the gradients of a rule right, your own rules included?
 *
 * A few steps are run in float64 with fixed fire masks, and the gradients of the change that they make are compared with
 * differences, once with respect to the parameters and once to the state. Parameters are moved away from their initial
 * values, where a zero layer would hide mistakes. ReLUs and living masks make kinks and jumps; where one lies within
 * the reach of the differences, the comparison proves nothing and is made again elsewhere.
 */
import { checkGrad, NotSmoothError, type GradReport } from '../autograd/tools/check-grad.ts'
import { foldIn, key, type Key } from '../tensor/key.ts'
import { scope } from '../tensor/lifetime.ts'
import { checkOptions, isWhole, keysOf, wholeFrom } from '../backends/options.ts'
import { add, sub } from '../tensor/ops/arithmetic.ts'
import { cast } from '../tensor/ops/cast.ts'
import { normal, uniform } from '../tensor/ops/random.ts'
import { Tensor } from '../tensor/tensor.ts'
import { mapTree } from '../tensor/tree.ts'
import { channelCount } from './rule/channels.ts'
import { init } from './rule/parameters.ts'
import type { Rule } from './rule/types.ts'
import { rollout } from './step.ts'

export type CheckRuleOptions = {
  /** Sizes of the grid along each of its dimensions, default 5 × 6, on a line 6, in a volume 3 × 3 × 4. */
  grid?: readonly number[]
  /** Steps of the rollout, a whole number > 0; default 2. */
  steps?: number
  /** Highest order of derivatives, a whole number > 0; default 1. */
  order?: number
  /** Seed of the random points and directions, a whole number ≥ 0; default 0. */
  seed?: number
}

const checkRuleOptions = keysOf<CheckRuleOptions>({
  grid: { fits: x => Array.isArray(x) && x.every(n => isWhole(n, 1)), expected: 'a list of sizes, whole numbers > 0' },
  steps: wholeFrom(1),
  order: wholeFrom(1),
  seed: wholeFrom(0),
})

/**
 * Compares the gradients of a rule's rollout with differences, for parameters and state.
 *
 * @returns the comparisons
 * @throws if a gradient is wrong, see `checkGrad`
 * @example checkRule(mine)
 */
export function checkRule(rule: Rule, options: CheckRuleOptions = {}): GradReport[] {
  checkOptions('checkRule', options, checkRuleOptions)
  const { seed = 0 } = options
  let wrong = false
  for (let tries = 0; tries < 20; tries++) {
    try {
      return checkAt(rule, options, foldIn(key(seed), tries))
    } catch (error) {
      // Very close to a kink the differences can be bent alike on both sides, so that it goes unnoticed and a right
      // gradient looks wrong. A gradient that is really wrong is wrong at a second point, too.
      if (!(error instanceof NotSmoothError) && wrong) throw error
      wrong ||= !(error instanceof NotSmoothError)
    }
  }
  throw new Error(
    'checkRule: the rule has kinks or jumps near each of 20 points that were tried; check fewer '
      + `steps or a smaller grid (seed ${seed}).`,
  )
}

const sizes = { 1: [6], 2: [5, 6], 3: [3, 3, 4] }

function checkAt(
  rule: Rule, { grid, steps = 2, order = 1, seed = 0 }: CheckRuleOptions, k: Key,
): GradReport[] {
  const cells = grid ?? sizes[rule.grid]
  return scope(() => {
    let i = 0
    const params = mapTree<unknown>(init(rule, foldIn(k, 0), { dtype: 'float64' }), leaf => {
      if (!(leaf instanceof Tensor)) return leaf
      const p = cast(leaf, 'float64')
      return add(p, normal(foldIn(foldIn(k, 1), i++), p.shape, { like: p, std: 0.1 }))
    })
    const x = uniform(foldIn(k, 2), [2, ...cells, channelCount(rule.channels)], { low: -1, high: 1, dtype: 'float64' })
    // The change, not the state: the state itself, passed on, would outweigh what the rule adds to it.
    const change = (p: unknown, from: Tensor): Tensor =>
      sub(rollout(rule, p as never, from, foldIn(k, 3), { steps }), from)
    const how = { order, seed, epsilon: 1e-6, tolerance: 1e-5 }
    return [
      ...(i > 0 ? checkGrad(p => change(p, x), params, how) : []),
      ...checkGrad(from => change(params, from), x, how),
    ]
  }, 'checkRule()')
}
