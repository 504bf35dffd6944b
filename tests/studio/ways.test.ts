// The form of Train is made from the schema of the configuration: it has every field except those that the page names, and
// every value that can be chosen or typed is one that the schema allows.

import { configOf, describe as describeField, type JsonSchema } from 'cellgrad/experiment'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fieldsOf, forFolders, ownControls, valuesOf } from '../../studio/src/rooms/train/fields.ts'
import { begun, fieldsIn, textOf, valueOf, wayOf, waysOf, type Way } from '../../studio/src/rooms/train/ways.ts'
import { wrongIn } from '../experiment/json-schema.ts'

/** A schema, its alternatives and its parts, and theirs, and so on. */
function within(schema: JsonSchema): JsonSchema[] {
  return [schema, ...waysOf(schema).flatMap(way => (
    way.is === 'fields' ? fieldsIn(way).flatMap(([, inner]) => within(inner)) : way.is === 'list' ? within(way.schema.items!) : []
  ))]
}

const fields = fieldsOf('regenerating')
const schemas = fields.flatMap(({ schema }) => within(schema))

/** A value that a person may choose and type: a way, and the values that it needs. */
function chosen(schema: JsonSchema): fc.Arbitrary<unknown> {
  const values = (way: Way): fc.Arbitrary<unknown> => {
    switch (way.is) {
      case 'word': return fc.constant(way.word)
      case 'text': return fc.constantFrom(...way.schemas).chain(one)
      case 'list': return fc.array(chosen(way.schema.items!), { minLength: way.schema.minItems, maxLength: 3 })
      case 'names': return fc.dictionary(fc.constantFrom('rgba', 'hidden', 'more'), one(way.schema.additionalProperties as JsonSchema), { minKeys: 1 })
      case 'fields': {
        const needed = fieldsIn(way).map(([name, inner]) => [name, chosen(inner)])
        return fc.record(Object.fromEntries(needed) as Record<string, fc.Arbitrary<unknown>>, { requiredKeys: way.schema.required?.filter(name => !(name in way.kind)) }).map(x => ({ ...way.kind, ...x }))
      }
    }
  }
  return fc.constantFrom(...waysOf(schema)).chain(values)
}

/** A number, a text, or a list of them. */
function one({ type, items, minimum = 0, maximum = minimum + 9, exclusiveMinimum, exclusiveMaximum, not, minItems = 0, maxItems = 3 }: JsonSchema): fc.Arbitrary<unknown> {
  if (type === 'string') return fc.constantFrom('update', 'hidden', 'perceive.w1')
  if (type === 'array') return fc.array(one(items!), { minLength: minItems, maxLength: Math.min(maxItems, 4) })
  if (type === 'integer') return fc.integer({ min: minimum, max: Math.min(maximum, minimum + 99) }).map(n => (not && n % 2 === 0 ? n + 1 : n))
  return fc.double({ min: exclusiveMinimum ?? minimum, max: exclusiveMaximum ?? maximum, noNaN: true, minExcluded: exclusiveMinimum !== undefined, maxExcluded: exclusiveMaximum !== undefined }).map(x => (x === 0 ? 0 : x))
}

describe('the form of a configuration', () => {
  it.each(['growing', 'persistent', 'regenerating'] as const)('has every field of %s, except those that the page says it leaves out', preset => {
    const made = configOf({ preset })
    if (!('config' in made)) throw new Error('a preset is wrong')
    const shown = fieldsOf(preset)
    for (const { key, schema, otherwise } of shown) {
      expect(schema.description, key).toBeTruthy()
      expect(wayOf(waysOf(schema), otherwise), key).toBeDefined()
    }
    const nested = { ...valuesOf(Object.fromEntries(shown.map(({ key, otherwise }) => [key, otherwise]))) } as Record<string, object>
    const { task, backend, report, seeds, data: { target }, train: { from }, rule: { type, update } } = made.config
    expect(ownControls).toEqual(['task', 'preset', 'data.target', 'train.from', 'backend'])
    expect(forFolders).toEqual(['report', 'seeds'])
    expect({
      ...nested, task, preset, backend, report, seeds,
      data: { ...nested.data, target }, train: { ...nested.train, from },
      rule: { type, ...nested.rule, update: { type: update.type, ...(nested.rule as { update: object }).update } },
    }).toEqual(made.config)
  })

  it('has no box for JSON: one types only a number, a text, or a list of them', () => {
    for (const schema of schemas) {
      for (const way of waysOf(schema)) if (way.is === 'text') for (const { type, items } of way.schemas) expect(type === 'array' ? items!.type : type).toMatch(/^(number|integer|string)$/)
    }
    const kinds = (path: readonly string[]): string[] => waysOf(describeField(path).schema).map(({ name }) => name)
    expect(kinds(['train', 'optimiser', 'rate'])).toEqual(['a number', 'step', 'exponential', 'cosine', 'wsd', 'warmUp'])
    expect(kinds(['train', 'damage'])).toEqual(['circle', 'rectangle', 'halfPlane'])
    expect(kinds(['rule', 'living'])).toEqual(['null', 'channel, above, when'])
    expect(kinds(['train', 'clip'])).toEqual(['a number'])
  })

  it('choosing a way gives a value that belongs to it', () => {
    fc.assert(fc.property(fc.anything(), before => {
      for (const schema of schemas) {
        const ways = waysOf(schema)
        expect(new Set(ways.map(({ name }) => name)).size).toBe(ways.length)
        for (const way of ways) {
          expect(wayOf(ways, begun(ways, way, before, undefined))).toEqual(way)
          expect(wayOf(ways, begun(ways, way, before, schema.default))).toEqual(way)
        }
      }
    }), { numRuns: 10 })
  })

  it('values that are chosen and typed are allowed by the schema, and are shown as they are typed', () => {
    fc.assert(fc.property(fc.constantFrom(...schemas).chain(schema => fc.tuple(fc.constant(schema), chosen(schema))), ([schema, value]) => {
      expect(wrongIn(schema, value)).toEqual([])
      const ways = waysOf(schema), way = wayOf(ways, value)
      expect(way).toBeDefined()
      if (way?.is === 'text') expect(valueOf(textOf(value, way.schemas), way.schemas)).toEqual(value)
    }), { numRuns: 300 })
  })

  it('a number becomes the rate of a schedule, and a schedule gives it back', () => {
    const ways = waysOf(describeField(['train', 'optimiser', 'rate']).schema)
    for (const way of ways) {
      const made = begun(ways, way, 0.002, undefined)
      expect(made).toEqual(way.is === 'text' ? '' : { type: way.name, [way.name === 'warmUp' ? 'schedule' : 'rate']: 0.002 })
      if (way.is === 'fields') expect(begun(ways, ways[0], made, undefined)).toBe(0.002)
    }
  })
})
