/**
 * States of the pool as pictures, each with a mark that says what happened to it before its last rollout.
 */
import type { VNode } from 'preact'
import { Picture } from '../../ui/cells.tsx'
import type { Sample } from './session.ts'

const fates = ['', 'reseeded', 'damaged', 'mutated'] as const

export function Samples({ title, samples }: { title: string; samples: readonly Sample[] }): VNode {
  return (
    <section class="samples" aria-label={title}>
      <h2>{title}</h2>
      <ol>
        {samples.map(({ slot, fate, pixels }) => (
          <li key={slot} class={fates[fate]} title={`slot ${slot}${fate ? `: ${fates[fate]}` : ''}`}>
            <Picture pixels={pixels} label={`slot ${slot}${fate ? `, ${fates[fate]}` : ''}`} />
            {fate > 0 && <span>{fates[fate]}</span>}
          </li>
        ))}
      </ol>
    </section>
  )
}
