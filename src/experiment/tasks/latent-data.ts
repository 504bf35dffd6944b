/**
 * The data of an automaton in latents: the pictures that it should make, and the autoencoder in whose latents it lives, which
 * is trained first (`latentTask`, `autoencoderTrainer`).
 *
 *   task: latent
 *   data: { targets: [🦎], size: 96, padding: 16, autoencoder: { widths: [16, 32, 64], iterations: 2000, batch: 8 } }
 *   rule: { channels: { latent: 8, hidden: 16 }, … }         # latent: the channels of a latent cell
 */
import { list, orNull, record, type Expect, type Fields } from '../../backends/fields.ts'
import { text, wholeFrom } from '../../backends/options.ts'
import type { Image } from '../../nca/files/image.ts'
import { autoencoderFields, defineAutoencoder, type Autoencoder } from '../../nca/latent/autoencoder.ts'
import { autoencoderTrainingFields, type AutoencoderTrainerOptions } from '../../nca/latent/autoencoder-trainer.ts'
import type { DataRule } from '../../nca/rule/types.ts'
import type { Examples } from '../../nca/tasks/examples.ts'
import type { Optimiser } from '../../nca/training/optimiser.ts'
import { lossOf, paths, targetsAs, type Targets } from './data-fields.ts'

/** The fields of an autoencoder of pictures and of its training. */
export type AutoencoderSaid = Pick<Autoencoder, 'widths' | 'code'> & {
  readonly images: string | readonly string[] | null
  readonly iterations: number
  readonly batch: number
  readonly optimiser: Optimiser
  readonly clip: number | null
}

export type LatentData = Targets & {
  readonly from: readonly string[] | null
  readonly loss: 'mse' | 'l1' | 'ssim'
  readonly autoencoder: AutoencoderSaid
}

const { widths, code } = autoencoderFields

export const latentFields: Fields<LatentData> = {
  ...targetsAs('What to grow in latents; if there are several, each has its number in the frozen role condition'),
  from: {
    ...orNull(list<string>(text, 'emoji, their names, or paths of pictures', 1)), default: null,
    about: 'Pictures from whose latents rollouts start, one for each target, for example with a part missing; null: from one living cell',
  },
  loss: lossOf(['mse', 'l1', 'ssim'], 'Distance of the decoded picture from its target'),
  autoencoder: {
    ...record<AutoencoderSaid>({
      fields: {
        images: { ...orNull(paths), default: null, about: 'Pictures for its training, a folder, files by a pattern with *, or a list; null: the targets, and the pictures in from, but those held out' },
        widths, code,
        iterations: { ...wholeFrom(1, 1e9), about: 'Iterations of its training' },
        ...autoencoderTrainingFields,
      },
    }),
    about: 'The autoencoder, which is trained first and then fixed; a latent cell has the channels of the role latent',
  },
}

/** Whether cells get the index of their target: if there are several targets, and no images that they begin from. */
export function isTold({ targets, from }: Pick<LatentData, 'targets'> & Partial<Pick<LatentData, 'from'>>): boolean {
  return !from && targets.length > 1
}

/** The autoencoder of an experiment, for red, green, blue and alpha. */
export function autoencoderOf(
  { rule: { channels: { latent } }, data: { autoencoder: { widths, code } } }: { readonly rule: DataRule; readonly data: LatentData },
): Autoencoder {
  return defineAutoencoder({ channels: 4, latent, widths, code })
}

/** The options of `autoencoderTrainer` for an experiment, except the images. */
export function autoencoderTrainingOf(experiment: { readonly rule: DataRule; readonly data: LatentData }): Omit<AutoencoderTrainerOptions, 'images'> {
  const { batch, optimiser, clip } = experiment.data.autoencoder
  return { autoencoder: autoencoderOf(experiment), batch, optimiser, clip }
}

/** Pictures of one size as examples `[h,w,4]`. */
export function picturesOf(pictures: readonly Image[]): Examples {
  const [{ width, height }] = pictures
  return { n: pictures.length, shape: [height, width, 4], of: i => pictures[i].data }
}

/** Expects sizes, pictures and rule to fit together. */
export function expectLatent(
  { rule, data, train }: { readonly rule: DataRule; readonly data: LatentData; readonly train: { readonly from: string | null } }, expect: Expect,
): void {
  const { targets, size, padding, from, autoencoder: { widths } } = data
  const f = 2 ** widths.length
  expect((size + 2 * padding) % f === 0, ['data', 'size'], size, `a number that makes, with 2 × ${padding} of padding, a multiple of ${f}: data.autoencoder.widths halve ${widths.length} times`)
  expect(from === null || from.length === targets.length, ['data', 'from'], from, `null or ${targets.length} pictures, one for each target`)
  expect(rule.grid === 2, ['rule', 'grid'], rule.grid, '2, for pictures')
  const { condition } = rule.channels
  expect(!isTold(data) || condition === undefined || condition === targets.length, ['rule', 'channels', 'condition'], condition, `${targets.length}, one for each target`)
  expect(train.from === null, ['train', 'from'], train.from, 'null: an autoencoder of its own is trained first, and a model of others knows nothing of its latents')
}
