/**
 * Moving pictures in a terminal: a block of lines that is drawn again and again in the same place.
 */
import type { WriteStream } from 'node:tty'
import { upscale, type Image } from '../../nca/files/image.ts'
import { colourDepth, halfBlocks } from '../../node/terminal.ts'

type Output = NodeJS.WriteStream | WriteStream

/** Whether lines can be overwritten: the output is a terminal, and not a dumb one. */
export function isLive(output: Output): boolean {
  return output.isTTY && process.env.TERM !== 'dumb'
}

/** A picture as lines that fit into the terminal and leave `spare` lines free; small pictures are enlarged. */
export function pictureLines(image: Image, output: Output, spare = 3): string[] {
  const columns = output.isTTY ? output.columns - 1 : 80
  const rows = output.isTTY ? Math.max(output.rows - spare, 4) : Infinity
  const widest = Math.max(1, Math.floor(Math.min(columns, (2 * rows * image.width) / image.height)))
  const factor = Math.max(1, Math.min(Math.floor(widest / image.width), Math.floor(64 / image.width)))
  return halfBlocks(upscale(image, factor), { columns: widest, colour: colourDepth(output, process.env) }).split('\n')
}

/**
 * A block of lines. Each call of `draw` overwrites the previous block, and leaves the cursor below it. The cursor is hidden
 * from the first call until `end` is called or the process exits.
 */
export function block(output: Output): { draw(lines: readonly string[]): void; end(): void } {
  let height = 0
  const end = (): void => {
    if (height === 0) return
    height = 0
    output.write('\x1b[?25h')
    process.off('exit', end)
  }
  return {
    draw(lines) {
      if (height === 0) process.on('exit', end)
      const up = height === 0 ? '\x1b[?25l' : `\r\x1b[${height}A`
      output.write(`${up}${lines.map(line => `${line}\x1b[K\n`).join('')}`)
      height = lines.length
    },
    end,
  }
}
