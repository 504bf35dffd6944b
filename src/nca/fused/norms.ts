/**
 * The hidden layers of a rule's network as a program has them, norms among them.
 *
 * A layer of a program can have a norm of its sums. What is perceived is no sum, so where that goes through a norm, one more
 * layer stands in front of the network and makes it of itself: linear, with the weights of the unit matrix, and so exactly, its
 * numbers in the order in which groups of them are neighbours.
 */
import type { Applied } from '../../backends/program.ts'
import { zeros } from '../../tensor/ops/create.ts'
import { eye } from '../../tensor/ops/one-hot.ts'
import { hasNorm, type MlpParams } from '../mlp.ts'
import { perceptionSize } from '../rule/parameters.ts'
import type { DataParams, DataRule } from '../rule/types.ts'

/** The rule with that layer, where its network has a norm of what is perceived. Only programs are made of it. */
export function fronted(rule: DataRule): DataRule {
  const { update } = rule
  return hasNorm(update, 0) ? { ...rule, update: { ...update, hidden: [perceptionSize(rule), ...update.hidden] } } : rule
}

/** Its parameters: each further layer has the next number. */
export function frontedParams(rule: DataRule, params: DataParams): DataParams {
  if (!hasNorm(rule.update, 0)) return params
  const like = params.update.w1, [n] = like.shape
  const further = Object.entries(params.update).map(([name, t]) => [name.replace(/\d+$/, i => `${Number(i) + 1}`), t])
  return { ...params, update: { ...Object.fromEntries(further) as MlpParams, w1: eye(n, { like }), b1: zeros([n], { like }) } }
}

/** A hidden layer: whether it adds the one before it, or what is perceived, and the groups of its norm, 0 without. */
export type Hidden = Applied & { readonly outputs: number; readonly adds: boolean; readonly groups: number }

/** Those of a rule that `fronted` has seen. */
export function hiddenLayers(rule: DataRule): Hidden[] {
  const { hidden, residual, norm, activation, slope } = rule.update
  return hidden.map((outputs, i) => {
    const isFront = i === 0 && hasNorm(rule.update, 0)
    return {
      outputs, slope,
      activation: isFront ? 'linear' : activation,
      adds: residual && !isFront && outputs === (i === 0 ? perceptionSize(rule) : hidden[i - 1]),
      groups: isFront || hasNorm(rule.update, 1) ? norm!.groups : 0,
    }
  })
}
