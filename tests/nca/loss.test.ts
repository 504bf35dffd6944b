// The losses, compared with their definition, entry by entry, and their gradients with differences.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  bce, broadcastTo, checkGrad, crossEntropy, diceLoss, foldIn, gather, grad, greater, inner, key, l1, mean, mse, mul,
  normal, ones, overflow, patchTransport, drawPermutation, reshape, roleOverflow, sigmoid, slicedTransport, softmax,
  square, ssim, sub, sum, tensor, uniform, where, zeros, type CheckGradOptions, type Key, type Shape, type Tensor,
} from '../../src/index.ts'
import { NotSmoothError } from '../../src/autograd/tools/check-grad.ts'
import { build, entries } from '../tensor/arrays.ts'
import { expectClose, f64, list, sentence } from '../tensor/values.ts'

const small = fc.integer({ min: 1, max: 4 })
const keys = fc.nat(1e6).map(key)
const draw = (k: Key, shape: Shape, n = 0): Tensor => normal(foldIn(k, n), shape, { dtype: 'float64' })
const flip = (k: Key, shape: Shape, n = 0): Tensor => greater(draw(k, shape, n), 0)
const classesOf = (k: Key, shape: Shape, n: number): Tensor =>
  tensor(Int32Array.from(list(uniform(k, shape)), u => Math.floor(n * u)), { shape })
const average = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length

/** checkGrad, except at points near a kink, which prove nothing. */
function check(f: (x: Tensor) => Tensor, at: Tensor, options: CheckGradOptions = {}): void {
  try {
    checkGrad(f, at, options)
  } catch (error) {
    fc.pre(!(error instanceof NotSmoothError))
    throw error
  }
}

/** For each sample the mean over its cells of `cost`, which is given the index of a cell. */
function perSampleNaive(lead: Shape, cost: (cell: number[]) => number, counts: (cell: number[]) => boolean = () => true): number[] {
  const costs: number[][] = Array.from({ length: lead[0] }, () => [])
  build(lead, cell => {
    if (counts(cell)) costs[cell[0]].push(cost(cell))
    return 0
  })
  return costs.map(of => (of.length === 0 ? 0 : average(of)))
}

describe('mse, l1 and overflow', () => {
  it('are means over all but the samples', () => {
    fc.assert(fc.property(keys, small, small, small, (k, b, h, c) => {
      const shape = [b, h, 2, c]
      const [x, y] = [mul(draw(k, shape), 2), draw(k, [h, 2, c], 1)]
      const [at, wanted] = [entries(x), entries(y)]
      expectClose(mse(x, y), perSampleNaive(shape, i => (at(i) - wanted(i.slice(1))) ** 2))
      expectClose(l1(x, y), perSampleNaive(shape, i => Math.abs(at(i) - wanted(i.slice(1)))))
      expectClose(overflow(x), perSampleNaive(shape, i => Math.max(0, Math.abs(at(i)) - 1)))
      expectClose(overflow(x, 0, 3), perSampleNaive(shape, i => Math.max(0, -at(i), at(i) - 3)))
      const rule = { channels: { rgb: 1, hidden: c } }
      const state = mul(draw(k, [b, h, 2, 1 + c]), 2), cell = entries(state)
      const ends = perSampleNaive([b, h, 2, 1], i => Math.max(0, -cell(i), cell(i) - 0.5))
      const others = perSampleNaive([b, h, 2, c], ([s, i, j, q]) => Math.max(0, Math.abs(cell([s, i, j, q + 1])) - 1))
      expectClose(roleOverflow(rule, state, { rgb: [0, 0.5], hidden: [-1, 1] }), ends.map((v, i) => v + others[i]))
      check(z => mse(z, y), x)
      check(z => l1(z, y), x)
      check(z => overflow(z, -0.5, 1), x)
      check(z => roleOverflow(rule, z, { rgb: [0, 0.5], hidden: [-1, 1] }), state)
    }))
  })

  it('have no gradient where nothing is wrong', () => {
    const x = f64(-1, -0.5, 0, 1, 1.5, -3)
    expect(list(grad((z: Tensor) => sum(overflow(reshape(z, [1, 6]))))(x)).map(g => 6 * g)).toEqual([0, 0, 0, 0, 1, -1])
    expect(list(grad((z: Tensor) => sum(l1(reshape(z, [1, 6]), reshape(x, [1, 6]))))(x)).every(g => g === 0)).toBe(true)
  })
})

describe('crossEntropy', () => {
  /** −log p of a class, from the definition of p. */
  const surprise = (logits: number[], truth: number[]): number => {
    const powers = logits.map(Math.exp)
    const total = powers.reduce((a, b) => a + b)
    return -truth.reduce((cost, y, i) => cost + y * Math.log(powers[i] / total), 0)
  }
  const oneHot = (n: number, label: number): number[] => Array.from({ length: n }, (_, i) => +(i === label))

  it('is −log p of the right class: for each cell or one for all, as indices or as probabilities, over the cells that count', () => {
    fc.assert(fc.property(keys, small, small, small, fc.boolean(), (k, b, h, n, masked) => {
      const lead = [b, h, 2]
      const logits = mul(draw(k, [...lead, n]), 2)
      const at = entries(logits)
      const scores = (cell: number[]): number[] => Array.from({ length: n }, (_, i) => at([...cell, i]))
      const mask = masked ? flip(k, lead, 1) : undefined
      const counts = mask ? (cell: number[]) => entries(mask)(cell) === 1 : undefined
      const [each, one] = [classesOf(k, lead, n), classesOf(k, [b], n)]
      const [eachAt, oneAt] = [entries(each), entries(one)]
      const soft = softmax(draw(k, [...lead, n], 2))
      const options = { mask }
      expectClose(crossEntropy(logits, each, options), perSampleNaive(lead, cell => surprise(scores(cell), oneHot(n, eachAt(cell))), counts))
      expectClose(crossEntropy(logits, one, options), perSampleNaive(lead, cell => surprise(scores(cell), oneHot(n, oneAt([cell[0]]))), counts))
      expectClose(crossEntropy(logits, soft, options), perSampleNaive(lead, cell => surprise(scores(cell), Array.from({ length: n }, (_, i) => entries(soft)([...cell, i]))), counts))
      const hot = build([b, n], ([s, i]) => +(i === oneAt([s])))
      expectClose(crossEntropy(logits, hot, options), crossEntropy(logits, one, options))
      // The image as a whole: the mean of the logits that count, then one decision.
      const votes = Array.from({ length: b }, (_, s) => Array.from({ length: n }, (__, i) => perSampleNaive(lead, cell => at([...cell, i]), counts)[s]))
      const some = perSampleNaive(lead, () => 1, counts)
      expectClose(crossEntropy(logits, one, { ...options, per: 'image' }), votes.map((v, s) => some[s] * surprise(v, oneHot(n, oneAt([s])))))
      for (const per of ['cell', 'image'] as const) check(z => crossEntropy(z, one, { mask, per }), logits, { tolerance: 1e-5 })
      check(z => crossEntropy(logits, z, options), soft)
      // Adding the same to all logits of a cell changes nothing.
      expectClose(crossEntropy(sub(logits, draw(k, [...lead, 1], 3)), each, options), crossEntropy(logits, each, options), 1e-10)
    }))
  })

  it('is stable: one entry far above the others, in float32', () => {
    const logits = tensor([[1e4, 0, -1e4]])
    const costs = [0, 1, 2].map(i => list(crossEntropy(logits, tensor([i], { dtype: 'int32' })))[0])
    expect(costs.map(cost => cost + 0)).toEqual([0, 1e4, 2e4])
    expect(list(grad((z: Tensor) => sum(crossEntropy(z, tensor([2], { dtype: 'int32' }))))(logits))).toEqual([1, 0, -1])
  })

  it('may exclude classes: a logit of −∞ costs nothing where the truth is 0, as indices or as probabilities', () => {
    const logits = tensor(Float64Array.of(1, -Infinity, 2, 0, -Infinity, -Infinity), { shape: [2, 3] })
    const numbers = tensor([2, 0], { dtype: 'int32' })
    const hot = tensor(Float64Array.of(0, 0, 1, 1, 0, 0), { shape: [2, 3] })
    expectClose(crossEntropy(logits, hot), [Math.log(1 + Math.exp(-1)), 0])
    expectClose(crossEntropy(logits, hot), crossEntropy(logits, numbers))
    const p = 1 / (1 + Math.E)
    for (const labels of [hot, numbers]) {
      expectClose(grad((z: Tensor) => sum(crossEntropy(z, labels)))(logits), [p, 0, -p, 0, 0, 0])
    }
    // By the truth: −log p, and 0 where p is 0.
    expectClose(grad((y: Tensor) => sum(crossEntropy(logits, y)))(hot), [1 + Math.log(1 + Math.exp(-1)), 0, Math.log(1 + Math.exp(-1)), 0, 0, 0], 1e-9)
    expect(list(crossEntropy(logits, tensor([1, 0], { dtype: 'int32' })))[0]).toBe(Infinity)
    const infinite = tensor(Float64Array.of(-Infinity, -Infinity), { shape: [1, 2] })
    expectClose(bce(infinite, f64(0, 0)), [0])
    expect(list(bce(infinite, f64(0, 1)))).toEqual([Infinity])
    expectClose(grad((z: Tensor) => sum(bce(z, f64(0, 0))))(infinite), [0, 0])
  })

  it('is NaN for a logit of ∞, only in its sample, and so is its derivative: ∞ − ∞ may be anything', () => {
    const logits = tensor(Float64Array.of(Infinity, 0, 1, 0), { shape: [2, 2] })
    for (const f of [
      (z: Tensor) => crossEntropy(z, tensor([0, 0], { dtype: 'int32' })), (z: Tensor) => bce(z, ones([2, 2], { dtype: 'float64' })),
    ]) {
      expect(list(f(logits)).map(Number.isNaN)).toEqual([true, false])
      const owed = list(grad((z: Tensor) => sum(f(z)))(logits))
      expect([Number.isNaN(owed[0]), ...owed.slice(2).map(Number.isNaN)]).toEqual([true, false, false])
    }
  })

  it('has no gradient in cells that do not count, whatever their values', () => {
    const anything = fc.constantFrom(NaN, Infinity, -Infinity, 3)
    fc.assert(fc.property(keys, anything, fc.constantFrom('cell' as const, 'image' as const), (k, wrong, per) => {
      const mask = flip(k, [2, 3, 2], 1)
      const column = reshape(mask, [2, 3, 2, 1])
      const logits = draw(k, [2, 3, 2, 4])
      const all = [classesOf(k, [2], 4), softmax(draw(k, [2, 4], 2))]
      const each = [classesOf(k, [2, 3, 2], 4), softmax(draw(k, [2, 3, 2, 4], 2))]
      for (const labels of per === 'cell' ? [...all, ...each] : all) {
        const loss = (z: Tensor): Tensor => sum(crossEntropy(z, labels, { mask, per }))
        const spoilt = where(column, logits, wrong)
        expectClose(loss(spoilt), loss(logits))
        const gradient = grad(loss)(spoilt)
        expectClose(gradient, grad(loss)(logits))
        expect(list(where(column, 0, gradient)).every(g => g === 0)).toBe(true)
      }
      const probabilities = where(column, each[1], wrong)
      expectClose(grad((z: Tensor) => sum(crossEntropy(z, probabilities, { mask })))(logits),
        grad((z: Tensor) => sum(crossEntropy(z, each[1], { mask })))(logits))
    }))
  })

  it('does not read labels of cells that do not count', () => {
    const labels = tensor([[1, -1], [99, 0]], { dtype: 'int32' })
    const mask = tensor([[1, 0], [0, 1]], { dtype: 'uint32' })
    expectClose(crossEntropy(zeros([2, 2, 3], { dtype: 'float64' }), labels, { mask }), [Math.log(3), Math.log(3)])
    const none = tensor([[0, 0], [0, 1]], { dtype: 'uint32' })
    for (const per of ['cell', 'image'] as const) {
      expectClose(crossEntropy(zeros([2, 2, 3], { dtype: 'float64' }), tensor([1, 2], { dtype: 'int32' }), { mask: none, per }), [0, Math.log(3)])
    }
    expect(sentence(() => crossEntropy(zeros([2, 2, 3]), labels))).toMatchInlineSnapshot(`"crossEntropy: a label is -1, expected the number of a class, from 0 to 2."`)
  })

  it('says what does not fit', () => {
    const logits = zeros([2, 4, 4, 3])
    expect([
      () => crossEntropy(zeros([3]), zeros([3])),
      () => crossEntropy(logits, tensor([3, 1])),
      () => crossEntropy(logits, zeros([2, 4], { dtype: 'int32' })),
      () => crossEntropy(logits, zeros([3], { dtype: 'int32' })),
      () => crossEntropy(logits, zeros([2, 2])),
      () => crossEntropy(logits, zeros([2, 4, 4], { dtype: 'int32' }), { per: 'image' }),
      () => crossEntropy(logits, zeros([2], { dtype: 'int32' }), { mask: zeros([2, 4, 4]) }),
      () => crossEntropy(logits, zeros([2], { dtype: 'int32' }), { mask: zeros([2], { dtype: 'uint32' }) }),
      () => crossEntropy(logits, zeros([2], { dtype: 'int32' }), { per: 'pixel' } as never),
      () => crossEntropy(logits, zeros([2], { dtype: 'int32' }), { masks: 1 } as never),
    ].map(sentence)).toMatchInlineSnapshot(`
      [
        "crossEntropy: the tensor of logits must be [b,…,n] for n classes; scores [3].",
        "crossEntropy: the shape of float32 labels must be [b,n] or that of the scores; scores [2,4,4,3], labels [2]. Class numbers must be int32: tensor([3, 1], { dtype: 'int32' }).",
        "crossEntropy: the shape of int32 labels must be [b] or that of the cells; scores [2,4,4,3], labels [2,4].",
        "crossEntropy: the shape of int32 labels must be [b] or that of the cells; scores [2,4,4,3], labels [3].",
        "crossEntropy: the shape of float32 labels must be [b,n] or that of the scores; scores [2,4,4,3], labels [2,2]. Class numbers must be int32: tensor([3, 1], { dtype: 'int32' }).",
        "crossEntropy: the shape of int32 labels must be [b] or that of the cells; scores [2,3], labels [2,4,4].",
        "crossEntropy: the mask is float32, but must be uint32, 0 or 1. Comparisons make one: greater(x, 0.5).",
        "crossEntropy: the mask must be [2,4,4]; mask [2].",
        "crossEntropy: per is "pixel", expected 'cell' or 'image'.",
        "crossEntropy: there is no option "masks"; did you mean "mask"?",
      ]
    `)
  })
})

describe('bce', () => {
  it('is −log of the probability of the truth, and the cross-entropy of two classes', () => {
    fc.assert(fc.property(keys, small, small, small, (k, b, h, c) => {
      const shape = [b, h, c]
      const logits = draw(k, shape)
      const y = sigmoid(draw(k, [h, c], 1))
      const [x, at] = [entries(logits), entries(y)]
      const p = (i: number[]): number => 1 / (1 + Math.exp(-x(i)))
      expectClose(bce(logits, y), perSampleNaive(shape, i => -at(i.slice(1)) * Math.log(p(i)) - (1 - at(i.slice(1))) * Math.log(1 - p(i))))
      check(z => bce(z, y), logits, { tolerance: 1e-5 })
      check(z => bce(logits, z), y)
      // Its gradient is (p − y) / n.
      expectClose(grad((z: Tensor) => sum(bce(z, y)))(logits), list(sub(sigmoid(logits), y)).map(v => v / (h * c)))
    }))
  })

  it('is right at 0, where formulas with |x| have a kink, and at ±100', () => {
    const zero = zeros([1, 1], { dtype: 'float64' })
    checkGrad((z: Tensor) => bce(z, ones([1], { dtype: 'float64' })), zero)
    expectClose(grad((z: Tensor) => sum(bce(z, ones([1], { dtype: 'float64' }))))(zero), [-0.5])
    for (const dtype of ['float32', 'float64'] as const) {
      const x = tensor([[100], [-100], [100], [-100]], { dtype })
      const y = tensor([[0], [0], [1], [1]], { dtype })
      expectClose(bce(x, y), [100, Math.exp(-100), Math.exp(-100), 100])
      expectClose(grad((z: Tensor) => sum(bce(z, y)))(x), [1, 0, 0, -1])
    }
  })
})

describe('diceLoss', () => {
  it('is one minus soft Dice, within [0, 1], whatever the logits', () => {
    fc.assert(fc.property(keys, small, small, small, fc.constantFrom(1, 30, 1e4), (k, b, h, c, scale) => {
      const shape = [b, h, c]
      const logits = mul(draw(k, shape), scale)
      const y = uniform(foldIn(k, 1), shape, { dtype: 'float64' })
      const [x, at] = [entries(logits), entries(y)]
      const p = (i: number[]): number => 1 / (1 + Math.exp(-x(i)))
      const total = (f: (i: number[]) => number): number[] => perSampleNaive(shape, f).map(v => v * h * c)
      const [both, own, other] = [total(i => p(i) * at(i)), total(i => p(i) ** 2), total(i => at(i) ** 2)]
      const loss = diceLoss(logits, y, { smooth: 0.5 })
      expectClose(loss, both.map((v, s) => 1 - (2 * v + 0.5) / (own[s] + other[s] + 0.5)))
      for (const v of list(loss)) expect(v >= 0 && v <= 1).toBe(true)
      if (scale === 1) check(z => diceLoss(z, y), logits)
    }))
  })

  it('is 0 for the same mask, also an empty one, and near 1 without overlap', () => {
    const logits = tensor([[100, 100, -100, -100], [-100, -100, -100, -100], [-100, -100, 100, 100]])
    const [same, empty, other] = list(diceLoss(logits, tensor([[1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0]])))
    expect([same, empty]).toEqual([0, 0])
    expect(other).toBeCloseTo(4 / 5, 6)
  })

  it('says what does not fit', () => {
    expect([
      () => diceLoss(zeros([2, 4]), zeros([3])),
      () => diceLoss(zeros([2, 4], { dtype: 'uint32' }), zeros([2, 4])),
      () => diceLoss(zeros([2, 4]), zeros([2, 4]), { smooth: 0 }),
      () => bce(zeros([2, 4]), zeros([2, 4], { dtype: 'uint32' })),
      () => overflow(zeros([2, 4]), 1, -1),
      () => overflow(zeros([2, 4]), NaN),
    ].map(sentence)).toMatchInlineSnapshot(`
      [
        "diceLoss: the target does not have the shape of x or of one of its samples; x [2,4], target [3].",
        "diceLoss: the tensor of logits is uint32, but must be float32 or float64.",
        "diceLoss: smooth is 0, expected a number > 0.",
        "bce: the target is uint32, but must be float32 or float64.",
        "overflow: low is 1, expected at most high, -1.",
        "overflow: low is NaN, expected a number.",
      ]
    `)
  })
})

describe('ssim as a loss', () => {
  it('has gradients that agree with differences, and none between equal images', () => {
    const shape = [1, 12, 11, 2]
    fc.assert(fc.property(keys, k => {
      const [x, y] = [0, 1].map(n => sigmoid(draw(k, shape, n)))
      check(z => ssim(z, y), x)
      expectClose(grad((z: Tensor) => sum(ssim(z, y)))(y), list(zeros(shape)), 1e-12)
    }), { numRuns: 3 })
  })
})

/** Unit directions, as the loss makes them: normal numbers, divided by the length of each column. */
function directionsOf(k: Key, dimension: number, projections: number): number[][] {
  const drawn = entries(normal(k, [dimension, projections], { dtype: 'float64' }))
  return Array.from({ length: projections }, (_, p) => {
    const v = Array.from({ length: dimension }, (__, i) => drawn([i, p]))
    return v.map(x => x / Math.hypot(...v))
  })
}

/** The definition: every point of either cloud as often as the other has points, then sorted lists are compared. */
function transportNaive(xs: number[][], ys: number[][], thetas: number[][]): number {
  const repeated = (points: number[][], times: number, theta: number[]): number[] =>
    points.flatMap(v => new Array<number>(times).fill(v.reduce((t, c, i) => t + c * theta[i], 0))).sort((a, b) => a - b)
  return average(thetas.map(theta => {
    const [a, b] = [repeated(xs, ys.length, theta), repeated(ys, xs.length, theta)]
    return average(a.map((v, i) => (v - b[i]) ** 2))
  }))
}

const pointsOf = (x: Tensor, sample: number): number[][] =>
  Array.from({ length: x.shape[1] }, (_, i) => Array.from({ length: x.shape[2] }, (__, c) => entries(x)([sample, i, c])))

describe('slicedTransport', () => {
  const counts = fc.integer({ min: 1, max: 7 })

  it('is the mean squared distance of sorted projections, for any two counts', () => {
    fc.assert(fc.property(keys, small, counts, counts, small, fc.boolean(), (k, b, n, m, c, shared) => {
      const x = draw(k, [b, n, c])
      const y = draw(k, shared ? [m, c] : [b, m, c], 1)
      const thetas = directionsOf(k, c, 3)
      const all = shared ? reshape(y, [1, m, c]) : y
      expectClose(slicedTransport(x, y, k, { projections: 3 }), Array.from({ length: b }, (_, s) => transportNaive(pointsOf(x, s), pointsOf(all, shared ? 0 : s), thetas)))
    }))
  })

  it('has gradients that agree with differences, for both clouds', () => {
    fc.assert(fc.property(keys, counts, counts, small, (k, n, m, c) => {
      const [x, y] = [draw(k, [2, n, c]), draw(k, [2, m, c], 1)]
      const options = { epsilon: 1e-4, tolerance: 1e-5 }
      check(z => slicedTransport(z, y, k, { projections: 2 }), x, options)
      check(z => slicedTransport(x, z, k, { projections: 2 }), y, options)
    }))
  })

  it('is 0 for equal multisets, in any order and any number of copies, and for nothing else', () => {
    fc.assert(fc.property(keys, counts, small, fc.integer({ min: 1, max: 3 }), (k, n, c, copies) => {
      const x = draw(k, [2, n, c])
      const shuffled = gather(x, drawPermutation(k, n * copies).map(i => i % n), 1)
      expectClose(slicedTransport(x, shuffled, k), [0, 0])
      const y = draw(k, [2, 5, c], 1)
      expectClose(slicedTransport(shuffled, y, k), slicedTransport(x, y, k))
      expectClose(slicedTransport(y, shuffled, k), slicedTransport(x, y, k))
      for (const v of list(slicedTransport(x, y, k))) expect(v).toBeGreaterThan(1e-6)
    }))
    // The same points, but in other proportions.
    const [a, b] = [f64(0, 0, 1), f64(0, 1, 1)].map(v => reshape(v, [1, 3, 1]))
    expectClose(slicedTransport(a, b, key(0)), [1 / 3])
  })

  it('moves the points to their targets', () => {
    fc.assert(fc.property(keys, counts, small, (k, n, c) => {
      const y = draw(k, [1, n, c])
      const away = sub(gather(y, drawPermutation(k, n), 1), broadcastTo(draw(k, [1, 1, c], 1), [1, n, c]))
      const cost = (z: Tensor): Tensor => sum(slicedTransport(z, y, k))
      const down = mul(grad(cost)(away), -0.1)
      // A move: the cost is |θ·t|², so all points go back along t, and the cost falls.
      expect(list(cost(sub(away, mul(down, -1))))[0]).toBeLessThan(list(cost(away))[0])
      expect(list(inner(down, mul(draw(k, [1, 1, c], 1), ones([1, n, c], { dtype: 'float64' }))))[0]).toBeGreaterThan(0)
    }))
    // Gradient descent matches two clouds.
    let x = draw(key(1), [1, 6, 2])
    const y = draw(key(2), [1, 6, 2])
    for (let i = 0; i < 300; i++) x = sub(x, mul(3, grad((z: Tensor) => sum(slicedTransport(z, y, foldIn(key(3), i))))(x)))
    expect(list(slicedTransport(x, y, key(4)))[0]).toBeLessThan(1e-3)
  })

  it('says what does not fit', () => {
    const k = key(0)
    const x = zeros([2, 5, 3])
    expect([
      () => slicedTransport(x, zeros([2, 5, 4]), k),
      () => slicedTransport(x, zeros([3, 5, 3]), k),
      () => slicedTransport(zeros([5, 3]), zeros([5, 3]), k),
      () => slicedTransport(x, zeros([0, 3]), k),
      () => slicedTransport(x, zeros([5, 3], { dtype: 'float64' }), k),
      () => slicedTransport(x, x, 7 as never),
      () => slicedTransport(x, x, k, { projections: 0 }),
      () => patchTransport(zeros([1, 16, 40, 3]), zeros([40, 40, 3]), k),
      () => patchTransport(zeros([1, 16, 16, 3]), zeros([16, 16, 4]), k),
    ].map(sentence)).toMatchInlineSnapshot(`
      [
        "slicedTransport: x must be [b,n,c], and y [n,c] or [b,n,c] with as many channels; x [2,5,3], y [2,5,4].",
        "slicedTransport: x must be [b,n,c], and y [n,c] or [b,n,c] with as many channels; x [2,5,3], y [3,5,3].",
        "slicedTransport: x must be [b,n,c], and y [n,c] or [b,n,c] with as many channels; x [5,3], y [5,3].",
        "slicedTransport: x must be [b,n,c], and y [n,c] or [b,n,c] with as many channels; x [2,5,3], y [0,3].",
        "slicedTransport: element types differ: x is float32, y is float64. Convert one with cast(x, dtype).",
        "slicedTransport: the key is 7, expected a key; make one with key(0).",
        "slicedTransport: projections is 0, expected a whole number > 0.",
        "patchTransport: 5 levels of 5×5 patches need 80×80 cells; x [1,16,40,3], y [40,40,3].",
        "patchTransport: x must be [b,h,w,c], and y [h,w,c] or [b,h,w,c] with as many channels; x [1,16,16,3], y [16,16,4].",
      ]
    `)
  })
})

describe('patchTransport', () => {
  /** An image as functions of its cells, halved `level` times by averaging squares of 2^level cells. */
  const patchesNaive = (image: Tensor, sample: number, size: number, level: number): number[][] => {
    const at = entries(image)
    const [, h, w, c] = image.shape
    const block = 2 ** level
    const cell = (y: number, x: number, j: number): number => average(Array.from({ length: block * block }, (_, i) =>
      at([sample, y * block + Math.floor(i / block), x * block + i % block, j])))
    const patches: number[][] = []
    for (let y = 0; y + size <= Math.floor(h / block); y++) {
      for (let x = 0; x + size <= Math.floor(w / block); x++) {
        patches.push(Array.from({ length: size * size * c }, (_, i) =>
          cell(y + Math.floor(i / (size * c)), x + Math.floor(i / c) % size, i % c)))
      }
    }
    return patches
  }

  it('is the transport of all patches inside, at all levels of a pyramid of means, for images of any size', () => {
    const sides = fc.integer({ min: 8, max: 11 })
    fc.assert(fc.property(keys, sides, sides, fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 2 }), (k, h, w, size, c) => {
      const levels = size === 3 ? 2 : 3
      const shape = size === 3 ? [2, h + 4, w + 4, c] : [2, h, w, c]
      const [x, y] = [draw(k, shape), draw(k, [12, 13, c], 1)]
      const costs = Array.from({ length: levels }, (_, level) => {
        const thetas = directionsOf(foldIn(k, level), size * size * c, 2)
        const target = patchesNaive(reshape(y, [1, ...y.shape]), 0, size, level)
        return [0, 1].map(s => transportNaive(patchesNaive(x, s, size, level), target, thetas))
      })
      expectClose(patchTransport(x, y, k, { size, levels, projections: 2 }), [0, 1].map(s => average(costs.map(of => of[s]))))
    }), { numRuns: 6 })
  })

  it('has gradients that agree with differences', () => {
    fc.assert(fc.property(keys, k => {
      const [x, y] = [draw(k, [1, 6, 5, 1]), draw(k, [1, 7, 6, 1], 1)]
      check(z => patchTransport(z, y, k, { size: 2, levels: 2, projections: 2 }), x, { epsilon: 1e-5, tolerance: 1e-4 })
    }))
  })

  it('recognises a texture wherever it begins, and distinguishes textures of the same colours', () => {
    const stripes = (offset: number, along: 0 | 1): Tensor => build([1, 20, 20, 1], index => (index[1 + along] + offset) % 4 < 2 ? 1 : 0)
    const cost = (a: Tensor, b: Tensor): number => list(patchTransport(a, b, key(0), { levels: 2 }))[0]
    expect(cost(stripes(0, 0), stripes(0, 0))).toBe(0)
    expect(cost(stripes(2, 0), stripes(0, 0))).toBeLessThan(0.05 * cost(stripes(0, 1), stripes(0, 0)))
  })
})

describe('losses', () => {
  it('have one value per sample, so that a pool can rank them', () => {
    const x = draw(key(0), [3, 12, 12, 2])
    const y = draw(key(1), [12, 12, 2])
    const whole = [mse(x, y), l1(x, y), overflow(x), ssim(x, y), diceLoss(x, sigmoid(y)), bce(x, sigmoid(y)), patchTransport(x, y, key(2), { levels: 1 })]
    const second = gather(x, [1], 0)
    const one = [mse(second, y), l1(second, y), overflow(second), ssim(second, y), diceLoss(second, sigmoid(y)), bce(second, sigmoid(y)), patchTransport(second, y, key(2), { levels: 1 })]
    whole.forEach((loss, i) => {
      expect(loss.shape).toEqual([3])
      expectClose(gather(loss, [1], 0), one[i])
    })
    expectClose(mean(mse(x, y)), mean(square(sub(x, y))))
  })
})
