/**
 * The configuration as a list of fields, for a form: what the schema says of each, and the value that it has unless the
 * visitor says otherwise. What has several kinds is one field, with all that they consist of.
 */
import { configOf, describe, type Config, type JsonSchema, type PresetName, type Values } from 'cellgrad/experiment'

export type Field = {
  /** 'rule.fireRate' */
  readonly key: string
  readonly schema: JsonSchema
  /** The value of the preset. */
  readonly otherwise: unknown
}

/** What has a control of its own in the page: the preset, the picture, the model from which it begins, and what computes. */
export const ownControls: readonly string[] = ['task', 'preset', 'data.target', 'train.from', 'backend']
/** What is for folders: a page trains one run, and leaves no report in a folder. */
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
