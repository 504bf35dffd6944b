/**
 * Residual convolutions as plain ones: two convolutions side by side, one followed by σ and one of a single cell without, and a
 * matrix that reads both. A layer W that reads y = P·s + K₂·σ(K₁ ∗ s + b₁) + b₂ reads
 *
 *   y·W = [σ(K₁ ∗ s + b₁), P·s] · [K₂·W; W] + b₂·W
 *
 * so the network's first layer absorbs K₂ and b₂. All parts of the program are then sums over windows.
 */
import { add } from '../../tensor/ops/arithmetic.ts'
import { concat } from '../../tensor/ops/concat.ts'
import { dense } from '../../tensor/ops/dense.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import { leakySlope } from '../../tensor/ops/functions.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { conv } from '../perceptions/conv.ts'
import { isLearned } from '../perceptions/kinds.ts'
import type { DataParams, DataRule, Perception } from '../rule/types.ts'
import { learnedIn, rowsBy, times, type Reading } from './rows.ts'

/** The rule without residual convolutions. */
export function plain(rule: DataRule): DataRule {
  if (!isResidual(rule)) return rule
  return { ...rule, perceive: rule.perceive.flatMap(spelledOut) }
}

/** Whether a rule has residual convolutions. */
export function isResidual({ perceive }: DataRule): boolean {
  return perceive.some(part => spelledOut(part).length > 1)
}

function spelledOut(part: Perception): Perception[] {
  if (!isLearned(part) || part.type !== 'residualConv') return [part]
  const { outputs, size, dilation, activation } = part
  return [conv(outputs, { size, dilation, activation, slope: leakySlope, bias: true }), conv(outputs, { size: 1 })]
}

/** The parameters of the plain rule. */
export function plainParams(rule: DataRule, params: DataParams): DataParams {
  if (!isResidual(rule)) return params
  const { w1, b1, ...further } = params.update
  const perceive = learnedIn(rule, params).flatMap(({ part, own }): Readonly<Record<string, Tensor>>[] => {
    if (part.type !== 'residualConv') return [own]
    const { k1, b1, skip } = own
    return [{ kernel: k1, bias: b1 }, { kernel: reshape(skip, [...k1.shape.slice(0, -2).map(() => 1), ...skip.shape]) }]
  })
  const [w, b] = readingPlain(rule, params, [w1, b1])
  return { perceive, update: { ...further, w1: w, b1: b } }
}

/** Weights and bias of a layer that reads what the rule perceives, rewritten to read what the plain rule perceives. */
export function readingPlain(rule: DataRule, params: DataParams, [w, b]: Reading): Reading {
  if (!isResidual(rule)) return [w, b]
  const { filtered, parts } = rowsBy(rule, params, w), all = filtered ? [filtered] : []
  let bias = b
  for (const { part, own: { k2, b2 }, rows } of parts) {
    if (part.type === 'residualConv') {
      all.push(dense(k2, rows))
      bias = add(bias, times(b2, rows))
    }
    all.push(rows)
  }
  return [concat(all, 0), bias]
}
