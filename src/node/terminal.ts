/**
 * Pictures in a terminal, with two pixels in each character.
 *
 * A character cell is about twice as high as wide, so `▀` (upper half block) with the upper pixel as its foreground and
 * the lower one as its background draws two square pixels. Without colour, a cell becomes one character of a ramp, the
 * darker the denser, like ink on paper.
 */

import { overColour, resize, type Image, type Rgb } from '../nca/files/image.ts'
import { checkOptions, isNumber, keysOf, oneOf, wholeFrom } from '../backends/options.ts'

/** The colours of a terminal: 24 bits, the 256 of xterm, or none. */
export type ColourDepth = 'truecolor' | '256' | 'none'

/** How a picture is drawn. */
export interface HalfBlockOptions {
  /** The most characters in a line; a wider picture is shrunk. Default: as wide as the picture. */
  readonly columns?: number
  /** Default `'truecolor'`; see `colourDepth`. */
  readonly colour?: ColourDepth
  /**
   * The colour behind transparent pixels. Default white, whatever the terminal's own colour: emoji are drawn for a white
   * page (the spider web is dark grey and would disappear on black), and PNG strips and GIFs show the same.
   */
  readonly background?: Rgb
}

const halfBlockOptions = keysOf<HalfBlockOptions>({
  columns: wholeFrom(1),
  colour: oneOf(['truecolor', '256', 'none']),
  background: {
    fits: x => Array.isArray(x) && x.length === 3 && x.every(c => isNumber(c)), expected: 'red, green and blue from 0 to 1',
  },
})

/**
 * Draws a picture as lines of characters, without a line break at the end.
 *
 * @example console.log(halfBlocks(image, { columns: 40, colour: colourDepth(process.stdout, process.env) }))
 */
export function halfBlocks(image: Image, options: HalfBlockOptions = {}): string {
  checkOptions('halfBlocks', options, halfBlockOptions)
  const { columns = image.width, colour = 'truecolor', background = [1, 1, 1] } = options
  const { width, height, data } = overColour(shrink(image, columns), background)
  const below = toBytes(background) // for the row that an odd height lacks
  const pixel = (x: number, y: number): Rgb => {
    const at = 4 * (y * width + x)
    return y < height ? toBytes([data[at]!, data[at + 1]!, data[at + 2]!]) : below
  }

  const lines: string[] = []
  for (let y = 0; y < height; y += 2) {
    let line = ''
    let before = ''
    for (let x = 0; x < width; x++) {
      const [upper, lower] = [pixel(x, y), pixel(x, y + 1)]
      if (colour === 'none') {
        line += shade(upper, lower)
        continue
      }
      const code = `\x1b[38;${colourCode(upper, colour)};48;${colourCode(lower, colour)}m`
      line += code === before ? '▀' : `${code}▀`
      before = code
    }
    lines.push(colour === 'none' ? line : `${line}\x1b[0m`)
  }
  return lines.join('\n')
}

function shrink(image: Image, columns: number): Image {
  if (image.width <= columns) return image
  return resize(image, columns, Math.max(1, Math.round((image.height * columns) / image.width)), 'area')
}

function toBytes(colour: Rgb): Rgb {
  const [r, g, b] = colour.map(x => Math.round(Math.min(Math.max(x, 0), 1) * 255))
  return [r!, g!, b!]
}

const ramp = ' .:-=+*#%@'

/** A character for two pixels, chosen by the mean of their luma (ITU-R BT.601). */
function shade(upper: Rgb, lower: Rgb): string {
  const luma = ([r, g, b]: Rgb): number => (0.299 * r + 0.587 * g + 0.114 * b) / 255
  const ink = 1 - (luma(upper) + luma(lower)) / 2
  return ramp[Math.round(ink * (ramp.length - 1))]!
}

function colourCode([r, g, b]: Rgb, depth: 'truecolor' | '256'): string {
  return depth === 'truecolor' ? `2;${r};${g};${b}` : `5;${xterm256([r, g, b])}`
}

const cubeLevels = [0, 95, 135, 175, 215, 255]

/** The nearest colour of xterm's 6×6×6 cube (16 + 36r + 6g + b) and its 24 greys (232 + k, with the level 8 + 10k). */
function xterm256(colour: Rgb): number {
  const steps = colour.map(x => nearestLevel(cubeLevels, x))
  const cube = steps.map(step => cubeLevels[step]!)
  const greyStep = nearestLevel(greyLevels, (colour[0] + colour[1] + colour[2]) / 3)
  const grey = greyLevels[greyStep]!
  const distance = (to: readonly number[]): number => colour.reduce((sum, x, c) => sum + (x - to[c]!) ** 2, 0)
  return distance([grey, grey, grey]) < distance(cube)
    ? 232 + greyStep
    : 16 + 36 * steps[0]! + 6 * steps[1]! + steps[2]!
}

const greyLevels = Array.from({ length: 24 }, (_, k) => 8 + 10 * k)

function nearestLevel(levels: readonly number[], x: number): number {
  return levels.reduce((best, level, i) => (Math.abs(level - x) < Math.abs(levels[best]! - x) ? i : best), 0)
}

/**
 * The colours to write to a stream. As in Node itself, the user's wishes come first: `FORCE_COLOR`
 * (0 or false: none; 3: truecolor; anything else: 256), then `NO_COLOR` (https://no-color.org). Otherwise it depends on whether
 * the stream is a terminal, and on its type.
 *
 * @example colourDepth(process.stdout, process.env)
 */
export function colourDepth(
  stream: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): ColourDepth {
  const forced = env['FORCE_COLOR']
  if (forced !== undefined) return forced === '0' || forced === 'false' ? 'none' : forced === '3' ? 'truecolor' : '256'
  if (env['NO_COLOR']) return 'none'
  if (!stream.isTTY || env['TERM'] === 'dumb') return 'none'
  return env['COLORTERM'] === 'truecolor' || env['COLORTERM'] === '24bit' ? 'truecolor' : '256'
}
