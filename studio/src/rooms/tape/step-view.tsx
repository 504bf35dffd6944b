/**
 * A step of the backward pass: the cotangent of a row, and the cotangents that its rules give to the rows before it.
 */
import type { VNode } from 'preact'
import type { TraceRow } from 'cellgrad'
import { digits } from '../inside/terms.ts'
import { Sheet } from '../inside/maps.tsx'
import type { DrawnStep, Numbers } from './drawn.ts'

function Cotangent({ name, numbers }: { name: string; numbers: Numbers }): VNode {
  const { shape, norm, first, size, maps } = numbers
  return (
    <div class="cotangent-of">
      <p><b>{name}</b> <span class="faint">[{shape.join(', ')}]{size > 1 && `, norm ${digits(norm)}`}{maps && `, red +${digits(maps.ranges[0])}, blue −${digits(maps.ranges[0])}`}</span></p>
      {maps ? <Sheet maps={maps} /> : <p class="numbers">{first.map(digits).join(', ')}{size > first.length && ', …'}</p>}
    </div>
  )
}

export function StepView({ step, row, rows, grads }: {
  step: DrawnStep | null
  /** The row of this step. */
  row: TraceRow | null
  rows: readonly TraceRow[]
  /** The gradients, after the last step; before it none. */
  grads: readonly Numbers[]
}): VNode {
  if (!step || !row) {
    return <p class="hint">Each row reads from those that its arcs lead to. The way back begins at the outputs with ∂L/∂L = 1, where L is the sum of all that the function returns.</p>
  }
  return (
    <div class="step">
      <div class="given">{step.cotangents.map((g, i) => g && <Cotangent key={i} name={`∂#${step.row} is given to ${row.operator}`} numbers={g} />)}</div>
      <div class="gives">
        {row.inputs.map((from, i) => {
          const g = step.gives[i]
          return from !== null && g && <Cotangent key={i} name={`to ∂#${from}`} numbers={g} />
        })}
      </div>
      {grads.length > 0 && (
        <div class="gives">
          {grads.map((g, i) => <Cotangent key={i} name={`∂L/∂${rows[i].path || 'argument'}`} numbers={g} />)}
        </div>
      )}
    </div>
  )
}
