// Observations of every step of a rollout, compared with a rollout that keeps its states.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  add, cast, growingRule, init, key, mapTree, mean, mul, observe, rollout, scope, seed, square, stack, sum,
  valueAndGrad, type DataParams, type Tensor,
} from '../../src/index.ts'
import { expectClose, peakOf, sentence } from '../tensor/values.ts'
import { runs } from '../long.ts'
import { scenes } from './random-rule.ts'

const cases = fc.record({
  scene: scenes, steps: fc.integer({ min: 1, max: 6 }), every: fc.integer({ min: 1, max: 4 }), from: fc.nat(3), float32: fc.boolean(),
})

/** The numbers of steps after which `look` is called. */
const looks = (steps: number, every: number): number[] =>
  Array.from({ length: Math.ceil(steps / every) }, (_, i) => Math.min((i + 1) * every, steps))

it('gets the states of a rollout, and has the same result bit for bit', () => {
  fc.assert(fc.property(cases, ({ scene: { rule, params, x, n }, steps, every, from, float32 }) => {
    const of = <T>(tree: T): T => (float32 ? mapTree(tree, leaf => cast(leaf as Tensor, 'float32')) : tree)
    const [p, start] = [of(params) as DataParams, of(x)]
    const [last, seen] = observe(rule, p, start, key(n), (s, t) => ({ t, mean: mean(s) }), { steps, every, from })
    const readouts = looks(steps, every)
    const states = rollout(rule, p, start, key(n), { steps, readouts, from })
    expect(last.toArray()).toEqual(states.at(-1)!.toArray())
    expect(seen.map(({ t }) => t)).toEqual(readouts)
    expect(seen.map(each => each.mean.toArray())).toEqual(states.map(s => mean(s).toArray()))
  }), runs(30))
})

it('has the derivatives of the observations', () => {
  fc.assert(fc.property(cases, ({ scene: { rule, params, x, n }, steps, every }) => {
    const loss = (s: Tensor, t: number): Tensor => mul(t, sum(square(s)))
    const readouts = looks(steps, every)
    const [a, ga] = valueAndGrad(({ p, x }: { p: DataParams; x: Tensor }) =>
      observe(rule, p, x, key(n), loss, { steps, every })[1].reduce(add))({ p: params, x })
    const [b, gb] = valueAndGrad(({ p, x }: { p: DataParams; x: Tensor }) =>
      rollout(rule, p, x, key(n), { steps, readouts }).map((s, i) => loss(s, readouts[i])).reduce(add))({ p: params, x })
    expectClose(a, b)
    expectClose(ga.x, gb.x, 1e-8)
    Object.entries(gb.p.update).forEach(([name, g]) => expectClose((ga.p.update as Record<string, Tensor>)[name], g as Tensor, 1e-8))
  }), runs(15))
})

it('keeps no state', () => {
  const params = init(growingRule, key(0)), steps = 40
  const x = seed(growingRule, { height: 24, width: 24 })
  const peak = peakOf(() => scope(() => { stack(observe(growingRule, params, x, key(1), s => mean(s), { steps })[1]).toArray() }))
  expect(peak).toBeLessThan(6 * 24 * 24 * 16 * 4)
})

it('says what does not fit', () => {
  const params = init(growingRule, key(0)), x = seed(growingRule, { height: 8, width: 8 })
  const lib = observe as unknown as (...args: unknown[]) => unknown
  expect([
    () => lib(growingRule, params, x, key(0), 'mean', { steps: 2 }),
    () => lib(growingRule, params, x, key(0), async (s: Tensor) => s.data(), { steps: 2 }),
    () => lib(growingRule, params, x, key(0), mean, { steps: 0 }),
    () => lib(growingRule, params, x, key(0), mean, { steps: 2, each: 2 }),
    () => lib(growingRule, params, x, key(0), mean, { steps: 2, from: -1 }),
  ].map(sentence)).toMatchInlineSnapshot(`
    [
      "observe: look is "mean", expected a function.",
      "look of observe(): the function returned a Promise. It must be synchronous: what it computes after an await would be neither recorded nor released. Await data outside and pass it in.",
      "observe: steps is 0, expected a whole number from 1 to 1000000.",
      "observe: there is no option "each"; there are steps, every, angle, inputs, from.",
      "observe: from is -1, expected a whole number ≥ 0.",
    ]
  `)
})
