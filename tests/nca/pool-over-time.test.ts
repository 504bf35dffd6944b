// The trainer's pool over the iterations: when samples come from it, when they are perturbed, and what is written back; and
// states that are judged at given steps.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  adam, add, customRule, defineRule, full, key, mean, mlp, mse, mul, rgba, rollout, sgd, stack, taskTrainer, tensor,
  train, trajectoryTask, uniform, zeros, type DataRule, type Rule, type Task, type Tensor, type TrainerOptions,
} from '../../src/index.ts'
import { drawBatch, soundOr } from '../../src/nca/training/batch.ts'
import { makePool } from '../../src/nca/training/pool.ts'
import { complete } from '../../src/nca/training/trainer-options.ts'
import { perSample } from '../../src/nca/losses/loss.ts'
import { sentence } from '../tensor/values.ts'

const rule = defineRule({
  channels: { rgba: 4, code: 1 }, frozen: ['code'], perceive: ['identity'], update: mlp(3), fireRate: 0.5,
})
// A seed is 7 everywhere, and a state of the pool 1.
const task: Task = {
  examples: 6, seeds: ids => full([ids.length, 2, 2, 5], 7), loss: x => perSample(x),
}
const batch = 6
const options = (more: Partial<TrainerOptions<DataRule>>): TrainerOptions<DataRule> =>
  ({ rule, task, batch, steps: [2, 3], pool: 8, optimiser: sgd({ rate: 0 }), ...more })

/** What happened to the samples of a batch, and which of them are seeds. */
function drawn(more: Partial<TrainerOptions<DataRule>>, iteration: number, n = 1): { fates: number[]; anew: boolean[]; ids: number[] } {
  const all = complete('test', options(more))
  const examples = Array.from({ length: 8 }, (_, i) => i % 6)
  const pool = makePool(full([2, 2, 5], 1), 8)
  const keys = { slots: key(n), damage: key(n + 1), loss: key(n + 2) }
  const { x, fates, examples: ids } = drawBatch(all, { pool, examples, iteration }, keys)
  const values = x.toArray()
  return {
    fates: [...fates!.toArray()], ids: [...ids],
    anew: Array.from({ length: batch }, (_, i) => values.subarray(20 * i, 20 * i + 20).every(v => v === 7)),
  }
}

describe('the share of samples from the pool', () => {
  it('is a probability, whatever else is done to the samples', () => {
    for (const ranked of ['loss', 'none'] as const) {
      for (const fromPool of [0, 0.3, 0.8, 1]) {
        let anew = 0
        for (let n = 0; n < 300; n++) anew += drawn({ fromPool, ranked }, 0, n).anew.filter(Boolean).length
        const part = 1 - anew / (300 * batch)
        expect(Math.abs(part - fromPool)).toBeLessThan(fromPool % 1 === 0 ? 1e-9 : 0.05)
      }
    }
  })

  it('waits, and then changes linearly', () => {
    const ratio = { delay: 3, from: 0, to: 1, iterations: 4 }
    const parts = [0, 2, 3, 5, 7, 100].map(iteration => {
      let old = 0
      for (let n = 0; n < 200; n++) old += drawn({ fromPool: ratio }, iteration, n).anew.filter(v => !v).length
      return old / (200 * batch)
    })
    expect(parts.map(v => Math.round(10 * v) / 10)).toEqual([0, 0, 0, 0.5, 1, 1])
    expect([...new Set(drawn({ fromPool: { to: 1, delay: 9 } }, 8).anew)]).toEqual([true])
    expect(drawn({ fromPool: { to: 1, delay: 9 } }, 9).anew.some(Boolean)).toBe(false)
  })

  it('leaves samples that begin anew as they are: seeds, neither damaged nor mutated', () => {
    const counts = fc.tuple(fc.nat(2), fc.nat(2), fc.nat(2))
    fc.assert(fc.property(counts, fc.constantFrom('loss' as const, 'none' as const), fc.nat(1e6), ([reseed, damaged, mutated], ranked, n) => {
      const { fates, anew } = drawn({ fromPool: 0.5, reseed, damaged, mutated, ranked, damage: { shape: 'circle', centre: [0, 0], radius: [3, 3] } }, 0, n)
      expect(fates.map(fate => fate === 1)).toEqual(anew)
      expect(anew.filter(Boolean).length).toBeGreaterThanOrEqual(reseed)
      expect(fates.filter(fate => fate === 2).length).toBeLessThanOrEqual(damaged)
      expect(fates.filter(fate => fate === 3).length).toBeLessThanOrEqual(mutated)
    }))
  })

  it('is perturbed only after the given iteration', () => {
    const more = { damaged: 2, mutated: 2, perturbAfter: 5, ranked: 'none' } as const
    expect(drawn(more, 4).fates).toEqual([0, 0, 0, 0, 0, 0])
    expect(drawn(more, 5).fates).toEqual([0, 0, 2, 2, 3, 3])
  })

  it('is refused if it is wrong', () => {
    const lib = taskTrainer as unknown as (given: unknown) => unknown
    const said = (...given: unknown[]): string[] => given.map(more => sentence(() => lib({ ...options({}), ...(more as object) })))
    expect(said({ fromPool: 1.5 }, { fromPool: { from: 0 } }, { fromPool: { to: 1, delay: -1 } }, { perturbAfter: 0.5 })).toMatchInlineSnapshot(`
      [
        "trainer: fromPool is 1.5, expected a number from 0 to 1, or an object with to, from, delay, iterations.",
        "trainer: fromPool.to is undefined, expected a number from 0 to 1.",
        "trainer: fromPool.delay is -1, expected a whole number ≥ 0.",
        "trainer: perturbAfter is 0.5, expected a whole number ≥ 0.",
      ]
    `)
  })
})

describe('what goes back into the pool', () => {
  it('is the grown state, or a seed if that is empty or not finite', () => {
    const value = fc.constantFrom(0, 0, 0, 1, -2, NaN, Infinity)
    const some = fc.array(value, { minLength: 2 * 2 * 5, maxLength: 2 * 2 * 5 })
    const sample = fc.oneof(some, some.map(list => list.map(v => (Number.isFinite(v) ? v : 0))), fc.constant(new Array<number>(20).fill(0)))
    fc.assert(fc.property(fc.array(sample, { minLength: 1, maxLength: 4 }), states => {
      const x = tensor(states.flat(), { shape: [states.length, 2, 2, 5] })
      const got = soundOr(rule, x, () => full(x.shape, 7)).toArray()
      states.forEach((state, i) => {
        // The last channel is frozen, so it does not count as grown.
        const sound = state.every(Number.isFinite) && state.some((v, j) => j % 5 < 4 && v !== 0)
        expect([...got.subarray(20 * i, 20 * i + 20)]).toEqual(sound ? state : new Array(20).fill(7))
      })
    }))
  })

  it('prevents a rule that dies or diverges from filling its pool with such states', () => {
    for (const factor of [0, Infinity]) {
      const deadly: Rule = customRule({
        channels: { a: 1 }, init: (_, placement) => ({ w: zeros([1], placement) }),
        step: ({ w }: { w: Tensor }, x) => add(mul(x, factor), mul(0, w)),
      })
      const trainer = taskTrainer({
        rule: deadly, batch: 2, steps: [2, 3], pool: 3, optimiser: sgd({ rate: 0 }),
        task: { ...task, examples: 1, seeds: (ids: readonly number[]) => full([ids.length, 1, 1, 1], 7) },
      } as unknown as TrainerOptions<DataRule>)
      let state = trainer.init(key(1))
      for (let i = 0; i < 3; i++) ({ state } = trainer.step(state))
      expect(state.pool.map(slot => slot.toArray()[0])).toEqual([7, 7, 7])
    }
  })
})

describe('a trajectory', () => {
  const growing = defineRule({
    channels: { rgba: 4, hidden: 2 }, perceive: ['identity', 'sobelX', 'sobelY'], update: mlp(8, { lastStd: 0.1 }), fireRate: 0.5,
  })
  const targets = uniform(key(3), [3, 4, 5, 4])
  const given = {
    rule: growing, task: trajectoryTask(growing, targets), batch: 2, steps: [6, 8], readouts: [5, 2, 6], optimiser: adam({ rate: 0.01 }),
  } as const

  it('is judged by each target at its own step', () => {
    const trainer = taskTrainer(given)
    const before = trainer.init(key(1))
    const { metrics: { loss, steps } } = trainer.step(before)
    // The fire masks follow from the trainer's key; with all cells firing there is nothing to draw.
    const busy = { ...given, rule: defineRule({ ...growing, fireRate: 1 }) }
    const same = taskTrainer(busy)
    const states = rollout(busy.rule, before.params, busy.task.seeds([0, 0]), key(0), { steps: 6, readouts: [5, 2, 6] })
    const losses = states.map((x, i) => mean(mse(rgba(x), stackAt(i))).toArray()[0])
    expect(same.step(before).metrics.loss.toArray()[0]).toBeCloseTo(losses.reduce((a, b) => a + b) / 3, 6)
    expect(steps).toBeGreaterThanOrEqual(6)
    expect(Number.isFinite(loss.toArray()[0])).toBe(true)
  })

  const stackAt = (i: number): Tensor =>
    tensor(targets.toArray().slice(80 * i, 80 * i + 80), { shape: [4, 5, 4] })

  it('is learned: one colour, then another', async () => {
    const rule = defineRule({ ...growing, update: mlp(24), fireRate: 1, perceive: ['identity', 'gaussian'] })
    const plain = (v: number): Tensor => full([3, 3, 4], v)
    const task = trajectoryTask(rule, stack([plain(0.6), plain(-0.2), plain(0.4)]))
    const trainer = taskTrainer({
      rule, task, batch: 1, steps: [12, 13], readouts: [4, 8, 12], optimiser: adam({ rate: 5e-3 }), normalise: true,
    })
    const losses: number[] = []
    for await (const { loss } of train(trainer, { iterations: 400 })) losses.push(loss)
    expect(losses.at(-1)!).toBeLessThan(losses[0] / 4)
  })

  it('requires as many readouts as targets, within every rollout', () => {
    const lib = taskTrainer as unknown as (given: unknown) => unknown
    expect([
      () => lib({ ...given, readouts: 2 }),
      () => lib({ ...given, readouts: [2, 3, 7] }),
      () => lib({ ...given, readouts: [1, 0, 2] }),
      () => lib({ ...given, warmUp: { iterations: 5, from: [2, 3] } }),
      () => trajectoryTask(growing, zeros([3, 4, 4])),
    ].map(sentence)).toMatchInlineSnapshot(`
      [
        "trainer: readouts is 2, expected a list of 3 steps, as the task has.",
        "trainer: readouts[2] is 7, expected at most 6, the least number of steps.",
        "trainer: readouts[1] is 0, expected a whole number from 1 to 1000000.",
        "trainer: readouts[0] is 5, expected at most 2, the least number of steps.",
        "trajectoryTask: targets must be [k,h,w,4], k at least 1; targets [3,4,4].",
      ]
    `)
  })
})

