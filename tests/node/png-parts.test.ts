// PNG files put together here, chunk by chunk, so that they can have contents that no encoder would write.

import { spawnSync } from 'node:child_process'
import { crc32, deflateSync } from 'node:zlib'
import fc from 'fast-check'
import { PNG } from 'pngjs'
import { describe, expect, it } from 'vitest'
import { decodePng } from '../../src/node/pictures/png.ts'
import { sentence } from '../tensor/values.ts'

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]
const u32 = (n: number): number[] => [n >>> 24, (n >> 16) & 255, (n >> 8) & 255, n & 255]

function chunk(name: string, data: readonly number[] | Uint8Array = []): Buffer {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), Uint8Array.from(data)])
  return Buffer.concat([Uint8Array.from(u32(data.length)), body, Uint8Array.from(u32(crc32(body)))])
}

type Header = { width: number; height: number; depth?: number; colour?: number; interlace?: number }

function ihdr({ width, height, depth = 8, colour = 6, interlace = 0 }: Header): Buffer {
  return chunk('IHDR', [...u32(width), ...u32(height), depth, colour, 0, 0, interlace])
}

/** A whole file: header, further chunks, rows, end. */
function file(header: Header, rows: readonly number[] | Uint8Array, ...between: Buffer[]): Buffer {
  const idat = chunk('IDAT', deflateSync(Uint8Array.from(rows)))
  return Buffer.concat([Uint8Array.from(signature), ihdr(header), ...between, idat, chunk('IEND')])
}

/** One row of grey pixels. */
const grey = (...pixels: number[]): Buffer => file({ width: pixels.length, height: 1, colour: 0 }, [0, ...pixels])
const say = (bytes: Uint8Array, options = {}): string => sentence(() => decodePng(bytes, 'a.png', options))
const reds = (bytes: Uint8Array): number[] => [...decodePng(bytes).data].filter((_, i) => i % 4 === 0)

describe('a header that promises more than the file has', () => {
  it('gives a sentence, and the process survives', () => {
    // 69 bytes that announce 2³¹ − 1 pixels: pngjs alone ends the process, which no `catch` sees.
    const bytes = Buffer.concat([
      Uint8Array.from(signature), ihdr({ width: 2 ** 31 - 1, height: 1 }), chunk('IDAT', deflateSync(Uint8Array.of(0, 1, 2, 3))), chunk('IEND'),
    ])
    expect(bytes.length).toBeLessThan(75)
    const code = `
      import { readFileSync } from 'node:fs'
      import { decodePng } from './src/node/pictures/png.ts'
      const bytes = Buffer.from('${bytes.toString('base64')}', 'base64')
      for (const maxPixels of [2 ** 24, 2 ** 52]) {
        try { decodePng(bytes, 'a.png', { maxPixels }) } catch (error) { console.log(error.message) }
      }
      // The peak from the kernel: maxRSS would begin with the memory of this process, which starts the other.
      console.log(Number(/VmHWM:\\s+(\\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) < 400_000)`
    const { status, stdout } = spawnSync(
      process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], { encoding: 'utf8', timeout: 60_000 })
    expect(stdout.split('\n')).toEqual([
      'png: a.png is too large: 2147483647×1 pixels, expected at most 16777216 in all; make it smaller, or raise the option maxPixels.',
      'png: a.png is too wide: 2147483647 pixels of 32 bits.',
      'true', '',
    ])
    expect(status).toBe(0)
  }, 60_000)

  it('is compared with the length of the data before anything is allocated', () => {
    const bytes = file({ width: 65_535, height: 8192 }, new Uint8Array(1000))
    expect(say(bytes)).toMatch(/is too large: 65535×8192 pixels, expected at most 16777216/)
    expect(say(bytes, { maxPixels: 2 ** 30 }))
      .toMatch(/^png: a\.png is truncated: its rows take 2147459072 bytes, but \d+ compressed ones cannot hold as many\.$/)
  })

  it('never yields pixels that the file does not define: 8 × 8 RGBA have 264 bytes of rows', () => {
    const pixels = (n: number): Buffer => file({ width: 8, height: 8 }, new Uint8Array(n).fill(1))
    for (let i = 0; i < 200; i++) {
      Buffer.alloc(264, 77) // what a decoder that does not clear its memory would show
      expect(say(pixels(117))).toBe('png: a.png is truncated: its rows take 264 bytes, got 117.')
    }
    for (let n = 0; n < 264; n += 7) expect(say(pixels(n))).toMatch(/is truncated: its rows take 264 bytes/)
    expect(say(pixels(265))).toBe('png: a.png is damaged: it has more rows than its header says.')
    expect(decodePng(pixels(264)).width).toBe(8)
    const torn = deflateSync(new Uint8Array(264)).subarray(0, -5)
    const short = Buffer.concat([Uint8Array.from(signature), ihdr({ width: 8, height: 8 }), chunk('IDAT', torn), chunk('IEND')])
    expect(say(short)).toBe('png: a.png is damaged: its rows cannot be decompressed (unexpected end of file).')
  })

  it('of 10,000 × 10,000 pixels of one bit is beyond the limit', () => {
    const bytes = file({ width: 10_000, height: 10_000, depth: 1, colour: 0 }, new Uint8Array(10_000 * 1251))
    expect(bytes.length).toBeLessThan(20_000)
    expect(say(bytes)).toMatch(/is too large: 10000×10000 pixels/)
    expect(say(bytes, { maxPixels: 99_999_999 })).toMatch(/expected at most 99999999 in all/)
  })
})

describe('a damaged file', () => {
  const whole = file({ width: 5, height: 4 }, Array.from({ length: 84 }, (_, i) => (i % 21 ? (i * 37) % 256 : i % 5)))

  it('gives the same picture each time or one sentence, also if its checksums are right', () => {
    const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 })
    fc.assert(fc.property(damage, changes => {
      const bytes = Buffer.from(whole)
      for (const [at, value] of changes) bytes[at] = value
      for (let at = 8; at + 12 <= bytes.length;) { // mend the checksums
        const end = at + 8 + bytes.readUInt32BE(at)
        if (end + 4 > bytes.length) break
        bytes.writeUInt32BE(crc32(bytes.subarray(at + 4, end)), end)
        at = end + 4
      }
      const read = (): unknown => {
        try { return decodePng(bytes, 'a.png', { maxPixels: 1e4 }) } catch (error) { return (error as Error).message }
      }
      const answer = read()
      if (typeof answer === 'string') expect(answer).toMatch(/^png: a\.png (is|has|needs) [^\n]+$/)
      expect(read()).toEqual(answer)
    }), { numRuns: 20 * fc.readConfigureGlobal().numRuns! })
  })

  it('says what is wrong', () => {
    const start = Uint8Array.from(signature)
    expect(say(whole.subarray(0, 15))).toBe('png: a.png is truncated: it ends after 15 bytes, without the chunk IEND.')
    expect(say(whole.subarray(0, 50))).toMatch(/is truncated: the chunk IDAT ends at byte \d+, the file at 50\.$/)
    const flipped = Buffer.from(whole)
    flipped[45] ^= 1
    expect(say(flipped)).toBe('png: a.png is damaged: the checksum of the chunk IDAT at byte 33 is wrong.')
    expect(say(Buffer.concat([start, chunk('IDAT'), chunk('IEND')]))).toMatch(/does not begin with a header of 13 bytes/)
    expect(say(Buffer.concat([start, Buffer.from('\0\0\0\0????1234')]))).toMatch(/there is no chunk at byte 8\.$/)
    expect(say(file({ width: 0, height: 3 }, []))).toBe('png: a.png is 0×3: it has no pixels.')
    expect(say(file({ width: 1, height: 1, colour: 5 }, [0, 0]))).toMatch(/has the colour type 5/)
    expect(say(file({ width: 1, height: 1, depth: 4 }, [0, 0]))).toMatch(/has 4 bits for the colour type 6, expected 8, 16/)
    expect(say(file({ width: 1, height: 1, interlace: 7 }, [0, 0]))).toMatch(/has the methods 0, 0 and 7/)
    expect(say(file({ width: 1, height: 1, colour: 3 }, [0, 0]))).toMatch(/it has no palette/)
    expect(say(file({ width: 1, height: 1, colour: 3 }, [0, 0], chunk('PLTE', [1, 2])))).toMatch(/palette has 2 bytes/)
    expect(say(file({ width: 1, height: 1, colour: 3 }, [0, 7], chunk('PLTE', [1, 2, 3]))))
      .toBe('png: a.png is damaged: its pixels cannot be decoded (index 7 not in palette).')
    expect(say(file({ width: 1, height: 1, colour: 2 }, [0, 1, 2, 3], chunk('tRNS', [1])))).toMatch(/transparency has 1 bytes/)
    expect(say(file({ width: 1, height: 1, colour: 0 }, [9, 7]))).toMatch(/a row has the filter 9, expected 0 to 4/)
    expect(say(file({ width: 1, height: 1, colour: 0 }, [0, 7], ihdr({ width: 9, height: 9 })))).toMatch(/2 chunks IHDR/)
    expect(say(file({ width: 1, height: 1, colour: 0 }, [0, 7], chunk('CgBI')))).toMatch(/needs the chunk CgBI/)
  })
})

describe('a PNG', () => {
  it('may be followed by other bytes', () => {
    expect(reds(Buffer.concat([grey(51), Buffer.from('what a camera appends')]))).toEqual([Math.fround(0.2)])
  })

  it('has rows as many as its passes, interlaced or not, in every depth', () => {
    const cases = fc.record({
      width: fc.integer({ min: 1, max: 20 }), height: fc.integer({ min: 1, max: 20 }), interlace: fc.constantFrom(0, 1),
      kind: fc.constantFrom([0, 1], [0, 2], [0, 4], [0, 8], [0, 16], [2, 8], [2, 16], [4, 8], [4, 16], [6, 8], [6, 16]),
    })
    fc.assert(fc.property(cases, fc.infiniteStream(fc.nat(255)), ({ width, height, interlace, kind: [colour, depth] }, noise) => {
      const bits = depth * { 0: 1, 2: 3, 4: 2, 6: 4 }[colour]!
      const passes = interlace === 0 ? [[width, height]] : [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]]
        .map(([x, y, dx, dy]) => [Math.ceil((width - x) / dx), Math.ceil((height - y) / dy)])
      const rows = passes.filter(([w]) => w > 0).flatMap(([w, h]) => Array.from({ length: h }, () =>
        [0, ...Array.from({ length: Math.ceil((w * bits) / 8) }, () => noise.next().value)])).flat()
      const bytes = file({ width, height, depth, colour, interlace }, rows)
      const image = decodePng(bytes)
      const plain = PNG.sync.read(bytes).data
      for (let i = 3; i < plain.length; i += 4) { // pngjs rounds to 8 bits
        const alpha = image.data[i]
        expect(Math.abs(alpha - plain[i] / 255)).toBeLessThanOrEqual(0.5 / 255 + 1e-6)
        if (alpha > 0) expect(Math.abs(image.data[i - 1] / alpha - plain[i - 1] / 255)).toBeLessThan(0.51 / 255)
      }
      expect(say(file({ width, height, depth, colour, interlace }, rows.slice(1)))).toMatch(/is truncated/)
    }))
  })

  it('keeps all 16 bits', () => {
    const row = [0, 0x80, 0x01, 0x00, 0x01, 0xff, 0xfe]
    expect(reds(file({ width: 3, height: 1, depth: 16, colour: 0 }, row)))
      .toEqual([0x8001, 1, 0xfffe].map(x => Math.fround(x / 65535)))
  })

  it('follows gAMA unless there is sRGB or a profile', () => {
    const gama = (gamma: number): Buffer => chunk('gAMA', u32(gamma))
    const rows = [0, 0, 51, 255]
    const header = { width: 3, height: 1, colour: 0 }
    const plain = [0, 51, 255].map(x => Math.fround(x / 255))
    expect(reds(file(header, rows, gama(45_455)))).toEqual(plain)
    expect(reds(file(header, rows, gama(0)))).toEqual(plain)
    expect(reds(file(header, rows, gama(100_000), chunk('sRGB', [0])))).toEqual(plain)
    expect(reds(file(header, rows, gama(100_000), chunk('iCCP', [0])))).toEqual(plain)
    const linear = reds(file(header, rows, gama(100_000))) // light itself, as renderers write it
    expect(linear).toEqual([0, expect.closeTo(0.2 ** (1 / 2.2), 6), 1])
    const [, half] = [...decodePng(file({ ...header, width: 1, colour: 4 }, [0, 51, 128], gama(100_000))).data.subarray(2)]
    expect(half).toBe(Math.fround(128 / 255)) // alpha has no gamma
  })

  it('is turned upright by its orientation', () => {
    const exif = (n: number): Buffer => chunk('eXIf', [0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, n, 0, 0, 0, 0, 0, 0])
    const image = decodePng(file({ width: 2, height: 1, colour: 0 }, [0, 51, 255], exif(6)))
    expect([image.width, image.height, image.data[0]]).toEqual([1, 2, Math.fround(0.2)])
  })
})
