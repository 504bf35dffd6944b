// Fused rollouts against the composed ones that they replace: values, gradients, second derivatives, and which path
// runs.

import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { checkpoint } from '../../src/autograd/checkpoint.ts'
import { grad, hvp, valueAndGrad } from '../../src/autograd/grad.ts'
import { scan } from '../../src/autograd/scan.ts'
import { vjp } from '../../src/autograd/vjp.ts'
import type { Backend, Data } from '../../src/backends/backend.ts'
import { cpu } from '../../src/backends/cpu.ts'
import { explain } from '../../src/nca/explain.ts'
import { mlp } from '../../src/nca/mlp.ts'
import { attention } from '../../src/nca/perceptions/attention.ts'
import { conv } from '../../src/nca/perceptions/conv.ts'
import { deformable } from '../../src/nca/perceptions/deformable.ts'
import { depthwise } from '../../src/nca/perceptions/depthwise.ts'
import { position } from '../../src/nca/perceptions/position.ts'
import { residualConv } from '../../src/nca/perceptions/residual-conv.ts'
import { customRule, defineRule } from '../../src/nca/rule/define.ts'
import { init, perceptionSize } from '../../src/nca/rule/parameters.ts'
import type { DataParams, DataRule, Perception } from '../../src/nca/rule/types.ts'
import { rollout } from '../../src/nca/step.ts'
import { foldIn, key, split } from '../../src/tensor/key.ts'
import { add, mul } from '../../src/tensor/ops/arithmetic.ts'
import { cast } from '../../src/tensor/ops/cast.ts'
import { full, zerosLike } from '../../src/tensor/ops/create.ts'
import { square } from '../../src/tensor/ops/functions.ts'
import { sum } from '../../src/tensor/ops/sum.ts'
import { bernoulli, normal, uniform } from '../../src/tensor/ops/random.ts'
import { tensor, type Tensor } from '../../src/tensor/tensor.ts'
import { eachLeaf, mapTree } from '../../src/tensor/tree.ts'
import { distance, empty, expectNear, fusedOnCpu, fusedRules, outcome, placed, scenesOf, type Scene } from './fused-scenes.ts'
import { long, runs } from '../long.ts'

/** The oracle: plain loops, composed. */
const composed = cpu({ simd: false })

/** The calls of fused rollouts; reset before each test. */
const calls = { forward: 0, backward: 0 }
beforeEach(() => { Object.assign(calls, { forward: 0, backward: 0 }) })

function counted(backend: Backend): Backend {
  const { forward, backward } = backend.runner!
  return {
    ...backend,
    runner: {
      ...backend.runner!,
      forward(...args) {
        calls.forward++
        return forward(...args)
      },
      backward(...args) {
        calls.backward++
        backward(...args)
      },
    },
  }
}

/** Without fused multiply-add, and with more threads than most samples have bands. */
const whole = counted(cpu({ threads: 2, fma: false }))

function expectAlike(scene: Scene): void {
  const got = outcome(scene, whole)
  expect(calls.forward, JSON.stringify(scene.rule)).toBe(calls.backward)
  expectNear(scene, got, outcome(scene, composed, { dtype: 'float64' }))
  expectNear(scene, got, outcome(scene, composed))
}

describe('a fused rollout', () => {
  it('is the composed one: values, and gradients of everything', () => {
    let runs = 0
    fc.assert(fc.property(scenesOf({ rules: fusedOnCpu, inputs: true }), scene => {
      expectAlike(scene)
      runs++
    }))
    expect(calls, 'rollouts that ran as a whole').toEqual({ forward: runs, backward: runs })
  })

  it('is the composed one, also if bits fill their words and samples are cut into bands', () => {
    const grid = fc.oneof(
      fc.tuple(fc.constantFrom(1, 2, 17), fc.constantFrom(63, 64, 65, 127, 128, 129)),
      fc.tuple(fc.constantFrom(16, 17, 23, 40, 128, 131), fc.constantFrom(1, 2, 5)),
    )
    const rules = fc.record({
      perceive: fc.constantFrom(
        ['identity', 'sobelX', 'laplacian'] as const, [depthwise(2, { size: 5 })], [conv(3)], [conv(2, { size: 5 })],
        [deformable(2, { size: 1, reach: 2 })], [deformable(2, { size: 1, reach: null })],
      ),
      padding: fc.constantFrom('zero', 'circular', 'circular', 'reflect', 'replicate'),
      fireRate: fc.constantFrom(0.5, 1),
      lives: fc.constantFrom(null, { channel: 0, above: 0.1 }, { channel: 1, above: -0.1 }),
    }).map(({ lives, ...parts }) =>
      defineRule({ channels: { a: 3 }, update: mlp(3, { activation: 'tanh' }), living: lives, ...parts }))
    fc.assert(fc.property(scenesOf({ rules, grid, batches: fc.constantFrom(1, 1, 2) }), expectAlike))
  })

  it.runIf(long)('is tested on scenes in which cells die, grow, and do nothing', () => {
    const scenes = fc.sample(scenesOf({ rules: fusedRules.filter(rule => rule.living !== null && !rule.inputMask) }), 30)
    const share = (what: (before: boolean[], after: boolean[]) => boolean): number =>
      scenes.filter(s => what(empty(s, s.arrays.x.data), empty(s, outcome(s, whole).states.at(-1)!))).length
        / scenes.length
    expect(share((before, after) => before.some((e, i) => !e && after[i])), 'some die').toBeGreaterThan(0.3)
    expect(share((before, after) => before.some((e, i) => e && !after[i])), 'some grow').toBeGreaterThan(0.3)
    expect(share((before, after) => after.some((e, i) => e && before[i])), 'some stay empty').toBeGreaterThan(0.2)
  })

  it('computes a dead cell for the neighbour that it keeps alive', () => {
    // As in step.test.ts: alpha moves from cell 0 to cell 2, and only because of that cell 1 survives. Beside it, the same
    // with a column between (nothing there can matter), across the border of a torus, and across two bands of rows.
    const rule = defineRule({
      channels: { alpha: 1, content: 1 }, perceive: ['identity'],
      update: mlp(1, { activation: 'linear' }), living: { channel: 0, above: 0.1 },
    })
    const run = (rule: DataRule, alpha: number[], fires: number[], shape: number[]): number[] => {
      const on = { backend: whole }
      const update = {
        w1: tensor([[1], [0]], on), b1: tensor([0], on), w2: tensor([[-2, 0]], on), b2: tensor([1, 0], on),
      }
      const x = tensor(Float32Array.from(alpha.flatMap((a, i) => [a, 4 + i])), { shape: [1, ...shape, 2], ...on })
      const mask = tensor(Uint32Array.from(fires), { shape: [1, ...shape], ...on })
      const next = rollout(rule, { update }, x, key(0), { steps: 1, masks: [mask] }).toArray()
      return Array.from(next).filter((_, i) => i % 2 === 1)
    }
    expect(run(rule, [1, 0, 0, 0], [1, 0, 1, 0], [1, 4])).toEqual([0, 5, 0, 0])
    expect(run(rule, [1, 0, 0, 0], [1, 0, 0, 1], [1, 4])).toEqual([0, 0, 0, 0])
    // On a torus of 6, cell 5 lives by cell 0, and cell 4 takes over.
    const torus = { ...rule, padding: 'circular' } as const
    expect(run(torus, [1, 0, 0, 0, 0, 0], [1, 0, 0, 0, 1, 0], [1, 6])).toEqual([0, 0, 0, 0, 0, 9])
    expect(run(rule, [1, 0, 0, 0, 0, 0], [1, 0, 0, 0, 1, 0], [1, 6])).toEqual([0, 0, 0, 0, 0, 0])
    // Rows 0 to 7 are one band, 8 to 15 the next: row 7 lives by row 6, and row 8 takes over; and the other way.
    const column = (at: number): number[] => Array.from({ length: 16 }, (_, i) => +(i === at))
    const both = (a: number, b: number): number[] => column(a).map((v, i) => v || column(b)[i])
    const only = (cell: number): number[] => column(cell).map(v => v * (4 + cell))
    expect(run(rule, column(6), both(6, 8), [16, 1])).toEqual(only(7))
    expect(run(rule, column(9), both(9, 7), [16, 1])).toEqual(only(8))
    expect(run(rule, column(7), both(7, 9), [16, 1])).toEqual(only(8))
    // On a line, and where each row is a slice of a volume: the bands meet between slices.
    expect(run({ ...rule, grid: 1 }, [1, 0, 0, 0], [1, 0, 1, 0], [4])).toEqual([0, 5, 0, 0])
    const volume = { ...rule, grid: 3 } as const, ring = { ...volume, padding: 'circular' } as const
    expect(run(volume, column(6), both(6, 8), [16, 1, 1])).toEqual(only(7))
    expect(run(volume, column(9), both(9, 7), [16, 1, 1])).toEqual(only(8))
    expect(run(ring, column(0), both(0, 14), [16, 1, 1])).toEqual(only(15))
    expect(run(volume, column(0), both(0, 14), [16, 1, 1])).toEqual(only(-1))
  })

  it('compares with the threshold as the composed one does, at the threshold too', () => {
    for (const above of [0.1, 0, -0.1, 0.3, -1e-50]) {
      const rule = defineRule({
        channels: { alpha: 1, content: 1 }, perceive: ['identity'], update: mlp(1), living: { channel: 0, above },
        fireRate: 0.5,
      })
      const near = [above, Math.fround(above), Math.fround(above) * (1 + 2 ** -23), 0, 1, -1, above + 1e-6]
      const run = (backend: Backend): number[] => near.flatMap(alpha => {
        const x = tensor([[[[alpha, 1], [0, 2], [0, 3]]]], { backend, dtype: 'float32' })
        const params = init(rule, key(0), { backend })
        const grows = { update: { ...params.update, b2: tensor([0, 1], { backend }) } }
        return [...rollout(rule, grows, x, key(0), { steps: 9 }).toArray()]
      })
      expect(run(whole), `above ${above}`).toEqual(run(composed))
    }
  })

  it('fires the same cells, however rarely', () => {
    for (const fireRate of [1, 1 - 2 ** -40, 0.5, 2 ** -8, 2 ** -32, 1e-12]) {
      const rule = defineRule({ channels: { a: 1 }, perceive: ['identity'], update: mlp(1), fireRate })
      const run = (backend: Backend): number[] => {
        const params = init(rule, key(0), { backend })
        const bias = { update: { ...params.update, b2: tensor([1], { backend }) } }
        return [...rollout(rule, bias, full([3, 9, 70, 1], 0, { backend }), key(5), { steps: 3 }).toArray()]
      }
      expect(run(whole), `${fireRate}`).toEqual(run(composed))
    }
    expect(calls.forward).toBe(6)
  })

  it('draws the noise of `normal`, bit for bit, at the cells that act', () => {
    // With weights of zero, the value of a cell after a step is its noise.
    for (const [channels, frozen] of [[{ a: 7 }, []], [{ a: 1, goal: 2, hidden: 4 }, ['goal']]] as const) {
      const rule = defineRule({
        channels, frozen: [...frozen], perceive: ['identity'], update: mlp(1), fireRate: 0.7, noise: { on: 'change', std: 1.3 },
      })
      const run = (backend: Backend): Buffer => {
        const params = mapTree(init(rule, key(0), { backend }), t => zerosLike(t as Tensor)) as DataParams
        return Buffer.from(rollout(rule, params, full([2, 33, 130, 7], 0, { backend }), key(7), { steps: 1 }).toArray().buffer)
      }
      expect(run(whole).equals(run(composed))).toBe(true)
    }
    expect(calls.forward).toBe(2)
  })

  it.each(['gelu', 'silu', 'softplus'] as const)('applies %s like the operators, also far from 0 and to values that are not finite', word => {
    // Channel b becomes σ(a), by the hidden layer or by the last.
    const far = Array.from({ length: 200 }, (_, i) => Math.fround((i - 100) * Math.abs(i - 100) / 123))
    const a = [...far, NaN, Infinity, -Infinity, 1e12, -1e12, 1e-12, -1e-12].map(Math.fround)
    for (const update of [mlp(1, { activation: word }), mlp(1, { activation: 'linear', lastActivation: word })]) {
      const rule = defineRule({ channels: { a: 1, b: 1 }, perceive: ['identity'], update })
      const run = (backend: Backend, dtype: 'float32' | 'float64'): Data[] => {
        const on = { backend, dtype }
        const update = { w1: tensor([[1], [0]], on), b1: tensor([0], on), w2: tensor([[0, 1]], on), b2: tensor([0, 0], on) }
        const [y, pullback] = vjp((x: Tensor) => rollout(rule, { update }, x, key(0), { steps: 1 }),
          tensor([[a.map(a => [a, 0])]], on))
        return [y, pullback(tensor([[a.map(() => [0, 1])]], on))].map(t => t.toArray())
      }
      const [[values, slopes], [expected, expectedSlopes]] = [run(whole, 'float32'), run(composed, 'float64')]
      a.forEach((a, i) => {
        for (const [v, e] of [[values[2 * i + 1], expected[2 * i + 1]], [slopes[2 * i], expectedSlopes[2 * i]]]) {
          const near = Object.is(v, e) || Math.abs(v - e) <= 2e-6 * Math.abs(e) + (word === 'gelu' ? 1e-14 : 1e-36) // there 1 + tanh is all that float64 has
          expect(near, `${word} of ${a} is ${v}, expected ${e}`).toBe(true)
        }
      })
    }
    expect(calls).toEqual({ forward: 2, backward: 2 })
  })

  it('moves taps onto cells, where a training begins, with the slopes of the composed one', () => {
    for (const reach of [1, 2, null]) {
      const rule = defineRule({
        channels: { a: 3 }, perceive: ['identity', deformable(4, { reach, modulated: reach !== 1 })],
        update: mlp(5, { activation: 'tanh', lastStd: 1 }), padding: 'reflect',
      })
      const run = (backend: Backend): Data[] => {
        const { perceive: [own], ...params } = init(rule, key(0), { backend }) as DataParams & { perceive: Record<string, Tensor>[] }
        // Unbounded, some are beyond the border, and halfway between cells along one axis.
        const moved = Float32Array.from(own.offsetBias.toArray(), (_, i) => (reach === null ? (i * 5) % 13 - 6 + (i === 4 ? 0.5 : 0) : 0))
        const bias = tensor(moved, { backend })
        const grads = grad((p: DataParams) => sum(square(rollout(rule, p, normal(key(1), [2, 7, 9, 3], { backend }), key(2), { steps: 1 }))))(
          { ...params, perceive: [{ ...own, offsetBias: bias }] })
        return [...arraysOf(grads.perceive), ...arraysOf(grads.update)]
      }
      const both: [Data[], Data[]] = [run(whole), run(composed)]
      expectClose(both, 1e-5)
      expect(both[0][2].some(v => v !== 0), 'offsets are learned').toBe(true)
    }
    expect(calls.backward).toBe(3)
  })

  it('starts at a given step', () => {
    const rule = defineRule({ channels: { a: 2 }, perceive: ['mean'], update: mlp(3, { lastStd: 1 }), fireRate: 0.5 })
    const params = init(rule, key(1), { backend: whole })
    const x = uniform(key(2), [1, 9, 7, 2], { backend: whole })
    const half = rollout(rule, params, x, key(3), { steps: 3 })
    expect(rollout(rule, params, half, key(3), { steps: 2, from: 3 }).toArray())
      .toEqual(rollout(rule, params, x, key(3), { steps: 5 }).toArray())
  })
})

const small = fc.record({
  perceive: fc.constantFrom<Perception[]>(['identity', 'sobelX'], ['laplacian', depthwise(1)], [conv(3), conv(1)]),
  padding: fc.constantFrom('zero', 'circular', 'reflect', 'replicate'),
  activation: fc.constantFrom('tanh', 'sigmoid', 'relu'),
  living: fc.constantFrom(null, { channel: 1, above: 0.1 }),
  frozen: fc.constantFrom([], ['goal']),
}).map(({ activation, ...rest }) =>
  defineRule({ channels: { a: 2, goal: 1 }, update: mlp(4, { activation }), fireRate: 0.5, ...rest }))

const smallScenes = scenesOf({
  rules: small, grid: fc.tuple(fc.integer({ min: 3, max: 6 }), fc.integer({ min: 3, max: 6 })),
  batches: fc.integer({ min: 1, max: 2 }), longest: 4,
})

type Given = { params: DataParams; x: Tensor }

/** The loss of a rollout: a square, so that its second derivative has every part. */
function lossOf(scene: Scene, masks?: Tensor[]): (given: Given) => Tensor {
  const { rule, steps, readouts, angle, n } = scene
  return ({ params, x }) => rollout(rule, params, x, key(n), { steps, readouts, masks, angle })
    .map(y => sum(square(y))).reduce((a, b) => add(a, b))
}

/** All results of a function of a scene, as arrays, on either backend. */
function onBoth(scene: Scene, f: (given: Given, loss: (given: Given) => Tensor) => unknown): [Data[], Data[]] {
  const on = (backend: Backend): Data[] => {
    const { params, x, masks } = placed(scene, backend, 'float32')
    return arraysOf(f({ params, x }, lossOf(scene, masks)))
  }
  return [on(whole), on(composed)]
}

function arraysOf(tree: unknown): Data[] {
  return tensorsOf(tree).map(t => t.toArray())
}

function tensorsOf(tree: unknown): Tensor[] {
  const list: Tensor[] = []
  eachLeaf(tree, leaf => list.push(leaf as Tensor))
  return list
}

function expectClose([got, expected]: [Data[], Data[]], tolerance = 1e-3): void {
  expect(got.length).toBe(expected.length)
  got.forEach((g, i) => expect(distance(g, expected[i]), `leaf ${i}`).toBeLessThan(tolerance))
}

const direction = (given: Given): Given => {
  let i = 0
  return mapTree(given, leaf => {
    const t = leaf as Tensor
    return normal(foldIn(key(9), i++), t.shape, { like: t })
  })
}

describe('derivatives of a fused rollout', () => {
  it('have right derivatives themselves', () => {
    fc.assert(fc.property(smallScenes, scene => {
      expectClose(onBoth(scene, (given, loss) => hvp(loss, given, direction(given))))
    }), runs(15))
    const seen = defineRule({
      channels: { a: 7, goal: 1 }, perceive: ['identity', attention(6, { heads: 2, feedForward: 3 }), position(2)], update: mlp(5, { activation: 'tanh' }),
    })
    const grid = fc.constant<[number, number]>([4, 5])
    fc.assert(fc.property(scenesOf({ rules: fc.constant(seen), grid, batches: fc.constant(1), longest: 2 }), scene => {
      expectClose(onBoth(scene, (given, loss) => hvp(loss, given, direction(given))))
    }), { numRuns: 2 })
    expect(calls, 'a rollout that is differentiated twice is composed').toEqual({ forward: 0, backward: 0 })
  })

  it('are differentiated by their cotangents', () => {
    fc.assert(fc.property(smallScenes, scene => {
      const { rule, steps, angle, n } = scene
      const both = onBoth(scene, given => {
        const masks = placed(scene, given.x.backend, 'float32').masks
        const [y, pullback] = vjp(
          ({ params, x }: Given) => rollout(rule, params, x, key(n), { steps, masks, angle }), given,
        )
        // ⟨pullback(c), v⟩ is linear in c: its gradient is the derivative in the direction v, whatever c is.
        const v = direction(given)
        const along = (c: Tensor): Tensor => {
          const factors = tensorsOf(v)
          return tensorsOf(pullback(c)).map((p, i) => sum(mul(p, factors[i]))).reduce((a, b) => add(a, b))
        }
        return [grad(along)(zerosLike(y)), grad(along)(y)]
      })
      expectClose(both)
      expect(distance(both[0][0], both[0][1]), 'linear').toBeLessThan(1e-5)
    }), runs(15))
    expect(calls.forward).toBeGreaterThan(0)
  })

  it('reach the inputs of each step, to second order too, also if different steps have different roles', () => {
    const rule = defineRule({
      channels: { a: 2, wind: 1 }, frozen: ['wind'], perceive: ['identity', 'sobelX'], update: mlp(4, { activation: 'tanh', lastStd: 1 }),
    })
    const run = (backend: Backend, roles: (t: number) => string[]): Data[] => {
      const params = init(rule, key(0), { backend }), x = normal(key(1), [2, 4, 5, 3], { backend })
      const loss = (wind: Tensor): Tensor => sum(square(rollout(rule, params, x, key(2), {
        steps: 3, inputs: t => Object.fromEntries(roles(t).map(role => [role, mul(wind, t + 1)])),
      })))
      const wind = normal(key(3), [2, 4, 5, 1], { backend })
      return [grad(loss)(wind), hvp(loss, wind, full(wind.shape, 1, { like: wind }))].map(t => t.toArray())
    }
    const always = (): string[] => ['wind'], sometimes = (t: number): string[] => (t === 1 ? [] : ['wind'])
    expectClose([run(whole, always), run(composed, always)], 1e-4)
    expect(calls).toEqual({ forward: 1, backward: 1 })
    expectClose([run(whole, sometimes), run(composed, sometimes)], 1e-4)
    expect(calls.forward, 'composed').toBe(1)
  })

  it('are the same when they are asked for twice', () => {
    fc.assert(fc.property(smallScenes, scene => {
      const { rule, steps, angle, n } = scene
      const { params, x, masks } = placed(scene, whole, 'float32')
      const [y, pullback] = vjp((p: DataParams) => rollout(rule, p, x, key(n), { steps, masks, angle }), params)
      const first = arraysOf(pullback(y))
      pullback(mul(y, 2))
      expect(arraysOf(pullback(y))).toEqual(first)
    }), runs(10))
  })

  it('are right within checkpoint, within scan, and one rollout after the other', () => {
    fc.assert(fc.property(smallScenes, scene => {
      const { rule, angle, n } = scene
      const part = ({ params, x }: Given, k = key(n)): Tensor => rollout(rule, params, x, k, { steps: 2, angle })
      expectClose(onBoth(scene, (given, loss) => [
        grad(({ params, x }: Given) => checkpoint((x: Tensor) => loss({ params, x }))(x))(given),
        grad((given: Given) => checkpoint(loss)(given))(given),
        grad(({ params, x }: Given) => {
          const [last, seen] = scan((now: Tensor, k: readonly [number, number]) => {
            const next = part({ params, x: now }, k)
            return [next, sum(square(next))] as const
          }, x, split(key(n), 3), { checkpoint: 2 })
          return seen.reduce((a, b) => add(a, b), sum(last))
        })(given),
        grad(({ params, x }: Given) => sum(square(part({ params, x: part({ params, x }) }))))(given),
      ]), 1e-4)
    }), runs(10))
    expect(calls.backward).toBeGreaterThan(0)
  })

  it('are right if only some inputs are differentiated, and on two tapes', () => {
    fc.assert(fc.property(smallScenes, scene => {
      const before = calls.backward
      expectClose(onBoth(scene, ({ params, x }, loss) => [
        grad((x: Tensor) => loss({ params, x }))(x),
        grad((params: DataParams) => loss({ params, x }))(params),
        grad((w1: Tensor) => loss({ params: { ...params, update: { ...params.update, w1 } }, x }))(params.update.w1),
        grad((perceive: DataParams['perceive']) => loss({ params: { ...params, perceive }, x }))(params.perceive ?? []),
      ]), 1e-4)
      expect(calls.backward - before, 'fused').toBe(scene.rule.perceive.every(p => typeof p === 'string') ? 3 : 4)
      expectClose(onBoth(scene, ({ params, x }, loss) =>
        // The inner gradient is by x, the outer by the parameters.
        grad((params: DataParams) => sum(square(grad((x: Tensor) => loss({ params, x }))(x))))(params)))
    }), runs(10))
  })

  it('still have the masks that were made inside', () => {
    const [seen, expected] = [whole, composed].map(backend => {
      const rule = defineRule({ channels: { a: 3 }, perceive: ['identity', 'sobelX'], update: mlp(4, { lastStd: 1 }) })
      const x = normal(key(1), [2, 5, 6, 3], { backend })
      const run = (p: DataParams): Tensor => {
        const masks = Array.from({ length: 5 }, (_, t) => bernoulli(foldIn(key(2), t), [2, 5, 6], 0.5, { backend }))
        return rollout(rule, p, x, key(0), { steps: 5, masks, checkpoint: 2 })
      }
      const params = init(rule, key(0), { backend })
      const [y, pullback] = vjp(run, params)
      // The masks were gone when vjp returned; this takes their memory, if the derivative has not kept it.
      for (let i = 0; i < 5; i++) full([2, 5, 6], 1, { backend, dtype: 'uint32' })
      const within = grad((p: DataParams) => sum(checkpoint(run)(p)))(params)
      return [pullback(y), within].flatMap(g => Object.values(g.update)).map(g => g.toArray())
    })
    seen.forEach((g, i) => expect(distance(g, expected[i])).toBeLessThan(1e-4))
  })
})

describe('the composed path takes over', () => {
  const base = defineRule({ channels: { a: 2 }, perceive: ['identity', 'sobelX'], update: mlp(3, { lastStd: 1 }) })
  const state = (shape = [1, 5, 5, 2], dtype: 'float32' | 'float64' = 'float32'): Tensor =>
    normal(key(1), shape, { backend: whole, dtype })
  const paramsOf = (rule: DataRule, dtype: 'float32' | 'float64' = 'float32'): DataParams =>
    init(rule, key(0), { backend: whole, dtype })
  const train = (rule: DataRule, x: Tensor, dtype: 'float32' | 'float64' = 'float32'): unknown =>
    valueAndGrad((p: DataParams) => sum(rollout(rule, p, x, key(0), { steps: 3 })))(paramsOf(rule, dtype))

  it('for float64 and for code', () => {
    train(base, state(undefined, 'float64'), 'float64')
    const code = customRule({
      channels: { a: 2 }, init: (_, placement) => ({ rate: full([2], 0.1, placement) }),
      step: (p: { rate: Tensor }, x) => add(x, mul(x, p.rate)),
    })
    rollout(code, init(code, key(0), { backend: whole }), state(), key(0), { steps: 2 })
    expect(calls).toEqual({ forward: 0, backward: 0 })
    train(base, state())
    train(defineRule({ ...base, perceive: ['identity', depthwise(1)] }), state())
    train(defineRule({ ...base, perceive: [conv(2)] }), state())
    train(defineRule({ ...base, perceive: ['identity', conv(2)] }), state())
    expect(calls).toEqual({ forward: 4, backward: 4 })
  })

  it('for no rule that the vocabulary can express', () => {
    const parts: Perception[][] = [
      [position(2)], ['identity', position(2)], ['sobelX', depthwise(1), position(2)], [conv(3), position(2)],
      [attention(3)], ['identity', attention(3, { heads: 2, size: 5 }), depthwise(1)], [attention(3), attention(2), position(2)],
      [attention(3), conv(2)], [residualConv(2), attention(3)], [attention(3, { feedForward: 2 })], [deformable(3)],
      [deformable(3), position(2)], [position(1), 'laplacian', deformable(3, { reach: null, modulated: true }), deformable(2), position(2)],
      [deformable(3, { reach: 2 }), conv(2, { activation: 'tanh' }), position(2), residualConv(2)],
      ['identity', deformable(3, { reach: null, size: 5, modulated: true }), conv(2), deformable(2), attention(3), residualConv(2), position(2)],
    ]
    for (const perceive of parts) {
      const n = perceptionSize(defineRule({ ...base, perceive }))
      const networks = [
        mlp(3), mlp(n, { residual: true }), ...(['perception', 'hidden', 'both'] as const).map(on => mlp([n, n], { residual: true, norm: { on } })),
      ]
      for (const update of networks) {
        const rule = defineRule({ ...base, perceive, update })
        expect(explain(rule, whole).split(':')[0], JSON.stringify(rule)).toBe('fused')
      }
    }
  })

  it('for no steps at all', () => {
    const x = state()
    expect(rollout(base, paramsOf(base), x, key(0), { steps: 0 }).toArray()).toEqual(x.toArray())
    expect(rollout(base, paramsOf(base), x, key(0), { steps: 0, readouts: [] })).toEqual([])
    expect(calls.forward).toBe(0)
  })

  it('to say what does not fit', () => {
    const { update } = paramsOf(base)
    const on = { backend: whole }
    const mask = (...shape: number[]): Tensor => full(shape, 1, { dtype: 'uint32', ...on })
    const reflects = defineRule({ ...base, padding: 'reflect' })
    const learns = defineRule({ ...base, perceive: [depthwise(2)] })
    const without = (name: string): unknown => ({ update: Object.fromEntries(Object.entries(update).filter(([n]) => n !== name)) })
    const wrong: [string, { rule?: DataRule; params?: unknown; x?: Tensor; masks?: Tensor[] }][] = [
      ['rollout: the state is [1,5,5,3], expected [b,h,w,2] for channels {"a":2}.', { x: state([1, 5, 5, 3]) }],
      ['rollout: the state is [5,5,2], expected [b,h,w,2] for channels {"a":2}.', { x: state([5, 5, 2]) }],
      ['rollout: params.update.w1 is a tensor [5,3] float32, expected a tensor [4,3] float32.',
        { params: { update: { ...update, w1: full([5, 3], 0, on) } } }],
      ['rollout: params.update.b1 is a tensor [4] float32, expected a tensor [3] float32.',
        { params: { update: { ...update, b1: full([4], 0, on) } } }],
      ['rollout: params.update.w2 is a tensor [3,2] float64, expected a tensor [3,2] float32.',
        { params: { update: { ...update, w2: cast(update.w2, 'float64') } } }],
      ['rollout: params.update.w1 is missing; the rule has update.w1, update.b1, update.w2, update.b2.',
        { params: without('w1') }],
      ['rollout: params.update.w1 is on cpu, but the state is on another backend, cpu.',
        { params: { update: { ...update, w1: full([4, 3], 0) } } }],
      ["depthwiseConv: padding 'reflect' mirrors 1 cells and needs a height above that; x [1,1,5,2].",
        { rule: reflects, x: state([1, 1, 5, 2]) }],
      ['rollout: params.perceive.0.kernel is missing; ', { rule: learns, params: { update } }],
      ['rollout: params.perceive.0.kernel is a tensor [3,3,2,1] float32, expected a tensor [3,3,2,2] float32.',
        { rule: learns, params: { update: paramsOf(learns).update, perceive: [{ kernel: full([3, 3, 2, 1], 0, on) }] } }],
      ['rollout: masks[1] is a tensor [5,5] uint32, expected a tensor [1,5,5] uint32.',
        { masks: [mask(1, 5, 5), mask(5, 5)] }],
      ['rollout: masks[1] is a tensor [1,5,5] int32, expected a tensor [1,5,5] uint32.',
        { masks: [mask(1, 5, 5), cast(mask(1, 5, 5), 'int32')] }],
      ['rollout: the number of masks is 1, expected that of the steps, 2.', { masks: [mask(1, 5, 5)] }],
    ]
    for (const [sentence, { rule = base, params = paramsOf(rule), x = state(), masks }] of wrong) {
      expect(() => rollout(rule, params as DataParams, x, key(0), { steps: 2, masks })).toThrow(sentence)
    }
    expect(calls).toEqual({ forward: 0, backward: 0 })
  })
})
