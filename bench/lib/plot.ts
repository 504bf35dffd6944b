/**
 * Plots as stand-alone SVG files.
 */
import type * as Plots from '@observablehq/plot'

export type Panel = {
  readonly xLabel: string
  readonly yLabel: string
  readonly points: readonly { readonly x: number; readonly y: number }[]
}

const blue = '#0b3d91'
const style = { fontFamily: 'system-ui, sans-serif', fontSize: '12px', color: '#24292f', background: 'white' }
const svgNamespace = 'http://www.w3.org/2000/svg'

/** The plotting library and the document that it draws into. */
async function load(): Promise<{ Plot: typeof Plots; document: Document }> {
  const [Plot, { parseHTML }] = await Promise.all([import('@observablehq/plot'), import('linkedom')])
  return { Plot, document: parseHTML('<html></html>').document }
}

/** Lines on logarithmic axes, two panels in a row. */
export async function panelsSvg(panels: readonly Panel[]): Promise<string> {
  const { Plot, document } = await load()
  const [width, height] = [400, 280]
  const drawn = panels.map(({ xLabel, yLabel, points }, i) => {
    const ticks = logTicks(points.map(p => p.y))
    const options: Plots.PlotOptions = {
      document, width, height, style, marginLeft: 56, marginRight: 28, marginTop: 36, marginBottom: 44,
      x: { type: 'log', base: 2, label: xLabel, labelArrow: 'none', ticks: points.map(p => p.x), tickFormat: String },
      y: { type: 'log', domain: [ticks[0], ticks.at(-1)!] },
      marks: [
        Plot.gridY({ ticks }),
        Plot.axisY(ticks, { label: yLabel, labelArrow: 'none', text: String }), // as `ticks`, a log scale drops some
        Plot.line(points, { x: 'x', y: 'y', stroke: blue, strokeWidth: 2 }),
        Plot.dot(points, { x: 'x', y: 'y', fill: blue }),
      ],
    }
    const svg = Plot.plot(options)
    svg.setAttribute('x', String((i % 2) * width))
    svg.setAttribute('y', String(Math.floor(i / 2) * height))
    return svg.outerHTML
  })
  const [w, h] = [2 * width, Math.ceil(panels.length / 2) * height]
  return `<svg xmlns="${svgNamespace}" width="${w}" height="${h}" viewBox="0 0 ${w} ${h}">${drawn.join('')}</svg>`
}

/** The numbers 1, 2 and 5 × 10ⁿ from the last below all values to the first above them. */
function logTicks(values: readonly number[]): number[] {
  const ladder = Array.from({ length: 60 }, (_, i) => Number(`${[1, 2, 5][i % 3]}e${Math.floor(i / 3) - 9}`))
  const first = ladder.findLastIndex(tick => tick < Math.min(...values))
  const last = ladder.findIndex(tick => tick > Math.max(...values))
  return ladder.slice(first, last + 1)
}

/** One horizontal bar for each name, with its value. */
export async function barsSvg(
  bars: readonly { readonly name: string; readonly value: number }[], label: string,
): Promise<string> {
  const { Plot, document } = await load()
  const shown = bars.filter(({ value }) => Number.isFinite(value))
  const svg = Plot.plot({
    document, width: 720, height: 70 + 32 * shown.length, style, marginLeft: 230, marginRight: 60, marginBottom: 44,
    x: { label, labelArrow: 'none', grid: true },
    y: { label: null, domain: shown.map(({ name }) => name) },
    marks: [
      Plot.barX(shown, { x: 'value', y: 'name', fill: blue }),
      Plot.text(shown, {
        x: 'value', y: 'name', text: ({ value }: { value: number }) => String(Number(value.toPrecision(2))),
        textAnchor: 'start', dx: 4,
      }),
      Plot.ruleX([0]),
    ],
  })
  svg.setAttribute('xmlns', svgNamespace)
  return svg.outerHTML
}
