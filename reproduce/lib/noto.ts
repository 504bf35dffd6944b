/**
 * Noto emoji as drawings and pictures: pairs for image to image, thousands of them (`npm run data -- noto`).
 *
 *   picture    red, green and blue over white, shrunk to `side`; as ink, 1 − colour, so that paper is 0
 *   edges      1 where the brightness, or the alpha, of the 64×64 original changes by more than a tenth, else 0; a cell has the
 *              share of its pixels that are edges
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { kFold, key, overWhite, resize, type Image } from '../../src/index.ts'
import { readPng } from '../../src/node/index.ts'

export type Pairs = {
  /** Amounts of edges, `[n,side,side,1]` one after the other. */
  readonly edges: Float32Array
  /** Ink, `[n,side,side,3]`. */
  readonly ink: Float32Array
  readonly n: number
}

/** The gradient above which a pixel counts as an edge, in brightness (0 to 1) per pixel. */
const edge = 0.1

/** Pairs for training and for testing, see `notoImages`. */
export async function notoPairs(folder: string, side: number, limit: number): Promise<{ train: Pairs; test: Pairs }> {
  const { train, test } = await notoImages(folder, limit)
  const pairs = (images: readonly Image[]): Pairs => ({
    edges: joined(images.map(image => edgesOf(image, side)), side * side),
    ink: joined(images.map(image => inkOf(image, side)), 3 * side * side),
    n: images.length,
  })
  return { train: pairs(train), test: pairs(test) }
}

/**
 * Pictures of 64×64 pixels for training, and a tenth of them for testing. Variants of a picture, such as skin tones, are a group
 * and stay on the same side.
 */
export async function notoImages(folder: string, limit: number): Promise<{ train: Image[]; test: Image[] }> {
  const all = (await readdir(folder)).filter(name => name.endsWith('.png')).sort()
  const step = Math.max(1, Math.floor(all.length / limit))
  const names = all.filter((_, i) => i % step === 0).slice(0, limit)
  const images: Image[] = []
  for (const name of names) images.push(await readPng(join(folder, name)))
  const [{ train, test }] = kFold(key(0), names.length, 10, { groups: names.map(name => name.replace(/-1f3f[b-f]/g, '')) })
  return { train: train.map(id => images[id]), test: test.map(id => images[id]) }
}

function joined(list: readonly Float32Array[], size: number): Float32Array {
  const all = new Float32Array(list.length * size)
  list.forEach((values, i) => all.set(values, i * size))
  return all
}

function inkOf(image: Image, side: number): Float32Array {
  const { data } = overWhite(resize(image, side, side, 'area'))
  return Float32Array.from({ length: 3 * side * side }, (_, i) => 1 - data[4 * Math.floor(i / 3) + i % 3])
}

function edgesOf(image: Image, side: number): Float32Array {
  const { width, height, data } = image
  const shown = overWhite(image).data
  const bright = Float32Array.from({ length: width * height }, (_, i) => (shown[4 * i] + shown[4 * i + 1] + shown[4 * i + 2]) / 3)
  const alpha = Float32Array.from({ length: width * height }, (_, i) => data[4 * i + 3])
  const isEdge = (values: Float32Array, i: number): boolean => {
    const x = i % width < width - 1 ? values[i + 1] - values[i] : 0
    const y = i + width < values.length ? values[i + width] - values[i] : 0
    return Math.hypot(x, y) > edge
  }
  const drawn = Float32Array.from({ length: 4 * width * height }, (_, i) => {
    const at = Math.floor(i / 4)
    return i % 4 === 3 ? 1 : +(isEdge(bright, at) || isEdge(alpha, at))
  })
  const small = resize({ width, height, data: drawn }, side, side, 'area').data
  return Float32Array.from({ length: side * side }, (_, i) => small[4 * i])
}
