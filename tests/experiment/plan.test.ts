// The plan of a sweep and the report about it: pure functions.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { checkData } from '../../src/backends/fields.ts'
import {
  meanAndStd, planOf, ranked, runId, sweepField, sweepReport, valueAt, type Candidate,
} from '../../src/experiment/index.ts'

it('a plan has a run for each point and seed, named by its configuration', () => {
  const sweep = checkData('sweep', sweepField, { base: {}, fields: { 'train.batch': [2, 4], 'rule.fireRate': [0.5, 1] }, seeds: [3, 5] })
  const { points, runs, machine } = planOf(sweep, { target: 'a', rule: { noise: null } }, 70)
  expect(points).toHaveLength(4)
  expect(machine.rungs).toEqual([70])
  expect(runs.flat().map(({ config }) => config)).toEqual(points.flatMap(point => [3, 5].map(seed => (
    { data: { target: 'a' }, train: { batch: point['train.batch'] }, rule: { noise: null, fireRate: point['rule.fireRate'] }, seed }
  ))))
  for (const { id, config } of runs.flat()) expect(id).toBe(runId(config))
  expect(new Set(runs.flat().map(({ id }) => id)).size).toBe(8)
  const halved = checkData('sweep', sweepField, { base: {}, fields: { batch: [2, 4, 8] }, halving: { least: 10 } })
  expect(planOf(halved, { iterations: 90 }, 1).machine.rungs).toEqual([10, 30, 90])
  // No value of the file is silently replaced.
  const said = (more: object) => () => planOf(checkData('sweep', sweepField, { base: {}, fields: { batch: [2] }, ...more }), { seed: 7 }, 70)
  expect(said({})().runs.flat().map(({ seed, config }) => [seed, config.seed])).toEqual([[7, 7]])
  expect(said({ fields: { seed: [1, 2] } })).toThrow('sweep: a field is "seed", expected seeds: a list, over which results are averaged.')
  expect(said({ fields: { iterations: [10, 20] } })).toThrow('sweep: a field is "iterations", expected train.iterations in the base: all candidates are trained equally long, or by halving.')
  expect(said({ fields: { batch: [2], 'train.batch': [3] } })).toThrow('sweep: a field is "train.batch", expected each field once; it is batch, which is there too.')
  expect(said({ halving: { least: 71 } })).toThrow('sweep: halving.least is 71, expected at most the iterations of a run, 70.')
  // The budget is for all seeds together.
  const within = (iterations: number) => planOf({ ...sweep, budget: { runs: null, iterations, minutes: null } }, {}, 70)
  const [next] = [within(2 * 70).machine].map(({ start, next }) => next(next(start)!.state))
  expect(next).toBeNull()
  expect(() => within(139)).toThrow('sweep: budget.iterations is 139, expected at least 140, which the first candidate needs.')
})

it('a candidate whose folds are all held out in turn has a run for each seed and fold, and is judged by their mean', () => {
  const base = { task: 'texture', recipe: 'texture', data: { image: 'a' }, train: { iterations: 70 }, validate: { every: 1, folds: 3, fold: 'all' } }
  const sweep = checkData('sweep', sweepField, { base, fields: { 'train.batch': [2, 4] }, seeds: [3, 5] })
  const { runs, configs } = planOf(sweep, base, 1)
  for (const [candidate, own] of runs.entries()) {
    expect(own.map(({ seed, config }) => [seed, config.seed, valueAt(config, 'validate.fold')])).toEqual([3, 5].flatMap(seed => [0, 1, 2].map(fold => [seed, seed, fold])))
    expect(valueAt(configs[candidate], 'validate.fold')).toBe('all')
  }
  expect(new Set(runs.flat().map(({ id }) => id)).size).toBe(12)
  const within = (iterations: number) => () => planOf({ ...sweep, budget: { runs: null, iterations, minutes: null } }, base, 1)
  expect(within(6 * 70)).not.toThrow()
  expect(within(6 * 70 - 1)).toThrow('expected at least 420, which the first candidate needs.')
})

const designs = fc.constantFrom(
  { fields: { 'train.batch': [2, 3, 4], 'train.reseed': { values: [0, 1], when: { 'train.batch': [3, 4] } } } },
  ...['random', 'latinHypercube'].map(design => ({ fields: { 'train.rate': { from: 1e-4, to: 1e-2 } }, design, runs: 5 })),
)
const budgets = fc.record({ runs: fc.option(fc.integer({ min: 2, max: 14 })), iterations: fc.option(fc.integer({ min: 20, max: 160 })) })

it('a sweep of any design spends no more than its budgets of runs and of iterations, all seeds counted, and as much as it can', () => {
  fc.assert(fc.property(designs, budgets, fc.constantFrom(null, { least: 5 }), fc.constantFrom([1], [1, 2]), (design, budget, halving, seeds) => {
    const { points, runs, machine } = planOf(checkData('sweep', sweepField, { base: {}, ...design, seeds, halving, budget }), {}, 10)
    const trained = new Map<number, number>()
    const [runsOf, cost] = [(): number => trained.size * seeds.length, (): number => seeds.length * [...trained.values()].reduce((a, b) => a + b, 0)]
    let state = machine.start
    for (let given = machine.next(state); given; given = machine.next(state)) {
      trained.set(given.job.candidate, given.job.iterations)
      state = machine.tell(given.state, given.job, given.job.candidate)
    }
    expect([machine.isDone(state), runs.length]).toEqual([true, points.length])
    expect(runsOf()).toBeLessThanOrEqual(budget.runs ?? Infinity)
    expect(cost()).toBeLessThanOrEqual(budget.iterations ?? Infinity)
    expect([...trained.keys()]).toEqual(Array.from(trained.keys(), (_, i) => i)) // in the order of the design
    if (trained.size < points.length && !machine.isSpent(state)) expect(runsOf() + seeds.length).toBeGreaterThan(budget.runs!)
    if (budget.runs === null && budget.iterations === null) expect(trained.size).toBe(points.length)
  }))
  expect(() => planOf(checkData('sweep', sweepField, { base: {}, fields: { batch: [2] }, seeds: [1, 2], budget: { runs: 1 } }), {}, 10))
    .toThrow('sweep: budget.runs is 1, expected at least 2, which the first candidate needs.')
})

const value = fc.option(fc.integer({ min: 1, max: 50 }), { freq: 5 })
const candidates: fc.Arbitrary<Candidate[]> = fc.array(fc.record({
  point: fc.record({ a: fc.nat(3) }), iterations: fc.constantFrom(10, 30), values: fc.array(value, { minLength: 1, maxLength: 3 }),
}), { maxLength: 8 })

it('candidates are ranked by how long they were trained, then by their mean; those that failed come last', () => {
  fc.assert(fc.property(candidates, list => {
    const judged = ranked(list)
    expect(judged).toHaveLength(list.length)
    judged.forEach((b, i) => {
      expect(b.mean === null).toBe(b.values.includes(null))
      if (b.mean !== null) expect(b.mean).toBeCloseTo(b.values.reduce<number>((sum, x) => sum + x!, 0) / b.values.length, 9)
      const a = judged[i - 1]
      if (i === 0 || b.mean === null) return
      expect(a.mean).not.toBeNull()
      expect(a.iterations > b.iterations || (a.iterations === b.iterations && a.mean! <= b.mean)).toBe(true)
    })
    const report = sweepReport('a sweep', judged, { abc: 'no memory' }, ['a.svg'])
    expect(report).toContain('- abc failed: no memory\n')
    expect(report.split('\n').filter(line => /^\| (\d+|a) \|/.test(line)).length).toBeGreaterThanOrEqual(list.length)
  }))
})

it('the standard deviation is that of a sample', () => {
  fc.assert(fc.property(fc.array(fc.double({ min: -10, max: 10, noNaN: true }), { minLength: 2 }), list => {
    const { mean, std } = meanAndStd(list)
    // By pairs: Σ_(i<j) (x_i − x_j)² = n Σ (x − mean)².
    const pairs = list.flatMap((x, i) => list.slice(i + 1).map(y => (x - y) ** 2)).reduce((a, b) => a + b, 0)
    expect(std ** 2).toBeCloseTo(pairs / list.length / (list.length - 1), 8)
    expect(mean * list.length).toBeCloseTo(list.reduce((a, b) => a + b), 8)
  }))
  expect(meanAndStd([7])).toEqual({ mean: 7, std: 0 })
})
