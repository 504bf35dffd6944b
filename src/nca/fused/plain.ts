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
import { slice } from '../../tensor/ops/pad-slice.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import { leakySlope } from '../../tensor/ops/functions.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { conv } from '../perceptions/conv.ts'
import { isLearned, type Learned } from '../perceptions/kinds.ts'
import { partSize } from '../rule/parameters.ts'
import type { DataParams, DataRule, Perception } from '../rule/types.ts'

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
  const perceive = learnedOf(rule).flatMap((part, i): Readonly<Record<string, Tensor>>[] => {
    if (part.type !== 'residualConv') return [params.perceive![i]]
    const { k1, b1, skip } = params.perceive![i]
    return [{ kernel: k1, bias: b1 }, { kernel: reshape(skip, [...k1.shape.slice(0, -2).map(() => 1), ...skip.shape]) }]
  })
  const [w, b] = readingPlain(rule, params, [w1, b1])
  return { perceive, update: { ...further, w1: w, b1: b } }
}

/** Weights and bias of a layer that reads what the rule perceives, rewritten to read what the plain rule perceives. */
export function readingPlain(
  rule: DataRule, { perceive }: DataParams, [w, b]: readonly [Tensor, Tensor],
): readonly [w: Tensor, b: Tensor] {
  if (!isResidual(rule)) return [w, b]
  const [size, n] = w.shape
  const others = learnedOf(rule).map((part, i) => ({ part, i })).filter(({ part }) => part.type !== 'depthwise')
  let row = size - others.reduce((sum, { part }) => sum + partSize(rule, part), 0)
  const rows = row > 0 ? [slice(w, [0, 0], [row, n])] : []
  let bias = b
  for (const { part, i } of others) {
    const own = slice(w, [row, 0], [partSize(rule, part), n])
    row += partSize(rule, part)
    if (part.type === 'residualConv') {
      const { k2, b2 } = perceive![i]
      rows.push(dense(k2, own))
      bias = add(bias, reshape(dense(reshape(b2, [1, -1]), own), [n]))
    }
    rows.push(own)
  }
  return [concat(rows, 0), bias]
}

const learnedOf = (rule: DataRule): Learned[] => rule.perceive.filter(isLearned)
