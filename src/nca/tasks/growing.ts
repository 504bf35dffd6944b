/**
 * Growing: a rule learns to make an image from a seed, to keep it, and to repair it (Mordvintsev et al., "Growing Neural
 * Cellular Automata", Distill 2020).
 *
 *   loss = mean over cells and red, green, blue, alpha of (x − target)²
 */
import { refuse, requireTensor } from '../../tensor/op.ts'
import { checkData, record } from '../../backends/fields.ts'
import { checkOptions } from '../../backends/options.ts'
import { broadcastTo } from '../../tensor/ops/broadcast.ts'
import { aTensor, type Tensor } from '../../tensor/tensor.ts'
import { mse } from '../losses/loss.ts'
import { givenFields, trainingFields, withoutRun, type Task, type TrainerOptions } from '../training/trainer-options.ts'
import type { DataRule, Params, Rule } from '../rule/types.ts'
import { rgba, seedCells, seedsFor, type SeedCells } from '../state.ts'
import { taskTrainer, type Trainer, type TrainerState } from '../training/trainer.ts'

/**
 * The task of growing a target from one living cell, or several. There is one example.
 *
 * @param target premultiplied red, green, blue and alpha, `[h,w,4]`; its size is that of the grid
 * @throws where the target is no such image, or fully transparent (not checked on a GPU), or a living cell is outside of its grid
 * @example taskTrainer({ rule, task: growingTask(rule, target), batch: 8, steps: [64, 96], optimiser: adam() })
 * @example growingTask(isotropicRule, target, { at: [[36, 34], [36, 38]] })     // two cells, which give it an orientation
 */
export function growingTask(rule: Rule, target: Tensor, options: SeedCells = {}): Task {
  checkTarget('growingTask', target)
  checkOptions('growingTask', options, seedCells)
  const seeds = seedsFor(rule, target, options)
  return {
    examples: 1,
    seeds: ids => seeds(ids.length),
    loss: x => mse(rgba(x), target),
    images: { made: rgba, real: ids => broadcastTo(target, [ids.length, ...target.shape]) },
  }
}

/**
 * Throws unless this is an image `[h,w,4]` and, on backends that can be read synchronously like the CPU, not fully transparent:
 * with an empty target the loss is 0 as soon as every cell has died.
 */
export function checkTarget(where: string, target: Tensor): void {
  requireTensor(where, 'target', target)
  if (target.shape.length !== 3 || target.shape[2] !== 4) refuse(where, `target is [${target.shape.join(',')}], expected [h,w,4]`)
  if (target.backend.readSync && !target.toArray().some((v, i) => i % 4 === 3 && v !== 0)) {
    throw new Error(`${where}: target is fully transparent, expected an image with something to grow.`)
  }
}

/** The options of the training; `presets.ts` has all values of the published presets. */
export type GrowingOptions<R extends Rule = DataRule> = Omit<TrainerOptions<R>, 'task'> & SeedCells & {
  /** The image to grow: premultiplied red, green, blue and alpha, `[h,w,4]`. Its size is that of the grid. */
  target: Tensor
}

const growingField = record<GrowingOptions<Rule>>({
  fields: { ...givenFields, ...trainingFields, target: aTensor, at: { ...seedCells.at, default: undefined } },
})

/**
 * The trainer of a growing image, see `taskTrainer`.
 *
 * @throws where the numbers do not fit together, or the target is fully transparent (not checked on a GPU)
 * @example
 * const trainer = growingTrainer({ ...presets.growing, rule, target })
 * for await (const { iteration, loss } of train(trainer, { iterations: 2000, every: 50 })) console.log(iteration, loss)
 */
export function growingTrainer<R extends Rule>(given: GrowingOptions<R>): Trainer<TrainerState<Params<R>>> {
  const { target, at, ...options } = checkData('growingTrainer', growingField, withoutRun(given)) as GrowingOptions<R>
  checkTarget('growingTrainer', target)
  return taskTrainer({ ...options, task: growingTask(options.rule, target, { at }) })
}
