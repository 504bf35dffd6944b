// Learned perceptions, compared with loops from their equations, with differences to the
// second order, and with laws that hold whatever they have learned.

import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  add, cast, checkGrad, conv2d, defineRule, foldIn, grad, greater, key, mapTree, mlp, mul, normal, ones, reshape, scope,
  square, sum, tensor, uniform, vjp, zeros, type Padding, type Tensor,
} from '../../src/index.ts'
import { NotSmoothError } from '../../src/autograd/tools/check-grad.ts'
import { attention, attentionKind } from '../../src/nca/perceptions/attention.ts'
import { deformable, deformableKind } from '../../src/nca/perceptions/deformable.ts'
import type { PartKind, PerceiveHow } from '../../src/nca/perceptions/kind.ts'
import { position, positionKind } from '../../src/nca/perceptions/position.ts'
import { residualConv, residualConvKind } from '../../src/nca/perceptions/residual-conv.ts'
import type { Field } from '../../src/backends/fields.ts'
import { describe as said } from '../../src/experiment/config/describe.ts'
import { configOf } from '../../src/experiment/config/values.ts'
import { kinds } from '../../src/nca/perceptions/kinds.ts'
import { depthwiseOn } from '../../src/tensor/ops/grid.ts'
import { everywhere, families, partsOf, plus, reachOf, stateOf, times, type Family, type Params } from './perception-families.ts'
import { expectClose, list, peakOf, sentence } from '../tensor/values.ts'
import { runs } from '../long.ts'

// ---- scenes ----

const upTo = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max })

type Scene<Part> = { part: Part; padding: Padding; shape: [number, number, number, number]; seed: number }

function scenes<Part>(
  kind: PartKind<Part>, paddings: Padding[] = ['zero', 'circular', 'reflect', 'replicate'], farthest = 4,
): fc.Arbitrary<Scene<Part>> {
  return fc.record({
    part: partsOf(kind, farthest), padding: fc.constantFrom(...paddings), b: upTo(2), h: upTo(5), w: upTo(5), c: upTo(4), seed: fc.nat(),
  }).map(({ part, padding, b, h, w, c, seed }) => {
    const least = padding === 'reflect' ? reachOf(part as object) + 1 : 1
    return { part, padding, shape: [b, Math.max(h, least), Math.max(w, least), c], seed }
  })
}

function state(seed: number, shape: readonly number[]): Tensor {
  return uniform(key(seed), shape, { low: -1, high: 1, dtype: 'float64' })
}

/** Parameters as they may be after some training. */
function learned<Part>(kind: PartKind<Part>, part: Part, channels: number, seed: number, grid: 1 | 2 | 3 = 2): Record<string, Tensor> {
  const specs = Object.entries(kind.params(part, channels, grid))
  return Object.fromEntries(specs.map(([name, { shape, init }], i) => {
    const change = normal(foldIn(key(seed), i), shape, { std: 0.5, dtype: 'float64' })
    return [name, init === 'ones' ? add(change, 1) : change]
  }))
}

function values(params: Record<string, Tensor>): Params {
  return Object.fromEntries(Object.entries(params).map(([name, p]) => [name, p.toArray()]))
}

/** checkGrad where the function is smooth, at some of these points. A wrong derivative is wrong at a second one, too. */
function expectGradients(
  at: (seed: number) => { f: (p: Record<string, Tensor>) => Tensor; p: Record<string, Tensor> },
): void {
  let wrong = false
  for (let seed = 0; seed < 20; seed++) {
    const { f, p } = at(seed)
    try {
      checkGrad(f, p, { order: 2, epsilon: 1e-5, tolerance: 1e-5, seed })
      return
    } catch (error) {
      if (!(error instanceof NotSmoothError) && wrong) throw error
      wrong ||= !(error instanceof NotSmoothError)
    }
  }
  throw new Error('no smooth point')
}

/** The state shifted on the torus by whole rows and columns. */
function rolled(x: Tensor, down: number, right: number): Tensor {
  const [b, h, w, c] = x.shape
  const from = stateOf(x, 'circular')
  const all = Array.from({ length: b * h * w }, (_, r) => {
    const [sample, y, column] = [Math.floor(r / w / h), Math.floor(r / w) % h, r % w]
    return from.at(sample, y - down, column - right)
  })
  return tensor(Float64Array.from(all.flat()), { shape: [b, h, w, c] })
}

/** The most bytes that the gradient of a part needs at a time. */
function peak<Part>(kind: PartKind<Part>, part: Part, shape: number[]): number {
  const x = cast(state(0, shape), 'float32')
  const params = mapTree(learned(kind, part, shape[3], 1), p => cast(p as Tensor, 'float32'))
  const loss = (p: typeof params): Tensor => sum(square(kind.perceive!(part, p, x, { padding: 'zero' })))
  return peakOf(() => scope(() => { grad(loss)(params) }))
}

/** The outputs of a part; filters are normally applied together, here each by itself. */
function look<Part>(kind: PartKind<Part>, part: Part, params: Record<string, Tensor>, x: Tensor, how: PerceiveHow): Tensor {
  return kind.perceive?.(part, params, x, how) ?? depthwiseOn(x, params.kernel, how)
}

function laws<Part>(family: Family<Part>): void {
  const { kind, naive, placed } = family

  it('computes its equation', () => {
    fc.assert(fc.property(scenes(kind), ({ part, padding, shape, seed }) => {
      const [x, params] = [state(seed, shape), learned(kind, part, shape[3], seed + 1)]
      const y = look(kind, part, params, x, { padding })
      expect([...y.shape, y.dtype]).toEqual([...shape.slice(0, 3), kind.outputs(part, shape[3]), 'float64'])
      // Steep layer norms, of channels that hardly differ, make rounding errors larger.
      expectClose(y, naive(part, values(params), stateOf(x, padding)), 1e-8)
    }))
  })

  it('has first and second derivatives, of parameters and state', () => {
    fc.assert(fc.property(scenes(kind, undefined, 2), ({ part, padding, shape: [b, h, w], seed }) => {
      const shape = [b, h, w, 4]
      expectGradients(n => ({
        f: ({ x, ...params }) => look(kind, part, params, x, { padding }),
        p: { x: state(seed + n, shape), ...learned(kind, part, 4, seed + n + 1) },
      }))
    }), runs(10))
  })

  it.skipIf(placed)('moves with the state on a torus', () => {
    const shifts = fc.tuple(fc.integer({ min: -4, max: 4 }), fc.integer({ min: -4, max: 4 }))
    fc.assert(fc.property(scenes(kind, ['circular']), shifts, ({ part, shape, seed }, [down, right]) => {
      const [x, params] = [state(seed, shape), learned(kind, part, shape[3], seed + 1)]
      const see = (s: Tensor): Tensor => look(kind, part, params, s, { padding: 'circular' })
      expectClose(see(rolled(x, down, right)), rolled(see(x), down, right), 1e-8)
    }))
  })

  it('is right in the cells of a mask, and finite elsewhere', () => {
    fc.assert(fc.property(scenes(kind), ({ part, padding, shape, seed }) => {
      const [x, params] = [state(seed, shape), learned(kind, part, shape[3], seed + 1)]
      const mask = greater(uniform(key(seed), shape.slice(0, 3), { dtype: 'float64' }), 0.5)
      const [got, whole] = [{ padding, mask }, { padding }].map(how => look(kind, part, params, x, how).toArray())
      const [acts, n] = [mask.toArray(), kind.outputs(part, shape[3])]
      got.forEach((v, i) => {
        if (acts[Math.floor(i / n)] === 1) expect(v).toBeCloseTo(whole[i], 8)
        else expect(Number.isFinite(v)).toBe(true)
      })
    }))
  })

  it('is float32 where the state is', () => {
    fc.assert(fc.property(partsOf(kind, 4), part => {
      const specs = Object.entries(kind.params(part, 2, 2))
      const params = Object.fromEntries(specs.map(([name, { shape }]) => [name, ones(shape)]))
      expect(look(kind, part, params, ones([1, 9, 9, 2]), { padding: 'zero' }).dtype).toBe('float32')
    }), { numRuns: 5 })
  })
}

describe.each(families)('$kind.type', family => { laws(family) })

it.each(kinds.map(kind => [kind.type, kind] as const))('%s has a family of cases, is documented, and can be written in a file', async (type, kind) => {
  expect(families.map(family => family.kind)).toContain(kind)
  expect(await readFile(new URL('../../docs/vocabulary.md', import.meta.url), 'utf8')).toContain(`| \`${type}(`)
  for (const field of Object.values<Field>(kind.fields)) expect(field.about).toMatch(/^\w/)
  const [part] = fc.sample(partsOf(kind, 4), 1)
  expect(configOf({ rule: { perceive: [part] } })).toMatchObject({ config: { rule: { perceive: [part] } } })
  expect(said(['rule', 'perceive', 0]).keys).toEqual(expect.arrayContaining(Object.keys(kind.fields)))
})

describe('a residual convolution', () => {
  it('is a matrix and a convolution on every grid', () => {
    const part = residualConv(3)
    expect(residualConvKind.params(part, 2, 1).k1.shape).toEqual([3, 2, 3])
    expect(residualConvKind.params(part, 2, 3).k1.shape).toEqual([3, 3, 3, 2, 3])
    for (const shape of [[2, 5, 2], [1, 3, 4, 5, 2]]) {
      const specs = residualConvKind.params(part, 2, (shape.length - 2) as 1 | 3)
      const params = Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, ones(spec.shape)]))
      expect(residualConvKind.perceive!(part, params, ones(shape), { padding: 'circular' }).shape)
        .toEqual([...shape.slice(0, -1), 3])
    }
  })
})

describe('a position', () => {
  it('is the same whatever the state is, on every grid', () => {
    for (const shape of [[2, 5, 3], [1, 3, 4, 5, 3]]) {
      const grid = (shape.length - 2) as 1 | 3
      const { weight } = learned(positionKind, position(4, { bands: 1 }), 3, 1, grid)
      const [x, other] = [state(1, shape), state(2, shape)].map(s => positionKind.perceive!(position(4, { bands: 1 }), { weight }, s, { padding: 'zero' }))
      expect(x.shape).toEqual([...shape.slice(0, -1), 4])
      expect(x.toArray()).toEqual(other.toArray())
      expect(new Set(x.toArray()).size).toBeGreaterThan(4)
    }
  })
})

describe('attention', () => {
  // Normalised channels have the sum 0. Where all rows of V are equal, values are the same for every state.
  it('has weights whose sum is 1', () => {
    fc.assert(fc.property(scenes(attentionKind), ({ part, padding, shape, seed }) => {
      const channels = shape[3]
      const row = learned(attentionKind, part, 1, seed).value
      const params = {
        ...learned(attentionKind, { ...part, feedForward: 0 }, channels, seed),
        scale: ones([channels], { dtype: 'float64' }),
        value: add(zeros([channels, part.heads * part.keys], { dtype: 'float64' }), row),
      }
      const p = values(params)
      const total = Array.from(p.shift).reduce((a, b) => a + b, 0)
      const cell = plus(times(Array.from(row.toArray(), v => v * total), p.output, part.outputs), p.bias)
      const y = attentionKind.perceive!({ ...part, feedForward: 0 }, params, state(seed, shape), { padding })
      const cells = y.toArray().length / part.outputs
      expectClose(y, Array.from({ length: cells }, () => cell).flat(), 1e-9)
    }))
  })

  it('counts neighbours beyond a border of zeros in the softmax, with the value shift·V', () => {
    const part = { type: 'attention', outputs: 1, heads: 1, size: 3, keys: 1, feedForward: 0 } as const
    const [f64, row] = [{ dtype: 'float64' } as const, (...list: number[]) => tensor([list], { dtype: 'float64' })]
    const x = add(zeros([1, 3, 3, 2], f64), tensor([1, -1], f64))
    const params = {
      scale: ones([2], f64), query: zeros([2, 1], f64), key: ones([2, 1], f64), value: reshape(row(1, 0), [2, 1]),
      position: zeros([3, 3, 1], f64), output: ones([1, 1], f64), bias: zeros([1], f64),
    }
    const see = (shift: number): number[] => list(attentionKind.perceive!(part, { ...params, shift: tensor([shift, 0], f64) }, x, { padding: 'zero' }))
    const [centre, corner] = [4, 0]
    expect(see(0)[corner]).toBeCloseTo(4 / 9 * see(0)[centre], 12)
    expect(see(3)[corner]).toBeCloseTo(4 / 9 * see(3)[centre] + 5 / 9 * 3, 12)
  })

  it('keeps no copy of keys and values for each neighbour', () => {
    const cells = 24 * 24
    expect(peak(attentionKind, attention(16), [1, 24, 24, 8])).toBeLessThan(2 * 9 * cells * 16 * 4)
  })
})

describe('a deformable convolution', () => {
  it('is a convolution if no tap is moved, and half of one if taps are weighted', () => {
    fc.assert(fc.property(scenes(deformableKind), ({ part, padding, shape, seed }) => {
      const x = state(seed, shape)
      const params = learned(deformableKind, part, shape[3], seed + 1)
      const still = {
        ...params,
        offsets: zeros(params.offsets.shape, { like: x }), offsetBias: zeros(params.offsetBias.shape, { like: x }),
      }
      const kernel = reshape(params.kernel, [part.size, part.size, shape[3], part.outputs])
      const plain = add(mul(part.modulated ? 0.5 : 1, conv2d(x, kernel, { padding })), params.bias)
      expectClose(deformableKind.perceive!(part, still, x, { padding }), plain)
    }))
  })

  it('keeps no copy of the state for each cell that a tap can reach', () => {
    const copies = 25 * 9 * 16 * 16 * 32 * 4
    expect(peak(deformableKind, deformable(8, { reach: 2 }), [1, 16, 16, 32])).toBeLessThan(copies / 3)
  })

  // Offsets begin there, at a kink, and would stay if the derivative were 0.
  it('learns from the mean of both slopes if a tap is not moved', () => {
    fc.assert(fc.property(fc.constantFrom(1, 2, 3, null), fc.nat(), (reach, seed) => {
      const part = deformable(1, { size: 1, reach })
      const x = state(seed, [1, 4, 5, 1])
      const { kernel, bias, offsets, offsetBias } = Object.fromEntries(
        Object.entries(deformableKind.params(part, 1, 2)).map(([name, { shape }]) => [name, zeros(shape, { like: x })]))
      const params = { kernel: add(kernel, 1), bias, offsets }
      const [, pullback] = vjp(
        (o: Tensor) => deformableKind.perceive!(part, { ...params, offsetBias: o }, x, { padding: 'circular' }),
        offsetBias,
      )
      const g = state(seed + 1, x.shape)
      const [s, weights] = [stateOf(x, 'circular'), stateOf(g, 'zero')]
      const slope = (dy: number, dx: number): number => everywhere(s, (b, y, i) =>
        [(reach ?? 1) / 2 * weights.at(b, y, i)[0] * (s.at(b, y + dy, i + dx)[0] - s.at(b, y - dy, i - dx)[0])])
        .reduce((a, b) => a + b)
      expectClose(pullback(g), [slope(1, 0), slope(0, 1)])
    }))
  })
})

it('parts refuse wrong options', () => {
  const whole = { type: 'attention', outputs: 4, heads: 2, size: 3, keys: 2, feedForward: 0 } as const
  expect([
    () => residualConv(0),
    () => residualConv(4, { size: 2 }),
    () => residualConv(4, { dilation: 0 }),
    () => residualConv(4, { activation: 'swash' as 'relu' }),
    () => residualConv(4, { sizes: 3 } as object),
    () => attention(0.5),
    () => attention(4, { heads: 0 }),
    () => attention(4, { size: 4 }),
    () => attention(4, { keys: 0 }),
    () => attention(4, { feedForward: -1 }),
    () => defineRule({ channels: { a: 1 }, perceive: ['identity', { ...whole, heads: 1.5 }], update: mlp(1) }),
    () => deformable(4, { reach: 4 }),
    () => deformable(4, { reach: 0.5 }),
    () => deformable(4, { size: 0 }),
  ].map(sentence)).toMatchInlineSnapshot(`
    [
      "residualConv: outputs is 0, expected a whole number from 1 to 65536.",
      "residualConv: size is 2, expected an odd number from 1 to 127, or a list of 1 to 3 odd numbers, one for each axis.",
      "residualConv: dilation is 0, expected a whole number > 0.",
      "residualConv: activation is "swash", expected 'relu', 'leakyRelu', 'tanh', 'sigmoid', 'gelu', 'silu', 'softplus' or 'linear'.",
      "residualConv: there is no option "sizes"; did you mean "size"?",
      "attention: outputs is 0.5, expected a whole number from 1 to 65536.",
      "attention: heads is 0, expected a whole number from 1 to 65536.",
      "attention: size is 4, expected an odd number from 1 to 127.",
      "attention: keys is 0, expected a whole number from 1 to 65536.",
      "attention: feedForward is -1, expected a whole number from 0 to 65536.",
      "rule: perceive[1].heads is 1.5, expected a whole number from 1 to 65536.",
      "deformable: reach is 4, expected null, or a whole number from 1 to 3.",
      "deformable: reach is 0.5, expected null, or a whole number from 1 to 3.",
      "deformable: size is 0, expected an odd number from 1 to 127.",
    ]
  `)
  expect([
    attentionKind.words(whole, 2), attentionKind.words(attention(8, { feedForward: 16 }), 2),
    deformableKind.words(deformable(8, { size: 5, reach: 2 }), 2),
    residualConvKind.words(residualConv(8, { dilation: 2 }), 2),
  ]).toMatchInlineSnapshot(`
    [
      "attention to 3×3 cells, 2 heads, to 4",
      "attention to 3×3 cells, 1 head, to 8, and a network of 16 units",
      "a deformable 5×5 convolution, of taps moved by up to 2, to 8",
      "a learned 3×3 residual convolution, taps 2 apart, to 8",
    ]
  `)
})
