/**
 * Metrics: how good a result is, for people to read. They are not differentiable, but they are tensors all the same,
 * computed on any backend, and only code that prints them waits for `await x.data()`.
 *
 * For masks A and B, where | | counts cells:
 *
 *   dice        2 |A ∩ B| / (|A| + |B|)             iou   |A ∩ B| / |A ∪ B|
 *
 * Both are 1 for equal masks, and for two empty ones too; neither can exceed 1, because they count cells and do not add
 * up values. NaN never counts as good: comparisons with it are false, so it is in no mask; a cell with a NaN among its
 * scores belongs to no class; and the AUROC of scores with a NaN is NaN. For classes:
 *
 *   accuracy    the fraction of cells whose greatest score is at the right class
 *   agreement   whether all cells say the same class, be it right or wrong (`totalAgreement`)
 *   f1          2 TP / (2 TP + FP + FN), which is the Dice of the cells predicted to be of a class and those that are
 *   auroc       the probability that a random positive has a higher score than a random negative, ties half
 *
 * The last is the statistic of Mann & Whitney (1947). With all n scores sorted, of which the positives have the mean
 * rank r₊ and the negatives r₋,
 *
 *   auroc = ½ + (r₊ − r₋) / n
 *
 * Among equal scores, positives can be sorted last or first; the mean of both orders counts each tie as one half.
 */
import { add, div, maximum, mul, sub } from '../../tensor/ops/arithmetic.ts'
import { cast } from '../../tensor/ops/cast.ts'
import { and, equal, greater, greaterEqual, not, notEqual, or, where } from '../../tensor/ops/compare.ts'
import { ones, range } from '../../tensor/ops/create.ts'
import { putAlong, takeAlong } from '../../tensor/ops/gather.ts'
import { argMax, max, min } from '../../tensor/ops/reduce.ts'
import { argSort } from '../../tensor/ops/sort.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import { sum } from '../../tensor/ops/sum.ts'
import { floating, refuse, requireTensor } from '../../tensor/op.ts'
import { check, checkOptions, isWhole, keysOf, oneOf, type Kinds } from '../../backends/options.ts'
import { sameShape } from '../../tensor/shape.ts'
import { aTensor, type Tensor } from '../../tensor/tensor.ts'
import { checkScores, chosen, existing, labelsOf, voted } from './class-loss.ts'
import { checkMask, meanWhere, perSample, sampleAxes } from './loss.ts'

/** The number of cells over `axes` that are not 0, as float32. */
function count(mask: Tensor, axes: readonly number[]): Tensor {
  return sum(cast(notEqual(mask, 0), 'float32'), axes)
}

/** part / whole, and 1 where both are 0. */
function fraction(part: Tensor, whole: Tensor): Tensor {
  return where(equal(whole, 0), 1, div(part, maximum(whole, 1)))
}

function checkMasks(op: string, x: Tensor, target: Tensor): void {
  requireTensor(op, 'x', x)
  checkMask(op, 'x', x, x.shape)
  checkMask(op, 'the target', target, x.shape)
}

/**
 * The Dice coefficient of two masks, per sample.
 *
 * @param x,target masks of one shape, `[b,…]`, uint32
 * @returns `[b]`, from 0 to 1; 1 where both are empty
 * @throws where shapes differ, or for tensors that are not masks
 * @example dice(greater(p, 0.5), greater(target, 0.5))
 */
export function dice(x: Tensor, target: Tensor): Tensor {
  checkMasks('dice', x, target)
  return overlap(x, target, sampleAxes(x))
}

function overlap(a: Tensor, b: Tensor, axes: readonly number[]): Tensor {
  return fraction(mul(2, count(and(a, b), axes)), add(count(a, axes), count(b, axes)))
}

/**
 * Intersection over union (Jaccard index) of two masks, per sample: dice / (2 − dice). Otherwise like `dice`.
 *
 * @example iou(greater(takeRole(rule, x, 'output'), 0), masks)
 */
export function iou(x: Tensor, target: Tensor): Tensor {
  checkMasks('iou', x, target)
  const axes = sampleAxes(x)
  return fraction(count(and(x, target), axes), count(or(x, target), axes))
}

export type ClassMetricOptions = {
  /** The cells that count, a mask of the shape of the cells; all by default. */
  mask?: Tensor
}

const maskKinds: Kinds<ClassMetricOptions> = { mask: aTensor }
const classMetricOptions = keysOf<ClassMetricOptions>(maskKinds)

export type AccuracyOptions = ClassMetricOptions & {
  /** 'cell' (default): each cell is right or wrong; 'image': the whole image is, by the `vote` of its cells. */
  per?: 'cell' | 'image'
}

const accuracyOptions = keysOf<AccuracyOptions>({ ...maskKinds, per: oneOf(['cell', 'image']) })

/**
 * The class of an image by the vote of its cells: the class with the greatest mean score, as in `crossEntropy` per image.
 *
 * @param scores `[b,…,n]`
 * @returns `[b]`, int32; −1 where no cell counts, or one of those that do has a NaN
 * @throws where shapes or types do not fit
 * @example vote(takeRole(rule, x, 'classes'), { mask: seenCells(rule, x) })
 */
export function vote(scores: Tensor, options: ClassMetricOptions = {}): Tensor {
  checkOptions('vote', options, classMetricOptions)
  const { mask } = options
  checkScores('vote', 'the tensor of scores', scores)
  if (mask !== undefined) checkMask('vote', 'the mask', mask, scores.shape.slice(0, -1))
  const best = argMax(voted(scores, mask))
  return mask ? where(greater(count(mask, sampleAxes(mask)), 0), best, -1) : best
}

/**
 * The fraction of cells whose greatest score (the first of equals) is at the right class, per sample. A cell that has a
 * NaN among its scores is wrong.
 *
 * @param scores `[b,…,n]`: logits or probabilities, usually `[b,h,w,n]`
 * @param labels class numbers, int32 or uint32: `[b]`, one for all cells of a sample, or one for each cell, `[b,h,w]`
 * @returns `[b]`, from 0 to 1; 1 for a sample without a cell that counts, since none of them is wrong. Per image 1 or 0,
 *   and 0 for such a sample, since it has no vote
 * @throws where shapes or types do not fit, and for a label that is no class (on a GPU as `takeAlong` does)
 * @example accuracy(takeChannels(x, 10, 20), digits, { mask: ink })
 * @example mean(accuracy(takeChannels(x, 10, 20), digits, { mask: ink, per: 'image' }))
 */
export function accuracy(scores: Tensor, labels: Tensor, options: AccuracyOptions = {}): Tensor {
  checkOptions('accuracy', options, accuracyOptions)
  const { mask, per = 'cell' } = options
  checkScores('accuracy', 'the tensor of scores', scores)
  requireTensor('accuracy', 'the tensor of labels', labels)
  if (labels.dtype.startsWith('float')) refuse('accuracy', `labels are ${labels.dtype}, but must be int32 or uint32`)
  const classes = range(scores.shape.at(-1)!, { backend: scores.backend })
  if (per === 'image') {
    const said = reshape(vote(scores, { mask }), [-1, 1])
    const truth = labelsOf('accuracy', voted(scores, mask), labels)
    return cast(chosen('accuracy', equal(said, classes), truth), 'float32')
  }
  const truth = labelsOf('accuracy', scores, labels)
  if (mask !== undefined) checkMask('accuracy', 'the mask', mask, scores.shape.slice(0, -1))
  const right = chosen('accuracy', equal(argMax(scores, -1, { keepDims: true }), classes), truth, mask)
  if (mask === undefined) return perSample(cast(right, 'float32'))
  const axes = sampleAxes(right)
  return fraction(count(and(right, mask), axes), count(mask, axes))
}

/**
 * Whether all cells of an image say the same class, right or wrong: the total agreement of self-classifying digits (Randazzo et
 * al., "Self-classifying MNIST Digits", Distill 2020). Its mean is the fraction of images whose cells agree.
 *
 * @param scores `[b,…,n]`, logits or probabilities, usually `[b,h,w,n]`
 * @returns `[b]`, 1 or 0: 0 too where a cell that counts has a NaN among its scores, and 1 where no cell counts
 * @throws where shapes or types do not fit
 * @example mean(totalAgreement(takeRole(rule, x, 'classes'), { mask: seenCells(rule, x) }))
 */
export function totalAgreement(scores: Tensor, options: ClassMetricOptions = {}): Tensor {
  checkOptions('totalAgreement', options, classMetricOptions)
  const { mask } = options
  checkScores('totalAgreement', 'the tensor of scores', scores)
  if (mask !== undefined) checkMask('totalAgreement', 'the mask', mask, scores.shape.slice(0, -1))
  const said = argMax(scores)
  const axes = sampleAxes(said)
  const seen = (otherwise: number): Tensor => cast(mask ? where(mask, said, otherwise) : said, 'float32')
  const least = min(seen(scores.shape.at(-1)!), axes)
  return cast(and(greaterEqual(least, max(seen(-1), axes)), greaterEqual(least, 0)), 'float32')
}

/**
 * F1 of every class: the harmonic mean of precision and recall, over all samples and cells together. Its mean is macro F1.
 *
 * @param predicted class numbers of any shape, int32 or uint32, such as `argMax(scores)`; one that does not exist, like
 *   the −1 of scores with a NaN, is of no class
 * @param labels the right ones, of the same shape, from 0 to classes − 1; those of cells that do not count may be anything
 * @returns `[classes]`, from 0 to 1; 1 for a class that is neither predicted nor among the labels
 * @throws where shapes or types do not fit, and for a label that is no class (on a GPU as `takeAlong` does)
 * @example mean(f1(argMax(scores), labels, 10))
 */
export function f1(predicted: Tensor, labels: Tensor, classes: number, options: ClassMetricOptions = {}): Tensor {
  checkOptions('f1', options, classMetricOptions)
  const { mask } = options
  check(isWhole(classes, 1), 'f1', 'the number of classes', classes, 'a whole number > 0')
  for (const [name, x] of Object.entries({ predicted, labels })) {
    requireTensor('f1', name, x)
    if (x.dtype.startsWith('float')) refuse('f1', `${name} is ${x.dtype}, but must be int32 or uint32`)
  }
  if (!sameShape(predicted.shape, labels.shape)) refuse('f1', 'every prediction needs a label', { predicted, labels })
  if (mask !== undefined) checkMask('f1', 'the mask', mask, predicted.shape)
  const column = (x: Tensor): Tensor => reshape(x, [...x.shape, 1])
  const counted = (members: Tensor): Tensor => (mask ? and(members, column(mask)) : members)
  const said = equal(cast(column(predicted), 'int32'), range(classes, { backend: predicted.backend }))
  const truth = existing('f1', cast(column(labels), 'int32'), classes, mask)
  const are = putAlong(ones(truth.shape, { dtype: 'uint32', backend: truth.backend }), truth, -1, classes)
  return overlap(counted(said), counted(are), predicted.shape.map((_, i) => i))
}

/**
 * The area under the receiver operating characteristic, along the last axis. Only the order of the scores matters.
 *
 * @param scores `[…,n]`, floating, the higher the more likely positive
 * @param positive a mask of the same shape, uint32
 * @returns `[…]`: 1 where all positives are above all negatives, ½ for chance, 0 for the reverse; NaN where there are
 *   only positives or only negatives, and where a score is NaN
 * @throws where shapes or types do not fit
 * @example auroc(reshape(p, [-1]), reshape(greater(target, 0.5), [-1]))
 */
export function auroc(scores: Tensor, positive: Tensor): Tensor {
  floating('auroc', 'the tensor of scores', scores)
  checkMask('auroc', 'the mask of positives', positive, scores.shape)
  if (scores.shape.length === 0) refuse('auroc', 'the scores must be [n] or […,n]', { scores })
  const is = notEqual(positive, 0)
  const halves = [false, true].map(descending => rankGap(scores, is, descending))
  const area = add(0.5, div(add(halves[0], halves[1]), 2 * (scores.shape.at(-1) ?? 1)))
  const both = and(greater(sum(is, -1), 0), greater(sum(not(is), -1), 0))
  const ordered = equal(sum(notEqual(scores, scores), -1), 0) // only NaN differs from itself
  return where(and(both, ordered), area, NaN)
}

/** The mean rank of positives minus that of negatives, with positives sorted last (or first) among equal scores. */
function rankGap(scores: Tensor, positive: Tensor, positivesFirst: boolean): Tensor {
  // Sorting is stable: equal scores keep the order of the mask.
  const byMask = argSort(positive, -1, { descending: positivesFirst })
  const byScore = argSort(takeAlong(scores, byMask, -1))
  const sorted = takeAlong(takeAlong(positive, byMask, -1), byScore, -1)
  const rank = range(scores.shape.at(-1) ?? 0, { dtype: 'float32', backend: scores.backend })
  const meanRank = (mask: Tensor): Tensor => meanWhere(rank, mask, [mask.shape.length - 1])
  return sub(meanRank(sorted), meanRank(not(sorted)))
}
