/**
 * What a rule tells of cells, as amounts of foreground, in which several of its runs are compared (`uncertainty`); and in
 * which cells their mean is wrong, to see whether it is there that runs differ.
 *
 *   values   as they are: wrong where the error is above its mean over the example
 *   masks    probabilities: wrong on the other side of ½
 *   classes  1 for the class that is said: wrong where most runs say another one
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

/** What output channels are, by the loss that they were trained with: probabilities of masks, depths, or as they are. */
export function amountsOf(loss: unknown, y: Tensor): Tensor {
  const kind = outputsOf(loss)
  return kind === 'masks' ? sigmoid(y) : kind === 'depths' ? exp(y) : y
}

/** What output channels `[n,h,w,o]` tell, by the loss that they were trained with; of classes those but the first, which is the background. */
export function toldOutput(loss: unknown, y: Tensor): Tensor {
  return outputsOf(loss) === 'classes' ? withoutBackground(oneHot(argMax(y), y.shape.at(-1)!)) : amountsOf(loss, y)
}

/** The classes that cells say, `[n,h,w,classes]`, of cells in which there is something to see; of others nothing. */
export function toldClasses(rule: DataRule, x: Tensor): Tensor {
  const scores = takeRole(rule, x, 'classes')
  const mask = seenCells(rule, x)
  return mul(oneHot(argMax(scores), scores.shape.at(-1)!), reshape(cast(mask, 'float32'), [...mask.shape, 1]))
}

/** Which cells are wrong, `[n,h,w]`: 1; 0 if right, and −1 where nothing is asked. */
export type Wrong = (mean: Tensor, wanted: Tensor) => Tensor

/** Of values, and of what is wanted there. */
export const wrongValues: Wrong = (told, wanted) => {
  const error = mean(abs(sub(told, wanted)), -1)
  return cast(greater(error, mean(error, error.shape.map((_, i) => i).slice(1), { keepDims: true })), 'int32')
}

/** Of the outputs of a task of images. */
export function wrongOutput(loss: unknown): Wrong {
  const kind = outputsOf(loss)
  if (kind === 'values' || kind === 'depths') return wrongValues
  if (kind === 'masks') return (told, wanted) => cast(max(cast(notEqual(greater(told, 0.5), greater(wanted, 0.5)), 'float32'), -1), 'int32')
  return (told, wanted) => {
    const background = sub(1, sum(told, -1, { keepDims: true }))
    return cast(notEqual(argMax(concat([background, told], -1)), argMax(wanted)), 'int32')
  }
}

/** Of classes and labels `[n,1,1]`: cells that say nothing in any run are not asked. */
export const wrongClasses: Wrong = (told, labels) => (
  where(greater(sum(told, -1), 0), cast(notEqual(argMax(told), labels), 'int32'), -1)
)

/** The map of deviations `[n,h,w,m]`: the greatest of each cell, `[n,h,w]`. */
export function mapOf(std: Tensor): Tensor {
  return max(std, -1)
}

function withoutBackground(classes: Tensor): Tensor {
  const { shape } = classes
  return slice(classes, shape.map((_, i) => (i === shape.length - 1 ? 1 : 0)), [...shape.slice(0, -1), shape.at(-1)! - 1])
}
