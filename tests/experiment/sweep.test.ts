// The designs of sweeps, which depend only on their arguments.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { key } from '../../src/index.ts'
import {
  configAt, gridOf, halving, importanceIn, importanceOf, latinHypercube, randomOf, ranked, runId, type HalvingJob, type HalvingState,
  type Json, type Point, type RangeField, type SweepFields,
} from '../../src/experiment/index.ts'

const names = ['a', 'b.c', 'b.d', 'e']
const values = fc.uniqueArray(fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.constant(null)), { minLength: 1, maxLength: 4 })
const range: fc.Arbitrary<RangeField> = fc.record({
  from: fc.integer({ min: 1, max: 50 }), to: fc.integer({ min: 51, max: 200 }), scale: fc.constantFrom('linear', 'log'), whole: fc.boolean(),
  levels: fc.integer({ min: 1, max: 4 }),
})
const field = fc.oneof(values, range)
const fields: fc.Arbitrary<SweepFields> = fc.array(field, { minLength: 1, maxLength: 4 })
  .map(list => Object.fromEntries(list.map((f, i) => [names[i], f])) as SweepFields)

/** Whether a field may have a value. */
function fits(f: SweepFields[string], x: Json): boolean {
  if (Array.isArray(f)) return f.includes(x)
  const { from, to, whole } = f as RangeField
  return typeof x === 'number' && x >= from && (whole ? x < to && Number.isInteger(x) : x <= to)
}

/** A text that is the same for equal points. */
const text = (point: Point): string => JSON.stringify(Object.entries(point))

describe('a design', () => {
  it('of a grid has every combination once, in order', () => {
    fc.assert(fc.property(fc.array(values, { minLength: 1, maxLength: 3 }), lists => {
      const points = gridOf(Object.fromEntries(lists.map((list, i) => [names[i], list])))
      const wanted = lists.reduce<Json[][]>((all, list) => all.flatMap(row => list.map(x => [...row, x])), [[]])
      expect(points.map(point => Object.values(point))).toEqual(wanted)
    }))
  })

  it('has points within the fields, none twice, and the same points every time', () => {
    fc.assert(fc.property(fields, fc.integer({ min: 1, max: 12 }), fc.nat(), (given, n, seed) => {
      const designs = [() => gridOf(given), () => randomOf(given, { n, key: key(seed) }), () => latinHypercube(given, { n, key: key(seed) })]
      for (const design of designs) {
        const points = design()
        for (const point of points) {
          expect(Object.keys(point)).toEqual(Object.keys(given))
          for (const [path, x] of Object.entries(point)) expect(fits(given[path], x), `${path}: ${String(x)}`).toBe(true)
        }
        expect(new Set(points.map(text)).size).toBe(points.length)
        expect(design()).toEqual(points)
      }
    }))
  })

  it('of a Latin hypercube has one point in each of n equal parts of each range', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 30 }), fc.nat(), fc.constantFrom('linear', 'log'), (n, seed, scale) => {
      const points = latinHypercube({ x: { from: 1, to: 10, scale }, y: { from: 2, to: 3 } }, { n, key: key(seed) })
      const part = (u: number): number => Math.floor(u * n)
      const ofX = (x: number): number => part(scale === 'log' ? Math.log10(x) : (x - 1) / 9)
      const ascending = (list: number[]): number[] => list.sort((a, b) => a - b)
      const all = Array.from({ length: n }, (_, i) => i)
      expect(ascending(points.map(({ x }) => ofX(x as number)))).toEqual(all)
      expect(ascending(points.map(({ y }) => part(y as number - 2)))).toEqual(all)
    }))
  })

  it('leaves out fields that do not apply, and points that are equal without them', () => {
    const points = gridOf({ pool: [0, 256], damaged: { values: [0, 3], when: { pool: [256] } }, size: { values: [1, 2], when: { damaged: [3] } } })
    expect(points).toEqual([{ pool: 0 }, { pool: 256, damaged: 0 }, { pool: 256, damaged: 3, size: 1 }, { pool: 256, damaged: 3, size: 2 }])
    expect(configAt({ pool: 8, rule: { noise: null } }, { 'train.pool': 0, 'rule.fireRate': 0.5 })).toEqual({ train: { pool: 0 }, rule: { noise: null, fireRate: 0.5 } })
  })

  it('says what is wrong in one sentence', () => {
    expect(() => gridOf({})).toThrow('gridOf: fields is {}, expected a list of values or a range for each path.')
    expect(() => gridOf({ a: [1, 1] })).toThrow('gridOf: a is [1, 1], expected a list of values that differ.')
    expect(() => gridOf({ a: { from: 0, to: 1 } })).toThrow('gridOf: a.levels is undefined, expected a whole number > 0')
    expect(() => randomOf({ a: { from: 0, to: 1, scale: 'log' } }, { n: 1 })).toThrow('randomOf: a.from is 0, expected a number > 0.')
    expect(() => randomOf({ a: { from: 2, to: 1 } }, { n: 1 })).toThrow('randomOf: a.to is 1, expected a number above from.')
    expect(() => randomOf({ a: { form: 2, to: 1 } as never }, { n: 1 })).toThrow('randomOf: a: there is no option "form"; did you mean "from"?')
    expect(() => gridOf({ b: [1, 2], a: { values: [1], when: { b: [2, 3] } } })).toThrow('gridOf: a.when.b is 3, expected values that b may have: 1, 2.')
    expect(() => gridOf({ b: [1], a: { values: [1], when: { b: [] } } })).toThrow('gridOf: a.when.b is [], expected a list of values.')
    expect(() => gridOf({ a: { values: [1], when: { b: [1] } }, b: [1] })).toThrow('gridOf: a.when is "b", expected a field that stands before it: there is none.')
    expect(() => gridOf(Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`f${i}`, [0, 1, 2, 3, 4, 5, 6]])))).toThrow('gridOf: the number of combinations is 117649')
  })
})

describe('the name of a run', () => {
  it('depends only on its configuration, not on the order of keys, and differs for different ones', () => {
    const config = fc.dictionary(fc.string({ maxLength: 3 }), fc.oneof(fc.integer(), fc.dictionary(fc.string({ maxLength: 2 }), fc.boolean())), { noNullPrototype: true })
    const turned = (x: Json): Json => (typeof x === 'object' && x !== null && !Array.isArray(x)
      ? Object.fromEntries(Object.entries(x).reverse().map(([k, v]) => [k, turned(v!)])) : x)
    fc.assert(fc.property(config, fc.integer(), (c, x) => {
      expect(runId(turned(c) as typeof c)).toBe(runId(c))
      expect(runId(c)).toMatch(/^[0-9a-f]{16}$/)
      expect(runId({ ...c, other: x })).not.toBe(runId(c))
    }))
  })

  it('does not change from one version to the next', () => {
    expect(runId({})).toBe('08f44b07b5901a25')
    expect(runId({ batch: 8, rule: { fireRate: 0.5, living: null } })).toBe('60ec4bea50eb475c')
  })
})

describe('successive halving', () => {
  /** Runs a machine with so many workers that finish in random order; returns the jobs in the order of their results. */
  function play(machine: ReturnType<typeof halving>, workers: number, order: readonly number[], valueOf: (job: HalvingJob) => number | null): { done: HalvingJob[]; state: HalvingState } {
    let state = machine.start
    const running: HalvingJob[] = []
    const done: HalvingJob[] = []
    for (let turn = 0; ; turn++) {
      while (running.length < workers) {
        const given = machine.next(state)
        if (!given) break
        ({ state } = given)
        running.push(given.job)
      }
      if (running.length === 0) return { done, state }
      expect(machine.isDone(state)).toBe(false)
      const [job] = running.splice(order[turn % order.length] % running.length, 1)
      state = machine.tell(state, job, valueOf(job))
      done.push(job)
    }
  }
  const options = fc.record({
    candidates: fc.integer({ min: 1, max: 30 }), least: fc.integer({ min: 1, max: 20 }), most: fc.integer({ min: 20, max: 400 }), factor: fc.constantFrom(2, 3, 4),
  })
  const order = fc.array(fc.nat(1000), { minLength: 1, maxLength: 20 })
  const losses = fc.array(fc.option(fc.integer({ min: 0, max: 9 }), { freq: 6 }), { minLength: 30, maxLength: 30 })
  const jobs = (list: readonly HalvingJob[]): string[] => list.map(({ candidate, rung }) => `${rung}:${candidate}`).sort()

  it('does the same for any number of workers that finish in any order, and ends with the best', () => {
    fc.assert(fc.property(options, fc.integer({ min: 1, max: 8 }), order, losses, (given, workers, drawn, loss) => {
      const machine = halving(given)
      const valueOf = ({ candidate }: HalvingJob): number | null => loss[candidate]
      const one = play(machine, 1, [0], valueOf)
      const many = play(machine, workers, drawn, valueOf)
      expect(jobs(many.done)).toEqual(jobs(one.done))
      expect(machine.isDone(many.state)).toBe(true)
      expect(machine.rungs).toEqual([...machine.rungs].sort((a, b) => a - b))
      expect([machine.rungs[0], machine.rungs.at(-1)]).toEqual([given.least, given.most])
      // Each job once; no failed candidate is promoted; one that reaches the top is at least as good as any other.
      expect(new Set(jobs(many.done)).size).toBe(many.done.length)
      for (const { rung, candidate } of many.done) if (rung > 0) expect(loss[candidate]).not.toBeNull()
      const best = Math.min(...loss.slice(0, given.candidates).filter(x => x !== null))
      const top = many.done.filter(({ rung }) => rung === machine.rungs.length - 1)
      if (best < Infinity) expect(top.map(({ candidate }) => loss[candidate])).toContain(best)
    }))
  })

  it('without waiting, no worker is idle while candidates are left, and it ends too', () => {
    fc.assert(fc.property(options, fc.integer({ min: 1, max: 8 }), order, losses, (given, workers, drawn, loss) => {
      const machine = halving({ ...given, wait: false })
      const { done, state } = play(machine, workers, drawn, ({ candidate }) => loss[candidate])
      expect(machine.isDone(state)).toBe(true)
      expect(new Set(jobs(done)).size).toBe(done.length)
      expect(done.filter(({ rung }) => rung === 0)).toHaveLength(given.candidates)
      for (let s = machine.start, i = 0; i < given.candidates; i++) {
        const next = machine.next(s)
        expect(next?.job).toMatchObject({ rung: 0, candidate: i })
        s = next!.state
      }
    }))
  })

  it('hands out as many jobs as its budget allows, and the same ones for any number of workers', () => {
    fc.assert(fc.property(options, fc.integer({ min: 1, max: 8 }), order, losses, fc.double({ min: 0.1, max: 1.2, noNaN: true }), (given, workers, drawn, loss, share) => {
      const valueOf = ({ candidate }: HalvingJob): number | null => loss[candidate]
      const all = play(halving(given), 1, [0], valueOf).done
      const { rungs } = halving(given)
      const costs = all.map(({ rung }) => rungs[rung] - (rung === 0 ? 0 : rungs[rung - 1]))
      const budget = share * costs.reduce((a, b) => a + b)
      const affordable = costs.findIndex((_, i) => costs.slice(0, i + 1).reduce((a, b) => a + b) > budget)
      const machine = halving({ ...given, budget })
      const { done, state } = play(machine, workers, drawn, valueOf)
      expect(jobs(done)).toEqual(jobs(affordable < 0 ? all : all.slice(0, affordable)))
      expect([machine.isDone(state), machine.isSpent(state)]).toEqual([true, affordable >= 0])
    }))
  })

  it('has the documented rungs, and promotes the best', () => {
    const machine = halving({ candidates: 9, least: 100, most: 900 })
    const { done } = play(machine, 2, [1, 0], ({ candidate }) => -candidate)
    expect(machine.rungs).toEqual([100, 300, 900])
    expect(jobs(done.filter(({ rung }) => rung > 0))).toEqual(['1:6', '1:7', '1:8', '2:8'])
    expect(halving({ candidates: 9, least: 1, most: 4, factor: 1.01 }).rungs).toEqual([1, 2, 3, 4])
    expect(() => halving({ candidates: 1, least: 3, most: 2 })).toThrow('halving: least is 3, expected at most most, 2.')
    expect(() => machine.tell(machine.start, { candidate: 0, rung: 0, iterations: 1 }, 1)).toThrow('halving: the candidate is 0, expected one that was handed out in this rung.')
  })
})

describe('importance', () => {
  it('is near 1 for a field that decides, and near 0 for one that does not matter', () => {
    const points = latinHypercube({ rate: { from: 0, to: 1 }, noise: { from: 0, to: 1 }, word: ['a', 'b'] }, { n: 200 })
    const found = importanceOf(points.map(point => ({ point, value: 3 * (point.rate as number) })))
    expect(Object.keys(found)[0]).toBe('rate')
    expect(found.rate).toBeGreaterThan(0.9)
    expect(found.noise).toBeLessThan(0.1)
    expect(found.word).toBeLessThan(0.1)
    const words = importanceOf(points.map(point => ({ point, value: point.word === 'a' ? 1 : 2 })))
    expect(words.word).toBeCloseTo(1, 12)
  })

  it('compares low with high numbers if they differ in each result; says nothing about words that do, or about too few results', () => {
    const results = [[1, 'a', 10], [2, 'b', 11], [3, 'c', 30], [4, 'd', 31]].map(([rate, word, value]) => ({ point: { rate, word }, value: value as number }))
    expect(importanceOf(results)).toEqual({ rate: expect.closeTo(0.997, 2) })
    expect(importanceOf(results.slice(1))).toEqual({})
    // Each seed of a candidate is a result, so there are several for each word.
    const seeds = results.flatMap(({ point, value }) => [{ point, value }, { point, value: value + 0.1 }])
    expect(importanceOf(seeds).word).toBeGreaterThan(0.99)
    expect(importanceIn(ranked(results.map(({ point, value }) => ({ point, iterations: 1, values: [value, value + 0.1] })))).word).toBeGreaterThan(0.99)
  })

  it('is from 0 to 1, does not depend on order and scale, and leaves out failed runs', () => {
    fc.assert(fc.property(fc.array(fc.record({ a: fc.nat(3), b: fc.nat(20), value: fc.integer({ min: -9, max: 9 }) }), { maxLength: 30 }), list => {
      const results = list.map(({ a, b, value }) => ({ point: { a, b }, value }))
      const found = importanceOf(results)
      for (const share of Object.values(found)) {
        expect(share).toBeGreaterThanOrEqual(0)
        expect(share).toBeLessThanOrEqual(1)
      }
      const others = importanceOf([...results.toReversed().map(({ point, value }) => ({ point, value: 2 * value + 1 })), { point: { c: 1 }, value: NaN }])
      for (const [path, share] of Object.entries(found)) expect(others[path]).toBeCloseTo(share, 9)
    }))
  })
})
