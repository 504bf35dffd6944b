/**
 * Depth: a loss that does not depend on the scale of the scene, and the metrics by which depth is reported.
 *
 *   scaleInvariant   mean d² − λ (mean d)²,   d = log x − log y        (Eigen, Puhrsch & Fergus, NIPS 2014, equation 4)
 *   absRel           mean |x − y| / y
 *   depthDelta       the fraction of cells with max(x/y, y/x) < 1.25   (δ₁)
 *
 * With λ = 1 the loss is the variance of d: a factor common to all depths costs nothing. All are means over the cells that
 * count; a mask leaves out those whose true depth y is not known.
 */
import { abs, log, square } from '../../tensor/ops/functions.ts'
import { div, mul, sub } from '../../tensor/ops/arithmetic.ts'
import { cast } from '../../tensor/ops/cast.ts'
import { and, less, where } from '../../tensor/ops/compare.ts'
import { broadcastTo } from '../../tensor/ops/broadcast.ts'
import { floating } from '../../tensor/op.ts'
import { checkOptions, keysOf, numberAbove, numberFrom } from '../../backends/options.ts'
import { aTensor, type Tensor } from '../../tensor/tensor.ts'
import { checkMask, checkTarget, meanWhere, perSample, sampleAxes } from './loss.ts'

export type DepthOptions = {
  /** The entries whose depth is known, a mask of the shape of x; all by default. */
  mask?: Tensor
}

export type ScaleInvariantOptions = DepthOptions & {
  /** λ, from 0 to 1: 0 is the mean square of the logarithms, 1 leaves the scale free; default ½, as published. */
  lambda?: number
}

export type DepthDeltaOptions = DepthOptions & {
  /** The factor by which a depth may be off, a number > 1; default 1.25, δ₁. δ₂ has 1.25², δ₃ 1.25³. */
  ratio?: number
}

const depthOptions = keysOf<DepthOptions>({ mask: aTensor })
const scaleInvariantOptions = keysOf<ScaleInvariantOptions>({ mask: aTensor, lambda: numberFrom(0, 1) })
const depthDeltaOptions = keysOf<DepthDeltaOptions>({ mask: aTensor, ratio: numberAbove(1) })

/**
 * The scale-invariant loss of depth per sample.
 *
 * @param logDepth `[b,…]`, the logarithms of the predicted depths, so that the 0 of an untrained automaton means a depth of 1
 * @param depth of the same shape, or that of one sample; numbers > 0 where they count
 * @returns `[b]`, ≥ 0 up to rounding; 0 for a sample without an entry that counts
 * @throws where shapes or types do not fit
 * @example imageToImageTask(rule, pairs, { loss: (y, depth) => scaleInvariant(y, depth, { mask: greater(depth, 0) }) })
 */
export function scaleInvariant(logDepth: Tensor, depth: Tensor, options: ScaleInvariantOptions = {}): Tensor {
  checkOptions('scaleInvariant', options, scaleInvariantOptions)
  const { mask, lambda = 0.5 } = options
  const [y, average] = known('scaleInvariant', logDepth, depth, mask)
  const d = sub(logDepth, log(y))
  return sub(average(square(d)), mul(lambda, square(average(d))))
}

/**
 * The mean relative error of depth per sample, |x − depth| / depth (abs-rel, as in Eigen et al. 2014).
 *
 * @param x `[b,…]`, depths
 * @param depth of the same shape, or that of one sample; numbers > 0 where they count
 * @returns `[b]`, ≥ 0; 0 for a sample without an entry that counts
 * @throws where shapes or types do not fit
 * @example absRel(exp(takeRole(rule, x, 'depth')), truth, { mask: greater(truth, 0) })
 */
export function absRel(x: Tensor, depth: Tensor, options: DepthOptions = {}): Tensor {
  checkOptions('absRel', options, depthOptions)
  const [y, average] = known('absRel', x, depth, options.mask)
  return average(div(abs(sub(x, y)), y))
}

/**
 * The fraction of entries whose depth is right up to a factor, per sample (δ₁ with 1.25, as in Eigen et al. 2014). A depth that is NaN,
 * or not above 0, is wrong.
 *
 * @param x `[b,…]`, depths
 * @param depth of the same shape, or that of one sample; numbers > 0 where they count
 * @returns `[b]`, within [0, 1]; 0 for a sample without an entry that counts
 * @throws where shapes or types do not fit
 * @example depthDelta(exp(takeRole(rule, x, 'depth')), truth, { mask: greater(truth, 0) })
 */
export function depthDelta(x: Tensor, depth: Tensor, options: DepthDeltaOptions = {}): Tensor {
  checkOptions('depthDelta', options, depthDeltaOptions)
  const { mask, ratio = 1.25 } = options
  const [y, average] = known('depthDelta', x, depth, mask)
  return average(cast(and(less(x, mul(ratio, y)), less(y, mul(ratio, x))), x.dtype))
}

/** The true depths in the shape of x, 1 where they do not count, and the mean over those that do, `[b,…]` → `[b]`. */
function known(name: string, x: Tensor, depth: Tensor, mask?: Tensor): [Tensor, (x: Tensor) => Tensor] {
  floating(name, 'x', x)
  checkTarget(name, x, depth)
  const y = broadcastTo(depth, x.shape)
  if (mask === undefined) return [y, perSample]
  checkMask(name, 'the mask', mask, x.shape)
  return [where(mask, y, 1), values => meanWhere(values, mask, sampleAxes(x))]
}
