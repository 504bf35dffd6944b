/**
 * Pairs of inputs and targets, read from pictures and arrays, whole or in pieces.
 */
import { check } from '../../backends/options.ts'
import { outputsOf, type DataOf } from '../../experiment/tasks/experiment.ts'
import type { TaskData } from '../../experiment/tasks/lesson.ts'
import { fit, type Image } from '../../nca/files/image.ts'
import type { Examples } from '../../nca/tasks/examples.ts'
import { readImage } from '../pictures/picture.ts'
import { halfOf, otherHalf, type Half } from './data.ts'
import { filesNamed, isArray, pairsNamed, type Named } from './named.ts'
import {
  masksOf, piecesOf, readArrays, readLabels, standardised, valuesOf, type ArrayExample, type Layout,
} from './volumes.ts'

/** How files are read: the options of an experiment. */
type Reading = Layout & Pick<DataOf['imageToImage'], 'size' | 'loss' | 'standardise' | 'labels' | 'half'>

/**
 * Reads the pairs of an experiment, with the key of its files as the case of each. If files have several pairs, the file of each pair
 * is its group.
 *
 * @param seen the number of channels of inputs; `made`, of outputs
 * @throws if a partner is missing, or does not fit the other or the rule; the sentence names the file
 */
export async function readImagePairs(
  { inputs, outputs, limit, crop, half, ...rest }: DataOf['imageToImage'], grid: number, [seen, made]: readonly [number, number],
): Promise<TaskData['imageToImage']> {
  const all: { readonly input: ArrayExample; readonly output: ArrayExample; readonly path: string; readonly key: string }[] = []
  const pairs = pairsNamed(inputs, outputs)
  for (const { input, output, key } of pairs) {
    if (limit !== null && all.length >= limit) break
    const given = await readGiven(input, { ...rest, crop, half, grid, m: seen })
    const wanted = await readWanted(output, { ...rest, crop, half: half && otherHalf(half), grid, m: made })
    check(given.length === wanted.length, 'data', `the number of examples in ${output}`, wanted.length, `${given.length}, as in ${input}`)
    for (const [i, one] of given.entries()) {
      const [mine, partner] = [one, wanted[i]].map(({ shape }) => shape.slice(0, -1).join('×'))
      if (mine !== partner) throw new Error(`data: ${output} is ${partner}, but ${input} is ${mine}, expected one size.`)
      const [from, to] = crop ? [piecesOf(input, one, crop, grid), piecesOf(output, wanted[i], crop, grid)] : [[one], [wanted[i]]]
      from.forEach((piece, j) => all.push({ input: piece, output: to[j], path: input, key }))
    }
  }
  const some = limit === null ? all : all.slice(0, limit)
  checkSizes(some.map(({ input, path }) => ({ ...input, path })), 'data.crop cuts pieces of one size, data.size fits pictures')
  const files = new Set(some.map(({ path }) => path)).size
  return {
    inputs: asExamples(some.map(({ input }) => input)), outputs: asExamples(some.map(({ output }) => output)), cases: some.map(({ key }) => key),
    ...(files > 1 && files < some.length && { groups: some.map(({ path }) => path) }),
  }
}

/** Throws unless all examples have the same size. */
function checkSizes(all: readonly (ArrayExample & { readonly path: string })[], hint: string): void {
  const other = all.find(({ shape }) => String(shape) !== String(all[0].shape))
  if (other === undefined) return
  const size = ({ shape }: ArrayExample): string => shape.slice(0, -1).join('×')
  throw new Error(`data: ${other.path} is ${size(other)}, but ${all[0].path} is ${size(all[0])}, expected one size; ${hint}.`)
}

/**
 * Reads the images of an experiment without targets: pictures are scaled to −1 … 1, arrays are not changed.
 *
 * @throws if images do not fit the rule, or have different sizes; the sentence names the file
 */
export async function readImages(
  images: Named, { limit, ...reading }: Layout & Omit<DataOf['denoising'], 'images'>,
): Promise<TaskData['denoising']> {
  const all: (ArrayExample & { readonly path: string })[] = []
  for (const { path } of filesNamed(images)) {
    if (limit !== null && all.length >= limit) break
    const isPicture = !isArray(path) && !reading.standardise
    const read = await readGiven(path, reading)
    all.push(...read.map(({ shape, data }) => ({ path, shape, data: isPicture ? Float32Array.from(data, v => 2 * v - 1) : data })))
  }
  const some = limit === null ? all : all.slice(0, limit)
  checkSizes(some, 'data.size fits pictures whose sides go alike')
  return asExamples(some)
}

/** The inputs for a rule in a file. */
export async function readGiven(path: string, { standardise, size, half = null, ...layout }: Omit<Reading, 'loss' | 'labels' | 'half'> & Partial<Pick<Reading, 'half'>>): Promise<ArrayExample[]> {
  const read = isArray(path) ? (await readArrays(path, asTheyAre(path, { size, half }, layout))).map(valuesOf) : [pictureValues(await readPicture(path, half, size), layout.m)]
  return standardise ? read.map(({ shape, data }) => ({ shape, data: standardised(data) })) : read
}

async function readWanted(path: string, reading: Reading): Promise<ArrayExample[]> {
  const { loss, labels, m, size, half } = reading
  const kind = outputsOf(loss)
  const areNumbers = kind === 'values' || kind === 'depths'
  check(labels === null || !areNumbers, 'data', 'labels', labels, `null, where the loss compares numbers, ${loss}`)
  if (areNumbers) return readGiven(path, { ...reading, standardise: false })
  if (isArray(path)) return (await readLabels(path, asTheyAre(path, { size, half }, reading))).map(one => masksOf(path, one, m, labels))
  // If there are several classes, a grey picture has their numbers, and a coloured one has a mask in each channel.
  const haveMasks = kind === 'masks' && labels === null && (m === 1 || isColoured(await readPicture(path, half)))
  if (haveMasks) return readGiven(path, { ...reading, standardise: false })
  check(size === null, 'data', 'size', size, 'null, where pictures have labels, between which there is nothing; data.crop takes pieces')
  return [masksOf(path, pictureLabels(path, await readPicture(path, half)), m, labels)]
}

function asTheyAre<T>(path: string, { size, half }: Pick<Reading, 'size' | 'half'>, rest: T): T {
  check(half === null, 'data', 'half', half, `null, for arrays, which are no pairs side by side (${path})`)
  check(size === null, 'data', 'size', size, `null, for arrays, which stay as they are (${path}); data.crop takes pieces`)
  return rest
}

async function readPicture(path: string, half: Half | null, size: number | null = null): Promise<Image> {
  const whole = await readImage(path)
  const image = half === null ? whole : halfOf(`data: ${path}`, whole, half)
  return size === null ? image : fit(image, size)
}

/** A picture as an array with 1 channel (grey), 3 (colours) or 4 (with alpha). */
export function pictureValues({ width, height, data }: Image, m: number): ArrayExample {
  if (![1, 3, 4].includes(m)) throw new Error(`data: pictures have 1, 3 or 4 channels, but the rule has ${m} for them.`)
  const values = Float32Array.from({ length: width * height * m }, (_, j) => {
    const at = 4 * Math.floor(j / m)
    return m === 1 ? 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2] : data[at + (j % m)]
  })
  return { shape: [height, width, m], data: values }
}

function isColoured({ data }: Image): boolean {
  for (let i = 0; i < data.length; i += 4) if (data[i] !== data[i + 1] || data[i] !== data[i + 2]) return true
  return false
}

/** A picture whose shades of grey, from 0 to 255, are the numbers of classes, as an array of these. */
function pictureLabels(path: string, image: Image): ArrayExample {
  if (isColoured(image)) throw new Error(`data: ${path} is coloured, expected shades of grey, each the number of a class.`)
  const { width, height, data } = image
  return { shape: [height, width, 1], data: Uint8Array.from({ length: width * height }, (_, i) => Math.round(255 * data[4 * i])) }
}

/** Arrays of the same size as examples. */
export function asExamples(arrays: readonly ArrayExample[]): Examples {
  return { n: arrays.length, shape: arrays[0].shape, of: i => arrays[i].data }
}
