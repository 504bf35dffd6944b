// Norms, heads, sliding windows and agreement on a GPU are as on the CPU, with their gradients.

import { expect, it } from 'vitest'
import {
  cpu, defineRule, groupNorm, init, key, mlp, readHead, rollout, slidingWindow, square, sum, totalAgreement, uniform, valueAndGrad,
  type Backend, type DataParams, type Tensor,
} from '../../src/index.ts'
import { sharedGpu } from './gpu.ts'

const gpu = await sharedGpu()

const rule = defineRule({
  channels: { a: 3, b: 3 }, perceive: ['identity', 'sobelX'], fireRate: 0.5, living: { channel: 0, above: 0.1 },
  update: mlp(8, { norm: { on: 'both', groups: 2 }, lastStd: 0.3 }), head: { outputs: 3, network: mlp(4, { lastStd: 1 }) },
})

async function numbersOn(backend: Backend): Promise<number[]> {
  const params = init(rule, key(1), { backend }), x = uniform(key(2), [2, 6, 7, 6], { backend })
  const [loss, { update, head }] = valueAndGrad((p: DataParams) => (
    sum(square(readHead(rule, p, rollout(rule, p, x, key(3), { steps: 3 }))))))(params)
  const seen = slidingWindow(x, window => rollout(rule, params, window, key(3), { steps: 2 }), { size: [4, 4] })
  const all: Tensor[] = [loss, ...Object.values(update), ...Object.values(head!), seen, groupNorm(x, { groups: 3 }), totalAgreement(x)]
  return (await Promise.all(all.map(t => t.data()))).flatMap(values => [...values])
}

it('agrees', async () => {
  const [expected, got] = [await numbersOn(cpu()), await numbersOn(gpu)]
  expect(got.length).toBe(expected.length)
  got.forEach((v, i) => expect(Math.abs(v - expected[i])).toBeLessThan(1e-5 * (1 + Math.abs(expected[i]))))
})
