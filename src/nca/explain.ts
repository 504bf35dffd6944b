/**
 * explain: what a rule computes, and how, in words.
 */
import type { Backend } from '../backends/backend.ts'
import { sizeOf } from '../tensor/shape.ts'
import { defaultBackend } from '../tensor/tensor.ts'
import { whyComposed } from './fused.ts'
import { channelCount, paramShapes, perceptionSize, updatedChannels } from './rule.ts'
import type { Activation, DataRule, Perception, Rule } from './rule.ts'

const activationNames: Readonly<Record<Activation, string>> = {
  relu: 'ReLU', leakyRelu: 'leaky ReLU', tanh: 'tanh', sigmoid: 'sigmoid', linear: 'linear',
}

/**
 * What a rule computes, and which path its float32 rollouts take on a backend: 'fused', as a whole, or 'composed', out
 * of operators, and why.
 *
 * @example explain(growingRule)   // 'fused: identity, sobelX, sobelY (zero padding) → 48 → 128 ReLU → 16, …'
 */
export function explain(rule: Rule, backend: Backend = defaultBackend): string {
  const why = whyComposed(rule, backend)
  const path = why === null ? 'fused' : `composed of operators, because ${why}`
  return `${path}: ${rule.type === 'custom' ? `${channelCount(rule.channels)} channels.` : inWords(rule)}`
}

function inWords(rule: DataRule): string {
  const { perceive, update: { hidden, activation }, fireRate, living, padding, frozen } = rule
  const weights = Object.values(paramShapes(rule)).reduce((sum, shape) => sum + sizeOf(shape), 0)
  return [
    `${perceive.map(partInWords).join(', ')} (${padding} padding) → ${perceptionSize(rule)}`
      + ` → ${hidden} ${activationNames[activation]} → ${updatedChannels(rule).length}, ${weights} parameters.`,
    fireRate < 1 ? `Cells fire with probability ${fireRate};` : 'Every cell fires;',
    living
      ? `cells further than 2 from channel ${living.channel} > ${living.above} are skipped, `
        + 'those further than 1 are zeroed.'
      : 'all cells live.',
    ...(frozen.length > 0 ? [`Frozen: ${frozen.join(', ')}.`] : []),
  ].join(' ')
}

function partInWords(part: Perception): string {
  if (typeof part === 'string') return part
  const size = `${part.size}×${part.size}`
  return part.type === 'conv'
    ? `a learned ${size} convolution to ${part.outputs}`
    : `${part.filters} learned ${size} ${part.filters === 1 ? 'filter' : 'filters'} per channel`
}
