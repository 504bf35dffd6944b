/**
 * A curve over iterations. Noisy values, like a loss, have a logarithmic scale: the values are a faint line, their running
 * mean is a strong one. Values that follow a plan, like a rate, are one line on a linear scale. Of many values only as many
 * are drawn as can be told apart.
 */
import type { VNode } from 'preact'
import { brief, minus } from './numbers.ts'
import { useWidth } from './width.ts'

const height = 150, left = 46, bottom = 18

type Props = {
  readonly title: string
  readonly values: readonly number[]
  /** Whether values are noisy, and powers of ten are drawn at equal distances. */
  readonly log?: boolean
}

export function Chart({ title, values, log = false }: Props): VNode {
  const [figure, width] = useWidth<HTMLElement>()
  const shown = values.map(v => (log ? Math.log10(Math.max(v, 1e-12)) : v))
  const [low, high] = rangeOf(shown, log)
  const x = (i: number): number => left + ((width - left - 4) * i) / Math.max(values.length - 1, 1)
  const y = (v: number): number => 6 + (height - bottom - 6) * (1 - (v - low) / (high - low || 1))
  const ticks = ticksOf(low, high, log)
  const last = values.at(-1)
  return (
    <figure class="chart" ref={figure}>
      <figcaption>{title}<span>{last === undefined ? '' : log ? `${minus(Math.log10(last).toFixed(2))} (log₁₀)` : brief(last, 3)}</span></figcaption>
      <svg {...{ width, height }} role="img" aria-label={`${title} over ${values.length} iterations${last === undefined ? '' : `, now ${brief(last, 3)}`}`}>
        {ticks.map(tick => (
          <g key={tick}>
            <line x1={left} x2={width} y1={y(tick)} y2={y(tick)} class="grid" />
            <text x={left - 6} y={y(tick) + 4} text-anchor="end">{log ? `10${superscript(tick)}` : brief(tick)}</text>
          </g>
        ))}
        <text x={width - 4} y={height - 2} text-anchor="end">{values.length}</text>
        <text x={left} y={height - 2}>0</text>
        {shown.length > 1 && <>
          {log && <path d={pathOf(thinned(shown), x, y)} class="faint" />}
          <path d={pathOf(thinned(log ? smooth(shown) : shown), x, y)} class="strong" />
        </>}
      </svg>
    </figure>
  )
}

/** The smallest and the largest number of a scale; of logarithms both are whole. */
export function rangeOf(values: readonly number[], log: boolean): [number, number] {
  const finite = values.filter(v => Number.isFinite(v))
  if (finite.length === 0) return log ? [-3, 0] : [0, 1]
  const low = finite.reduce((a, b) => Math.min(a, b)), high = finite.reduce((a, b) => Math.max(a, b))
  return log ? [Math.floor(low), Math.max(Math.ceil(high), Math.floor(low) + 1)] : [0, high > 0 ? high : 1]
}

/** The values at which a scale from low to high has a grid line. */
export function ticksOf(low: number, high: number, log: boolean): number[] {
  if (!log) return [0, high / 2, high]
  return Array.from({ length: high - low + 1 }, (_, i) => low + i)
}

/** An exponent: ⁻³ */
export function superscript(n: number): string {
  const digits = '⁰¹²³⁴⁵⁶⁷⁸⁹'
  return (n < 0 ? '⁻' : '') + String(Math.abs(n)).split('').map(d => digits[Number(d)]).join('')
}

/** A running mean: each value and those before it, over a fortieth of the whole length. */
function smooth(values: readonly number[]): number[] {
  const n = Math.max(1, Math.floor(values.length / 40))
  let sum = 0
  return values.map((v, i) => {
    sum += v - (i >= n ? values[i - n] : 0)
    return sum / Math.min(i + 1, n)
  })
}

/** At most about 640 of the values, each with its index. */
function thinned(values: readonly number[]): [number, number][] {
  const every = Math.max(1, Math.ceil(values.length / 640))
  return values.flatMap((v, i): [number, number][] => (i % every === 0 || i === values.length - 1 ? [[i, v]] : []))
}

function pathOf(points: readonly [number, number][], x: (i: number) => number, y: (v: number) => number): string {
  return points.map(([i, v], n) => `${n === 0 ? 'M' : 'L'}${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join('')
}
