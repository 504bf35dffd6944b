/**
 * PNG files ↔ images.
 *
 * A PNG stores plain (not premultiplied) colour in up to 16 bits, grey, RGB or palette, with or without alpha; pngjs
 * turns all of them into 8-bit RGBA. Reading multiplies colour by alpha, writing divides by it. 8-bit pixels survive a
 * round trip exactly, except the colour of fully transparent ones, which premultiplication forgets.
 */

import { PNG } from 'pngjs'
import type { Image } from '../nca/files/image.ts'
import { checkBytes, checkPixels, pictureBytes, pixelLimit } from '../nca/files/limits.ts'
import type { PixelLimit } from '../nca/files/limits.ts'
import { writeFileAtomic } from './atomic-file.ts'
import { readFileUpTo } from './read-file.ts'

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

/**
 * Decodes the bytes of a PNG file of any kind into a premultiplied image; `where` names it in messages.
 *
 * @throws `png: lizard.png is not a PNG file (starts with 47 49 46 38)`, or that it is damaged and how
 */
export function decodePng(bytes: Uint8Array, where = 'input', options: PixelLimit = {}): Image {
  checkBytes('decodePng', bytes)
  const maxPixels = pixelLimit('decodePng', options)
  if (signature.some((byte, i) => bytes[i] !== byte)) {
    const start = Array.from(bytes.subarray(0, 4), byte => byte.toString(16).padStart(2, '0')).join(' ')
    throw new Error(`png: ${where} is not a PNG file (${start === '' ? 'it is empty' : `starts with ${start}`})`)
  }
  if (bytes.length >= 24) {
    const header = new DataView(bytes.buffer, bytes.byteOffset)
    checkPixels(`png: ${where}`, header.getUint32(16), header.getUint32(20), maxPixels)
  }
  const { width, height, data: rgba } = parse(bytes, where)
  const data = new Float32Array(rgba.length)
  for (let i = 0; i < data.length; i += 4) {
    const alpha = rgba[i + 3]! / 255
    for (let c = 0; c < 3; c++) data[i + c] = (rgba[i + c]! / 255) * alpha
    data[i + 3] = alpha
  }
  return { width, height, data }
}

function parse(bytes: Uint8Array, where: string): PNG {
  try {
    return PNG.sync.read(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  } catch (cause) {
    throw new Error(`png: ${where} is damaged (${(cause as Error).message})`, { cause })
  }
}

/** Encodes an image as an 8-bit RGBA PNG. Values outside the range of premultiplied colour are clamped. */
export function encodePng(image: Image): Uint8Array {
  const png = new PNG({ width: image.width, height: image.height })
  for (let i = 0; i < image.data.length; i += 4) {
    const alpha = Math.min(image.data[i + 3]!, 1)
    for (let c = 0; c < 3; c++) png.data[i + c] = alpha > 0 ? toByte(image.data[i + c]! / alpha) : 0
    png.data[i + 3] = toByte(alpha)
  }
  return PNG.sync.write(png)
}

function toByte(x: number): number {
  return Math.round(Math.min(Math.max(x, 0), 1) * 255)
}

/**
 * Reads a PNG file.
 *
 * @throws what `decodePng` throws, or `png: cannot read lizard.png (ENOENT: no such file or directory…)`
 * @example const target = padImage(fit(await readPng('lizard.png'), 40), 16)
 */
export async function readPng(path: string, options: PixelLimit = {}): Promise<Image> {
  const bytes = await readFileUpTo('png', path, pictureBytes(pixelLimit('readPng', options)))
  return decodePng(bytes, path, options)
}

/** Writes an image as a PNG file, atomically. */
export async function writePng(path: string, image: Image): Promise<void> {
  await writeFileAtomic(path, encodePng(image))
}
