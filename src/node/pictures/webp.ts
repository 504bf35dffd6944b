/**
 * WebP files → images, by libwebp (RFC 9649).
 *
 *     'RIFF', u32 length, 'WEBP', then chunks: 4 letters, u32 length, data, padded to an even length
 *       VP8X   flags (02 an animation), 3 bytes, then width − 1 and height − 1 in 24 bits each    first, if at all
 *       VP8    the picture, lossy: a frame tag of 3 bytes, 9d 01 2a, width and height in 14 bits
 *       VP8L   the picture, lossless: 2f, then width − 1 and height − 1 in 14 bits each
 *       EXIF   see orientation.ts
 *
 * The size is read here first and checked before anything is allocated.
 */
import { createRequire } from 'node:module'
import { fromPlain, type Image } from '../../nca/files/image.ts'
import { checkPixels } from '../../nca/files/limits.ts'
import { exifOrientation, orient } from '../../nca/files/orientation.ts'
import { openCodec, whyNot } from './wasm-codec.ts'

const require = createRequire(import.meta.url)

/** Decodes the bytes of a WebP file of one picture, whose first 12 have been recognised; `where` begins the messages. */
export function decodeWebp(bytes: Uint8Array, where: string, maxPixels: number): Image {
  const fail = (what: string): never => { throw new Error(`${where} ${what}.`) }
  const chunks = [...readChunks(bytes, fail)]
  const sizes = chunks.flatMap(({ name, data }) => sizeIn(name, data, fail))
  if (sizes.length === 0) fail('is damaged: it has no picture')
  for (const { width, height } of sizes) checkPixels(where, width, height, maxPixels)
  const { width, height } = sizes[0]
  const exif = chunks.find(({ name }) => name === 'EXIF')?.data
  const bare = exif && String.fromCharCode(...exif.subarray(0, 6)) === 'Exif\0\0' ? exif.subarray(6) : exif
  try {
    return orient(fromPlain(width, height, decode(bytes, width, height)), exifOrientation(bare))
  } catch (cause) {
    return fail(whyNot(cause))
  }
}

type Chunk = { readonly name: string; readonly data: Uint8Array }

function* readChunks(bytes: Uint8Array, fail: (what: string) => never): Generator<Chunk> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const all = 8 + view.getUint32(4, true)
  if (all > bytes.length) fail(`is truncated: it should have ${all} bytes, got ${bytes.length}`)
  for (let at = 12; at + 8 <= all;) {
    const end = at + 8 + view.getUint32(at + 4, true)
    const name = String.fromCharCode(...bytes.subarray(at, at + 4))
    if (end > all) fail(`is damaged: a chunk ends at byte ${end} of ${all}`)
    yield { name, data: bytes.subarray(at + 8, end) }
    at = end + (end & 1)
  }
}

/** The size in a chunk, if it is of a kind that has one. */
function sizeIn(name: string, data: Uint8Array, fail: (what: string) => never): { width: number; height: number }[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  if (!['VP8X', 'VP8 ', 'VP8L'].includes(name)) return []
  if (data.length < 10 && !(name === 'VP8L' && data.length >= 5)) fail(`is damaged: its chunk ${name} is too short`)
  if (name === 'VP8 ') return [{ width: view.getUint16(6, true) & 0x3fff, height: view.getUint16(8, true) & 0x3fff }]
  if (name === 'VP8L') {
    const bits = view.getUint32(1, true)
    return [{ width: 1 + (bits & 0x3fff), height: 1 + ((bits >> 14) & 0x3fff) }]
  }
  if (data[0] & 2) fail('is an animation; save its first picture as a PNG')
  const u24 = (at: number): number => data[at] | (data[at + 1] << 8) | (data[at + 2] << 16)
  return [{ width: 1 + u24(4), height: 1 + u24(7) }]
}

function decode(bytes: Uint8Array, width: number, height: number): Uint8Array {
  const codec = openCodec(require.resolve('@cwasm/webp/webp.wasm'))
  const file = codec.put(bytes)
  const size = codec.allocate(8)
  const pixels = codec.call('WebPDecodeRGBA', file, bytes.length, size, size + 4)
  if (pixels === 0) throw new Error('it failed')
  if (codec.u32(size) !== width || codec.u32(size + 4) !== height) throw new Error('its sizes differ')
  return codec.view(pixels, 4 * width * height)
}
