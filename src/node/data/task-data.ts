/**
 * The data of an experiment, read from the files and folders that it names.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { didYouMean } from '../../backends/options.ts'
import { fit, padImage, type Image } from '../../nca/files/image.ts'
import { roleChannels } from '../../nca/rule/channels.ts'
import { picturesOf } from '../../experiment/tasks/latent-data.ts'
import type { Examples } from '../../nca/tasks/examples.ts'
import type { DataOf, Experiment, TaskName } from '../../experiment/tasks/experiment.ts'
import type { TaskData } from '../../experiment/tasks/lesson.ts'
import { bundledEmoji, findAsset, listAssets } from '../assets.ts'
import { readImagePairs, readImages } from './image-pairs.ts'
import { readLabelledImages } from './labelled-images.ts'
import { filesNamed, type Named } from './named.ts'
import { readVideos } from './videos.ts'
import { standardised } from './volumes.ts'
import { readImage } from '../pictures/picture.ts'

/**
 * Reads the data of an experiment; its paths are relative to `folder`.
 *
 * @throws if something is missing or damaged, or does not fit the rule; the sentence names the file
 */
export async function readTaskData<T extends TaskName>(experiment: Experiment<T>, folder: string): Promise<TaskData[T]> {
  return (readers[experiment.task] as (e: Experiment<T>, at: (path: string) => string) => Promise<TaskData[T]>)(experiment, path => resolve(folder, path))
}

const readers: { readonly [T in TaskName]: (experiment: Experiment<T>, at: (path: string) => string) => Promise<TaskData[T]> } = {
  conditional: ({ data }, at) => readTargets(data, at),
  trajectory: ({ data }, at) => readTargets(data, at),

  async classification({ rule: { channels, grid }, data: { images, size, limit, part, standardise } }, at) {
    const m = channelsOf(channels, 'image')
    const { of, ...read } = await readLabelledImages(at(images), { grid, m, size, limit, part })
    return { ...read, of: standardise ? i => standardised(of(i)) : of }
  },

  imageToImage({ rule: { channels, grid }, data }, at) {
    const paths = (named: Named): Named => (typeof named === 'string' ? at(named) : named.map(at))
    const given = { ...data, inputs: paths(data.inputs), outputs: paths(data.outputs) }
    return readImagePairs(given, grid, [channelsOf(channels, 'input'), channelsOf(channels, 'output')])
  },

  denoising({ rule: { channels, grid }, data: { images, ...rest } }, at) {
    const paths = typeof images === 'string' ? at(images) : images.map(at)
    return readImages(paths, { ...rest, grid, m: channelsOf(channels, 'noisy') })
  },

  video: ({ data: { frames, size, limit } }, at) => readVideos(at(frames), size, limit),

  latent: async ({ data: { from, ...data } }, at) => ({
    targets: await readTargets(data, at), from: from && await readTargets({ ...data, targets: from }, at),
  }),

  texture: async ({ data: { image, size } }, at) => fit(await readImage(at(image)), size),
}

/**
 * Reads the pictures from which the autoencoder of an experiment learns: its own pictures, or else the targets of the automata
 * and the pictures from which they begin, of the examples that are trained on.
 *
 * @throws if something is missing or damaged; the sentence names the file
 */
export async function readAutoencoderImages(
  { data: { size, padding, autoencoder: { images } } }: Experiment<'latent'>, { targets, from }: TaskData['latent'], train: readonly number[],
  folder: string,
): Promise<Examples> {
  if (images === null) return picturesOf([targets, from ?? []].flatMap(all => train.flatMap(id => all[id] ?? [])))
  const files = filesNamed(typeof images === 'string' ? resolve(folder, images) : images.map(path => resolve(folder, path)))
  const pictures: Image[] = []
  for (const { path } of files) pictures.push(padImage(fit(await readImage(path), size), padding))
  return picturesOf(pictures)
}

/** Reads emoji and pictures, fitted to the size, with empty cells around them. */
function readTargets({ targets, size, padding }: DataOf['trajectory'], at: (path: string) => string): Promise<Image[]> {
  return Promise.all(targets.map(async target => {
    const emoji = await bundledEmoji()
    const path = findAsset(emoji, target)?.path ?? at(target)
    if (!existsSync(path)) {
      const hint = didYouMean(target, emoji.map(({ name }) => name))
      throw new Error(`data: there is no file and no bundled emoji ${JSON.stringify(target)}${hint} (${listAssets(emoji)})`)
    }
    const picture = await readImage(path)
    return padImage(fit(picture, size), padding)
  }))
}

function channelsOf(channels: Readonly<Record<string, number>>, role: string): number {
  const [from, to] = roleChannels(channels, role)
  return to - from
}
