import fc from 'fast-check'
import { expect, it } from 'vitest'
import { flatten, valueAt, withValue, type JsonObject, type Json } from '../../src/experiment/index.ts'

const name = fc.string({ minLength: 1, maxLength: 3 }).filter(text => !text.includes('.') && text !== '__proto__')
const { config } = fc.letrec<{ value: Json; config: JsonObject }>(tie => ({
  value: fc.oneof({ depthSize: 'small' }, fc.double({ noNaN: true }), fc.string(), fc.boolean(), fc.constant(null), fc.array(tie('value'), { maxLength: 3 }), tie('config')),
  config: fc.dictionary(name, tie('value'), { maxKeys: 4, noNullPrototype: true }),
}))

it('a configuration is equal to its paths and their values', () => {
  fc.assert(fc.property(config, whole => {
    const flat = flatten(whole)
    const paths = Object.keys(flat)
    for (const path of paths) expect(valueAt(whole, path)).toEqual(flat[path])
    expect(paths.reduce((made, path) => withValue(made, path, flat[path]), {} as JsonObject)).toEqual(whole)
  }))
})

it('a new value at a path changes nothing else', () => {
  fc.assert(fc.property(config, fc.array(name, { minLength: 1, maxLength: 3 }), fc.integer(), (whole, names, value) => {
    const path = names.join('.')
    const changed = withValue(whole, path, value)
    expect(valueAt(changed, path)).toBe(value)
    const others = Object.entries(flatten(whole)).filter(([other]) => !`${other}.`.startsWith(`${path}.`) && !path.startsWith(`${other}.`))
    for (const [other, before] of others) expect(valueAt(changed, other)).toEqual(before)
  }))
})
