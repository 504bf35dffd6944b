import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { tensor } from '../../src/index.ts'
import { eachLeaf, mapTree, zipTrees } from '../../src/tensor/tree.ts'

/** Trees of numbers, with keys that need not be identifiers. */
const { tree } = fc.letrec(tie => ({
  tree: fc.oneof({ depthSize: 'small' }, fc.nat(), fc.array(tie('tree'), { maxLength: 3 }), fc.dictionary(fc.string({ maxLength: 3 }), tie('tree'), { maxKeys: 3 })),
}))

/** The same tree with the keys of every object in reverse. */
function reversed(x: unknown): unknown {
  if (Array.isArray(x)) return x.map(reversed)
  if (typeof x !== 'object' || x === null) return x
  return Object.fromEntries(Object.entries(x).reverse().map(([key, value]) => [key, reversed(value)]))
}

describe('mapTree', () => {
  it('replaces leaves, keeps the structure and the order of keys, and names places', () => {
    const mapped = mapTree({ a: 1, update: { w: [2, 3] } } as object, (leaf, path) => `${path}=${leaf}`)
    expect(mapped).toEqual({ a: 'a=1', update: { w: ['update.w.0=2', 'update.w.1=3'] } })
    expect(mapTree(7 as unknown, (leaf, path) => [leaf, path])).toEqual([7, ''])
    fc.assert(fc.property(tree, t => {
      expect(mapTree(t, leaf => leaf)).toEqual(t)
      expect(JSON.stringify(mapTree(t, leaf => leaf))).toBe(JSON.stringify(t))
      expect(mapTree(mapTree(t, leaf => Number(leaf) + 1), leaf => Number(leaf) - 1)).toEqual(t)
    }))
  })

  it('takes tensors, functions, dates, class instances, null and undefined as leaves', () => {
    const leaves = [tensor(1), () => 0, new Date(0), new (class Foo { x = 1 })(), null, undefined, new Map()]
    const seen: unknown[] = []
    eachLeaf({ deep: leaves }, leaf => seen.push(leaf))
    expect(seen.every((leaf, i) => leaf === leaves[i])).toBe(true)
    expect(seen.length).toBe(leaves.length)
  })

  it('handles objects without a prototype and keys that mean something to JavaScript', () => {
    const odd = Object.assign(Object.create(null) as Record<string, unknown>, { constructor: 1 })
    Object.defineProperty(odd, '__proto__', { value: 2, enumerable: true })
    const mapped = mapTree(odd, leaf => Number(leaf) * 10)
    expect(Object.entries(mapped)).toEqual([['constructor', 10], ['__proto__', 20]])
  })
})

describe('eachLeaf', () => {
  it('visits what mapTree maps, in the same order, by the same names', () => {
    fc.assert(fc.property(tree, t => {
      const [mapped, visited]: [unknown[], unknown[]] = [[], []]
      mapTree(t, (leaf, path) => mapped.push([leaf, path]))
      eachLeaf(t, (leaf, path) => visited.push([leaf, path]))
      expect(visited).toEqual(mapped)
    }))
  })
})

describe('zipTrees', () => {
  it('combines leaves of the same name, whatever the order of keys', () => {
    fc.assert(fc.property(tree, t => {
      zipTrees(t, [reversed(t), t], (leaf, others) => expect(others).toEqual([leaf, leaf]))
    }))
  })

  it('passes undefined where another tree has no such place', () => {
    const found = zipTrees({ a: 1, b: { c: 2 }, d: [3, 4] } as unknown, [{ a: 10, b: null, d: [30] }], (_, [other]) => other)
    expect(found).toEqual({ a: 10, b: { c: undefined }, d: [30, undefined] })
  })
})
