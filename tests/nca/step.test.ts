// One step and a rollout compared with PyTorch (tests/reference/README.md), and the properties of the living and the fire
// mask.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { customVjp } from '../../src/autograd/custom-vjp.ts'
import { valueAndGradAux } from '../../src/autograd/grad.ts'
import { cpu } from '../../src/backends/cpu.ts'
import { checkRule } from '../../src/nca/check-rule.ts'
import { mse } from '../../src/nca/losses/loss.ts'
import { perceive } from '../../src/nca/perceive.ts'
import { growingRule } from '../../src/nca/training/presets.ts'
import { explain } from '../../src/nca/explain.ts'
import { mlp } from '../../src/nca/mlp.ts'
import { conv } from '../../src/nca/perceptions/conv.ts'
import { depthwise } from '../../src/nca/perceptions/depthwise.ts'
import { updatedChannels } from '../../src/nca/rule/channels.ts'
import { customRule, defineRule } from '../../src/nca/rule/define.ts'
import { init, perceptionSize } from '../../src/nca/rule/parameters.ts'
import type { DataParams, DataRule } from '../../src/nca/rule/types.ts'
import { rgba, seed } from '../../src/nca/state.ts'
import { alive, rollout, step, update } from '../../src/nca/step.ts'
import { filter } from '../../src/tensor/filters.ts'
import { foldIn, key } from '../../src/tensor/key.ts'
import { add, mul } from '../../src/tensor/ops/arithmetic.ts'
import { full } from '../../src/tensor/ops/create.ts'
import { square } from '../../src/tensor/ops/functions.ts'
import { mean } from '../../src/tensor/ops/reduce.ts'
import { sum } from '../../src/tensor/ops/sum.ts'
import { fire } from '../../src/tensor/ops/fire.ts'
import { normal, uniform } from '../../src/tensor/ops/random.ts'
import { tensor, type Tensor } from '../../src/tensor/tensor.ts'
import { eachLeaf } from '../../src/tensor/tree.ts'
import { loadReference } from '../reference/load.ts'
import { scenes, rules } from './random-rule.ts'
import { runs } from '../long.ts'

const reference = loadReference('growing-nca')
const hidden = reference.w1.shape[1]
const referenceRule = defineRule({ ...growingRule, update: mlp(hidden) })

function load(name: string, dtype: 'float32' | 'float64'): Tensor {
  const { data, shape } = reference[name]
  return tensor(data, { shape, dtype: data instanceof Uint32Array ? 'uint32' : dtype })
}

/** Largest difference from a reference array, relative to its largest entry. */
function distance(x: Tensor, name: string): number {
  const expected = reference[name]
  expect(x.shape).toEqual(expected.shape)
  const got = x.toArray()
  let worst = 0, largest = 0
  expected.data.forEach((v, i) => {
    worst = Math.max(worst, Math.abs(v - got[i]))
    largest = Math.max(largest, Math.abs(v))
  })
  return worst / largest
}

describe.each([
  ['float64', 1e-9],
  ['float32', 1e-5],
] as const)('the reference implementation in %s', (dtype, tolerance) => {
  it.each([
    ['step1', 1, 'zero'],
    ['step32', 32, 'zero'],
    ['circular1', 1, 'circular'],
  ] as const)('agrees in %s', (name, steps, padding) => {
    const rule: DataRule = { ...referenceRule, padding }
    const params: DataParams = {
      update: { w1: load('w1', dtype), b1: load('b1', dtype), w2: load('w2', dtype), b2: load('b2', dtype) },
    }
    const [batch, height, width] = reference.x0.shape
    const all = reference.masks.data as Uint32Array
    const size = batch * height * width
    const masks = Array.from({ length: steps }, (_, t) =>
      tensor(all.slice(t * size, (t + 1) * size), { shape: [batch, height, width] }))
    const target = load('target', dtype)
    const [[meanLoss, { y, loss }], [grads, gx]] = valueAndGradAux(([p, x]: readonly [DataParams, Tensor]) => {
      const y = rollout(rule, p, x, key(0), { steps, masks })
      const loss = mse(rgba(y), target)
      return [mean(loss), { y, loss }] as const
    })([params, load('x0', dtype)])
    expect(distance(y, `${name}.state`)).toBeLessThan(tolerance)
    expect(distance(loss, `${name}.loss`)).toBeLessThan(tolerance)
    expect(distance(meanLoss, `${name}.meanLoss`)).toBeLessThan(tolerance)
    for (const part of ['w1', 'b1', 'w2', 'b2'] as const) {
      expect(distance(grads.update[part]!, `${name}.grad.${part}`), part).toBeLessThan(tolerance)
    }
    expect(distance(gx, `${name}.grad.x0`)).toBeLessThan(tolerance)
  })
})

const grids = fc.record({
  b: fc.integer({ min: 1, max: 3 }),
  h: fc.integer({ min: 1, max: 7 }),
  w: fc.integer({ min: 1, max: 7 }),
  n: fc.nat(2 ** 31),
})

/** A state with living and dead regions, and parameters under which both change. */
function scene({ b, h, w, n }: { b: number; h: number; w: number; n: number }): { x: Tensor; params: DataParams } {
  const k = key(n)
  const first = init(growingRule, foldIn(k, 0), { dtype: 'float64' })
  const params = {
    update: {
      ...first.update,
      w2: normal(foldIn(k, 1), first.update.w2.shape, { std: 0.2, dtype: 'float64' }),
      b2: normal(foldIn(k, 2), [16], { std: 0.4, dtype: 'float64' }),
    },
  }
  const x = uniform(foldIn(k, 3), [b, h, w, 16], { low: -1, high: 0.15, dtype: 'float64' })
  return { params, x }
}

describe('step', () => {
  it('skips cells without changing the published equations', () => {
    // The same equations with every cell computed: skipping must not change the result, for any state of any rule.
    fc.assert(fc.property(scenes, ({ rule, params, x, n }) => {
      const k = key(n + 1)
      const fires = fire(k, x, rule.fireRate).toArray()
      const updated = updatedChannels(rule)
      const [channels, outputs] = [x.shape[3], updated.length]
      const { noise, inputMask, bound, living } = rule
      const epsilon = noise && normal(foldIn(k, 1), [...x.shape.slice(0, 3), outputs], { std: noise.std, like: x }).toArray()
      /** What a channel that changes has of an array `[b,h,w,outputs]`; 0 for others. */
      const of = (change: ArrayLike<number>, i: number): number => {
        const [cell, output] = [Math.floor(i / channels), updated.indexOf(i % channels)]
        return output < 0 ? 0 : change[cell * outputs + output]
      }
      const before = Array.from(x.toArray(), (v, i) => v + (noise?.on === 'state' ? of(epsilon!, i) : 0))
      const from = tensor(before, { shape: x.shape, like: x })
      const change = update(rule, params, perceive(rule, params, from)).toArray()
      const next = before.map((v, i) => {
        const cell = Math.floor(i / channels)
        const acts = fires[cell] && (!inputMask || before[cell * channels + inputMask.channel] > inputMask.above)
        return acts ? v + (of(change, i) + (noise?.on === 'change' ? of(epsilon!, i) : 0)) : v
      })
      const pre = living?.when === 'after' ? null : alive(rule, from)?.toArray()
      const post = alive(rule, tensor(next, { shape: x.shape, like: x }))?.toArray()
      const everywhere = next.map((v, i) => {
        const cell = Math.floor(i / channels)
        if (!updated.includes(i % channels)) return v
        const s = post && !((pre?.[cell] ?? 1) && post[cell]) ? 0 : v
        if (bound === null) return s
        return bound.type === 'tanh' ? Math.tanh(s) : Math.min(Math.max(s, bound.low), bound.high)
      })
      expect([...step(rule, params, x, { key: k, t: 0 }).toArray()]).toEqual(everywhere)
    }))
  })

  it('computes a dead cell for the neighbour that it keeps alive', () => {
    // Alpha becomes 1 − alpha where a cell fires: it moves from cell 0 to cell 2, and only because of that cell 1 survives.
    const rule = defineRule({
      channels: { alpha: 1, content: 1 }, perceive: ['identity'],
      update: mlp(1, { activation: 'linear' }), living: { channel: 0, above: 0.1 },
    })
    const update = {
      w1: tensor([[1], [0]]), b1: tensor([0]), w2: tensor([[-2, 0]]), b2: tensor([1, 0]),
    }
    const x = tensor([[[[1, 4], [0, 5], [0, 6], [0, 7]]]])
    const mask = tensor(new Uint32Array([1, 0, 1, 0]), { shape: [1, 1, 4] })
    const next = step(rule, { update }, x, { key: key(0), t: 0, mask })
    expect([...next.toArray()]).toEqual([0, 0, 0, 5, 0, 0, 0, 0])
  })

  it('leaves frozen channels alone, and passes their gradient on', () => {
    fc.assert(fc.property(scenes, ({ rule, params, x, n }) => {
      const updated = updatedChannels(rule)
      const isFrozen = Array.from({ length: x.shape[3] }, (_, c) => +!updated.includes(c))
      const frozen = tensor(isFrozen, { like: x })
      const [y, g] = valueAndGradAux((from: Tensor) => {
        const last = rollout(rule, params, from, key(n), { steps: 3 })
        return [sum(mul(last, frozen)), last] as const
      })(x)
      const only = (state: Tensor): number[] =>
        Array.from(state.toArray(), (v, i) => (isFrozen[i % isFrozen.length] ? v : 0))
      expect(only(y[1])).toEqual(only(x))
      expect([...g.toArray()]).toEqual(Array.from(x.toArray(), (_, i) => isFrozen[i % isFrozen.length]))
    }))
  })

  it('keeps cells that do not fire and zeroes cells that are dead', () => {
    fc.assert(fc.property(grids, grid => {
      const { params, x } = scene(grid)
      const none = full(x.shape.slice(0, 3), 0, { dtype: 'uint32' })
      const still = step(growingRule, params, x, { key: key(0), t: 0, mask: none }).toArray()
      const dead = alive(growingRule, x)!.toArray()
      x.toArray().forEach((v, i) => expect(still[i]).toBe(dead[Math.floor(i / 16)] ? v : 0))
    }))
  })

  it('treats the samples of a batch independently', () => {
    const { params, x } = scene({ b: 1, h: 5, w: 4, n: 3 })
    const two = scene({ b: 2, h: 5, w: 4, n: 3 }).x
    const first = tensor(two.toArray().slice(0, 5 * 4 * 16), { shape: [1, 5, 4, 16] })
    const together = step(growingRule, params, two, { key: key(9), t: 0 }).toArray()
    expect(step(growingRule, params, first, { key: key(9), t: 0 }).toArray()).toEqual(together.slice(0, 5 * 4 * 16))
    expect(x.shape).toEqual(first.shape)
  })

  it('says what does not fit', () => {
    const { params } = scene({ b: 1, h: 3, w: 3, n: 0 })
    const state = full([1, 3, 3, 16], 0, { dtype: 'float64' })
    const at = { key: key(0), t: 0 }
    expect(() => step(growingRule, params, full([1, 3, 3, 12], 0), at)).toThrowErrorMatchingInlineSnapshot(
      `[Error: step: the state is [1,3,3,12], expected [b,h,w,16] for channels {"rgba":4,"hidden":12}.]`,
    )
    expect(() => step(growingRule, params, state, { ...at, mask: full([3, 3], 1) })).toThrowErrorMatchingInlineSnapshot(
      `[Error: step: mask is a tensor [3,3] float32, expected a tensor [1,3,3] uint32.]`,
    )
    const late = { steps: 4, readouts: [5] }
    expect(() => rollout(growingRule, params, state, key(0), late)).toThrowErrorMatchingInlineSnapshot(
      `[Error: rollout: readouts[0] is 5, expected a whole number from 1 to steps, 4.]`,
    )
  })
})

describe('rollout', () => {
  it('is its steps, with readouts on the way', () => {
    const { params, x } = scene({ b: 2, h: 4, w: 5, n: 1 })
    const states = [x]
    for (let t = 0; t < 5; t++) states.push(step(growingRule, params, states[t], { key: foldIn(key(2), t), t }))
    const read = rollout(growingRule, params, x, key(2), { steps: 5, readouts: [1, 3, 5] })
    expect(read.map(y => y.toArray())).toEqual([states[1], states[3], states[5]].map(y => y.toArray()))
    expect(rollout(growingRule, params, x, key(2), { steps: 5, checkpoint: 2 }).toArray()).toEqual(states[5].toArray())
    expect(rollout(growingRule, params, x, key(2), { steps: 0 }).toArray()).toEqual(x.toArray())
  })

  it('of a zero-initialised rule keeps the seed', () => {
    const params = init(growingRule, key(0))
    expect(params.update.w1.shape).toEqual([48, 128])
    const x = seed(growingRule, { height: 9, width: 9 })
    expect(rollout(growingRule, params, x, key(0), { steps: 10 }).toArray()).toEqual(x.toArray())
  })
})

describe('rules', () => {
  it('are frozen data that survive JSON', () => {
    expect(defineRule(JSON.parse(JSON.stringify(growingRule)) as DataRule)).toEqual(growingRule)
    expect(() => { (growingRule.channels as Record<string, number>).rgba = 3 }).toThrow('read only')
  })

  it('refuse wrong options', () => {
    expect(() => defineRule({ ...growingRule, fireRate: 2 })).toThrowErrorMatchingInlineSnapshot(
      `[Error: rule: fireRate is 2, expected a number > 0, at most 1.]`,
    )
    expect(() => defineRule({ ...growingRule, perceive: ['sobelZ' as 'sobelX'] })).toThrowErrorMatchingInlineSnapshot(
      `[Error: rule: perceive[0] is "sobelZ", expected a filter of 2 dimensions: identity, sobelX, sobelY, laplacian, scharrX, scharrY, gaussian, mean.]`,
    )
    const living = { channel: 16, above: 0.1 }
    expect(() => defineRule({ ...growingRule, living })).toThrowErrorMatchingInlineSnapshot(
      `[Error: rule: living.channel is 16, expected a channel from 0 to 15.]`,
    )
  })

  it('explain themselves', () => {
    expect(explain(growingRule)).toMatchInlineSnapshot(
      `"fused: identity, sobelX, sobelY (zero padding) → 48 → 128 ReLU → 16, 8336 parameters. Cells fire with probability 0.5; cells further than 2 from channel 3 > 0.1 are skipped, those further than 1 are zeroed."`,
    )
    const learned = defineRule({
      channels: { image: 1, classes: 3, hidden: 2 }, frozen: ['image'], padding: 'circular',
      perceive: ['identity', depthwise(2), depthwise(1, { size: 5 }), conv(7)], update: mlp(9, { activation: 'tanh' }),
    })
    expect(explain(learned)).toMatchInlineSnapshot(
      `"fused: identity, 2 learned 3×3 filters per channel, 1 learned 5×5 filter per channel, a learned 3×3 convolution to 7 (circular padding) → 31 → 9 tanh → 5, 974 parameters. Every cell fires; all cells live. Frozen: image."`,
    )
    const code = customRule({ channels: { a: 2 }, init: () => ({}), step: (_: object, x) => x })
    const leaky = { ...growingRule, perceive: [conv(8, { activation: 'leakyRelu', slope: 0.5 })] } as const
    expect(explain(defineRule({ ...leaky, update: mlp(9, { activation: 'leakyRelu', slope: 0.5 }) })))
      .toMatch(/^fused: .* to 8 leaky ReLU of slope 0.5 .* 9 leaky ReLU of slope 0.5 → 16/)
    expect(explain(defineRule({ ...leaky, update: mlp(9, { activation: 'leakyRelu' }) })))
      .toMatch(/^fused: .* to 8 leaky ReLU of slope 0.5 .* 9 leaky ReLU → 16/)
    expect(() => mlp(9, { slope: -0.1 })).toThrow('mlp: slope is -0.1, expected a number from 0 to 1.')
    expect(() => conv(9, { slope: 2 })).toThrow('conv: slope is 2, expected a number from 0 to 1.')
    // Rules that were written before there was a choice.
    const { slope: _, ...update } = mlp(9, { activation: 'leakyRelu' })
    expect(defineRule({ ...growingRule, update: update as ReturnType<typeof mlp> }).update.slope).toBe(0.2)
    const [gelu, bounded] = [{ activation: 'gelu' } as const, { lastActivation: 'tanh' } as const].map(more => explain(defineRule({ ...growingRule, update: mlp(8, more) })))
    expect(gelu).toMatch(/^fused: .* 8 GELU /)
    expect(bounded).toMatch(/^fused: .*Changes go through tanh\./)
    const normed = defineRule({ ...growingRule, update: mlp(8, { norm: { on: 'both', groups: 4 } }) })
    expect(explain(normed)).toMatch(/^fused: .* Layer norm of what is perceived and sums of hidden layers, in 4 groups\./)
    expect(() => mlp(8, { norm: { on: 'hidden', groups: 3 } })).toThrow('mlp: norm.groups is 3, expected a divisor of the units of each hidden layer, like 8.')
    expect(() => defineRule({ ...growingRule, update: mlp(10, { norm: { on: 'both', groups: 10 } }) }))
      .toThrow('rule: update.norm.groups is 10, expected a divisor of 48, of how many numbers a cell perceives.')
    expect(explain(code)).toBe('composed of operators, because it is code: 2 channels.')
    expect(explain(growingRule, cpu({ simd: false }))).toContain('because cpu has no fused rollouts here')
    const numbers = perceptionSize(learned)
    let count = 0
    eachLeaf(init(learned, key(0)), p => { count += (p as Tensor).toArray().length })
    expect(explain(learned)).toContain(`→ ${numbers} → 9 tanh → 5, ${count} parameters`)
  })

  it('have right gradients', () => {
    for (const padding of ['zero', 'circular', 'reflect', 'replicate'] as const) {
      checkRule(defineRule({ ...growingRule, padding, update: mlp(8) }))
    }
    const update = mlp(5, { lastBias: false, lastStd: 0.1 })
    checkRule(defineRule({ channels: { x: 3 }, perceive: ['identity', 'laplacian'], update }))
  })

  it('have right gradients, whatever they are made of', () => {
    fc.assert(fc.property(rules, rule => { checkRule(rule, { grid: [4, 3] }) }), runs(10))
  })

  it.each([
    ['learned filters', { perceive: ['sobelX', depthwise(2, { size: 5 })], update: mlp(4) }],
    ['a learned convolution', { perceive: [conv(3), 'identity'], update: mlp(4, { activation: 'leakyRelu' }) }],
    ['tanh and a frozen role', { perceive: ['gaussian'], update: mlp(4, { activation: 'tanh' }), frozen: ['goal'] }],
    ['sigmoid', { perceive: ['laplacian'], update: mlp(4, { activation: 'sigmoid' }) }],
    ['layer norm of what is perceived', { perceive: ['identity', 'gaussian'], update: mlp(4, { activation: 'tanh', norm: { on: 'perception', groups: 2 } }) }],
    ['layer norm of sums', { perceive: ['identity'], update: mlp([4, 2], { activation: 'tanh', norm: { on: 'hidden' } }) }],
    ['no activation', { perceive: [depthwise(1), conv(2)], update: mlp(4, { activation: 'linear' }) }],
  ] as const)('have right second derivatives with %s', (_, parts) => {
    const channels = { rgb: 2, goal: 1, hidden: 1 }
    checkRule(defineRule({ channels, fireRate: 0.5, living: { channel: 3, above: 0.1 }, ...parts }), { order: 2 })
  })

  it('are not reported as wrong near a kink or a jump', () => {
    for (let seed = 0; seed < 25; seed++) checkRule(growingRule, { seed })
    const wrong = customVjp((x: Tensor) => [square(x), [x]], ([x], g) => [mul(g, x)])
    for (let seed = 0; seed < 5; seed++) {
      const slightly = customRule({
        channels: { a: 2 }, init: () => ({}), step: (_: object, x) => add(x, mul(wrong(x), 1e-3)),
      })
      expect(() => checkRule(slightly, { seed })).toThrow('is wrong')
    }
  })

  it('can be code, whose gradients are checked alike', () => {
    const diffusion = customRule({
      channels: { rgb: 3 },
      init: (_, placement) => ({ rate: full([3], 0.1, placement) }),
      step: (p: { rate: Tensor }, x) => add(x, mul(p.rate, filter(x, 'laplacian', { padding: 'circular' }))),
    })
    checkRule(diffusion, { order: 2 })
    const x = uniform(key(1), [1, 4, 4, 3])
    const total = (y: Tensor): number => Array.from(y.toArray()).reduce((a, b) => a + b, 0)
    expect(total(rollout(diffusion, init(diffusion, key(0)), x, key(0), { steps: 3 }))).toBeCloseTo(total(x), 4)
  })
})
