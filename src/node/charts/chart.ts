/**
 * The loss curve as an SVG file: log10 of the loss over the iterations.
 *
 * The loss of an automaton jumps by a factor of two or more with every draw of rollout length and pool samples. So the
 * points are drawn faintly, under a running median, which spikes do not pull up as they pull up a mean.
 */

import type * as Library from '@observablehq/plot'
import type { Markish } from '@observablehq/plot'
import { checkOptions, keysOf, numberFrom, required, text, type Kind } from '../../backends/options.ts'
import { logAxis, shortNumber } from './axis.ts'
import { ink, paper, plotTools, shortened, svgFile, svgNamespace, textStyle, widthOfText } from './plot.ts'

/** The curve that `lossCurveSvg` draws: `losses[i]` belongs to `iterations[i]`. */
export interface LossCurve {
  /** The numbers of the iterations, in ascending order. */
  readonly iterations: ArrayLike<number>
  /** Losses that are not positive and finite are left out: a logarithmic axis cannot show them. */
  readonly losses: ArrayLike<number>
  /** The title above it; default none. */
  readonly title?: string
  /** Pixels from left to right, from 100 to 10,000; default 720. */
  readonly width?: number
  /** Pixels from top to bottom, from 100 to 10,000; default 400. */
  readonly height?: number
}

const numbers: Kind = { fits: x => Array.isArray(x) || ArrayBuffer.isView(x), expected: 'a list of numbers' }
const curveOptions = keysOf<LossCurve>({
  iterations: required(numbers), losses: required(numbers), title: text,
  width: numberFrom(100, 10_000), height: numberFrom(100, 10_000),
})

/** Curves of several runs in one picture. */
export interface LearningCurves extends Pick<LossCurve, 'title' | 'width' | 'height'> {
  /** The curves, each with a name for the legend. */
  readonly curves: readonly (Pick<LossCurve, 'iterations' | 'losses'> & { readonly name: string })[]
}

const mostCurves = 20
const curvesOptions = keysOf<LearningCurves>({
  title: text, width: numberFrom(100, 10_000), height: numberFrom(100, 10_000),
  curves: required({
    fits: x => Array.isArray(x) && x.length > 0 && x.length <= mostCurves, expected: `a list of 1 to ${mostCurves} curves`,
  }),
})

/** Colours that colour-blind readers can tell apart (Okabe & Ito 2008), without yellow. */
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', ink]

/** The line style when the colours are used for the first, second and third time. */
const dashes = [{ line: 'none', sign: '—' }, { line: '6,3', sign: '- -' }, { line: '2,3', sign: '···' }]

const defaultWidth = 720
const legendLine = 17
const legendLeft = 44

interface Point {
  readonly iteration: number
  readonly loss: number
}

/**
 * Draws a loss curve as the text of a stand-alone SVG file, on white.
 *
 * @throws if the lengths differ, no loss is positive and finite, or a side is out of range
 * @example await writeFileAtomic('loss.svg', await lossCurveSvg({ iterations, losses, title: 'lizard' }))
 */
export async function lossCurveSvg(curve: LossCurve): Promise<string> {
  checkOptions('chart', curve, curveOptions)
  const points = positivePoints(curve)
  return plotted(curve, points, Plot => [
    dots(points),
    Plot.lineY(runningMedian(points), { x: 'iteration', y: 'loss', stroke: '#0b3d91', strokeWidth: 2.5 }),
  ])
}

/**
 * Draws the loss curves of several runs, their running medians, each with its name, as the text of an SVG file.
 *
 * @throws as `lossCurveSvg`; also if there is no curve, or more than 20
 * @example await learningCurvesSvg({ curves: [{ name: 'rate 1e-3', iterations, losses }, …], title: 'rates' })
 */
export async function learningCurvesSvg(given: LearningCurves): Promise<string> {
  checkOptions('chart', given, curvesOptions)
  const room = (given.width ?? defaultWidth) - 20
  const half = Math.min(40, Math.floor((room / 2 - 40) / 7)) // letters of a name, so that two names fit side by side
  const curves = given.curves.map(({ name, ...curve }) => {
    checkOptions(`chart: ${name}`, curve, curveOptions)
    return { name: shortened(name, half), points: positivePoints(curve) }
  })
  const columnWidth = 40 + widthOfText(curves.map(({ name }) => name))
  const columns = Math.max(1, Math.floor(room / columnWidth))
  const rows = Math.ceil(curves.length / columns)
  return plotted(given, curves.flatMap(({ points }) => points), Plot => curves.flatMap(({ name, points }, i) => {
    const [stroke, dash] = [colours[i % colours.length], dashes[Math.floor(i / colours.length)]]
    const at = { frameAnchor: 'top-left', textAnchor: 'start', dx: columnWidth * (i % columns) - legendLeft, dy: legendLine * (Math.floor(i / columns) - rows) - 28 } as const
    return [
      Plot.lineY(runningMedian(points), { x: 'iteration', y: 'loss', stroke, strokeWidth: 2, strokeDasharray: dash.line }),
      Plot.text([dash.sign], { ...at, fill: stroke, fontWeight: 'bold' }),
      Plot.text([name], { ...at, dx: at.dx + 22 }),
    ]
  }), legendLine * rows + 4)
}

/** A plot with a logarithmic axis for the losses of all these points, and the marks of `draw`, with room for a legend above. */
async function plotted(
  { title = '', width = defaultWidth, height = 400 }: Pick<LossCurve, 'title' | 'width' | 'height'>, points: readonly Point[],
  draw: (plot: typeof Library) => readonly Markish[], legend: number = 0,
): Promise<string> {
  const { Plot, document } = await plotTools()
  const iterations = points.map(({ iteration }) => iteration).reduce(([a, b], x) => [Math.min(a, x), Math.max(b, x)], [Infinity, -Infinity])
  const { domain, ticks } = logAxis(points.map(({ loss }) => loss))
  return svgFile(Plot.plot({
    document,
    width,
    height,
    marginTop: legend + (title === '' ? 34 : 62),
    marginRight: 24,
    marginBottom: 44,
    marginLeft: 56,
    style: textStyle,
    x: { domain: iterations },
    y: { type: 'log', domain },
    marks: [
      paper,
      Plot.gridY({ ticks, strokeOpacity: 0.15 }),
      Plot.axisX({ label: 'iteration', labelArrow: 'none', ticks: 6, tickFormat: wholeNumber }),
      Plot.axisY(ticks, { label: null, text: shortNumber }), // as `tickFormat`, a log scale would drop some of them
      ...draw(Plot),
      Plot.text(['loss, log scale'], { frameAnchor: 'top-left', dx: -44, dy: -22 }),
      Plot.text([title], { frameAnchor: 'top-left', dx: -44, dy: -50 - legend, fontSize: 16, fontWeight: 'bold' }),
    ],
  }))
}

function positivePoints({ iterations, losses }: LossCurve): Point[] {
  if (iterations.length !== losses.length) {
    throw new Error(`chart: got ${iterations.length} iterations but ${losses.length} losses`)
  }
  const points = Array.from(losses, (loss, i) => ({ iteration: iterations[i]!, loss }))
  const positive = points.filter(({ loss }) => loss > 0 && Number.isFinite(loss))
  if (positive.length === 0) throw new Error(`chart: none of the ${losses.length} losses is positive and finite`)
  return positive
}

/** The median over a twenty-fifth of the run around a point, less at both ends; for about 1000 of the points. */
function runningMedian(points: readonly Point[]): Point[] {
  const reach = Math.round(points.length / 50)
  const every = Math.ceil(points.length / 1000)
  const losses = Float64Array.from(points, point => point.loss)
  const medianAt = (i: number): number => {
    const window = losses.slice(Math.max(0, i - reach), i + reach + 1).sort()
    const middle = window.length >> 1
    return window.length % 2 === 1 ? window[middle]! : (window[middle - 1]! + window[middle]!) / 2
  }
  return points.flatMap(({ iteration }, i) =>
    i % every === 0 || i === points.length - 1 ? [{ iteration, loss: medianAt(i) }] : [])
}

function wholeNumber(x: number): string {
  return Number.isInteger(x) ? x.toLocaleString('en-US') : ''
}

/** All points as one path of zero-length strokes with round caps: a sixth of the size of that many circles. */
function dots(points: readonly Point[]): Markish {
  return (_index, { x, y }, _values, _dimensions, { document }) => {
    const path = document.createElementNS(svgNamespace, 'path')
    path.setAttribute('d', points.map(p => `M${x!(p.iteration).toFixed(1)},${y!(p.loss).toFixed(1)}h0`).join(''))
    path.setAttribute('fill', 'none')
    path.setAttribute('stroke', '#6ea8fe')
    path.setAttribute('stroke-opacity', '0.4')
    path.setAttribute('stroke-width', '3')
    path.setAttribute('stroke-linecap', 'round')
    return path
  }
}
