/**
 * The plotting library and the small DOM it draws into, loaded at the first call: nothing else waits for them.
 */
import type * as Library from '@observablehq/plot'
import type { Markish } from '@observablehq/plot'

export async function plotTools(): Promise<{ Plot: typeof Library; document: Document }> {
  const [Plot, { parseHTML }] = await Promise.all([import('@observablehq/plot'), import('linkedom')])
  return { Plot, document: parseHTML('<html></html>').document }
}

export const svgNamespace = 'http://www.w3.org/2000/svg'

/** A plot as the text of a file of its own. */
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

/** The colour of words. */
export const ink = '#24292f'

export const textStyle: { readonly fontFamily: string; readonly fontSize: string; readonly color: string } = { fontFamily: 'system-ui, sans-serif', fontSize: '12px', color: ink }

/** A text of at most so many characters, its middle left out where it is longer: the ends tell names apart. */
export function shortened(text: string, most: number): string {
  if (text.length <= most) return text
  const end = (most - 1) >> 1
  return `${text.slice(0, most - 1 - end)}…${text.slice(-end)}`
}

/** How wide the widest of some texts is, about, in pixels. */
export function widthOfText(texts: readonly string[]): number {
  return Math.ceil(7 * Math.max(...texts.map(text => text.length)))
}
