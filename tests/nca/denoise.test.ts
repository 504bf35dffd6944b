// Denoising by diffusion: the inputs of a rule, the distribution of images made out of noise, and that
// a rule learns to make them.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  adam, checkGrad, conv, decodeCheckpoint, defineRule, denoise, denoisingTask, encodeCheckpoint, examplesOf, full, init, key, mlp, mul,
  normal, rollout, takeRole, taskTrainer, tensor, train, uniform, type DataParams, type Tensor, type TrainerState,
} from '../../src/index.ts'
import { fromNoise } from '../../src/nca/tasks/denoise.ts'
import { sentence } from '../tensor/values.ts'

const rule = defineRule({
  channels: { noisy: 1, level: 1, output: 1, hidden: 6 }, frozen: ['noisy', 'level'], perceive: ['identity', conv(12)],
  update: mlp(24, { lastStd: 0.1 }), fireRate: 1,
})

const numbers = (t: Tensor): number[] => Array.from(t.toArray())
const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length
const deviation = (list: readonly number[]): number => Math.sqrt(mean(list.map(v => (v - mean(list)) ** 2)))

describe('the seed of a denoising task', () => {
  const images = examplesOf(Float64Array.from(uniform(key(1), [4 * 30], { low: -1, high: 1, dtype: 'float64' }).toArray()), [5, 6, 1])
  const task = denoisingTask(rule, images, { dtype: 'float64' })

  it('is a x₀ + b ε for the level beside it, with the same normal noise whatever the image', () => {
    const noise: number[] = [], levels: number[] = []
    fc.assert(fc.property(fc.nat(2 ** 31), fc.array(fc.nat(3), { minLength: 1, maxLength: 3 }), (n, ids) => {
      const drawn = [ids, ids.map(id => (id + 1) % 4)].map(some => {
        const x = task.seeds(some, key(n))
        expect(x.shape).toEqual([some.length, 5, 6, 9])
        const [noisy, level] = ['noisy', 'level'].map(role => numbers(takeRole(rule, x, role)))
        return noisy.map((v, i) => {
          const t = level[i], image = images.of(some[Math.floor(i / 30)])[i % 30]
          if (i % 30 === 0) levels.push(t)
          expect(t).toBe(level[i - i % 30]) // one level for all cells of a sample
          return (v - Math.cos(Math.PI * t / 2) * image) / Math.sin(Math.PI * t / 2)
        })
      })
      drawn[0].forEach((v, i) => expect(Math.abs(v - drawn[1][i])).toBeLessThan(1e-6 * Math.max(1, 1 / levels.at(-1)!)))
      noise.push(...drawn[0])
    }), { numRuns: 60 })
    expect(Math.abs(mean(noise))).toBeLessThan(0.06)
    expect(Math.abs(deviation(noise) - 1)).toBeLessThan(0.06)
    expect(Math.abs(mean(levels) - 0.5)).toBeLessThan(0.1)
  })

  it('is judged by the image, with the derivatives of central differences', () => {
    const smooth = defineRule({ ...rule, update: mlp(6, { activation: 'tanh', lastStd: 0.1 }) })
    const params = init(smooth, key(3), { dtype: 'float64' })
    checkGrad((p: DataParams) => task.loss(rollout(smooth, p, task.seeds([2], key(1)), key(2), { steps: 2 }), [2], key(0)), params)
    const x = task.seeds([0, 3], key(5)), wanted = [0, 3].map(id => mean(Array.from(images.of(id), v => v * v)))
    numbers(task.loss(x, [0, 3], key(0))).forEach((v, i) => expect(v).toBeCloseTo(wanted[i], 10))
  })
})

describe('images made from noise', () => {
  it('are the prediction of a rule that always predicts the same, whatever the noise', () => {
    const image = tensor([0.3, -0.8])
    expect(numbers(fromNoise(normal(key(1), [3, 2]), 7, () => full([3, 2], 0.25)))).toEqual(new Array(6).fill(0.25))
    expect(numbers(fromNoise(normal(key(2), [2]), 1, () => image))).toEqual(numbers(image))
  })

  it('have the deviation of normal data, for a rule that predicts their mean', () => {
    // Of x₀ ~ N(0, s²), E[x₀ | x_t] = a s² x_t / (a² s² + b²).
    for (const s of [0.3, 1, 2]) {
      const made = fromNoise(normal(key(4), [4000], { dtype: 'float64' }), 200, (x, t) => {
        const [a, b] = [Math.cos(Math.PI * t / 2), Math.sin(Math.PI * t / 2)]
        return mul(x, a * s * s / (a * a * s * s + b * b))
      })
      expect(Math.abs(deviation(numbers(made)) / s - 1)).toBeLessThan(0.06)
    }
  })

  it('are of one kind or the other, for a rule that has learnt from both; an interrupted run ends as it would have', async () => {
    const kinds = [0.8, -0.8]
    const images = examplesOf(Float32Array.from({ length: 18 }, (_, i) => kinds[Math.floor(i / 9)]), [3, 3, 1])
    const trainer = taskTrainer({
      rule, task: denoisingTask(rule, images), batch: 16, steps: [3, 4], optimiser: adam({ rate: 1e-2 }), normalise: true,
    })
    const go = async (iterations: number, from?: TrainerState<DataParams>): Promise<TrainerState<DataParams>> => {
      let last: TrainerState<DataParams>
      for await (const { state } of train(trainer, { iterations, state: from })) last = state
      return last!
    }
    const half = decodeCheckpoint<DataParams>(await encodeCheckpoint(await go(20)), 'file', { trainer }).state
    expect(await encodeCheckpoint(await go(40, half))).toEqual(await encodeCheckpoint(await go(40)))
    const { params } = await go(250)
    const made = denoise(rule, params, key(7), { size: [3, 3], levels: 10, steps: 3, batch: 24 })
    expect(made.shape).toEqual([24, 3, 3, 1])
    const all = numbers(made), samples = Array.from({ length: 24 }, (_, i) => all.slice(9 * i, 9 * i + 9))
    const far = samples.filter(list => list.some(v => Math.min(...kinds.map(kind => Math.abs(v - kind))) > 0.4))
    expect(far.length).toBeLessThanOrEqual(4)
    const shares = kinds.map(kind => samples.filter(list => Math.abs(mean(list) - kind) < 0.4).length)
    shares.forEach(n => expect(n).toBeGreaterThan(3))
    expect(numbers(denoise(rule, params, key(7), { size: [3, 3], levels: 10, steps: 3, batch: 24 }))).toEqual(all)
  })
})

it('refuses rules without its roles, and sizes that do not fit the grid', () => {
  const images = examplesOf(new Float32Array(9), [3, 3, 1])
  const other = (change: object) => defineRule({ ...rule, ...change })
  expect(sentence(() => denoisingTask(other({ frozen: ['noisy'] }), images))).toBe('denoisingTask: the role level must be frozen in the rule; add it to frozen.')
  expect(sentence(() => denoisingTask(other({ channels: { noisy: 1, level: 2, output: 1, hidden: 6 } }), images))).toBe('denoisingTask: channels.level is 2, expected 1, the amount of noise.')
  expect(sentence(() => denoisingTask(other({ channels: { noisy: 1, level: 1, output: 3, hidden: 6 } }), images))).toBe('denoisingTask: channels.output is 3, expected 1, as noisy.')
  expect(sentence(() => denoisingTask(rule, examplesOf(new Float32Array(18), [3, 3, 2])))).toBe('denoisingTask: channels of the images is 2, expected 1, as noisy.')
  const params = init(rule, key(0))
  expect(sentence(() => denoise(rule, params, key(0), { size: [3], levels: 2, steps: 1 }))).toBe('denoise: size is [3], expected as many sides as the rule\'s grid has, 2.')
})
