/**
 * A tape, drawn in the order in which it was recorded, with a row for each operator and an arc for each value that goes from
 * one to another; and its backward pass, step by step: each row passes cotangents to the rows that it read from, and
 * releases what it has kept.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { VNode } from 'preact'
import type { KeptValue, TraceRow } from 'cellgrad'
import { Figure } from '../../ui/fields.tsx'
import { digits } from '../inside/terms.ts'
import { Arcs, rowHeight } from './arcs.tsx'
import type { Drawn, DrawnStep } from './drawn.ts'
import { StepView } from './step-view.tsx'

const shapeInWords = (shape: readonly number[]): string => `[${shape.join(', ')}]`

/** A size in B, KB or MB. */
function sizeInWords(bytes: number): string {
  const [n, unit] = bytes < 1000 ? [bytes, 'B'] : bytes < 1e6 ? [bytes / 1e3, 'KB'] : [bytes / 1e6, 'MB']
  return `${n < 10 && unit !== 'B' ? n.toFixed(1) : Math.round(n)} ${unit}`
}

function keptInWords({ of, for: readers, shape }: KeptValue): string {
  const what = of !== null ? `#${of}` : shape ? `a constant ${shapeInWords(shape)}` : 'a history'
  return readers.length > 0 ? `${what} for ${readers.map(row => `∂#${row}`).join(', ')}` : what
}

const nameOf = ({ operator, path }: TraceRow): string => (path === null ? operator : path || 'argument')

function Row({ row, step, now, passed }: { row: TraceRow; step: DrawnStep | undefined; now: boolean; passed: boolean }): VNode {
  const keeps = row.keeps.length > 0 ? `keeps ${[...new Set(row.keeps.map(keptInWords))].join('; ')}` : ''
  const told = !row.used ? 'no output depends on it' : row.operator === 'checkpoint' ? `forgets what is inside; ${keeps}` : keeps
  const kinds = ['tape-row', row.path !== null && 'input', !row.used && 'unused', now && 'now', passed && 'passed', row.operator === 'checkpoint' && 'checkpoint']
  return (
    <li class={kinds.filter(Boolean).join(' ')} style={{ height: `${rowHeight}px` }} aria-current={now ? 'step' : undefined}>
      <span class="number">{row.number}</span>
      <span class="operator"><b>{nameOf(row)}</b> {row.outputs.map(({ shape }) => shapeInWords(shape)).join(' ')}</span>
      {told && <span class="keeps" title={told}>{told}</span>}
      <span class="bytes">{row.bytes > 0 && sizeInWords(row.bytes)}</span>
      <span class="cotangent">{step?.cotangents.map(g => g && `‖∂‖ ${digits(g.norm)}`).filter(Boolean).join(' ')}</span>
    </li>
  )
}

export function TapeView({ drawn }: { drawn: Drawn }): VNode {
  const [at, setAt] = useState(0)
  const list = useRef<HTMLDivElement>(null)
  const { trace, steps, grads, rows } = drawn
  const now = at > 0 ? steps[at - 1] : null
  const passed = new Map(steps.slice(0, at).map(step => [step.row, step]))
  const frontier = at === 0 ? Infinity : now!.row
  const held = trace.rows.filter(({ number, used }) => used && number <= frontier).reduce((sum, { bytes }) => sum + bytes, 0)
  useEffect(() => { // a long tape scrolls along with the backward pass
    const { current: box } = list
    if (now && box) box.scrollTop = (now.row + 0.5) * rowHeight - box.clientHeight / 2
  }, [at])
  const go = (to: number): void => setAt(Math.min(Math.max(to, 0), steps.length))
  return (
    <>
      <dl class="figures">
        <Figure label="rows" value={String(rows)} />
        <Figure label="kept for the way back" value={sizeInWords(trace.bytes)} />
        <Figure label="of it still held" value={sizeInWords(at === steps.length && at > 0 ? 0 : held)} />
      </dl>
      <div class="timeline">
        <label for="back">{now ? `Way back, step ${at} of ${steps.length}: from #${now.row}` : 'The way back'}</label>
        <input id="back" type="range" min={0} max={steps.length} value={at} onInput={event => go(Number(event.currentTarget.value))} />
        <div class="row">
          <button type="button" disabled={at === 0} onClick={() => go(at - 1)}>Undo</button>
          <button type="button" class="main" disabled={at === steps.length} onClick={() => go(at + 1)}>Step back</button>
          <button type="button" class="quiet" disabled={at === steps.length} onClick={() => go(steps.length)}>To the gradient</button>
        </div>
      </div>
      <StepView step={now} row={now && trace.rows[now.row]} rows={trace.rows} grads={at === steps.length ? grads : []} />
      {rows > trace.rows.length && <p class="hint">Its first {trace.rows.length} rows of {rows} are drawn.</p>}
      <div class="tape-rows" ref={list} tabIndex={0} role="region" aria-label="The tape">
        <Arcs rows={trace.rows} now={now} passed={passed} />
        <ol>
          {trace.rows.map(row => <Row key={row.number} row={row} step={passed.get(row.number)} now={row.number === now?.row} passed={row.number > frontier} />)}
        </ol>
      </div>
    </>
  )
}
