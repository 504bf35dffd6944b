// A critic beside the rule (WGAN-GP): the penalty and its derivative, what each of the two learns from, that both resume
// after an interruption as if there had been none, and that a rule learns from a critic alone.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  adam, add, checkGrad, conditionalTask, conv, decodeCheckpoint, defineRule, eachLeaf, encodeCheckpoint, examplesOf,
  full, grad, gradientPenalty, growingTask, imageToImageTask, key, l1, mean, mlp, mul, rgba, rollout, sgd, square, stack,
  sub, sum, taskTrainer, tensor, Tensor, train, uniform, type CriticParams, type DataParams, type DataRule,
  type Examples, type Task, type TrainerOptions, type TrainerState,
} from '../../src/index.ts'
import { criticField, criticLoss, criticScore, initCritic, type Critic } from '../../src/nca/training/critic.ts'
import { checkData } from '../../src/backends/fields.ts'
import { SparseState } from '../../src/nca/training/sparse-state.ts'
import { sentence } from '../tensor/values.ts'
import { runs } from '../long.ts'

type State = TrainerState<DataParams>

const draw = (n: number, shape: readonly number[]): Tensor => uniform(key(n), shape, { low: -1, high: 1, dtype: 'float64' })
const criticOf = (given: object): Critic => checkData('critic', criticField, given)

const [n, h, w] = [5, 4, 6]
const rule = defineRule({
  channels: { input: 1, output: 2, hidden: 2 }, frozen: ['input'], perceive: ['identity', conv(4)],
  update: mlp(8, { lastStd: 0.2 }), fireRate: 0.5,
})
const inputs = examplesOf(Float32Array.from(draw(1, [n * h * w]).toArray()), [h, w, 1])
const outputs = examplesOf(Float32Array.from(draw(2, [n * h * w * 2]).toArray()), [h, w, 2])
const task = imageToImageTask(rule, { inputs, outputs }, { loss: l1 })
const critic = { widths: [4], steps: 2, lossWeight: 3, weight: 0.5, optimiser: adam({ rate: 1e-2, beta1: 0, beta2: 0.9 }) }
const options: TrainerOptions = { rule, task, batch: 3, steps: [2, 5], optimiser: sgd({ rate: 0.1, momentum: 0.5 }), critic }

/** All numbers of a tree by their paths. */
function contents(tree: unknown): Record<string, number[]> {
  const found: Record<string, number[]> = {}
  eachLeaf(tree, (leaf, path) => {
    found[path] = leaf instanceof Tensor || leaf instanceof SparseState ? [...leaf.toArray()] : [Number(leaf)]
  })
  return found
}

describe('the gradient penalty', () => {
  it('of a linear function is (its slope − 1)² everywhere', () => {
    fc.assert(fc.property(fc.nat(2 ** 31), fc.integer({ min: 1, max: 4 }), (seed, b) => {
      const slope = draw(seed, [2, 3, 2])
      const plane = (x: Tensor): Tensor => sum(mul(x, slope), [1, 2, 3])
      const length = Math.sqrt([...slope.toArray()].reduce((sum, v) => sum + v * v, 0))
      const penalty = gradientPenalty(plane, draw(seed + 1, [b, 2, 3, 2]), draw(seed + 2, [b, 2, 3, 2]), key(seed))
      expect(penalty.shape).toEqual([b])
      for (const v of penalty.toArray()) expect(v).toBeCloseTo((length - 1) ** 2, 10)
    }))
  })

  it('looks between the images of a pair, and only there', () => {
    fc.assert(fc.property(fc.nat(2 ** 31), seed => {
      // The slope of ½ Σ x² is x itself: so the penalty shows where it was evaluated.
      const bowl = (x: Tensor): Tensor => mul(0.5, sum(square(x), [1]))
      const [real, made] = [[-1, 2], [3, 7]]
      const at = [...gradientPenalty(bowl, tensor(real, { shape: [2, 1] }), tensor(made, { shape: [2, 1] }), key(seed)).toArray()].map(Math.sqrt)
      // | |x| − 1 | with x between −1 and 3, and between 2 and 7
      expect(at[0]).toBeLessThanOrEqual(2)
      expect(at[1]).toBeGreaterThanOrEqual(1)
      expect(at[1]).toBeLessThanOrEqual(6)
    }))
  })

  it('has the second derivatives of central differences, by parameters and by images', () => {
    const one = criticOf({ widths: [3] })
    const shown = { real: draw(5, [2, 4, 4, 2]), made: draw(6, [2, 4, 4, 2]), given: draw(7, [2, 4, 4, 1]) }
    const { params } = initCritic(one, shown, key(3))
    checkGrad((p: CriticParams) => criticLoss(p, shown, 10, key(4))[0], params)
    checkGrad((made: Tensor) => mean(gradientPenalty(x => criticScore(params, x, shown.given), shown.real, made, key(4))), shown.made)
  })
})

describe('a trainer with a critic', () => {
  // Nothing is random: all cells fire, for 2 steps, and there is one example.
  const busy = defineRule({ ...rule, fireRate: 1 })
  const single = imageToImageTask(busy, { inputs: { ...inputs, n: 1 }, outputs: { ...outputs, n: 1 } }, { loss: l1 })

  it('lets the critic learn from its loss, and then the rule from its own and from the score', () => {
    fc.assert(fc.property(fc.nat(2 ** 31), fc.integer({ min: 1, max: 3 }), fc.constantFrom(0, 2), (seed, steps, lossWeight) => {
      const trainer = taskTrainer({
        ...options, rule: busy, task: single, batch: 2, steps: [2, 3], optimiser: sgd({ rate: 1 }),
        critic: { widths: [3], steps, penalty: 0, weight: 0.7, lossWeight, optimiser: sgd({ rate: 0.1 }) },
      })
      const before = trainer.init(key(seed))
      const { state, metrics } = trainer.step(before)
      const grown = (params: DataParams): Tensor => rollout(busy, params, single.seeds([0, 0]), key(0), { steps: 2 })
      const { made, real, given } = single.images!
      const score = (p: CriticParams, images: Tensor): Tensor => mean(criticScore(p, images, given!(single.seeds([0, 0]), [0, 0])))
      let judge = before.critic!.params
      for (let i = 0; i < steps; i++) {
        const g = grad((p: CriticParams) => sub(score(p, made(grown(before.params), [0, 0])), score(p, real([0, 0]))))(judge)
        judge = judge.map(({ w, b }, j) => ({ w: sub(w, mul(0.1, g[j].w)), b: sub(b, mul(0.1, g[j].b)) }))
      }
      expectNear(contents(state.critic!.params), contents(judge))
      const loss = (p: DataParams): Tensor => mean(single.loss(grown(p), [0, 0], key(0)))
      const g = grad((p: DataParams) => add(mul(lossWeight, loss(p)), mul(-0.7, score(judge, made(grown(p), [0, 0])))))(before.params)
      expectNear(contents(metrics.grads), contents(g))
      expect(metrics.loss.toArray()[0]).toBeCloseTo(loss(before.params).toArray()[0], 5)
    }), runs(10))
  })

  it('resumes from a checkpoint bit for bit, with a pool too', async () => {
    for (const more of [{}, { pool: 6, reseed: 1, damaged: 1 }] as Partial<TrainerOptions>[]) {
      const trainer = taskTrainer({ ...options, ...more })
      const go = (state: State, times: number): State => {
        for (let i = 0; i < times; i++) ({ state } = trainer.step(state))
        return state
      }
      const half = go(trainer.init(key(5)), 2)
      const whole = go(half, 2)
      const { state } = decodeCheckpoint<DataParams>(await encodeCheckpoint(half), 'file', { trainer })
      expect(contents(state)).toEqual(contents(half))
      expect(contents(go(state, 2))).toEqual(contents(whole))
      expect(contents(whole.critic)).not.toEqual(contents(half.critic))
    }
  })

  it('teaches a rule an image by its score alone', async () => {
    const columns = (left: number, right: number): Examples =>
      examplesOf(Float32Array.from({ length: 16 }, (_, i) => (i % 4 < 2 ? left : right)), [4, 4, 1])
    const mono = defineRule({
      channels: { input: 1, output: 1, hidden: 2 }, frozen: ['input'], perceive: ['identity', conv(8)], update: mlp(16), fireRate: 1,
    })
    const lesson = imageToImageTask(mono, { inputs: columns(1, 0), outputs: columns(0.8, -0.4) })
    const both = adam({ rate: 4e-3, beta1: 0, beta2: 0.9 })
    const trainer = taskTrainer({
      rule: mono, task: lesson, batch: 1, steps: [2, 3], optimiser: both, normalise: true, critic: { widths: [8], steps: 2, optimiser: both },
    })
    const losses: number[] = []
    for await (const { loss, distance } of train(trainer, { iterations: 150 })) {
      losses.push(loss)
      expect(distance).toBeTypeOf('number')
    }
    const late = losses.slice(-30).reduce((a, b) => a + b) / 30
    expect(losses[0]).toBeCloseTo((0.64 + 0.16) / 2, 5)
    expect(late).toBeLessThan(losses[0] / 5)
  })

  it('judges growing too, for one image or several, with the condition in all cells or in the seed', () => {
    const [image, other] = [0.2, 0.9].map(v => full([5, 5, 4], v))
    const free = defineRule({ channels: { rgba: 4, hidden: 3 }, perceive: ['identity', conv(4)], update: mlp(8, { lastStd: 0.2 }) })
    const told = defineRule({ ...free, channels: { rgba: 4, hidden: 1, condition: 2 }, frozen: ['condition'] })
    const tasks: [DataRule, Task][] = [
      [free, growingTask(free, image)], [told, conditionalTask(told, stack([image, other]))],
      [free, conditionalTask(free, stack([image, other]), { role: 'hidden', cells: 'seed', codes: full([2, 3], 0.5) })],
    ]
    for (const [rule, task] of tasks) {
      const { made, real, given } = task.images!
      const ids = task.examples === 1 ? [0, 0] : [0, 1]
      const x = task.seeds(ids)
      expect(made(x, ids).toArray()).toEqual(rgba(x).toArray())
      expect(Array.from(real(ids).toArray())).toEqual(ids.flatMap(id => Array.from([image, other][id].toArray())))
      expect(given?.(x, ids).shape.slice(0, 3) ?? [2, 5, 5]).toEqual([2, 5, 5])
      const trainer = taskTrainer({ ...options, rule, task, batch: 2 })
      const { state, metrics } = trainer.step(trainer.init(key(1)))
      expect(Number.isFinite(metrics.distance!.toArray()[0])).toBe(true)
      expect(contents(state.critic!.params)).not.toEqual(contents(trainer.init(key(1)).critic!.params))
    }
  })

  it('is refused if the task has no images, as is a state with a critic for a trainer without one, and the reverse', async () => {
    const blind = { ...task, images: undefined }
    expect(sentence(() => taskTrainer({ ...options, task: blind }))).toContain('expected null, or a task that has images, like imageToImageTask.')
    expect(sentence(() => taskTrainer({ ...options, critic: { widths: [] } }))).toContain('trainer: critic.widths is []')
    expect(sentence(() => taskTrainer({ ...options, critic: { step: 1 } as never }))).toContain('did you mean "steps"?')
    const [with_, without] = [taskTrainer(options), taskTrainer({ ...options, critic: null })]
    const bytes = await encodeCheckpoint(with_.init(key(0)))
    expect(sentence(() => decodeCheckpoint(bytes, 'a.safetensors', { trainer: without }))).toContain('expected none, as the trainer has none.')
    const other = taskTrainer({ ...options, critic: { ...critic, widths: [5] } })
    expect(sentence(() => decodeCheckpoint(bytes, 'a.safetensors', { trainer: other }))).toContain('a.safetensors: critic.params.0.w is a tensor [4,4,3,4] float32, expected a tensor [4,4,3,5] float32.')
    const plain = await encodeCheckpoint(without.init(key(0)))
    expect(sentence(() => decodeCheckpoint(plain, 'a.safetensors', { trainer: with_ }))).toContain('a.safetensors: critic.params.0.w is missing')
    const broken = { ...with_.init(key(0)), critic: { params: [], optimiser: {} } }
    expect(sentence(() => with_.check!(broken as never, 'here'))).toContain('here: critic.params is [], expected a tree with tensors.')
    const poisoned = with_.init(key(0))
    const nan = { ...poisoned, critic: { ...poisoned.critic!, params: poisoned.critic!.params.map(({ w, b }) => ({ w: mul(w, NaN), b })) } }
    const file = await encodeCheckpoint(nan)
    expect(sentence(() => decodeCheckpoint(file, 'a.safetensors'))).toContain('critic.params.0.w')
  })
})

function expectNear(got: Record<string, number[]>, expected: Record<string, number[]>): void {
  expect(Object.keys(got)).toEqual(Object.keys(expected))
  for (const [path, values] of Object.entries(expected)) values.forEach((v, i) => expect(got[path][i], path).toBeCloseTo(v, 4))
}
