// A file can set every option that the library has for a task, a trainer and a validation: every option is a field, or is listed
// here with the reason why it is not. The compiler makes sure that none is forgotten.

import { expect, it } from 'vitest'
import { describeIn } from '../../src/experiment/config/describe.ts'
import { runSchema, taskNames, type TaskName } from '../../src/experiment/index.ts'
import type { Json } from '../../src/backends/options.ts'
import * as library from '../../src/index.ts'
import type {
  AutoencoderTrainerOptions, ClassificationOptions, ConditionalOptions, DenoisingOptions, FoldOptions, GrowingOptions, LatentTaskOptions, SeedCells, TextureOptions, TrainerOptions, TrainOptions, TranslationOptions,
  Validation, VideoOptions,
} from '../../src/index.ts'

type Why = { readonly none: string }
/** For every option the path of its field, or the reason why it has none. */
type Told<T> = { readonly [K in keyof Required<T>]: string | Why }

const why = (none: string): Why => ({ none })
const place = { dtype: why('runs compute in float32'), backend: 'backend' }
const ownRole = why('the channels are those of the file too, which calls them so')

const training: Told<TrainerOptions> = {
  rule: 'rule', task: why('what the file is about'), batch: 'train.batch', steps: 'train.steps', readouts: 'train.readouts', pool: 'train.pool',
  write: 'train.write', fromPool: 'train.fromPool', reseed: 'train.reseed', damaged: 'train.damaged', damage: 'train.damage',
  ranked: 'train.ranked', mutated: 'train.mutated', dropped: 'train.dropped', perturbAfter: 'train.perturbAfter', optimiser: 'train.optimiser',
  normalise: 'train.normalise', clip: 'train.clip', accumulate: 'train.accumulate', trainable: 'train.trainable', params: 'train.from',
  warmUp: 'train.warmUp', pace: 'train.pace', critic: 'train.critic', cascade: 'train.cascade', overflow: 'train.overflow',
}
const running: Told<TrainOptions<never>> = {
  iterations: 'train.iterations', seed: 'seed', validation: 'validate',
  state: why('--resume goes on with a run'), best: why('so does it with the best of it'), onMetrics: why('--on-metrics names a module'), every: why('how often a program is told of a run'), signal: why('Ctrl-C ends a run'),
  patience: why('runs end by validate.patience, by examples that are not trained on'),
}
const judging: Told<Validation<never>> = { every: 'validate.every', measure: 'validate.metric', patience: 'validate.patience' }
const folds: Told<FoldOptions> = { labels: 'validate.stratified', groups: 'validate.groups' }
const translating: Told<TranslationOptions> = { ...place, input: ownRole, output: ownRole, loss: 'data.loss' }
const cells: Told<SeedCells> = { at: why('a model is played from one cell, unless its file has examples of first states') }
const { batch: _batch, rule: _rule, ...growing }: Told<Omit<GrowingOptions, 'target' | 'at'>> = training

const tasks: Readonly<Record<TaskName | 'growing', Readonly<Record<string, string | Why>>>> = {
  growing: { ...growing, ...cells, target: 'data.target' } satisfies Partial<Told<GrowingOptions>>,
  conditional: {
    ...cells, role: ownRole, cells: 'data.cells', codes: why('a tensor; a target has its own channel'), loss: 'data.loss',
  } satisfies Told<ConditionalOptions>,
  trajectory: cells,
  classification: { ...place, image: ownRole, classes: ownRole, loss: 'data.loss' } satisfies Told<ClassificationOptions>,
  imageToImage: translating,
  denoising: { ...place, noisy: ownRole, level: ownRole, output: ownRole, condition: why('files have images without labels'), codes: why('tensors of conditions') } satisfies Told<DenoisingOptions>,
  video: { ...translating, loss: why('videos are compared by mse, as published'), carry: 'data.carry' } satisfies Told<VideoOptions>,
  latent: {
    from: 'data.from', condition: why('where there are several targets, they are told in the role condition'), loss: 'data.loss',
    ...({
      ...place, autoencoder: 'data.autoencoder.widths', images: 'data.autoencoder.images', batch: 'data.autoencoder.batch',
      optimiser: 'data.autoencoder.optimiser', clip: 'data.autoencoder.clip',
    } satisfies Told<AutoencoderTrainerOptions>),
  } satisfies Told<LatentTaskOptions> & Told<AutoencoderTrainerOptions>,
  texture: {
    ranges: 'data.ranges', grid: 'data.grid', projections: 'data.projections', size: 'data.patch', levels: 'data.levels',
  } satisfies Told<TextureOptions>,
}

it.each(['growing', ...taskNames] as const)('%s: every option has its field', task => {
  const schema = (runSchema as Json).anyOf!.find(one => one.properties!.task.enum![0] === task)!
  const all = Object.entries({ ...training, ...running, ...(task === 'growing' ? {} : { ...judging, ...folds }), ...tasks[task] })
  const isGrowingsOwn = (path: string): boolean => task === 'growing' && path === 'validate'
  const none = all.filter(([, told]) => typeof told === 'string' && !isGrowingsOwn(told) && describeIn(schema, told.split('.')).description === undefined)
  expect(none).toEqual([])
})

it('every task of the library is one of files', () => {
  const tasksOfLibrary = Object.keys(library).filter(name => name.endsWith('Task'))
  expect(tasksOfLibrary.length).toBeGreaterThanOrEqual(taskNames.length)
  expect(tasksOfLibrary.filter(name => !(name.replace('Task', '') in tasks))).toEqual([])
})

it('every option without a field has a reason', () => {
  const all = [training, running, judging, folds, ...Object.values(tasks)].flatMap(told => Object.values(told) as (string | Why)[])
  const reasons = all.flatMap(told => (typeof told === 'string' ? [] : [told.none]))
  expect([reasons.length > 10, reasons.filter(reason => reason.length < 10)]).toEqual([true, []])
})
