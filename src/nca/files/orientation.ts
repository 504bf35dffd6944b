/**
 * Which way up a picture is: cameras store what their sensor saw, and how they were held beside it (CIPA, "Exchangeable
 * image file format for digital still cameras: Exif", tag 0x0112).
 *
 *     1 as stored   2 left and right swapped   3 turned by 180°        4 upside down
 *     5 transposed  6 to be turned right 90°   7 the other diagonal    8 to be turned left 90°
 *
 * Exif data are a small TIFF file: a byte order, 'II' or 'MM', the number 42, and the offset of a list of tags.
 */
import type { Image } from './image.ts'

/** The orientation in Exif data, from 1 to 8; 1 where there are none, or they are damaged. */
export function exifOrientation(exif: Uint8Array | undefined): number {
  if (exif === undefined || exif.length < 14) return 1
  const view = new DataView(exif.buffer, exif.byteOffset, exif.byteLength)
  const little = view.getUint16(0) === 0x4949
  if (!little && view.getUint16(0) !== 0x4d4d || view.getUint16(2, little) !== 42) return 1
  const list = view.getUint32(4, little)
  if (list + 2 > exif.length) return 1
  const count = view.getUint16(list, little)
  for (let entry = list + 2; entry < list + 2 + 12 * count && entry + 12 <= exif.length; entry += 12) {
    if (view.getUint16(entry, little) !== 0x0112) continue
    const value = view.getUint16(entry + 8, little)
    return value >= 1 && value <= 8 ? value : 1
  }
  return 1
}

/** The picture as it should be seen. */
export function orient(image: Image, orientation: number): Image {
  if (orientation === 1) return image
  const turned = orientation >= 5
  const [mirrorX, mirrorY] = [[2, 3, 7, 8].includes(orientation), [3, 4, 6, 7].includes(orientation)]
  const [width, height] = turned ? [image.height, image.width] : [image.width, image.height]
  const data = new Float32Array(image.data.length)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [u, v] = turned ? [y, x] : [x, y]
      const from = 4 * ((mirrorY ? image.height - 1 - v : v) * image.width + (mirrorX ? image.width - 1 - u : u))
      for (let c = 0; c < 4; c++) data[4 * (y * width + x) + c] = image.data[from + c]
    }
  }
  return { width, height, data }
}
