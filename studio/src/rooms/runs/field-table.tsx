/**
 * Results and options of runs side by side. A row is marked if the configurations differ in it, and in that row every value
 * that is not that of the first run.
 */
import type { VNode } from 'preact'
import type { ServedRun } from 'cellgrad/experiment'
import type { FieldRow } from './commands.ts'

export function FieldTable({ runs, fields, colourOf }: {
  runs: readonly ServedRun[]
  fields: readonly FieldRow[]
  colourOf: (run: ServedRun) => string
}): VNode {
  return (
    <div class="scrolled" tabIndex={0} role="region" aria-label="Runs side by side">
      <table class="fields">
        <thead>
          <tr>
            <th scope="col">field</th>
            {runs.map(run => <th key={run.name} scope="col"><span class="dot" style={{ background: colourOf(run) }} />{run.name}</th>)}
          </tr>
        </thead>
        <tbody>
          {fields.map(({ field, values, differs }) => (
            <tr key={field} class={differs ? 'differs' : undefined}>
              <th scope="row">{field}</th>
              {values.map((value, i) => <td key={i}>{differs && value !== values[0] ? <mark>{value}</mark> : value}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
