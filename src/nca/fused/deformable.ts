/**
 * Deformable convolutions as fused rollouts compute them: what a cell sees at each tap that it moves stands beside what its filters
 * make, and what reads the convolution reads this by a matrix that is made once per rollout,
 *
 *   y·W = Σ_t m_t s(i + t + o_t)·(W_t·W) + bias·W
 */
import { ceilTo } from '../../backends/ceil-to.ts'
import type { Deformable as DeformableProgram } from '../../backends/program.ts'
import { add } from '../../tensor/ops/arithmetic.ts'
import { dense } from '../../tensor/ops/dense.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import type { Deformable } from '../perceptions/deformable.ts'
import { isLearned } from '../perceptions/kinds.ts'
import type { DataParams, DataRule } from '../rule/types.ts'
import { extend, inFours } from './extend.ts'
import { isDeformable } from './sight.ts'

/** Each deformable convolution of a rule, as a program has it. */
export function deformedIn(rule: DataRule): DeformableProgram[] {
  return rule.perceive.filter(isDeformable).map(({ size, reach, modulated }) => ({ size, reach, modulated }))
}

/** What `ProgramRunner` has behind its layers: what moves the taps of each, K `[taps·c,…]` and b. */
export function movingOf(rule: DataRule, { perceive }: DataParams): Tensor[] {
  return rule.perceive.filter(isLearned).flatMap((part, i) => {
    if (!isDeformable(part)) return []
    const { offsets, offsetBias } = perceive![i], taps = part.size ** 2
    return [reshape(inFours(reshape(chosen(offsets, taps), [taps, offsets.shape[2], -1])), [-1]), reshape(chosen(offsetBias, taps), [-1])]
  })
}

/** What cells choose: numbers down, to the right, and weights, each of all taps in whole fours, all of them in eights `[…,n]`. */
function chosen(t: Tensor, taps: number): Tensor {
  const each = inFours(reshape(t, [-1, t.shape.at(-1)! / taps, taps]), 2)
  const all = reshape(each, [each.shape[0], each.shape[1] * each.shape[2]])
  return extend(all, 1, ceilTo(all.shape[1], 8))
}

/**
 * The rows of a layer that read what a deformable convolution makes, and the bias, as those that read what its taps see.
 */
export function deformedRows(
  { size, outputs }: Deformable, { kernel, bias }: Readonly<Record<string, Tensor>>, w: Tensor, b: Tensor,
): [rows: Tensor, bias: Tensor] {
  const n = w.shape[1], taps = inFours(reshape(dense(kernel, w), [size * size, -1, n]))
  return [reshape(taps, [-1, n]), add(b, reshape(dense(reshape(bias, [1, outputs]), w), [n]))]
}
