/**
 * Learning a trajectory: a rule grows through a list of images, each at its own time, as automata learn the time course of
 * a reaction (Richardson et al., "Learning spatio-temporal patterns with Neural Cellular Automata", 2024).
 *
 *   loss of readout i = mean over cells and red, green, blue, alpha of (x − target_i)²
 *
 * The trainer's `readouts` say after how many steps each is compared.
 */
import { checkOptions } from '../../backends/options.ts'
import { refuse, requireTensor } from '../../tensor/op.ts'
import { gather } from '../../tensor/ops/gather.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { mse } from '../losses/loss.ts'
import type { Rule } from '../rule/types.ts'
import { rgba, seedCells, seedsFor, type SeedCells } from '../state.ts'
import type { Task } from '../training/trainer-options.ts'

/**
 * The task of growing into one image after another, from one living cell or several. There is one example.
 *
 * @param targets premultiplied red, green, blue and alpha in the order of the readouts, `[k,h,w,4]`
 * @throws where the targets are no such images, or a living cell is outside of their grid; the trainer throws unless it has k
 * readouts
 * @example
 * const task = trajectoryTask(rule, stack([egg, larva, fly]))
 * taskTrainer({ rule, task, steps: [96, 97], readouts: [32, 64, 96], batch: 4, optimiser: adam({ rate: 1e-3 }) })
 */
export function trajectoryTask(rule: Rule, targets: Tensor, options: SeedCells = {}): Task {
  checkOptions('trajectoryTask', options, seedCells)
  requireTensor('trajectoryTask', 'targets', targets)
  if (targets.shape.length !== 4 || targets.shape[0] === 0 || targets.shape[3] !== 4) {
    refuse('trajectoryTask', 'targets must be [k,h,w,4], k at least 1', { targets })
  }
  const [k, height, width] = targets.shape
  const seeds = seedsFor(rule, targets, options)
  return {
    examples: 1,
    readouts: k,
    seeds: ids => seeds(ids.length),
    loss: (x, _ids, _key, readout = k - 1) => mse(rgba(x), reshape(gather(targets, [readout], 0), [height, width, 4])),
  }
}
