/**
 * How much memory a file may take.
 *
 * A header of a few bytes can announce 10⁹ numbers, and a compressed file of a megabyte can hold them. So every reader
 * checks what a header announces before it allocates: against the length of the data, where that is known, and against
 * a limit. Files are read and decompressed in pieces, only up to their limit: one that never ends is refused too.
 *
 * Readers of numbers (IDX, npy, NIfTI) have `maxBytes`, readers of pictures `maxPixels`, each as an option that raises
 * or lowers its default.
 */
import { check, checkOptions, keysOf, wholeFrom, type Kinds } from '../../backends/options.ts'

/** The limit of a reader of numbers. */
export type ByteLimit = {
  /**
   * Most bytes of the decompressed file, and of the numbers decoded from it; 2²⁹ by default, half a gigabyte. Decoding a
   * file takes up to three times its bytes.
   */
  readonly maxBytes?: number
}

/** The limit of a reader of pictures. */
export type PixelLimit = {
  /** Most pixels, width × height; 2²⁴ by default, 4096 × 4096, which take half a gigabyte while they are decoded. */
  readonly maxPixels?: number
}

/** The kinds of these options, to be spread into those of a reader. */
export const byteKinds: Kinds<ByteLimit> = { maxBytes: wholeFrom(1) }
const byteOptions = keysOf<ByteLimit>(byteKinds)
export const pixelKinds: Kinds<PixelLimit> = { maxPixels: wholeFrom(1) }
const pixelOptions = /* @__PURE__ */ keysOf<PixelLimit>(pixelKinds)

/** The byte limit that the options of `where` set. */
export function byteLimit(where: string, options: ByteLimit): number {
  checkOptions(where, options, byteOptions)
  return options.maxBytes ?? 2 ** 29
}

/** The pixel limit that the options of `where` set. */
export function pixelLimit(where: string, options: PixelLimit): number {
  checkOptions(where, options, pixelOptions)
  return options.maxPixels ?? 2 ** 24
}

/** Throws unless a picture has pixels, and no more than the limit. `where` is the file: 'png: lizard.png'. */
export function checkPixels(where: string, width: number, height: number, maxPixels: number): void {
  if (width === 0 || height === 0) throw new Error(`${where} is ${width}×${height}: it has no pixels.`)
  if (width * height <= maxPixels) return
  const pixels = `${width}×${height} pixels, expected at most ${maxPixels} in all`
  throw new Error(`${where} is too large: ${pixels}; make it smaller, or raise the option maxPixels.`)
}

/** The most bytes of a picture file of so many pixels: 16-bit RGBA without compression, and a megabyte besides. */
export function pictureBytes(maxPixels: number): number {
  return 8 * maxPixels + 2 ** 20
}

/** Throws unless the bytes are a Uint8Array. */
export function checkBytes(where: string, bytes: unknown): void {
  check(bytes instanceof Uint8Array, where, 'the file', bytes, 'its bytes as a Uint8Array')
}
