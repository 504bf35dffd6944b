/**
 * The plotting library and the small DOM into which it draws, loaded only at the first call, so that nothing else waits for them.
 */
import type * as Library from '@observablehq/plot'
import type { Markish } from '@observablehq/plot'

export async function plotTools(): Promise<{ Plot: typeof Library; document: Document }> {
  const [Plot, { parseHTML }] = await Promise.all([import('@observablehq/plot'), import('linkedom')])
  return { Plot, document: parseHTML('<html></html>').document }
}

export const svgNamespace = 'http://www.w3.org/2000/svg'

/** A plot as the text of an SVG file. */
export function svgFile(svg: Element): string {
  svg.setAttribute('xmlns', svgNamespace) // implied within a page, needed in a file
  return svg.outerHTML
}

/** A white sheet behind everything, so that the picture can also be read on a dark page. */
export const paper: Markish = (_index, _scales, _values, { width, height }, { document }) => {
  const sheet = document.createElementNS(svgNamespace, 'rect')
  sheet.setAttribute('width', String(width))
  sheet.setAttribute('height', String(height))
  sheet.setAttribute('fill', 'white')
  return sheet
}

/** The colour of text. */
export const ink = '#24292f'

export const textStyle: { readonly fontFamily: string; readonly fontSize: string; readonly color: string } = { fontFamily: 'system-ui, sans-serif', fontSize: '12px', color: ink }

/** A text of at most so many characters; a longer one loses its middle, since names differ at their ends. */
export function shortened(text: string, most: number): string {
  if (text.length <= most) return text
  const end = (most - 1) >> 1
  return `${text.slice(0, most - 1 - end)}…${text.slice(-end)}`
}

/** The approximate width of the widest of some texts, in pixels. */
export function widthOfText(texts: readonly string[]): number {
  return Math.ceil(7 * Math.max(...texts.map(text => text.length)))
}
