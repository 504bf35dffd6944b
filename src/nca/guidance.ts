/**
 * Classifier-free guidance: a rule that was trained with and without its condition amplifies the effect of the condition
 * (Ho & Salimans, "Classifier-Free Diffusion Guidance", 2022; for growing digits Spitznagel & Keuper 2026, A.5).
 *
 *   s' = s'(∅) + γ (s'(c) − s'(∅))
 *
 * in every step, where s'(c) is the state after the update with the condition as it is, and s'(∅) after one with zeros in its
 * frozen channels, with the same firing cells and the same noise; the living mask and the bounds follow. γ = 1 is the rule itself,
 * γ = 0 ignores the condition, and γ > 1 amplifies it. (The authors' w is γ − 1.)
 *
 * The trainer's option `dropped` trains the rule without its condition.
 */
import { check, isNumber, isObject } from '../backends/options.ts'
import { scope } from '../tensor/lifetime.ts'
import { add, mul, sub } from '../tensor/ops/arithmetic.ts'
import { where } from '../tensor/ops/compare.ts'
import { customRule } from './rule/define.ts'
import { init } from './rule/parameters.ts'
import type { CustomRule, DataParams, DataRule } from './rule/types.ts'
import { frozenChannels, partsOf, settled } from './step.ts'
import { checkFrozenRole } from './tasks/conditional.ts'

/**
 * A rule guided by the condition in its frozen channels. It has the parameters of the given rule and runs composed, with two
 * updates in each step. A cascade can be made of it: `cascade(guided(rule, 3), stages)`.
 *
 * @param scale γ, a finite number ≥ 0
 * @param condition the frozen role of the condition; by default all frozen roles. A rule that denoises has others too
 * @throws where the rule is code, or has no such frozen channels
 * @example
 * const trainer = taskTrainer({ rule, task: conditionalTask(rule, targets), dropped: 0.2, ...rest })
 * const grown = rollout(guided(rule, 3), params, task.seeds([0]), key(0), { steps: 64 })
 */
export function guided(rule: DataRule, scale: number, condition?: string): CustomRule<DataParams> {
  check(isObject(rule) && rule.type === 'data', 'guided', 'the rule', rule, 'one of defineRule')
  check(rule.frozen.length > 0, 'guided', 'frozen', rule.frozen, 'at least one role, in which the rule is told something')
  check(isNumber(scale, 0), 'guided', 'scale', scale, 'a number ≥ 0')
  if (condition !== undefined) checkFrozenRole('guided', rule, condition)
  const { grid, channels } = rule
  const code = customRule<DataParams>({
    grid, channels,
    init: (k, placement) => init(rule, k, placement),
    step: (params, x, context) => {
      const told = partsOf(rule, params, x, context, 'needed')
      if (scale === 1) return told.after
      const frozen = frozenChannels(rule, x, condition)
      const without = scope(() => partsOf(rule, params, where(frozen, 0, x), context, 'needed').candidate)
      const more = add(without, mul(scale, sub(told.candidate, without)))
      return settled(rule, told.pre, where(frozen, x, more)).after
    },
  })
  return Object.freeze({ ...code, of: rule })
}
