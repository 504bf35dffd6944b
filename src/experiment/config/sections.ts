/**
 * Where values belong in a configuration: `data`, `rule`, `train`, `validate` are its sections.
 *
 *   batch: 8                  →  train: { batch: 8 }
 *   size: 40                  →  data: { size: 40 }
 *   train: { rate: 1e-3 }     →  train: { optimiser: { rate: 1e-3 } }
 *
 * The left side is accepted too: the options of a trainer are flat in presets, recipes and flags, and older files have no
 * sections. Only this file knows about the left side; all others see the right side.
 */
import { isObject } from '../../backends/options.ts'
import { withValue, type JsonObject } from '../flat.ts'
import { dataFields, trainFields } from './schema.ts'
import type { Values } from './values.ts'

const moved: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.keys(trainFields).map(name => [name, `train.${name}`])),
  ...Object.fromEntries(Object.keys(dataFields).map(name => [name, `data.${name}`])),
  'train.rate': 'train.optimiser.rate',
}

/**
 * The current path for a path in the older, flat form; current paths are left as they are.
 *
 * @example placeOf('optimiser.rate')   // 'train.optimiser.rate'
 */
export function placeOf(path: string): string {
  const start = Object.keys(moved).find(from => path === from || path.startsWith(`${from}.`))
  return start === undefined ? path : moved[start] + path.slice(start.length)
}

/** The short names in a section for paths that lie deeper in it. */
export function shortNamesIn(section: string): string[] {
  return Object.keys(moved).filter(from => from.startsWith(`${section}.`)).map(from => from.slice(section.length + 1))
}

/** The paths in files that lead to a place: its own, and those that `placeOf` maps to it. */
export function pathsTo(place: readonly PropertyKey[]): (readonly PropertyKey[])[] {
  const others = Object.entries(moved).flatMap(([from, to]) => {
    const there = to.split('.')
    return there.every((name, i) => place[i] === name) ? [[...from.split('.'), ...place.slice(there.length)]] : []
  })
  return [place, ...others]
}

/**
 * Values, each moved to its place. A value that is given both there and under its old name stays under the old name, where it is
 * then reported as an unknown key.
 */
export function arranged(values: Values): Values {
  return Object.entries(moved).reduce((before, [from, to]) => {
    const [section, name] = from.includes('.') ? from.split('.') : [undefined, from]
    const group = section === undefined ? before : before[section]
    if (!isObject(group) || !Object.hasOwn(group, name) || !isFree(before, to.split('.'))) return before
    const { [name]: value, ...others } = group
    const rest = section === undefined ? others : { ...before, [section]: others }
    return withValue(rest as JsonObject, to, value as never)
  }, values)
}

/** Whether a place is free, and a value can be put there. */
function isFree(values: unknown, [name, ...rest]: readonly string[]): boolean {
  if (!isObject(values)) return false
  const inside = values[name]
  return inside === undefined || (rest.length > 0 && isFree(inside, rest))
}
