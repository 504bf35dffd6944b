/**
 * Losses for classes and masks: how unlikely the truth is according to the cells. All take logits, scores from −∞ to ∞,
 * and turn them into probabilities themselves, so that it cannot happen twice.
 *
 *   crossEntropy   −Σ_i y_i log p_i,                        p = softmax(logits)
 *   bce            −(1 − y) log(1 − p) − y log p,           p = σ(logit)
 *   focalLoss      bce, each term times (1 − p of the truth)^γ
 *   diceLoss       Σ (p − y)² / (Σ p² + Σ y² + s)           p = σ(logits)
 *
 * Logarithms of probabilities are computed by `logSoftmax`, never as log(softmax): at a logit of −100, p underflows to 0 in
 * float32, but its logarithm is −100, not −∞. The binary case is that of two classes with logits 0 and x, since
 *
 *   softmax(0, x) = (1/(1 + e^x), e^x/(1 + e^x)) = (1 − σ(x), σ(x))
 *
 * so the derivative σ(x) − y is right at 0 too, where untrained automata begin; formulas with |x| and max(x, 0) have a
 * kink there.
 *
 * A probability of 0 has the logarithm −∞. Where the truth is 0 too, their product counts as 0: a selection leaves it out,
 * since 0·(−∞) is NaN. So an excluded class may have the logit −∞.
 *
 * The Dice coefficient of soft masks, with squares in the denominator (Milletari et al., "V-Net", 2016), is
 * (2 Σ py + s) / (Σ p² + Σ y² + s). One minus that is `diceLoss` above: a sum of squares divided by a larger sum,
 * so it lies within [0, 1] even after rounding. The smoothing s makes two empty masks equal.
 */
import { add, div, mul, neg, sub } from '../../tensor/ops/arithmetic.ts'
import { cast } from '../../tensor/ops/cast.ts'
import { and, equal, greater, notEqual, where } from '../../tensor/ops/compare.ts'
import { stack } from '../../tensor/ops/concat.ts'
import { zerosLike } from '../../tensor/ops/create.ts'
import { exp, sigmoid, square } from '../../tensor/ops/functions.ts'
import { takeAlong } from '../../tensor/ops/gather.ts'
import { logSoftmax, mean } from '../../tensor/ops/reduce.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import { broadcastTo } from '../../tensor/ops/broadcast.ts'
import { sum } from '../../tensor/ops/sum.ts'
import { floating, refuse, requireTensor } from '../../tensor/op.ts'
import { check, checkOptions, keysOf, numberAbove, numberFrom, oneOf } from '../../backends/options.ts'
import { aTensor, tensor, valuesOf, type Tensor } from '../../tensor/tensor.ts'
import { checkMask, checkTarget, meanWhere, perSample, sampleAxes } from './loss.ts'

export type CrossEntropyOptions = {
  /** The cells that count, a mask `[b,h,w]`; all by default. */
  mask?: Tensor
  /**
   * 'cell' (default): the loss of each cell, averaged; 'image': the loss of the mean of the cells' logits, as if the cells
   * voted.
   */
  per?: 'cell' | 'image'
}

const crossEntropyOptions = keysOf<CrossEntropyOptions>({ mask: aTensor, per: oneOf(['cell', 'image']) })

/**
 * Cross-entropy per sample: −log of the probability that the logits give to the right class. Adding a constant to all
 * logits of a cell changes nothing.
 *
 * @param logits `[b,…,n]`, usually `[b,h,w,n]`, for n classes
 * @param labels class numbers from 0 to n − 1, int32 or uint32: `[b]`, one for all cells of a sample, or one for each
 *   cell, `[b,h,w]`. Or probabilities, floating: `[b,n]` or `[b,h,w,n]`. Per image only `[b]` and `[b,n]`. Class
 *   numbers of cells that do not count may be anything
 * @returns `[b]`, ≥ 0; 0 for a sample without a cell that counts
 * @throws where shapes or types do not fit, and for a label that is no class (on a GPU as `takeAlong` does)
 * @example crossEntropy(takeChannels(x, 10, 20), digits, { mask: ink })                // self-classifying MNIST
 * @example crossEntropy(takeChannels(x, 10, 20), digits, { mask: ink, per: 'image' })
 */
export function crossEntropy(logits: Tensor, labels: Tensor, options: CrossEntropyOptions = {}): Tensor {
  checkOptions('crossEntropy', options, crossEntropyOptions)
  const { mask, per = 'cell' } = options
  checkScores('crossEntropy', 'the tensor of logits', logits)
  const lead = logits.shape.slice(0, -1)
  if (mask !== undefined) checkMask('crossEntropy', 'the mask', mask, lead)
  if (per === 'image') {
    const votes = mask && greater(sum(notEqual(mask, 0), sampleAxes(mask)), 0)
    return crossEntropy(voted(logits, mask), labels, { mask: votes })
  }

  const truth = labelsOf('crossEntropy', logits, labels)
  // Selected before anything is computed, so that a NaN in a cell that does not count reaches no gradient either.
  const likely = logSoftmax(mask ? where(reshape(mask, [...lead, 1]), logits, 0) : logits)
  const whole = truth.dtype === 'int32'
  const cost = neg(whole ? chosen('crossEntropy', likely, truth, mask) : sum(times(truth, likely), -1))
  return mask ? meanWhere(cost, mask, sampleAxes(cost)) : perSample(cost)
}

/** y log p, and 0 where both y and p are 0. */
function times(y: Tensor, logP: Tensor): Tensor {
  return mul(y, where(and(equal(y, 0), equal(logP, -Infinity)), 0, logP))
}

/** Mean over the cells that count: `[b,…,n]` → `[b,n]`. */
export function voted(logits: Tensor, mask?: Tensor): Tensor {
  const cells = sampleAxes(logits).slice(0, -1)
  return mask ? meanWhere(logits, reshape(mask, [...mask.shape, 1]), cells) : mean(logits, cells)
}

/** For each cell that counts the entry at its class, for the others that of class 0: `[b,…,n]` → `[b,…]`. */
export function chosen(op: string, x: Tensor, classes: Tensor, mask?: Tensor): Tensor {
  const lead = x.shape.slice(0, -1)
  return reshape(takeAlong(x, existing(op, broadcastTo(classes, [...lead, 1]), x.shape.at(-1)!, mask), -1), lead)
}

/**
 * Class numbers `[b,…,1]` of the cells that count, and 0 for the others. On a backend that can be read synchronously it
 * throws for a number that is not below n; on others the gather that uses the number as an index notices.
 */
export function existing(op: string, classes: Tensor, n: number, mask?: Tensor): Tensor {
  const at = mask ? where(reshape(mask, classes.shape), classes, 0) : classes
  const wrong = at.backend.readSync ? valuesOf(at).find(label => !(label >= 0 && label < n)) : undefined
  check(wrong === undefined, op, 'a label', wrong, `the number of a class, from 0 to ${n - 1}`)
  return at
}

/** Throws unless these are scores of at least one class for a batch, `[b,…,n]`. */
export function checkScores(op: string, name: string, scores: Tensor): void {
  floating(op, name, scores)
  if (scores.shape.length < 2 || scores.shape.at(-1) === 0) {
    refuse(op, `${name} must be [b,…,n] for n classes`, { scores })
  }
}

/**
 * The truth about scores `[b,…,n]` in a shape that broadcasts to theirs: class numbers as int32 with a last axis of
 * size 1, or probabilities with one of n. Labels given once for all cells of a sample get axes of size 1 for the cells.
 */
export function labelsOf(op: string, scores: Tensor, labels: Tensor): Tensor {
  requireTensor(op, 'the tensor of labels', labels)
  const lead = scores.shape.slice(0, -1)
  const whole = !labels.dtype.startsWith('float')
  const own = whole ? labels.shape : labels.shape.slice(0, -1)
  const fits = [1, lead.length].includes(own.length) && own.every((n, i) => n === lead[i])
  if (!fits || (!whole && labels.shape.at(-1) !== scores.shape.at(-1))) {
    const shapes = whole ? '[b] or that of the cells' : '[b,n] or that of the scores'
    const hint = whole ? '' : "Class numbers must be int32: tensor([3, 1], { dtype: 'int32' })."
    refuse(op, `the shape of ${labels.dtype} labels must be ${shapes}`, { scores, labels }, hint)
  }
  const last = whole ? 1 : labels.shape.at(-1) ?? 1
  const spread = reshape(labels, [...own, ...lead.slice(own.length).map(() => 1), last])
  return whole ? cast(spread, 'int32') : spread
}

/**
 * Binary cross-entropy per sample: the mean over entries of −log of the probability that the logit gives to the truth.
 *
 * @param logits `[b,…]`, where σ(logit) is the probability of a 1
 * @param target of the same shape, or that of one sample; probabilities from 0 to 1
 * @returns `[b]`, ≥ 0, finite for all finite logits; a logit of −∞ means certainly 0, one of +∞ makes NaN (`logSoftmax`)
 * @throws where shapes or types do not fit
 * @example mean(bce(takeChannels(x, 3, 4), cast(masks, 'float32')))
 */
export function bce(logits: Tensor, target: Tensor): Tensor {
  floating('bce', 'the tensor of logits', logits)
  checkTarget('bce', logits, target)
  floating('bce', 'the target', target)
  const likely = logSoftmax(stack([zerosLike(logits), logits], -1))
  const truth = stack([sub(1, target), target], -1)
  return mul(-2, perSample(times(truth, likely))) // −2, because the mean is over both classes too
}

export type DiceLossOptions = {
  /** What is added to the size of both masks, a number > 0; default 1 (one cell). */
  smooth?: number
}

const diceLossOptions = keysOf<DiceLossOptions>({ smooth: numberAbove(0) })

/**
 * One minus the soft Dice coefficient of a mask, per sample: 0 for the same mask, near 1 for masks without overlap. It does
 * not depend on the number of cells outside both masks, so a small mask in a large image counts fully.
 *
 * @param logits `[b,…]`, where σ(logit) is the probability that a cell is inside
 * @param target of the same shape, or that of one sample; from 0 to 1
 * @returns `[b]`, within [0, 1]
 * @throws where shapes or types do not fit
 * @example mean(diceLoss(takeChannels(x, 3, 4), cast(masks, 'float32')))
 */
export function diceLoss(logits: Tensor, target: Tensor, options: DiceLossOptions = {}): Tensor {
  checkOptions('diceLoss', options, diceLossOptions)
  const { smooth = 1 } = options
  floating('diceLoss', 'the tensor of logits', logits)
  checkTarget('diceLoss', logits, target)
  const p = sigmoid(logits)
  const y = broadcastTo(target, logits.shape)
  const total = (x: Tensor): Tensor => sum(x, sampleAxes(x))
  return div(total(square(sub(p, y))), add(add(total(square(p)), total(square(y))), smooth))
}

export type FocalOptions = {
  /** γ, a number ≥ 0: the greater it is, the less do entries count that are already right; default 2. 0 is cross-entropy. */
  gamma?: number
  /** α, the weight of entries that are 1, from 0 to 1; that of the others is 1 − α. Null, the default: every weight is 1. */
  alpha?: number | null
}

const focalOptions = keysOf<FocalOptions>({
  gamma: numberFrom(0), alpha: { fits: x => x === null || numberFrom(0, 1).fits(x), expected: 'null, or a number from 0 to 1' },
})

/**
 * Focal loss per sample: binary cross-entropy in which an entry counts less the more probable its truth already is, so that the
 * few cells of an object are not outweighed by the many of the background.
 *
 *   −α (1 − p)^γ y log p − (1 − α) p^γ (1 − y) log(1 − p),     p = σ(logit)
 *
 * (Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, equation 5, with α = ¼ and γ = 2.) Powers are computed from
 * the logarithms of probabilities, e^(γ log p), so that they are right at any logit.
 *
 * @param logits `[b,…]`, where σ(logit) is the probability of a 1
 * @param target of the same shape, or that of one sample; probabilities from 0 to 1
 * @returns `[b]`, ≥ 0, the mean over entries
 * @throws where shapes or types do not fit
 * @example mean(focalLoss(takeChannels(x, 3, 4), cast(masks, 'float32'), { alpha: 0.25 }))
 */
export function focalLoss(logits: Tensor, target: Tensor, options: FocalOptions = {}): Tensor {
  checkOptions('focalLoss', options, focalOptions)
  const { gamma = 2, alpha = null } = options
  floating('focalLoss', 'the tensor of logits', logits)
  checkTarget('focalLoss', logits, target)
  floating('focalLoss', 'the target', target)
  const none = zerosLike(logits)
  const likely = logSoftmax(stack([none, logits], -1))
  const truth = stack([sub(1, target), target], -1)
  const open = gamma === 0 ? 1 : exp(mul(gamma, logSoftmax(stack([logits, none], -1))))
  const weights = alpha === null ? 1 : tensor([1 - alpha, alpha], { like: logits })
  return mul(-2, perSample(mul(weights, mul(open, times(truth, likely))))) // −2 as in `bce`
}

export type DiceBceOptions = DiceLossOptions & {
  /** The weight of the cross-entropy relative to the Dice loss, a number ≥ 0; default 1. */
  weight?: number
}

const diceBceOptions = keysOf<DiceBceOptions>({ smooth: numberAbove(0), weight: numberFrom(0) })

/**
 * The sum of Dice loss and binary cross-entropy: the first measures the overlap even of a small mask, the second has a gradient
 * where nothing overlaps (Isensee et al., "nnU-Net", 2021; Med-NCA). Arguments as for `diceLoss`.
 *
 * @returns `[b]`, ≥ 0
 * @throws where shapes or types do not fit
 * @example imageToImageTask(rule, { inputs, outputs }, { loss: (y, mask) => diceBce(y, mask) })
 */
export function diceBce(logits: Tensor, target: Tensor, options: DiceBceOptions = {}): Tensor {
  checkOptions('diceBce', options, diceBceOptions)
  const { weight = 1, ...rest } = options
  return add(diceLoss(logits, target, rest), mul(weight, bce(logits, broadcastTo(target, logits.shape))))
}
