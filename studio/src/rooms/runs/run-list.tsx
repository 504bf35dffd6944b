/**
 * All runs, each with its results so far; the ticked ones are shown side by side.
 */
import type { VNode } from 'preact'
import { valueAt, type ServedRun } from 'cellgrad/experiment'
import { digits } from '../inside/terms.ts'

export function RunList({ runs, shown, colourOf, onToggle }: {
  runs: readonly ServedRun[]
  shown: readonly ServedRun[]
  colourOf: (run: ServedRun) => string
  onToggle: (name: string) => void
}): VNode {
  return (
    <ul class="run-list">
      {runs.map(run => {
        const { name, results, config, training } = run
        const ticked = shown.includes(run)
        const loss = typeof results.loss === 'number' ? `loss ${digits(results.loss)}` : 'no loss yet'
        const total = valueAt(config, 'train.iterations')
        const all = total === undefined ? '' : ` of ${String(total)}`
        return (
          <li key={name}>
            <label>
              <input type="checkbox" checked={ticked} onChange={() => onToggle(name)} />
              <span class="dot" style={{ background: ticked ? colourOf(run) : 'transparent' }} />
              <span class="run-name">{name}</span>
              {training && <span class="live">training</span>}
              <span class="run-facts">{String(results.iteration)}{all}, {loss}</span>
            </label>
          </li>
        )
      })}
    </ul>
  )
}
