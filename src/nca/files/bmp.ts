/**
 * BMP files → images (Microsoft, "Bitmap Storage").
 *
 *     at 0     'BM'; at 10 where the pixels begin, u32
 *     at 14    the length of the second header, u32: 12, or 40 and more
 *     at 18    width and height, i32 (u16 if 12); a negative height: from the top
 *     at 28    bits of a pixel: 1, 2, 4, 8 (indices into a palette), 16, 24, 32
 *     at 30    compression: 0 none, 3 and 6 masks say which bits are red, green, blue (and alpha)
 *     at 46    colours of the palette, 0 for all
 *     at 54    the masks
 *     palette  after the header, 4 bytes a colour: blue, green, red, 0 (3 bytes if 12)
 *     rows     from the bottom, each padded to a multiple of 4 bytes
 *
 * Without masks the fourth byte of a 32-bit pixel is not alpha: most writers leave it 0. It is written here because the
 * packages that read BMPs are no longer maintained.
 */
import type { Image } from './image.ts'
import { checkPixels } from './limits.ts'

type Fail = (what: string) => never

/** Decodes the bytes of a BMP, known by its first 2; `where` begins the messages. */
export function decodeBmp(bytes: Uint8Array, where: string, maxPixels: number): Image {
  const fail: Fail = what => { throw new Error(`${where} ${what}.`) }
  const need = (end: number): void => { if (end > bytes.length) fail(`is truncated: it takes ${end} bytes, got ${bytes.length}`) }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  need(26)
  const [start, header] = [view.getUint32(10, true), view.getUint32(14, true)]
  const old = header === 12
  if (![12, 40, 52, 56, 108, 124].includes(header)) fail(`has a header of ${header} bytes, expected 40 or one of its kin`)
  need(14 + header)
  const [width, rows] = old
    ? [view.getUint16(18, true), view.getUint16(20, true)]
    : [view.getInt32(18, true), view.getInt32(22, true)]
  const height = Math.abs(rows)
  if (width < 0) fail(`has a width of ${width}`)
  checkPixels(where, width, height, maxPixels)
  const bits = view.getUint16(old ? 24 : 28, true)
  if (![1, 2, 4, 8, 16, 24, 32].includes(bits)) fail(`has ${bits} bits a pixel, expected 1, 2, 4, 8, 16, 24 or 32`)
  const compression = old ? 0 : view.getUint32(30, true)
  const masked = (compression === 3 || compression === 6) && (bits === 16 || bits === 32)
  if (compression !== 0 && !masked) fail('is compressed, which is not read; save it uncompressed, or as a PNG')

  const stride = 4 * Math.ceil((width * bits) / 32)
  need(start + stride * height)
  const masks = !masked ? 0 : compression === 6 || header >= 56 ? 4 : 3
  if (masks > 0) need(54 + 4 * masks)
  const given = Array.from({ length: masks }, (_, i) => view.getUint32(54 + 4 * i, true))
  if (given[3] === 0) given.pop() // no bits of alpha: opaque
  const channels = bits === 16 || bits === 32 ? (masked ? given : usualMasks[bits]).map(channelOf) : []
  const behind = 14 + header
  const palette = bits <= 8 ? readPalette() : []

  /** The palette, as colours that are not premultiplied. */
  function readPalette(): Uint8Array[] {
    const size = old ? 3 : 4
    const count = (old ? 0 : view.getUint32(46, true)) || 2 ** bits
    if (count > 2 ** bits) fail(`has a palette of ${count} colours for ${bits} bits`)
    need(behind + size * count)
    return Array.from({ length: count }, (_, i) => bytes.subarray(behind + size * i, behind + size * i + 3))
  }

  const data = new Float32Array(4 * width * height)
  for (let y = 0; y < height; y++) {
    const row = start + stride * (rows < 0 ? y : height - 1 - y)
    for (let x = 0; x < width; x++) {
      const to = 4 * (y * width + x)
      if (channels.length > 0) {
        const pixel = bits === 16 ? view.getUint16(row + 2 * x, true) : view.getUint32(row + 4 * x, true)
        const [red, green, blue, alpha = 1] = channels.map(channel => channel(pixel))
        data.set([red * alpha, green * alpha, blue * alpha, alpha], to)
        continue
      }
      const index = bits === 24 ? 0 : (bytes[row + ((x * bits) >> 3)] >> (8 - bits - ((x * bits) & 7))) & (2 ** bits - 1)
      const colour = bits === 24
        ? bytes.subarray(row + 3 * x, row + 3 * x + 3)
        : palette[index] ?? fail(`is damaged: it has colour ${index} of ${palette.length}`)
      data.set([colour[2] / 255, colour[1] / 255, colour[0] / 255, 1], to)
    }
  }
  return { width, height, data }
}

// Which bits are red, green and blue.
const usualMasks = { 16: [0x7c00, 0x03e0, 0x001f], 32: [0xff0000, 0xff00, 0xff] } as const

/** A function that reads a channel of a pixel, from 0 to 1; a channel without bits is 0. */
function channelOf(mask: number): (pixel: number) => number {
  if (mask === 0) return () => 0
  const shift = 31 - Math.clz32(mask & -mask) // of its lowest bit
  const most = mask >>> shift
  return pixel => (((pixel >>> shift) & most) >>> 0) / most
}
