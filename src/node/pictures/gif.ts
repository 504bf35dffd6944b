/**
 * Animations of images as GIF files, over white, with one palette for the whole animation.
 *
 * A GIF has at most 256 colours. With a separate palette for every frame, still areas would flicker as their nearest
 * colour changes. So the palette is made once, from pixels of all frames, and one table assigns every colour its
 * palette entry for the whole animation: what does not change in the pictures does not change in the file.
 */

import { createRequire } from 'node:module'
import { checkPictureSize, commonSize, overWhite, type Image } from '../../nca/files/image.ts'
import { checkOptions, flag, isNumber, keysOf, wholeFrom } from '../../backends/options.ts'
import { writeFileAtomic } from '../atomic-file.ts'

type Colour = [number, number, number]

interface Gifenc {
  GIFEncoder(): {
    writeFrame(
      index: Uint8Array, width: number, height: number,
      options: { palette?: Colour[]; delay: number; repeat: number },
    ): void
    finish(): void
    bytes(): Uint8Array
  }
  quantize(rgba: Uint8Array, maxColors: number): Colour[]
  snapColorsToPalette(palette: Colour[], knownColors: Colour[], threshold: number): void
}

// gifenc is a CommonJS file whose default export shadows its named ones: Node and bundlers disagree on `import`.
const require = createRequire(import.meta.url)
const { GIFEncoder, quantize, snapColorsToPalette } = require('gifenc') as Gifenc

/** How an animation is shown. */
export interface GifOptions {
  /**
   * Time each frame stays, in milliseconds, from 20 to 655,350; default 50. GIF counts in steps of 10: with 33 ms, frames
   * stay 30 or 40 ms, so that the length of the whole animation is right to 5 ms.
   */
  readonly delayMs?: number
  /** Whether it starts again at the end. Default true. */
  readonly loop?: boolean
  /** Every pixel becomes scale × scale pixels, a whole number > 0; default 1. */
  readonly scale?: number
}

const gifOptions = keysOf<GifOptions>({
  delayMs: {
    fits: x => isNumber(x, 20) && x <= 655_350, expected: 'at least 20 (browsers ignore less) and at most 655,350',
  },
  loop: flag, scale: wholeFrom(1),
})

/**
 * Encodes images of one size as an animated GIF over white.
 *
 * @throws if there is no frame, their sizes differ, a side would have more than 65,535 pixels, `scale` is not a whole
 * number > 0, or `delayMs` is below 20 (browsers show such frames for 100 ms) or above 655,350
 * @example await writeFile('lizard.gif', encodeGif(frames, { delayMs: 40, scale: 4 }))
 */
export function encodeGif(frames: readonly Image[], options: GifOptions = {}): Uint8Array {
  checkOptions('gif', options, gifOptions)
  const { delayMs = 50, loop = true, scale = 1 } = options
  const { width, height } = commonSize('gif', frames)
  checkGifSize('gif', width * scale, height * scale)
  const pictures = frames.map(frame => toBytes(overWhite(frame)))
  const palette = makePalette(pictures)
  const nearest = nearestIn(palette)
  const gif = GIFEncoder()
  pictures.forEach((rgba, i) => {
    const index = new Uint8Array(width * scale * height * scale)
    for (let at = 0; at < index.length; at++) {
      const x = Math.floor((at % (width * scale)) / scale)
      const y = Math.floor(at / (width * scale * scale))
      const p = 4 * (y * width + x)
      index[at] = nearest(rgba[p]!, rgba[p + 1]!, rgba[p + 2]!)
    }
    // The first frame's palette becomes the global one.
    const frame = { delay: delayOf(i, delayMs), repeat: loop ? 0 : -1, ...(i === 0 && { palette }) }
    gif.writeFrame(index, width * scale, height * scale, frame)
  })
  gif.finish()
  return gif.bytes()
}

/** Throws unless the sides fit into the 16 bits that a GIF has for them. */
export function checkGifSize(where: string, width: number, height: number): void {
  if (width > 65_535 || height > 65_535) {
    throw new Error(`${where}: the animation would have ${width}×${height} pixels, expected sides of at most 65535`)
  }
  checkPictureSize(where, width, height)
}

/** How long frame i stays, a multiple of 10 ms: the end times of frames are rounded, not their durations. */
function delayOf(i: number, delayMs: number): number {
  return 10 * (Math.round(((i + 1) * delayMs) / 10) - Math.round((i * delayMs) / 10))
}

/** Encodes images as an animated GIF and writes it, atomically. */
export async function writeGif(path: string, frames: readonly Image[], options?: GifOptions): Promise<void> {
  await writeFileAtomic(path, encodeGif(frames, options))
}

const sampleLimit = 1 << 18

/** Up to 256 colours, from all pixels of all pictures or, if they are many, an even sample of them. */
function makePalette(pictures: readonly Uint8Array[]): Colour[] {
  const size = pictures[0]!.length / 4
  const total = pictures.length * size
  const sample = new Uint8Array(Math.min(total, sampleLimit) * 4)
  for (let k = 0; k < sample.length / 4; k++) {
    // Multiples of the golden ratio, modulo 1, spread evenly and never fall into step with the width of a picture.
    const p = total <= sampleLimit ? k : Math.floor(((k * 0.6180339887498949) % 1) * total)
    const at = 4 * (p % size)
    for (let c = 0; c < 4; c++) sample[4 * k + c] = pictures[Math.floor(p / size)]![at + c]!
  }
  const palette = quantize(sample, 256)
  snapColorsToPalette(palette, [[255, 255, 255]], 16) // keep the paper white
  return palette
}

/** The nearest palette entry, by a table over 6 bits a channel: equal colours get equal entries in all frames. */
function nearestIn(palette: readonly Colour[]): (r: number, g: number, b: number) => number {
  const table = new Int16Array(1 << 18).fill(-1)
  return (r, g, b) => {
    const cell = ((r >> 2) << 12) | ((g >> 2) << 6) | (b >> 2)
    if (table[cell] === -1) table[cell] = nearest(palette, (r & ~3) + 1.5, (g & ~3) + 1.5, (b & ~3) + 1.5)
    return table[cell]!
  }
}

function nearest(palette: readonly Colour[], r: number, g: number, b: number): number {
  let best = 0
  let smallest = Infinity
  palette.forEach((colour, i) => {
    const distance = (colour[0] - r) ** 2 + (colour[1] - g) ** 2 + (colour[2] - b) ** 2
    if (distance < smallest) [best, smallest] = [i, distance]
  })
  return best
}

function toBytes(image: Image): Uint8Array {
  const bytes = new Uint8ClampedArray(image.data.length) // rounds and clamps
  for (let i = 0; i < bytes.length; i++) bytes[i] = image.data[i]! * 255
  return new Uint8Array(bytes.buffer)
}
