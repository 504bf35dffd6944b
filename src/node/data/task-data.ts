/**
 * The data of an experiment, read from the files and folders that it names.
 */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { check } from '../../backends/options.ts'
import { fit, padImage, type Image } from '../../nca/files/image.ts'
import { examplesOf, type Examples } from '../../nca/tasks/examples.ts'
import { roleChannels } from '../../nca/rule/channels.ts'
import type { DataOf, Experiment, TaskName } from '../../experiment/tasks/experiment.ts'
import type { TaskData } from '../../experiment/tasks/lesson.ts'
import { bundledEmoji, findAsset } from '../assets.ts'
import { readImageFolder, readMnist, readNpy, readPairs } from './data.ts'
import {
  arraysByClass, listArrays, pairsOf, readAlike, readArray, readMask, standardised, type ArrayExample,
} from './volumes.ts'
import { readImage } from '../pictures/picture.ts'

/**
 * Reads what an experiment learns from; paths are taken from a folder.
 *
 * @throws one sentence that names the file, where something is missing or damaged, or does not fit the rule
 */
export async function readTaskData<T extends TaskName>(experiment: Experiment<T>, folder: string): Promise<TaskData[T]> {
  return (readers[experiment.task] as (e: Experiment<T>, at: (path: string) => string) => Promise<TaskData[T]>)(experiment, path => resolve(folder, path))
}

const readers: { readonly [T in TaskName]: (experiment: Experiment<T>, at: (path: string) => string) => Promise<TaskData[T]> } = {
  conditional: ({ data }, at) => readTargets(data, at),
  trajectory: ({ data }, at) => readTargets(data, at),

  async classification({ rule, data: { images, size, limit, standardise } }, at) {
    const path = at(images)
    const m = channelsOf(rule.channels, 'image')
    const isMnist = ['train-images-idx3-ubyte', 'train-images.idx3-ubyte'].some(name => existsSync(resolve(path, name)) || existsSync(resolve(path, `${name}.gz`)))
    if (isMnist) {
      onlyWithout('size', size, 'the files of MNIST, which are 28×28')
      const { images: data, labels, n } = await readMnist(path)
      const count = Math.min(n, limit ?? n)
      return { ...asGiven(examplesOf(data.subarray(0, count * 784), [28, 28, 1]), standardise), labels: labels.subarray(0, count) }
    }
    onlyWithout('limit', limit, 'a folder for each class: the first would be of one class')
    const { names, labels } = await arraysByClass(path)
    if (names.length > 0) {
      onlyWithout('size', size, 'arrays, which stay as they are')
      const arrays = await readAlike(names.map(name => join(path, name)), file => readArray(file, rule.grid, m))
      return { ...asGiven(asExamples(arrays), standardise), labels }
    }
    const read = await readImageFolder(path, size === null ? {} : { size })
    if (read.classes.length === 0) throw new Error(`classification: ${path} has pictures, expected a folder for each class.`)
    return { ...asGiven(fromImages(read.images, m), standardise), labels: read.labels }
  },

  async imageToImage({ rule: { channels, grid }, data }, at) {
    const [from, to] = [at(data.inputs), at(data.outputs)]
    const [seen, made] = [channelsOf(channels, 'input'), channelsOf(channels, 'output')]
    const [names, others] = [await listArrays(from), await listArrays(to)]
    if (names.length > 0) {
      const [inputs, outputs] = pairsOf(from, names, to, others)
      return {
        inputs: asGiven(asExamples(await readAlike(inputs, path => readArray(path, grid, seen))), data.standardise),
        outputs: asExamples(await readAlike(outputs, path => readMask(path, grid, made))),
      }
    }
    const pairs = await readPairs(from, to)
    return { inputs: asGiven(fromImages(pairs.inputs, seen), data.standardise), outputs: fromImages(pairs.targets, made) }
  },

  async video({ data: { frames, limit } }, at) {
    const { shape, data } = await readNpy(at(frames))
    const [n, ...each] = shape.length === 3 ? [1, ...shape] : shape
    if (each.length !== 3) throw new Error(`video: ${frames} is [${shape.join(',')}], expected [videos,frames,height,width].`)
    const count = Math.min(n, limit ?? n)
    const values = data instanceof Uint8Array ? Float32Array.from(data, x => x / 255) : Float32Array.from(data)
    return examplesOf(values.subarray(0, count * each.reduce((a, b) => a * b, 1)), each)
  },

  texture: async ({ data: { image, size } }, at) => fit(await readImage(at(image)), size),
}

/** Emoji and pictures, fitted, with empty cells around them. */
function readTargets({ targets, size, padding }: DataOf['conditional'], at: (path: string) => string): Promise<Image[]> {
  return Promise.all(targets.map(async target => {
    const picture = await readImage(findAsset(await bundledEmoji(), target)?.path ?? at(target))
    return padImage(fit(picture, size), padding)
  }))
}

function channelsOf(channels: Readonly<Record<string, number>>, role: string): number {
  const [from, to] = roleChannels(channels, role)
  return to - from
}

/** Throws where something is said that has no meaning for such data. */
function onlyWithout(name: string, value: unknown, data: string): void {
  check(value === null, 'data', name, value, `null, for ${data}`)
}

/** Arrays of one size as examples. */
function asExamples(arrays: readonly ArrayExample[]): Examples {
  return { n: arrays.length, shape: arrays[0].shape, of: i => arrays[i].data }
}

/** Inputs as a rule is given them: each as it is, or with mean 0 and standard deviation 1. */
function asGiven(examples: Examples, standardise: boolean): Examples {
  return standardise ? { ...examples, of: i => standardised(examples.of(i)) } : examples
}

/** Pictures as examples with 1 (grey), 3 (colours) or 4 channels (and alpha). */
export function fromImages(images: readonly Image[], m: number): Examples {
  const { width, height } = images[0]
  const of = (i: number): Float32Array => {
    const { data } = images[i]
    return Float32Array.from({ length: width * height * m }, (_, j) => {
      const at = 4 * Math.floor(j / m)
      return m === 1 ? 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2] : data[at + (j % m)]
    })
  }
  if (![1, 3, 4].includes(m)) throw new Error(`data: pictures have 1, 3 or 4 channels, but the rule has ${m} for them.`)
  return { n: images.length, shape: [height, width, m], of }
}
