/**
 * PNG files ↔ images.
 *
 * A PNG stores plain (not premultiplied) colour in up to 16 bits, grey, RGB or palette, with or without alpha. Reading
 * multiplies colour by alpha, writing divides by it, to 8 bits. 8-bit pixels survive a round trip exactly, except the
 * colour of fully transparent ones, which premultiplication forgets.
 *
 * Reading keeps all 16 bits of deep files, applies the orientation (eXIf), and applies the gamma (gAMA) of files that are not in
 * the usual sRGB: values become value^(1 / (2.2 gamma)). Colour profiles (iCCP) are not applied. Of an animation
 * (APNG) the first picture is read.
 */

import { PNG } from 'pngjs'
import { startOf } from '../../nca/data/bytes.ts'
import { checkImage, fromPlain, type Image } from '../../nca/files/image.ts'
import { imageToPixels } from '../../nca/files/pixels.ts'
import { checkBytes, pictureBytes, pixelLimit, type PixelLimit } from '../../nca/files/limits.ts'
import { exifOrientation, orient } from '../../nca/files/orientation.ts'
import { writeFileAtomic } from '../atomic-file.ts'
import { pngParts, pngSignature, type PngParts } from './png-parts.ts'
import { readFileUpTo } from '../read-file.ts'

/**
 * Decodes the bytes of a PNG file of any kind into a premultiplied image; `where` names it in messages.
 *
 * @throws `png: lizard.png is not a PNG file (starts with 47 49 46 38)`, or a sentence that says how it is damaged, truncated
 * or beyond the limit
 */
export function decodePng(bytes: Uint8Array, where: string = 'input', options: PixelLimit = {}): Image {
  checkBytes('decodePng', bytes)
  const maxPixels = pixelLimit('decodePng', options)
  if (pngSignature.some((byte, i) => bytes[i] !== byte)) {
    throw new Error(`png: ${where} is not a PNG file (${startOf(bytes)})`)
  }
  const parts = pngParts(bytes, `png: ${where}`, maxPixels)
  const white = parts.colourType === 3 ? 255 : 2 ** parts.depth - 1 // a palette has 8 bits, whatever the depth of its indices
  const rgba = applyGamma(decodePixels(parts, where), white, parts.gamma)
  return orient(fromPlain(parts.width, parts.height, rgba, white), exifOrientation(parts.exif))
}

function decodePixels({ essential }: PngParts, where: string): ArrayLike<number> {
  try {
    return PNG.sync.read(essential, { checkCRC: false, skipRescale: true }).data
  } catch (cause) {
    throw new Error(`png: ${where} is damaged: its pixels cannot be decoded (${(cause as Error).message}).`, { cause })
  }
}

/** Converts values to sRGB, whose encoding is nearly a gamma of 1/2.2; within 5 % of that nothing is done. */
function applyGamma(rgba: ArrayLike<number>, white: number, gamma: number | undefined): ArrayLike<number> {
  const exponent = gamma ? 1 / (2.2 * (gamma / 100_000)) : 1
  if (Math.abs(exponent - 1) < 0.05) return rgba
  const curve = Float32Array.from({ length: white + 1 }, (_, x) => white * (x / white) ** exponent)
  return Float32Array.from(rgba, (x, i) => (i % 4 === 3 ? x : curve[x]))
}

/**
 * Encodes an image as an 8-bit RGBA PNG. Values outside the range of premultiplied colour are clamped.
 *
 * @throws if the image has no pixels, or the number of its values does not fit its sides
 */
export function encodePng(image: Image): Uint8Array {
  checkImage('encodePng', image)
  const png = new PNG({ width: image.width, height: image.height })
  png.data.set(imageToPixels(image))
  return PNG.sync.write(png)
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
