// The recipes of CONTRIBUTING.md, run as they are printed.

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import {
  adam, checkGrad, defineRule, key, maxPool, mlp, normal, softplus as library, taskTrainer, tensor, to, type Rule,
  type Task, type Tensor,
} from '../src/index.ts'
import type { PartKind } from '../src/nca/perceptions/kind.ts'
import { openPoisoned } from './webgpu/gpu.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The exports of the recipe under a heading, run as printed, with the imports of its page: names by module of src. */
async function made(heading: string, imports: Readonly<Record<string, string>>): Promise<Record<string, never>> {
  const page = await readFile(join(root, 'CONTRIBUTING.md'), 'utf8')
  const [, code] = new RegExp(`## ${heading}[^]*?\`\`\`ts\\n([^]*?)\`\`\``).exec(page)!
  await mkdir(join(root, '.cache'), { recursive: true })
  const folder = await mkdtemp(join(root, '.cache/recipe-'))
  try {
    const file = join(folder, 'recipe.ts')
    const lines = Object.entries(imports).map(([module, names]) => `import { ${names} } from '${root}src/${module}.ts'\n`)
    await writeFile(file, lines.join('') + code)
    return await import(file) as Record<string, never>
  } finally {
    await rm(folder, { recursive: true })
  }
}

it('the recipe for an operator makes one, with derivatives, on every backend', async () => {
  const { softplus } = await made('Add an operator', {
    'tensor/ops/elementwise': 'ofFloats, unary', 'tensor/ops/arithmetic': 'mul', 'tensor/ops/functions': 'sigmoid',
    'tensor/op': 'type Op', 'tensor/tensor': 'type Tensor',
  }) as unknown as { softplus: (x: Tensor) => Tensor }
  const values = [-100, -2, -0.5, 0, 0.5, 2, 100]
  const expected = values.map(x => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))))
  const close = (got: ArrayLike<number>): void =>
    Array.from(got).forEach((y, i) => expect(y).toBeCloseTo(expected[i], 5))
  close(softplus(tensor(values)).toArray())
  expect(library(tensor(values)).toArray()).toEqual(softplus(tensor(values)).toArray())
  checkGrad(softplus, tensor([-3, -0.5, 0, 0.5, 3], { dtype: 'float64' }))
  const gpu = await openPoisoned()
  close(await softplus(await to(gpu, tensor(values))).data())
  await gpu.close()
})

it('the recipe for a perception makes one, whose fields are checked and completed', async () => {
  const { maxPooling, maxPoolingKind } = await made('Add a perception', {
    'backends/fields': 'dataOf', 'nca/rule/limits': 'oddSize', 'nca/perceptions/kind': 'type PartKind', 'tensor/ops/max-pool': 'maxPool',
  }) as unknown as { maxPooling: (options?: object) => { size: number }; maxPoolingKind: PartKind<{ size: number }> }
  expect(maxPooling()).toEqual({ type: 'maxPooling', size: 3 })
  expect(() => maxPooling({ size: 4 })).toThrow('maxPooling: size is 4, expected an odd number from 1 to 127.')
  expect(() => maxPooling({ sise: 3 })).toThrow('maxPooling: there is no option "sise"; did you mean "size"?')
  const x = normal(key(0), [1, 4, 5, 2], { dtype: 'float64' })
  const see = (s: Tensor): Tensor => maxPoolingKind.perceive!(maxPooling({ size: 3 }), {}, s, { padding: 'circular' })
  expect(see(x).toArray()).toEqual(maxPool(x, 3, { padding: 'circular' }).toArray())
  expect(see(x).shape[3]).toBe(maxPoolingKind.outputs(maxPooling(), 2))
  checkGrad(see, x)
})

it('the recipe for a task makes one, which is learned', async () => {
  const { fillTask } = await made('Add a task', {
    'nca/rule/types': 'type Rule', 'nca/training/trainer-options': 'type Task', 'nca/state': 'rgba, seed',
    'nca/losses/loss': 'mse', 'tensor/ops/index': 'broadcastTo', 'tensor/tensor': 'type Tensor',
  }) as unknown as { fillTask: (rule: Rule, colour: Tensor, size: number) => Task }
  const rule = defineRule({ channels: { rgba: 4, hidden: 2 }, perceive: ['identity', 'mean'], update: mlp(8) })
  const task = fillTask(rule, tensor([0.5, 0, 0, 1]), 4)
  // One cell begins with alpha 1, so only half of the red is missing; in the others alpha is missing, too.
  expect(task.loss(task.seeds([0, 0]), [0, 0], key(0)).toArray()[1]).toBeCloseTo((15 * 1.25 + 0.25) / 64, 6)
  const trainer = taskTrainer({ rule, task, batch: 2, steps: [4, 5], optimiser: adam({ rate: 0.01 }) })
  let state = trainer.init(key(1))
  const losses = Array.from({ length: 30 }, () => {
    const next = trainer.step(state)
    state = next.state
    return next.metrics.loss.toArray()[0]
  })
  expect(losses.at(-1)).toBeLessThan(losses[0] / 2)
})

it('the recipe for a loss makes one, for each sample, with its gradient', async () => {
  const { huber } = await made('Add a loss', {
    'nca/losses/loss': 'checkTarget, perSample', 'tensor/ops/functions': 'abs, square', 'tensor/ops/arithmetic': 'mul, sub',
    'tensor/ops/compare': 'lessEqual, where', 'tensor/tensor': 'type Tensor',
  }) as unknown as { huber: (x: Tensor, target: Tensor, delta?: number) => Tensor }
  const x = tensor([[0.5, -3], [0, 1]], { dtype: 'float64' }), target = tensor([0, 0], { dtype: 'float64' })
  expect(huber(x, target).toArray()).toEqual(Float64Array.of((0.125 + 2.5) / 2, (0 + 0.5) / 2))
  checkGrad((s: Tensor) => huber(s, target, 0.7), tensor([[0.5, -3], [0.2, 1]], { dtype: 'float64' }))
  expect(() => huber(x, tensor([1, 2, 3]))).toThrow('huber: the target does not have the shape')
})
