/**
 * The trainer that a configuration describes.
 */
import { imageToTensor } from '../../nca/files/image-tensor.ts'
import { padImage } from '../../nca/files/image.ts'
import type { Image } from '../../nca/files/image.ts'
import type { DataParams } from '../../nca/rule/types.ts'
import { growingTrainer } from '../../nca/tasks/growing.ts'
import type { Trainer, TrainerState } from '../../nca/training/trainer.ts'
import { trainingFields } from '../../nca/training/trainer-options.ts'
import type { Placement } from '../../tensor/tensor.ts'
import type { Config } from './schema.ts'

/**
 * The trainer of a configuration.
 *
 * @param picture what is to grow, `size` × `size`, as yet without its border of `padding` empty cells
 * @param placement where it is to compute, by default on the default backend in float32
 * @throws where the picture is fully transparent or of another size
 * @example
 * const checked = configOf({ preset: 'persistent', batch: 4 })
 * if ('config' in checked) for await (const { loss } of train(trainerOf(checked.config, picture), { iterations: 100 })) …
 */
export function trainerOf(config: Config, picture: Image, placement: Placement = {}): Trainer<TrainerState<DataParams>> {
  const { size, padding, rule } = config
  if (picture.width !== size || picture.height !== size) {
    throw new Error(`trainerOf: the picture is ${picture.width}×${picture.height}, expected ${size}×${size}, the size of the configuration.`)
  }
  const target = imageToTensor(padImage(picture, padding), placement)
  const names = Object.keys(trainingFields) as (keyof typeof trainingFields)[]
  const training = Object.fromEntries(names.map(name => [name, config[name]])) as Pick<Config, keyof typeof trainingFields>
  return growingTrainer({ ...training, rule, target })
}
