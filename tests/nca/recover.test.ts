// The recovery from a perturbation: compared with the protocol step by step, and null if nothing was damaged.

import { describe, expect, it } from 'vitest'
import {
  conditionalTask, damageMask, defineRule, erase, exchangeInputs, foldIn, growingTask, init, key, memory, mlp, recover, recovery,
  recoveryProtocol, rollout, setChannels, takeRole, tensor, trajectoryTask, uniform, type Damage, type Task, type Tensor,
} from '../../src/index.ts'
import { list } from '../tensor/values.ts'

const rule = defineRule({ channels: { rgba: 4, hidden: 2, condition: 3 }, frozen: ['condition'], perceive: ['identity', 'sobelX'], update: mlp(6, { lastStd: 0.05 }) })
const targets = uniform(key(1), [3, 5, 6, 4])
const task = conditionalTask(rule, targets)
const params = init(rule, key(2))
const rightHalf: Damage = { shape: 'halfPlane', angle: [0, 0], offset: [0, 0] }
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length

describe.each(['damage', 'mutation'] as const)('recovery from %s', by => {
  it('is computed from the errors before, right after and at the end, and leaves nothing behind', async () => {
    const examples = [2, 0, 1], others = [0, 1, 2]
    const buffers = memory().buffers
    const got = await recover(rule, task, params, { by, damage: rightHalf, examples, perturb: 4, judge: 9, key: key(5), batch: 2 })
    expect(memory().buffers).toBe(buffers)
    const errors = [[0, 2], [2, 3]].map(([from, to], i) => {
      const [own, wanted] = [examples, by === 'damage' ? examples : others].map(ids => ids.slice(from, to))
      const k = foldIn(key(5), i)
      const x = rollout(rule, params, task.seeds(own), k, { steps: 4 })
      const erased = setChannels(rule, erase(x, damageMask(key(0), rightHalf, own.length, 5, 6)), { condition: takeRole(rule, x, 'condition') })
      const hit = by === 'damage' ? erased : exchangeInputs(rule, x, task.seeds(wanted))
      const end = rollout(rule, params, hit, k, { steps: 5, from: 4 })
      return [task.loss(x, own, k), task.loss(hit, wanted, k), task.loss(end, wanted, k)].map(list)
    })
    const [before, damaged, final] = [0, 1, 2].map(j => mean(errors.flatMap(error => error[j])))
    expect([got.before, got.damaged, got.final]).toEqual([before, damaged, final])
    const [percent] = list(recovery(...[before, damaged, final].map(x => tensor(x, { dtype: 'float64' })) as [Tensor, Tensor, Tensor]))
    expect(got.percent).toBe(damaged > 1.01 * before ? percent : null)
  })
})

it.each<[before: number, damaged: number, final: number, percent: number | null]>([
  [2, 2, 1, null], [2, 2.01, 90, null], [2, 1, 0, null], [0, 0, 0, null], [2, 4, 3, 50], [2, 4, 8, -200], [0, 1, 0, 100], [-2, -1, -2, 100],
  [2, 4, Infinity, -Infinity], [NaN, 1, 1, NaN], [1, NaN, 1, NaN],
])('errors of %d, %d and %d are a recovery of %d %%: none where nothing was hurt, and not finite where something ran away', async (...numbers) => {
  const errors = [...numbers]
  const { percent } = await recover(rule, task, params, { by: 'damage', examples: [0], perturb: 1, judge: 2, measure: () => tensor([errors.shift()!]) })
  expect(percent).toBe(numbers[3])
})

it('damage does not change frozen channels, and a mutation changes only these', async () => {
  const values: number[][] = []
  const look = (x: Tensor): Tensor => {
    values.push(list(x))
    return tensor([1, 2])
  }
  await recover(rule, task, params, { by: 'damage', damage: rightHalf, examples: [0, 1], perturb: 3, judge: 4, measure: look })
  await recover(rule, task, params, { by: 'mutation', examples: [0, 1], perturb: 3, judge: 4, measure: look })
  const [before, damaged, , , mutated] = values.map(state => tensor(state, { shape: [2, 5, 6, 9] }))
  expect(list(takeRole(rule, damaged, 'condition'))).toEqual(list(takeRole(rule, before, 'condition')))
  expect(list(takeRole(rule, damaged, 'rgba'))).toEqual(list(takeRole(rule, erase(before, damageMask(key(0), rightHalf, 2, 5, 6)), 'rgba')))
  expect(list(takeRole(rule, mutated, 'rgba'))).toEqual(list(takeRole(rule, before, 'rgba')))
  expect(list(takeRole(rule, mutated, 'condition'))).toEqual(list(takeRole(rule, task.seeds([1, 0]), 'condition')))
})

it('a mutation turns each example into one of another kind, half the list further on or soon after', async () => {
  const kinds = ['a', 'b', 'a', 'b'], asked: (readonly number[])[] = []
  const of = (kind: (id: number) => string): Task => ({
    ...task, examples: 4, kind, seeds: (ids, k) => task.seeds(ids.map(id => id % 2), k),
    loss: (_x, ids) => {
      asked.push(ids)
      return tensor(ids)
    },
  })
  await recover(rule, of(id => kinds[id]), params, { by: 'mutation', perturb: 1, judge: 2 })
  expect(asked).toEqual([[0, 1, 2, 3], [3, 0, 1, 2], [3, 0, 1, 2]])
  await expect(recover(rule, of(() => 'a'), params, { by: 'mutation', perturb: 1, judge: 2 })).rejects.toThrow(
    'recover: examples is [0, 1, 2, 3], expected examples of more than one kind, of which one can become the other.',
  )
})

it('compares a trajectory with its first picture when it is damaged, and with its last at the end', async () => {
  const asked: (number | undefined)[] = []
  const trajectory = trajectoryTask(rule, targets)
  await recover(rule, { ...trajectory, loss: (x, ids, k, readout) => {
    asked.push(readout)
    return trajectory.loss(x, ids, k, readout)
  } }, params, { by: 'damage', perturb: 2, judge: 6 })
  expect(asked).toEqual([0, 0, undefined])
})

const plain = defineRule({ channels: { rgba: 4 }, perceive: ['identity'], update: mlp(2), living: null })
const growing = growingTask(plain, uniform(key(1), [5, 6, 4]))

it('follows the published protocol by default', async () => {
  const [a, b] = await Promise.all([{}, recoveryProtocol].map(protocol => recover(plain, growing, init(plain, key(0)), { by: 'damage', ...protocol })))
  expect(a).toEqual(b)
})

it('refuses wrong values by name', async () => {
  const said = async (run: () => Promise<unknown>): Promise<string> => run().then(() => 'nothing', (error: Error) => error.message)
  expect([
    await said(() => recover(rule, task, params, {} as never)),
    await said(() => recover(rule, task, params, { by: 'mutation', examples: [0] })),
    await said(() => recover(plain, growing, init(plain, key(0)), { by: 'mutation' })),
    await said(() => recover(rule, task, params, { by: 'damage', perturb: 9, judge: 9 })),
    await said(() => recover(rule, task, params, { by: 'damage', damage: { shape: 'star' } as never })),
    await said(() => recover(rule, task, params, { by: 'damage', steps: 3 } as never)),
  ]).toMatchInlineSnapshot(`
    [
      "recover: by is undefined, expected 'damage' or 'mutation'.",
      "recover: the number of examples is 1, expected at least 2, of which one can become the other.",
      "recover: by is "mutation", expected 'damage': the rule has no frozen channels in which it is told what to become.",
      "recover: judge is 9, expected a step after 9, that of the perturbation.",
      "recover: damage.shape is "star", expected 'circle', 'rectangle' or 'halfPlane'.",
      "recover: there is no option "steps"; there are examples, key, batch, cascade, by, damage, perturb, judge, measure.",
    ]
  `)
})
