/**
 * Configurations in flat form: `{ rule: { fireRate: 0.5 } }` ↔ `{ 'rule.fireRate': 0.5 }`. Tables, sweeps and trackers
 * identify a field by its path.
 */
import { isObject } from '../backends/options.ts'

/** A value of a configuration: any JSON value. */
export type Json = number | string | boolean | null | readonly Json[] | { readonly [name: string]: Json | undefined }

/** A configuration: JSON values by name. */
export type JsonObject = { readonly [name: string]: Json | undefined }

/**
 * The values of a configuration by their paths. A list is a single value, and so is an empty object.
 *
 * @example flatten({ seed: 8, rule: { living: null, perceive: ['identity'] } })
 *   // { seed: 8, 'rule.living': null, 'rule.perceive': ['identity'] }
 */
export function flatten(config: JsonObject, prefix: string = ''): Record<string, Json> {
  const flat: Record<string, Json> = {}
  for (const [name, value] of Object.entries(config)) {
    if (value === undefined) continue
    const path = prefix + name
    if (isObject(value) && Object.keys(value).length > 0) Object.assign(flat, flatten(value as JsonObject, `${path}.`))
    else flat[path] = value
  }
  return flat
}

/** The value at a path; undefined where there is none. */
export function valueAt(config: JsonObject, path: string): Json | undefined {
  let value: Json | undefined = config
  for (const name of path.split('.')) {
    if (!isObject(value) || !Object.hasOwn(value, name)) return undefined
    value = (value as JsonObject)[name]
  }
  return value
}

/** The configuration with another value at a path; objects on the way are made where there are none. */
export function withValue(config: JsonObject, path: string, value: Json): JsonObject {
  const [name, ...rest] = path.split('.')
  if (rest.length === 0) return { ...config, [name]: value }
  const inner = Object.hasOwn(config, name) ? config[name] : undefined
  return { ...config, [name]: withValue(isObject(inner) ? inner as JsonObject : {}, rest.join('.'), value) }
}

/** A value as a word in a table: texts as they are, everything else as JSON. */
export function word(value: Json | undefined): string {
  return typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value)
}

/** A number rounded to n significant digits; any other value as it is. */
export function digits(x: Json | undefined, n: number): Json | undefined {
  return typeof x === 'number' ? Number(x.toPrecision(n)) : x
}

/**
 * The shortest endings of paths that distinguish them: `rate` for `train.optimiser.rate`.
 *
 * @example shortPaths(['train.rate', 'rule.fireRate'])   // Map { 'train.rate' → 'rate', 'rule.fireRate' → 'fireRate' }
 */
export function shortPaths(paths: readonly string[]): Map<string, string> {
  const end = (path: string, n: number): string => path.split('.').slice(-n).join('.')
  return new Map(paths.map(path => {
    let n = 1
    while (paths.some(other => other !== path && end(other, n) === end(path, n))) n++
    return [path, end(path, n)]
  }))
}
