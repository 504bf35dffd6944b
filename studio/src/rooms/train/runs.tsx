/**
 * The runs that this browser keeps.
 */
import type { VNode } from 'preact'
import { Section } from '../../ui/fields.tsx'
import type { RunName } from './store.ts'

export function Runs({ runs, open, onOpen, onForget }: {
  runs: readonly RunName[]
  /** The id of the one that is shown. */
  open: string | undefined
  onOpen: (id: string) => void
  onForget: (run: Pick<RunName, 'id' | 'name'>) => void
}): VNode | null {
  if (runs.length === 0) return null
  return (
    <Section title="Runs in this browser">
      <ul class="runs">
        {runs.map(({ id, name, iteration, iterations }) => (
          <li key={id} aria-current={id === open}>
            <button type="button" class="quiet" onClick={() => onOpen(id)}>{name}</button>
            <span>{iteration} of {iterations}</span>
            <button type="button" class="quiet" aria-label={`Forget ${name}`} onClick={() => onForget({ id, name })}>forget</button>
          </li>
        ))}
      </ul>
    </Section>
  )
}
