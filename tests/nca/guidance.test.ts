// Classifier-free guidance: conditions that are dropped in training, and rules that follow their condition more strongly.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  adam, checkGrad, conditionalTask, decodeCheckpoint, defineRule, encodeCheckpoint, guided, init, inspectStep, key, l1, mean, mlp,
  predict, rgba, rollout, setChannels, square, stack, step, sub, takeRole, taskTrainer, tensor, train, unstack, where, zeros,
  type DataParams, type TrainerState,
} from '../../src/index.ts'
import { drawBatch, firstPool } from '../../src/nca/training/batch.ts'
import { complete } from '../../src/nca/training/trainer-options.ts'
import { frozenChannels } from '../../src/nca/step.ts'
import { full } from '../../src/tensor/ops/create.ts'
import { runs } from '../long.ts'
import { sentence } from '../tensor/values.ts'
import { scenes } from './random-rule.ts'

const told = scenes.filter(({ rule }) => rule.frozen.length > 0)

it('is the rule at a scale of 1, and the rule without a condition at 0, but keeps the condition', () => {
  fc.assert(fc.property(told, ({ rule, params, x, n }) => {
    const context = { key: key(n), t: 0 }
    expect(step(guided(rule, 1), params, x, context).toArray()).toEqual(step(rule, params, x, context).toArray())
    const frozen = frozenChannels(rule, x)
    const blind = step(rule, params, where(frozen, 0, x), context)
    // A cell's input says whether it updates: the rest is of cells that it lets update in both.
    if (rule.inputMask !== null) return
    const got = step(guided(rule, 0), params, x, context)
    expect(where(frozen, 0, got).toArray()).toEqual(where(frozen, 0, blind).toArray())
    expect(where(frozen, got, 0).toArray()).toEqual(where(frozen, x, 0).toArray())
  }), runs(60))
})

it('is linear in the scale, before the living mask and bounds', () => {
  fc.assert(fc.property(told, fc.double({ min: 0, max: 4, noNaN: true }), ({ rule: given, params, x, n }, scale) => {
    const rule = defineRule({ ...given, living: null, bound: null, inputMask: null })
    const context = { key: key(n), t: 0 }
    const [c, none] = [x, where(frozenChannels(rule, x), 0, x)].map(s => inspectStep(rule, params, s, context).candidate.toArray())
    const frozen = frozenChannels(rule, x).toArray()
    const got = step(guided(rule, scale), params, x, context).toArray()
    got.forEach((v, i) => {
      const expected = frozen[i % frozen.length] ? c[i] : none[i] + scale * (c[i] - none[i])
      expect(Math.abs(v - expected)).toBeLessThan(1e-9 * Math.max(1, Math.abs(expected)))
    })
  }), runs(60))
})

const rule = defineRule({
  channels: { rgba: 4, hidden: 2, condition: 2 }, frozen: ['condition'], perceive: ['identity', 'laplacian'],
  update: mlp(16, { activation: 'tanh', lastStd: 0.1 }), fireRate: 1,
})
/** Two colours, everywhere. */
const colours = [0.8, 0.2]
const targets = stack(colours.map(v => full([3, 3, 4], v)), 0)
const task = conditionalTask(rule, targets)

it('has derivatives by parameters and state', () => {
  const params = init(rule, key(2), { dtype: 'float64' })
  const x = tensor(Array.from({ length: 72 }, (_, i) => Math.sin(i)), { shape: [1, 3, 3, 8], dtype: 'float64' })
  const loss = (p: DataParams) => mean(square(rollout(guided(rule, 2.5), p, x, key(1), { steps: 2 })))
  checkGrad(loss, params)
})

it('learns from samples of which some have no condition, drawn anew in every iteration', () => {
  const options = {
    rule, task, batch: 8, steps: [2, 3], pool: 8, ranked: 'none', optimiser: adam(), dropped: 0.3,
  } as const
  const all = complete('test', options)
  const examples = Array.from({ length: 8 }, (_, i) => i % 2)
  let [dropped, seen] = [0, 0]
  fc.assert(fc.property(fc.nat(2 ** 31), fc.boolean(), (n, pooled) => {
    const pool = pooled ? firstPool(all, examples, key(0)) : []
    const keys = { slots: key(n), damage: key(n + 1), loss: key(n + 2) }
    const batch = drawBatch(all, { pool, examples, iteration: 0 }, keys)
    const plain = drawBatch({ ...all, dropped: 0 }, { pool, examples, iteration: 0 }, keys)
    expect(batch.examples).toEqual(plain.examples)
    unstack(batch.x).forEach((sample, i) => {
      const condition = [...takeRole(rule, sample, 'condition').toArray()]
      const without = condition.every(v => v === 0)
      if (!without) expect([...sample.toArray()]).toEqual([...unstack(plain.x)[i].toArray()])
      else expect(unstack(setChannels(rule, plain.x, { condition: zeros([2]) }))[i].toArray()).toEqual(sample.toArray())
      dropped += +without
      seen++
    })
  }), { numRuns: 60 })
  expect(dropped / seen).toBeGreaterThan(0.22)
  expect(dropped / seen).toBeLessThan(0.38)
  // A dropped condition is there again when the sample is drawn with its condition.
  const blind = { ...all, dropped: 1 - 1e-12 }
  const keys = { slots: key(1), damage: key(2), loss: key(3) }
  const first = drawBatch(blind, { pool: firstPool(all, examples, key(0)), examples, iteration: 0 }, keys)
  expect(takeRole(rule, first.x, 'condition').toArray().every(v => v === 0)).toBe(true)
})

it('teaches two colours: with its condition the rule makes them, without it a mixture, guided an exaggeration', async () => {
  const trainer = taskTrainer({
    rule, task, batch: 6, steps: [4, 5], dropped: 0.5, optimiser: adam({ rate: 1e-2 }), normalise: true,
  })
  const go = async (iterations: number, from?: TrainerState<DataParams>): Promise<TrainerState<DataParams>> => {
    let last: TrainerState<DataParams> | undefined
    for await (const { state } of train(trainer, { iterations, state: from, seed: 3 })) last = state
    return last!
  }
  const half = await encodeCheckpoint(await go(40))
  const { state } = decodeCheckpoint<DataParams>(half, 'file', { trainer })
  const end = await go(100, state)
  const whole = await encodeCheckpoint(await go(100))
  expect(await encodeCheckpoint(end)).toEqual(whole)
  const shades = (scale: number): number[] => {
    const x = Array.from(rgba(predict(guided(rule, scale), task, end.params, { steps: 4 })).toArray())
    return [0, 1].map(i => x.slice(36 * i, 36 * i + 36).reduce((a, b) => a + b) / 36)
  }
  const [plain, none, more] = [1, 0, 2].map(shades)
  plain.forEach((v, i) => expect(Math.abs(v - colours[i])).toBeLessThan(0.08))
  none.forEach(v => expect(Math.abs(v - 0.5)).toBeLessThan(0.22))
  expect(more[0] - more[1]).toBeGreaterThan(1.3 * (plain[0] - plain[1]))
})

it('takes another loss for growing', () => {
  const absolute = conditionalTask(rule, targets, { loss: l1 })
  const x = task.seeds([0, 1])
  expect(absolute.loss(x, [0, 1], key(0)).toArray()).toEqual(l1(rgba(x), targets).toArray())
  expect(mean(sub(absolute.loss(x, [0, 1], key(0)), task.loss(x, [0, 1], key(0)))).toArray()[0]).not.toBe(0)
})

it('is refused for rules without conditions, and for wrong scales', () => {
  const free = defineRule({ channels: { rgba: 4 }, perceive: ['identity'], update: mlp(2) })
  expect(sentence(() => guided(free, 2))).toBe('guided: frozen is [], expected at least one role, in which the rule is told something.')
  expect(sentence(() => guided(rule, -1))).toBe('guided: scale is -1, expected a number ≥ 0.')
  expect(sentence(() => guided(guided(rule, 2) as never, 2))).toContain('expected one of defineRule.')
  const options = { rule: free, task: { examples: 1, seeds: () => zeros([1, 3, 3, 4]), loss: () => zeros([1]) }, batch: 1, steps: [1, 2], optimiser: adam() } as const
  expect(sentence(() => taskTrainer({ ...options, dropped: 0.1 }))).toBe('trainer: dropped is 0.1, expected 0, or a rule with frozen channels.')
  expect(sentence(() => taskTrainer({ ...options, dropped: 2 }))).toBe('trainer: dropped is 2, expected a number from 0 to 1.')
})
