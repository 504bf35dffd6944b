/**
 * How a value can be entered in a form, by its JSON Schema: the visitor first chooses one of several ways, then fills in its
 * parts.
 *
 *   word     one of the words that the schema lists; also true, false and null
 *   text     a number, a text, or a list of them separated by commas
 *   fields   an object with fields, of a kind if its schema names one: { type: 'cosine', rate: …, length: … }
 *   list     a list of values, each with ways of its own
 *   names    numbers, or lists of them, under names that the visitor chooses: { rgba: 4, hidden: 12 }
 */
import type { JsonSchema } from 'cellgrad/experiment'

export type Way =
  | { readonly is: 'word'; readonly name: string; readonly word: unknown }
  | { readonly is: 'text'; readonly name: string; readonly schemas: readonly JsonSchema[] }
  | { readonly is: 'fields'; readonly name: string; readonly schema: JsonSchema; readonly kind: Readonly<Record<string, unknown>> }
  | { readonly is: 'list'; readonly name: string; readonly schema: JsonSchema }
  | { readonly is: 'names'; readonly name: string; readonly schema: JsonSchema }

type Fields = Readonly<Record<string, unknown>>

/** The alternatives of a schema. */
function members(schema: JsonSchema): JsonSchema[] {
  return schema.anyOf ? schema.anyOf.flatMap(members) : [schema]
}

const isText = ({ type, items }: JsonSchema): boolean => (
  ['number', 'integer', 'string'].includes(type!) || (type === 'array' && members(items!).every(isText))
)

const isFields = (x: unknown): x is Fields => typeof x === 'object' && x !== null && !Array.isArray(x)

/** The ways of a schema, words first. If the only word beside a text is null, it has no way of its own: it is typed as text. */
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

/** The fields that name the kind of an object: those with only one word. */
function kindIn({ properties = {} }: JsonSchema): Fields {
  return Object.fromEntries(Object.entries(properties).flatMap(([name, { enum: words }]) => (words?.length === 1 ? [[name, words[0]]] : [])))
}

/** The fields of an object, except the one that names its kind. */
export function fieldsIn({ schema: { properties = {} }, kind }: Way & { readonly is: 'fields' }): [name: string, schema: JsonSchema][] {
  return Object.entries(properties).filter(([name]) => !(name in kind))
}

/** The way to which a value belongs; undefined if it belongs to none. */
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
 * The first value when the visitor chooses another way: the value of the preset, if it belongs to that way; otherwise the
 * fields of the value before that have the same names, with defaults for all others. A number becomes the required number of
 * an object, and the number of an object becomes the text.
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

/** A value as one types it: lists separated by commas, words without quotes. */
export function textOf(value: unknown, schemas: readonly JsonSchema[] = []): string {
  if (value === undefined) return ''
  if (typeof value === 'string') return value
  const bare = Array.isArray(value) && (value.length > 1 || (value.length > 0 && schemas.every(({ type }) => type === 'array')))
  return bare ? value.map(one => textOf(one)).join(', ') : JSON.stringify(value)
}

/** The value of a typed text. Text that cannot be parsed stays text, so that the schema says what is wrong with it. */
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

/** Bounds from here on only refuse absurd values; they are not shown. */
const far = 1e6

/** The range of a number in words: 'whole, 1 to 127'; '' if it may be any number. */
export function rangeOf({ type, items, minimum, maximum = Infinity, exclusiveMinimum, exclusiveMaximum, not }: JsonSchema): string {
  if (type === 'array') return rangeOf(members(items!)[0])
  const bounds = minimum !== undefined && maximum < far ? [`${minimum} to ${maximum}`] : [
    ...(minimum !== undefined ? [`≥\u00a0${minimum}`] : exclusiveMinimum !== undefined ? [`>\u00a0${exclusiveMinimum}`] : []),
    ...(maximum < far ? [`≤\u00a0${maximum}`] : exclusiveMaximum !== undefined ? [`<\u00a0${exclusiveMaximum}`] : []),
  ]
  return [...(not ? ['odd'] : type === 'integer' ? ['whole'] : []), ...bounds].join(', ')
}
