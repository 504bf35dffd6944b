/**
 * observe: watch every step of a rollout, for instance its loss or its living cells, without keeping the states.
 *
 *   s_(t+1) = step(s_t)          seen_t = look(s_t, t)
 *
 * A state is released as soon as it has been looked at. So a curve over T steps costs T numbers and one state. The rollout is
 * cut into parts, each of which a backend may run fused, and ends with the same bits as one rollout. What is seen can be
 * differentiated, with memory that grows like √T (`scan`).
 */
import { scan } from '../autograd/scan.ts'
import { callable, checkFunction, checkOptions, keysOf, later, required, wholeFrom } from '../backends/options.ts'
import type { Key } from '../tensor/key.ts'
import { refusePromise } from '../tensor/lifetime.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Params, Rule } from './rule/types.ts'
import { mostSteps, type RolloutOptions } from './run-options.ts'
import { rollout } from './step.ts'

export type ObserveOptions = Pick<RolloutOptions, 'angle' | 'inputs' | 'from'> & {
  /** How many steps, a whole number from 1 to 1,000,000. */
  steps: number
  /** `look` is called after every `every` steps, a whole number > 0, and after the last; default 1. */
  every?: number
}

const observeOptions = keysOf<ObserveOptions>({
  steps: required(wholeFrom(1, mostSteps)), every: wholeFrom(1), angle: later, inputs: callable, from: wholeFrom(0),
})

/**
 * Runs a rule as `rollout` does, and looks at the states on the way.
 *
 * @param x the first state `[b,h,w,c]`
 * @param look from the state `[b,h,w,c]` after t steps of this rollout to what should be kept: tensors, a tree of them, or values
 *   read from them; called twice when it is differentiated
 * @returns the last state, and what was seen, in order
 * @throws where `rollout` would, and where `look` returns a promise
 * @example
 * const [grown, losses] = observe(rule, params, x, key(1), s => mean(mse(rgba(s), target)), { steps: 2000 })
 * const curve = await stack(losses).data()
 * @example observe(rule, params, x, key(1), s => sum(cast(alive(rule, s)!, 'float32')), { steps: 500, every: 10 })
 */
export function observe<R extends Rule, Y>(
  rule: R, params: Params<R>, x: Tensor, key: Key, look: (x: Tensor, t: number) => Y, options: ObserveOptions,
): [Tensor, Y[]] {
  checkOptions('observe', options, observeOptions)
  checkFunction('observe', 'look', look)
  const { steps, every = 1, angle, inputs, from = 0 } = options
  const starts = Array.from({ length: Math.ceil(steps / every) }, (_, i) => i * every)
  return scan((now: Tensor, start: number) => {
    const end = Math.min(start + every, steps)
    const next = rollout(rule, params, now, key, { steps: end - start, from: from + start, angle, inputs })
    return [next, refusePromise(look(next, end), 'look of observe()')] as const
  }, x, starts)
}
