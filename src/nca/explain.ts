/**
 * explain: what a rule computes, and how, in words.
 */
import type { Backend } from '../backends/backend.ts'
import { sizeOf } from '../tensor/shape.ts'
import { defaultBackend, type Tensor } from '../tensor/tensor.ts'
import { whyComposed, whyStateComposed } from './fused/eligible.ts'
import { activationInWords, type Norm } from './mlp.ts'
import { isLearned, kindOf } from './perceptions/kinds.ts'
import { channelCount, updatedChannels } from './rule/channels.ts'
import { paramShapes, perceptionSize } from './rule/parameters.ts'
import type { DataRule, Params, Perception, Rule } from './rule/types.ts'
import { dataRuleOf } from './rule/define.ts'
import { checkState } from './run-options.ts'

/**
 * What a rule computes, and which path its rollouts take: 'fused', run as a whole, or 'composed' of operators, and why.
 *
 * @param rule any rule; without `params` and `x` the answer is for its float32 rollouts on a backend, by default the CPU
 * @param params,x the arguments of a rollout: then the answer is for this rollout
 * @throws where the parameters or the state are not those of the rule, as `rollout` does
 * @example explain(growingRule)   // 'fused: identity, sobelX, sobelY (zero padding) → 48 → 128 ReLU → 16, …'
 * @example explain(rule, params, x)   // 'composed of operators, because its state is float64: …'
 */
export function explain(rule: Rule, backend?: Backend): string
export function explain<R extends Rule>(rule: R, params: Params<R>, x: Tensor): string
export function explain(rule: Rule, given: unknown = defaultBackend, x?: Tensor): string {
  if (x !== undefined) checkState('explain', rule, given, x)
  const why = x ? whyStateComposed(rule, x) : whyComposed(rule, given as Backend)
  const path = why === null ? 'fused' : `composed of operators, because ${why}`
  const said = dataRuleOf(rule)
  return `${path}: ${said ? inWords(said) : `${channelCount(rule.channels)} channels.`}`
}

function inWords(rule: DataRule): string {
  const { perceive, update, fireRate, living, inputMask, noise, bound, padding, frozen, stepSize, grid, head } = rule
  const weights = Object.values(paramShapes(rule)).reduce((sum, shape) => sum + sizeOf(shape), 0)
  const hidden = update.hidden.map(n => `${n} ${activationInWords(update.activation, update.slope)}`).join(' → ')
  return [
    `${perceive.map(part => partInWords(part, grid)).join(', ')} (${padding} padding${grid === 2 ? '' : `, ${grid}-D`})`
      + ` → ${perceptionSize(rule)} → ${hidden} → ${updatedChannels(rule).length}, ${weights} parameters.`,
    ...(update.norm === null ? [] : [normInWords(update.norm)]),
    ...(update.residual ? ['Hidden layers are residual.'] : []),
    ...(update.lastActivation === 'linear' ? [] : [`Changes go through ${activationInWords(update.lastActivation, update.slope)}.`]),
    ...(stepSize === 1 ? [] : [`Changes are multiplied by ${stepSize}.`]),
    fireRate < 1 ? `Cells fire with probability ${fireRate};` : 'Every cell fires;',
    ...(inputMask ? [`only those with channel ${inputMask.channel} > ${inputMask.above};`] : []),
    livingInWords(living),
    ...(noise ? [`Noise of ${noise.std} on the ${noise.on}.`] : []),
    ...(bound ? [bound.type === 'tanh' ? 'tanh after each step.' : `Clamped to ${bound.low} … ${bound.high}.`] : []),
    ...(head ? [`A head of ${head.network.hidden.join(' and ')} units makes ${head.outputs} ${head.outputs === 1 ? 'number' : 'numbers'} of the mean of the cells.`] : []),
    ...(frozen.length > 0 ? [`Frozen: ${frozen.join(', ')}.`] : []),
  ].join(' ')
}

function normInWords({ on, groups }: Norm): string {
  const where = { perception: 'what is perceived', hidden: 'sums of hidden layers', both: 'what is perceived and sums of hidden layers' }[on]
  return `Layer norm of ${where}${groups === 1 ? '' : `, in ${groups} groups`}.`
}

function livingInWords(living: DataRule['living']): string {
  if (!living) return 'all cells live.'
  const strong = `channel ${living.channel} > ${living.above}`
  return living.when === 'both'
    ? `cells further than 2 from ${strong} are skipped, those further than 1 are zeroed.`
    : `cells further than 1 from ${strong} after the step are zeroed.`
}

function partInWords(part: Perception, grid: DataRule['grid']): string {
  if (isLearned(part)) return kindOf(part).words(part, grid)
  return typeof part === 'string' ? part : `${part.factor} ${part.name}`
}
