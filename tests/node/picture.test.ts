// Pictures of every supported kind, whole and broken, and the errors for other kinds.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Image } from '../../src/nca/files/image.ts'
import { exifOrientation, orient } from '../../src/nca/files/orientation.ts'
import { encodeGif } from '../../src/node/pictures/gif.ts'
import { decodeImage, readImage } from '../../src/node/pictures/picture.ts'
import { encodePng } from '../../src/node/pictures/png.ts'
import { openCodec, whyNot } from '../../src/node/pictures/wasm-codec.ts'
import { sentence } from '../tensor/values.ts'
import { pictures } from './pictures.ts'

const runs = fc.readConfigureGlobal().numRuns!
const say = (bytes: Uint8Array, options = {}): string => sentence(() => decodeImage(bytes, 'a', options))
/** The corners, in bytes: upper left, upper right, lower left, lower right. */
function corners({ width, height, data }: Image): number[][] {
  return [0, width - 1, width * (height - 1), width * height - 1]
    .map(p => [...data.subarray(4 * p, 4 * p + 4)].map(x => Math.round(255 * x)))
}
const [red, green, blue, white] = [[255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 255], [255, 255, 255, 255]]

function expectNear(actual: number[][], expected: number[][], within: number): void {
  actual.flat().forEach((x, i) => expect(Math.abs(x - expected.flat()[i]), `${actual}`).toBeLessThanOrEqual(within))
}

describe('decodeImage', () => {
  it.each([
    ['jpeg', [red, green, blue, white]], ['progressive', [red, green, blue, white]], ['webp', [red, green, blue, white]],
    ['gif', [red, green, blue, white]], ['lossless', [red, green, blue, [51, 51, 51, 51]]],
    ['grey', [76, 150, 29, 255].map(x => [x, x, x, 255])],
  ])('reads %s', (name, expected) => {
    const image = decodeImage(pictures[name])
    expect([image.width, image.height, image.data.length]).toEqual([16, 8, 512])
    expectNear(corners(image), expected, name === 'lossless' || name === 'gif' ? 0 : 4)
  })

  it.each(['turned', 'turnedWebp'])('turns a picture upright by its orientation: %s', name => {
    const image = decodeImage(pictures[name])
    expect([image.width, image.height]).toEqual([8, 16])
    expectNear(corners(image), [blue, red, white, green], 4)
  })

  it('reads the same picture from a PNG', () => {
    const image = decodeImage(pictures['gif'])
    expect(decodeImage(encodePng(image))).toEqual(image)
  })

  it.each(Object.keys(pictures))('gives, for a damaged %s, the same picture each time or one sentence', name => {
    const whole = pictures[name]
    const read = (bytes: Uint8Array): unknown => {
      try {
        return decodeImage(bytes, 'a.jpg', { maxPixels: 1e5 })
      } catch (error) {
        expect((error as Error).constructor).toBe(Error)
        expect((error as Error).message).toMatch(/^\w+: a\.jpg (is|has) [^\n]+\.$/)
        return (error as Error).message
      }
    }
    for (let length = 0; length < whole.length - 1; length++) { // a GIF without its last byte, the end mark, is whole
      expect(read(whole.subarray(0, length)), `${length} bytes`).toBeTypeOf('string')
    }
    const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
    fc.assert(fc.property(damage, changes => {
      const bytes = whole.slice()
      for (const [at, value] of changes) bytes[at] = value
      expect(read(bytes)).toEqual(read(bytes))
    }), { numRuns: 3 * runs })
  })

  it('does not fill in what is missing: scans cut short, with an end mark', () => {
    for (const name of ['jpeg', 'progressive', 'grey']) {
      const whole = pictures[name]
      const scan = whole.findLastIndex((x, i) => x === 0xff && whole[i + 1] === 0xda)
      const cut = Buffer.concat([whole.subarray(0, scan + 2 + whole[scan + 3] + 1), Uint8Array.of(0xff, 0xd9)])
      expect(cut.length).toBeLessThan(whole.length)
      expect(say(cut)).toBe('jpeg: a is damaged: something in its pixels is missing or wrong.')
    }
  })

  it('has a limit, and no picture of no pixels', () => {
    for (const name of ['jpeg', 'webp', 'lossless', 'gif']) {
      expect(say(pictures[name], { maxPixels: 127 })).toMatch(/^\w+: a is too large: 16×8 pixels, expected at most 127 in all; /)
      expect(decodeImage(pictures[name], 'a', { maxPixels: 128 }).width).toBe(16)
    }
    const frame = pictures['jpeg'].findIndex((x, i, all) => x === 0xff && all[i + 1] === 0xc0)
    const [flat, wide] = [pictures['jpeg'].slice(), pictures['jpeg'].slice()]
    flat.fill(0, frame + 5, frame + 7)
    expect(say(flat)).toBe('jpeg: a is 16×0: it has no pixels.')
    wide.set([0x0f, 0xa0, 0x0f, 0xa0], frame + 5)
    expect(say(wide)).toMatch(/^jpeg: a is truncated: \d+ bytes cannot hold 4000×4000 pixels\.$/)
    const emptyGif = pictures['gif'].slice()
    emptyGif.fill(0, 6, 8)
    expect(say(emptyGif)).toBe('gif: a is 0×8: it has no pixels.')
  })

  it('says what another kind of file is and what to do', () => {
    const other = (text: string): string => say(Buffer.from(text, 'latin1'))
    const expected = ', expected PNG, JPEG, WebP, GIF or BMP.'
    expect(other('\0\0\0\x18ftypheic\0\0\0\0'))
      .toBe(`image: a is a HEIC picture, as iPhones take them; save it as a JPEG or PNG${expected}`)
    expect(other('\0\0\0\x18ftypavif')).toMatch(/an AVIF picture; save it as/)
    expect(other('<?xml version="1.0"?>\n<!-- x -->\n<svg xmlns="…">')).toMatch(/an SVG drawing; export it as a PNG/)
    expect(other('<svg width="3">')).toMatch(/an SVG drawing/)
    expect(other('<!DOCTYPE html><svg>')).toMatch(/a web page, not the picture on it/)
    expect(other('MM\0*\0\0\0\x08')).toMatch(/a TIFF picture; save it as a PNG/)
    expect(other('%PDF-1.7')).toMatch(/a PDF document; save its picture as a PNG/)
    expect(other('hello')).toBe(`image: a is no picture that is read (starts with 68 65 6c 6c)${expected}`)
    expect(other('')).toBe(`image: a is no picture that is read (it is empty)${expected}`)
    expect(say(pictures['cmyk'])).toMatch(/^jpeg: a has 4 colours, expected grey or RGB; save it as a PNG/)
    expect(say(pictures['animation'])).toBe('webp: a is an animation; save its first picture as a PNG.')
    expect(sentence(() => decodeImage('a.png' as never))).toMatch(/^decodeImage: the file is "a\.png", expected its bytes/)
  })
})

it('readImage goes by what is in a file, not by its name, and reads only up to its limit', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cellgrad-'))
  const path = join(folder, 'a.png')
  await writeFile(path, pictures['jpeg'])
  expect(await readImage(path)).toEqual(decodeImage(pictures['jpeg']))
  await expect(readImage('/dev/zero', { maxPixels: 1000 })).rejects.toThrow(/^image: \/dev\/zero has more than \d+ bytes/)
  await expect(readImage(join(folder, 'no.png'))).rejects.toThrow(/^image: cannot read .*no\.png \(ENOENT/)
  await rm(folder, { recursive: true })
})

describe('GIF', () => {
  const pixel = fc.constantFrom([1, 0, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1], [0, 1, 0, 1], [0, 0, 0, 1])
  it('reads the first picture of a file of encodeGif', () => {
    const sides = fc.integer({ min: 1, max: 40 })
    fc.assert(fc.property(sides, sides, fc.infiniteStream(pixel), (width, height, pixels) => {
      const image = { width, height, data: new Float32Array(4 * width * height) }
      for (let p = 0; p < width * height; p++) image.data.set(pixels.next().value, 4 * p)
      const black = { width, height, data: Float32Array.from(image.data, (_, i) => +(i % 4 === 3)) }
      expect(decodeImage(encodeGif([image, black]))).toEqual(image)
    }))
  })

  // Two colours on a canvas of 3 × 4: a picture of 2 × 4 pixels at (1, 0), its rows in four passes, colour 1 transparent.
  const small = (codes: number[], interlaced = 0x40): Uint8Array => Uint8Array.from([
    ...Buffer.from('GIF89a'), 3, 0, 4, 0, 0x80, 0, 0, 255, 0, 0, 0, 0, 255, 0x21, 0xf9, 4, 1, 0, 0, 1, 0,
    0x2c, 1, 0, 0, 0, 2, 0, 4, 0, interlaced, 2, codes.length, ...codes, 0, 0x3b,
  ])
  /** Codes of 3 bits, the clearing code after each two: they never grow. */
  const plain = (...indices: number[]): number[] => {
    const bits = [...indices.flatMap((index, i) => (i % 2 === 0 ? [4, index] : [index])), 5]
      .map(code => code.toString(2).padStart(3, '0')).toReversed().join('')
    return bits.padStart(8 * Math.ceil(bits.length / 8), '0').match(/.{8}/g)!.toReversed().map(byte => Number.parseInt(byte, 2))
  }

  it('may be interlaced, smaller than its canvas, and transparent', () => {
    const { width, height, data } = decodeImage(small(plain(0, 0, 0, 1, 1, 0, 1, 1)))
    expect([width, height]).toEqual([3, 4])
    const alphas = [...data].filter((_, i) => i % 4 === 3)
    // Rows in the order 0, 2, 1, 3 (passes of every 8th, 8th, 4th, 2nd); the first column is not covered.
    expect(alphas).toEqual([0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0])
    expect([...decodeImage(small(plain(0, 0, 0, 1, 1, 0, 1, 1), 0)).data].filter((_, i) => i % 4 === 3))
      .toEqual([0, 1, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0])
  })

  it('says what is wrong', () => {
    expect(say(small(plain(0, 0, 0)))).toBe('gif: a is truncated: it has 3 of 8 pixels.')
    expect(say(small(plain(0, 0, 0, 3, 1, 1, 1, 1)))).toBe('gif: a is damaged: it has colour 3 of 2.')
    expect(say(small([0b00111100]))).toBe('gif: a is damaged: the code 7 stands for nothing yet.')
    expect(say(small([]).slice(0, -3))).toMatch(/^gif: a is truncated: it ends after \d+ bytes\.$/)
    const huge = small(plain(0, 0, 0, 0, 0, 0, 0, 0))
    for (const at of [7, 9, 33, 35]) huge[at] = 0x08 // 2048 pixels more on each side
    expect(say(huge)).toMatch(/^gif: a is truncated: \d+ bytes cannot hold \d+ pixels\.$/)
    const outside = small(plain(0))
    outside[28] = 2
    expect(say(outside)).toBe('gif: a is damaged: its picture is larger than its 3×4 pixels.')
  })
})

describe('BMP', () => {
  const u16 = (x: number): number[] => [x & 255, (x >> 8) & 255]
  const u32 = (x: number): number[] => [...u16(x), ...u16(x >>> 16)]
  type Bmp = { width: number; height: number; bits: number; palette?: number[]; masks?: number[]; rows: number[]; old?: boolean }
  function bmp({ width, height, bits, palette = [], masks = [], rows, old = false }: Bmp): Uint8Array {
    const size = (old ? 12 : 40) + 4 * masks.length
    const header = old ? [...u32(12), ...u16(width), ...u16(height), 1, 0, ...u16(bits)] : [
      ...u32(masks.length === 4 ? 56 : 40), ...u32(width), ...u32(height), 1, 0, ...u16(bits), ...u32(masks.length > 0 ? 3 : 0),
      ...Array<number>(12).fill(0), ...u32(palette.length / 4), ...u32(0), ...masks.flatMap(u32),
    ]
    return Uint8Array.from([0x42, 0x4d, ...Array<number>(8).fill(0), ...u32(14 + size + palette.length), ...header, ...palette, ...rows])
  }
  const bytes = (image: Image): number[] => [...image.data].map(x => Math.round(255 * x))

  it('reads 1, 2, 4, 8, 16, 24 and 32 bits, from either end', () => {
    const two = [0, 0, 255, 0, 255, 0, 0, 0] // red and blue, as blue, green, red, 0
    const expected = [...red, ...blue, ...blue]
    expect(bytes(decodeImage(bmp({ width: 3, height: 1, bits: 1, palette: two, rows: [0b01100000, 0, 0, 0] })))).toEqual(expected)
    expect(bytes(decodeImage(bmp({ width: 3, height: 1, bits: 2, palette: two, rows: [0b00010100, 0, 0, 0] })))).toEqual(expected)
    expect(bytes(decodeImage(bmp({ width: 3, height: 1, bits: 4, palette: two, rows: [0x01, 0x10, 0, 0] })))).toEqual(expected)
    expect(bytes(decodeImage(bmp({ width: 3, height: 1, bits: 8, palette: two, rows: [0, 1, 1, 0] })))).toEqual(expected)
    const rows = [0, 0, 255, 255, 0, 0, 255, 0, 0, 0, 0, 0]
    expect(bytes(decodeImage(bmp({ width: 3, height: 1, bits: 24, rows })))).toEqual(expected)
    expect(bytes(decodeImage(bmp({ width: 3, height: 1, bits: 24, rows, old: true })))).toEqual(expected)
    expect(bytes(decodeImage(bmp({ width: 1, height: 2, bits: 32, rows: [255, 0, 0, 0, 0, 0, 255, 9] })))).toEqual([...red, ...blue])
    expect(bytes(decodeImage(bmp({ width: 1, height: -2, bits: 32, rows: [255, 0, 0, 0, 0, 0, 255, 9] })))).toEqual([...blue, ...red])
    expect(bytes(decodeImage(bmp({ width: 1, height: 1, bits: 16, rows: [0x00, 0x7c, 0, 0] })))).toEqual(red)
    const masks = [0xf800, 0x07e0, 0x001f]
    expect(bytes(decodeImage(bmp({ width: 1, height: 1, bits: 16, masks, rows: [0xe0, 0x07, 0, 0] })))).toEqual(green)
    const alpha = [0xff, 0xff00, 0xff0000, 0xff000000]
    expect(bytes(decodeImage(bmp({ width: 1, height: 1, bits: 32, masks: alpha, rows: [255, 0, 0, 51] })))).toEqual([51, 0, 0, 51])
  })

  it('says what is wrong', () => {
    const good: Bmp = { width: 3, height: 2, bits: 24, rows: Array<number>(24).fill(7) }
    expect(bytes(decodeImage(bmp(good)))).toHaveLength(24)
    expect(say(bmp({ ...good, rows: good.rows.slice(1) }))).toBe('bmp: a is truncated: it takes 78 bytes, got 77.')
    expect(say(bmp({ ...good, width: 4000, height: 4000 }))).toMatch(/^bmp: a is truncated: it takes 48000054 bytes, got 78\.$/)
    expect(say(bmp({ ...good, width: 2 ** 31 - 1, height: 2 ** 31 - 1 }))).toMatch(/^bmp: a is too large: /)
    expect(say(bmp({ ...good, width: -3 }))).toBe('bmp: a has a width of -3.')
    expect(say(bmp({ ...good, height: 0 }))).toBe('bmp: a is 3×0: it has no pixels.')
    expect(say(bmp({ ...good, bits: 5 }))).toMatch(/has 5 bits a pixel/)
    expect(say(bmp({ width: 1, height: 1, bits: 8, palette: [1, 2, 3, 0], rows: [1, 0, 0, 0] }))).toBe('bmp: a is damaged: it has colour 1 of 1.')
    const compressed = bmp({ width: 1, height: 1, bits: 8, rows: [0, 0, 0, 0] })
    compressed[30] = 1
    expect(say(compressed)).toMatch(/^bmp: a is compressed, which is not read; save it uncompressed, or as a PNG\.$/)
    for (let length = 2; length < 78; length++) expect(say(bmp(good).subarray(0, length))).toMatch(/^bmp: a (is truncated|has a header)/)
  })
})

describe('orientation', () => {
  // The letter F as a camera stores it for each orientation from 1 to 8: (row, column) of Exif's figure.
  const upright = ['##', '# ', '##', '# ']
  const stored = [
    ['##', '# ', '##', '# '], ['##', ' #', '##', ' #'], [' #', '##', ' #', '##'], ['# ', '##', '# ', '##'],
    ['####', '# # '], ['# # ', '####'], [' # #', '####'], ['####', ' # #'],
  ]
  const imageOf = (rows: readonly string[]): Image => ({
    width: rows[0].length, height: rows.length,
    data: Float32Array.from([...rows.join('')].flatMap(c => Array<number>(4).fill(c === '#' ? 1 : 0))),
  })

  it('turns and mirrors', () => {
    stored.forEach((rows, i) => expect(orient(imageOf(rows), i + 1), `${i + 1}`).toEqual(imageOf(upright)))
  })

  it('is read from Exif in either byte order, and is 1 if that is damaged', () => {
    const exif = (little: boolean, value: number): Uint8Array => {
      const bytes = new Uint8Array(38)
      const view = new DataView(bytes.buffer)
      bytes.set(little ? [0x49, 0x49] : [0x4d, 0x4d])
      view.setUint16(2, 42, little)
      view.setUint32(4, 8, little)
      view.setUint16(8, 2, little)
      view.setUint16(10, 0x0100, little)
      view.setUint16(22, 0x0112, little)
      view.setUint16(24, 3, little)
      view.setUint32(26, 1, little)
      view.setUint16(30, value, little)
      return bytes
    }
    for (const little of [true, false]) {
      for (let n = 1; n <= 8; n++) expect(exifOrientation(exif(little, n))).toBe(n)
      for (const n of [0, 9, 65535]) expect(exifOrientation(exif(little, n))).toBe(1)
      for (let length = 0; length < 34; length++) expect(exifOrientation(exif(little, 6).subarray(0, length))).toBe(1)
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), noise => {
      expect(exifOrientation(Uint8Array.from([0x49, 0x49, 42, 0, ...noise]))).toBeGreaterThanOrEqual(1)
    }))
    expect(exifOrientation(undefined)).toBe(1)
  })
})

it('a missing decoder is not reported as a fault of the file', () => {
  try {
    openCodec('no.wasm')
    expect.unreachable()
  } catch (cause) {
    expect(whyNot(cause)).toBe('cannot be read, since its decoder is not installed; npm install brings it')
  }
})
