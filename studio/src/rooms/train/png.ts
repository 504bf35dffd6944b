/**
 * Pixels as a PNG file, without any change (W3C, "Portable Network Graphics Specification"). A canvas would multiply colours
 * by alpha and round them; training with that file would then differ from training here.
 *
 *     signature, then chunks: u32 length, 4 letters, data, CRC-32 of letters and data
 *       IHDR   width, height; 8 bits, RGBA (6), deflate, the five filters, not interlaced
 *       IDAT   a zlib stream of the rows, each behind the byte of its filter: 0, none
 *       IEND
 */
import type { Pixels } from '../../ui/picture.ts'

export async function encodePng({ width, height, data }: Pixels): Promise<Uint8Array<ArrayBuffer>> {
  const header = new Uint8Array(13)
  const numbers = new DataView(header.buffer)
  numbers.setUint32(0, width)
  numbers.setUint32(4, height)
  header.set([8, 6, 0, 0, 0], 8)
  const row = 4 * width
  const rows = new Uint8Array(height * (1 + row))
  for (let y = 0; y < height; y++) rows.set(data.subarray(y * row, (y + 1) * row), y * (1 + row) + 1)
  const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)
  return joined(signature, await chunk('IHDR', header), await chunk('IDAT', await deflated(rows)), await chunk('IEND', new Uint8Array()))
}

async function chunk(name: string, data: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const whole = await joined(new Uint8Array(4), name, data, new Uint8Array(4))
  const numbers = new DataView(whole.buffer)
  numbers.setUint32(0, data.length)
  numbers.setUint32(whole.length - 4, crc32(whole.subarray(4, -4)))
  return whole
}

async function deflated(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(new CompressionStream('deflate'))).arrayBuffer())
}

/** CRC-32: the remainder of the bits, lowest first, modulo x³² + x²⁶ + … + 1; the register is inverted before and after. */
function crc32(bytes: Uint8Array): number {
  let sum = ~0
  for (const byte of bytes) {
    sum ^= byte
    for (let i = 0; i < 8; i++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0)
  }
  return ~sum >>> 0
}

async function joined(...parts: BlobPart[]): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Blob(parts).arrayBuffer())
}
