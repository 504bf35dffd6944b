/**
 * The configuration of a run: the preset, what one changes most, and under "All options" every field with its default.
 * What is wrong stands beside its field.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { VNode } from 'preact'
import { call } from '../../engine/client.ts'
import { Keys, Section } from '../../ui/fields.tsx'
import { complain } from '../../ui/notice.tsx'
import type { Field } from './fields.ts'
import { isIn, partsOf, ValueForm, type Part } from './value-form.tsx'

export type Choices = {
  readonly preset: 'growing' | 'persistent' | 'regenerating'
  /** What is not as the preset has it, by the keys of fields. */
  readonly values: Readonly<Record<string, unknown>>
}

/** What one changes most often. */
const first = ['data.size', 'data.padding', 'train.iterations', 'train.batch', 'train.optimiser.rate']

export function ConfigForm({ choices, onChange, mistakes }: {
  choices: Choices
  onChange: (choices: Choices) => void
  mistakes: Readonly<Record<string, string>>
}): VNode {
  const { preset, values } = choices
  const [fields, setFields] = useState<readonly Field[]>([])
  useEffect(() => { call('train', 'fields', preset).then(setFields).catch(complain) }, [preset])

  function set(key: string, value: unknown): void {
    const { [key]: _, ...others } = values
    onChange({ preset, values: value === undefined ? others : { ...others, [key]: value } })
  }

  const row = (part: Part): VNode => <ValueForm key={part.place} {...part} mistakes={mistakes} elsewhere={first} />
  const all = fields.map(({ key, ...field }): Part => ({ place: key, ...field, value: values[key], onChange: value => set(key, value) }))
  const short = all.flatMap(part => [part, ...partsOf(part)]).filter(({ place }) => first.includes(place))
  const rest = all.filter(({ place }) => !first.includes(place))
  const groupOf = ({ place }: Part): string => place.slice(0, Math.max(place.lastIndexOf('.'), 0))
  const isWithin = (key: string, parts: readonly Part[]): boolean => parts.some(({ place }) => isIn(key, place))
  const isWrong = Object.keys(mistakes).some(key => isWithin(key, rest) && !isWithin(key, short))
  const folded = useRef<HTMLDetailsElement>(null)
  useEffect(() => { if (isWrong) folded.current!.open = true }, [isWrong]) // nobody looks for what is wrong in a fold
  const others = Object.entries(mistakes).filter(([key]) => !isWithin(key, all))
  return (
    <Section title="How it learns">
      <Keys
        label="Preset" value={preset} onChange={name => onChange({ preset: name, values })}
        options={[['growing', 'Grow'], ['persistent', 'and stay'], ['regenerating', 'and heal']]}
      />
      {short.map(row)}
      <details ref={folded}>
        <summary>All options</summary>
        {[...new Set(rest.map(groupOf))].map(group => (
          <div key={group} class="place">
            <h3>{group || 'the run'}</h3>
            {rest.filter(part => groupOf(part) === group).map(row)}
          </div>
        ))}
        <p class="hint">
          The picture, the preset and what computes are chosen above. One run is trained here, from new weights: <code>seeds</code>, <code>train.from</code> and <code>report</code>,
          which are about several runs, files and folders, are for the command line.
        </p>
      </details>
      {others.map(([key, says]) => <p key={key} class="mistake">{key} {says}</p>)}
    </Section>
  )
}
