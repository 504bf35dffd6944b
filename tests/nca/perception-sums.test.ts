// The sum that is given for a perceived number has its value, for random rules.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  conv, customRule, defineRule, growingRule, init, key, mlp, perceive, perceivedSum, perceptionNames,
  perceptionSize, scope, tensor, zeros, type Activation, type DataRule, type Tensor,
} from '../../src/index.ts'
import { activate } from '../../src/nca/mlp.ts'
import { isLearned, kindOf } from '../../src/nca/perceptions/kinds.ts'
import { wrap } from '../../src/backends/window.ts'
import { scenes } from './random-rule.ts'

/** σ of a number. */
function activated(activation: Activation, x: number, slope: number): number {
  return activate(activation, tensor([x], { dtype: 'float64' }), slope).toArray()[0]
}

it('sums over the taps are the perceived numbers, and other parts have no sums', async () => {
  await fc.assert(fc.asyncProperty(scenes, fc.nat(), async ({ rule, params, x }, pick) => {
    const seen = scope(() => perceive(rule, params, x)).toArray(), state = x.toArray()
    const [, height, width, channels] = x.shape
    const size = perceptionSize(rule)
    const [row, column] = [Math.floor(pick / width) % height, pick % width]
    const names = perceptionNames(rule)
    const isSum = new Map(rule.perceive.filter(isLearned).map(part => [part.type as string, kindOf(part).windowSum !== undefined]))
    for (let i = 0; i < size; i++) {
      const sum = await perceivedSum(rule, params, i)
      const [type] = names[i].split(/[.·]/)
      expect(sum !== null).toBe(isSum.get(type) ?? true)
      if (sum === null) continue
      const total = sum.taps.reduce((all, { dy, dx, channel, weight }) => {
        const [y, z] = [wrap(row + dy, height, rule.padding), wrap(column + dx, width, rule.padding)]
        return all + (y < 0 || z < 0 ? 0 : weight * state[(y * width + z) * channels + channel])
      }, sum.bias)
      const expected = seen[(row * width + column) * size + i]
      expect(Math.abs(activated(sum.activation, total, sum.slope) - expected)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(expected)))
    }
  }), { numRuns: 30 })
})

it('a filter has the taps of its window in its channel', async () => {
  const { taps, bias, activation } = (await perceivedSum(growingRule, init(growingRule, key(0)), 3 * 2 + 1))! // sobelX of blue
  expect(taps.map(({ weight }) => 8 * weight)).toEqual([-1, 0, 1, -2, 0, 2, -1, 0, 1])
  expect(taps.map(({ dy, dx }) => [dy, dx])).toEqual([-1, 0, 1].flatMap(dy => [-1, 0, 1].map(dx => [dy, dx])))
  expect(new Set(taps.map(({ channel }) => channel))).toEqual(new Set([2]))
  expect({ bias, activation }).toEqual({ bias: 0, activation: 'linear' })
})

it('rules on other grids, wrong parameters and wrong indices are refused by name', async () => {
  const params = init(growingRule, key(0))
  const line = defineRule({ channels: { rgb: 3 }, grid: 1, perceive: [conv(4)], update: mlp(4) })
  await expect(perceivedSum(line, init(line, key(0)), 0)).rejects.toThrow(/^perceivedSum: the rule is .*, expected a plane \(defineRule\)\.$/s)
  const code = customRule({ channels: { rgb: 3 }, init: () => ({}), step: (_, x: Tensor) => x })
  await expect(perceivedSum(code as unknown as DataRule, params, 0)).rejects.toThrow(/^perceivedSum: the rule is /)
  await expect(perceivedSum(growingRule, params, 48)).rejects.toThrow('perceivedSum: i is 48, expected a whole number from 0 to 47.')
  await expect(perceivedSum(growingRule, { update: { ...params.update, w1: zeros([1, 1]) } }, 0)).rejects.toThrow(/^perceivedSum: params\.update\.w1/)
})
