/**
 * Pictures in the usual formats, PNG, JPEG, WebP, GIF and BMP, which are recognised by their first bytes, not by their names.
 */
import { decodeBmp } from '../../nca/files/bmp.ts'
import { decodeGif } from '../../nca/files/gif-picture.ts'
import type { Image } from '../../nca/files/image.ts'
import { checkBytes, pictureBytes, pixelLimit, type PixelLimit } from '../../nca/files/limits.ts'
import { otherKind, pictureKind } from '../../nca/files/picture-kind.ts'
import { decodeJpeg } from './jpeg.ts'
import { decodePng } from './png.ts'
import { readFileUpTo } from '../read-file.ts'
import { decodeWebp } from './webp.ts'

/**
 * Decodes the bytes of a PNG, JPEG, WebP, GIF (its first picture) or BMP file into a premultiplied image, turned upright by
 * its Exif orientation; `where` names it in messages. JPEG and BMP are opaque.
 *
 * @throws if it is another kind of file (the sentence says which, and what to do with it), or is damaged, truncated or beyond
 * the limit
 * @example const photo = decodeImage(bytes, 'photo.jpg')
 */
export function decodeImage(bytes: Uint8Array, where: string = 'input', options: PixelLimit = {}): Image {
  checkBytes('decodeImage', bytes)
  const maxPixels = pixelLimit('decodeImage', options)
  switch (pictureKind(bytes)) {
    case 'PNG': return decodePng(bytes, where, options)
    case 'JPEG': return decodeJpeg(bytes, `jpeg: ${where}`, maxPixels)
    case 'WebP': return decodeWebp(bytes, `webp: ${where}`, maxPixels)
    case 'GIF': return decodeGif(bytes, `gif: ${where}`, maxPixels)
    case 'BMP': return decodeBmp(bytes, `bmp: ${where}`, maxPixels)
    case undefined: throw new Error(`image: ${where} is ${otherKind(bytes)}, expected PNG, JPEG, WebP, GIF or BMP.`)
  }
}

/**
 * Reads a picture: PNG, JPEG, WebP, GIF (its first picture) or BMP, whatever the ending of its name.
 *
 * @throws what `decodeImage` throws, or `image: cannot read lizard.png (ENOENT: no such file or directory…)`
 * @example const target = padImage(fit(await readImage('lizard.png'), 40), 16)
 */
export async function readImage(path: string, options: PixelLimit = {}): Promise<Image> {
  const bytes = await readFileUpTo('image', path, pictureBytes(pixelLimit('readImage', options)))
  return decodeImage(bytes, path, options)
}
