import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  adam, adamW, clipByGlobalNorm, globalNorm, grad, initOptimiser, inner, mapTree, memory, mul, muon, normaliseGrads, rateAt,
  reshape, scope, sgd, stepDecay, sub, tensor, Tensor, transpose, updateParams, zeros, type Optimiser,
} from '../../src/index.ts'
import { loadReference } from '../reference/load.ts'

const reference = loadReference('optimisers')

/** A reference array, or its part at one position of the first axis. */
function stored(name: string, index?: number): Tensor {
  const { data, shape } = reference[name]
  if (index === undefined) return tensor(data, { shape })
  const size = data.length / shape[0]
  return tensor(data.slice(index * size, (index + 1) * size), { shape: shape.slice(1) })
}

function f64(...values: number[]): Tensor {
  return tensor(new Float64Array(values))
}

/** Compares each value, relative to 1 or to the expected value, whichever is greater. */
function expectClose(actual: Tensor, expected: Tensor, within = 1e-14): void {
  const [a, e] = [actual.toArray(), expected.toArray()]
  expect(a.length).toBe(e.length)
  e.forEach((v, i) => expect(Math.abs(a[i] - v)).toBeLessThanOrEqual(within * Math.max(1, Math.abs(v))))
}

/** Trees of the shape that parameters of a rule have, with a leaf that is no tensor. */
type Tree = { update: { w: Tensor; b: Tensor[] }; name: string }
const makeTree = (): Tree => ({
  update: { w: tensor([[1, -2], [0.5, 3]]), b: [tensor([0.25]), tensor(-1)] },
  name: 'lizard',
})

/** ½‖p − 1‖² over all tensors of a tree: its gradient is p − 1, its minimum 1. */
function bowl<P>(p: P): Tensor {
  const d = mapTree(p, leaf => (leaf instanceof Tensor ? sub(leaf, 1) : leaf))
  return mul(0.5, inner(d, d))
}

function descend<P>(
  optimiser: Optimiser, params: P, steps: number, state = initOptimiser(optimiser, params),
): ReturnType<typeof updateParams<P>> {
  let now = { params, state }
  for (let i = 0; i < steps; i++) now = updateParams(optimiser, now.state, now.params, grad(bowl<P>)(now.params))
  return now
}

/** Every tensor of a tree as bits. */
function bitsOf(tree: unknown): unknown {
  return mapTree(tree, leaf => (leaf instanceof Tensor ? Buffer.from(leaf.toArray().buffer).toString('hex') : leaf))
}

const optimisers: [string, Optimiser][] = [
  ['sgd', sgd({ rate: 0.05 })],
  ['sgd with momentum', sgd({ rate: 0.05, momentum: 0.9 })],
  ['adam', adam({ rate: stepDecay(0.05, { at: [300], factor: 0.1 }) })],
  ['adamW', adamW({ rate: stepDecay(0.05, { at: [300], factor: 0.1 }), decay: 1e-4 })],
  ['muon', muon({ rate: stepDecay(0.05, { at: [440, 470], factor: 0.1 }) })],
]

describe('against PyTorch and NumPy', () => {
  const cases: [string, Optimiser][] = [
    ['sgd', sgd({ rate: 0.05 })],
    ['sgd-momentum', sgd({ rate: 0.05, momentum: 0.9 })],
    ['adam', adam({ rate: 2e-3, epsilonHat: false })],
    ['adamw', adamW({ rate: 2e-3, epsilonHat: false })],
  ]
  it.each(cases)('%s takes the same five steps', (name, optimiser) => {
    let params = stored('initial')
    let state = initOptimiser(optimiser, params)
    for (let i = 0; i < 5; i++) {
      ({ params, state } = updateParams(optimiser, state, params, stored('gradients', i)))
      expectClose(params, stored(`${name}.params`, i))
    }
    expect(state.step).toBe(5)
  })

  it.each([
    ['muon', (t: Tensor) => t], ['muon-wide', (t: Tensor) => transpose(t)],
    ['muon, of a kernel of 1×3 taps,', (t: Tensor) => reshape(t, [1, 3, 1, 2])],
  ] as const)('%s takes the steps that singular values say', (name, shaped) => {
    const optimiser = muon({ rate: 0.01, decay: 0.01 })
    let params = shaped(stored('initial'))
    let state = initOptimiser(optimiser, params)
    for (let i = 0; i < 5; i++) {
      ({ params, state } = updateParams(optimiser, state, params, shaped(stored('gradients', i))))
      const expected = stored(`${name.split(',')[0]}.params`, i)
      expectClose(reshape(params, expected.shape), expected)
    }
  })

  it('adam by default has the epsilon of Keras: the same steps with epsilon·√(1 − β₂ᵗ) for epsilon', () => {
    let params = stored('initial')
    let state = initOptimiser(adam(), params)
    for (let i = 0; i < 5; i++) {
      const optimiser = adam({ rate: 2e-3, epsilon: 1e-7 * Math.sqrt(1 - 0.999 ** (i + 1)) });
      ({ params, state } = updateParams(optimiser, state, params, stored('gradients', i)))
      expectClose(params, stored('adam.params', i))
    }
  })

  it('Adam takes its steps also if the square of a gradient overflows, and passes on a gradient that is NaN', () => {
    fc.assert(fc.property(fc.integer({ min: -60, max: 126 }), fc.boolean(), fc.integer({ min: 1, max: 9 }), (n, plus, steps) => {
      const g = tensor([(plus ? 1.5 : -1.5) * 2 ** n])
      let [params, state] = [tensor([0]), initOptimiser(adam({ rate: 0.01, epsilon: 1e-30 }), tensor([0]))]
      for (let i = 0; i < steps; i++) ({ params, state } = updateParams(adam({ rate: 0.01, epsilon: 1e-30 }), state, params, g))
      expect(params.toArray()[0]).toBeCloseTo((plus ? -0.01 : 0.01) * steps, 5)
      expect(Number.isFinite(state.moments[1].toArray()[0])).toBe(true)
    }))
    for (const g of [Infinity, NaN]) {
      const start = tensor([0])
      expect(updateParams(adam(), initOptimiser(adam(), start), start, tensor([g])).params.toArray()[0]).toBeNaN()
    }
  })

  it('the two places of epsilon differ where the gradient is as small as epsilon', () => {
    const [hat, plain] = [true, false].map(epsilonHat => {
      const optimiser = adam({ rate: 1, epsilon: 1e-7, epsilonHat })
      return updateParams(optimiser, initOptimiser(optimiser, f64(0)), f64(0), f64(1e-7)).params.toArray()[0]
    })
    // m̂ = √v̂ = 1e-7 after the first step, where 1 − β₂ = 0.001.
    expect(plain).toBeCloseTo(-1 / 2, 12)
    expect(hat).toBeCloseTo(-1 / (1 + 1 / Math.sqrt(0.001)), 12)
  })

  it('clips by the norm of all gradients together', () => {
    for (const name of ['clip', 'clip-untouched']) {
      const grads = { a: stored(`${name}.a`), b: [stored(`${name}.b`)] }
      expectClose(globalNorm(grads), stored(`${name}.norm`))
      const clipped = clipByGlobalNorm(grads, 1)
      expectClose(clipped.a, stored(`${name}.clipped.a`), 1e-6) // torch divides by norm + 1e-6
      expectClose(clipped.b[0], stored(`${name}.clipped.b`), 1e-6)
    }
  })
})

describe.each(optimisers)('%s', (_, optimiser) => {
  it('finds the bottom of a bowl', () => {
    const { params } = descend(optimiser, makeTree(), 500)
    for (const leaf of [params.update.w, ...params.update.b]) {
      for (const v of leaf.toArray()) expect(Math.abs(v - 1)).toBeLessThan(2e-3)
    }
  })

  it('keeps the tree, its other leaves, shapes and types, and does not change its arguments', () => {
    const params = makeTree()
    const before = bitsOf(params)
    const state = initOptimiser(optimiser, params)
    const stateBefore = bitsOf(state)
    const next = updateParams(optimiser, state, params, grad(bowl<Tree>)(params))
    const shapes = (tree: unknown): unknown =>
      mapTree(tree, leaf => (leaf instanceof Tensor ? `${leaf.dtype} ${leaf.shape}` : leaf))
    expect(shapes(next.params)).toEqual(shapes(params))
    expect(shapes(next.state)).toEqual({ ...shapes(state) as object, step: 1 })
    expect(bitsOf(params)).toEqual(before)
    expect(bitsOf(state)).toEqual(stateBefore)
    expect(bitsOf(next.params)).not.toEqual(before)
  })

  it('resumes: five steps are two and then three, bit for bit', () => {
    const whole = descend(optimiser, makeTree(), 5)
    const half = descend(optimiser, makeTree(), 2)
    const rest = descend(optimiser, half.params, 3, half.state)
    expect(bitsOf(rest)).toEqual(bitsOf(whole))
  })

  it('is the same after its description went through JSON', () => {
    expect(JSON.parse(JSON.stringify(optimiser))).toEqual(optimiser)
    expect(Object.isFrozen(optimiser)).toBe(true)
    const stored = JSON.parse(JSON.stringify(optimiser)) as Optimiser
    expect(bitsOf(descend(stored, makeTree(), 3))).toEqual(bitsOf(descend(optimiser, makeTree(), 3)))
  })

  it('matches gradients and moments by name, not by order', () => {
    const swap = ({ a, b }: { a: Tensor; b: Tensor }): { a: Tensor; b: Tensor } => ({ b, a })
    const params = { a: f64(1), b: f64(2) }
    const grads = { a: f64(0.5), b: f64(-3) }
    const first = updateParams(optimiser, initOptimiser(optimiser, params), params, grads)
    const state = { step: first.state.step, moments: first.state.moments.map(swap) }
    const second = updateParams(optimiser, first.state, first.params, grads)
    expect(bitsOf(updateParams(optimiser, state, first.params, swap(grads)).params)).toEqual(bitsOf(second.params))
  })

  it('keeps a NaN where it is', () => {
    const { params, state } = updateParams(optimiser, initOptimiser(optimiser, f64(1, 2)), f64(1, 2), f64(NaN, 1))
    expect([...params.toArray()].map(Number.isNaN)).toEqual([true, false])
    for (const moment of state.moments) expect([...moment.toArray()].map(Number.isNaN)).toEqual([true, false])
  })

  it('releases all but what it returns', () => {
    const params = makeTree()
    const state = initOptimiser(optimiser, params)
    const grads = grad(bowl<Tree>)(params)
    const before = memory().buffers
    updateParams(optimiser, state, params, grads)
    expect(memory().buffers - before).toBe(3 * (1 + state.moments.length))
  })

  it('uses a given rate, else that of its schedule', () => {
    const params = f64(1, 2)
    const state = initOptimiser(optimiser, params)
    const given = (step: number, rate?: number): unknown =>
      bitsOf(updateParams(optimiser, { ...state, step }, params, f64(3, -1), rate).params)
    expect(given(0)).toBe(given(0, 0.05))
    expect(given(0)).not.toBe(given(0, 0.04))
    expect(given(0, 0)).toBe(bitsOf(params))
    expect(given(300)).toBe(given(300, rateAt(optimiser.rate, 300)))
  })
})

describe('adam', () => {
  it('does not depend on the scale of gradients if epsilon is 0', () => {
    const values = fc.array(fc.double({ min: 0.01, max: 1, noNaN: true }), { minLength: 4, maxLength: 4 })
    const exponents = fc.integer({ min: -20, max: 20 })
    fc.assert(fc.property(values, exponents, fc.boolean(), (gs, exponent, epsilonHat) => scope(() => {
      const optimiser = adam({ rate: 0.1, epsilon: 0, epsilonHat })
      const after = (scale: number): Tensor => {
        let [params, state] = [f64(0, 0), initOptimiser(optimiser, f64(0, 0))]
        for (const i of [0, 2]) {
          ({ params, state } = updateParams(optimiser, state, params, f64(scale * gs[i], -scale * gs[i + 1])))
        }
        return params
      }
      expectClose(after(10 ** exponent), after(1), 1e-12)
    })))
  })

  it('moves by the rate in its first step, whatever the gradient', () => {
    const { params } = updateParams(adam({ rate: 0.25 }), initOptimiser(adam(), f64(0, 0)), f64(0, 0), f64(1e3, -2e-1))
    expectClose(params, f64(-0.25, 0.25), 1e-4)
  })

  it('refuses wrong options', () => {
    expect(() => adam({ beta2: 1 })).toThrowErrorMatchingInlineSnapshot(
      `[Error: adam: beta2 is 1, expected a number in [0, 1).]`,
    )
    expect(() => sgd({ momentum: -0.1 })).toThrowErrorMatchingInlineSnapshot(
      `[Error: sgd: momentum is -0.1, expected a number in [0, 1).]`,
    )
    expect(() => muon({ momentum: 1 })).toThrowErrorMatchingInlineSnapshot(
      `[Error: muon: momentum is 1, expected a number in [0, 1).]`,
    )
    const state = initOptimiser(adam(), makeTree())
    const wrong = { ...makeTree(), update: { w: tensor([1]), b: [] } }
    expect(() => updateParams(adam(), state, makeTree(), wrong)).toThrowErrorMatchingInlineSnapshot(
      `[Error: updateParams: the gradient of update.w is [1], expected [2,2].]`,
    )
    const short = { ...makeTree(), update: { w: makeTree().update.w, b: [] } }
    expect(() => updateParams(adam(), state, makeTree(), short)).toThrowErrorMatchingInlineSnapshot(
      `[Error: updateParams: the gradient of update.b.0 is missing, expected [1].]`,
    )
    expect(() => updateParams(adam(), initOptimiser(sgd(), f64(1)), f64(1), f64(1))).toThrowErrorMatchingInlineSnapshot(
      `[Error: updateParams: the first moment of the parameter is missing, expected [1].]`,
    )
  })
})

describe('muon', () => {
  const shapes = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }))
  const gradients = shapes.chain(([h, w]) => fc.tuple(
    fc.constant([h, w]), fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: h * w, maxLength: h * w }),
  ))

  it('moves a matrix by 0.2 × rate for each entry, more or less, whatever its gradient', () => {
    fc.assert(fc.property(gradients, fc.integer({ min: -6, max: 6 }), ([[h, w], values], exponent) => scope(() => {
      fc.pre(h > 1 && w > 1 && Math.hypot(...values) > 0.01)
      const start = zeros([h, w], { dtype: 'float64' })
      const g = tensor(Float64Array.from(values, v => v * 10 ** exponent), { shape: [h, w] })
      const { params } = updateParams(muon({ rate: 1 }), initOptimiser(muon(), start), start, g)
      const length = Math.hypot(...params.toArray())
      expect(length).toBeLessThan(0.2 * 1.25 * Math.sqrt(h * w)) // all singular values at most about 1.2
      expect(length).toBeGreaterThan(0.2 * 0.3 * Math.sqrt(Math.max(h, w))) // one of them at least
      expect(inner(params, g).toArray()[0]).toBeLessThan(0) // downwards
    })))
  })

  it('moves vectors, numbers and single rows and columns as Adam does', () => {
    const of = (optimiser: Optimiser): unknown => {
      const tree = { a: tensor([1, 2]), b: tensor(3), c: tensor([[1, 2]]), d: tensor([[1], [2]]) }
      return bitsOf(descend(optimiser, tree, 3).params)
    }
    expect(of(muon({ rate: 0.01, momentum: 0.8, beta2: 0.9 }))).toEqual(of(adam({ rate: 0.01, beta1: 0.8, beta2: 0.9 })))
  })

  it('leaves zeros zero and NaN visible', () => {
    const start = zeros([2, 2])
    const after = (g: number): number[] => [...updateParams(muon(), initOptimiser(muon(), start), start, tensor([[g, g], [g, g]])).params.toArray()]
    expect(after(0)).toEqual([0, 0, 0, 0])
    expect(after(NaN)).toEqual([NaN, NaN, NaN, NaN])
  })
})

describe('normaliseGrads', () => {
  it('gives every tensor length 1, except for epsilon', () => {
    const grads = { a: f64(3, 4), b: [tensor([[1e-3]])], name: 'x' }
    const { a, b, name } = normaliseGrads(grads, 0)
    expect([...a.toArray()]).toEqual([0.6, 0.8])
    expect(b[0].toArray()[0]).toBeCloseTo(1, 6)
    expect(name).toBe('x')
    expect(normaliseGrads(f64(1e-8)).toArray()[0]).toBeCloseTo(0.5, 12)
  })

  it('leaves zeros zero and NaN visible, tensor by tensor', () => {
    const [zero, nan] = normaliseGrads([f64(0, 0), f64(1, NaN)])
    expect([...zero.toArray()]).toEqual([0, 0])
    expect([...nan.toArray()]).toEqual([NaN, NaN])
  })
})

describe('lengths of gradients', () => {
  const sizes = fc.integer({ min: -140, max: 124 }).map(n => 2 ** n)
  const numbers = fc.array(fc.double({ min: -8, max: 8, noNaN: true }), { minLength: 1, maxLength: 5 })
    .filter(values => values.some(v => Math.abs(v) > 0.5))

  /** Equal up to a rounding in float32, which may lose numbers below 2⁻¹⁴⁹ · `unit`. */
  function expectRounded(got: Tensor, wanted: readonly number[], unit = 1): void {
    const errors = [...got.toArray()].map((v, i) => (
      Object.is(v, Math.fround(wanted[i])) ? 0 : Math.abs(v - wanted[i]) / (1e-6 * Math.abs(wanted[i]) + Math.max(1, unit) * 2 ** -149)))
    expect(Math.max(...errors)).toBeLessThanOrEqual(1)
  }

  it('are right for numbers of any size', () => {
    fc.assert(fc.property(numbers, numbers, sizes, (one, other, size) => {
      const grads = [one, other].map(values => tensor(values.map(v => v * size)))
      const values = grads.map(g => [...g.toArray()])
      const length = Math.hypot(...values.flat())
      expectRounded(globalNorm(grads), [length])
      normaliseGrads(grads, 0).forEach((g, i) => {
        expectRounded(g, values[i].map(v => v / Math.hypot(...values[i])))
      })
      clipByGlobalNorm(grads, size / 4).forEach((g, i) => {
        expectRounded(g, values[i].map(v => v * Math.min(1, size / 4 / length)), size)
      })
    }), { numRuns: 100 })
  })

  it('are 0 for tensors without elements, beside others or alone', () => {
    const empty = zeros([0, 2])
    expect(globalNorm(empty).toArray()[0]).toBe(0)
    expect(normaliseGrads([empty, f64(3, 4)], 0).map(g => [...g.toArray()])).toEqual([[], [0.6, 0.8]])
    for (const grads of [[empty], [empty, tensor([3, 4])]]) {
      expect(clipByGlobalNorm(grads, 10).map(g => [...g.toArray()])).toEqual(grads.map(g => [...g.toArray()]))
    }
  })

  it('normalise to the bits of the formula, if its squares can be represented', () => {
    fc.assert(fc.property(numbers, values => {
      const g = tensor(values.map(v => Math.fround(v) * 2 ** -20))
      const list = [...g.toArray()]
      const length = Math.fround(Math.sqrt(list.reduce((sum, v) => sum + v * v, 0)))
      const divisor = Math.fround(length + Math.fround(1e-8))
      expect([...normaliseGrads(g).toArray()]).toEqual(list.map(v => Math.fround(v / divisor)))
    }))
  })
})

describe('clipByGlobalNorm', () => {
  it('bounds the norm, keeps the direction, and does not change short gradients', () => {
    const list = fc.array(fc.double({ min: -10, max: 10, noNaN: true }), { minLength: 1, maxLength: 5 })
    fc.assert(fc.property(list, list, fc.double({ min: 0.1, max: 10, noNaN: true }), (a, b, max) => scope(() => {
      const grads = { a: f64(...a), b: f64(...b) }
      const clipped = clipByGlobalNorm(grads, max)
      const norm = Math.hypot(...a, ...b)
      expect(globalNorm(clipped).toArray()[0]).toBeLessThanOrEqual(max * (1 + 1e-12))
      if (norm <= max * (1 - 1e-12)) expect(bitsOf(clipped)).toEqual(bitsOf(grads))
      expectClose(mul(clipped.a, Math.max(norm, max)), mul(grads.a, max), 1e-12)
    })))
  })

  it('turns a NaN anywhere into NaN everywhere, and refuses a wrong bound', () => {
    const { a, b } = clipByGlobalNorm({ a: f64(NaN), b: f64(1) }, 1)
    expect([a.toArray()[0], b.toArray()[0]]).toEqual([NaN, NaN])
    expect(() => clipByGlobalNorm(f64(1), 0)).toThrowErrorMatchingInlineSnapshot(
      `[Error: clipByGlobalNorm: max is 0, expected a number > 0.]`,
    )
    expect(() => globalNorm({})).toThrowErrorMatchingInlineSnapshot(
      `[Error: globalNorm: there is no tensor in this tree.]`,
    )
  })
})
