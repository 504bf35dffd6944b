// How much runs differ in which different cells fire: compared with sums by hand, and zero without randomness.

import { expect, it } from 'vitest'
import {
  argMax, conv, cpu, defineRule, examplesOf, foldIn, imageToImageTask, init, key, memory, mlp, predict, takeRole, tensor,
  uncertainty, uniform, zeros, type Tensor,
} from '../../src/index.ts'
import { list } from '../tensor/values.ts'

const made = (fireRate: number) => defineRule({
  channels: { input: 1, output: 2 }, frozen: ['input'], perceive: [conv(3)], update: mlp(4, { lastStd: 0.5 }), living: null, fireRate,
})
const [rule, sure] = [made(0.5), made(1)]
const task = imageToImageTask(rule, {
  inputs: examplesOf(uniform(key(1), [5 * 6]).toArray(), [2, 3, 1]), outputs: examplesOf(new Float32Array(5 * 12), [2, 3, 2]),
})
const params = init(rule, key(3))
const output = (x: Tensor): Tensor => takeRole(rule, x, 'output')

it('is the spread of rollouts with keys of their own, batch after batch, and leaves nothing behind', () => {
  const runs = 4
  const before = memory().buffers
  const { mean, std, variance, nqm } = uncertainty(rule, task, params, { steps: 3, key: key(5), batch: 2, runs, of: output, examples: [4, 0, 2] })
  expect(memory().buffers).toBe(before + 4)
  expect([mean.shape, std.shape, variance.shape, nqm.shape]).toEqual([[3, 2, 3, 2], [3, 2, 3, 2], [3, 2, 3], [3]])
  const each = Array.from({ length: runs }, (_, r) => list(output(predict(rule, task, params, { steps: 3, key: foldIn(key(5), r), batch: 2, examples: [4, 0, 2] }))))
  expect(new Set(each.map(String)).size).toBe(runs) // no two runs are the same
  const means = each[0].map((_, i) => each.reduce((s, y) => s + y[i], 0) / runs)
  const stds = each[0].map((_, i) => Math.sqrt(each.reduce((s, y) => s + (y[i] - means[i]) ** 2, 0) / runs))
  list(mean).forEach((v, i) => expect(v).toBeCloseTo(means[i], 5))
  list(std).forEach((v, i) => expect(v).toBeCloseTo(stds[i], 5))
  list(variance).forEach((v, i) => expect(v).toBeCloseTo((stds[2 * i] ** 2 + stds[2 * i + 1] ** 2) / 2, 5))
  const sum = (values: number[], example: number): number => values.slice(example * 12, (example + 1) * 12).reduce((a, b) => a + Math.abs(b), 0)
  list(nqm).forEach((v, i) => expect(v).toBeCloseTo(sum(stds, i) / sum(means, i), 4))
})

it('needs no more memory for more runs', () => {
  const peak = (runs: number): number => {
    const backend = cpu()
    const task = { examples: 1, seeds: () => zeros([1, 16, 16, 3], { backend }), loss: () => zeros([1], { backend }) }
    const params = init(rule, key(3), { backend })
    backend.resetPeak()
    uncertainty(rule, task, params, { steps: 2, runs })
    return backend.memory().peakBytes
  }
  expect(peak(24)).toBe(peak(3))
})

it('agrees with a calculation by hand', () => {
  // Run r has r in one cell, and 4 in the other: of 1, 2 and 6 the mean is 3 and the variance (4 + 1 + 9) / 3.
  let run = 0
  const { mean, std, nqm } = uncertainty(rule, task, params, { steps: 0, examples: [0], runs: 3, of: () => tensor([[[1, 2, 6][run++], 4]]) })
  expect(list(mean)).toEqual([3, 4])
  list(std).forEach((v, i) => expect(v).toBeCloseTo([Math.sqrt(14 / 3), 0][i], 6))
  expect(list(nqm)[0]).toBeCloseTo(Math.sqrt(14 / 3) / 7, 6)
})

it('is the spread of the last states of one rollout, if that is asked for', () => {
  const before = memory().buffers
  const { mean, std } = uncertainty(rule, task, params, { steps: 5, last: 3, key: key(5), batch: 2, of: output, examples: [4, 0, 2] })
  expect(memory().buffers).toBe(before + 4)
  const each = [3, 4, 5].map(steps => list(output(predict(rule, task, params, { steps, key: key(5), batch: 2, examples: [4, 0, 2] }))))
  const means = each[0].map((_, i) => each.reduce((s, y) => s + y[i], 0) / 3)
  list(mean).forEach((v, i) => expect(v).toBeCloseTo(means[i], 5))
  list(std).forEach((v, i) => expect(v).toBeCloseTo(Math.sqrt(each.reduce((s, y) => s + (y[i] - means[i]) ** 2, 0) / 3), 5))
  // A state at rest is certain: an untrained rule changes nothing.
  expect(list(uncertainty(rule, task, { ...params, update: init(defineRule({ ...rule, update: mlp(4) }), key(3)).update }, { steps: 4, last: 4 }).nqm)).toEqual([0, 0, 0, 0, 0])
})

it('is exactly zero without randomness, also if there is no foreground', () => {
  const { mean, std, nqm } = uncertainty(sure, task, params, { steps: 3, runs: 7, of: output })
  expect([...list(std), ...list(nqm)].every(v => v === 0)).toBe(true)
  expect(list(mean)).toEqual(list(output(predict(sure, task, params, { steps: 3 }))))
  expect(list(uncertainty(rule, task, params, { steps: 0, of: output }).nqm)).toEqual([0, 0, 0, 0, 0])
})

it('refuses by name what cannot be', () => {
  for (const runs of [1, 0, -2, 2.5, NaN, Infinity]) {
    expect(() => uncertainty(rule, task, params, { steps: 1, runs })).toThrow(`uncertainty: runs is ${runs}, expected a whole number ≥ 2.`)
  }
  expect(() => uncertainty(rule, task, params, { steps: 3, last: 4 })).toThrow('uncertainty: last is 4, expected at most 3, the number of steps.')
  expect(() => uncertainty(rule, task, params, { steps: 3, last: 2, runs: 2 })).toThrow('uncertainty: last is 2, expected nothing beside runs.')
  expect(() => uncertainty(rule, task, params, { steps: 1, examples: [9] })).toThrow('uncertainty: examples is [9]')
  expect(() => uncertainty(rule, task, params, { steps: 1, of: () => tensor(1) })).toThrow('uncertainty: what of returned is a tensor []')
  expect(() => uncertainty(rule, task, params, { steps: 1, of: x => argMax(x) })).toThrow('expected a tensor [5,…,m] of floating-point numbers, something for each example.')
})
