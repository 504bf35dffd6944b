/**
 * The configuration as a list of fields, for a form: the schema of each, and its value in the preset. A value of several
 * kinds, like a schedule, is one field; its schema has the fields of each kind.
 */
import { configOf, describe, type Config, type JsonSchema, type PresetName, type Values } from 'cellgrad/experiment'

export type Field = {
  /** 'rule.fireRate' */
  readonly key: string
  readonly schema: JsonSchema
  /** The value of the preset. */
  readonly otherwise: unknown
}

/** Fields that the form leaves out, since the page has controls for them: preset, picture, first model and backend. */
export const ownControls: readonly string[] = ['task', 'preset', 'data.target', 'train.from', 'backend']
/** Fields that the page cannot use: it trains a single run, and writes no report into a folder. */
export const forFolders: readonly string[] = ['report', 'seeds']

/** Groups whose fields are shown one by one. */
const groups = ['data', 'rule', 'rule.update', 'train']

/** The fields of a preset. */
export function fieldsOf(preset: PresetName): Field[] {
  const checked = configOf({ preset })
  return 'config' in checked ? inside(checked.config, []) : []
}

function inside(values: Values | Config, path: readonly string[]): Field[] {
  return Object.entries(values).flatMap(([name, value]: [string, unknown]) => {
    const here = [...path, name], key = here.join('.')
    if (name === 'type' || ownControls.includes(key) || forFolders.includes(key)) return []
    return groups.includes(key) ? inside(value as Values, here) : [{ key, schema: describe(here).schema, otherwise: value }]
  })
}

/** The values of a form, by the keys of its fields, as the nested values of a configuration. */
export function valuesOf(values: Readonly<Record<string, unknown>>): Values {
  const nested: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(values)) {
    const path = key.split('.')
    const group = path.slice(0, -1).reduce((at, name) => (at[name] ??= {}) as Record<string, unknown>, nested)
    group[path.at(-1)!] = value
  }
  return nested
}
