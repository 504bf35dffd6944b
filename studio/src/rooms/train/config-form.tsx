/**
 * The configuration of a run: the preset, the fields that are changed most often, and under "All options" every field with its
 * default. Mistakes are shown beside their fields.
 */
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import type { VNode } from 'preact'
import { call } from '../../engine/client.ts'
import { Keys, Section } from '../../ui/fields.tsx'
import { complain } from '../../ui/notice.tsx'
import { bundledModels, useOwnModels } from '../models.ts'
import type { Field } from './fields.ts'
import { isIn, partsOf, ValueForm, type Part } from './value-form.tsx'

export type Choices = {
  readonly preset: 'growing' | 'persistent' | 'regenerating'
  /** The values that differ from the preset, by the keys of fields. */
  readonly values: Readonly<Record<string, unknown>>
  /** The name of the model from which it begins; '' for none. */
  readonly from: string
}

/** The fields that are changed most often. */
const first = ['data.size', 'data.padding', 'train.iterations', 'train.batch', 'train.optimiser.rate']

export function ConfigForm({ choices, onChange, mistakes }: {
  choices: Choices
  onChange: (choices: Choices) => void
  mistakes: Readonly<Record<string, string>>
}): VNode {
  const { preset, values } = choices
  const own = useOwnModels()
  const start = useId()
  const [fields, setFields] = useState<readonly Field[]>([])
  useEffect(() => { call('train', 'fields', preset).then(setFields).catch(complain) }, [preset])

  function set(key: string, value: unknown): void {
    const { [key]: _, ...others } = values
    onChange({ ...choices, values: value === undefined ? others : { ...others, [key]: value } })
  }

  const row = (part: Part): VNode => <ValueForm key={part.place} {...part} mistakes={mistakes} elsewhere={first} />
  const all = fields.map(({ key, ...field }): Part => ({ place: key, ...field, value: values[key], onChange: value => set(key, value) }))
  const short = all.flatMap(part => [part, ...partsOf(part)]).filter(({ place }) => first.includes(place))
  const rest = all.filter(({ place }) => !first.includes(place))
  const groupOf = ({ place }: Part): string => place.slice(0, Math.max(place.lastIndexOf('.'), 0))
  const isWithin = (key: string, parts: readonly Part[]): boolean => parts.some(({ place }) => isIn(key, place))
  const isWrong = Object.keys(mistakes).some(key => isWithin(key, rest) && !isWithin(key, short))
  const folded = useRef<HTMLDetailsElement>(null)
  useEffect(() => { if (isWrong) folded.current!.open = true }, [isWrong]) // nobody would look for a mistake in a closed section
  const others = Object.entries(mistakes).filter(([key]) => !isWithin(key, all))
  return (
    <Section title="How it learns">
      <Keys
        label="Preset" value={preset} onChange={name => onChange({ ...choices, preset: name })}
        options={[['growing', 'Grow'], ['persistent', 'and stay'], ['regenerating', 'and heal']]}
      />
      <div class="field option">
        <label for={start}>from</label>
        <select id={start} aria-label="train.from" aria-describedby={`${start}-says`} value={choices.from} onChange={e => onChange({ ...choices, from: e.currentTarget.value })}>
          <option value="">new weights</option>
          {[...bundledModels.filter(({ face }) => face), ...own].map(({ name }) => <option key={name} value={name}>{name}</option>)}
        </select>
        <p id={`${start}-says`} class="hint">A model from whose parameters training begins</p>
      </div>
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
          The picture, the preset, what it begins from and what computes are chosen above. One run is trained here, and leaves no folder: <code>seeds</code> and <code>report</code> are
          for the command line.
        </p>
      </details>
      {others.map(([key, says]) => <p key={key} class="mistake">{key} {says}</p>)}
    </Section>
  )
}
