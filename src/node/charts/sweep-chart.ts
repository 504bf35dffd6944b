/**
 * A sweep in one picture: parallel coordinates (Inselberg, "The plane with parallel coordinates", 1985). Each field is an
 * upright axis from its least to its greatest value, each candidate a line across, dark where its result is good.
 */
import type { Judged } from '../../experiment/sweep/report.ts'
import { word } from '../../experiment/flat.ts'
import type { Json } from '../../experiment/flat.ts'
import { check } from '../../backends/options.ts'
import { paper, plotTools, svgFile } from './plot.ts'

/** The values of a field on an axis from 0 to 1: numbers at their place, else words in order. */
function axisOf(values: readonly (Json | undefined)[]): { at(x: Json | undefined): number; ticks: readonly (readonly [number, string])[] } {
  const numbers = values.filter((x): x is number => typeof x === 'number')
  if (numbers.length === values.length && new Set(numbers).size > 6) {
    const [low, high] = [Math.min(...numbers), Math.max(...numbers)]
    const log = low > 0 && high / low >= 10
    const place = (x: number): number => (log ? Math.log(x / low) / Math.log(high / low) : (x - low) / (high - low))
    return { at: x => place(x as number), ticks: [[0, short(low)], [1, short(high)]] }
  }
  const words = [...new Set(values.toSorted((a, b) => (typeof a === 'number' && typeof b === 'number' ? a - b : 0)).map(nameOf))]
  const place = (name: string): number => (words.length === 1 ? 0.5 : words.indexOf(name) / (words.length - 1))
  return { at: x => place(nameOf(x)), ticks: words.map(name => [place(name), name] as const) }
}

const nameOf = (x: Json | undefined): string => (x === undefined ? '–' : word(x).slice(0, 24))
const short = (x: number): string => String(Number(x.toPrecision(3)))

/**
 * Draws candidates of a sweep as the text of an SVG file: their fields, and the logarithm of their loss at the right.
 *
 * @throws where none has a result
 */
export async function parallelCoordinatesSvg(judged: readonly Judged[]): Promise<string> {
  const finished = judged.filter(({ mean }) => mean !== null && mean > 0)
  check(finished.length > 0, 'chart', 'the number of candidates with a result', finished.length, 'at least one')
  const paths = [...new Set(finished.flatMap(({ point }) => Object.keys(point)))]
  const columns = [
    ...paths.map(path => ({ name: path, ...axisOf(finished.map(({ point }) => point[path])), of: (j: Judged) => j.point[path] })),
    { name: 'loss', ...axisOf(finished.map(({ mean }) => mean!)), of: (j: Judged) => j.mean! as Json },
  ]
  const { Plot, document } = await plotTools()
  const lines = finished.flatMap((j, run) => columns.map(({ at, of }, axis) => ({ run, axis, at: at(of(j)) })))
  const worst = Math.max(1, finished.length - 1)
  return svgFile(Plot.plot({
    document, width: Math.max(400, 150 * columns.length), height: 360, marginLeft: 60, marginRight: 80, marginTop: 34, marginBottom: 20,
    style: { fontFamily: 'system-ui, sans-serif', fontSize: '12px', color: '#24292f' },
    x: { type: 'linear', axis: null, domain: [0, columns.length - 1] },
    y: { type: 'linear', axis: null, domain: [0, 1] },
    marks: [
      paper,
      Plot.ruleX(columns.map((_, axis) => axis), { strokeOpacity: 0.3 }),
      Plot.line(lines, { // the best on top
        x: 'axis', y: 'at', z: 'run', sort: { channel: '-z' } as never, strokeWidth: 1.8,
        stroke: (d: { run: number }) => shade(d.run / worst),
      }),
      Plot.text(columns, { x: (_: unknown, axis: number) => axis, y: 1, dy: -18, text: 'name', fontWeight: 'bold' }),
      Plot.text(columns.flatMap(({ ticks }, axis) => ticks.map(([at, text]) => ({ axis, at, text }))), {
        x: 'axis', y: 'at', text: 'text', dx: 5, textAnchor: 'start', stroke: 'white', fill: '#24292f',
      }),
    ],
  }))
}

/** From dark blue, for the best, to light grey. */
function shade(share: number): string {
  const mix = (a: number, b: number): number => Math.round(a + (b - a) * share)
  return `rgb(${mix(11, 215)},${mix(61, 220)},${mix(145, 228)})`
}

/** Draws each candidate's mean and its standard deviation over seeds, the best at the top, as the text of an SVG file. */
export async function meanAndStdSvg(judged: readonly Judged[], nameOfCandidate: (j: Judged) => string): Promise<string> {
  const rows = judged.filter(({ mean }) => mean !== null).slice(0, 40).map(j => ({
    name: nameOfCandidate(j), mean: j.mean!, low: Math.max(j.mean! / 10, j.mean! - j.std!), high: j.mean! + j.std!, values: j.values,
  }))
  check(rows.length > 0, 'chart', 'the number of candidates with a result', rows.length, 'at least one')
  const { Plot, document } = await plotTools()
  return svgFile(Plot.plot({
    document, width: 720, height: 60 + 22 * rows.length, marginLeft: 300, marginRight: 24,
    style: { fontFamily: 'system-ui, sans-serif', fontSize: '12px', color: '#24292f' },
    x: { type: 'log', label: 'loss, mean ± standard deviation over seeds', labelArrow: 'none' },
    y: { label: null, domain: rows.map(({ name }) => name) },
    marks: [
      paper,
      Plot.gridX({ strokeOpacity: 0.15 }),
      Plot.ruleY(rows, { y: 'name', x1: 'low', x2: 'high', stroke: '#0072b2', strokeWidth: 2 }),
      Plot.dot(rows.flatMap(({ name, values }) => values.map(value => ({ name, value }))), { y: 'name', x: 'value', r: 2, fill: '#6ea8fe' }),
      Plot.dot(rows, { y: 'name', x: 'mean', r: 4, fill: '#0b3d91' }),
    ],
  }))
}
