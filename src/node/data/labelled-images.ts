/**
 * Images, each with a class: the files of MNIST or CIFAR-10, an .npz file like those of MedMNIST and Keras, or pictures or
 * arrays in a folder for each class.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { check, isWhole } from '../../backends/options.ts'
import type { DataOf } from '../../experiment/tasks/experiment.ts'
import type { TaskData } from '../../experiment/tasks/lesson.ts'
import type { LabelledImages } from '../../nca/tasks/classify.ts'
import { examplesOf } from '../../nca/tasks/examples.ts'
import type { Npy } from '../../nca/data/npy.ts'
import { readImageFolder, readMnist } from './data.ts'
import { readCifar10 } from './data-sets.ts'
import { asExamples, pictureValues } from './image-pairs.ts'
import { readNpz } from './npz.ts'
import { arraysByClass, casesOf, readArray, valuesOf, type ArrayExample, type Layout } from './volumes.ts'

type Reading = Layout & Pick<DataOf['classification'], 'size' | 'limit' | 'part'>

/**
 * Reads the images of an experiment.
 *
 * @throws if something is missing or damaged, or does not fit the rule; the sentence names the file
 */
export async function readLabelledImages(path: string, reading: Reading): Promise<TaskData['classification']> {
  if (/\.npz$/i.test(path)) return firstOf(await ofNpz(path, reading), reading)
  const has = (...names: string[]): boolean => names.some(name => existsSync(join(path, name)) || existsSync(join(path, `${name}.gz`)))
  if (has('train-images-idx3-ubyte', 'train-images.idx3-ubyte')) return firstOf(await ofMnist(path, reading), reading)
  if (has('data_batch_1.bin')) return firstOf(await ofCifar(path, reading), reading)
  return ofFolders(path, reading)
}

function firstOf(images: LabelledImages, { limit }: Reading): LabelledImages {
  const n = Math.min(images.n, limit ?? images.n)
  return { ...images, n, labels: Array.from(images.labels).slice(0, n) }
}

async function ofMnist(path: string, { size, part }: Reading): Promise<LabelledImages> {
  check(size === null, 'data', 'size', size, 'null, for the files of MNIST, which are 28×28')
  check(part !== 'val', 'data', 'part', part, 'train or test, for the files of MNIST')
  const { images, labels } = await readMnist(path, { train: part === 'train' })
  return { ...examplesOf(images, [28, 28, 1]), labels }
}

async function ofCifar(path: string, { size, part }: Reading): Promise<LabelledImages> {
  check(size === null, 'data', 'size', size, 'null, for the files of CIFAR-10, which are 32×32')
  check(part !== 'val', 'data', 'part', part, 'train or test, for the files of CIFAR-10')
  const { images, labels } = await readCifar10(path, { train: part === 'train' })
  return { ...examplesOf(images, [32, 32, 3]), labels }
}

/** Arrays `train_images` and `train_labels`, as in MedMNIST, `x_train` and `y_train`, as in Keras, or `images` and `labels`. */
async function ofNpz(path: string, { grid, m, size, part }: Reading): Promise<LabelledImages> {
  check(size === null, 'data', 'size', size, 'null, for arrays, which stay as they are')
  const arrays = await readNpz(path)
  const names = [[`${part}_images`, `${part}_labels`], [`x_${part}`, `y_${part}`], ...(part === 'train' ? [['images', 'labels']] : [])]
  const found = names.find(pair => pair.every(name => Object.hasOwn(arrays, name)))
  if (found === undefined) {
    throw new Error(`data: ${path} has the arrays ${Object.keys(arrays).join(', ')}, expected ${names.map(pair => pair.join(' and ')).join(', or ')}.`)
  }
  const [images, labels] = found.map(name => arrays[name])
  const cases = casesOf(`${path}, ${found[0]}`, images.shape, images.data, { grid, m }).map(valuesOf)
  return { ...asExamples(cases), labels: labelsOf(`${path}, ${found[1]}`, labels, cases.length) }
}

function labelsOf(where: string, { shape, data }: Npy, n: number): number[] {
  const isList = shape.slice(1).every(size => size === 1)
  if (!isList || data.length !== n) throw new Error(`data: ${where} is [${shape.join(',')}], expected a class for each of ${n} images, [${n}] or [${n},1].`)
  const labels = Array.from(data)
  const wrong = labels.find(label => !isWhole(label))
  if (wrong !== undefined) throw new Error(`data: ${where} has the label ${wrong}, expected whole numbers from 0 on.`)
  return labels
}

async function ofFolders(path: string, { grid, m, size, limit, part }: Reading): Promise<TaskData['classification']> {
  check(limit === null, 'data', 'limit', limit, 'null, for a folder for each class: the first would be of one class')
  check(part === 'train', 'data', 'part', part, 'train, for a folder for each class: --data images=… names others')
  const { names, labels, classes } = await arraysByClass(path)
  if (names.length === 0) {
    const read = await readImageFolder(path, size === null ? {} : { size })
    if (read.classes.length === 0) throw new Error(`classification: ${path} has pictures, expected a folder for each class.`)
    return { ...asExamples(read.images.map(image => pictureValues(image, m))), labels: read.labels, classes: read.classes }
  }
  check(size === null, 'data', 'size', size, 'null, for arrays, which stay as they are')
  const files = names.map(name => join(path, name))
  const arrays: ArrayExample[] = []
  for (const file of files) arrays.push(valuesOf(await readArray(file, { grid, m })))
  const other = arrays.findIndex(({ shape }) => String(shape) !== String(arrays[0].shape))
  if (other >= 0) throw new Error(`data: ${files[other]} is [${arrays[other].shape.join(',')}], but ${files[0]} is [${arrays[0].shape.join(',')}], expected one size.`)
  return { ...asExamples(arrays), labels, classes }
}
