// Pictures that visitors might bring.

import { deflateSync } from 'node:zlib'
import type { Image } from 'cellgrad'

/** A picture of one colour: red, green, blue and alpha from 0 to 1. */
export function plain(size: number, colour: readonly number[]): Image {
  return { width: size, height: size, data: Float32Array.from({ length: size * size * 4 }, (_, i) => colour[i % 4]) }
}

/** The checksum of PNG: CRC-32 of a chunk (zlib.crc32 needs Node 22). */
function crc32(bytes: Buffer): number {
  let sum = 0xffffffff
  for (const byte of bytes) {
    sum ^= byte
    for (let i = 0; i < 8; i++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0)
  }
  return (sum ^ 0xffffffff) >>> 0
}

/** A black PNG of one bit a pixel: small as a file, large when it is decoded. */
export function black(side: number): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type), data])
    const length = Buffer.alloc(4), sum = Buffer.alloc(4)
    length.writeUInt32BE(data.length)
    sum.writeUInt32BE(crc32(body))
    return Buffer.concat([length, body, sum])
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(side, 0)
  header.writeUInt32BE(side, 4)
  header[8] = 1
  const pixels = deflateSync(Buffer.alloc(side * (1 + Math.ceil(side / 8))), { level: 1 })
  return Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', header), chunk('IDAT', pixels), chunk('IEND', Buffer.alloc(0))])
}
