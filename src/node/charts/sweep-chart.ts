/**
 * Charts of a sweep. Parallel coordinates (Inselberg, "The plane with parallel coordinates", 1985): each field is a
 * vertical axis from its lowest to its highest value, each candidate a line across, the darker the better its result. Means and
 * standard deviations, with a row for each candidate. And how much of the results' variance each field explains.
 */
import type { Markish } from '@observablehq/plot'
import { onLogScale, type Judged } from '../../experiment/sweep/report.ts'
import { digits, shortPaths, word, type Json } from '../../experiment/flat.ts'
import { check } from '../../backends/options.ts'
import { logAxis, shortNumber } from './axis.ts'
import { ink, paper, plotTools, shortened, svgFile, textStyle, widthOfText } from './plot.ts'

type Axis = { at(x: Json | undefined): number; readonly ticks: readonly (readonly [number, string])[] }

/** An axis from 0 to 1 for the values of a field: numeric, on a logarithmic scale if they are far apart; else words in order. */
function axisOf(values: readonly (Json | undefined)[]): Axis {
  const numbers = values.filter((x): x is number => typeof x === 'number')
  if (numbers.length === values.length && new Set(numbers).size > 6) {
    const [low, high] = [Math.min(...numbers), Math.max(...numbers)]
    return numberAxis(low, high, low > 0 && high / low >= 10)
  }
  const order = new Intl.Collator('en', { numeric: true })
  const rank = (x: Json | undefined): number => (x === undefined ? 1 : 0)
  const words = [...new Set(values.toSorted((a, b) => (
    rank(a) - rank(b) || (typeof a === 'number' && typeof b === 'number' ? a - b : order.compare(nameOf(a), nameOf(b)))
  )).map(nameOf))]
  const place = (name: string): number => (words.length === 1 ? 0.5 : words.indexOf(name) / (words.length - 1))
  return { at: x => place(nameOf(x)), ticks: words.map(name => [place(name), shortened(name, 22)] as const) }
}

function numberAxis(low: number, high: number, isLog: boolean): Axis {
  const place = (x: number): number => (low === high ? 0.5 : isLog ? Math.log(x / low) / Math.log(high / low) : (x - low) / (high - low))
  const between = (isLog ? powersBetween(low, high) : [(low + high) / 2]).filter(x => place(x) > 0.06 && place(x) < 0.94)
  return { at: x => place(x as number), ticks: [...new Set([low, ...between, high])].map(x => [place(x), short(x)] as const) }
}

/** The axis for results, logarithmic. */
function lossAxis(results: readonly number[]): Axis {
  const on = onLogScale(results)
  const [low, high] = [on(Math.min(...results)), on(Math.max(...results))]
  const { at, ticks } = numberAxis(low, high, true)
  const [, ...others] = ticks
  return { at: x => at(on(x as number)), ticks: Math.min(...results) > 0 ? ticks : [[at(low), '0'], ...others] }
}

/** The powers of ten between two numbers. */
function powersBetween(low: number, high: number): number[] {
  const [first, last] = [Math.ceil(Math.log10(low)), Math.floor(Math.log10(high))]
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => 10 ** (first + i))
}

function nameOf(x: Json | undefined): string {
  if (Array.isArray(x)) return x.map(nameOf).join(x.every(one => typeof one === 'number') ? ',' : ' ')
  return x === undefined ? 'none' : word(digits(x, 4))
}

const short = (x: number): string => String(Number(x.toPrecision(3)))

/**
 * Draws the candidates of a sweep as the text of an SVG file: axes for their fields, and on the right one for their result.
 *
 * @param measure the name of the measure by which they are judged
 * @throws if none has a result
 */
export async function parallelCoordinatesSvg(judged: readonly Judged[], measure: string = 'loss'): Promise<string> {
  const finished = judged.filter(({ mean }) => mean !== null)
  check(finished.length > 0, 'chart', 'the number of candidates with a result', finished.length, 'at least one')
  const names = shortPaths([...new Set(finished.flatMap(({ point }) => Object.keys(point)))])
  const columns = [
    ...[...names].map(([path, name]) => ({ name: shortened(name, 20), ...axisOf(finished.map(({ point }) => point[path])), of: (j: Judged) => j.point[path] })),
    { name: shortened(measure, 20), ...lossAxis(finished.map(({ mean }) => mean!)), of: (j: Judged) => j.mean! as Json },
  ]
  const { Plot, document } = await plotTools()
  const lines = finished.flatMap((j, run) => columns.map(({ at, of }, axis) => ({ run, axis, at: at(of(j)) })))
  const worst = Math.max(1, finished.length - 1)
  return svgFile(Plot.plot({
    document, width: Math.max(360, 150 * columns.length), height: 380, marginLeft: 70, marginRight: 90, marginTop: 40, marginBottom: 40,
    style: textStyle,
    x: { type: 'linear', axis: null, domain: [0, columns.length - 1] },
    y: { type: 'linear', axis: null, domain: [0, 1] },
    marks: [
      paper,
      Plot.ruleX(columns.map((_, axis) => axis), { stroke: '#8c959f' }),
      Plot.line(lines, { // the best on top
        x: 'axis', y: 'at', z: 'run', sort: { channel: '-z' } as never, strokeWidth: 2, strokeLinejoin: 'round',
        stroke: (d: { run: number }) => shade(d.run / worst),
      }),
      Plot.text(columns, { x: (_: unknown, axis: number) => axis, y: 1, dy: -20, text: 'name', fontWeight: 'bold' }),
      Plot.text(columns.flatMap(({ ticks }, axis) => ticks.map(([at, text]) => ({ axis, at, text }))), {
        x: 'axis', y: 'at', text: 'text', dx: 6, textAnchor: 'start', stroke: 'white', strokeWidth: 5, fill: ink,
      }),
      Plot.text([`A line is a candidate: the darker, the lower its ${measure}.`], { frameAnchor: 'bottom-left', dx: -50, dy: 28 }),
    ],
  }))
}

/** From dark blue, for the best, to a pale one. */
function shade(share: number): string {
  const mix = (a: number, b: number): number => Math.round(a + (b - a) * share)
  return `rgb(${mix(11, 186)},${mix(61, 208)},${mix(145, 240)})`
}

/** A text below an axis that begins at the left edge of the picture, where a long one has room. */
function belowAxis(Plot: Awaited<ReturnType<typeof plotTools>>['Plot']): (words: string, marginLeft: number) => Markish {
  return (words, marginLeft) => Plot.text([words], { frameAnchor: 'bottom-left', textAnchor: 'start', dx: 12 - marginLeft, dy: 38 })
}

const mostRows = 40

/**
 * Draws each candidate's mean and its standard deviation over seeds, the best at the top, as the text of an SVG file.
 *
 * @param measure the name of the measure by which they are judged
 * @throws if none has a result
 */
export async function meanAndStdSvg(judged: readonly Judged[], measure: string = 'loss'): Promise<string> {
  const finished = judged.filter(({ mean }) => mean !== null)
  check(finished.length > 0, 'chart', 'the number of candidates with a result', finished.length, 'at least one')
  const names = shortPaths([...new Set(finished.flatMap(({ point }) => Object.keys(point)))])
  const at = onLogScale(finished.flatMap(({ values }) => values.map(value => value!)))
  const longest = new Set(finished.map(({ iterations }) => iterations)).size > 1
  const rows = finished.slice(0, mostRows).map(({ point, mean, std, values, iterations }, place) => {
    const fields = Object.entries(point).map(([path, value]) => `${names.get(path)} ${shortened(nameOf(value), 22)}`).join(', ')
    return {
      place, values: values.map(value => at(value!)), mean: at(mean!), low: mean! > 0 ? Math.max(mean! / 10, mean! - std!) : at(mean!), high: at(mean! + std!),
      name: longest ? `${iterations} iterations: ${fields}` : fields,
    }
  })
  const labels = rows.map(({ name }) => shortened(name, 80))
  const marginLeft = 30 + widthOfText(labels)
  const { domain, ticks } = logAxis(rows.flatMap(({ low, high, values }) => [low, high, ...values]))
  const hasZero = finished.some(({ values }) => values.some(value => value! <= 0))
  const spread = rows[0].values.length > 1 ? ': mean ± standard deviation over runs' : ''
  const { Plot, document } = await plotTools()
  const below = belowAxis(Plot)
  return svgFile(Plot.plot({
    document, width: Math.max(600, marginLeft + 400), height: 70 + 22 * rows.length, marginLeft, marginRight: 24, marginTop: 14, marginBottom: 44, style: textStyle,
    x: { type: 'log', domain },
    y: { type: 'band', domain: rows.map(({ place }) => place) },
    marks: [
      paper,
      Plot.gridX({ ticks, strokeOpacity: 0.15 }),
      Plot.axisX(ticks, { text: shortNumber, label: null }),
      below(`${measure}${spread}, log scale${hasZero ? '; 0 at the left' : ''}`, marginLeft),
      Plot.axisY({ label: null, tickSize: 0, tickFormat: (place: number) => labels[place] }),
      Plot.ruleY(rows, { y: 'place', x1: 'low', x2: 'high', stroke: '#0072b2', strokeWidth: 2 }),
      Plot.dot(rows.flatMap(({ place, values }) => values.map(value => ({ place, value }))), { y: 'place', x: 'value', r: 2.5, fill: '#6ea8fe' }),
      Plot.dot(rows, { y: 'place', x: 'mean', r: 4, fill: '#0b3d91', title: 'name' }),
    ],
  }))
}

/**
 * Draws how much of the variance of a sweep's results each field explains, the most at the top, as the text of an SVG file.
 *
 * @param importance shares from 0 to 1 by field, as `importanceOf` returns them
 * @param measure the name of the measure by which candidates are judged
 * @throws if there is no field
 */
export async function importanceSvg(importance: Readonly<Record<string, number>>, measure: string = 'loss'): Promise<string> {
  const shares = Object.entries(importance).map(([path, share]) => ({ path, share }))
  check(shares.length > 0, 'chart', 'the number of fields', shares.length, 'at least one')
  const labels = shares.map(({ path }) => shortened(path, 30))
  const marginLeft = 30 + widthOfText(labels)
  const { Plot, document } = await plotTools()
  const below = belowAxis(Plot)
  return svgFile(Plot.plot({
    document, width: Math.max(640, marginLeft + 400), height: 66 + 26 * shares.length, marginLeft,
    marginRight: 60, marginTop: 14, marginBottom: 46, style: textStyle,
    x: { domain: [0, 1] },
    y: { type: 'band', domain: shares.map(({ path }) => path), padding: 0.3 },
    marks: [
      paper,
      Plot.gridX({ ticks: 5, strokeOpacity: 0.15 }),
      Plot.axisX({ ticks: 5, tickFormat: (x: number) => `${Math.round(100 * x)} %`, label: null }),
      below(`share of the variance of log (${measure}) that the field explains by itself`, marginLeft),
      Plot.axisY({ label: null, tickSize: 0, tickFormat: (_: string, i: number) => labels[i] }),
      Plot.barX(shares, { y: 'path', x: 'share', fill: '#0072b2' }),
      Plot.text(shares, { y: 'path', x: 'share', text: ({ share }: { share: number }) => `${Math.round(100 * share)} %`, dx: 6, textAnchor: 'start' }),
    ],
  }))
}
