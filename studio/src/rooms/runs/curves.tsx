/**
 * The loss of several runs over their iterations, in one picture, on a logarithmic scale.
 */
import type { VNode } from 'preact'
import type { ServedRun } from 'cellgrad/experiment'
import { rangeOf, superscript, ticksOf } from '../../ui/chart.tsx'
import { useWidth } from '../../ui/width.ts'

const height = 260, left = 46, bottom = 20, top = 6

export function Curves({ runs, colourOf }: { runs: readonly ServedRun[]; colourOf: (run: ServedRun) => string }): VNode {
  const [figure, width] = useWidth<HTMLElement>()
  const drawn = runs.filter(({ curve }) => curve.losses.length > 0)
  const logs = drawn.map(({ curve }) => curve.losses.map(loss => Math.log10(Math.max(loss, 1e-12))))
  const [low, high] = rangeOf(logs.flat(), true)
  const longest = Math.max(1, ...drawn.map(({ curve }) => curve.iterations.at(-1)!))
  const x = (iteration: number): number => left + ((width - left - 4) * iteration) / longest
  const y = (log: number): number => top + (height - bottom - top) * (1 - (log - low) / (high - low))
  const pathOf = (run: ServedRun, i: number): string => run.curve.iterations
    .map((iteration, k) => `${k === 0 ? 'M' : 'L'}${x(iteration).toFixed(1)} ${y(logs[i][k]).toFixed(1)}`).join('')
  return (
    <figure class="chart curves" ref={figure}>
      <figcaption>Loss<span>over iterations</span></figcaption>
      <svg {...{ width, height }} role="img" aria-label={`The loss of ${drawn.map(({ name }) => name).join(', ') || 'no run'}`}>
        {ticksOf(low, high, true).map(tick => (
          <g key={tick}>
            <line x1={left} x2={width} y1={y(tick)} y2={y(tick)} class="grid" />
            <text x={left - 6} y={y(tick) + 4} text-anchor="end">10{superscript(tick)}</text>
          </g>
        ))}
        <text x={left} y={height - 3}>0</text>
        <text x={width - 4} y={height - 3} text-anchor="end">{longest}</text>
        {drawn.map((run, i) => <path key={run.name} d={pathOf(run, i)} style={{ stroke: colourOf(run) }} />)}
      </svg>
    </figure>
  )
}
