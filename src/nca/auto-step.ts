/**
 * Rollouts that end by themselves, once the cells hardly change any more.
 *
 *   d_t = mean |h_t − h_(t−1)|          over samples, cells and the channels h of a role
 *
 * The rollout ends after the first step n ≥ `least` for which d_n and the `patience` − 1 before it are below a
 * threshold, or after the most steps that it may take (the AutoStepper of NCALab, which looks at hidden channels).
 *
 * A step's d_t is known only once it has been read, and a GPU that waited for every one would idle. So `patience` steps are
 * taken at once and read together, and the steps after the last one are thrown away.
 */
import type { Key } from '../tensor/key.ts'
import { scope, supersede } from '../tensor/lifetime.ts'
import { requireTensor } from '../tensor/op.ts'
import { check, checkOptions, isWhole, keysOf, later, numberFrom, text, wholeFrom } from '../backends/options.ts'
import { sub } from '../tensor/ops/arithmetic.ts'
import { stack } from '../tensor/ops/concat.ts'
import { abs } from '../tensor/ops/functions.ts'
import { mean } from '../tensor/ops/reduce.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { roleChannels } from './rule/channels.ts'
import type { Params, Rule } from './rule/types.ts'
import { takeRole } from './state.ts'
import { rollout } from './step.ts'

export type StillOptions = {
  /** Steps that are always taken, a whole number ≥ 0; default 10. */
  least?: number
  /** Steps after which it ends in any case, a whole number ≥ `least`; default 100. */
  most?: number
  /** A step counts as still if the mean |change| of the role is below this, a number ≥ 0; default 1e-2. */
  below?: number
  /** How many still steps in a row end the rollout, a whole number > 0; default 5. */
  patience?: number
  /** The channels that are looked at, default 'hidden'. */
  role?: string
}

const stillOptions = keysOf<StillOptions>({
  least: wholeFrom(0), most: later, below: numberFrom(0), patience: wholeFrom(1), role: text,
})

/**
 * Runs a rule until its cells stand still. It is not differentiable: which step is the last depends on the values.
 *
 * @param x the first state `[b,h,w,c]`
 * @returns the last state, exactly what `rollout` gives for as many steps, and the number of steps
 * @throws where the numbers do not fit together, or the rule has no such role
 * @example const { x, steps } = await rolloutUntilStill(rule, params, images, key(1), { most: 200, below: 1e-3 })
 */
export async function rolloutUntilStill<R extends Rule>(
  rule: R, params: Params<R>, x: Tensor, key: Key, options: StillOptions = {},
): Promise<{ x: Tensor; steps: number }> {
  const where = 'rolloutUntilStill'
  checkOptions(where, options, stillOptions)
  const { least = 10, most = 100, below = 1e-2, patience = 5, role = 'hidden' } = options
  requireTensor(where, 'the state', x)
  check(isWhole(most, least), where, 'most', most, `a whole number ≥ least, ${least}`)
  const [first, end] = roleChannels(rule.channels, role)
  check(end > first, where, 'the role', role, 'one that has channels')

  // The rollout cannot end before step `least`, so of the first steps only the last `patience` are examined.
  let steps = Math.max(0, least - patience)
  let now = steps > 0 ? rollout(rule, params, x, key, { steps }) : x
  let still = 0
  while (steps < most && still < patience) {
    const count = Math.min(patience, most - steps)
    const { states, changes } = scope(() => {
      const states = rollout(rule, params, now, key, {
        steps: count, from: steps, readouts: Array.from({ length: count }, (_, i) => i + 1),
      })
      const seen = [now, ...states].map(state => takeRole(rule, state, role))
      return { states, changes: stack(states.map((_, i) => mean(abs(sub(seen[i + 1], seen[i]))))) }
    }, where)
    const moved = await changes.data()
    let last = 0
    do still = moved[last++] < below ? still + 1 : 0
    while (last < count && still < patience)
    const next = states[last - 1]
    supersede([changes, states, ...(now === x ? [] : [now])], next, `was passed by ${where}()`)
    steps += last
    now = next
  }
  return { x: now, steps }
}
