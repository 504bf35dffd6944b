import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Image } from '../../src/nca/files/image.ts'
import { encodeGif, writeGif } from '../../src/node/pictures/gif.ts'

interface Gif {
  readonly width: number
  readonly height: number
  readonly loops: boolean
  readonly delays: readonly number[]
  /** `[r, g, b]` of every pixel of every frame. */
  readonly frames: readonly (readonly number[][])[]
  readonly localPalettes: number
}

/** An independent reader of GIF89a (https://www.w3.org/Graphics/GIF/spec-gif89a.txt), for whole-canvas frames. */
function decodeGif(bytes: Uint8Array): Gif {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  expect(new TextDecoder().decode(bytes.subarray(0, 6))).toBe('GIF89a')
  const [width, height] = [view.getUint16(6, true), view.getUint16(8, true)]
  let at = 13
  const readPalette = (flags: number): number[][] => {
    const palette = Array.from({ length: 2 << (flags & 7) }, (_, i) => [...bytes.subarray(at + 3 * i, at + 3 * i + 3)])
    at += 3 * palette.length
    return palette
  }
  const readBlocks = (): Uint8Array => {
    const blocks: Uint8Array[] = []
    while (bytes[at] !== 0) {
      blocks.push(bytes.subarray(at + 1, at + 1 + bytes[at]!))
      at += 1 + bytes[at]!
    }
    at++
    return Buffer.concat(blocks)
  }
  expect(bytes[10]! & 0x80).toBe(0x80) // a global palette
  const palette = readPalette(bytes[10]!)
  let [loops, localPalettes] = [false, 0]
  const delays: number[] = []
  const frames: number[][][] = []
  for (;;) {
    const kind = bytes[at++]
    if (kind === 0x3b) break
    if (kind === 0x21) {
      const label = bytes[at++]
      const body = readBlocks()
      if (label === 0xf9) delays.push(10 * (body[1]! | (body[2]! << 8)))
      if (label === 0xff) loops = new TextDecoder().decode(body.subarray(0, 11)) === 'NETSCAPE2.0'
    } else {
      expect(kind).toBe(0x2c)
      expect([0, 2, 4, 6].map(offset => view.getUint16(at + offset, true))).toEqual([0, 0, width, height])
      const flags = bytes[at + 8]!
      at += 9
      const local = flags & 0x80 ? readPalette(flags) : undefined
      if (local) localPalettes++
      const codeSize = bytes[at++]!
      const indices = unlzw(readBlocks(), codeSize)
      expect(indices.length).toBe(width * height)
      frames.push(indices.map(i => (local ?? palette)[i]!))
    }
  }
  expect(at).toBe(bytes.length)
  return { width, height, loops, delays, frames, localPalettes }
}

/** Appendix F of the specification. */
function unlzw(data: Uint8Array, codeSize: number): number[] {
  const [clear, end] = [1 << codeSize, (1 << codeSize) + 1]
  const out: number[] = []
  let table: number[][] = []
  let [bits, position, before] = [codeSize + 1, 0, [] as number[]]
  for (;;) {
    let code = 0
    for (let b = 0; b < bits; b++, position++) code |= ((data[position >> 3]! >> (position & 7)) & 1) << b
    if (code === end) return out
    if (code === clear) {
      table = Array.from({ length: clear + 2 }, (_, i) => (i < clear ? [i] : []))
      ;[bits, before] = [codeSize + 1, []]
      continue
    }
    const entry = table[code] ?? [...before, before[0]!]
    out.push(...entry)
    if (before.length > 0 && table.length < 4096) table.push([...before, entry[0]!])
    if (table.length === 1 << bits && bits < 12) bits++
    before = entry
  }
}

function imageOf(width: number, height: number, pixel: (x: number, y: number) => readonly number[]): Image {
  const at = (p: number): readonly number[] => pixel(p % width, Math.floor(p / width))
  return { width, height, data: Float32Array.from({ length: 4 * width * height }, (_, i) => at(i >> 2)[i % 4]!) }
}

const red = imageOf(4, 3, () => [1, 0, 0, 1])
const clear = imageOf(4, 3, () => [0, 0, 0, 0])
const halfBlue = imageOf(4, 3, x => (x < 2 ? [0, 0, 0.5, 0.5] : [0, 0, 0, 0]))

describe('encodeGif', () => {
  it('keeps frames, sizes and colours, over white', () => {
    const gif = decodeGif(encodeGif([red, clear, halfBlue]))
    expect(gif).toMatchObject({ width: 4, height: 3, loops: true, delays: [50, 50, 50], localPalettes: 0 })
    expect(gif.frames[0]).toEqual(Array(12).fill([255, 0, 0]))
    expect(gif.frames[1]).toEqual(Array(12).fill([255, 255, 255]))
    const row = [[128, 128, 255], [128, 128, 255], [255, 255, 255], [255, 255, 255]]
    expect(gif.frames[2]).toEqual([...row, ...row, ...row])
  })

  it('follows delayMs, loop and scale', () => {
    const corner = imageOf(2, 2, (x, y) => (x === 1 && y === 0 ? [0, 0, 0, 1] : [0, 0, 0, 0]))
    const gif = decodeGif(encodeGif([corner, corner], { delayMs: 120, loop: false, scale: 3 }))
    expect(gif).toMatchObject({ width: 6, height: 6, loops: false, delays: [120, 120] })
    gif.frames[1]!.forEach((colour, p) => {
      expect(colour).toEqual(p % 6 >= 3 && p < 18 ? [0, 0, 0] : [255, 255, 255])
    })
  })

  it('gives equal pixels equal colours in every frame, however many colours there are', () => {
    // The left half stands still and has more colours than a GIF; the right half changes.
    const frames = Array.from({ length: 6 }, (_, t) => imageOf(40, 40, (x, y) =>
      x < 20
        ? [x / 20, y / 40, ((x * y) % 7) / 7, 1]
        : [((x * 13 + y * 7 + t * 29) % 97) / 97, ((x + t) % 40) / 40, y / 40, 1]))
    const gif = decodeGif(encodeGif(frames))
    const left = (frame: Gif['frames'][0]): Gif['frames'][0] => frame.filter((_, p) => p % 40 < 20)
    for (const frame of gif.frames) expect(left(frame)).toEqual(left(gif.frames[0]!))
  })

  it('stays near the true colours', () => {
    const image = imageOf(32, 32, (x, y) => [x / 31, y / 31, 0.5, 1])
    decodeGif(encodeGif([image])).frames[0]!.forEach((colour, p) => {
      colour.forEach((value, c) => expect(Math.abs(value - 255 * image.data[4 * p + c]!)).toBeLessThan(16))
    })
  })

  it('keeps white white beside colours that are nearly white', () => {
    const image = imageOf(32, 32, (x, y) => (x < 16 ? [0, 0, 0, 0] : [0.97 + x / 2000, 0.97 + y / 2000, 0.98, 1]))
    expect(decodeGif(encodeGif([image])).frames[0]![0]).toEqual([255, 255, 255])
  })

  it('makes one palette for colours that occur late in a long animation', () => {
    const colour = (t: number): number[] => (t < 79 ? [0, t / 160, 0, 1] : [1, 0, 1, 1])
    const many = Array.from({ length: 80 }, (_, t) => imageOf(64, 64, () => colour(t)))
    expect(decodeGif(encodeGif(many)).frames[79]![0]).toEqual([255, 0, 255])
  })

  it('refuses lists that are no animation', () => {
    expect(() => encodeGif([])).toThrow('gif: needs at least one image, got none')
    expect(() => encodeGif([red, imageOf(1, 1, () => [0, 0, 0, 0])])).toThrow('gif: image 1 is 1×1, but image 0 is 4×3')
    expect(() => encodeGif([red], { delayMs: 5 }))
      .toThrow(/^gif: delayMs .*at least 20 \(browsers ignore less\)/)
  })

  it('keeps the length of the film, whatever the time of a frame', () => {
    fc.assert(fc.property(fc.double({ min: 20, max: 200, noNaN: true }), fc.integer({ min: 1, max: 30 }), (delayMs, n) => {
      const { delays } = decodeGif(encodeGif(Array(n).fill(red), { delayMs }))
      const total = delays.reduce((a, b) => a + b, 0)
      expect(Math.abs(total - n * delayMs)).toBeLessThanOrEqual(5 + 1e-9)
      for (const delay of delays) expect(Math.abs(delay - delayMs)).toBeLessThanOrEqual(10)
      expect(Math.min(...delays)).toBeGreaterThanOrEqual(20)
    }))
    expect(decodeGif(encodeGif([red, red, red], { delayMs: 33 })).delays).toEqual([30, 40, 30])
    expect(decodeGif(encodeGif([red], { delayMs: 655_350 })).delays).toEqual([655_350])
  })

  it('refuses options that a GIF cannot express', () => {
    const one = imageOf(1, 1, () => [1, 0, 0, 1])
    for (const scale of [1.5, 0, -1, NaN, Infinity]) {
      expect(() => encodeGif([red], { scale })).toThrow(`gif: scale is ${scale}, expected a whole number > 0`)
    }
    for (const delayMs of [655_360, Infinity, NaN]) expect(() => encodeGif([red], { delayMs })).toThrow(/^gif: delayMs/)
    expect(() => encodeGif([one], { scale: 65_536 })).toThrow('would have 65536×65536 pixels, expected sides of at most 65535')
    expect(() => encodeGif([imageOf(70_000, 1, () => [0, 0, 0, 1])])).toThrow('would have 70000×1 pixels, expected sides of')
    expect(() => encodeGif([one], { scale: 65_535 })).toThrow('65535×65535 pixels, expected at most 67108864 in all')
    expect(decodeGif(encodeGif([imageOf(1, 1, () => [1, 0, 0, 1])], { scale: 7 }))).toMatchObject({ width: 7, height: 7 })
    expect(() => encodeGif([{ width: 2, height: 2, data: new Float32Array(15) }]))
      .toThrow('gif: image 0 is 2×2 with 15 numbers, expected whole sides > 0 and 4 numbers a pixel')
  })
})

it('writeGif writes the same bytes', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cellgrad-'))
  await writeGif(join(folder, 'a.gif'), [red, clear], { scale: 2 })
  expect(new Uint8Array(await readFile(join(folder, 'a.gif')))).toEqual(encodeGif([red, clear], { scale: 2 }))
  await rm(folder, { recursive: true })
})
