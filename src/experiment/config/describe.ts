/**
 * What the schema says about the configuration: descriptions, defaults, and JSON Schema.
 */
import { readData, schemaOf } from '../../backends/fields.ts'
import type { Json } from '../../backends/options.ts'
import { valueAt, word, type JsonObject } from '../flat.ts'
import { configField } from './schema.ts'

/** JSON Schema, as far as configurations need it. */
export type JsonSchema = Json

/**
 * What the schema says of a field: in words, the keys that it may have inside, and the words that it may be, where there are
 * only some; and all of it, as JSON Schema.
 */
export type Description = {
  readonly description?: string
  readonly keys: readonly string[]
  readonly words: readonly string[]
  readonly schema: JsonSchema
}

/**
 * What the schema says of a field of the configuration.
 *
 * @param path where it is, `[]` for the whole
 * @example describe(['rule', 'fireRate']).description   // 'Probability that a cell updates in a step'
 */
export function describe(path: readonly PropertyKey[]): Description {
  return describeIn(schema, path)
}

/** What another schema says of a field. */
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

/** A schema and what it is a choice of. */
function members(schema: Json): Json[] {
  return [schema, ...(schema.anyOf ?? []).flatMap(members)]
}

const schema = schemaOf(configField)

/** The default of a field, by its path, as text. */
export function defaultOf(path: string): string {
  return word(valueAt(readData(configField, {}).data as unknown as JsonObject, path))
}
