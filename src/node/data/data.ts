/**
 * Reads data sets from files, decompresses them, has `src/nca/data` decode them, and checks that they belong together.
 *
 * Files that begin with 1f 8b, gzip's mark, are decompressed whatever their names.
 */
import { readdir, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { decodeIdx, type Idx } from '../../nca/data/idx.ts'
import { decodeNifti, type Volume } from '../../nca/data/nifti.ts'
import { decodeNpy, type Npy } from '../../nca/data/npy.ts'
import { fit, type Image } from '../../nca/files/image.ts'
import { byteKinds, byteLimit, pixelKinds, type ByteLimit, type PixelLimit } from '../../nca/files/limits.ts'
import { checkOptions, flag, keysOf, oneOf, wholeFrom } from '../../backends/options.ts'
import { showShape } from '../../tensor/shape.ts'
import { readImage } from '../pictures/picture.ts'
import { cannotRead, readFileUpTo, tooLong } from '../read-file.ts'
import { unitValues } from './unit-values.ts'

/**
 * Reads an IDX file, compressed or not.
 *
 * @throws if the file cannot be read, is not an IDX file, or is beyond the limit; the sentence names it
 * @example const { shape, data } = await readIdx('data/fashion-mnist/t10k-labels-idx1-ubyte.gz')   // [10000]
 */
export async function readIdx(path: string, options: ByteLimit = {}): Promise<Idx> {
  return decodeIdx(await readBytes('idx', path, byteLimit('readIdx', options)), path, options)
}

/**
 * Reads an .npy file, compressed or not.
 *
 * @throws if the file cannot be read, is not an .npy file, or is beyond the limit; the sentence names it
 * @example const { shape, data } = await readNpy('frames.npy'); tensor(data, { shape })
 * @example await readNpy('mnist_test_seq.npy', { maxBytes: 2 ** 30 })   // Moving MNIST as published, 819 MB
 */
export async function readNpy(path: string, options: ByteLimit = {}): Promise<Npy> {
  return decodeNpy(await readBytes('npy', path, byteLimit('readNpy', options)), path, options)
}

/**
 * Reads a volume, .nii or .nii.gz.
 *
 * @throws if the file cannot be read, is not a NIfTI-1 file, or is beyond the limit; the sentence names it
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

/** Pictures of one channel, each with a class. */
export type Mnist = {
  /** `[n,28,28]`, from 0 to 1 */
  readonly images: Float32Array
  /** `[n]`, from 0 to 9 */
  readonly labels: Uint8Array
  readonly n: number
}

export type MnistOptions = ByteLimit & {
  /** True (default) for the 60,000 training examples, false for the 10,000 test examples. */
  readonly train?: boolean
}

const mnistOptions = keysOf<MnistOptions>({ ...byteKinds, train: flag })

/**
 * Reads MNIST, or Fashion-MNIST, from a folder with its four files, compressed or not, named like
 * `train-images-idx3-ubyte` or `train-images.idx3-ubyte`.
 *
 * @throws if a file is missing, damaged, or does not belong to the other; the sentence names it
 * @example const { images, labels, n } = await readMnist('data/mnist', { train: false })   // 10,000
 */
export async function readMnist(
  folder: string, options: MnistOptions = {},
): Promise<Mnist> {
  checkOptions('readMnist', options, mnistOptions)
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
  return { images: unitValues(images.data), labels: labels.data, n }
}

/** Pictures of one size, sorted by name. */
export type ImageFolder = {
  readonly images: readonly Image[]
  /** The names of the files, like 'cat/a.png' if folders are classes. */
  readonly names: readonly string[]
  /** The names of the classes, sorted; empty if the pictures are in the folder itself. */
  readonly classes: readonly string[]
  /** The class of each picture, an index into `classes`; empty if there are no classes. */
  readonly labels: Int32Array
}

export type ImageFolderOptions = PixelLimit & {
  /** Fits every picture into a square of this side, see `fit`; without it, all pictures must have the same size. */
  readonly size?: number
}

const imageFolderOptions = keysOf<ImageFolderOptions>({ ...pixelKinds, size: wholeFrom(1) })

/**
 * Reads all pictures of a folder (PNG, JPEG, WebP, GIF, BMP, by the endings of their names). If it has folders, or links
 * to folders, instead, each of these is a class, and their pictures are read.
 *
 * @throws if there are no pictures, both pictures and folders, or pictures of different sizes
 * @example const { images, labels, classes } = await readImageFolder('flowers', { size: 32 })
 */
export async function readImageFolder(
  folder: string, options: ImageFolderOptions = {},
): Promise<ImageFolder> {
  checkOptions('readImageFolder', options, imageFolderOptions)
  const { size, maxPixels } = options
  const direct = await listPictures('images', folder)
  const classes = await listFolders(folder)
  if (direct.length > 0 && classes.length > 0) {
    throw new Error(`images: ${folder} has both ${direct[0]} and the folder ${classes[0]}, expected files or folders.`)
  }
  const names = [...direct]
  const labels: number[] = []
  for (const [label, name] of classes.entries()) {
    const inside = await listPictures('images', join(folder, name))
    if (inside.length === 0) throw new Error(`images: ${join(folder, name)}, a class, has no pictures.`)
    names.push(...inside.map(file => `${name}/${file}`))
    labels.push(...inside.map(() => label))
  }
  if (names.length === 0) throw new Error(`images: ${folder} has no pictures.`)
  return { images: await readAll('images', folder, names, { size, maxPixels }), names, classes, labels: Int32Array.from(labels) }
}

/** Pictures and their targets, sorted by name. */
export type Pairs = {
  readonly inputs: readonly Image[]
  readonly targets: readonly Image[]
  readonly names: readonly string[]
}

const pairsOptions = keysOf<PixelLimit>(pixelKinds)

/**
 * Reads the pictures of two folders. Files of the same name are a pair, whatever their endings: a photo may be
 * a JPEG and its mask a PNG.
 *
 * @throws if a file has no partner or two, or pictures differ in size
 * @example const { inputs, targets } = await readPairs('scans', 'masks')   // scans/1.png belongs to masks/1.png
 */
export async function readPairs(inputs: string, targets: string, options: PixelLimit = {}): Promise<Pairs> {
  checkOptions('readPairs', options, pairsOptions)
  const [names, others] = [await listPictures('pairs', inputs), await listPictures('pairs', targets)]
  if (names.length === 0) throw new Error(`pairs: ${inputs} has no pictures.`)
  const partners = partnersOf(inputs, names, targets, others)
  partnersOf(targets, others, inputs, names)
  const read = {
    inputs: await readAll('pairs', inputs, names, options),
    targets: await readAll('pairs', targets, partners, options),
  }
  checkSize('pairs', join(targets, partners[0]), read.targets[0], join(inputs, names[0]), read.inputs[0])
  return { ...read, names }
}

export type SideBySideOptions = PixelLimit & {
  /** Which half is the input: 'left' (default) or 'right'. */
  readonly inputs?: 'left' | 'right'
}

const sideBySideOptions = keysOf<SideBySideOptions>({ ...pixelKinds, inputs: oneOf(['left', 'right']) })

/**
 * Reads a folder of pictures of which each is a pair side by side, like those of pix2pix (Isola et al. 2017).
 *
 * @throws if there are no pictures, they differ in size, or their width is odd
 * @example const { inputs, targets } = await readSideBySide('edges2handbags/train')
 */
export async function readSideBySide(folder: string, options: SideBySideOptions = {}): Promise<Pairs> {
  checkOptions('readSideBySide', options, sideBySideOptions)
  const { inputs = 'left', maxPixels } = options
  const names = await listPictures('pairs', folder)
  if (names.length === 0) throw new Error(`pairs: ${folder} has no pictures.`)
  const images = await readAll('pairs', folder, names, { maxPixels })
  const halves = (side: Half): Image[] => images.map((image, i) => halfOf(`pairs: ${join(folder, names[i])}`, image, side))
  return { inputs: halves(inputs), targets: halves(otherHalf(inputs)), names }
}

export type Half = 'left' | 'right'

export const otherHalf = (side: Half): Half => (side === 'left' ? 'right' : 'left')

/** Half of a picture; throws, beginning with `where`, if its width is odd. */
export function halfOf(where: string, { width, height, data }: Image, side: Half): Image {
  if (width % 2 === 1) throw new Error(`${where} is ${width}×${height}, expected an even width, for two halves.`)
  const from = side === 'left' ? 0 : width / 2
  const half = new Float32Array(data.length / 2), row = 2 * width
  for (let y = 0; y < height; y++) half.set(data.subarray(4 * (y * width + from), 4 * (y * width + from) + row), y * row)
  return { width: width / 2, height, data: half }
}

/** For each name the only file of `others` that has the same name, whatever its ending. */
function partnersOf(from: string, names: readonly string[], to: string, others: readonly string[]): string[] {
  const stem = (name: string): string => name.slice(0, -extname(name).length)
  const byStem = new Map<string, string[]>()
  for (const name of others) byStem.set(stem(name), [...byStem.get(stem(name)) ?? [], name])
  return names.map(name => {
    const [partner, second] = byStem.get(stem(name)) ?? []
    const of = `the partner of ${join(from, name)}`
    if (partner === undefined) throw new Error(`pairs: ${join(to, name)} is missing, expected as ${of}.`)
    if (second !== undefined) throw new Error(`pairs: ${to} has ${partner} and ${second}, expected one as ${of}.`)
    return partner
  })
}

/** Reads pictures one after the other: reading thousands at once would need as many open files. */
async function readAll(
  what: string, folder: string, names: readonly string[], { size, maxPixels }: { size?: number } & PixelLimit,
): Promise<Image[]> {
  const images: Image[] = []
  for (const name of names) {
    const image = await readImage(join(folder, name), { maxPixels })
    images.push(size === undefined ? image : fit(image, size))
    checkSize(what, join(folder, name), images.at(-1)!, join(folder, names[0]), images[0])
  }
  return images
}

function checkSize(what: string, name: string, image: Image, otherName: string, other: Image): void {
  if (image.width === other.width && image.height === other.height) return
  const sizes = `is ${image.width}×${image.height}, but ${otherName} is ${other.width}×${other.height}`
  throw new Error(`${what}: ${name} ${sizes}, expected one size${what === 'images' ? '; size fits them' : ''}.`)
}

async function list(what: string, folder: string): Promise<string[]> {
  return readdir(folder).catch(cannotRead(what, folder))
}

async function listPictures(what: string, folder: string): Promise<string[]> {
  return (await list(what, folder)).filter(name => /\.(png|jpe?g|webp|gif|bmp)$/i.test(name)).sort()
}

/** The folders in a folder, including links to folders, without hidden ones. */
async function listFolders(folder: string): Promise<string[]> {
  const folders: string[] = []
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name.startsWith('.')) continue
    const path = join(folder, entry.name)
    const target = entry.isSymbolicLink() ? await stat(path).catch(cannotRead('images', path)) : entry
    if (target.isDirectory()) folders.push(entry.name)
  }
  return folders.sort()
}
