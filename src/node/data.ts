/**
 * Data sets as files: what `src/nca/data` decodes, read from the disk, decompressed, and checked to belong together.
 *
 * Files that begin with 1f 8b, gzip's mark, are decompressed whatever they are called.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { decodeIdx } from '../nca/data/idx.ts'
import type { Idx } from '../nca/data/idx.ts'
import { decodeNifti } from '../nca/data/nifti.ts'
import type { Volume } from '../nca/data/nifti.ts'
import { decodeNpy } from '../nca/data/npy.ts'
import type { Npy } from '../nca/data/npy.ts'
import { fit } from '../nca/files/image.ts'
import type { Image } from '../nca/files/image.ts'
import { byteLimit } from '../nca/files/limits.ts'
import type { ByteLimit } from '../nca/files/limits.ts'
import { checkOptions } from '../tensor/options.ts'
import { showShape } from '../tensor/shape.ts'
import { readPng } from './png.ts'
import { readFileUpTo, tooLong } from './read-file.ts'

/**
 * Reads an IDX file, compressed or not.
 *
 * @throws one sentence that names the file, where it cannot be read, is not an IDX file, or is beyond the limit
 * @example const { shape, data } = await readIdx('data/fashion-mnist/t10k-labels-idx1-ubyte.gz')   // [10000]
 */
export async function readIdx(path: string, options: ByteLimit = {}): Promise<Idx> {
  return decodeIdx(await readBytes('idx', path, byteLimit('readIdx', options)), path, options)
}

/**
 * Reads an .npy file, compressed or not.
 *
 * @throws one sentence that names the file, where it cannot be read, is not an .npy file, or is beyond the limit
 * @example const { shape, data } = await readNpy('frames.npy'); tensor(data, { shape })
 * @example await readNpy('mnist_test_seq.npy', { maxBytes: 2 ** 30 })   // Moving MNIST as published, 819 MB
 */
export async function readNpy(path: string, options: ByteLimit = {}): Promise<Npy> {
  return decodeNpy(await readBytes('npy', path, byteLimit('readNpy', options)), path, options)
}

/**
 * Reads a volume, .nii or .nii.gz.
 *
 * @throws one sentence that names the file, where it cannot be read, is not a NIfTI-1 file, or is beyond the limit
 * @example const { shape, data } = await readNifti('data/brain/aal.nii.gz')   // [181,217,181], labels from 0 to 116
 */
export async function readNifti(path: string, options: ByteLimit = {}): Promise<Volume> {
  return decodeNifti(await readBytes('nifti', path, byteLimit('readNifti', options)), path, options)
}

async function readBytes(what: string, path: string, maxBytes: number): Promise<Uint8Array> {
  const bytes = await readFileUpTo(what, path, maxBytes)
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes
  return promisify(gunzip)(bytes, { maxOutputLength: maxBytes }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ERR_BUFFER_TOO_LARGE') throw tooLong(what, path, `holds more than ${maxBytes} bytes`, maxBytes)
    throw new Error(`${what}: ${path} is damaged (${cause.message})`, { cause })
  })
}

/** Pictures of one channel with a class each. */
export type Mnist = {
  /** `[n,28,28]`, from 0 to 1 */
  readonly images: Float32Array
  /** `[n]`, from 0 to 9 */
  readonly labels: Uint8Array
  readonly n: number
}

/**
 * Reads MNIST, or Fashion-MNIST, from a folder with its four files, compressed or not, spelled
 * `train-images-idx3-ubyte` or `train-images.idx3-ubyte`.
 *
 * @param train whether the 60,000 examples to train with, the default, or the 10,000 to test with
 * @throws one sentence that names the file, where one is missing, damaged, or does not belong to the other
 * @example const { images, labels, n } = await readMnist('data/mnist', { train: false })   // 10,000
 */
export async function readMnist(
  folder: string, options: { readonly train?: boolean } & ByteLimit = {},
): Promise<Mnist> {
  checkOptions('readMnist', options, ['train', 'maxBytes'])
  const { train = true, maxBytes } = options
  const files = await list('mnist', folder)
  const read = (name: string): Promise<Idx> => {
    const names = [name, name.replace('-idx', '.idx')].flatMap(spelling => [spelling, `${spelling}.gz`])
    const found = names.find(file => files.includes(file))
    if (found === undefined) throw new Error(`mnist: ${folder} has none of ${names.join(', ')}, expected one of them.`)
    return readIdx(join(folder, found), { maxBytes })
  }
  const part = train ? 'train' : 't10k'
  const [images, labels] = [await read(`${part}-images-idx3-ubyte`), await read(`${part}-labels-idx1-ubyte`)]
  const [n] = images.shape
  if (images.shape.join() !== `${n},28,28` || labels.shape.join() !== `${n}`
    || !(images.data instanceof Uint8Array && labels.data instanceof Uint8Array)) {
    const got = `images ${showShape(images.shape)} and labels ${showShape(labels.shape)}`
    throw new Error(`mnist: ${folder} has ${part} ${got}, expected bytes [n,28,28] and [n].`)
  }
  return { images: Float32Array.from(images.data, x => x / 255), labels: labels.data, n }
}

/** Pictures of one size, sorted by name. */
export type ImageFolder = {
  readonly images: readonly Image[]
  /** The files, as 'cat/a.png' where folders are classes. */
  readonly names: readonly string[]
  /** The names of the classes, sorted; none where the pictures lie in the folder itself. */
  readonly classes: readonly string[]
  /** The class of each picture, an index into `classes`; empty where there are none. */
  readonly labels: Int32Array
}

/**
 * Reads all PNG files of a folder; or, if it has folders instead, those of each, which is a class.
 *
 * @param size fits every picture into a square of this side, see `fit`; without it they must have one size
 * @throws one sentence, where there are none, both files and folders, or pictures of different sizes
 * @example const { images, labels, classes } = await readImageFolder('flowers', { size: 32 })
 */
export async function readImageFolder(
  folder: string, { size }: { readonly size?: number } = {},
): Promise<ImageFolder> {
  const direct = await listPngs('images', folder)
  const classes = await listFolders(folder)
  if (direct.length > 0 && classes.length > 0) {
    throw new Error(`images: ${folder} has both ${direct[0]} and the folder ${classes[0]}, expected files or folders.`)
  }
  const names = [...direct]
  const labels: number[] = []
  for (const [label, name] of classes.entries()) {
    const inside = await listPngs('images', join(folder, name))
    if (inside.length === 0) throw new Error(`images: ${join(folder, name)}, a class, has no PNG files.`)
    names.push(...inside.map(file => `${name}/${file}`))
    labels.push(...inside.map(() => label))
  }
  if (names.length === 0) throw new Error(`images: ${folder} has no PNG files.`)
  return { images: await readAll('images', folder, names, size), names, classes, labels: Int32Array.from(labels) }
}

/** Pictures and what should become of them, sorted by name. */
export type Pairs = {
  readonly inputs: readonly Image[]
  readonly targets: readonly Image[]
  readonly names: readonly string[]
}

/**
 * Reads the PNG files of two folders; the files of the same name are a pair.
 *
 * @throws one sentence, where a file has no partner, or pictures differ in size
 * @example const { inputs, targets } = await readPairs('scans', 'masks')   // scans/1.png belongs to masks/1.png
 */
export async function readPairs(inputs: string, targets: string): Promise<Pairs> {
  const [names, others] = [await listPngs('pairs', inputs), await listPngs('pairs', targets)]
  if (names.length === 0) throw new Error(`pairs: ${inputs} has no PNG files.`)
  requirePartners(inputs, names, targets, others)
  requirePartners(targets, others, inputs, names)
  const read = { inputs: await readAll('pairs', inputs, names), targets: await readAll('pairs', targets, names) }
  checkSize('pairs', join(targets, names[0]), read.targets[0], join(inputs, names[0]), read.inputs[0])
  return { ...read, names }
}

function requirePartners(from: string, names: readonly string[], to: string, others: readonly string[]): void {
  const alone = names.find(name => !others.includes(name))
  if (alone === undefined) return
  throw new Error(`pairs: ${join(to, alone)} is missing, expected as the partner of ${join(from, alone)}.`)
}

/** One after the other: thousands at once would need as many open files. */
async function readAll(what: string, folder: string, names: readonly string[], size?: number): Promise<Image[]> {
  const images: Image[] = []
  for (const name of names) {
    const image = await readPng(join(folder, name))
    images.push(size === undefined ? image : fit(image, size))
    checkSize(what, join(folder, name), images.at(-1)!, join(folder, names[0]), images[0])
  }
  return images
}

function checkSize(what: string, name: string, image: Image, otherName: string, other: Image): void {
  if (image.width === other.width && image.height === other.height) return
  const sizes = `is ${image.width}×${image.height}, but ${otherName} is ${other.width}×${other.height}`
  throw new Error(`${what}: ${name} ${sizes}, expected one size.`)
}

async function list(what: string, folder: string): Promise<string[]> {
  return readdir(folder).catch((cause: Error) => {
    throw new Error(`${what}: cannot read ${folder} (${cause.message})`, { cause })
  })
}

async function listPngs(what: string, folder: string): Promise<string[]> {
  return (await list(what, folder)).filter(name => /\.png$/i.test(name)).sort()
}

/** The folders in a folder, without the hidden ones. */
async function listFolders(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  return entries.filter(entry => entry.isDirectory() && !entry.name.startsWith('.')).map(entry => entry.name).sort()
}
