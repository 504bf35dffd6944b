/**
 * The first picture of a GIF file (CompuServe, "Graphics Interchange Format, Version 89a", 1990).
 *
 *     6 bytes   'GIF87a' or 'GIF89a'
 *     7 bytes   width and height of the canvas u16, flags (80: a palette of 2^(1 + low 3 bits) follows), 2 others
 *     palette   3 bytes a colour
 *     21 f9     about the next picture: flags (01: one colour is transparent), delay, that colour
 *     21 …      other extensions
 *     2c        a picture: left, top, width, height u16, flags (80: a palette of its own, 40: rows in four passes),
 *               the palette, then indices into it, compressed (LZW)
 *
 * Data come in blocks, each after a byte with its length; a length of 0 ends them. What the first picture does not cover is
 * transparent. It is written here because the packages that read GIFs fill in zeros where a file is truncated.
 */
import { fromPlain, type Image } from './image.ts'
import { checkPixels } from './limits.ts'

type Fail = (what: string) => never

/** Decodes the first picture of a GIF, known by its first 6 bytes; `where` begins the messages. */
export function decodeGif(bytes: Uint8Array, where: string, maxPixels: number): Image {
  const fail: Fail = what => { throw new Error(`${where} ${what}.`) }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const need = (end: number): void => { if (end > bytes.length) fail(`is truncated: it ends after ${bytes.length} bytes`) }
  need(13)
  const [width, height] = [view.getUint16(6, true), view.getUint16(8, true)]
  checkPixels(where, width, height, maxPixels)
  let at = 13
  const readPalette = (flags: number): Uint8Array | undefined => {
    if (!(flags & 0x80)) return undefined
    const length = 3 * (2 << (flags & 7))
    need(at + length)
    at += length
    return bytes.subarray(at - length, at)
  }
  /** The blocks from here on. */
  const readBlocks = (): Uint8Array[] => {
    const blocks: Uint8Array[] = []
    for (;;) {
      need(at + 1)
      const length = bytes[at++]
      if (length === 0) return blocks
      need(at + length)
      blocks.push(bytes.subarray(at, at += length))
    }
  }

  const common = readPalette(bytes[10])
  let transparent = -1
  for (;;) {
    need(at + 2)
    const kind = bytes[at]
    if (kind === 0x3b) fail('has no picture')
    if (kind !== 0x21 && kind !== 0x2c) fail(`is damaged: there is no block at byte ${at}`)
    if (kind === 0x2c) break
    const label = bytes[at + 1]
    at += 2
    const [control] = readBlocks()
    if (label === 0xf9 && control?.length === 4) transparent = control[0] & 1 ? control[3] : -1
  }
  need(at + 11)
  const [left, top, w, h] = [1, 3, 5, 7].map(offset => view.getUint16(at + offset, true))
  const flags = bytes[at + 9]
  if (left + w > width || top + h > height) fail(`is damaged: its picture is larger than its ${width}×${height} pixels`)
  at += 10
  const palette = readPalette(flags) ?? common ?? fail('is damaged: it has no palette')
  need(at + 1)
  const codeBits = bytes[at++]
  if (codeBits < 1 || codeBits > 8) fail(`is damaged: its codes have ${codeBits} bits, expected 1 to 8`)
  const indices = decompress(concat(readBlocks()), codeBits, w * h, fail)

  const rgba = new Uint8Array(4 * width * height)
  const rows = flags & 0x40 ? [[0, 8], [4, 8], [2, 4], [1, 2]] : [[0, 1]]
  let i = 0
  for (const [first, step] of rows) {
    for (let y = first; y < h; y += step) {
      for (let x = 0; x < w; x++) {
        const index = indices[i++]
        if (index === transparent) continue
        if (3 * index >= palette.length) fail(`is damaged: it has colour ${index} of ${palette.length / 3}`)
        const to = 4 * ((top + y) * width + left + x)
        rgba.set(palette.subarray(3 * index, 3 * index + 3), to)
        rgba[to + 3] = 255
      }
    }
  }
  return fromPlain(width, height, rgba)
}

function concat(blocks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(blocks.reduce((sum, block) => sum + block.length, 0))
  let at = 0
  for (const block of blocks) {
    all.set(block, at)
    at += block.length
  }
  return all
}

const mostCodes = 4096

/**
 * Decodes LZW (appendix F). Each code stands for a string: the first codes for single numbers, followed by a clear code and
 * an end code. Each code that is read adds a string to the table: the previous string and the first number of this one.
 * Codes become a bit longer whenever the table has outgrown them, up to 12 bits.
 */
function decompress(data: Uint8Array, codeBits: number, count: number, fail: Fail): Uint8Array {
  // A code of at least codeBits + 1 bits stands for at most 4096 numbers.
  if (count > ((8 * data.length) / (codeBits + 1)) * mostCodes) {
    fail(`is truncated: ${data.length} bytes cannot hold ${count} pixels`)
  }
  const out = new Uint8Array(count)
  const clear = 1 << codeBits
  const [before, first, last] = [new Int16Array(mostCodes), new Uint8Array(mostCodes), new Uint8Array(mostCodes)]
  const length = new Uint16Array(mostCodes)
  for (let code = 0; code < clear; code++) [first[code], last[code], length[code]] = [code, code, 1]
  let [next, bits, previous, position, done] = [clear + 2, codeBits + 1, -1, 0, 0]
  while (done < count) {
    if (position + bits > 8 * data.length) fail(`is truncated: it has ${done} of ${count} pixels`)
    let code = 0
    for (let bit = 0; bit < bits; bit++, position++) code |= ((data[position >> 3] >> (position & 7)) & 1) << bit
    if (code === clear) {
      [next, bits, previous] = [clear + 2, codeBits + 1, -1]
      continue
    }
    if (code === clear + 1) fail(`is truncated: it has ${done} of ${count} pixels`)
    if (previous >= 0 && next < mostCodes && code <= next) { // code = next is the very string that is being added
      before[next] = previous
      first[next] = first[previous]
      last[next] = code === next ? first[previous] : first[code]
      length[next] = length[previous] + 1
      if (++next === 1 << bits && bits < 12) bits++
    }
    if (code >= next || (previous < 0 && code > clear)) fail(`is damaged: the code ${code} stands for nothing yet`)
    let from = code
    for (let i = done + length[code] - 1; i >= done; i--, from = before[from]) out[i] = last[from] // writes past the end are lost
    done += length[code]
    previous = code
  }
  return out
}
