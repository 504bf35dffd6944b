/**
 * The values that go from row to row, as arcs beside the rows: the further a value goes, the wider its arc. During the backward
 * pass the arcs through which cotangents flow in this step are highlighted.
 */
import type { VNode } from 'preact'
import type { TraceRow } from 'cellgrad'
import type { DrawnStep } from './drawn.ts'

/** The height of a row, and below it the width of the margin for the arcs, in pixels. */
export const rowHeight = 48
const wide = 72

const y = (row: number): number => (row + 0.5) * rowHeight
const x = wide - 10

function arc(from: number, to: number): string {
  const bulge = to - from === 1 ? 0 : Math.min(12 + 9 * Math.sqrt(to - from - 1), x - 4) * 4 / 3 // a curve reaches 3/4 of the way to its handles
  return `M${x} ${y(from)}C${x - bulge} ${y(from)} ${x - bulge} ${y(to)} ${x} ${y(to)}`
}

export function Arcs({ rows, now, passed }: { rows: readonly TraceRow[]; now: DrawnStep | null; passed: ReadonlyMap<number, DrawnStep> }): VNode {
  const edges = rows.flatMap(({ number, inputs, used }) => inputs.flatMap((from, i) => (from === null ? [] : [{ from, to: number, i, used }])))
  const flows = (to: number, i: number): boolean => now?.row === to && now.gives[i] !== null
  return (
    <svg class="arcs" width={wide} height={rows.length * rowHeight} aria-hidden="true">
      {edges.map(({ from, to, i, used }) => (
        <path key={`${from} ${to} ${i}`} d={arc(from, to)} class={flows(to, i) ? 'flows' : used ? '' : 'unused'} />
      ))}
      {rows.map(({ number, used }) => (
        <circle key={number} cx={x} cy={y(number)} r={5} class={now?.row === number ? 'now' : passed.has(number) ? 'passed' : used ? '' : 'unused'} />
      ))}
    </svg>
  )
}
