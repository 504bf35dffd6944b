// Rules that are code, on lines, planes and volumes: the equations of a rule that is data, written out by hand, give exactly
// its results.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  add, checkRule, customRule, defineRule, dense, filter, fire, init, key, mlp, reshape, rollout, seed, step, tanh,
  uniform, where, zeros, type CustomRule, type DataParams, type DataRule, type Padding,
} from '../../src/index.ts'
import { sentence } from '../tensor/values.ts'

type Grid = 1 | 2 | 3

function ruleOn(grid: Grid, padding: Padding = 'zero'): DataRule {
  return defineRule({
    grid, channels: { a: 2 }, perceive: ['identity', 'laplacian'], fireRate: 0.5, padding,
    update: mlp(3, { activation: 'tanh', lastStd: 1 }),
  })
}

/** The same as code. */
function codeOf(data: DataRule): CustomRule<DataParams> {
  return customRule({
    grid: data.grid,
    channels: data.channels,
    init: (k, placement) => init(data, k, placement),
    step: ({ update: { w1, b1, w2, b2 } }, x, { key: k, mask }) => {
      const y = filter(x, ['identity', 'laplacian'], { padding: data.padding })
      const change = dense(tanh(dense(y, w1, { bias: b1 })), w2, { bias: b2 })
      const fires = reshape(mask ?? fire(k, x, data.fireRate), [...x.shape.slice(0, -1), 1])
      return where(fires, add(x, change), x)
    },
  })
}

const grids = fc.constantFrom<Grid>(1, 2, 3)
const sizes = { 1: { width: 9 }, 2: { height: 4, width: 5 }, 3: { depth: 3, height: 4, width: 3 } }

describe('a rule that is code', () => {
  it('runs on lines, planes and volumes as one that is data', () => {
    fc.assert(fc.property(grids, fc.constantFrom<Padding>('zero', 'circular', 'reflect', 'replicate'), fc.nat(2 ** 30), fc.boolean(), (grid, padding, n, masked) => {
      const data = ruleOn(grid, padding), code = codeOf(data)
      const params = init(code, key(n), { dtype: 'float64' })
      const x = uniform(key(n + 1), [2, ...Object.values(sizes[grid]), 2], { low: -1, dtype: 'float64' })
      const masks = masked ? [1, 0, 1].map(fires => add(zeros(x.shape.slice(0, -1), { dtype: 'uint32' }), fires)) : undefined
      const how = { steps: 3, readouts: [1, 3], masks }
      expect(rollout(code, params, x, key(n), how).map(y => y.toArray()))
        .toEqual(rollout(data, params, x, key(n), how).map(y => y.toArray()))
      const at = { key: key(n), t: 0, mask: masks?.[0] }
      expect(step(code, params, x, at).toArray()).toEqual(step(data, params, x, at).toArray())
    }), { numRuns: 30 })
  })

  it.each([1, 2, 3] as const)('has seeds and right gradients on a grid of %s', grid => {
    const code = codeOf(ruleOn(grid))
    expect(seed(code, { ...sizes[grid], from: 1 }).shape).toEqual([1, ...Object.values(sizes[grid]), 2])
    checkRule(code)
  })

  it('lives in the plane by default, and says what does not fit', () => {
    const { channels, init: make, step: next } = codeOf(ruleOn(2))
    const code = customRule({ channels, init: make, step: next })
    expect(code.grid).toBe(2)
    const line = customRule({ channels: { a: 3 }, init: () => ({}), step: (_, x) => x, grid: 1 })
    expect(rollout(line, {}, zeros([2, 9, 3]), key(0), { steps: 2 }).shape).toEqual([2, 9, 3])
    expect(sentence(() => customRule({ ...code, grid: 4 as 3 }))).toBe('customRule: grid is 4, expected 1, 2 or 3 dimensions.')
    expect(sentence(() => rollout(line, {}, zeros([2, 4, 9, 3]), key(0), { steps: 1 })))
      .toBe('rollout: the state is [2,4,9,3], expected [b,w,3] for channels {"a":3}.')
  })
})
