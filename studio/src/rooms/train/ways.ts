/**
 * What a value may be, by its JSON Schema, as somebody chooses it in a form: first one of several ways, then what that
 * consists of.
 *
 *   word     one of those that the schema lists; true, false and null too
 *   text     a number, a text, or a list of them with commas between
 *   fields   an object with fields, of a kind if its schema names one: { type: 'cosine', rate: …, length: … }
 *   list     values, each in ways of its own
 *   names    numbers by names that are free: { rgba: 4, hidden: 12 }
 */
import type { JsonSchema } from 'cellgrad/experiment'

export type Way =
  | { readonly is: 'word'; readonly name: string; readonly word: unknown }
  | { readonly is: 'text'; readonly name: string; readonly schemas: readonly JsonSchema[] }
  | { readonly is: 'fields'; readonly name: string; readonly schema: JsonSchema; readonly kind: Readonly<Record<string, unknown>> }
  | { readonly is: 'list'; readonly name: string; readonly schema: JsonSchema }
  | { readonly is: 'names'; readonly name: string; readonly schema: JsonSchema }

type Fields = Readonly<Record<string, unknown>>

/** The schemas of which a value has one. */
function members(schema: JsonSchema): JsonSchema[] {
  return schema.anyOf ? schema.anyOf.flatMap(members) : [schema]
}

const isText = ({ type, items }: JsonSchema): boolean => (
  ['number', 'integer', 'string'].includes(type!) || (type === 'array' && members(items!).every(isText))
)

const isFields = (x: unknown): x is Fields => typeof x === 'object' && x !== null && !Array.isArray(x)

/** The ways of a schema, those of words first. Null beside a text is typed, as all of the rest is. */
export function waysOf(schema: JsonSchema): Way[] {
  const all = members(schema)
  const texts = all.filter(isText)
  const word = (value: unknown): Way => ({ is: 'word', name: String(value), word: value })
  const words = all.flatMap(({ enum: some, type }) => some ?? (type === 'boolean' ? [true, false] : type === 'null' ? [null] : []))
  const objects = all.flatMap((one): Way[] => {
    if (one.type === 'array' && !isText(one)) return [{ is: 'list', name: 'a list', schema: one }]
    if (one.type !== 'object') return []
    if (!one.properties) return [{ is: 'names', name: 'by names', schema: one }]
    const kind = kindIn(one)
    return [{ is: 'fields', name: Object.values(kind).join() || Object.keys(one.properties).join(', '), schema: one, kind }]
  })
  const text: Way[] = texts.length > 0 ? [{ is: 'text', name: texts.every(({ type }) => type === 'array') ? 'a list' : 'a number', schemas: texts }] : []
  const typed = objects.length === 0 && words.every(value => value === null) && text.length > 0
  return [...(typed ? [] : words.map(word)), ...text, ...objects]
}

/** The field that names the kind of an object, with its only word. */
function kindIn({ properties = {} }: JsonSchema): Fields {
  return Object.fromEntries(Object.entries(properties).flatMap(([name, { enum: words }]) => (words?.length === 1 ? [[name, words[0]]] : [])))
}

/** The fields of an object but for the one that names its kind. */
export function fieldsIn({ schema: { properties = {} }, kind }: Way & { readonly is: 'fields' }): [name: string, schema: JsonSchema][] {
  return Object.entries(properties).filter(([name]) => !(name in kind))
}

/** The way in which a value is; undefined where it is none of them. */
export function wayOf(ways: readonly Way[], value: unknown): Way | undefined {
  const word = ways.find(way => way.is === 'word' && way.word === value)
  if (word || value === undefined) return word
  const found = ways.find(way => {
    if (way.is === 'fields') return isFields(value) && Object.entries(way.kind).every(([name, is]) => value[name] === is) && Object.keys(value).every(name => name in way.schema.properties!)
    return way.is === 'names' ? isFields(value) : way.is === 'list' && Array.isArray(value)
  })
  return found ?? ways.find(({ is }) => is === 'text' && !isFields(value))
}

/**
 * What a value begins with when it is to be in another one of its ways: what it is otherwise, if that is so; or what it has by the same
 * names, while all the rest has its defaults. A number becomes the number of an object, and an object gives it back.
 */
export function begun(ways: readonly Way[], way: Way, before: unknown, otherwise: unknown): unknown {
  if (way.is === 'word') return way.word
  if (wayOf(ways, otherwise) === way) return otherwise
  const needed = (one: Way & { readonly is: 'fields' }): string | undefined => (
    fieldsIn(one).find(([name, schema]) => one.schema.required?.includes(name) && members(schema).some(({ type }) => type === 'number'))?.[0]
  )
  if (way.is === 'fields') {
    const names = fieldsIn(way).map(([name]) => name)
    const kept = isFields(before) ? Object.entries(before).filter(([name]) => names.includes(name)) : []
    const number = needed(way)
    return { ...way.kind, ...(typeof before === 'number' && number && { [number]: before }), ...Object.fromEntries(kept) }
  }
  if (way.is === 'text') return isFields(before) ? Object.values(before).find(value => typeof value === 'number') ?? '' : ''
  return way.is === 'list' ? [] : {}
}

/** A value as it is typed: lists with commas between, words as they are. */
export function textOf(value: unknown, schemas: readonly JsonSchema[] = []): string {
  if (value === undefined) return ''
  if (typeof value === 'string') return value
  const bare = Array.isArray(value) && (value.length > 1 || (value.length > 0 && schemas.every(({ type }) => type === 'array')))
  return bare ? value.map(one => textOf(one)).join(', ') : JSON.stringify(value)
}

/** What was typed. What cannot be read is left as the text that it is, for the schema to say what is wrong. */
export function valueOf(text: string, schemas: readonly JsonSchema[] = []): unknown {
  const list = schemas.find(({ type }) => type === 'array')
  const parts = text.split(',').map(part => part.trim()).filter(part => part !== '')
  if (list && !/^\s*\[/.test(text) && (parts.length > 1 || schemas.every(one => one === list))) return parts.map(part => parsed(part))
  return parsed(text)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Bounds from here on are there to refuse what is absurd: nobody comes near them. */
const far = 1e6

/** What a number must be, in words: 'whole, 1 to 127'; '' where it may be any. */
export function rangeOf({ type, items, minimum, maximum = Infinity, exclusiveMinimum, exclusiveMaximum, not }: JsonSchema): string {
  if (type === 'array') return rangeOf(members(items!)[0])
  const bounds = minimum !== undefined && maximum < far ? [`${minimum} to ${maximum}`] : [
    ...(minimum !== undefined ? [`≥\u00a0${minimum}`] : exclusiveMinimum !== undefined ? [`>\u00a0${exclusiveMinimum}`] : []),
    ...(maximum < far ? [`≤\u00a0${maximum}`] : exclusiveMaximum !== undefined ? [`<\u00a0${exclusiveMaximum}`] : []),
  ]
  return [...(not ? ['odd'] : type === 'integer' ? ['whole'] : []), ...bounds].join(', ')
}
