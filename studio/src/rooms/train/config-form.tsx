/**
 * The configuration of a run: the preset, what one changes most, and under "All options" every field with its default.
 * What is wrong stands beside its field.
 */
import { useEffect, useId, useState } from 'preact/hooks'
import type { VNode } from 'preact'
import { call } from '../../engine/client.ts'
import { Keys, Section } from '../../ui/fields.tsx'
import { complain } from '../../ui/notice.tsx'
import type { Field } from './fields.ts'

export type Choices = { readonly preset: 'growing' | 'persistent' | 'regenerating'; readonly texts: Readonly<Record<string, string>> }

/** What one changes most often. */
const first = ['data.size', 'data.padding', 'train.iterations', 'train.batch', 'train.optimiser.rate']

/** Where a field stands in the file, 'train.optimiser', and what it is called there, 'rate'. */
function nameOf(key: string): { readonly place: string; readonly name: string } {
  const at = key.lastIndexOf('.')
  return { place: key.slice(0, Math.max(at, 0)), name: key.slice(at + 1) }
}

export function ConfigForm({ choices, onChange, mistakes }: {
  choices: Choices
  onChange: (choices: Choices) => void
  mistakes: Readonly<Record<string, string>>
}): VNode {
  const { preset, texts } = choices
  const [fields, setFields] = useState<readonly Field[]>([])
  useEffect(() => { call('train', 'fields', preset).then(setFields).catch(complain) }, [preset])

  function set(key: string, text: string): void {
    const { [key]: _, ...others } = texts
    onChange({ preset, texts: text === '' ? others : { ...others, [key]: text } })
  }

  const row = (field: Field): VNode => (
    <FieldRow key={field.key} field={field} text={texts[field.key] ?? ''} mistake={mistakes[field.key]} onInput={text => set(field.key, text)} />
  )
  const rest = fields.filter(({ key }) => !first.includes(key))
  const places = [...new Set(rest.map(({ key }) => nameOf(key).place))]
  // A mistake may sit deeper than a field: it is shown at the end.
  const others = Object.entries(mistakes).filter(([key]) => !fields.some(field => field.key === key))
  return (
    <Section title="How it learns">
      <Keys
        label="Preset" value={preset} onChange={name => onChange({ preset: name, texts })}
        options={[['growing', 'Grow'], ['persistent', 'and stay'], ['regenerating', 'and heal']]}
      />
      {fields.filter(({ key }) => first.includes(key)).map(row)}
      <details>
        <summary>All options</summary>
        {places.map(place => (
          <div key={place} class="place">
            <h3>{place || 'the run'}</h3>
            {rest.filter(({ key }) => nameOf(key).place === place).map(row)}
          </div>
        ))}
      </details>
      {others.map(([key, says]) => <p key={key} class="mistake">{key} {says}</p>)}
    </Section>
  )
}

function FieldRow({ field: { key, words, choices, otherwise }, text, mistake, onInput }: {
  field: Field
  text: string
  mistake: string | undefined
  onInput: (text: string) => void
}): VNode {
  const id = useId()
  const { place, name } = nameOf(key) // those who do not see the headings hear the whole
  return (
    <div class="field option">
      <label for={id} title={key}><span class="hidden">{place && `${place}.`}</span>{name}</label>
      {choices.length > 0 ? (
        <select id={id} value={text || otherwise} aria-describedby={`${id}-says`} onChange={e => onInput(e.currentTarget.value === otherwise ? '' : e.currentTarget.value)}>
          {choices.map(word => <option key={word} value={word}>{word}</option>)}
        </select>
      ) : (
        <input
          id={id} type="text" value={text} placeholder={otherwise} aria-invalid={mistake !== undefined} aria-describedby={`${id}-says`}
          spellcheck={false} autocomplete="off" onInput={e => onInput(e.currentTarget.value.trim())}
        />
      )}
      <p id={`${id}-says`} class={mistake ? 'mistake' : 'hint'}>{mistake ? `${key} ${mistake}` : words}</p>
    </div>
  )
}
