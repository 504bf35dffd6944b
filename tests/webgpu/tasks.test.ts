// Tasks on a GPU: their first iterations are those of the CPU, up to rounding.

import { expect, it } from 'vitest'
import {
  classificationTask, conditionalTask, conv, cpu, defineRule, denoisingTask, eachLeaf, examplesOf, guided, imageToImageTask, init, key,
  mean, mlp, observe, sgd, square, taskTrainer, Tensor, tensor, textureTask, trajectoryTask, uncertainty, uniform, videoTask,
  type Backend, type Data, type DataRule, type Rule, type Task, type TrainerOptions,
} from '../../src/index.ts'
import { SparseState } from '../../src/nca/training/sparse-state.ts'
import { distance } from '../nca/fused-scenes.ts'
import { long } from '../long.ts'
import { sharedGpu } from './gpu.ts'
import { refuseLeaks } from './leaks.ts'

const gpu = await sharedGpu()
const host = cpu({ threads: 1 })

refuseLeaks(gpu)

const [n, side] = [6, 8]
const update = mlp(8, { activation: 'tanh', lastStd: 0.1 })
const noise = (seed: number, channels: number): Float32Array =>
  uniform(key(seed), [n, side, side, channels]).toArray() as Float32Array

/** A rule, and its task on a backend. */
type Lesson = { rule: Rule; task: (backend: Backend) => Task; more?: Partial<TrainerOptions> }

const conditional = defineRule({
  channels: { rgba: 4, hidden: 2, condition: n }, frozen: ['condition'], perceive: ['identity', 'laplacian'], update,
  fireRate: 0.5,
})
const digits = defineRule({
  channels: { image: 1, classes: 3, hidden: 2 }, frozen: ['image'], inputMask: { channel: 0, above: 0.3 },
  perceive: [conv(8)], update, fireRate: 0.5,
})
// Without a mask all cells count, and the rule runs composed, because it has bounds.
const bounded = defineRule({ ...digits, inputMask: null, bound: { type: 'tanh' } })
// Other channels of the same program as the digits: shaders take most of the time.
const images = defineRule({ ...digits, channels: { input: 1, output: 2, hidden: 3 }, frozen: ['input'] })

const video = defineRule({ ...digits, channels: { input: 1, output: 1, hidden: 4 }, frozen: ['input'] })
const noisy = defineRule({ ...digits, channels: { noisy: 1, level: 1, output: 1, hidden: 3 }, frozen: ['noisy', 'level'], inputMask: null })
const free = defineRule({ channels: { rgba: 4, hidden: 2 }, perceive: ['identity', 'laplacian'], update, fireRate: 0.5 })

const imagesTask = (rule: DataRule) => (backend: Backend): Task => imageToImageTask(rule, {
  inputs: examplesOf(noise(3, 1), [side, side, 1]), outputs: examplesOf(noise(4, 2), [side, side, 2]),
}, { backend })

const picture = (seed: number, shape: readonly number[], backend: Backend): Tensor => uniform(key(seed), shape, { backend })

const classify = (rule: DataRule, loss: 'mse' | 'cells' | 'image'): Lesson => ({
  rule,
  task: backend => classificationTask(
    rule, { ...examplesOf(noise(1, 1), [side, side, 1]), labels: [0, 1, 2, 2, 1, 0] }, { loss, backend },
  ),
})

const lessons: Record<string, Lesson> = {
  conditional: {
    rule: conditional,
    task: backend => conditionalTask(conditional, tensor(noise(2, 4), { shape: [n, side, side, 4], backend })),
    more: { pool: 8, reseed: 1, damaged: 1, mutated: 1 },
  },
  'conditional, as samples come': {
    rule: conditional,
    task: backend => conditionalTask(conditional, tensor(noise(2, 4), { shape: [n, side, side, 4], backend })),
    more: { pool: 8, reseed: 1, damaged: 1, mutated: 1, ranked: 'none', write: 'fifo', accumulate: 2, clip: 0.5, normalise: false },
  },
  ...(long && { 'classes of cells': { ...classify(digits, 'cells'), more: { pool: 8, mutated: 2, readouts: 2 } } }),
  'classes by mse': { ...classify(digits, 'mse'), more: { trainable: ['update'] } },
  'classes of images, without a mask': classify(bounded, 'image'),
  'image to image': { rule: images, task: imagesTask(images) },
  'image to image, beside a critic, some told nothing': {
    rule: images, task: imagesTask(images),
    more: { dropped: 0.4, critic: { widths: [3], steps: 2, lossWeight: 1, optimiser: sgd({ rate: 0.01 }) } },
  },
  'image to image, from coarse to fine': { rule: images, task: imagesTask(images), more: { cascade: [{ scale: 2, steps: 2 }] } },
  'image to image, guided': { rule: guided(images, 2), task: imagesTask(images) },
  'video, carried on': {
    rule: video,
    task: backend => videoTask(video, examplesOf(noise(5, 1), [n, side, side]), 1, { carry: true, backend }),
    more: { pool: 8, reseed: 1, ranked: 'none' },
  },
  denoising: { rule: noisy, task: backend => denoisingTask(noisy, examplesOf(noise(6, 1), [side, side, 1]), { backend }) },
  texture: {
    rule: free,
    task: backend => textureTask(free, picture(7, [side, side, 3], backend), { levels: 2, size: 3, projections: 4 }),
  },
  trajectory: {
    rule: free, task: backend => trajectoryTask(free, picture(8, [2, side, side, 4], backend)),
    more: { steps: [4, 5], readouts: [2, 4] },
  },
}

/** All numbers of a tree by their paths. */
async function contents(tree: unknown): Promise<Record<string, Data>> {
  const found: Record<string, Data> = {}
  const later: Promise<void>[] = []
  eachLeaf(tree, (leaf, path) => {
    if (leaf instanceof SparseState) found[path] = leaf.toArray()
    else if (leaf instanceof Tensor) later.push(leaf.data().then(data => { found[path] = data }))
    else found[path] = Float64Array.of(Number(leaf))
  })
  await Promise.all(later)
  return found
}

it.each(Object.entries(lessons))('%s takes the same iterations as the CPU', async (_, { rule, task, more }) => {
  const [ours, theirs] = [gpu, host].map(backend => taskTrainer({
    rule, task: task(backend), batch: 4, steps: [3, 5], optimiser: sgd({ rate: 0.05 }), normalise: true, ...more,
  }))
  let [a, b] = [ours.init(key(1)), theirs.init(key(1))]
  for (let i = 0; i < 2; i++) {
    const [here, there] = [ours.step(a), theirs.step(b)]
    const [got, expected] = [await contents(here), await contents(there)]
    expect(Object.keys(got).sort()).toEqual(Object.keys(expected).sort())
    for (const [path, values] of Object.entries(expected)) expect(distance(got[path], values), path).toBeLessThan(1e-4)
    a = here.state
    b = there.state
  }
})

it('looks at the steps of a rollout, and at how sure a rule is, as the CPU does', async () => {
  const seen = async (backend: Backend): Promise<Record<string, Data>> => {
    const params = init(images, key(1), { backend })
    const [last, errors] = observe(images, params, picture(2, [2, side, side, 6], backend), key(3), x => mean(square(x)), { steps: 4, from: 2 })
    return contents({ last, errors, ...uncertainty(images, imagesTask(images)(backend), params, { steps: 4, runs: 3, key: key(4) }) })
  }
  const [got, expected] = [await seen(gpu), await seen(host)]
  for (const [path, values] of Object.entries(expected)) expect(distance(got[path], values), path).toBeLessThan(1e-4)
})
