// A training run that is slower than it could be says why, once.

import { expect, it } from 'vitest'
import { adam, classificationTask, examplesOf, guided, recipes, taskTrainer, train, type Rule } from '../../src/index.ts'

async function notes(rule: Rule): Promise<(string | null)[]> {
  const digits = { ...examplesOf(new Float32Array(72).fill(1), [6, 6, 1]), labels: [3, 7] }
  const task = classificationTask(recipes.digits.rule, digits)
  const trainer = taskTrainer({ rule, task, batch: 2, steps: [2, 3], optimiser: adam() })
  const list: (string | null)[] = []
  for await (const { note } of train(trainer, { iterations: 2 })) list.push(note)
  return list
}

it('says in the first progress why rollouts run composed', async () => {
  const { rule } = recipes.digits
  expect(await notes(guided(rule, 2))).toEqual([
    'Rollouts are composed of operators, because it is code; without that they would be fused, and several times faster.',
    null,
  ])
  expect(await notes(rule)).toEqual([null, null])
})
