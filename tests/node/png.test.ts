import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { PNG } from 'pngjs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodePng, encodePng, readPng, writePng } from '../../src/node/pictures/png.ts'

let folder: string
beforeAll(async () => { folder = await mkdtemp(join(tmpdir(), 'cellgrad-')) })
afterAll(() => rm(folder, { recursive: true }))

/** A PNG made by pngjs from plain (not premultiplied) bytes or, for depth 16, words. */
function pngOf(width: number, height: number, plain: readonly number[], options: object = {}): Uint8Array {
  const png = new PNG({ width, height, ...options })
  png.data = 'bitDepth' in options ? Buffer.from(Uint16Array.from(plain).buffer) : Buffer.from(plain)
  return PNG.sync.write(png, options)
}

describe('decodePng', () => {
  it('multiplies colour by alpha', () => {
    const { width, height, data } = decodePng(pngOf(2, 1, [255, 51, 0, 102, 255, 255, 255, 0]))
    expect([width, height]).toEqual([2, 1])
    expect([...data]).toEqual([0.4, 0.08, 0, 0.4, 0, 0, 0, 0].map(Math.fround))
  })

  it('reads grey, grey with alpha, RGB and 16 bits', () => {
    const grey = decodePng(pngOf(1, 1, [51, 51, 51, 255], { inputHasAlpha: true, colorType: 0 }))
    const greyAlpha = decodePng(pngOf(1, 1, [51, 51, 51, 51], { inputHasAlpha: true, colorType: 4 }))
    const rgb = decodePng(pngOf(1, 1, [51, 102, 153, 255], { inputHasAlpha: true, colorType: 2 }))
    const words = [0x3333, 0x6666, 0x9999, 0xffff]
    const deep = decodePng(pngOf(1, 1, words, { inputHasAlpha: true, colorType: 6, bitDepth: 16 }))
    expect([...grey.data]).toEqual([0.2, 0.2, 0.2, 1].map(Math.fround))
    expect([...greyAlpha.data]).toEqual([0.04, 0.04, 0.04, 0.2].map(Math.fround))
    expect([...rgb.data]).toEqual([0.2, 0.4, 0.6, 1].map(Math.fround))
    expect([...deep.data]).toEqual([0.2, 0.4, 0.6, 1].map(Math.fround))
  })

  it('reads a palette with transparency', () => {
    // Two pixels of one bit each: red, and half-transparent blue (PLTE, tRNS). Made by Pillow 12.3.
    const bytes = Buffer.from(
      'iVBORw0KGgoAAAANSUhEUgAAAAIAAAABAQMAAADO7O3JAAAABlBMVEX/AAAAAP9sof2OAAAAAnRSTlP/M1pnUVwAAAAKSURBVHic'
      + 'Y3AAAABCAEEpN/TvAAAAAElFTkSuQmCC',
      'base64',
    )
    expect([...decodePng(bytes).data]).toEqual([1, 0, 0, 1, 0, 0, 0.2, 0.2].map(Math.fround))
  })

  it('says what is wrong with a file that is no PNG', () => {
    expect(() => decodePng(Buffer.from('GIF89a'), 'lizard.png'))
      .toThrow('png: lizard.png is not a PNG file (starts with 47 49 46 38)')
    expect(() => decodePng(new Uint8Array(0))).toThrow('png: input is not a PNG file (it is empty)')
  })

  it('reports damage in one sentence', () => {
    const whole = pngOf(5, 4, Array.from({ length: 80 }, (_, i) => (i * 37) % 256))
    const damage = fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean())
    fc.assert(fc.property(damage, ([at, mask, cut]) => {
      const bytes = cut ? whole.slice(0, at) : whole.slice()
      if (!cut) bytes[at]! ^= mask
      expect(() => decodePng(bytes, 'lizard.png')).toThrow(/^png: lizard\.png (is|has|needs) [^\n]+$/)
    }), { numRuns: 5 * fc.readConfigureGlobal().numRuns! })
  })
})

describe('encodePng', () => {
  it('gives back the bytes of every pixel that is not fully transparent', () => {
    const byte = fc.integer({ min: 0, max: 255 })
    fc.assert(fc.property(fc.array(fc.tuple(byte, byte, byte, byte), { minLength: 1, maxLength: 20 }), pixels => {
      const image = decodePng(pngOf(pixels.length, 1, pixels.flat()))
      const expected = pixels.flatMap(([r, g, b, a]) => (a === 0 ? [0, 0, 0, 0] : [r, g, b, a]))
      expect([...PNG.sync.read(Buffer.from(encodePng(image))).data]).toEqual(expected)
    }))
  })

  it('clamps values outside the range, which automata may have', () => {
    const data = Float32Array.of(1.5, -1, 0.5, 2, 0.5, 0.2, 0, 0.4, NaN, 0, 0, 1, 0.3, 0.3, 0.3, -1)
    const bytes = encodePng({ width: 4, height: 1, data })
    expect([...PNG.sync.read(Buffer.from(bytes)).data])
      .toEqual([255, 0, 128, 255, 255, 128, 0, 102, 0, 0, 0, 255, 0, 0, 0, 0])
  })
})

it('encodePng refuses a picture of no pixels, or with too few numbers', () => {
  expect(() => encodePng({ width: 0, height: 5, data: new Float32Array(0) })).toThrow('encodePng: the image is 0×5 with 0 numbers')
  expect(() => encodePng({ width: 2, height: 1, data: new Float32Array(7) })).toThrow('encodePng: the image is 2×1 with 7 numbers')
})

describe('files', () => {
  it('come back as written', async () => {
    const path = join(folder, 'a.png')
    const image = { width: 2, height: 1, data: Float32Array.of(0.08, 0, 0.4, 0.4, 1, 1, 1, 1) }
    await writePng(path, image)
    expect(await readPng(path)).toEqual(image)
  })

  it('are named in messages', async () => {
    const missing = join(folder, 'missing.png')
    await expect(readPng(missing)).rejects.toThrow(`png: cannot read ${missing} (ENOENT: no such file or directory`)
    const text = join(folder, 'text.png')
    await writeFile(text, 'hello')
    await expect(readPng(text)).rejects.toThrow(`png: ${text} is not a PNG file (starts with 68 65 6c 6c)`)
  })
})

const emoji = [
  'lizard-1f98e', 'grinning-face-1f600', 'explosion-1f4a5', 'eye-1f441-fe0f', 'fish-1f420', 'butterfly-1f98b',
  'lady-beetle-1f41e', 'spider-web-1f578-fe0f', 'pretzel-1f968', 'christmas-tree-1f384',
]

it.each(emoji)('the emoji %s is a 64 × 64 picture with a transparent corner', async name => {
  const folder = fileURLToPath(new URL('../../assets/emoji', import.meta.url))
  const { width, height, data } = await readPng(join(folder, `${name}.png`))
  expect([width, height, data[3]]).toEqual([64, 64, 0])
  const coverage = data.reduce((sum, x, i) => (i % 4 === 3 ? sum + x : sum), 0) / (64 * 64)
  expect(coverage).toBeGreaterThan(0.1)
  expect(coverage).toBeLessThan(0.9)
})
