// Autoencoders and rules in their latents on a GPU are as on the CPU: losses, gradients, and a step of either trainer.

import { expect, it } from 'vitest'
import {
  adam, autoencoderLoss, autoencoderTrainer, cpu, defineAutoencoder, defineRule, eachLeaf, examplesOf, initAutoencoder, key, latentTask,
  mlp, taskTrainer, Tensor, uniform, valueAndGrad, type AutoencoderParams, type Backend,
} from '../../src/index.ts'
import { sharedGpu } from './gpu.ts'

const gpu = await sharedGpu()

const rule = defineRule({ channels: { latent: 3, hidden: 3 }, perceive: ['identity', 'sobelX'], update: mlp(8, { lastStd: 0.3 }), fireRate: 0.5 })
const images = examplesOf(Float32Array.from(uniform(key(7), [4 * 8 * 8 * 2]).toArray()), [8, 8, 2])

async function numbersOn(backend: Backend): Promise<number[]> {
  const found: Tensor[] = []
  const note = (tree: unknown): void => eachLeaf(tree, leaf => { if (leaf instanceof Tensor) found.push(leaf) })
  for (const code of [{ type: 'vae' }, { type: 'vq', entries: 6 }] as const) {
    const autoencoder = defineAutoencoder({ channels: 2, latent: 3, widths: [4, 4], code })
    const params = initAutoencoder(autoencoder, key(1), { backend })
    const x = uniform(key(2), [2, 8, 8, 2], { backend })
    note(valueAndGrad((p: AutoencoderParams) => autoencoderLoss(autoencoder, p, x, key(3)))(params))
    const trainer = autoencoderTrainer({ autoencoder, images, batch: 2, backend })
    note(trainer.step(trainer.init(key(4))).metrics.loss)
    const task = latentTask(rule, images, { autoencoder, params }, { from: images })
    const learner = taskTrainer({ rule, task, batch: 2, steps: [3, 4], pool: 4, reseed: 1, optimiser: adam() })
    const { metrics: { loss, grads } } = learner.step(learner.init(key(5)))
    note([loss, grads])
  }
  return (await Promise.all(found.map(t => t.data()))).flatMap(values => [...values])
}

it('agrees', async () => {
  const [expected, got] = [await numbersOn(cpu()), await numbersOn(gpu)]
  expect(got.length).toBe(expected.length)
  got.forEach((v, i) => expect(Math.abs(v - expected[i])).toBeLessThan(1e-5 * (1 + Math.abs(expected[i]))))
})
