// ZIP archives for tests, as numpy.savez and numpy.savez_compressed write them.

import { crc32, deflateRawSync } from 'node:zlib'

/** An archive of these files, stored or deflated. */
export function zipOf(files: Readonly<Record<string, Uint8Array>>, deflate: boolean, comment = ''): Uint8Array {
  const parts: Buffer[] = [], directory: Buffer[] = []
  let at = 0
  for (const [name, data] of Object.entries(files)) {
    const packed = deflate ? deflateRawSync(data) : Buffer.from(data)
    const local = Buffer.alloc(30), central = Buffer.alloc(46)
    local.writeUInt32LE(0x04034b50, 0)
    central.writeUInt32LE(0x02014b50, 0)
    for (const [header, from] of [[local, 8], [central, 10]] as const) {
      header.writeUInt16LE(deflate ? 8 : 0, from)
      header.writeUInt32LE(crc32(data), from + 6)
      header.writeUInt32LE(packed.length, from + 10)
      header.writeUInt32LE(data.length, from + 14)
      header.writeUInt16LE(name.length, from + 18)
    }
    central.writeUInt32LE(at, 42)
    parts.push(local, Buffer.from(name), packed)
    directory.push(central, Buffer.from(name))
    at += 30 + name.length + packed.length
  }
  const end = Buffer.alloc(22), count = Object.keys(files).length
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(count, 8)
  end.writeUInt16LE(count, 10)
  end.writeUInt32LE(Buffer.concat(directory).length, 12)
  end.writeUInt32LE(at, 16)
  end.writeUInt16LE(comment.length, 20)
  return new Uint8Array(Buffer.concat([...parts, ...directory, end, Buffer.from(comment)]))
}
