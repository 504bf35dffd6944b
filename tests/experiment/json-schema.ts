// Checks a value against a JSON Schema, for the keywords that `Json` has, as an editor would.

import type { Json } from '../../src/backends/options.ts'

/** The paths at which a value violates its schema; empty if it is valid. */
export function wrongIn(schema: Json, x: unknown, path = 'it'): string[] {
  const { type, enum: words, properties = {}, required = [], additionalProperties, items, anyOf } = schema
  if (anyOf) {
    const found = anyOf.map(each => wrongIn(each, x, path))
    return found.some(list => list.length === 0) ? [] : found.reduce((a, b) => (b.length < a.length ? b : a))
  }
  if (words && !words.includes(x)) return [path]
  if (type !== undefined && !isOf(type, x)) return [path]
  if (typeof x === 'number') {
    const { minimum = -Infinity, maximum = Infinity, exclusiveMinimum = -Infinity, exclusiveMaximum = Infinity } = schema
    return x >= minimum && x <= maximum && x > exclusiveMinimum && x < exclusiveMaximum ? [] : [path]
  }
  if (Array.isArray(x)) {
    const { minItems = 0, maxItems = Infinity } = schema
    return x.length < minItems || x.length > maxItems ? [path] : items ? x.flatMap((each, i) => wrongIn(items, each, `${path}[${i}]`)) : []
  }
  if (typeof x !== 'object' || x === null) return []
  return [
    ...required.filter(name => !(name in x)).map(name => `${path}.${name}`),
    ...Object.entries(x).flatMap(([name, value]) => {
      const inside = Object.hasOwn(properties, name) ? properties[name] : additionalProperties
      return inside === false ? [`${path}.${name}`] : inside ? wrongIn(inside, value, `${path}.${name}`) : []
    }),
  ]
}

function isOf(type: string, x: unknown): boolean {
  if (type === 'array') return Array.isArray(x)
  if (type === 'null') return x === null
  if (type === 'integer') return Number.isInteger(x)
  if (type === 'object') return typeof x === 'object' && x !== null && !Array.isArray(x)
  return typeof x === type
}
