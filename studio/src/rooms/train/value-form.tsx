/**
 * The form for a value of the configuration: a text, a choice of words, or a choice of kinds with the fields of the chosen
 * one, which are forms again. The schema says what the value may be (ways.ts). An empty text stands for the default.
 */
import { useId, useState } from 'preact/hooks'
import type { VNode } from 'preact'
import type { JsonSchema } from 'cellgrad/experiment'
import { notify, settled } from '../../ui/notice.tsx'
import { begun, fieldsIn, rangeOf, textOf, valueOf, wayOf, waysOf, type Way } from './ways.ts'

/** A value of a form. */
export type Part = {
  /** 'rule.perceive[1].size' */
  readonly place: string
  readonly schema: JsonSchema
  /** The value that the visitor gave; undefined: none. */
  readonly value: unknown
  /** The value without one given; undefined if one must be given, or if it follows from other values. */
  readonly otherwise: unknown
  /** Whether a value must be given. */
  readonly needed?: boolean
  /** Called with the new value; undefined: the one it has without. */
  readonly onChange: (value: unknown) => void
  readonly onRemove?: () => void
}

type Fields = Readonly<Record<string, unknown>>

/** Whether a place is `other`, or lies within it. */
export function isIn(place: string, other: string): boolean {
  return place === other || place.startsWith(`${other}.`) || place.startsWith(`${other}[`)
}

export function ValueForm({ mistakes, elsewhere = [], ...part }: Part & {
  /** Mistakes by place. */
  readonly mistakes: Readonly<Record<string, string>>
  /** Places within this one whose forms are elsewhere. */
  readonly elsewhere?: readonly string[]
}): VNode {
  const { place, schema, otherwise, onChange, onRemove } = part
  const id = useId()
  const { ways, way, now } = stateOf(part)
  const parts = partsOf(part)
  const wrong = Object.entries(mistakes).filter(([key]) => isIn(key, place) && !parts.some(inner => isIn(key, inner.place)))
  const isDeep = parts.length > 0 || way?.is === 'list' || way?.is === 'names'
  const said = { 'aria-invalid': wrong.length > 0, 'aria-describedby': `${id}-says` }
  const isWord = ways.every(({ is }) => is === 'word')
  const name = place.slice(Math.max(place.lastIndexOf('.') + 1, place.endsWith(']') ? place.lastIndexOf('[') : 0))
  return (
    <div class="field option" role={isDeep ? 'group' : undefined} aria-label={isDeep ? place : undefined}>
      {ways.length > 1 || way?.is === 'text' ? <label for={id} title={place}>{name}</label> : <span title={place}>{name}</span>}
      {(ways.length > 1 || way?.is === 'text' || onRemove) && (
        <div class="ways">
          {ways.length > 1 && (
            <select
              id={id} aria-label={isWord ? place : `kind of ${place}`} value={way?.name ?? ''} {...said}
              onChange={e => onChange(begun(ways, ways.find(one => one.name === e.currentTarget.value)!, now, otherwise))}
            >
              {!way && <option value="" disabled>choose</option>}
              {ways.map(one => <option key={one.name} value={one.name}>{one.name}</option>)}
            </select>
          )}
          {way?.is === 'text' && <TextInput id={ways.length > 1 ? undefined : id} way={way} part={part} said={said} />}
          {onRemove && <button type="button" class="quiet" aria-label={`Remove ${place}`} onClick={onRemove}>remove</button>}
        </div>
      )}
      {wrong.length > 0 ? <div id={`${id}-says`} class="says">{wrong.map(([key, says]) => <p key={key} class="mistake">{key} {says}</p>)}</div> : (
        <p id={`${id}-says`} class="hint">{[schema.description, way?.is === 'text' && rangeOf(way.schemas[0])].filter(Boolean).join('; ')}</p>
      )}
      {isDeep && (
        <div class="inner">
          {parts.filter(inner => !elsewhere.includes(inner.place)).map(inner => <ValueForm key={inner.place} {...inner} mistakes={mistakes} elsewhere={elsewhere} />)}
          {way?.is === 'names' && <Names place={place} schema={way.schema.additionalProperties as JsonSchema} values={(now ?? {}) as Fields} onChange={onChange} />}
          {way?.is === 'list' && (
            <button type="button" aria-label={`Add to ${place}`} onClick={() => onChange([...(now ?? []) as unknown[], first(way.schema.items!)])}>Add</button>
          )}
        </div>
      )}
    </div>
  )
}

/** The first value of a new item of a list. */
function first(schema: JsonSchema): unknown {
  const ways = waysOf(schema)
  return begun(ways, ways[0], undefined, undefined)
}

/** The ways of a value, the present value, and its way. */
function stateOf({ schema, value, otherwise }: Part): { ways: Way[]; way: Way | undefined; now: unknown } {
  const ways = waysOf(schema), now = value === undefined ? otherwise : value
  return { ways, now, way: ways.length === 1 ? ways[0] : wayOf(ways, now) }
}

/** The values within a value: the fields of an object, or the items of a list. */
export function partsOf(part: Part): Part[] {
  const { place, value, otherwise, onChange } = part
  const { way, now } = stateOf(part)
  if (way?.is === 'list') {
    const items = (now ?? []) as unknown[]
    return items.map((item, i) => ({
      place: `${place}[${i}]`, schema: way.schema.items!, value: item, otherwise: undefined, needed: true,
      onChange: next => onChange(items.with(i, next)),
      onRemove: () => onChange(items.toSpliced(i, 1)),
    }))
  }
  if (way?.is !== 'fields') return []
  const isAlike = wayOf([way], otherwise) !== undefined
  return fieldsIn(way).map(([name, schema]) => {
    const { [name]: _, ...others } = (now ?? way.kind) as Fields
    const usual = isAlike ? (otherwise as Fields)[name] : undefined
    return {
      place: `${place}.${name}`, schema, value: (value as Fields | undefined)?.[name], otherwise: usual === undefined ? schema.default : usual,
      needed: way.schema.required?.includes(name),
      onChange: next => onChange(next === undefined ? others : { ...others, [name]: next }),
    }
  })
}

function TextInput({ id, way: { schemas }, part: { place, value, otherwise, needed, onChange }, said }: {
  id: string | undefined
  way: Way & { readonly is: 'text' }
  part: Part
  said: object
}): VNode {
  /** The text while it is being typed, which may not be a valid value yet. */
  const [draft, setDraft] = useState<string | null>(null)
  const isUsual = JSON.stringify(value) === JSON.stringify(otherwise)
  return (
    <input
      id={id} type="text" aria-label={place} value={draft ?? (isUsual ? '' : textOf(value, schemas))} placeholder={otherwise === undefined && needed ? 'needed' : textOf(otherwise, schemas)}
      spellcheck={false} autocomplete="off" {...said} onBlur={() => setDraft(null)}
      onInput={({ currentTarget: { value: text } }) => {
        setDraft(text)
        onChange(text.trim() === '' ? undefined : valueOf(text.trim(), schemas))
      }}
    />
  )
}

/** The form for numbers, or lists of them, under names that the visitor chooses. */
function Names({ place, schema, values, onChange }: { place: string; schema: JsonSchema; values: Fields; onChange: (value: unknown) => void }): VNode {
  const entries = Object.entries(values)
  const way = { is: 'text', name: 'a number', schemas: [schema] } as const

  function rename(i: number, next: string): void {
    const isOther = next !== entries[i][0]
    if (isOther && (next === '' || Object.hasOwn(values, next))) return notify(`${place}: ${next === '' ? 'a name is empty' : `there is ${next} already`}.`, place)
    settled(place)
    if (isOther) onChange(Object.fromEntries(entries.map(([name, n], k) => [k === i ? next : name, n])))
  }

  return (
    <>
      {entries.map(([name, n], i) => (
        <div key={name} class="ways">
          <NameInput label={`Name of ${place}.${name}`} name={name} onName={next => rename(i, next)} />
          <TextInput id={undefined} way={way} part={{ place: `${place}.${name}`, schema, value: n, otherwise: undefined, needed: true, onChange: next => onChange({ ...values, [name]: next }) }} said={{}} />
          <button type="button" class="quiet" aria-label={`Remove ${place}.${name}`} onClick={() => onChange(Object.fromEntries(entries.toSpliced(i, 1)))}>remove</button>
        </div>
      ))}
      <button type="button" aria-label={`Add to ${place}`} onClick={() => onChange({ ...values, [free(values)]: schema.type === 'array' ? [0, 1] : 1 })}>Add</button>
    </>
  )
}

/** The input for a name. It changes the name only when it is left: while it is typed it may be empty, or taken already. */
function NameInput({ label, name, onName }: { label: string; name: string; onName: (name: string) => void }): VNode {
  const [draft, setDraft] = useState<string | null>(null)
  return (
    <input
      type="text" aria-label={label} value={draft ?? name} spellcheck={false} autocomplete="off" onInput={e => setDraft(e.currentTarget.value)}
      onChange={e => {
        setDraft(null)
        onName(e.currentTarget.value.trim())
      }}
    />
  )
}

/** A name that is not taken. */
function free(numbers: object): string {
  for (let i = 1; ; i++) if (!Object.hasOwn(numbers, `role${i}`)) return `role${i}`
}
