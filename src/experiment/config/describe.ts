/**
 * What the schema says about the configuration: descriptions, defaults, and JSON Schema.
 */
import * as z from 'zod'
import { schema } from './schema.ts'
import type { Config } from './schema.ts'

/** What the schema says of a field: in words, the keys that it may have inside, and the words that it may be, where there are only some. */
export type Description = { readonly description?: string; readonly keys: readonly string[]; readonly words: readonly string[] }

/**
 * What the schema says of a field of the configuration.
 *
 * @param path where it is, `[]` for the whole
 * @example describe(['rule', 'fireRate']).description   // 'Probability that a cell updates in a step'
 */
export function describe(path: readonly PropertyKey[]): Description {
  let at: JsonSchema = jsonSchema()
  for (const name of path) {
    const inside = ({ properties, items }: JsonSchema): JsonSchema | undefined =>
      (typeof name === 'number' ? items : properties?.[String(name)])
    at = members(at).flatMap(schema => inside(schema) ?? [])[0] ?? {}
  }
  const keys = members(at).flatMap(({ properties = {} }) => Object.keys(properties))
  return { description: at.description, keys: [...new Set(keys)], words: at.enum ?? [] }
}

/** The part of JSON Schema that is read here. */
type JsonSchema = {
  readonly description?: string
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly items?: JsonSchema
  readonly enum?: readonly string[]
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
}

/** A schema and what it is a choice of. */
function members(schema: JsonSchema): JsonSchema[] {
  return [schema, ...[...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].flatMap(members)]
}

/** JSON Schema of the configuration, for editors that check YAML. */
export function jsonSchema(): JsonSchema {
  return (made ??= { title: 'cellgrad training configuration', ...z.toJSONSchema(schema, { io: 'input' }) } as JsonSchema)
}

/** Made once: every key that is described looks into it. */
let made: JsonSchema | undefined

/** The default of a field outside of `rule`, as text. */
export function defaultOf(name: keyof Config): string {
  return String((schema.parse({}) as Config)[name])
}
