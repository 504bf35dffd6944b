import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Image } from '../../src/nca/files/image.ts'
import { colourDepth, halfBlocks } from '../../src/node/terminal.ts'

function imageOf(width: number, pixels: readonly (readonly number[])[]): Image {
  return { width, height: pixels.length / width, data: Float32Array.from(pixels.flat()) }
}

const red = [1, 0, 0, 1]
const green = [0, 1, 0, 1]
const clear = [0, 0, 0, 0]

/** The picture that a terminal would show: in each line, for every `▀`, the upper and the lower colour. */
function parse(text: string): string[][] {
  return text.split('\n').map(line => {
    expect(line.endsWith('\x1b[0m')).toBe(true)
    return line.split('\x1b[').flatMap(part => {
      const [, colours, blocks] = /^([\d;]*)m(▀*)$/u.exec(part) ?? ['', '', '']
      return Array<string>(blocks!.length).fill(colours!)
    })
  })
}

const byte = fc.integer({ min: 0, max: 255 })

describe('halfBlocks', () => {
  it('puts the upper pixel in the foreground and the lower in the background', () => {
    expect(halfBlocks(imageOf(1, [red, green]))).toBe('\x1b[38;2;255;0;0;48;2;0;255;0m▀\x1b[0m')
  })

  it('draws every pixel once, two rows a line', () => {
    const pixels = fc.integer({ min: 1, max: 6 }).chain(width => fc.integer({ min: 1, max: 6 }).chain(height =>
      fc.array(fc.tuple(byte, byte, byte), { minLength: width * height, maxLength: width * height })
        .map(colours => ({ width, height, colours }))))
    fc.assert(fc.property(pixels, ({ width, height, colours }) => {
      const image = imageOf(width, colours.map(([r, g, b]) => [r / 255, g / 255, b / 255, 1]))
      const lines = parse(halfBlocks(image))
      expect(lines.length).toBe(Math.ceil(height / 2))
      lines.forEach((cells, row) => {
        expect(cells.length).toBe(width)
        cells.forEach((cell, x) => {
          const lower = colours[(2 * row + 1) * width + x] ?? [255, 255, 255]
          expect(cell).toBe(`38;2;${colours[2 * row * width + x]!.join(';')};48;2;${lower.join(';')}`)
        })
      })
    }))
  })

  it('shows white through transparent pixels, or the background that is asked for', () => {
    expect(parse(halfBlocks(imageOf(1, [clear, red])))).toEqual([['38;2;255;255;255;48;2;255;0;0']])
    expect(parse(halfBlocks(imageOf(1, [[0.5, 0, 0, 0.5], clear, clear]), { background: [0, 0, 0.2] })))
      .toEqual([['38;2;128;0;26;48;2;0;0;51'], ['38;2;0;0;51;48;2;0;0;51']])
  })

  it('repeats no code while the colours stay', () => {
    expect(halfBlocks(imageOf(3, [red, red, red]))).toBe('\x1b[38;2;255;0;0;48;2;255;255;255m▀▀▀\x1b[0m')
  })

  it('shrinks to the columns, keeping the aspect, and never enlarges', () => {
    const wide = imageOf(8, Array(32).fill(red))
    expect(parse(halfBlocks(wide, { columns: 4 })).map(cells => cells.length)).toEqual([4])
    expect(parse(halfBlocks(wide, { columns: 80 })).map(cells => cells.length)).toEqual([8, 8])
  })

  it('shrinks by averaging areas: an edge does not ring', () => {
    const edge = imageOf(8, Array.from({ length: 16 }, (_, p) => (p % 8 < 4 ? [0.5, 0.5, 0.5, 1] : [0.2, 0.2, 0.2, 1])))
    const [line] = parse(halfBlocks(edge, { columns: 4 }))
    expect(line!.map(cell => cell.split(';')[2])).toEqual(['128', '128', '51', '51'])
  })

  it('picks the nearest of the 256 colours', () => {
    // The whole palette of xterm, written out independently of the search.
    const palette: number[][] = []
    for (const r of [0, 95, 135, 175, 215, 255]) {
      for (const g of [0, 95, 135, 175, 215, 255]) for (const b of [0, 95, 135, 175, 215, 255]) palette.push([r, g, b])
    }
    for (let grey = 8; grey <= 238; grey += 10) palette.push([grey, grey, grey])
    fc.assert(fc.property(byte, byte, byte, (...colour) => {
      const image = imageOf(1, [[...colour.map(x => x / 255), 1]])
      const chosen = Number(/38;5;(\d+)/.exec(halfBlocks(image, { colour: '256' }))![1])
      const distance = (entry: number[]): number => entry.reduce((sum, x, c) => sum + (x - colour[c]!) ** 2, 0)
      expect(distance(palette[chosen - 16]!)).toBe(Math.min(...palette.map(distance)))
    }), { numRuns: 10 * fc.readConfigureGlobal().numRuns! })
  })

  it('shades without any code when there is no colour', () => {
    const image = imageOf(3, [[0, 0, 0, 1], clear, [0, 0, 0, 1], [0, 0, 0, 1], clear, clear])
    expect(halfBlocks(image, { colour: 'none' })).toBe('@ +')
    expect(halfBlocks(imageOf(2, [clear, clear, clear, clear, red, red]), { colour: 'none' })).toBe('  \n--')
  })
})

describe('colourDepth', () => {
  const terminal = { isTTY: true }
  it.each([
    ['a plain terminal', terminal, { TERM: 'xterm-256color' }, '256'],
    ['a terminal that says truecolor', terminal, { COLORTERM: 'truecolor' }, 'truecolor'],
    ['a terminal that says 24bit', terminal, { COLORTERM: '24bit' }, 'truecolor'],
    ['a dumb terminal', terminal, { TERM: 'dumb', COLORTERM: 'truecolor' }, 'none'],
    ['a pipe', {}, { COLORTERM: 'truecolor' }, 'none'],
    ['NO_COLOR', terminal, { NO_COLOR: '1', COLORTERM: 'truecolor' }, 'none'],
    ['an empty NO_COLOR, which does not count', terminal, { NO_COLOR: '', COLORTERM: 'truecolor' }, 'truecolor'],
    ['FORCE_COLOR=3 into a pipe', {}, { FORCE_COLOR: '3' }, 'truecolor'],
    ['FORCE_COLOR=1', {}, { FORCE_COLOR: '1' }, '256'],
    ['an empty FORCE_COLOR, which counts', {}, { FORCE_COLOR: '' }, '256'],
    ['FORCE_COLOR=0', terminal, { FORCE_COLOR: '0', COLORTERM: 'truecolor' }, 'none'],
    ['FORCE_COLOR=false', terminal, { FORCE_COLOR: 'false' }, 'none'],
    ['FORCE_COLOR against NO_COLOR', {}, { FORCE_COLOR: '3', NO_COLOR: '1' }, 'truecolor'],
  ] as const)('%s', (_what, stream, env, expected) => {
    expect(colourDepth(stream, env)).toBe(expected)
  })
})
