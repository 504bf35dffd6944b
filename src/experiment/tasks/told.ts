/**
 * The results of a rule as amounts of foreground, by which several runs are compared (`uncertainty`); and the cells in which
 * their mean is wrong, to see whether runs differ just there.
 *
 *   values   as they are: wrong where the error is above its mean over the example
 *   masks    probabilities: wrong on the other side of ½
 *   classes  1 for the predicted class: wrong where most runs predict another one
 */
import { seenCells } from '../../nca/tasks/classify.ts'
import type { DataRule } from '../../nca/rule/types.ts'
import { takeRole } from '../../nca/state.ts'
import { abs, exp, sigmoid } from '../../tensor/ops/functions.ts'
import { mul, sub } from '../../tensor/ops/arithmetic.ts'
import { cast } from '../../tensor/ops/cast.ts'
import { greater, notEqual, where } from '../../tensor/ops/compare.ts'
import { concat } from '../../tensor/ops/concat.ts'
import { oneHot } from '../../tensor/ops/one-hot.ts'
import { slice } from '../../tensor/ops/pad-slice.ts'
import { argMax, max, mean } from '../../tensor/ops/reduce.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import { sum } from '../../tensor/ops/sum.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { outputsOf } from './experiment.ts'

/** Output channels as amounts, by the loss that they were trained with: probabilities of masks, depths, or unchanged values. */
export function amountsOf(loss: unknown, y: Tensor): Tensor {
  const kind = outputsOf(loss)
  return kind === 'masks' ? sigmoid(y) : kind === 'depths' ? exp(y) : y
}

/** The result in output channels `[n,h,w,o]`, by their loss; for classes one-hot without the first, which is the background. */
export function toldOutput(loss: unknown, y: Tensor): Tensor {
  return outputsOf(loss) === 'classes' ? withoutBackground(oneHot(argMax(y), y.shape.at(-1)!)) : amountsOf(loss, y)
}

/** The predicted classes of visible cells, one-hot `[n,h,w,classes]`; zeros in all other cells. */
export function toldClasses(rule: DataRule, x: Tensor): Tensor {
  const scores = takeRole(rule, x, 'classes')
  const mask = seenCells(rule, x)
  return mul(oneHot(argMax(scores), scores.shape.at(-1)!), reshape(cast(mask, 'float32'), [...mask.shape, 1]))
}

/** Which cells are wrong, `[n,h,w]`: 1 for wrong, 0 for right, −1 for cells that do not count. */
export type Wrong = (mean: Tensor, wanted: Tensor) => Tensor

/** For values, from the mean of the runs and the wanted values. */
export const wrongValues: Wrong = (told, wanted) => {
  const error = mean(abs(sub(told, wanted)), -1)
  return cast(greater(error, mean(error, error.shape.map((_, i) => i).slice(1), { keepDims: true })), 'int32')
}

/** For the outputs of an image-to-image task. */
export function wrongOutput(loss: unknown): Wrong {
  const kind = outputsOf(loss)
  if (kind === 'values' || kind === 'depths') return wrongValues
  if (kind === 'masks') return (told, wanted) => cast(max(cast(notEqual(greater(told, 0.5), greater(wanted, 0.5)), 'float32'), -1), 'int32')
  return (told, wanted) => {
    const background = sub(1, sum(told, -1, { keepDims: true }))
    return cast(notEqual(argMax(concat([background, told], -1)), argMax(wanted)), 'int32')
  }
}

/** For classes and labels `[n,1,1]`: cells without a class in every run do not count. */
export const wrongClasses: Wrong = (told, labels) => (
  where(greater(sum(told, -1), 0), cast(notEqual(argMax(told), labels), 'int32'), -1)
)

/** The map of deviations `[n,h,w,m]`: the greatest deviation of each cell, `[n,h,w]`. */
export function mapOf(std: Tensor): Tensor {
  return max(std, -1)
}

function withoutBackground(classes: Tensor): Tensor {
  const { shape } = classes
  return slice(classes, shape.map((_, i) => (i === shape.length - 1 ? 1 : 0)), [...shape.slice(0, -1), shape.at(-1)! - 1])
}
