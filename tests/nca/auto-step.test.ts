// Rollouts that end when cells stand still, compared with all steps of a rollout, one by one.

import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  add, cpu, customRule, defineRule, foldIn, init, key, mapTree, memory, mlp, mul, normal, rolloutUntilStill, rollout,
  to, uniform, zeros, type Backend, type DataRule, type StillOptions, type Tensor,
} from '../../src/index.ts'
import { defaultBackend } from '../../src/tensor/tensor.ts'
import { sentence } from '../tensor/values.ts'
import { runs } from '../long.ts'

const rule = defineRule({
  channels: { rgba: 4, hidden: 3 }, perceive: ['identity', 'laplacian'], update: mlp(6), fireRate: 0.5,
  living: { channel: 3, above: -0.5 },
})

/** A backend whose values arrive some time after they were requested. */
function lateBackend(): Backend {
  const { readSync: _, read, ...rest } = cpu()
  return { ...rest, read: (...args) => read(...args).then(data => sleep(1, data)) }
}

/** The number of steps after which the cells stand still, given the change of each step. */
function lastStep(
  changes: readonly number[], { least, most, below, patience }: Required<Omit<StillOptions, 'role'>>,
): number {
  for (let n = 1; n < most; n++) {
    const recent = changes.slice(Math.max(0, n - patience), n)
    if (n >= least && recent.length === patience && recent.every(d => d < below)) return n
  }
  return most
}

const options = fc.record({
  least: fc.nat(8), most: fc.integer({ min: 8, max: 25 }), patience: fc.integer({ min: 1, max: 6 }),
  quantile: fc.double({ min: 0.1, max: 0.99, noNaN: true }), role: fc.constantFrom('hidden', 'rgba'),
})

describe.each([['at once', () => defaultBackend], ['late', lateBackend]])('a rollout that is read %s', (_, open) => {
  it('ends when cells stand still, with the state after that number of steps, bit for bit', async () => {
    const backend = open()
    const lengths = new Set<number>()
    await fc.assert(fc.asyncProperty(options, fc.nat(2 ** 31), fc.boolean(), async ({ role, quantile, ...rest }, n, noise) => {
      const mine: DataRule = noise ? defineRule({ ...rule, noise: { on: 'state', std: 0.01 } }) : rule
      let i = 0
      const params = await to(backend, mapTree(init(mine, key(n)), p =>
        add(mul(p as Tensor, 0.5), normal(foldIn(key(n), i++), (p as Tensor).shape, { std: 0.1 }))))
      const x = await to(backend, uniform(key(n + 1), [2, 5, 4, 7], { low: -1, high: 1 }))
      const readouts = Array.from({ length: rest.most }, (_, t) => t + 1)
      const all = rollout(mine, params, x, key(n), { steps: rest.most, readouts })
      const [from, until] = role === 'rgba' ? [0, 4] : [4, 7]
      const states = await Promise.all([x, ...all].map(state => state.data()))
      const changes = states.slice(1).map((after, t) => {
        let total = 0
        after.forEach((v, j) => { if (j % 7 >= from && j % 7 < until) total += Math.abs(v - states[t][j]) })
        return total / (2 * 5 * 4 * (until - from))
      })
      // The threshold is between two of the changes, so that rounding decides nothing.
      const sorted = [...changes].sort((a, b) => a - b)
      const at = Math.floor(quantile * (sorted.length - 1))
      const below = (sorted[at] + sorted[at + 1]) / 2
      const steps = lastStep(changes, { ...rest, below })
      lengths.add(steps)
      const held = memory(backend).buffers
      const got = await rolloutUntilStill(mine, params, x, key(n), { ...rest, below, role })
      expect(got.steps).toBe(steps)
      expect(await got.x.data()).toEqual(states[steps])
      expect(memory(backend).buffers - held).toBe(1)
      expect(await x.data()).toEqual(states[0])
    }), runs(25))
    expect(lengths.size).toBeGreaterThan(4)
  })
})

it('takes all steps if cells never rest, and the minimum if they rest at once', async () => {
  // Each step adds the parameter.
  const climbing = customRule({
    channels: { hidden: 1 },
    init: (_, placement) => zeros([1], placement),
    step: (by: Tensor, x) => add(x, by),
  })
  const x = zeros([1, 3, 3, 1])
  const by = (rate: number): Tensor => add(zeros([1]), rate)
  expect((await rolloutUntilStill(climbing, by(0.5), x, key(0))).steps).toBe(100)
  expect((await rolloutUntilStill(climbing, by(NaN), x, key(0), { most: 12 })).steps).toBe(12)
  expect((await rolloutUntilStill(climbing, by(0.0099), x, key(0))).steps).toBe(10)
  expect((await rolloutUntilStill(climbing, by(0.0101), x, key(0))).steps).toBe(100)
  expect((await rolloutUntilStill(climbing, by(0.25), x, key(0), { below: 0.25 })).steps).toBe(100)
  expect((await rolloutUntilStill(climbing, by(0), x, key(0), { least: 0 })).steps).toBe(5)
  expect((await rolloutUntilStill(climbing, by(0), x, key(0), { least: 0, patience: 1 })).steps).toBe(1)
  expect((await rolloutUntilStill(climbing, by(0), x, key(0), { least: 0, below: 0, most: 3 })).steps).toBe(3)
  const none = await rolloutUntilStill(climbing, by(0), x, key(0), { least: 0, most: 0 })
  expect(none).toEqual({ x, steps: 0 })
})

it('says what is wrong', async () => {
  const lib = rolloutUntilStill as unknown as (...args: unknown[]) => Promise<unknown>
  const params = init(rule, key(0))
  const x = zeros([1, 3, 3, 7])
  const said = await Promise.all([
    [{ least: -1 }], [{ least: 5, most: 4 }], [{ patience: 0 }], [{ below: '1' }], [{ role: 'goal' }], [{ steps: 3 }], [3],
  ].map(([given]) => lib(rule, params, x, key(0), given).then(() => 'nothing', (e: Error) => sentence(() => { throw e }))))
  expect(said).toMatchInlineSnapshot(`
    [
      "rolloutUntilStill: least is -1, expected a whole number ≥ 0.",
      "rolloutUntilStill: most is 4, expected a whole number ≥ least, 5.",
      "rolloutUntilStill: patience is 0, expected a whole number > 0.",
      "rolloutUntilStill: below is "1", expected a number ≥ 0.",
      "rule: the role is "goal", expected one of rgba, hidden.",
      "rolloutUntilStill: there is no option "steps"; there are least, most, below, patience, role.",
      "rolloutUntilStill: the options argument is 3, expected an object with least, most, below, patience, role.",
    ]
  `)
  await expect(lib(rule, params, [x], key(0))).rejects.toThrow('rolloutUntilStill: the state is a Array, expected a tensor.')
})
