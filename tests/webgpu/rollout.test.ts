// Fused rollouts on a GPU: equal to the composed step in float64 and to the fused ones of the CPU, the same bits every
// time, whatever is kept, and nothing left behind.

import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import {
  attention, conv, cpu, defineRule, deformable, depthwise, explain, grad, growingRule, init, key, memory, mlp, mul, normal, position, rollout,
  scope, sum, tensor, to, valueAndGrad, type Backend, type Data, type DataParams, type DataRule, type Tensor,
} from '../../src/index.ts'
import { openDevice } from '../../src/backends/webgpu/device.ts'
import { backendOn } from '../../src/backends/webgpu/webgpu.ts'
import {
  distance, expectNear, fusedRules, laterOutcome, outcome, scenesOf, type Outcome, type OutcomeOptions, type Scene,
} from '../nca/fused-scenes.ts'
import { long } from '../long.ts'
import { anotherGpu, openPoisoned, sharedGpu, some } from './gpu.ts'
import { refuseLeaks } from './leaks.ts'

// Each random rule is a shader of its own, which the software adapter compiles for seconds.
vi.setConfig({ testTimeout: 300_000 })

const gpu = await sharedGpu()

refuseLeaks(gpu)

/** The outcome of a scene, as one fused rollout. */
async function fusedOutcome(scene: Scene, backend: Backend, options?: OutcomeOptions): Promise<Outcome> {
  const runner = backend.runner!, { forward } = runner
  let rollouts = 0
  runner.forward = (...given) => {
    rollouts++
    return forward.apply(runner, given)
  }
  const got = await laterOutcome(scene, backend, options)
  runner.forward = forward
  expect(rollouts, `fused rollouts of ${JSON.stringify(scene.rule)}`).toBe(1)
  return got
}

/** Every bit of an outcome. */
function bitsOf({ states, gradients }: Outcome): string[] {
  return [...states, ...Object.values(gradients)].map(data => Buffer.from(data.buffer).toString('hex'))
}

/** A rule with a bit of everything, for all tests that do not need another: each is compiled for seconds. */
const everything: DataRule = defineRule({
  channels: { a: 3, goal: 1 }, frozen: ['goal'], perceive: ['identity', depthwise(1), position(2, { bands: 1 })],
  update: mlp(4, { activation: 'tanh', lastStd: 1 }), fireRate: 0.5, padding: 'circular', living: { channel: 0, above: 0.1 },
  bound: { type: 'tanh' },
})

describe('a fused rollout on WebGPU', () => {
  it('is the composed one in float64: values, and gradients of everything', async () => {
    const rules = long ? fusedRules : fc.constant(everything)
    await fc.assert(fc.asyncProperty(scenesOf({ rules, longest: 5 }), async scene => {
      expectNear(scene, await fusedOutcome(scene, gpu), outcome(scene, cpu(), { dtype: 'float64' }))
    }), some(0.06))
  })

  it.runIf(long)('is the composed one across tiles, with every kind of border', async () => {
    const grid = fc.tuple(fc.constantFrom(1, 7, 8, 9, 17), fc.constantFrom(3, 15, 16, 17, 33))
    const rules = fc.record({
      perceive: fc.constantFrom(
        ['identity', 'sobelX', 'laplacian'] as const, [depthwise(1, { size: 5 })], [depthwise(1, { size: 13 })],
      ),
      padding: fc.constantFrom('zero', 'circular', 'reflect', 'replicate'),
      lives: fc.constantFrom({ channel: 0, above: 0.1 }, { channel: 1, above: -0.1 }),
    }).map(({ lives, ...parts }) =>
      defineRule({
        channels: { a: 3 }, update: mlp(3, { activation: 'tanh' }), fireRate: 0.5, living: lives, ...parts,
      }))
    await fc.assert(fc.asyncProperty(scenesOf({ rules, grid, batches: fc.constantFrom(1, 2) }), async scene => {
      expectNear(scene, await fusedOutcome(scene, gpu), outcome(scene, cpu(), { dtype: 'float64' }))
    }), some(0.2))
  })

  it.runIf(long)('is the composed one on lines, and through windows with a side for each axis', async () => {
    const like = { channels: { a: 3 }, update: mlp(3, { activation: 'tanh' }), fireRate: 0.5, living: { channel: 0, above: 0.1 } } as const
    const rules = fc.constantFrom(
      defineRule({ ...like, grid: 1, perceive: ['identity', 'sobelX', depthwise(1, { size: 7 })], padding: 'reflect' }),
      defineRule({ ...like, grid: 1, perceive: [conv(4, { size: 5, activation: 'tanh' })], padding: 'circular' }),
      defineRule({ ...like, perceive: [depthwise(2, { size: [1, 7] })], padding: 'replicate' }),
      defineRule({ ...like, perceive: [conv(4, { size: [5, 1] })], padding: 'reflect' }),
    )
    const grid = fc.constantFrom<[number, number]>([5, 17], [7, 33])
    await fc.assert(fc.asyncProperty(scenesOf({ rules, grid, batches: fc.constantFrom(1, 2) }), async scene => {
      expect(explain(scene.rule, gpu)).toMatch(/^fused/)
      expectNear(scene, await fusedOutcome(scene, gpu), outcome(scene, cpu(), { dtype: 'float64' }))
    }), some(0.2))
  })

  it.runIf(long)('applies activations whose derivatives need their sums, in every layer', async () => {
    const rule = defineRule({
      channels: { a: 3 }, perceive: [conv(5, { activation: 'gelu', bias: true }), conv(3, { size: 1, activation: 'softplus' })],
      update: mlp([6, 5], { activation: 'silu' }),
    })
    await fc.assert(fc.asyncProperty(scenesOf({ rules: fc.constant(rule), longest: 4 }), async scene => {
      expect(explain(scene.rule, gpu)).toMatch(/^fused/)
      expectNear(scene, await fusedOutcome(scene, gpu), outcome(scene, cpu(), { dtype: 'float64' }))
    }), some(0.06))
  })

  it.runIf(long).each([true, false])('is the composed one in the shapes for software (%s) and for hardware', async software => {
    const shaped = backendOn({ ...await openDevice(), software })
    const rules = fc.constantFrom(
      defineRule({ ...growingRule, update: mlp(20, { activation: 'tanh', lastStd: 0.1 }) }),
      defineRule({ channels: { a: 3 }, perceive: [depthwise(1, { size: 13 })], update: mlp(5) }),
    )
    const grid = fc.constant<[number, number]>([9, 19])
    await fc.assert(fc.asyncProperty(scenesOf({ rules, grid, batches: fc.constant(1), longest: 3 }), async scene => {
      expectNear(scene, await fusedOutcome(scene, shaped), outcome(scene, cpu(), { dtype: 'float64' }))
    }), some(0.04))
    await shaped.close()
  })

  it.runIf(long).each([true, false])('is the composed one with two hidden layers of 80, in both shapes (%s)', async software => {
    const shaped = backendOn({ ...await openDevice(), software })
    // The convolutional network of table 6 of Spitznagel & Keuper, "A New Kind of Network?" (2026).
    const rule = defineRule({
      channels: { rgba: 4, hidden: 12 }, perceive: [conv(80, { size: 3, bias: true, activation: 'leakyRelu' })],
      update: mlp(80, { activation: 'leakyRelu' }), padding: 'circular', living: null,
    })
    expect(explain(rule, shaped)).toMatch(/^fused: .* 19376 parameters\./)
    const grid = fc.constant<[number, number]>([7, 5])
    const scenes = scenesOf({ rules: fc.constant(rule), grid, batches: fc.constant(1), longest: 3 })
    await fc.assert(fc.asyncProperty(scenes, async scene => {
      expectNear(scene, await fusedOutcome(scene, shaped), outcome(scene, cpu(), { dtype: 'float64' }))
    }), some(0.02))
    await shaped.close()
  })

  it('computes a dead cell for the neighbour that it keeps alive, and applies the living mask after the step', async () => {
    // As in tests/nca/fused.test.ts: alpha becomes 1 − alpha where a cell fires. It moves from one cell to the next but
    // one, and only thereby the cell between them lives on, within a tile, from tile to tile, and around a torus.
    const rule = defineRule({
      channels: { alpha: 1, content: 1 }, perceive: ['identity'],
      update: mlp(1, { activation: 'linear' }), living: { channel: 0, above: 0.1 },
    })
    const width = 40, cells = (...at: number[]): number[] => Array.from({ length: width }, (_, i) => +at.includes(i))
    const run = async (rule: DataRule, alpha: number[], fires: number[]): Promise<number[]> => {
      const on = { backend: gpu }
      const { next } = scope(() => {
        const update = {
          w1: tensor([[1], [0]], on), b1: tensor([0], on), w2: tensor([[-2, 0]], on), b2: tensor([1, 0], on),
        }
        const x = tensor(Float32Array.from(alpha.flatMap((a, i) => [a, 4 + i])), { shape: [1, 1, width, 2], ...on })
        const mask = tensor(Uint32Array.from(fires), { shape: [1, 1, width], ...on })
        return { next: rollout(rule, { update }, x, key(0), { steps: 1, masks: [mask] }).data() }
      })
      return Array.from(await next).filter((_, i) => i % 2 === 1)
    }
    const only = (...at: number[]): number[] => cells(...at).map((v, i) => v * (4 + i))
    expect(await run(rule, cells(3), cells(3, 5))).toEqual(only(4))
    expect(await run(rule, cells(3), cells(3, 6))).toEqual(only())
    expect(await run(rule, cells(14), cells(14, 16))).toEqual(only(15))
    expect(await run(rule, cells(17), cells(17, 15))).toEqual(only(16))
    if (!long) return // each further rule compiles shaders
    const torus = defineRule({ ...rule, padding: 'circular' })
    expect(await run(torus, cells(0), cells(0, 38))).toEqual(only(39))
    // No cell lives before the step.
    const after = defineRule({ ...rule, living: { channel: 0, above: 0.1, when: 'after' } })
    expect(await run(rule, cells(), cells(16))).toEqual(only())
    expect(await run(after, cells(), cells(16))).toEqual(only(15, 16, 17))
  })

  it.runIf(long)('is that of the CPU, cell by cell, step by step', async () => {
    const rules = fc.constant(defineRule({ ...growingRule, update: mlp(128, { lastStd: 0.02 }) }))
    const grid = fc.constant<[number, number]>([19, 23])
    const scenes = scenesOf({ rules, grid, batches: fc.constant(1), longest: 3 })
    await fc.assert(fc.asyncProperty(scenes, async scene => {
      expectNear(scene, await fusedOutcome(scene, gpu), outcome(scene, cpu()))
    }), some(0.06))
  })

  it.runIf(long)('has the same bits every time, and however much is kept', async () => {
    await fc.assert(fc.asyncProperty(scenesOf({ longest: 7 }), async scene => {
      const bits = bitsOf(await fusedOutcome(scene, gpu))
      for (const checkpoint of ['auto', 1, 3, 100] as const) {
        expect(bitsOf(await fusedOutcome(scene, gpu, { checkpoint })), `${checkpoint}`).toEqual(bits)
      }
    }), some(0.06))
  })

  it.runIf(long)('works with weights that are too large for uniforms', async () => {
    const rules = fc.constant(defineRule({
      channels: { a: 24 }, perceive: ['identity', 'sobelX', 'sobelY'], update: mlp(240, { activation: 'sigmoid' }),
    }))
    const scenes = scenesOf({ rules, grid: fc.constant<[number, number]>([5, 5]), batches: fc.constant(1), longest: 2 })
    await fc.assert(fc.asyncProperty(scenes, async scene => {
      expectNear(scene, await fusedOutcome(scene, gpu), outcome(scene, cpu(), { dtype: 'float64' }))
    }), some(0.01))
  })

  it('has the gradient of learned filters if that of the state is not wanted', async () => {
    const by = (backend: Backend): Promise<Data> => scope(() => {
      const x = normal(key(1), [1, 5, 6, 4], { backend })
      const loss = (p: DataParams): Tensor => sum(rollout(everything, p, x, key(0), { steps: 1 }))
      return { data: grad(loss)(init(everything, key(0), { backend })).perceive![0].kernel.data() }
    }).data
    expect(distance(await by(gpu), await by(cpu()))).toBeLessThan(1e-5)
  })

  it.runIf(long)('passes on weights that are NaN', async () => {
    const rule = defineRule({ ...growingRule, channels: { rgba: 4 }, update: mlp(4) })
    const params = await to(gpu, init(rule, key(0)))
    const x = await to(gpu, normal(key(1), [1, 5, 5, 4]))
    const broken = { update: { ...params.update, w1: mul(params.update.w1, NaN) } }
    const grads = scope(() => grad((p: DataParams) => sum(rollout(rule, p, x, key(2), { steps: 3 })))(broken))
    expect(await grads.update.w1.data()).toEqual(new Float32Array(48).fill(NaN))
  })

  it('is composed if windows are too wide, networks too deep, or derivatives are differentiated', async () => {
    const wide = defineRule({ channels: { a: 1 }, perceive: [conv(1, { size: 17 })], update: mlp(2) })
    const deep = defineRule({ channels: { a: 1 }, perceive: ['identity'], update: mlp(Array(8).fill(2)) })
    expect(explain(deep, gpu)).toMatch(/^composed of operators, because webgpu runs 8 layers at most, and it has 9: /)
    expect(explain(growingRule, gpu)).toMatch(/^fused: /)
    const volume = defineRule({ channels: { a: 1 }, grid: 3, perceive: ['identity'], update: mlp(1) })
    expect(explain(volume, gpu)).toMatch(/^composed of operators, because webgpu runs no volumes as a whole: /)
    expect(explain(defineRule({ channels: { a: 1 }, perceive: [attention(1)], update: mlp(1) }), gpu))
      .toMatch(/^composed of operators, because webgpu runs no attention as a whole: /)
    expect(explain(defineRule({ channels: { a: 1 }, perceive: [deformable(1)], update: mlp(1) }), gpu))
      .toMatch(/^composed of operators, because webgpu runs no deformable convolutions as a whole: /)
    expect(explain(wide, gpu)).toMatch(/^composed of operators, because windows may be 13 cells wide on webgpu: /)
    const rule = defineRule({
      channels: { a: 2 }, perceive: ['identity', 'sobelX'], update: mlp(3, { activation: 'tanh', lastStd: 1 }),
    })
    const second = (params: DataParams, x: Tensor): DataParams => {
      const first = (p: DataParams): Tensor => sum(mul(rollout(rule, p, x, key(3), { steps: 2 }), x))
      return grad((p: DataParams) => sum(mul(grad(first)(p).update.w1, p.update.w1)))(params)
    }
    const params = init(rule, key(1)), x = normal(key(2), [1, 4, 5, 2])
    const expected = scope(() => second(params, x).update.w2.toArray())
    const [pGpu, xGpu] = [await to(gpu, params), await to(gpu, x)]
    const got = await scope(() => second(pGpu, xGpu)).update.w2.data()
    expect(distance(got, expected)).toBeLessThan(1e-4)
  })
})

describe('the memory of a fused rollout on WebGPU', () => {
  const step = (params: DataParams, x: Tensor, steps: number): void => scope(() => {
    valueAndGrad((p: DataParams) => sum(rollout(everything, p, x, key(1), { steps })))(params)
  })

  it('is the same after every training step', async () => {
    const params = await to(gpu, init(everything, key(0)))
    const x = await to(gpu, normal(key(2), [2, 9, 9, 4]))
    step(params, x, 6)
    gpu.resetPeak()
    step(params, x, 6)
    const after = memory(gpu)
    for (let i = 0; i < (long ? 50 : 10); i++) step(params, x, 6)
    expect(memory(gpu)).toEqual(after)
    expect(Number.isFinite(await sum(x).item())).toBe(true)
  })

  it('is freed if a budget ends a rollout in the middle', async () => {
    const small = await anotherGpu({ maxBytes: 300_000 })
    const params = await to(small, init(everything, key(0)))
    const x = await to(small, normal(key(2), [2, 9, 9, 4]))
    step(params, x, 2)
    const before = memory(small).buffers
    expect(() => step(params, x, 100)).toThrow(/^webgpu: .* asked for .*, budget 300 kB; largest: .* × rollout/)
    expect(memory(small).buffers).toBe(before)
    step(params, x, 2)
  })

  it.runIf(long)('is enough for cells beyond the second axis of a dispatch', async () => {
    // More tiles than workgroups fit along one axis.
    const rule = defineRule({ channels: { a: 4 }, perceive: ['identity'], update: mlp(8, { lastStd: 0.1 }) })
    const tall = await openPoisoned()
    const params = await to(tall, init(rule, key(0)))
    const x = tensor(new Float32Array(8 * 66_000 * 4).fill(1), { shape: [1, 8 * 66_000, 1, 4], backend: tall })
    const y = await scope(() => rollout(rule, params, x, key(1), { steps: 1 })).data()
    expect(y.slice(-4)).toEqual(y.slice(0, 4))
    expect(y.slice(0, 4).some(v => v !== 1)).toBe(true)
    await tall.close()
  })
})

