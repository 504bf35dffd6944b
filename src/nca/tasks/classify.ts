/**
 * Self-classification: every cell of an image learns from its neighbours the class of the whole image (Randazzo et al.,
 * "Self-classifying MNIST Digits", Distill 2020; Spitznagel & Keuper 2026, algorithm 3).
 *
 * The image is in frozen channels, and all other channels begin at zero. Only visible cells count, those that the rule's input
 * mask lets update; t is the label as a one-hot vector.
 *
 *   'mse'      ½ Σ over cells and classes of (x − t)²                            (Randazzo et al.)
 *   'mean'     the mean over all cells, even invisible ones, and classes of (x − t)²   (Spitznagel & Keuper, equation 7)
 *   'cells'    the mean over cells of the cross-entropy of their class channels
 *   'image'    the cross-entropy of the mean of the cells' class channels: they vote
 *   'head'     the cross-entropy of the output of the rule's head (`readHead`); the rule needs no class channels
 */
import { check, checkOptions, isWhole, keysOf, oneOf, text } from '../../backends/options.ts'
import { mul, sub } from '../../tensor/ops/arithmetic.ts'
import { cast } from '../../tensor/ops/cast.ts'
import { equal, where } from '../../tensor/ops/compare.ts'
import { ones, range } from '../../tensor/ops/create.ts'
import { square } from '../../tensor/ops/functions.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import { sum } from '../../tensor/ops/sum.ts'
import { placementKinds, tensor, type Placement, type Tensor } from '../../tensor/tensor.ts'
import { crossEntropy } from '../losses/class-loss.ts'
import { perSample, sampleAxes } from '../losses/loss.ts'
import { readHead } from '../head.ts'
import { roleChannels } from '../rule/channels.ts'
import type { DataParams, DataRule } from '../rule/types.ts'
import { takeRole } from '../state.ts'
import { exceeds } from '../step.ts'
import type { Task } from '../training/trainer-options.ts'
import { checkFrozenRole } from './conditional.ts'
import { checkExamples, pick, statesOf, type Examples } from './examples.ts'

export type ClassificationOptions = Omit<Placement, 'like'> & {
  /** The frozen role of the image, default 'image'. */
  image?: string
  /** The role of the classes, default 'classes'; not used with the loss 'head'. */
  classes?: string
  /** The loss, see the top of this file: 'mse', 'mean', 'cells' (default), 'image' or 'head'. */
  loss?: 'mse' | 'mean' | 'cells' | 'image' | 'head'
}

const classificationOptions = keysOf<ClassificationOptions>({
  dtype: placementKinds.dtype,
  backend: placementKinds.backend,
  image: text,
  classes: text,
  loss: oneOf(['mse', 'mean', 'cells', 'image', 'head']),
})

/** Images `[h,w,m]`, or volumes `[d,h,w,m]`, with a label for each, a whole number from 0. */
export type LabelledImages = Examples & { readonly labels: ArrayLike<number> }

/**
 * The task of classifying an image in every cell.
 *
 * @param images `shape` is [h,w,m], of volumes [d,h,w,m], m the channels of the role of the image
 * @throws where images, labels and rule do not fit together
 * @example
 * const { images, labels } = await readMnist('data/mnist')
 * taskTrainer({ rule, task: classificationTask(rule, { ...examplesOf(images, [28, 28, 1]), labels }), ...rest })
 * @example
 * const rule = defineRule({ channels: { image: 1, hidden: 15 }, frozen: ['image'], head: { outputs: 10, network: mlp(64) }, … })
 * classificationTask(rule, digits, { loss: 'head' })
 */
export function classificationTask(rule: DataRule, images: LabelledImages, options: ClassificationOptions = {}): Task {
  const name = 'classificationTask'
  checkOptions(name, options, classificationOptions)
  const { image = 'image', classes = 'classes', loss = 'cells', ...placement } = options
  checkFrozenRole(name, rule, image)
  checkExamples(name, 'images', images, rule.grid + 1)
  const [first, end] = roleChannels(rule.channels, image)
  const m = images.shape[rule.grid]
  check(m === end - first, name, 'channels of the images', m, `${end - first}, as ${image}`)
  const { labels, n } = images
  check(Array.isArray(labels) || ArrayBuffer.isView(labels), name, 'labels', labels, 'a list of whole numbers')
  check(labels.length === n, name, 'the number of labels', labels.length, `${n}, that of the images`)
  check(loss !== 'head' || rule.head !== null, name, 'loss', loss, 'another one, or a rule with a head')
  const [from, to] = loss === 'head' ? [0, rule.head!.outputs] : roleChannels(rule.channels, classes)
  const wrong = Array.from(labels).find(label => !(isWhole(label) && label < to - from))
  check(wrong === undefined, name, 'a label', wrong, `a whole number from 0 to ${to - from - 1}`)
  return {
    examples: n,
    seeds: ids => statesOf(rule, image, pick(images, ids, placement)),
    loss(x, ids, _key, _readout, params) {
      const wanted = tensor(Int32Array.from(ids, id => labels[id]), { backend: x.backend })
      if (loss === 'head') return crossEntropy(readHead(rule, params as DataParams, x), wanted)
      const y = takeRole(rule, x, classes)
      const mask = seenCells(rule, x)
      if (loss === 'cells' || loss === 'image') return crossEntropy(y, wanted, { mask, per: loss === 'image' ? 'image' : 'cell' })
      const unit = cast(equal(range(to - from, { backend: x.backend }), reshape(wanted, [ids.length, ...images.shape.map(() => 1)])), x.dtype)
      if (loss === 'mean') return perSample(square(sub(y, unit)))
      return mul(0.5, sum(square(where(reshape(mask, [...mask.shape, 1]), sub(y, unit), 0)), sampleAxes(y)))
    },
  }
}

/**
 * The visible cells, `[b,h,w]`: those of the rule's input mask or, without one, all cells, even with NaN.
 *
 * @example accuracy(takeRole(rule, x, 'classes'), labels, { mask: seenCells(rule, x) })
 */
export function seenCells({ inputMask }: DataRule, x: Tensor): Tensor {
  return inputMask ? exceeds(x, inputMask) : ones(x.shape.slice(0, -1), { dtype: 'uint32', backend: x.backend })
}
