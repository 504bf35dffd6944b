// The perception of a rule, written out cell by cell; its parameters, their shapes and files.

import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeModel, encodeModel } from '../../src/nca/files/model-file.ts'
import { perceive } from '../../src/nca/perceive.ts'
import { growingRule } from '../../src/nca/training/presets.ts'
import { activations, mlp, type Activation } from '../../src/nca/mlp.ts'
import { conv } from '../../src/nca/perceptions/conv.ts'
import { depthwise, type Depthwise } from '../../src/nca/perceptions/depthwise.ts'
import { isLearned, kindOf, type Learned } from '../../src/nca/perceptions/kinds.ts'
import { channelCount, updatedChannels } from '../../src/nca/rule/channels.ts'
import { defineRule } from '../../src/nca/rule/define.ts'
import { init, paramShapes, perceptionSize } from '../../src/nca/rule/parameters.ts'
import type { DataRule, Perception } from '../../src/nca/rule/types.ts'
import { decodeSafetensors } from '../../src/nca/files/safetensors.ts'
import { seed } from '../../src/nca/state.ts'
import { rollout, step, update } from '../../src/nca/step.ts'
import { filterKernel } from '../../src/tensor/filters.ts'
import { key, split } from '../../src/tensor/key.ts'
import { normal, uniform } from '../../src/tensor/ops/random.ts'
import type { Padding } from '../../src/backends/window.ts'
import { tensor, type Tensor } from '../../src/tensor/tensor.ts'
import { eachLeaf } from '../../src/tensor/tree.ts'
import { rules, scenes, type Scene } from './random-rule.ts'

/** The index of cell i along n cells, −1 beyond the border. */
function wrap(i: number, n: number, padding: Padding): number {
  if (i >= 0 && i < n) return i
  if (padding === 'zero') return -1
  if (padding === 'replicate') return Math.max(0, Math.min(i, n - 1))
  return padding === 'circular' ? (i + n) % n : i < 0 ? -i : 2 * (n - 1) - i
}

/** The activations, written out. */
const byHand: Readonly<Record<Activation, (v: number, slope?: number) => number>> = {
  relu: v => Math.max(v, 0),
  leakyRelu: (v, slope = 0.2) => (v > 0 ? v : slope * v),
  tanh: Math.tanh,
  sigmoid: v => 1 / (1 + Math.exp(-v)),
  gelu: v => v / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))),
  silu: v => v / (1 + Math.exp(-v)),
  softplus: v => Math.log(1 + Math.exp(v)),
  linear: v => v,
}

/** What the cell (b, i, j) perceives, in the order of the documentation. */
function perceived({ rule, params, x }: Scene, angle: number, b: number, i: number, j: number): number[] {
  const [, h, w, channels] = x.shape
  const state = x.toArray()
  /** Σ over the window of k[·,·,c,f] times the state's channel c. */
  const seen = (kernel: Tensor, c: number, f: number, dilation = 1): number => {
    const [height, width, , n] = kernel.shape
    const k = kernel.toArray()
    let total = 0
    for (let v = 0; v < height; v++) {
      for (let u = 0; u < width; u++) {
        const y = wrap(i + dilation * (v - (height - 1) / 2), h, rule.padding)
        const z = wrap(j + dilation * (u - (width - 1) / 2), w, rule.padding)
        if (y < 0 || z < 0) continue
        total += k[((v * width + u) * channels + c) * n + f] * state[((b * h + y) * w + z) * channels + c]
      }
    }
    return total
  }
  let learned = 0
  const given = rule.perceive.map(part => (isLearned(part)
    ? params.perceive![learned++]
    : { kernel: filterKernel([part], channels, { angle, like: x }) }) as { kernel: Tensor; bias?: Tensor })
  const indices = (n: number): number[] => Array.from({ length: n }, (_, f) => f)
  const all = indices(channels)
  const isOther = (part: Perception): part is Exclude<Learned, Depthwise> => isLearned(part) && kindOf(part).perceive !== undefined
  return [
    ...all.flatMap(c => given.flatMap(({ kernel: k }, at) =>
      (isOther(rule.perceive[at]) ? [] : indices(k.shape[3]).map(f => seen(k, c, f))))),
    ...rule.perceive.flatMap((part, at) => {
      if (!isOther(part)) return []
      if (part.type !== 'conv') { // tests/nca/perceptions.test.ts has these
        const y = kindOf(part).perceive!(part, given[at], x, { padding: rule.padding }), outputs = y.shape[3]
        return [...y.toArray().subarray(((b * h + i) * w + j) * outputs).subarray(0, outputs)]
      }
      const { kernel, bias } = given[at]
      return indices(part.outputs).map(f => all.reduce((total, c) =>
        total + seen(kernel, c, f, part.dilation), bias?.toArray()[f] ?? 0)).map(v => byHand[part.activation](v, part.slope))
    }),
  ]
}

describe('perceive', () => {
  it('follows the equations, filter by filter', () => {
    fc.assert(fc.property(scenes, fc.constantFrom(0, 0.7), (scene, angle) => {
      const { rule, params, x } = scene
      const y = perceive(rule, params, x, { angle })
      const [b, h, w] = x.shape
      expect(y.shape).toEqual([b, h, w, perceptionSize(rule)])
      const [i, j] = [scene.n % h, scene.n % w]
      const cell = (((b - 1) * h + i) * w + j) * perceptionSize(rule)
      const got = y.toArray()
      perceived(scene, angle, b - 1, i, j).forEach((v, q) => expect(got[cell + q]).toBeCloseTo(v, 10))
    }))
  })

  it('says which kernel does not fit', () => {
    const rule = defineRule({ channels: { a: 2 }, perceive: ['identity', depthwise(3), conv(5)], update: mlp(4) })
    const params = init(rule, key(0))
    const x = uniform(key(0), [1, 4, 4, 2])
    expect(() => step(rule, { update: params.update }, x, { key: key(0), t: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[Error: step: params.perceive.0.kernel is missing; the rule has perceive.0.kernel, perceive.1.kernel, update.w1, update.b1, update.w2, update.b2.]`,
    )
    const swapped = { ...params, perceive: params.perceive!.toReversed() }
    expect(() => perceive(rule, swapped, x)).toThrowErrorMatchingInlineSnapshot(
      `[Error: perceive: params.perceive.0.kernel is a tensor [3,3,2,5] float32, expected a tensor [3,3,2,3] float32.]`,
    )
  })
})

describe('update', () => {
  it.each(activations)('applies %s', activation => {
    const f = byHand[activation]
    const rule = defineRule({ channels: { a: 1 }, perceive: ['identity'], update: mlp(2, { activation }) })
    const of = (...values: number[]): Tensor => tensor(new Float64Array(values))
    const params = {
      update: {
        w1: tensor([[2, -1]], { dtype: 'float64' }), b1: of(0.5, 0.25),
        w2: tensor([[3], [5]], { dtype: 'float64' }), b2: of(7),
      },
    }
    for (const y of [-1.5, 0.2, 2]) {
      const [got] = update(rule, params, tensor([[[[y]]]], { dtype: 'float64' })).toArray()
      expect(got).toBeCloseTo(3 * f(2 * y + 0.5) + 5 * f(-y + 0.25) + 7, 12)
    }
  })
})

describe('first parameters', () => {
  it('have the shapes that the rule says', () => {
    fc.assert(fc.property(rules, rule => {
      const shapes: Record<string, readonly number[]> = {}
      eachLeaf(init(rule, key(1)), (p, path) => { shapes[path] = (p as Tensor).shape })
      expect(shapes).toEqual(paramShapes(rule))
    }))
  })

  it('are the same as in the first version for a rule without learned kernels', () => {
    // Models are reproduced from seeds, so the draws of the first rules must not change.
    const rule = defineRule({ ...growingRule, update: mlp(8, { lastStd: 0.1 }) })
    const [k1, k2] = split(key(3))
    const limit = Math.sqrt(6 / (48 + 8))
    const { update: { w1, w2 }, ...rest } = init(rule, key(3))
    expect(rest).toEqual({})
    expect(w1.toArray()).toEqual(uniform(k1, [48, 8], { low: -limit, high: limit }).toArray())
    expect(w2.toArray()).toEqual(normal(k2, [8, 16], { std: 0.1 }).toArray())
  })

  it('are uniform as in PyTorch if the network asks for it, also for biases', () => {
    const rule = defineRule({ channels: { a: 64 }, perceive: ['identity'], update: mlp([400, 300], { init: 'torch' }) })
    const { w1, b1, w2, b2, w3, b3 } = init(rule, key(2)).update
    for (const [p, inputs] of [[w1, 64], [b1, 64], [w2, 400], [b2, 400]] as const) {
      const most = Math.max(...p.toArray().map(Math.abs))
      expect(most).toBeLessThanOrEqual(1 / Math.sqrt(inputs))
      expect(most).toBeGreaterThan(0.98 / Math.sqrt(inputs))
    }
    expect([...w3.toArray(), ...b3.toArray()].every(v => v === 0)).toBe(true)
    expect(b1.toArray().slice(0, 64)).not.toEqual(w1.toArray().slice(0, 64))
  })

  it('are Glorot-uniform where kernels are learned, each kernel its own', () => {
    const perceive = [depthwise(30, { size: 5 }), conv(40), conv(40)]
    const rule = defineRule({ channels: { a: 16 }, perceive, update: mlp(4) })
    const kernels = init(rule, key(3)).perceive!.map(({ kernel }) => kernel.toArray())
    const limits = [Math.sqrt(6 / (25 + 25 * 30)), Math.sqrt(6 / (9 * 16 + 9 * 40)), Math.sqrt(6 / (9 * 16 + 9 * 40))]
    kernels.forEach((k, i) => {
      expect(Math.max(...k.map(Math.abs))).toBeLessThan(limits[i])
      expect(Math.max(...k.map(Math.abs))).toBeGreaterThan(0.99 * limits[i])
      expect(Math.abs(Array.from(k).reduce((a, v) => a + v, 0)) / k.length).toBeLessThan(0.05 * limits[i])
    })
    expect(kernels[1]).not.toEqual(kernels[2])
  })
})

describe('channels', () => {
  it('change unless their role is frozen', () => {
    const channels = { rgb: 3, goal: 2, hidden: 2 }
    expect(updatedChannels({ channels, frozen: ['goal'] })).toEqual([0, 1, 2, 5, 6])
    expect(updatedChannels({ channels, frozen: ['rgb', 'hidden'] })).toEqual([3, 4])
    expect(updatedChannels(growingRule)).toEqual(Array.from({ length: 16 }, (_, c) => c))
  })
})

describe('files', () => {
  it('bring rules of the whole vocabulary back, with their kernels', async () => {
    await fc.assert(fc.asyncProperty(rules, async rule => {
      const params = init(rule, key(1))
      const bytes = await encodeModel({ rule, params, provenance: {} })
      const { shape } = decodeSafetensors(bytes).entries['perceive.0.kernel'] ?? {}
      expect(shape).toEqual(paramShapes(rule)['perceive.0.kernel'])
      const back = decodeModel(bytes)
      expect(back.rule).toEqual(rule)
      const x = uniform(key(2), [1, 4, 5, channelCount(rule.channels)])
      const run = (p: typeof params): unknown => [...rollout(rule, p, x, key(3), { steps: 2 }).toArray()]
      expect(run(back.params)).toEqual(run(params))
    }))
  })

  it('from versions without activations and frozen channels still grow as they did', async () => {
    const file = new URL('./model-1.safetensors', import.meta.url)
    const bytes = await readFile(file)
    expect(decodeSafetensors(bytes).metadata.rule).not.toMatch(/activation|frozen/)
    const { rule, params } = decodeModel(bytes)
    expect(rule).toMatchObject({ update: { activation: 'relu' }, frozen: [] })
    const grown = rollout(rule, params, seed(rule, { height: 24, width: 24 }), key(5), { steps: 40 }).toArray()
    const [total, weighted] = Array.from(grown).reduce(([a, b], v, i) => [a + v, b + Math.abs(v) * (1 + i % 7)], [0, 0])
    expect(total).toBeCloseTo(1288.8725694592322, 3)
    expect(weighted).toBeCloseTo(10768.982640505244, 3)
  })

  it('of rules with learned kernels say which one is missing', async () => {
    const rule = defineRule({ channels: { a: 2 }, perceive: [conv(3)], update: mlp(4) })
    const { update } = init(rule, key(0))
    await expect(encodeModel({ rule, params: { update }, provenance: {} })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[Error: encodeModel: params.perceive.0.kernel is missing; the rule has perceive.0.kernel, update.w1, update.b1, update.w2, update.b2.]`,
    )
  })
})

it('a rule is the same after a round trip through JSON', () => {
  fc.assert(fc.property(rules, rule => {
    expect(defineRule(JSON.parse(JSON.stringify(rule)) as DataRule)).toEqual(rule)
  }))
})

it('no part of a rule may have an unknown field', () => {
  fc.assert(fc.property(rules, fc.nat(), (rule, at) => {
    const parts = rule.perceive.map((part, i) => [`perceive[${i}]`, part] as const).filter(([, part]) => typeof part === 'object')
    const places = [['update', rule.update] as const, ...parts]
    const [path, part] = places[at % places.length]
    const more = { ...(part as object), sise: 3 }
    const perceive = rule.perceive.map(given => (given === part ? more : given)) as Perception[]
    const wrong = { ...rule, perceive, update: (path === 'update' ? more : rule.update) as DataRule['update'] }
    // A part may stand in the list more than once; the first is named.
    const named = path === 'update' ? path : `perceive[${rule.perceive.indexOf(part as Perception)}]`
    expect(() => defineRule(wrong)).toThrow(`rule.${named}: there is no option "sise"`)
  }))
})
