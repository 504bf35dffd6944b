// Runs in tables: pure functions of their configurations and results.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  compareRuns, conditionsIn, differingFields, filterRuns, labelsOf, runId, sortRuns, tableOfRuns, toCsv, toMarkdown, type Json, type RunRecord,
} from '../../src/experiment/index.ts'

const value = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom('a', 'b', null), fc.boolean())
const runs: fc.Arbitrary<RunRecord[]> = fc.array(fc.record({
  config: fc.record({ batch: value, rule: fc.record({ fireRate: value }, { requiredKeys: [] }) }, { requiredKeys: ['rule'] }),
  results: fc.record({ loss: fc.integer({ min: 0, max: 5 }), iteration: fc.nat(9) }),
}), { minLength: 1, maxLength: 8 }).map(list => list.map((run, i) => ({ name: `run-${i}`, ...run }) as RunRecord))

const rate = ({ config }: RunRecord): Json | undefined => (config.rule as Record<string, Json>).fireRate

it('differ in the fields in which any two of them do', () => {
  fc.assert(fc.property(runs, list => {
    const differs = (values: (Json | undefined)[]): boolean => values.some(x => x !== values[0])
    const found = differingFields(list)
    expect(found.includes('batch')).toBe(differs(list.map(({ config }) => config.batch)))
    expect(found.includes('rule.fireRate')).toBe(differs(list.map(rate)))
    expect(found.filter(path => path !== 'batch' && path !== 'rule.fireRate' && path !== 'rule')).toEqual([])
  }))
})

it('are labelled by their names; those of a sweep by the fields that tell them apart, if these do', () => {
  const named = (list: readonly RunRecord[]): RunRecord[] => list.map((run, i) => ({ ...run, name: `out/sweep/runs/${runId({ i })}` }))
  fc.assert(fc.property(runs, list => {
    expect(labelsOf(list)).toEqual(list.map(({ name }) => name))
    const labels = labelsOf(named(list))
    expect(new Set(labels).size).toBe(list.length)
    for (const label of labels) expect(label).toMatch(/^(out\/sweep\/runs\/\w{16}|(batch \S+|fireRate \S+|rule \{\}|, )*)$/)
  }))
  const two = named([0.123456, 0.5].map(rate => ({ name: '', config: { seed: 1, train: { optimiser: { rate } } }, results: {} })))
  expect(labelsOf(two)).toEqual(['rate 0.1235', 'rate 0.5'])
  expect(labelsOf(named([two[0], two[0]]))[0]).toMatch(/^out\//)
})

it('are sorted and filtered, and none is lost', () => {
  fc.assert(fc.property(runs, fc.integer({ min: 0, max: 5 }), (list, bound) => {
    const up = sortRuns(list, 'loss').map(({ results }) => results.loss as number)
    expect(up).toEqual(list.map(({ results }) => results.loss as number).sort((a, b) => a - b))
    expect(sortRuns(list, '-loss').map(({ results }) => results.loss)).toEqual([...up].reverse())
    const names = (some: readonly RunRecord[]): string[] => some.map(({ name }) => name)
    const below = filterRuns(list, [`loss<${bound}`]), above = filterRuns(list, [`loss >= ${bound}`])
    expect([...names(below), ...names(above)].sort()).toEqual(names(list).sort())
    for (const { results } of below) expect(results.loss as number).toBeLessThan(bound)
    expect(names(filterRuns(list, [`loss=${bound}`]))).toEqual(names(list.filter(({ results }) => results.loss === bound)))
    expect(names(filterRuns(list, [`loss!=${bound}`, `loss>=${bound}`]))).toEqual(names(filterRuns(list, [`loss>${bound}`])))
  }))
})

it('are listed in a table with the values that they have, as Markdown and as CSV', () => {
  const list: RunRecord[] = [
    { name: 'a|1', config: { batch: 8, rule: { perceive: ['identity', 'sobelX'] } }, results: { iteration: 9, loss: 0.5 } },
    { name: 'b', config: { batch: 4, rule: { perceive: ['identity', 'sobelX'] }, clip: 1 }, results: { iteration: 9 } },
  ]
  expect(tableOfRuns(list)).toEqual({
    columns: ['name', 'iteration', 'loss', 'batch', 'clip'], rows: [['a|1', 9, 0.5, 8, undefined], ['b', 9, undefined, 4, 1]],
  })
  expect(toMarkdown(tableOfRuns(list))).toBe('| name | iteration | loss | batch | clip |\n| --- | --- | --- | --- | --- |\n| a\\|1 | 9 | 0.5 | 8 |  |\n| b | 9 |  | 4 | 1 |\n')
  expect(toCsv(tableOfRuns(list, ['rule.perceive', 'name']))).toBe('rule.perceive,name\n"[""identity"",""sobelX""]",a|1\n"[""identity"",""sobelX""]",b\n')
  expect(compareRuns(list)).toEqual({
    columns: ['field', 'a|1', 'b'], rows: [['iteration', 9, 9], ['loss', 0.5, undefined], ['batch', 8, 4], ['clip', undefined, 1]],
  })
  expect(() => tableOfRuns(list, ['los'])).toThrow('runs: the field is "los", expected one of batch, rule.perceive, iteration, loss, name, clip; did you mean "loss"?')
  expect(() => filterRuns(list, ['loss'])).toThrow('runs: a condition is "loss", expected a field, one of = != < <= > >=, and a value.')
})

it('conditions are separated by commas, and values may contain commas', () => {
  expect(conditionsIn('loss<0.01, rule.perceive=["identity","sobelX"],train.steps=[64,97] ,batch!=8')).toEqual(['loss<0.01', 'rule.perceive=["identity","sobelX"]', 'train.steps=[64,97]', 'batch!=8'])
  fc.assert(fc.property(runs, fc.constantFrom('<', '>='), fc.constantFrom('', 'x', '0,', '1e999'), (list, operator, text) => {
    expect(() => filterRuns(list, [`loss${operator}${text}`])).toThrow(`expected a number behind ${operator}.`)
  }))
})

it('a table as CSV is read back as it was, whatever its texts (RFC 4180)', () => {
  /** The cells of a file, by the grammar of the RFC. */
  const parsed = (text: string): string[][] => {
    const rows: string[][] = [[]]
    for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\n)/g)) {
      rows.at(-1)!.push(quoted?.replaceAll('""', '"') ?? plain)
      if (end === '\n') rows.push([])
    }
    return rows.slice(0, -1)
  }
  const cell = fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', '\r', ' ', '🦎', ';') })
  fc.assert(fc.property(fc.array(fc.array(cell, { minLength: 2, maxLength: 2 }), { minLength: 1 }), ([columns, ...rows]) => {
    expect(parsed(toCsv({ columns, rows }))).toEqual([columns, ...rows])
  }))
})
