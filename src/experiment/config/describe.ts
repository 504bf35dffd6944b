/**
 * Descriptions, defaults and JSON Schema of the configuration, from its schema.
 */
import { readData, schemaOf } from '../../backends/fields.ts'
import type { Json } from '../../backends/options.ts'
import { valueAt, word, type JsonObject } from '../flat.ts'
import { configField } from './schema.ts'

/** JSON Schema, as far as configurations need it. */
export type JsonSchema = Json

/**
 * What the schema says about a field: its meaning in words, the keys that it may contain, the words that it may be if it is one
 * of several, and everything as JSON Schema.
 */
export type Description = {
  readonly description?: string
  readonly keys: readonly string[]
  readonly words: readonly string[]
  readonly schema: JsonSchema
}

/**
 * What the schema says about a field of the configuration.
 *
 * @param path of the field, `[]` for the whole configuration
 * @example describe(['rule', 'fireRate']).description   // 'Probability that a cell updates in a step'
 */
export function describe(path: readonly PropertyKey[]): Description {
  return describeIn(schema, path)
}

/** What another schema says about a field. */
export function describeIn(schema: Json, path: readonly PropertyKey[]): Description {
  let at = schema
  for (const name of path) {
    const inside = ({ properties, items }: Json): Json | undefined =>
      (typeof name === 'number' ? items : properties?.[String(name)])
    at = members(at).flatMap(member => inside(member) ?? [])[0] ?? {}
  }
  const keys = members(at).flatMap(({ properties = {} }) => Object.keys(properties))
  return { description: at.description, keys: [...new Set(keys)], words: (at.enum ?? []).map(String), schema: at }
}

/** A schema and its alternatives, if it is a choice. */
function members(schema: Json): Json[] {
  return [schema, ...(schema.anyOf ?? []).flatMap(members)]
}

const schema = schemaOf(configField)

/** The default of a field, by its path, as text. */
export function defaultOf(path: string): string {
  return word(valueAt(readData(configField, {}).data as unknown as JsonObject, path))
}
