// Folds: every example is tested once; classes are spread, groups are kept together.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { key, kFold, type Split } from '../../src/index.ts'

const ascending = (ids: readonly number[]): number[] => [...ids].sort((a, b) => a - b)
const sizes = fc.tuple(fc.integer({ min: 2, max: 40 }), fc.nat(), fc.nat())

/** Throws unless these are folds of n examples that test each of them once. */
function expectFolds(cuts: readonly Split[], n: number, folds: number): void {
  const all = Array.from({ length: n }, (_, i) => i)
  expect(cuts).toHaveLength(folds)
  expect(ascending(cuts.flatMap(({ test }) => test))).toEqual(all)
  for (const { train, test } of cuts) {
    expect(test.length).toBeGreaterThan(0)
    expect(ascending([...train, ...test])).toEqual(all)
  }
}

it('test each example once, and differ in size by one at most', () => {
  fc.assert(fc.property(sizes, ([n, cut, seed]) => {
    const folds = 2 + cut % (n - 1)
    const cuts = kFold(key(seed), n, folds)
    expectFolds(cuts, n, folds)
    for (const { test } of cuts) expect([Math.floor(n / folds), Math.ceil(n / folds)]).toContain(test.length)
  }))
})

it('have each class equally often, up to one example, if they are stratified', () => {
  fc.assert(fc.property(sizes, fc.array(fc.nat(3), { minLength: 40, maxLength: 40 }), ([n, cut, seed], classes) => {
    const folds = 2 + cut % (n - 1), labels = classes.slice(0, n)
    const cuts = kFold(key(seed), n, folds, { labels })
    expectFolds(cuts, n, folds)
    for (const label of new Set(labels)) {
      const counts = cuts.map(({ test }) => test.filter(id => labels[id] === label).length)
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
    }
    const lengths = cuts.map(({ test }) => test.length)
    expect(Math.max(...lengths) - Math.min(...lengths)).toBeLessThanOrEqual(1)
  }))
})

it('keep a group together, and are as even as the largest group allows', () => {
  fc.assert(fc.property(sizes, fc.array(fc.nat(9), { minLength: 40, maxLength: 40 }), fc.boolean(), ([n, cut, seed], subjects, labelled) => {
    const groups = subjects.slice(0, n).map(s => `subject ${s}`)
    const distinct = new Set(groups).size
    fc.pre(distinct >= 2)
    const folds = 2 + cut % (distinct - 1)
    const cuts = kFold(key(seed), n, folds, { groups, ...(labelled && { labels: groups.map((_, i) => i % 3) }) })
    expectFolds(cuts, n, folds)
    for (const { train, test } of cuts) {
      const tested = new Set(test.map(id => groups[id]))
      expect(train.some(id => tested.has(groups[id]))).toBe(false)
    }
    if (labelled) return
    const lengths = cuts.map(({ test }) => test.length)
    const greatest = Math.max(...[...new Set(groups)].map(name => groups.filter(g => g === name).length))
    expect(Math.max(...lengths) - Math.min(...lengths)).toBeLessThanOrEqual(greatest)
  }))
})

it('spread classes over folds if groups allow it', () => {
  // Ten subjects with four examples each, five ill and five well: each of five folds gets one of either.
  const groups = Array.from({ length: 40 }, (_, i) => Math.floor(i / 4))
  const labels = groups.map(g => g % 2)
  for (const { test } of kFold(key(3), 40, 5, { groups, labels })) {
    expect(test.map(id => labels[id]).reduce((a, b) => a + b)).toBe(4)
    expect(test).toHaveLength(8)
  }
})

it('are refused in one sentence if they are impossible', () => {
  expect(() => kFold(key(0), 5, 6)).toThrow('kFold: folds is 6, expected a whole number from 2 to n, 5.')
  expect(() => kFold(key(0), 5, 3, { groups: [1, 1, 2, 2, 2] })).toThrow('kFold: folds is 3, expected a whole number from 2 to the number of groups, 2.')
  expect(() => kFold(key(0), 5, 2, { labels: [1, 2] })).toThrow('kFold: the length of labels is 2, expected n, 5.')
  expect(() => kFold(key(0), 5, 2, { label: [1, 2] } as never)).toThrow('kFold: there is no option "label"; did you mean "labels"?')
})
