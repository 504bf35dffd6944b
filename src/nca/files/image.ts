/**
 * Pictures as plain numbers, and the few operations on them that automata need.
 *
 * An image is RGBA, interleaved, in [0, 1], with **premultiplied alpha**: half-transparent red is (0.5, 0, 0, 0.5). It
 * is what a growing automaton learns, and the only form in which averaging pixels is right: an average of premultiplied
 * pixels weighs every colour by how much of it is visible, while an average of plain RGBA drags the invisible colour of
 * transparent pixels (mostly black) into every edge as a dark fringe (Porter & Duff, "Compositing Digital Images",
 * SIGGRAPH 1984).
 */
import { checkOptions, isWhole, keysOf, show, wholeFrom } from '../../backends/options.ts'


/** A picture `[height, width, 4]`: RGBA in [0, 1], row by row from the top, premultiplied by alpha. */
export interface Image {
  readonly width: number
  readonly height: number
  readonly data: Float32Array
}

/**
 * A picture of plain RGBA, as files store it: whole numbers from 0 to `white`, colour not multiplied by alpha.
 *
 * @example fromPlain(1, 1, [255, 0, 0, 51])   // red, a fifth of it: (0.2, 0, 0, 0.2)
 */
export function fromPlain(width: number, height: number, rgba: ArrayLike<number>, white: number = 255): Image {
  const data = new Float32Array(4 * width * height)
  for (let i = 0; i < data.length; i += 4) {
    const alpha = rgba[i + 3]! / white
    for (let c = 0; c < 3; c++) data[i + c] = (rgba[i + c]! / white) * alpha
    data[i + 3] = alpha
  }
  return { width, height, data }
}

/** A colour without alpha: red, green, blue in [0, 1]. */
export type Rgb = readonly [number, number, number]

/** How `resize` weights the source pixels, see there. */
export type ResizeFilter = 'lanczos' | 'area'

/**
 * Resizes a picture to `width` × `height`; to keep the aspect ratio see `fit`.
 *
 * `'lanczos'`, the default, is the windowed sinc L(x) = sinc(x) sinc(x/3), |x| < 3, stretched when shrinking so that it
 * covers every pixel it replaces. It is sharp, it enlarges smoothly, and it is what the Growing NCA notebook used, so
 * targets, and therefore losses, are comparable with the paper's. It can overshoot at edges: results are clamped to
 * alpha in [0, 1] and colour in [0, alpha].
 *
 * `'area'` weights each source pixel by how much of it the new pixel covers. It never overshoots and keeps the mean
 * exactly: the choice for pyramids, masks and thumbnails. Enlarging with it gives blocks.
 *
 * @throws if a side is not a positive integer
 * @example const target = padImage(resize(await readPng('lizard.png'), 40, 40), 16)   // [72,72,4], as in the paper
 */
export function resize(image: Image, width: number, height: number, filter: ResizeFilter = 'lanczos'): Image {
  requirePositiveInteger('resize', 'width', width)
  requirePositiveInteger('resize', 'height', height)
  checkImage('resize', image)
  checkPictureSize('resize', width, height)
  checkPictureSize('resize', width, image.height) // the intermediate picture
  // Separable: rows are resampled as the middle axis of [height, from, 4], columns as that of [1, from, width * 4].
  const rows = resampleMiddle(image.data, image.height, image.width, 4, taps(image.width, width, filter))
  const data = resampleMiddle(rows, 1, image.height, width * 4, taps(image.height, height, filter))
  for (let i = 0; i < data.length; i += 4) {
    const alpha = clamp(data[i + 3]!, 0, 1)
    for (let c = 0; c < 3; c++) data[i + c] = clamp(data[i + c]!, 0, alpha)
    data[i + 3] = alpha
  }
  return { width, height, data }
}

/** For one output position: the first source position it reads, and the weights (sum 1) of it and the next ones. */
interface Taps {
  readonly first: number
  readonly weights: readonly number[]
}

function taps(from: number, to: number, filter: ResizeFilter): Taps[] {
  const scale = from / to
  const stretch = Math.max(1, scale)
  const radius = filter === 'lanczos' ? 3 * stretch : scale / 2
  return Array.from({ length: to }, (_, o) => {
    const centre = (o + 0.5) * scale // pixel i covers [i, i + 1]
    const first = Math.max(0, Math.floor(centre - radius))
    const end = Math.min(from, Math.ceil(centre + radius))
    const raw = Array.from({ length: end - first }, (_, k) => {
      const i = first + k
      return filter === 'lanczos'
        ? lanczos3((i + 0.5 - centre) / stretch)
        : Math.max(0, Math.min(i + 1, centre + radius) - Math.max(i, centre - radius))
    })
    // Dividing by the sum corrects the sampling of the kernel and, at the border, the part of it that falls outside.
    const sum = raw.reduce((a, b) => a + b, 0)
    return { first, weights: raw.map(w => w / sum) }
  })
}

function lanczos3(x: number): number {
  return Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x)
}

/** `[outer, from, inner]` → `[outer, taps.length, inner]`. */
function resampleMiddle(data: Float32Array, outer: number, from: number, inner: number, taps: Taps[]): Float32Array {
  const out = new Float32Array(outer * taps.length * inner)
  for (let a = 0; a < outer; a++) {
    for (let o = 0; o < taps.length; o++) {
      const { first, weights } = taps[o]!
      for (let b = 0; b < inner; b++) {
        let sum = 0
        for (let k = 0; k < weights.length; k++) sum += weights[k]! * data[(a * from + first + k) * inner + b]!
        out[(a * taps.length + o) * inner + b] = sum
      }
    }
  }
  return out
}

/**
 * Fits a picture into a `size` × `size` square: keeps its aspect ratio, centres it, leaves the rest transparent.
 *
 * @throws if `size` is not a positive integer
 * @example fit(photo, 40)   // a 300 × 200 photo becomes 40 × 27 with 6 transparent rows above and 7 below
 */
export function fit(image: Image, size: number): Image {
  requirePositiveInteger('fit', 'size', size)
  checkImage('fit', image)
  const scale = size / Math.max(image.width, image.height)
  const width = Math.max(1, Math.round(image.width * scale))
  const height = Math.max(1, Math.round(image.height * scale))
  const square = transparent('fit', size, size)
  paste(square, resize(image, width, height), Math.floor((size - width) / 2), Math.floor((size - height) / 2))
  return square
}

/** Adds `n` transparent pixels on each side: room for an automaton to grow in. */
export function padImage(image: Image, n: number): Image {
  if (!Number.isInteger(n) || n < 0) throw new Error(`padImage: n must be a non-negative integer, got ${n}`)
  checkImage('padImage', image)
  const padded = transparent('padImage', image.width + 2 * n, image.height + 2 * n)
  paste(padded, image, n, n)
  return padded
}

/** Lays a picture over a plain colour: c + (1 − alpha) · background, opaque. Alpha counts as clamped to [0, 1]. */
export function overColour(image: Image, background: Rgb): Image {
  const data = new Float32Array(image.data.length)
  for (let i = 0; i < data.length; i += 4) {
    const behind = 1 - clamp(image.data[i + 3]!, 0, 1)
    for (let c = 0; c < 3; c++) data[i + c] = image.data[i + c]! + behind * background[c]!
    data[i + 3] = 1
  }
  return { width: image.width, height: image.height, data }
}

/** Lays a picture over white, the way the paper shows its automata. */
export function overWhite(image: Image): Image {
  return overColour(image, [1, 1, 1])
}

export type FilmStripOptions = {
  /** Pictures in a row, a whole number > 0; default all. */
  readonly columns?: number
  /** Pixels between pictures, a whole number ≥ 0; default 2. */
  readonly gap?: number
}

const filmStripOptions = keysOf<FilmStripOptions>({ columns: wholeFrom(1), gap: wholeFrom(0) })

/**
 * Puts pictures of one size side by side, row by row, with a transparent gap between them.
 *
 * @throws if there is no picture, or their sizes differ
 * @example filmStrip(states, { columns: 8 })   // 24 states as 3 rows of 8
 */
export function filmStrip(images: readonly Image[], options: FilmStripOptions = {}): Image {
  checkOptions('filmStrip', options, filmStripOptions)
  const { columns = images.length, gap = 2 } = options
  const { width, height } = commonSize('filmStrip', images)
  const size = stripSize(images.length, width, height, columns, gap)
  const strip = transparent('filmStrip', size.width, size.height)
  images.forEach((image, i) => {
    paste(strip, image, (i % columns) * (width + gap), Math.floor(i / columns) * (height + gap))
  })
  return strip
}

/** The sides of a film strip of `count` pictures. */
export function stripSize(
  count: number, width: number, height: number, columns: number, gap: number,
): { width: number; height: number } {
  const rows = Math.ceil(count / columns)
  return { width: columns * (width + gap) - gap, height: rows * (height + gap) - gap }
}

/** Repeats every pixel `factor` × `factor` times, so that single cells can be seen. */
export function upscale(image: Image, factor: number): Image {
  requirePositiveInteger('upscale', 'factor', factor)
  checkImage('upscale', image)
  const large = transparent('upscale', image.width * factor, image.height * factor)
  for (let y = 0; y < large.height; y++) {
    for (let x = 0; x < large.width; x++) {
      const from = 4 * (Math.floor(y / factor) * image.width + Math.floor(x / factor))
      const to = 4 * (y * large.width + x)
      for (let c = 0; c < 4; c++) large.data[to + c] = image.data[from + c]!
    }
  }
  return large
}

/**
 * The size that all of `images` share; `what` names the caller in the message.
 *
 * @throws if there is no picture, or their sizes differ
 */
export function commonSize(what: string, images: readonly Image[]): { width: number; height: number } {
  const [first] = images
  if (first === undefined) throw new Error(`${what}: needs at least one image, got none`)
  const { width, height } = first
  images.forEach((image, i) => {
    checkImage(what, image, `image ${i}`)
    if (image.width === width && image.height === height) return
    throw new Error(`${what}: image ${i} is ${image.width}×${image.height}, but image 0 is ${width}×${height}`)
  })
  return { width, height }
}

/** Throws unless an image has whole sides > 0, and 4 numbers for each pixel. */
export function checkImage(where: string, image: Image, name: string = 'the image'): void {
  const { width, height, data } = image
  const ok = isWhole(width, 1) && isWhole(height, 1) && data instanceof Float32Array
  if (ok && data.length === 4 * width * height) return
  const numbers = data instanceof Float32Array ? `${data.length} numbers` : show(data)
  throw new Error(
    `${where}: ${name} is ${show(width)}×${show(height)} with ${numbers}, expected whole sides > 0 and 4 numbers a pixel`)
}

/** The most pixels of a picture or film that cellgrad makes: they take a gigabyte. */
export const mostPixels: number = 2 ** 26

/** Throws where a picture to be made would be too large. */
export function checkPictureSize(where: string, width: number, height: number): void {
  if (width * height <= mostPixels) return
  throw new Error(`${where}: the picture would have ${width}×${height} pixels, expected at most ${mostPixels} in all`)
}

function transparent(what: string, width: number, height: number): Image {
  checkPictureSize(what, width, height)
  return { width, height, data: new Float32Array(width * height * 4) }
}

function paste(onto: Image, image: Image, left: number, top: number): void {
  for (let y = 0; y < image.height; y++) {
    const row = image.data.subarray(y * image.width * 4, (y + 1) * image.width * 4)
    onto.data.set(row, ((top + y) * onto.width + left) * 4)
  }
}

function clamp(x: number, low: number, high: number): number {
  return Math.min(Math.max(x, low), high)
}

function requirePositiveInteger(what: string, name: string, value: number): void {
  if (Number.isInteger(value) && value > 0) return
  throw new Error(`${what}: ${name} must be a positive integer, got ${value}`)
}
