/**
 * Lines in one plot, as a stand-alone SVG file.
 */
export type Point = { readonly x: number; readonly y: number }

export type Series = { readonly name: string; readonly points: readonly Point[] }

export type LinesOptions = {
  readonly title: string
  readonly xLabel: string
  readonly yLabel: string
  readonly log?: boolean
  /** Vertical lines with a text. */
  readonly events?: readonly { readonly x: number; readonly text: string }[]
}

const colours = ['#0b3d91', '#d1495b', '#2e8b57', '#b8860b', '#6a4c93', '#444444']

export async function linesSvg(series: readonly Series[], options: LinesOptions): Promise<string> {
  const [Plot, { parseHTML }] = await Promise.all([import('@observablehq/plot'), import('linkedom')])
  const { document } = parseHTML('<html></html>')
  const { title, xLabel, yLabel, log = false, events = [] } = options
  const all = series.flatMap(({ name, points }) => points.map(p => ({ ...p, name })))
  const svg = Plot.plot({
    document, width: 760, height: 400, marginTop: 66, marginRight: 190, marginBottom: 44, marginLeft: 60,
    style: { fontFamily: 'system-ui, sans-serif', fontSize: '12px', color: '#24292f', background: 'white' },
    x: { label: xLabel, labelArrow: 'none', labelAnchor: 'center' },
    y: { label: null, grid: true, nice: !log, ...(log ? { type: 'log', ticks: 5, tickFormat: '~g' } : {}) },
    color: { domain: series.map(({ name }) => name), range: colours },
    marks: [
      Plot.ruleX(events, { x: 'x', stroke: '#999', strokeDasharray: '4 3' }),
      Plot.text(events, { x: 'x', text: 'text', frameAnchor: 'top', dy: -12, fill: '#666' }),
      Plot.line(all, { x: 'x', y: 'y', stroke: 'name', strokeWidth: 2 }),
      ...series.map(({ name }, i) => Plot.text([name], {
        text: [name], frameAnchor: 'top-right', textAnchor: 'start', dx: 10, dy: 18 * i, fill: colours[i], fontWeight: 'bold',
      })),
      Plot.text([`${yLabel}${log ? ', log scale' : ''}`], { frameAnchor: 'top-left', dx: -48, dy: -26 }),
      Plot.text([title], { frameAnchor: 'top-left', dx: -48, dy: -54, fontSize: 16, fontWeight: 'bold' }),
    ],
  })
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  return svg.outerHTML
}
