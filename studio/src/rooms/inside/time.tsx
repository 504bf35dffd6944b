/**
 * The curve above the time line: how much of the last state's error reaches the state of each step.
 *
 * It is log₁₀ ‖∂L/∂s_t‖ over t. Where it is level, the gradient is passed on unchanged; where it falls towards the left, the
 * gradient vanishes on its way back; where it rises, it explodes. Values that are not finite leave a gap.
 */
import type { VNode } from 'preact'
import { rangeOf } from '../../ui/chart.tsx'
import { minus } from '../../ui/numbers.ts'
import type { Start } from './line.ts'

/** Norms for t = 0 … steps, by where the rollout began. */
export type Norms = Partial<Record<Start, Float32Array>>

const wide = 640, tall = 96, margin = 4

export function NormCurve({ norms, steps, t, start, names }: {
  norms: Norms
  steps: number
  t: number
  start: Start
  /** The names of the starts. */
  names: Readonly<Record<Start, string>>
}): VNode {
  const logs = Object.entries(norms).map(([name, values]) => [name as Start, Array.from(values, v => Math.log10(Math.max(v, 1e-30)))] as const)
  const [low, high] = rangeOf(logs.flatMap(([, values]) => values), true)
  const x = (i: number): number => (i / Math.max(steps, 1)) * wide
  const y = (v: number): number => margin + (1 - (v - low) / (high - low)) * (tall - 2 * margin)
  return (
    <figure class="norms">
      <figcaption>
        <b>‖∂L/∂s<sub>t</sub>‖</b>
        {logs.map(([name]) => <span key={name} class={name === start ? 'key now' : 'key'}>{names[name]}</span>)}
      </figcaption>
      <div class="plot">
        <span>10<sup>{minus(high)}</sup></span><span>10<sup>{minus(low)}</sup></span>
        <svg viewBox={`0 0 ${wide} ${tall}`} preserveAspectRatio="none" role="img" aria-label="The norm of the gradient by the state of each step">
          {Array.from({ length: high - low + 1 }, (_, i) => <line key={i} class="grid" x1={0} x2={wide} y1={y(low + i)} y2={y(low + i)} />)}
          {logs.map(([name, values]) => (
            <polyline key={name} class={name === start ? 'curve now' : 'curve'} points={values.flatMap((v, i) => (Number.isFinite(v) ? [`${x(i)},${y(v)}`] : [])).join(' ')} />
          ))}
          <line class="cursor" x1={x(t)} x2={x(t)} y1={0} y2={tall} />
        </svg>
      </div>
    </figure>
  )
}
