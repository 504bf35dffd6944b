/**
 * The trainer that a configuration describes.
 */
import { imageToTensor } from '../../nca/files/image-tensor.ts'
import { padImage, type Image } from '../../nca/files/image.ts'
import type { DataParams } from '../../nca/rule/types.ts'
import { growingTrainer } from '../../nca/tasks/growing.ts'
import type { Trainer, TrainerState } from '../../nca/training/trainer.ts'
import type { Placement } from '../../tensor/tensor.ts'
import type { Config, Training } from './schema.ts'

/**
 * The trainer of a configuration.
 *
 * @param picture the picture to grow, `size` × `size`, still without its border of `padding` empty cells
 * @param placement the backend and type, by default the default backend and float32
 * @param params the initial parameters, those of the model `train.from`; by default drawn anew
 * @throws where the picture is fully transparent or of another size
 * @example
 * const checked = configOf({ preset: 'persistent', train: { batch: 4 } })
 * if ('config' in checked) for await (const { loss } of train(trainerOf(checked.config, picture), { iterations: 100 })) …
 */
export function trainerOf(
  config: Config, picture: Image, placement: Placement = {}, params?: DataParams,
): Trainer<TrainerState<DataParams>> {
  const { data: { size, padding }, rule } = config
  if (picture.width !== size || picture.height !== size) {
    throw new Error(`trainerOf: the picture is ${picture.width}×${picture.height}, expected ${size}×${size}, the size of the configuration.`)
  }
  const target = imageToTensor(padImage(picture, padding), placement)
  return growingTrainer({ ...trainingOf(config), rule, target, ...(params && { params }) })
}

/** The options of a trainer from a configuration, except rule, task and initial parameters. */
export function trainingOf({ train }: { readonly train: Training }): Omit<Training, 'iterations' | 'from'> {
  const { iterations: _iterations, from: _from, ...training } = train
  return training
}
