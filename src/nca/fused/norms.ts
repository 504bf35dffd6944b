/**
 * The hidden layers of a rule's network in the form of a program, with their norms.
 *
 * A layer of a program can normalise its sums. What is perceived is no sum of a layer, so where the network normalises it, one
 * more layer is put in front: linear, with the identity matrix as its weights and therefore exact, its outputs ordered so that
 * those of a group are neighbours.
 */
import type { Applied } from '../../backends/program.ts'
import { zeros } from '../../tensor/ops/create.ts'
import { eye } from '../../tensor/ops/one-hot.ts'
import { hasNorm, type MlpParams } from '../mlp.ts'
import { perceptionSize } from '../rule/parameters.ts'
import type { DataParams, DataRule } from '../rule/types.ts'

/** The rule with that layer, where its network normalises what is perceived. It serves only to make programs. */
export function fronted(rule: DataRule): DataRule {
  const { update } = rule
  return hasNorm(update, 0) ? { ...rule, update: { ...update, hidden: [perceptionSize(rule), ...update.hidden] } } : rule
}

/** The parameters of the rule with that layer: the number of every other layer grows by one. */
export function frontedParams(rule: DataRule, params: DataParams): DataParams {
  if (!hasNorm(rule.update, 0)) return params
  const like = params.update.w1, [n] = like.shape
  const further = Object.entries(params.update).map(([name, t]) => [name.replace(/\d+$/, i => `${Number(i) + 1}`), t])
  return { ...params, update: { ...Object.fromEntries(further) as MlpParams, w1: eye(n, { like }), b1: zeros([n], { like }) } }
}

/** A hidden layer: whether it adds its input (the layer before it or the perception), and the groups of its norm, 0 for none. */
export type Hidden = Applied & { readonly outputs: number; readonly adds: boolean; readonly groups: number }

/** The hidden layers of a rule that `fronted` returned. */
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
