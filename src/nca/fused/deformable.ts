/**
 * Deformable convolutions as fused rollouts compute them. What a cell sees at each of its moved taps is perceived directly, beside
 * what its filters make, and the layer W that reads the convolution reads it by a matrix that is computed once per rollout,
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
import type { DataParams, DataRule } from '../rule/types.ts'
import { extend, inFours } from './extend.ts'
import { learnedIn, times } from './rows.ts'
import { isDeformable } from './sight.ts'

/** The deformable convolutions of a rule in the form of a program. */
export function deformedIn(rule: DataRule): DeformableProgram[] {
  return rule.perceive.filter(isDeformable).map(({ size, reach, modulated }) => ({ size, reach, modulated }))
}

/** The deformable part of the arrays of `ProgramRunner`, after its layers: what moves the taps of each, K `[taps·c,…]` and b. */
export function movingOf(rule: DataRule, params: DataParams): Tensor[] {
  return learnedIn(rule, params).flatMap(({ part, own: { offsets, offsetBias } }) => {
    if (!isDeformable(part)) return []
    const taps = part.size ** 2
    return [reshape(inFours(reshape(chosen(offsets, taps), [taps, offsets.shape[2], -1])), [-1]), reshape(chosen(offsetBias, taps), [-1])]
  })
}

/**
 * What cells choose, `[…,n]`: for all taps the offsets down, those to the right, and the weights, each padded to a multiple of
 * four, the whole to a multiple of eight.
 */
function chosen(t: Tensor, taps: number): Tensor {
  const each = inFours(reshape(t, [-1, t.shape.at(-1)! / taps, taps]), 2)
  const all = reshape(each, [each.shape[0], each.shape[1] * each.shape[2]])
  return extend(all, 1, ceilTo(all.shape[1], 8))
}

/**
 * The rows of a layer that read the output of a deformable convolution, and the bias, rewritten to read what its taps see.
 */
export function deformedRows(
  { size }: Deformable, { kernel, bias }: Readonly<Record<string, Tensor>>, w: Tensor, b: Tensor,
): [rows: Tensor, bias: Tensor] {
  const n = w.shape[1], taps = inFours(reshape(dense(kernel, w), [size * size, -1, n]))
  return [reshape(taps, [-1, n]), add(b, times(bias, w))]
}
