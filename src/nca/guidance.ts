/**
 * Classifier-free guidance: a rule that was trained with and without what it is told does more of what it does because of it
 * (Ho & Salimans, "Classifier-Free Diffusion Guidance", 2022; for growing digits Spitznagel & Keuper 2026, A.5).
 *
 *   s' = s'(∅) + γ (s'(c) − s'(∅))
 *
 * in every step, where s'(c) is the state after the update with the frozen channels as they are, and s'(∅) the one with zeros in
 * them, of the same cells and with the same noise; then the living mask and bounds. With γ = 1 it is the rule itself, with
 * γ = 0 nothing is told, with more than 1 what is told counts for more. (The authors' w is γ − 1.)
 *
 * The rule learns to do without by the trainer's option `dropped`.
 */
import { check, isNumber, isObject } from '../backends/options.ts'
import { scope } from '../tensor/lifetime.ts'
import { add, mul, sub } from '../tensor/ops/arithmetic.ts'
import { where } from '../tensor/ops/compare.ts'
import { customRule } from './rule/define.ts'
import { init } from './rule/parameters.ts'
import type { CustomRule, DataParams, DataRule } from './rule/types.ts'
import { frozenChannels, partsOf, settled } from './step.ts'

/**
 * A rule, guided by what stands in its frozen channels. It has the parameters of the rule, and runs composed: two updates for
 * each step.
 *
 * @param scale γ, a finite number ≥ 0
 * @throws where the rule is code, or has no frozen channels
 * @example
 * const trainer = taskTrainer({ rule, task: conditionalTask(rule, targets), dropped: 0.2, ...rest })
 * const grown = rollout(guided(rule, 3), params, task.seeds([0]), key(0), { steps: 64 })
 */
export function guided(rule: DataRule, scale: number): CustomRule<DataParams> {
  check(isObject(rule) && rule.type === 'data', 'guided', 'the rule', rule, 'one of defineRule')
  check(rule.frozen.length > 0, 'guided', 'frozen', rule.frozen, 'at least one role, in which the rule is told something')
  check(isNumber(scale, 0), 'guided', 'scale', scale, 'a number ≥ 0')
  const { grid, channels } = rule
  return customRule<DataParams>({
    grid, channels,
    init: (k, placement) => init(rule, k, placement),
    step: (params, x, context) => {
      const told = partsOf(rule, params, x, context, 'needed')
      if (scale === 1) return told.after
      const frozen = frozenChannels(rule, x)
      const without = scope(() => partsOf(rule, params, where(frozen, 0, x), context, 'needed').candidate)
      const more = add(without, mul(scale, sub(told.candidate, without)))
      return settled(rule, told.pre, where(frozen, x, more)).after
    },
  })
}
