/**
 * Film strips of several models in one SVG file: a row for each, with its name on the left, and the numbers of steps above.
 */
import type { Image } from '../../nca/files/image.ts'
import { inLine } from '../../backends/options.ts'
import { encodePng } from '../pictures/png.ts'
import { ink, shortened, svgNamespace, textStyle, widthOfText } from './plot.ts'

const line = 24
const gap = 8

/** Draws a strip for each name; each has pictures at equal distances, after these numbers of steps. */
export function stripsSvg(strips: readonly { readonly name: string; readonly image: Image }[], steps: readonly number[]): string {
  const names = strips.map(({ name }) => shortened(name, 64))
  const left = 24 + widthOfText(names)
  const width = left + Math.max(...strips.map(({ image }) => image.width))
  const tops = strips.map((_, i) => line + strips.slice(0, i).reduce((sum, { image }) => sum + image.height + gap, 0))
  const height = tops.at(-1)! + strips.at(-1)!.image.height
  const [{ image: first }] = strips
  const text = (x: number, y: number, anchor: string, words: string): string => (
    `<text x="${x}" y="${y}" text-anchor="${anchor}" dominant-baseline="middle">${escaped(words)}</text>`
  )
  return [
    `<svg xmlns="${svgNamespace}" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" style="max-width:100%;height:auto" font-family="${textStyle.fontFamily}" font-size="12" fill="${ink}">`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    ...steps.map((step, i) => text(left + (first.width * (i + 0.5)) / steps.length, line / 2, 'middle', `${i === 0 ? 'step ' : ''}${step}`)),
    ...strips.flatMap(({ image }, i) => [
      text(left - 12, tops[i] + image.height / 2, 'end', names[i]),
      `<image x="${left}" y="${tops[i]}" width="${image.width}" height="${image.height}" style="image-rendering:pixelated" href="data:image/png;base64,${Buffer.from(encodePng(image)).toString('base64')}"/>`,
    ]),
    '</svg>', '',
  ].join('\n')
}

function escaped(words: string): string {
  return inLine(words, Infinity).replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
