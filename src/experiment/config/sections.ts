/**
 * Where values stand in a configuration: `data`, `rule`, `train`, `validate` are its sections.
 *
 *   batch: 8                  →  train: { batch: 8 }
 *   size: 40                  →  data: { size: 40 }
 *   train: { rate: 1e-3 }     →  train: { optimiser: { rate: 1e-3 } }
 *
 * The left side is said too: what a trainer takes is flat in presets, in recipes and in flags, and files were flat before
 * they had sections. This file is the one place that knows of it; all others see the right side.
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
 * Where the value at a path stands: paths of today are left as they are.
 *
 * @example placeOf('optimiser.rate')   // 'train.optimiser.rate'
 */
export function placeOf(path: string): string {
  const start = Object.keys(moved).find(from => path === from || path.startsWith(`${from}.`))
  return start === undefined ? path : moved[start] + path.slice(start.length)
}

/** The names of a section that lead into it more deeply. */
export function shortNamesIn(section: string): string[] {
  return Object.keys(moved).filter(from => from.startsWith(`${section}.`)).map(from => from.slice(section.length + 1))
}

/** The paths that lead to a place in files: its own, and those of which `placeOf` makes it. */
export function pathsTo(place: readonly PropertyKey[]): (readonly PropertyKey[])[] {
  const others = Object.entries(moved).flatMap(([from, to]) => {
    const there = to.split('.')
    return there.every((name, i) => place[i] === name) ? [[...from.split('.'), ...place.slice(there.length)]] : []
  })
  return [place, ...others]
}

/**
 * Values with each in its place. One that is said twice, here and there, is left where it does not belong: then it is a key that
 * there is not.
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

/** Whether nothing is at a place, and something can be put there. */
function isFree(values: unknown, [name, ...rest]: readonly string[]): boolean {
  if (!isObject(values)) return false
  const inside = values[name]
  return inside === undefined || (rest.length > 0 && isFree(inside, rest))
}
