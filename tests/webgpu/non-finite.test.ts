// NaN and ∞ in states and weights: they reach the cells that perceive them and nothing else. Frozen channels, cells that do not
// fire and cells out of sight keep every bit, and all paths agree on what is NaN: plain loops, SIMD operators, fused
// rollouts, each on the CPU and on a GPU.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  conv, cpu, defineRule, depthwise, mlp, updatedChannels, type Backend, type Bound, type Data, type DataRule,
  type Perception,
} from '../../src/index.ts'
import { laterOutcome, scenesOf, type Outcome, type Scene } from '../nca/fused-scenes.ts'
import { long } from '../long.ts'
import { sharedGpu, some } from './gpu.ts'

const gpu = await sharedGpu()

const composed = (backend: Backend): Backend => Object.create(backend, { runner: { value: undefined } }) as Backend
const onCpu: Record<string, Backend> = {
  plain: cpu({ simd: false }), operators: composed(cpu({ threads: 1 })), fused: cpu({ threads: 1 }),
}
// A rollout out of operators compiles so many kernels; each has met NaN in operators.test.ts.
const everywhere: Record<string, Backend> = { ...onCpu, ...(long && { 'operators on a GPU': composed(gpu) }), 'fused on a GPU': gpu }

const perceptions: Perception[][] = [
  ['identity'], ['identity', 'sobelX'], ['laplacian', 'identity', depthwise(1, { size: 5 })], [conv(3), 'identity'],
  ['identity', conv(2, { size: 1 })], [conv(2, { dilation: 2 }), 'sobelY'], [conv(2), 'sobelX', depthwise(1)],
  [conv(2), conv(2, { size: 1, bias: true })], [conv(5, { bias: true, activation: 'relu' })],
  [conv(3, { activation: 'relu' }), conv(2, { size: 1, bias: true, activation: 'relu' })],
  [conv(2, { dilation: 2, activation: 'tanh' }), conv(1, { activation: 'tanh' })],
  [conv(2, { size: 1, activation: 'leakyRelu' }), conv(9, { bias: true, activation: 'leakyRelu' }), conv(1, { size: 5, activation: 'leakyRelu' })],
]
const channels = { channels: { a: 2, goal: 1, hidden: 2 }, frozen: ['goal'] }
const rules: fc.Arbitrary<DataRule> = fc.record({
  perceive: fc.constantFrom(...perceptions),
  padding: fc.constantFrom('zero', 'circular', 'reflect', 'replicate'),
  activation: fc.constantFrom('relu', 'leakyRelu', 'tanh', 'sigmoid', 'linear'),
  living: fc.constantFrom(null, null, { channel: 1, above: 0.1 }),
  inputMask: fc.constantFrom(null, null, { channel: 2, above: 0.1 }),
  bound: fc.constantFrom<Bound | null>(null, null, { type: 'clamp', low: -1, high: 0.5 }, { type: 'tanh' }),
  fireRate: fc.constantFrom(1, 0.5),
}).map(({ activation, ...rest }) => defineRule({ ...channels, update: mlp(4, { activation }), ...rest }))
// Few, since each is compiled for seconds on a software adapter.
const twoWindows = defineRule({
  ...channels, update: mlp(4), fireRate: 0.1,
  perceive: [conv(2, { activation: 'relu' }), conv(3, { size: 1, bias: true, activation: 'relu' })],
})
const few = !long ? fc.constant(twoWindows) : fc.constantFrom(
  defineRule({ ...channels, perceive: ['identity', 'sobelX'], update: mlp(4), fireRate: 0.5 }),
  defineRule({
    ...channels, perceive: ['identity', depthwise(1)], update: mlp([4, 4], { activation: 'tanh' }), fireRate: 0.5,
    living: { channel: 1, above: 0.1 },
  }),
  defineRule({ ...channels, perceive: ['identity', conv(2, { bias: true })], update: mlp(4), fireRate: 0.5 }),
)

const scenes = (of: fc.Arbitrary<DataRule>, longest = 3): fc.Arbitrary<Scene> => scenesOf({
  rules: of, grid: fc.tuple(fc.integer({ min: 5, max: 9 }), fc.integer({ min: 5, max: 9 })),
  batches: fc.constant(1), longest,
})
/** Few cells fire, so that often one convolution alone sees a NaN. */
const windows: fc.Arbitrary<DataRule> = fc.record({
  parts: fc.array(fc.record({
    n: fc.integer({ min: 1, max: 9 }), size: fc.constantFrom(1, 3, 5), dilation: fc.constantFrom(1, 2), bias: fc.boolean(),
  }), { minLength: 2, maxLength: 3 }),
  activation: fc.constantFrom('relu', 'leakyRelu', 'tanh', 'sigmoid'),
  padding: fc.constantFrom('zero', 'circular', 'reflect', 'replicate'),
}).map(({ parts, activation, padding }) => defineRule({
  ...channels, update: mlp(4, { activation: 'relu' }), fireRate: 0.1, padding,
  perceive: parts.map(({ n, size, dilation, bias }) => conv(n, { size, dilation: size < 5 ? dilation : 1, bias, activation })),
}))
const unequal = [
  ['through windows of several sizes', onCpu, scenes(windows, 1), 2],
  ['through windows of two sizes, and on a GPU', everywhere, scenes(fc.constant(twoWindows), 1), 0.5],
] as const
const cases = [['on the CPU', onCpu, scenes(rules), 0.5], ['and on a GPU', everywhere, scenes(few), 0.2]] as const

/** A scene with one number of its state or parameters replaced. */
function poisoned(scene: Scene, where: number, value: number, only?: 'x'): Scene {
  const names = only ? [only] : Object.keys(scene.arrays)
  const name = names[where % names.length]
  const { data, shape } = scene.arrays[name]
  const changed = data.slice()
  changed[Math.floor(where / names.length) % data.length] = value
  return { ...scene, arrays: { ...scene.arrays, [name]: { data: changed, shape } } }
}

/** A scene whose last state nobody asks for, if somebody does for another. */
function withoutLast(scene: Scene): Scene {
  const cotangents = [...scene.cotangents.slice(0, -1), null]
  return cotangents.some(g => g !== null) ? { ...scene, cotangents } : scene
}

/** The arrays of an outcome by name. */
function arrays({ states, gradients }: Outcome): Record<string, Data> {
  return { ...Object.fromEntries(states.map((y, i) => [`state ${i}`, y])), ...gradients }
}

/** Equal but for rounding: where there is an ∞, an operator may be computed by another kernel. */
function near(a: number, b: number): boolean {
  return Object.is(a, b) || Math.abs(a - b) <= 1e-5 * Math.max(1, Math.abs(b))
}

/** Which numbers are NaN, as text, so that a difference can be read. */
function pattern(data: Data): string {
  return Array.from(data, v => (Number.isNaN(v) ? 'N' : '.')).join('')
}

describe('NaN', () => {
  it.each([...cases, ...unequal])('is found in the same places on all paths, in states and in gradients, %s', async (_, paths, drawn, share) => {
    await fc.assert(fc.asyncProperty(drawn, fc.nat(), async (scene, where) => {
      const given = poisoned(where % 2 ? scene : withoutLast(scene), where, NaN)
      const [first, ...others] = await Promise.all(Object.values(paths).map(backend => laterOutcome(given, backend)))
      const expected = arrays(first)
      others.forEach((outcome, i) => {
        for (const [name, data] of Object.entries(arrays(outcome))) {
          expect(pattern(data), `${name}, ${Object.keys(paths)[i + 1]}`).toBe(pattern(expected[name]))
        }
      })
    }), some(share))
  })
})

describe('an infinity', () => {
  it.each(cases)('changes nothing that does not perceive it, %s', async (_, paths, drawn, share) => {
    const open = drawn.filter(({ rule }) => !rule.living && !rule.inputMask)
    await fc.assert(fc.asyncProperty(open, fc.nat(), fc.constantFrom(Infinity, -Infinity), async (scene, where, value) => {
      for (const [path, backend] of Object.entries(paths)) {
        const [clean, reached, got] = await Promise.all([
          laterOutcome(scene, backend), laterOutcome(poisoned(scene, where, NaN, 'x'), backend),
          laterOutcome(poisoned(scene, where, value, 'x'), backend),
        ])
        got.states.forEach((state, i) => {
          const touched = Array.from(state, (v, j) => (near(v, clean.states[i][j]) || Number.isNaN(reached.states[i][j]) ? '.' : 'x'))
          expect(touched.join(''), path).toBe('.'.repeat(state.length))
        })
      }
    }), some(share / 2))
  })

  it.each(cases)('and a NaN leave frozen channels as they are, whatever else they break, %s', async (_, paths, drawn, share) => {
    await fc.assert(fc.asyncProperty(drawn, fc.nat(), fc.constantFrom(Infinity, NaN, 3e38), async (scene, where, value) => {
      const updated = updatedChannels(scene.rule)
      const given = poisoned(scene, where, value)
      const { data: x } = given.arrays.x
      const frozen = (state: Data): number[] => Array.from(state).filter((_, i) => !updated.includes(i % 5))
      for (const [path, backend] of Object.entries(paths)) {
        const { states } = await laterOutcome(given, backend)
        for (const state of states) expect(frozen(state), path).toEqual(frozen(x))
      }
    }), some(share / 2))
  })
})
