// Time lines: any state of a rollout again, bit for bit, and the gradients of the last state's loss.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { grad } from '../../src/autograd/grad.ts'
import { customRule } from '../../src/nca/rule/define.ts'
import { init } from '../../src/nca/rule/parameters.ts'
import type { DataParams } from '../../src/nca/rule/types.ts'
import { growingRule } from '../../src/nca/training/presets.ts'
import { seed } from '../../src/nca/state.ts'
import { rollout } from '../../src/nca/step.ts'
import { stateAt, timeline, timelineGradients } from '../../src/nca/timeline.ts'
import { foldIn, key } from '../../src/tensor/key.ts'
import { add, mul } from '../../src/tensor/ops/arithmetic.ts'
import { cast } from '../../src/tensor/ops/cast.ts'
import { full, ones } from '../../src/tensor/ops/create.ts'
import { square } from '../../src/tensor/ops/functions.ts'
import { sum } from '../../src/tensor/ops/sum.ts'
import { normal } from '../../src/tensor/ops/random.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { eachLeaf, mapTree } from '../../src/tensor/tree.ts'
import { scenes } from './random-rule.ts'

const float32 = <T>(tree: T): T => mapTree(tree, leaf => cast(leaf as Tensor, 'float32'))
const loss = (x: Tensor): Tensor => sum(square(x))

/** The largest difference between two trees of tensors, relative to the largest number of the first. */
function distance(a: unknown, b: unknown): number {
  const numbers = (tree: unknown): number[] => {
    const all: number[] = []
    eachLeaf(tree, leaf => { for (const v of (leaf as Tensor).toArray()) all.push(v) })
    return all
  }
  const [xs, ys] = [numbers(a), numbers(b)]
  expect(ys).toHaveLength(xs.length)
  const largest = xs.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-30)
  return xs.reduce((most, x, i) => Math.max(most, Math.abs(x - ys[i]) / largest), 0)
}

describe('stateAt', () => {
  it('is the state of the rollout, bit for bit, whatever is kept and in whatever order states are requested', () => {
    const lines = fc.record({ steps: fc.integer({ min: 0, max: 9 }), every: fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }) })
    fc.assert(fc.property(scenes, lines, fc.boolean(), ({ rule, params, x, n }, { steps, every }, single) => {
      const [p, s] = single ? [float32(params), float32(x)] : [params, x]
      const options = { steps, every, angle: 0.4 }
      const line = timeline(rule, p, s, key(n), options)
      for (let t = steps; t >= 0; t--) {
        const expected = rollout(rule, p, s, key(n), { steps: t, angle: 0.4 })
        expect(stateAt(line, t).toArray()).toEqual(expected.toArray())
      }
    }))
  })

  it('keeps a state for every ⌈√T⌉ steps', () => {
    const params = init(growingRule, key(0))
    const line = timeline(growingRule, params, seed(growingRule, { height: 9, width: 9 }), key(1), { steps: 30 })
    expect(line.every).toBe(6)
    expect(line.kept).toHaveLength(6)
  })

  it('works for rules that are code', () => {
    const rule = customRule({ channels: { a: 1 }, init: () => ({ w: full([1], 2) }), step: (p: { w: Tensor }, x) => mul(p.w, x) })
    const line = timeline(rule, { w: full([1], 2) }, ones([1, 2, 2, 1]), key(0), { steps: 5 })
    expect([...stateAt(line, 3).toArray()]).toEqual([8, 8, 8, 8])
    const { norms, params } = timelineGradients(line, x => sum(x))
    expect([...norms.toArray()]).toEqual([64, 32, 16, 8, 4, 2])
    expect([...params.w.toArray()]).toEqual([4 * 5 * 16]) // ∂(4·w⁵)/∂w at 2
  })

  it.each([-1, 1.5, 4, NaN])('has no step %d of 3', t => {
    const line = timeline(growingRule, init(growingRule, key(0)), seed(growingRule, { height: 5, width: 5 }), key(1), { steps: 3 })
    expect(() => stateAt(line, t)).toThrow(`stateAt: t is ${t}, expected a whole number from 0 to 3, the steps of the line.`)
  })
})

describe('timelineGradients', () => {
  it('are those of grad, by the parameters and by each state', () => {
    fc.assert(fc.property(scenes, fc.integer({ min: 0, max: 4 }), ({ rule, params, x, n }, steps) => {
      const line = timeline(rule, params, x, key(n), { steps })
      const found = timelineGradients(line, loss)
      const whole = (w: DataParams, s: Tensor, from: number): Tensor =>
        loss(rollout(rule, w, s, key(n), { steps: steps - from, from }))
      expect(found.states).toHaveLength(steps + 1)
      expect(distance(grad(whole)(params, x, 0), found.params)).toBeLessThan(1e-9)
      found.states.forEach((g, t) => {
        const expected = grad((s: Tensor) => whole(params, s, t))(stateAt(line, t))
        expect(distance(expected, g)).toBeLessThan(1e-9)
        const norm = Math.hypot(...g.toArray())
        expect(Math.abs(found.norms.toArray()[t] - norm)).toBeLessThanOrEqual(1e-12 * norm)
      })
      expect(distance(found.loss, whole(params, x, 0))).toBeLessThan(1e-12)
    }))
  })

  it('are those of grad if rollouts run fused', () => {
    let i = 0
    const params = mapTree(init(growingRule, key(0)), leaf => add(leaf as Tensor, normal(foldIn(key(3), i++), (leaf as Tensor).shape, { std: 0.05 })))
    const x = seed(growingRule, { height: 13, width: 11 })
    const found = timelineGradients(timeline(growingRule, params, x, key(1), { steps: 12 }), loss)
    const [w, s] = grad(([w, s]: readonly [DataParams, Tensor]) => loss(rollout(growingRule, w, s, key(1), { steps: 12 })))([params, x])
    expect(distance(w, found.params)).toBeLessThan(1e-4)
    expect(distance(s, found.states[0])).toBeLessThan(1e-4)
  })

  it('need a function as the loss', () => {
    const line = timeline(growingRule, init(growingRule, key(0)), seed(growingRule, { height: 5, width: 5 }), key(1), { steps: 2 })
    expect(() => timelineGradients(line, 1 as never)).toThrow('timelineGradients: loss is 1, expected a function.')
    expect(() => timelineGradients(line, x => x)).toThrow('must return one number')
  })
})
