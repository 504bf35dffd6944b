// Judging a rule over examples: which ones, how well, and the votes of cells.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  accuracy, classificationTask, conv, crossEntropy, defineRule, evaluate, examplesOf, foldIn, imageToImageTask, init,
  key, memory, mlp, mse, predict, rollout, subset, takeRole, tensor, uniform, vote, type Tensor,
} from '../../src/index.ts'
import { list } from '../tensor/values.ts'

const rule = defineRule({
  channels: { input: 1, output: 2 }, frozen: ['input'], perceive: [conv(3)], update: mlp(4, { lastStd: 0.5 }), living: null, fireRate: 0.5,
})
const task = imageToImageTask(rule, {
  inputs: examplesOf(uniform(key(1), [7 * 6]).toArray(), [2, 3, 1]), outputs: examplesOf(uniform(key(2), [7 * 12]).toArray(), [2, 3, 2]),
})
const params = init(rule, key(3))

describe('examples', () => {
  it('keep their labels when some are taken', () => {
    const images = { ...examplesOf(Float32Array.of(0, 1, 2, 3), [1, 1, 1]), labels: Uint8Array.of(9, 8, 7, 6), from: 'a folder' }
    const some = subset(images, [2, 0, 2])
    expect([some.n, some.of(0)[0], some.of(1)[0], Array.from(some.labels), some.shape, some.from]).toEqual([3, 2, 0, [7, 9, 7], [1, 1, 1], 'a folder'])
    expect(subset(subset(images, [3, 1]), [1]).labels).toEqual([8])
    expect('labels' in subset(examplesOf(new Float32Array(2), [1, 1, 1]), [1])).toBe(false)
    expect(() => subset(images, [4])).toThrow('subset: ids is [4], expected a list of whole numbers from 0 to 3.')
    expect(() => subset(images, [])).toThrow('subset: ids is []')
  })
})

describe('evaluate and predict', () => {
  it('run all examples, batch by batch, and leave nothing behind', async () => {
    const before = memory().buffers
    const got = await evaluate(rule, task, params, { steps: 3, key: key(5), batch: 3 })
    expect(memory().buffers).toBe(before)
    const expected = [[0, 1, 2], [3, 4, 5], [6]].flatMap((ids, i) => {
      const x = rollout(rule, params, task.seeds(ids), foldIn(key(5), i), { steps: 3 })
      return list(task.loss(x, ids, foldIn(key(5), i)))
    })
    expect(got).toEqual(expected)
    const states = predict(rule, task, params, { steps: 3, key: key(5), batch: 3 })
    expect(states.shape).toEqual([7, 2, 3, 3])
    const outputs = tensor(uniform(key(2), [7 * 12]).toArray(), { shape: [7, 2, 3, 2] })
    list(mse(takeRole(rule, states, 'output'), outputs)).forEach((v, i) => expect(v).toBeCloseTo(expected[i], 6))
  })

  it('take some of the examples, and another measure', async () => {
    const examples = [6, 2]
    const seen: (readonly number[])[] = []
    const measure = (x: Parameters<typeof task.loss>[0], ids: readonly number[]) => {
      seen.push(ids)
      return tensor(ids.map(id => 10 * id))
    }
    expect(await evaluate(rule, task, params, { steps: 1, examples, measure, batch: 1 })).toEqual([60, 20])
    expect(seen).toEqual([[6], [2]])
    expect(list(predict(rule, task, params, { steps: 0, examples }))).toEqual(list(task.seeds(examples)))
  })

  it('say what does not fit', async () => {
    await expect(evaluate(rule, task, params, {} as never)).rejects.toThrow('evaluate: steps is undefined, expected a whole number ≥ 0.')
    await expect(evaluate(rule, task, params, { steps: 1, examples: [7] })).rejects.toThrow('evaluate: examples is [7], expected a list of whole numbers from 0 to 6.')
    await expect(evaluate(rule, task, params, { steps: 1, measure: () => tensor(1) })).rejects.toThrow('evaluate: what measure returned is a tensor [] float32, expected a tensor [7]')
    expect(() => predict(rule, task, params, { steps: 1, bach: 3 } as never)).toThrow('predict: there is no option "bach"; did you mean "batch"?')
    expect(() => predict(rule, {} as never, params, { steps: 1 })).toThrow('predict: task is')
  })
})

describe('vote', () => {
  const b = 3, classes = 4
  const drawn = fc.record({ n: fc.integer({ min: 1, max: 6 }), seed: fc.nat() })

  it('is the class of the greatest mean score of the cells that count', () => {
    fc.assert(fc.property(drawn, ({ n, seed }) => {
      const scores = uniform(key(seed), [b, n, 1, classes], { dtype: 'float64' })
      const counted = Array.from(uniform(key(seed + 1), [b * n]).toArray(), v => +(v > 0.3))
      const mask = tensor(Uint32Array.from(counted), { shape: [b, n, 1] })
      const expected = Array.from({ length: b }, (_, i) => {
        const sums = Array.from({ length: classes }, (_, c) =>
          counted.slice(i * n, (i + 1) * n).reduce((sum, on, cell) => sum + on * list(scores)[(i * n + cell) * classes + c], 0))
        return counted.slice(i * n, (i + 1) * n).includes(1) ? sums.indexOf(Math.max(...sums)) : -1
      })
      expect(list(vote(scores, { mask }))).toEqual(expected)
      const labels = tensor(Int32Array.from([Math.max(0, expected[0]), 1, 2]))
      expect(list(accuracy(scores, labels, { mask, per: 'image' }))).toEqual(expected.map((v, i) => +(v >= 0 && v === list(labels)[i])))
      // The class that is likely by the loss per image wins the vote.
      expected.forEach((winner, i) => {
        if (winner < 0) return
        const losses = Array.from({ length: classes }, (_, c) => list(crossEntropy(scores, tensor(new Int32Array(b).fill(c)), { mask, per: 'image' }))[i])
        expect(losses.indexOf(Math.min(...losses))).toBe(winner)
      })
    }))
  })

  it('is spoilt by a NaN, except in a cell that does not count', () => {
    const scores = tensor([[[[0, NaN]], [[0, 1]]]])
    expect(list(vote(scores))).toEqual([-1])
    expect(list(accuracy(scores, tensor(Int32Array.of(0)), { per: 'image' }))).toEqual([0])
    expect(list(vote(scores, { mask: tensor([[[0], [1]]], { dtype: 'uint32' }) }))).toEqual([1])
    expect(() => accuracy(scores, tensor([[[0], [1]]], { dtype: 'int32' }), { per: 'image' })).toThrow('accuracy: the shape of int32 labels must be [b]')
  })
})

it('evaluate computes the accuracy of images', async () => {
  // Class 1 grows where the image is 1, and class 0 where it is 0.
  const digits = defineRule({ channels: { image: 1, classes: 2 }, frozen: ['image'], perceive: ['identity'], update: mlp(1, { activation: 'linear' }), living: null, fireRate: 1 })
  const update = { w1: tensor([[1], [0], [0]]), b1: tensor([0]), w2: tensor([[-1, 1]]), b2: tensor([0.5, 0]) }
  const images = { ...examplesOf(Float32Array.of(0, 0, 1, 1, 1, 1), [2, 1, 1]), labels: [0, 1, 0] }
  const options = {
    steps: 2, measure: (x: Tensor, ids: readonly number[]) =>
      accuracy(takeRole(digits, x, 'classes'), tensor(Int32Array.from(ids, id => images.labels[id])), { per: 'image' }),
  }
  expect(await evaluate(digits, classificationTask(digits, images), { update }, options)).toEqual([1, 1, 0])
})
