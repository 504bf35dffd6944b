/**
 * The configuration as a list of fields, for a form: what the schema says of each, and the value that it has unless the
 * visitor says otherwise. A value is written as JSON, a word without quotes.
 */
import { configOf, describe, type Config, type PresetName, type Values } from 'cellgrad/experiment'

export type Field = {
  /** 'rule.fireRate' */
  readonly key: string
  readonly words: string
  /** The words that it may be, where there are only some. */
  readonly choices: readonly string[]
  /** The default, as text. */
  readonly otherwise: string
}

/** What the page itself decides: the picture, what computes, and the preset, which has its own control; and what belongs to files and folders. */
const ownControls = ['task', 'preset', 'data.target', 'train.from', 'train.pace', 'report', 'seeds', 'backend', 'threads']

/** Groups whose fields are shown one by one; another group is written as a whole. */
const groups = ['data', 'rule', 'rule.update', 'train', 'train.optimiser']

/** The fields of a preset. */
export function fieldsOf(preset: PresetName): Field[] {
  const checked = configOf({ preset })
  return 'config' in checked ? inside(checked.config, []) : []
}

function inside(values: Values | Config, path: readonly string[]): Field[] {
  return Object.entries(values).flatMap(([name, value]: [string, unknown]) => {
    const here = [...path, name]
    if (name === 'type' || ownControls.includes(here.join('.'))) return []
    if (groups.includes(here.join('.'))) return inside(value as Values, here)
    const { description = '', words } = describe(here)
    const choices = typeof value === 'boolean' ? ['true', 'false'] : words
    return [{ key: here.join('.'), words: description, choices, otherwise: textOf(value) }]
  })
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** The values of a form, by the keys of its fields, as the nested values of a configuration. */
export function valuesOf(texts: Readonly<Record<string, string>>): Values {
  const values: Record<string, unknown> = {}
  for (const [key, text] of Object.entries(texts)) {
    const path = key.split('.')
    const group = path.slice(0, -1).reduce((at, name) => (at[name] ??= {}) as Record<string, unknown>, values)
    group[path.at(-1)!] = valueOf(text)
  }
  return values
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
