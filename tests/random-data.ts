// Random data that fit a table of fields: every allowed value may be drawn, and fields with a default may be left out.

import fc from 'fast-check'
import { readData, schemaOf, type Field } from '../src/backends/fields.ts'
import type { Json } from '../src/backends/options.ts'

/** Data for a field, with small numbers. */
export function randomOf<T>(field: Field<T>): fc.Arbitrary<T> {
  return (valuesOf(schemaOf(field)) as fc.Arbitrary<T>).filter(x => readData(field, x).mistakes.length === 0)
}

function valuesOf(json: Json): fc.Arbitrary<unknown> {
  if (json.enum) return fc.constantFrom(...json.enum)
  if (json.anyOf) return fc.oneof(...json.anyOf.map(valuesOf))
  switch (json.type) {
    case 'null': return fc.constant(null)
    case 'boolean': return fc.boolean()
    case 'string': return fc.constantFrom('a', 'b.c')
    case 'integer': {
      const { minimum = 0, maximum = Infinity, not } = json
      if (not) return fc.constantFrom(1, 3, 3, 5)
      return fc.integer({ min: minimum, max: Math.min(maximum, minimum + 2) })
    }
    case 'number': {
      const { minimum = -2, maximum = 2, exclusiveMinimum = minimum, exclusiveMaximum = maximum } = json
      return fc.double({
        min: Math.max(minimum, exclusiveMinimum), max: Math.min(maximum, exclusiveMaximum), noNaN: true,
        minExcluded: json.exclusiveMinimum !== undefined, maxExcluded: json.exclusiveMaximum !== undefined,
      }).map(x => Math.fround(x) || 0.5)
    }
    case 'array': {
      const { items = {}, minItems = 0, maxItems = minItems + 2 } = json
      // Two numbers are a range: the first is below the second.
      if (minItems === 2) return fc.uniqueArray(valuesOf(items) as fc.Arbitrary<number>, { minLength: 2, maxLength: 2 }).map(pair => pair.sort((a, b) => a - b))
      return fc.array(valuesOf(items), { minLength: minItems, maxLength: Math.min(maxItems, minItems + 2) })
    }
    default: {
      const { properties = {}, required = [] } = json
      const each = Object.fromEntries(Object.entries(properties).map(([name, inside]) => [name, valuesOf(inside)]))
      return fc.record(each, { requiredKeys: [...required] })
    }
  }
}

/** Whether these options of a trainer bear a penalty for overflow: a critic without a `lossWeight` counts alone. */
export const bearsOverflow = ({ critic }: { readonly critic?: { readonly lossWeight?: number } | null }): boolean => !critic || Boolean(critic.lossWeight)
