// A training run that is slower than it could be says why, once.

import { expect, it } from 'vitest'
import { adam, classificationTask, defineRule, examplesOf, recipes, taskTrainer, train, type DataRule } from '../../src/index.ts'

async function notes(rule: DataRule): Promise<(string | null)[]> {
  const digits = { ...examplesOf(new Float32Array(72).fill(1), [6, 6, 1]), labels: [3, 7] }
  const task = classificationTask(rule, digits)
  const trainer = taskTrainer({ rule, task, batch: 2, steps: [2, 3], optimiser: adam() })
  const list: (string | null)[] = []
  for await (const { note } of train(trainer, { iterations: 2 })) list.push(note)
  return list
}

it('says in the first progress why rollouts run composed', async () => {
  const { rule } = recipes.digits
  expect(await notes(defineRule({ ...rule, bound: { type: 'clamp', low: 0.1, high: 1 } }))).toEqual([
    'Rollouts are composed of operators, because its bounds leave out 0; without that they would be fused, and several times faster.',
    null,
  ])
  expect(await notes(rule)).toEqual([null, null])
})
