// The vocabulary of rules: channels by role, external inputs, noise and bounds, and grids of one and three dimensions, whose
// steps are compared with loops over cells.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  add, checkGrad, checkRule, conv, decodeModel, defineRule, depthwise, encodeModel, exchangeInputs, explain, fire,
  foldIn, grad, init, key, mapTree, mlp, normal, paramShapes, reshape, residualConv, roleChannels, rollout, seed,
  setChannels, step, sum, takeRole, tensor, uniform, updatedChannels, zeros, type DataParams, type DataRule,
  type Tensor, type WindowSize,
} from '../../src/index.ts'
import { activations, type Activation } from '../../src/nca/mlp.ts'
import { channelCount } from '../../src/nca/rule/channels.ts'
import type { Perception } from '../../src/nca/rule/types.ts'
import { whyComposed } from '../../src/nca/fused/eligible.ts'
import { paramTree } from '../../src/nca/rule/parameters.ts'
import { filterKernelOn, filterNamesOn, type Dimensions } from '../../src/tensor/filters.ts'
import { slice } from '../../src/tensor/ops/pad-slice.ts'
import { paddings } from '../../src/backends/window.ts'
import { sizeOf, stridesOf } from '../../src/tensor/shape.ts'
import { defaultBackend } from '../../src/tensor/tensor.ts'
import { sentence } from '../tensor/values.ts'
import { runs } from '../long.ts'

const upTo = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max })

function draw(n: number, shape: readonly number[], low = -1, high = 1): Tensor {
  return uniform(key(n), shape, { low, high, dtype: 'float64' })
}

/** Every index of a box, in order. */
function places(box: readonly number[]): number[][] {
  const strides = stridesOf(box)
  return Array.from({ length: sizeOf(box) }, (_, i) =>
    strides.map((stride, axis) => Math.floor(i / stride) % box[axis]))
}

const channels = { seen: 2, goal: 1, hidden: 2 }

describe('channels by role', () => {
  it('follow each other in the order of roles', () => {
    fc.assert(fc.property(fc.tuple(fc.nat(3), fc.nat(3), upTo(3)), ([a, b, c]) => {
      expect(['a', 'b', 'c'].map(role => roleChannels({ a, b, c }, role))).toEqual([[0, a], [a, a + b], [a + b, a + b + c]])
    }))
  })

  it('are read and set, from values for all, for each sample or for each cell', () => {
    const cells = fc.array(upTo(3), { minLength: 1, maxLength: 3 })
    const scenes = fc.record({
      b: upTo(3), grid: cells, roles: fc.subarray(['seen', 'goal', 'hidden']), how: fc.nat(2), n: fc.nat(2 ** 31),
    })
    fc.assert(fc.property(scenes, ({ b, grid, roles, how, n }) => {
      const x = draw(n, [b, ...grid, 5])
      const values = Object.fromEntries(roles.map((role, i) => {
        const count = channels[role as keyof typeof channels]
        const shape = [[count], [b, count], [b, ...grid, count]][(how + i) % 3]
        return [role, draw(n + i + 1, shape)]
      }))
      const y = setChannels({ channels }, x, values)
      expect(y.shape).toEqual(x.shape)
      const before = x.toArray(), after = y.toArray(), cellCount = sizeOf(grid)
      for (const role of ['seen', 'goal', 'hidden'] as const) {
        const [from, to] = roleChannels(channels, role)
        const taken = takeRole({ channels }, y, role)
        expect(taken.shape).toEqual([b, ...grid, to - from])
        const given = values[role]
        for (let i = 0; i < b * cellCount; i++) {
          for (let c = from; c < to; c++) {
            const rank = given?.shape.length
            const row = rank === 1 ? 0 : rank === 2 ? Math.floor(i / cellCount) : i
            const expected = given ? given.toArray()[row * (to - from) + c - from] : before[i * 5 + c]
            expect(after[i * 5 + c]).toBe(expected)
            expect(taken.toArray()[i * (to - from) + c - from]).toBe(expected)
          }
        }
      }
    }))
  })

  it('are refused by name if they do not exist, or are not so many', () => {
    const x = zeros([2, 3, 3, 5])
    const lib = setChannels as unknown as (...args: unknown[]) => Tensor
    expect([
      () => lib({ channels }, x, { goals: zeros([1]) }),
      () => lib({ channels }, x, { seen: zeros([3]) }),
      () => lib({ channels }, x, { seen: zeros([3, 2]) }),
      () => lib({ channels }, x, { seen: [1, 2] }),
      () => takeRole({ channels }, x, 'goals'),
    ].map(sentence)).toMatchInlineSnapshot(`
      [
        "setChannels: the role is "goals", expected one of seen, goal, hidden; did you mean "goal"?",
        "setChannels: seen is a tensor [3] float32, expected a tensor [2], [2,2] or [2,3,3,2].",
        "setChannels: seen is a tensor [3,2] float32, expected a tensor [2], [2,2] or [2,3,3,2].",
        "setChannels: seen is a Array, expected a tensor.",
        "rule: the role is "goals", expected one of seen, goal, hidden; did you mean "goal"?",
      ]
    `)
  })
})

const tanhRule = defineRule({
  channels, frozen: ['goal'], perceive: ['identity', 'sobelX'], fireRate: 0.5,
  update: mlp(4, { activation: 'tanh', lastStd: 0.3 }),
})

describe('external inputs', () => {
  it('are written into the state before each step', () => {
    fc.assert(fc.property(upTo(4), fc.nat(3), fc.nat(2 ** 31), fc.constantFrom('goal', 'seen'), (steps, from, n, role) => {
      const params = init(tanhRule, key(n), { dtype: 'float64' })
      const x = draw(n, [2, 3, 4, 5])
      const count = channels[role as 'goal' | 'seen']
      const shapes = [[count], [2, count], [2, 3, 4, count]]
      const inputs = (t: number): Record<string, Tensor> => ({ [role]: draw(n + t, shapes[t % 3]) })
      const states: Tensor[] = []
      for (let t = from, now = x; t < from + steps; t++) {
        now = step(tanhRule, params, setChannels(tanhRule, now, inputs(t)), { key: foldIn(key(n), t), t })
        states.push(now)
      }
      for (const checkpoint of ['auto', 2] as const) {
        const readouts = states.map((_, i) => i + 1)
        const got = rollout(tanhRule, params, x, key(n), { steps, from, inputs, readouts, checkpoint })
        expect(got.map(y => [...y.toArray()])).toEqual(states.map(y => [...y.toArray()]))
      }
    }))
  })

  it('have the right gradient, also if steps are computed again', () => {
    const params = init(tanhRule, key(1), { dtype: 'float64' })
    const x = draw(2, [1, 3, 3, 5])
    const shapes = [[1], [1, 1], [1, 3, 3, 1], [1]]
    const inputs = shapes.map((shape, t) => draw(3 + t, shape))
    for (const checkpoint of [false, 1, 2] as const) {
      const last = (list: Tensor[]): Tensor =>
        rollout(tanhRule, params, x, key(4), { steps: 4, checkpoint, inputs: t => ({ goal: list[t] }) })
      checkGrad(last, inputs, { order: 1 })
      const g = grad((list: Tensor[]) => sum(takeRole(tanhRule, last(list), 'seen')))(inputs)
      for (const each of g) expect(Math.max(...each.toArray().map(Math.abs))).toBeGreaterThan(1e-3)
    }
  })
})

describe('noise and bounds', () => {
  /** A rule that changes nothing, except by its noise. */
  const noisy = (on: 'state' | 'change', fireRate: number): DataRule =>
    defineRule({ ...tanhRule, update: mlp(2), noise: { on, std: 0.3 }, fireRate })

  it('are the same when a run is repeated, and others in each step, cell and sample', () => {
    for (const on of ['state', 'change'] as const) {
      const rule = noisy(on, 1)
      const params = init(rule, key(0), { dtype: 'float64' })
      const x = draw(1, [2, 20, 20, 5])
      const run = (): Tensor[] => rollout(rule, params, x, key(2), { steps: 3, readouts: [1, 2, 3] })
      const states = run().map(y => y.toArray())
      expect(run().map(y => y.toArray())).toEqual(states)
      const before = [x.toArray(), ...states]
      const noise = states.map((state, t) => Array.from(state, (v, i) => v - before[t][i]))
      // The third channel is frozen.
      const moved = noise.map(list => list.filter((_, i) => i % 5 !== 2))
      noise.forEach(list => list.forEach((v, i) => { if (i % 5 === 2) expect(v).toBe(0) }))
      for (const list of moved) {
        const mean = list.reduce((a, b) => a + b) / list.length
        expect(Math.abs(mean)).toBeLessThan(0.03)
        expect(Math.sqrt(list.reduce((a, b) => a + b * b, 0) / list.length)).toBeCloseTo(0.3, 1)
        expect(new Set(list.map(v => v.toFixed(7))).size).toBeGreaterThan(0.98 * list.length)
      }
      const product = (a: number[], b: number[]): number => a.reduce((all, v, i) => all + v * b[i], 0) / a.length / 0.09
      expect(Math.abs(product(moved[0], moved[1]))).toBeLessThan(0.1)
      expect(Math.abs(product(moved[1], moved[2]))).toBeLessThan(0.1)
    }
  })

  it('on the change apply to cells that fire, on the state to all', () => {
    const x = draw(1, [2, 8, 8, 5])
    const fires = fire(key(3), x, 0.5).toArray()
    for (const on of ['state', 'change'] as const) {
      const rule = noisy(on, 0.5)
      const y = step(rule, init(rule, key(0), { dtype: 'float64' }), x, { key: key(3), t: 0 }).toArray()
      x.toArray().forEach((v, i) => {
        const moves = i % 5 !== 2 && (on === 'state' || fires[Math.floor(i / 5)] === 1)
        expect(y[i] !== v).toBe(moves)
      })
    }
  })
})

/** Windows of one side, or of a row along the last axis. */
const sizesOn = (grid: Dimensions): fc.Arbitrary<WindowSize> =>
  fc.constantFrom<WindowSize>(1, 3, new Array<number>(grid).fill(1).with(-1, 3))

const parts = (grid: Dimensions): fc.Arbitrary<Perception> => fc.oneof(
  fc.constantFrom<Perception>(...filterNamesOn[grid], { name: 'gaussian', factor: 2 }),
  fc.tuple(upTo(2), sizesOn(grid)).map(([n, size]) => depthwise(n, { size })),
  fc.tuple(upTo(2), sizesOn(grid), upTo(2), fc.boolean(), fc.constantFrom(...activations))
    .map(([n, size, dilation, bias, activation]) => conv(n, { size, dilation, bias, activation })),
  fc.tuple(upTo(2), sizesOn(grid), upTo(2)).map(([n, size, dilation]) => residualConv(n, { size, dilation })),
)

/** Rules of two visible, one input and two hidden channels. */
const rulesOn = (grid: Dimensions): fc.Arbitrary<DataRule> => fc.record({
  perceive: fc.array(parts(grid), { minLength: 1, maxLength: 3 }),
  update: fc.tuple(fc.constantFrom([3], [2, 3], [3, 3], [4]), fc.constantFrom(...activations), fc.boolean(), fc.boolean(), fc.constantFrom('linear' as const, ...activations), fc.constantFrom(null, null, 'perception' as const, 'hidden' as const, 'both' as const))
    .map(([hidden, activation, residual, lastBias, lastActivation, on]) => mlp(hidden, { activation, residual, lastBias, lastActivation, norm: on && { on, groups: on === 'hidden' && hidden[0] === 4 ? 2 : 1 } })),
  frozen: fc.constantFrom([], ['goal']),
  stepSize: fc.constantFrom(1, 0.5),
  fireRate: fc.constantFrom(1, 0.5),
  living: fc.record({
    channel: fc.constant(1), above: fc.constantFrom(0.4, 0.95), when: fc.constantFrom('both' as const, 'after' as const),
  }).chain(living => fc.constantFrom(null, living, living, living)),
  inputMask: fc.constantFrom(null, { channel: 2, above: -0.3 }),
  noise: fc.constantFrom(null, { on: 'state', std: 0.1 } as const, { on: 'change', std: 0.1 } as const),
  bound: fc.constantFrom(null, { type: 'tanh' } as const, { type: 'clamp', low: -0.7, high: 0.8 } as const),
  padding: fc.constantFrom(...paddings),
}).map(rest => defineRule({ channels, grid, ...rest }))

const grids = fc.constantFrom<Dimensions>(1, 2, 3)

type Scene = { rule: DataRule; params: DataParams; x: Tensor; n: number }

const scenes: fc.Arbitrary<Scene> = grids.chain(grid => fc.record({
  rule: rulesOn(grid), b: upTo(2), n: fc.nat(2 ** 31),
  sizes: fc.array(fc.integer({ min: 3, max: grid === 3 ? 4 : 6 }), { minLength: grid, maxLength: grid }),
})).map(({ rule, b, sizes, n }) => {
  let i = 0
  const params = mapTree(init(rule, key(n), { dtype: 'float64' }), p =>
    add(p as Tensor, normal(foldIn(key(n), i++), (p as Tensor).shape, { std: 0.5, like: p as Tensor })))
  return { rule, params, x: draw(n, [b, ...sizes, 5]), n }
})

const by: Readonly<Record<Activation, (v: number) => number>> = {
  relu: v => Math.max(v, 0), leakyRelu: v => (v > 0 ? v : 0.2 * v), tanh: Math.tanh, sigmoid: v => 1 / (1 + Math.exp(-v)),
  linear: v => v, silu: v => v / (1 + Math.exp(-v)), softplus: v => Math.log(1 + Math.exp(v)),
  gelu: v => v / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))),
}

/** y·W + b, cell by cell. */
function dense(y: readonly number[], weights: Tensor, bias?: Tensor): number[] {
  const w = weights.toArray(), outputs = weights.shape[1]
  return Array.from({ length: outputs }, (_, o) =>
    y.reduce((total, v, i) => total + v * w[i * outputs + o], bias?.toArray()[o] ?? 0))
}

/** Groups of numbers normalised to mean 0 and variance 1, scaled and shifted; unchanged without a scale. */
function layerNormOf(y: number[], groups: number, scale?: Tensor, shift?: Tensor): number[] {
  if (!scale || !shift) return y
  const size = y.length / groups
  return y.map((v, i) => {
    const group = y.slice(Math.floor(i / size) * size).slice(0, size)
    const mean = group.reduce((a, b) => a + b) / size
    const variance = group.reduce((sum, u) => sum + (u - mean) ** 2, 0) / size
    return (v - mean) / Math.sqrt(variance + 1e-5) * scale.toArray()[i] + shift.toArray()[i]
  })
}

/** A step by the equations at the head of step.ts, over samples, cells and taps. */
function slowly({ rule, params, x, n }: Scene): number[] {
  const [b, ...grid] = x.shape.slice(0, -1)
  const count = channelCount(rule.channels), cells = sizeOf(grid), updated = updatedChannels(rule)
  const boxes = places(grid)
  /** The index of a place, if it has one; masks see beyond the border only if it is circular. */
  const found = (place: number[], padding: string): number => {
    const inside = place.map((i, axis) => {
      const size = grid[axis]
      if (i >= 0 && i < size) return i
      if (padding === 'circular') return (i + size) % size
      if (padding === 'replicate') return i < 0 ? 0 : size - 1
      return padding === 'reflect' ? (i < 0 ? -i : 2 * (size - 1) - i) : NaN
    })
    return inside.some(Number.isNaN) ? -1 : inside.reduce((sum, i, axis) => sum * grid[axis] + i, 0)
  }
  const around = (cell: number, window: readonly number[], dilation: number, padding: string): number[] =>
    places(window).map(tap =>
      found(boxes[cell].map((i, a) => i + (tap[a] - (window[a] - 1) / 2) * dilation), padding))

  const k = key(n + 7)
  const { noise, inputMask, living, bound } = rule
  const epsilon = noise
    ? normal(foldIn(k, 1), [b, ...grid, updated.length], { std: noise.std, dtype: 'float64' }).toArray()
    : new Float64Array(b * cells * updated.length)
  const disturbance = (sample: number, cell: number, c: number): number =>
    epsilon[(sample * cells + cell) * updated.length + updated.indexOf(c)]
  const fires = fire(k, x, rule.fireRate).toArray()
  const result: number[] = []
  for (let sample = 0; sample < b; sample++) {
    const state = Array.from({ length: cells }, (_, cell) =>
      Array.from({ length: count }, (_, c) => {
        const noisy = noise?.on === 'state' && updated.includes(c)
        return x.toArray()[(sample * cells + cell) * count + c] + (noisy ? disturbance(sample, cell, c) : 0)
      }))
    const beyond = rule.padding === 'circular' ? 'circular' : 'none'
    const lives = (states: number[][]): boolean[] => states.map((_, cell) => !living
      || around(cell, grid.map(() => 3), 1, beyond).some(at => at >= 0 && states[at][living.channel] > living.above))
    /** Σ over the window, of channel c through output o of a kernel [taps, c, n]. */
    const seen = (cell: number, kernel: Tensor, dilation: number, c: number, o: number): number => {
      const [ins, outs] = kernel.shape.slice(-2)
      return around(cell, kernel.shape.slice(0, -2), dilation, rule.padding).reduce((total, at, tap) =>
        total + (at < 0 ? 0 : state[at][c] * kernel.toArray()[(tap * ins + c) * outs + o]), 0)
    }
    const all = Array.from({ length: count }, (_, c) => c)
    const through = (cell: number, kernel: Tensor, dilation: number, bias?: Tensor): number[] =>
      Array.from({ length: kernel.shape.at(-1)! }, (_, o) =>
        all.reduce((total, c) => total + seen(cell, kernel, dilation, c, o), bias?.toArray()[o] ?? 0))
    const perceived = (cell: number): number[] => {
      let learned = 0
      const filters: Tensor[] = []
      const others: number[] = []
      for (const part of rule.perceive) {
        if (typeof part === 'string' || 'name' in part) {
          filters.push(filterKernelOn(rule.grid, [part], count, { like: x }))
          continue
        }
        const p = params.perceive![learned++]
        if (part.type === 'depthwise') filters.push(p.kernel)
        else if (part.type === 'conv') {
          others.push(...through(cell, p.kernel, part.dilation, p.bias).map(by[part.activation]))
        } else if (part.type === 'residualConv') {
          const inner = through(cell, p.k1, part.dilation, p.b1).map(by[part.activation])
          const skip = dense(state[cell], p.skip)
          others.push(...dense(inner, p.k2, p.b2).map((v, i) => v + skip[i]))
        }
      }
      return [
        ...all.flatMap(c => filters.flatMap(kernel =>
          Array.from({ length: kernel.shape.at(-1)! }, (_, f) => seen(cell, kernel, 1, c, f)))),
        ...others,
      ]
    }
    const network = (y: number[]): number[] => {
      const { hidden, activation, residual, lastActivation, norm } = rule.update
      const normed = (y: number[], n: number): number[] => layerNormOf(y, norm?.groups ?? 1, params.update[`scale${n}`], params.update[`shift${n}`])
      const layer = (n: number): [Tensor, Tensor | undefined] => [params.update[`w${n}`], params.update[`b${n}`]]
      const h = hidden.reduce((before, size, i) => {
        const next = normed(dense(before, ...layer(i + 1)), i + 1).map(by[activation])
        return residual && before.length === size ? next.map((v, j) => v + before[j]) : next
      }, normed(y, 0))
      return dense(h, ...layer(hidden.length + 1)).map(by[lastActivation])
    }
    const pre = lives(state)
    const next = state.map((values, cell) => {
      const acts = fires[sample * cells + cell] === 1 && (!inputMask || values[inputMask.channel] > inputMask.above)
      if (!acts) return values
      const change = network(perceived(cell))
      return values.map((v, c) => {
        const u = updated.indexOf(c)
        if (u < 0) return v
        return v + rule.stepSize * change[u] + (noise?.on === 'change' ? disturbance(sample, cell, c) : 0)
      })
    })
    const post = lives(next)
    next.forEach((values, cell) => values.forEach((v, c) => {
      if (!updated.includes(c)) result.push(v)
      else {
        const kept = post[cell] && (living?.when !== 'both' || pre[cell]) ? v : 0
        if (bound?.type === 'clamp') result.push(Math.min(Math.max(kept, bound.low), bound.high))
        else result.push(bound ? Math.tanh(kept) : kept)
      }
    }))
  }
  return result
}

describe('grids of one, two and three dimensions', () => {
  it('compute the steps of the equations', () => {
    fc.assert(fc.property(scenes, scene => {
      const got = step(scene.rule, scene.params, scene.x, { key: key(scene.n + 7), t: 0 })
      expect(got.shape).toEqual(scene.x.shape)
      slowly(scene).forEach((v, i) => expect(got.toArray()[i]).toBeCloseTo(v, 9))
    }), { numRuns: 100 })
  })

  it('compute a dead cell for the neighbour that it keeps alive', () => {
    // Alpha turns into 1 − alpha where a cell fires: it moves from cell 0 to cell 2, and only thereby cell 1 lives on.
    for (const grid of [1, 2, 3] as const) {
      const rule = defineRule({
        channels: { alpha: 1, content: 1 }, grid, perceive: ['identity'], living: { channel: 0, above: 0.1 },
        update: mlp(1, { activation: 'linear' }),
      })
      const update = { w1: tensor([[1], [0]]), b1: tensor([0]), w2: tensor([[-2, 0]]), b2: tensor([1, 0]) }
      const line = [...new Array<number>(grid - 1).fill(1), 4]
      const x = tensor(new Float32Array([1, 4, 0, 5, 0, 6, 0, 7]), { shape: [1, ...line, 2] })
      const mask = tensor(new Uint32Array([1, 0, 1, 0]), { shape: [1, ...line] })
      const next = step(rule, { update }, x, { key: key(0), t: 0, mask })
      expect([...next.toArray()]).toEqual([0, 0, 0, 5, 0, 0, 0, 0])
    }
  })

  it('pass no derivative through the norm of a dead cell, whatever is in it', () => {
    const rule = defineRule({
      channels: { alpha: 1, content: 3 }, perceive: ['identity'], living: { channel: 0, above: 0.1 },
      update: mlp(4, { norm: { on: 'both', groups: 2 }, activation: 'tanh', lastStd: 1 }),
    })
    const params = init(rule, key(1))
    // Cell 0 lives, cell 1 is its neighbour, cell 2 is dead but may decide whether cell 1 lives.
    const gradients = (dead: number): number[] => {
      const x = tensor([1, 2, 3, 4, 0, 1, 0, 2, 0, dead, 1, 0, 0, 0, 0, 0], { shape: [1, 1, 4, 4] })
      const { update } = grad((p: DataParams) => sum(slice(step(rule, p, x, { key: key(0), t: 0 }), [0, 0, 0, 0], [1, 1, 1, 4])))(params)
      return Object.values(update).flatMap(g => [...g.toArray()])
    }
    expect(gradients(NaN)).toEqual(gradients(5))
    expect(gradients(NaN).some(g => g !== 0)).toBe(true)
  })

  it('are the same if the first axis has one cell', () => {
    // Beyond the border is nothing: only the middle of a kernel matters. Or the cells themselves: its sum does.
    const cases = fc.record({
      low: fc.constantFrom<1 | 2>(1, 2), circular: fc.boolean(), like: rulesOn(2), n: fc.nat(2 ** 31),
    })
    fc.assert(fc.property(cases, ({ low, circular, like, n }) => {
      const filters: Perception[] = circular ? ['identity', 'sobelX', 'laplacian', 'mean'] : ['identity']
      const perceive = [...filters, depthwise(2), conv(3, { bias: true })]
      const of = (grid: Dimensions): DataRule => defineRule({ ...like, perceive, grid, padding: circular ? 'circular' : 'zero' })
      const [flat, deep] = [of(low), of(low + 1 as Dimensions)]
      const shapes = paramShapes(deep)
      const values = Object.fromEntries(Object.entries(shapes).map(([path, shape], i) =>
        [path, draw(n + i, shape, -0.5, 0.5)]))
      const lower = (path: string, p: Tensor): Tensor => {
        if (!path.endsWith('kernel')) return p
        if (circular) return sum(p, [0])
        return reshape(slice(p, [1, ...p.shape.slice(1).map(() => 0)], [1, ...p.shape.slice(1)]), p.shape.slice(1))
      }
      const paths = Object.keys(shapes)
      const tree = (of: (path: string) => Tensor): DataParams => paramTree(paths, paths.map(of))
      const x = draw(n, [2, ...[3, 4].slice(0, low), 5])
      const k = key(n)
      const [a, b] = [
        rollout(flat, tree(path => lower(path, values[path])), x, k, { steps: 2 }),
        rollout(deep, tree(path => values[path]), reshape(x, [2, 1, ...x.shape.slice(1)]), k, { steps: 2 }),
      ]
      expect(b.shape).toEqual([2, 1, ...a.shape.slice(1)])
      a.toArray().forEach((v, i) => expect(b.toArray()[i]).toBeCloseTo(v, 8))
    }))
  })

  it('have right gradients', () => {
    fc.assert(fc.property(grids.chain(rulesOn), rule => {
      const [perParams, perState] = checkRule(rule, { grid: [3, 3, 4].slice(-rule.grid), steps: 2 })
      expect(perParams.order).toBe(1)
      expect(perState.order).toBe(1)
    }), runs(12))
    // The default sizes fit the rule.
    const update = mlp(3, { activation: 'tanh' })
    for (const grid of [1, 2, 3] as const) checkRule(defineRule({ channels, grid, perceive: ['laplacian'], update }))
  })

  it('survive in files, with every option of a rule', async () => {
    await fc.assert(fc.asyncProperty(scenes, async ({ rule, x, n }) => {
      const params = init(rule, key(n))
      const back = decodeModel(await encodeModel({ rule, params, provenance: {} }))
      expect(back.rule).toEqual(rule)
      const from = uniform(key(n), x.shape)
      const run = (r: DataRule, p: DataParams): number[] => [...rollout(r, p, from, key(1), { steps: 2 }).toArray()]
      expect(run(back.rule, back.params)).toEqual(run(rule, params))
    }))
  })

  it('refuse wrong states, and say which they need', () => {
    const rule = (grid: Dimensions): DataRule => defineRule({ channels, grid, perceive: ['identity'], update: mlp(2) })
    expect(([1, 2, 3] as const).map(grid => sentence(() => {
      const r = rule(grid)
      step(r, init(r, key(0)), zeros([2, 2, ...new Array<number>(grid).fill(3), 5]), { key: key(0), t: 0 })
    }))).toMatchInlineSnapshot(`
      [
        "step: the state is [2,2,3,5], expected [b,w,5] for channels {"seen":2,"goal":1,"hidden":2}.",
        "step: the state is [2,2,3,3,5], expected [b,h,w,5] for channels {"seen":2,"goal":1,"hidden":2}.",
        "step: the state is [2,2,3,3,3,5], expected [b,d,h,w,5] for channels {"seen":2,"goal":1,"hidden":2}.",
      ]
    `)
  })
})

describe('the seed', () => {
  it('is one cell of a line, a plane or a volume', () => {
    const cases = fc.record({
      grid: grids, all: fc.tuple(upTo(4), upTo(4), upTo(4)), batch: upTo(3), from: fc.nat(4), centred: fc.boolean(),
      n: fc.nat(2 ** 31),
    })
    fc.assert(fc.property(cases, ({ grid, all, batch, from, centred, n }) => {
      const box = all.slice(3 - grid)
      const names = ['depth', 'height', 'width'].slice(3 - grid)
      const given = Object.fromEntries(box.map((size, i) => [names[i], size])) as { width: number }
      const place = centred ? box.map(size => size >> 1) : places(box)[n % sizeOf(box)]
      const at = centred ? {} : { at: place }
      const x = seed(n % 2 ? { channels } : { channels, grid }, { ...given, batch, from, ...at })
      expect(x.shape).toEqual([batch, ...box, 5])
      expect(x.dtype).toBe('float32')
      expect([...x.toArray()]).toEqual(places([batch, ...box, 5]).map(([, ...rest]) =>
        +(rest.slice(0, -1).join() === place.join() && rest.at(-1)! >= from)))
    }))
  })

  it('has a colour, and several cells', () => {
    const cases = fc.record({
      grid: grids, all: fc.tuple(upTo(4), upTo(4), upTo(4)), batch: upTo(3), n: fc.nat(2 ** 31), count: upTo(3), each: fc.boolean(),
    })
    fc.assert(fc.property(cases, ({ grid, all, batch, n, count, each }) => {
      const box = all.slice(3 - grid), names = ['depth', 'height', 'width'].slice(3 - grid)
      const given = Object.fromEntries(box.map((size, i) => [names[i], size])) as { width: number }
      const at = Array.from({ length: count }, (_, i) => places(box)[(n + 3 * i) % sizeOf(box)])
      const seen = draw(n, each ? [batch, 2] : [2]), numbers = seen.toArray()
      const x = seed({ channels, grid }, { ...given, batch, from: 1, at, values: { seen }, like: seen })
      expect([...x.toArray()]).toEqual(places([batch, ...box, 5]).map(([b, ...rest]) => {
        const c = rest.at(-1)!
        if (!at.some(cell => cell.join() === rest.slice(0, -1).join())) return 0
        return c < 2 ? numbers[(each ? 2 * b : 0) + c] : 1
      }))
    }))
  })

  it('passes derivatives to its colour', () => {
    const g = grad((seen: Tensor) => sum(seed({ channels }, { height: 3, width: 3, at: [[0, 0], [1, 2]], values: { seen }, like: seen })))
    expect([...g(draw(0, [2])).toArray()]).toEqual([2, 2])
  })

  it('says what does not fit', () => {
    const lib = seed as unknown as (...args: unknown[]) => Tensor
    expect([
      () => lib({ channels, grid: 3 }, { height: 4, width: 4 }),
      () => lib({ channels, grid: 2 }, { depth: 2, height: 4, width: 4 }),
      () => lib({ channels, grid: 1 }, { height: 4, width: 4 }),
      () => lib({ channels }, { depth: 4, width: 4 }),
      () => lib({ channels, grid: 1 }, { width: 4, at: [1, 2] }),
      () => lib({ channels, grid: 1 }, { width: 4, at: [4] }),
      () => lib({ channels, grid: 3 }, { depth: 2, height: 4, width: 4, at: [2, 0, 0] }),
      () => lib({ channels, grid: 3 }, { depth: 2, height: 4, width: 4, at: [2, 0] }),
      () => lib({ channels }, { height: 4, width: 4, at: [[1, 1], [1]] }),
      () => lib({ channels }, { height: 4, width: 4, at: [[1, 1], [1, 4]] }),
      () => lib({ channels }, { height: 4, width: 4, at: [] }),
      () => lib({ channels }, { height: 4, width: 4, values: [1, 2] }),
      () => lib({ channels }, { height: 4, width: 4, values: { seed: zeros([2]) } }),
      () => lib({ channels }, { height: 4, width: 4, values: { seen: zeros([3]) } }),
    ].map(sentence)).toMatchInlineSnapshot(`
      [
        "seed: depth is undefined, expected a whole number > 0.",
        "seed: depth is 2, expected none on a grid of height and width.",
        "seed: height is 4, expected none on a grid of width.",
        "seed: height is undefined, expected a whole number > 0.",
        "seed: at is [1, 2], expected one whole number, [column].",
        "seed: cell (4) is outside of a grid of 4 cells.",
        "seed: cell (2, 0, 0) is outside of a grid of 2×4×4 cells.",
        "seed: at is [2, 0], expected three whole numbers, [slice, row, column].",
        "seed: at[1] is [1], expected two whole numbers, [row, column].",
        "seed: cell (1, 4) is outside of a grid of 4×4 cells.",
        "seed: at is [], expected two whole numbers, [row, column].",
        "seed: values is [1, 2], expected tensors by role.",
        "seed: the role is "seed", expected one of seen, goal, hidden; did you mean "seen"?",
        "seed: seen is a tensor [3] float32, expected a tensor [2], [1,2] or [1,4,4,2].",
      ]
    `)
  })
})

it('exchanged inputs leave cells without an input empty, if cells without one do not count', () => {
  const channels = { image: 1, hidden: 2 }
  const x = tensor([[[[0.9, 1, 2], [0.5, 3, 4], [0, 5, 6]]]]), seeds = tensor([[[[0, 7, 8], [0.8, 9, 10], [0.3, 11, 12]]]])
  const exchanged = (inputMask: DataRule['inputMask'], frozen: string[]): number[] => {
    const rule = defineRule({ channels, frozen, inputMask, perceive: ['identity'], update: mlp(2) })
    return [...exchangeInputs(rule, x, seeds).toArray()].map(v => Math.round(v * 10) / 10)
  }
  expect(exchanged(null, ['image'])).toEqual([0, 1, 2, 0.8, 3, 4, 0.3, 5, 6])
  expect(exchanged({ channel: 0, above: 0.1 }, ['image'])).toEqual([0, 0, 0, 0.8, 3, 4, 0.3, 5, 6])
  // A mask channel that the rule itself changes is not an input.
  expect(exchanged({ channel: 1, above: 8 }, ['image'])).toEqual([0, 1, 2, 0.8, 3, 4, 0.3, 5, 6])
})

it('explain names windows by the dimensions of the grid', () => {
  const on = (grid: 1 | 2 | 3): string =>
    explain(defineRule({ channels: { a: 2 }, grid, perceive: [conv(4), depthwise(1, { size: 5 })], update: mlp(2) }))
  expect(on(1)).toContain('a learned 3 convolution to 4, 1 learned 5 filter per channel')
  expect(on(2)).toContain('a learned 3×3 convolution to 4, 1 learned 5×5 filter per channel')
  expect(on(3)).toContain('a learned 3×3×3 convolution to 4, 1 learned 5×5×5 filter per channel')
})

it('windows may have a size for each axis of the grid', () => {
  const seen = [conv(4, { size: [1, 7] }), depthwise(1, { size: [5, 1] })]
  const rule = defineRule({ channels: { a: 2 }, perceive: seen, update: mlp(2) })
  expect(explain(rule)).toContain('a learned 1×7 convolution to 4, 1 learned 5×1 filter per channel')
  expect(whyComposed(rule, defaultBackend)).toBe(null)
  expect(init(rule, key(0)).perceive!.map(({ kernel }) => kernel.shape)).toEqual([[1, 7, 2, 4], [5, 1, 2, 1]])
  expect(() => defineRule({ channels: { a: 2 }, grid: 3, perceive: seen, update: mlp(2) }))
    .toThrow('perceive[0].size is [1, 7], expected a number, or a list of as many as the grid has dimensions, 3.')
  expect(() => conv(4, { size: [1, 2] })).toThrow('conv: size[1] is 2, expected an odd number from 1 to 127.')
  expect(() => conv(4, { size: [1, 65], dilation: 2 })).toThrow('conv: dilation is 2, expected at most 1')
})
