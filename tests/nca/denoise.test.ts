// Denoising by diffusion: the inputs of a rule, the distribution of images made out of noise, and that
// a rule learns to make them.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  adam, cascade, checkGrad, concat, conv, customRule, decodeCheckpoint, defineRule, denoise, denoisingTask, encodeCheckpoint, examplesOf, full, guided,
  init, key, mapTree, mlp, mul, normal, rollout, setChannels, subset, takeRole, taskTrainer, tensor, train, uniform, type DataParams, type Tensor, type TrainerState,
} from '../../src/index.ts'
import { fromNoise } from '../../src/nca/tasks/denoise.ts'
import { drawBatch } from '../../src/nca/training/batch.ts'
import { complete } from '../../src/nca/training/trainer-options.ts'
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

describe('the pool of a denoising task', () => {
  // With the same image everywhere, states differ only by their noise and level.
  const images = examplesOf(new Float32Array(130 * 4).fill(0.5), [2, 2, 1])
  const options = { rule, task: denoisingTask(rule, images), batch: 4, steps: [1, 3], optimiser: adam(), pool: 130, ranked: 'none' } as const
  type State = TrainerState<DataParams>
  const inputs = ({ pool }: State): string[] => pool.map(slot => Array.from(slot.toArray()).filter((_, i) => i % 9 < 2).join())

  it('begins with different noise for every example, and for every key', () => {
    const states = [1, 2].map(n => taskTrainer(options).init(key(n)))
    expect(new Set(states.flatMap(inputs)).size).toBe(260)
    const levels = inputs(states[0]).map(one => Number(one.split(',')[1]))
    expect(new Set(levels).size).toBe(130)
    expect(Math.abs(mean(levels) - 0.5)).toBeLessThan(0.08)
  })

  it('keeps the noise of a sample until it begins anew, and is the same when a run was interrupted', async () => {
    const trainer = taskTrainer({ ...options, reseed: 1 })
    const go = (n: number, from: State): State => Array.from({ length: n }).reduce<State>(state => trainer.step(state).state, from)
    const states = [trainer.init(key(3))]
    for (let i = 0; i < 5; i++) {
      states.push(go(1, states[i]))
      const [before, after] = states.slice(-2).map(inputs)
      const anew = after.filter((one, slot) => one !== before[slot])
      expect(anew).toHaveLength(1)
      expect(before).not.toContain(anew[0])
    }
    const { state: half } = decodeCheckpoint<DataParams>(await encodeCheckpoint(states[2]))
    expect(await encodeCheckpoint(go(3, half))).toEqual(await encodeCheckpoint(states[5]))
  })

  it('has new noise in place of states that are not finite, in every iteration and each of its batches', () => {
    const params = mapTree(init(rule, key(0)), p => mul(p as Tensor, NaN))
    const trainer = taskTrainer({ ...options, task: denoisingTask(rule, subset(images, [0, 1, 2, 3])), params, pool: 4, accumulate: 2 })
    let state = trainer.init(key(4))
    const seen = new Set<string>()
    for (let i = 0; i < 4; i++) {
      inputs(state).forEach(one => seen.add(one))
      ;({ state } = trainer.step(state))
    }
    expect(seen.size).toBe(16)
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

describe('images of a condition', () => {
  const told = defineRule({ ...rule, channels: { ...rule.channels, condition: 2 }, frozen: ['noisy', 'level', 'condition'] })
  const images = examplesOf(new Float32Array(uniform(key(1), [3 * 20], { low: -1, high: 1 }).toArray()), [4, 5, 1])
  const codes = tensor([[1, 0], [0, 1], [0.5, 0.25]])
  const task = denoisingTask(told, images, { condition: 'condition', codes })
  const cells = (list: readonly number[][]): number[] => list.flatMap(code => Array.from({ length: 20 }, () => code).flat())

  it('are learnt with its code in every cell, of which a critic is told beside the noisy image', () => {
    const plain = denoisingTask(rule, images)
    fc.assert(fc.property(fc.nat(2 ** 31), fc.array(fc.nat(2), { minLength: 1, maxLength: 3 }), (n, ids) => {
      const x = task.seeds(ids, key(n))
      expect(numbers(takeRole(told, x, 'condition'))).toEqual(cells(ids.map(id => numbers(codes).slice(2 * id, 2 * id + 2))))
      for (const role of ['noisy', 'level', 'output']) expect(numbers(takeRole(told, x, role))).toEqual(numbers(takeRole(rule, plain.seeds(ids, key(n)), role)))
      const given = task.images!.given!(x, ids)
      expect(numbers(given)).toEqual(numbers(concat([takeRole(told, x, 'noisy'), takeRole(told, x, 'condition')])))
    }), { numRuns: 20 })
    expect(numbers(takeRole(told, denoisingTask(told, subset(images, [0, 1]), { condition: 'condition' }).seeds([1]), 'condition'))).toEqual(cells([[0, 1]]))
  })

  it('are learnt without it where it is dropped, with the noisy image still there', () => {
    const options = { rule: told, task, batch: 4, steps: [1, 2], optimiser: adam() } as const
    const keys = { slots: key(1), damage: key(2), loss: key(3), seeds: key(4) }, from = { pool: [], examples: [], iteration: 0 }
    const [some, none] = [0, 1].map(dropped => drawBatch(complete('test', { ...options, dropped }), from, keys).x)
    expect(numbers(none)).toEqual(numbers(setChannels(told, some, { condition: tensor([0, 0]) })))
  })

  it('are made of what denoise is given, guided or not, or on coarse grids first', () => {
    const dtype = 'float64', params = init(told, key(3), { dtype }), how = { size: [4, 4], levels: 3, steps: 2, batch: 2, dtype } as const
    const made = (one: typeof told | ReturnType<typeof guided>, values?: Record<string, Tensor>): number[] => numbers(denoise(one, params, key(5), { ...how, values }))
    const [first, second, both] = [[1, 0], [0, 1], [[1, 0], [0, 1]]].map(code => ({ condition: tensor(code, { dtype }) }))
    const plain = made(told, both)
    expect(denoise(told, params, key(5), { ...how, values: both }).shape).toEqual([2, 4, 4, 1])
    expect(made(told, both)).toEqual(plain)
    expect(made(told, first).slice(0, 16)).toEqual(plain.slice(0, 16))
    expect(made(told, second).slice(16)).toEqual(plain.slice(16))
    expect(made(told, second).slice(0, 16)).not.toEqual(plain.slice(0, 16))
    // Guidance: at 1 the rule itself, at 0 the rule without the condition but with the noisy image, and beyond them both.
    expect(made(guided(told, 1, 'condition'), both)).toEqual(plain)
    const blind = made(told)
    made(guided(told, 0, 'condition'), both).forEach((v, i) => expect(v).toBeCloseTo(blind[i], 12))
    expect(made(guided(told, 3, 'condition'), both)).not.toEqual(plain)
    const stages = [{ scale: 2, steps: 1 }]
    expect(made(cascade(guided(told, 1, 'condition'), stages), both)).toEqual(made(cascade(told, stages), both))
    expect(made(cascade(told, stages), both)).not.toEqual(plain)
  })

  it('is refused where the role is not frozen, the codes do not fit, or the rule is other code', () => {
    const params = init(told, key(3)), how = { size: [3, 3], levels: 2, steps: 1 }
    const code = customRule({ channels: told.channels, init: () => params, step: (_, x) => x })
    expect([
      () => denoisingTask(told, images, { condition: 'hidden' }), () => denoisingTask(told, images, { condition: 'condition' }),
      () => denoisingTask(told, images, { condition: 'condition', codes: full([2, 2], 0) }), () => denoisingTask(told, images, { codes }),
      () => guided(told, 2, 'hidden'), () => denoise(code, params, key(0), how),
      () => denoise(told, params, key(0), { ...how, values: { noisy: tensor([1]) } }), () => denoise(told, params, key(0), { ...how, values: { class: tensor([1]) } }),
      () => denoise(told, params, key(0), { ...how, values: 3 as never }),
    ].map(sentence)).toMatchInlineSnapshot(`
      [
        "denoisingTask: the role hidden must be frozen in the rule; add it to frozen.",
        "denoisingTask: channels.condition is 2, expected 3, one for each example.",
        "denoisingTask: codes is a tensor [2,2] float32, expected a tensor [3,2].",
        "denoisingTask: codes is a tensor [3,2] float32, expected none without the role of a condition.",
        "guided: the role hidden must be frozen in the rule; add it to frozen.",
        "denoise: the rule is code, expected one of defineRule, or one that guided or cascade made of it.",
        "denoise: values is "noisy", expected roles other than noisy and level, which change from level to level.",
        "setChannels: the role is "class", expected one of noisy, level, output, hidden, condition.",
        "denoise: values is 3, expected tensors by role.",
      ]
    `)
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
