import { PassThrough } from 'node:stream'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { duration, errorOf, showProgress } from '../../src/cli/terminal/progress.ts'
import { block, isLive, pictureLines } from '../../src/cli/terminal/screen.ts'
import type { Image } from '../../src/nca/files/image.ts'

/** What a terminal shows after it was sent this text: a few codes, no scrolling. */
function screenOf(text: string): { lines: string[]; row: number; cursor: boolean } {
  const lines: string[][] = [[]]
  let [row, column, cursor] = [0, 0, true]
  // oxlint-disable-next-line no-control-regex
  for (const [all, code, count] of text.matchAll(/\x1b(?:\[\??(\d*)(?:;\d+)*([A-Za-z])|[78])|[\s\S]/gu)) {
    if (all === '\n') lines[++row] ??= []
    if (all === '\n' || all === '\r') column = 0
    else if (count === 'A') row = Math.max(0, row - Number(code))
    else if (count === 'G') column = Number(code) - 1
    else if (count === 'K') lines[row].length = Math.min(lines[row].length, column)
    else if (count === 'h' || count === 'l') cursor = code === '25' ? count === 'h' : cursor
    else if (!all.startsWith('\x1b')) {
      while (lines[row].length < column) lines[row].push(' ')
      lines[row][column++] = all
    }
  }
  return { lines: lines.map(line => line.join('')), row, cursor }
}

/** An output that is a terminal of this size, or no terminal. */
function outputOf(size?: { columns: number; rows: number }): { output: NodeJS.WriteStream; text: () => string } {
  let text = ''
  const stream = new PassThrough()
  stream.on('data', (data: Buffer) => { text += data.toString() })
  return { output: Object.assign(stream, { isTTY: size !== undefined, ...size }) as unknown as NodeJS.WriteStream, text: () => text }
}

const grey = (width: number, height: number): Image => ({ width, height, data: new Float32Array(width * height * 4).fill(0.5) })

beforeEach(() => {
  for (const [name, value] of [['NO_COLOR', '1'], ['FORCE_COLOR', undefined], ['TERM', 'xterm']] as const) vi.stubEnv(name, value)
})
afterEach(() => {
  vi.unstubAllEnvs()
  vi.useRealTimers()
})

describe('a block of lines', () => {
  it('is drawn over itself, wherever it starts, and the cursor is left below it', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', '▀', ' '), maxLength: 8 })
    fc.assert(fc.property(fc.array(word), fc.integer({ min: 1, max: 5 }).chain(n => fc.array(fc.array(word, { minLength: n, maxLength: n }), { minLength: 1, maxLength: 4 })), (before, frames) => {
      const { output, text } = outputOf({ columns: 80, rows: 24 })
      output.write(before.map(line => `${line}\n`).join(''))
      const screen = block(output)
      for (const frame of frames) screen.draw(frame)
      expect(screenOf(text())).toEqual({ lines: [...before, ...frames.at(-1)!, ''], row: before.length + frames[0].length, cursor: false })
      screen.end()
      expect(screenOf(text()).cursor).toBe(true)
    }))
  })

  it('shows the cursor again when the process ends', () => {
    const { output, text } = outputOf({ columns: 80, rows: 24 })
    const others = new Set(process.listeners('exit'))
    const screen = block(output)
    screen.draw(['a'])
    const [listener] = process.listeners('exit').filter(fn => !others.has(fn))
    listener(0)
    expect(screenOf(text()).cursor).toBe(true)
    screen.end()
    expect(process.listeners('exit')).toHaveLength(others.size)
  })
})

describe('a picture', () => {
  it('fits into any terminal', () => {
    fc.assert(fc.property(fc.integer({ min: 8, max: 200 }), fc.integer({ min: 8, max: 60 }), fc.integer({ min: 1, max: 90 }), fc.boolean(), (columns, rows, height, wide) => {
      const { output } = outputOf({ columns, rows })
      const lines = pictureLines(grey(wide ? 2 * height : height, height), output)
      expect(lines.length).toBeLessThanOrEqual(rows - 3)
      for (const line of lines) expect(line.length).toBeLessThan(columns)
    }))
  })

  it('is enlarged if it is small and there is room', () => {
    const { output } = outputOf({ columns: 200, rows: 60 })
    expect(pictureLines(grey(24, 24), output)).toHaveLength(24)
    expect(pictureLines(grey(72, 72), output)).toHaveLength(36)
  })
})

describe('the progress of a training run', () => {
  it('on a terminal is a picture, and below it one line', async () => {
    const { output, text } = outputOf({ columns: 90, rows: 30 })
    expect(isLive(output)).toBe(true)
    vi.useFakeTimers()
    const display = showProgress(output, 100, 0, grey(8, 8))
    for (let i = 1; i <= 50; i++) {
      await display.picture(async () => grey(8, 8))
      vi.advanceTimersByTime(250)
      display.update({ iteration: i, loss: 0.01 })
    }
    display.end()
    const { lines, cursor } = screenOf(text())
    const picture = lines.findIndex(line => line.includes('50/100'))
    expect(lines[picture]).toBe('██████████░░░░░░░░░░ 50/100  error 0.01  4.00 iterations/s  13s left')
    expect(lines.slice(picture + 1).join('')).toBe('')
    expect(lines.slice(0, picture).every(line => /^[ .:+*#%@=-]+$/.test(line))).toBe(true)
    expect(cursor).toBe(true)
  })

  it('paints no more than once a second', async () => {
    const { output } = outputOf({ columns: 90, rows: 30 })
    vi.useFakeTimers()
    const paint = vi.fn<() => Promise<Image>>(async () => grey(8, 8))
    const display = showProgress(output, 100, 0, grey(8, 8))
    for (let i = 1; i <= 50; i++) {
      await display.picture(paint)
      vi.advanceTimersByTime(250)
    }
    display.end()
    expect(paint).toHaveBeenCalledTimes(13)
  })

  it('elsewhere prints a line every few per cent or seconds', () => {
    vi.useFakeTimers()
    const count = (iterations: number, milliseconds: number): number => {
      const { output, text } = outputOf()
      const display = showProgress(output, iterations, 0, grey(8, 8))
      for (let i = 1; i <= iterations; i++) {
        vi.advanceTimersByTime(milliseconds)
        display.update({ iteration: i, loss: 0.1 })
      }
      display.end()
      expect(text()).toMatch(new RegExp(`\niteration ${iterations}/${iterations} {2}error 0\\.1 `))
      return text().trimEnd().split('\n').length
    }
    expect(count(1000, 1)).toBe(21)
    expect(count(1000, 2500)).toBe(501)
    expect(count(3, 1)).toBe(3)
  })
})

it('numbers read well', () => {
  expect([errorOf(0.001), errorOf(0.03456), errorOf(12.3), errorOf(2.5e-8), duration(0), duration(59.4), duration(65), duration(3600), duration(4000)])
    .toEqual(['0.001', '0.035', '12', '2.5e-8', '0s', '59s', '1m 05s', '1h 00m', '1h 06m'])
})
