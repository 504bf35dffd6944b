// Losses and metrics of depth, and those for masks with few cells: from the definition, entry by entry, and their
// gradients from differences.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  absRel, add, bce, checkGrad, depthDelta, diceBce, diceLoss, exp, focalLoss, foldIn, grad, greater, key, mul, normal,
  scaleInvariant, sum, tensor, uniform, where, zeros, type Key, type Tensor,
} from '../../src/index.ts'
import { expectClose, list, sentence } from '../tensor/values.ts'

const small = fc.integer({ min: 1, max: 4 })
const keys = fc.nat(1e6).map(key)
const draw = (k: Key, shape: readonly number[]): Tensor => normal(k, shape, { dtype: 'float64' })

/** The entries of each of b samples. */
function samples(x: Tensor, b: number): number[][] {
  const values = list(x), size = values.length / b
  return Array.from({ length: b }, (_, i) => values.slice(i * size, (i + 1) * size))
}

const mean = (values: readonly number[]): number => (values.length === 0 ? 0 : values.reduce((a, b) => a + b, 0) / values.length)

describe('depth', () => {
  it('is judged as in the papers, over the cells with a known depth', () => {
    // A λ just below 1 over a single known cell leaves (1 − λ) d², whose differences are nothing but rounding.
    fc.assert(fc.property(keys, small, small, fc.double({ min: 0, max: 0.9, noNaN: true }), fc.boolean(), (k, b, h, lambda, masked) => {
      const shape = [b, h, 3]
      const [said, truth] = [draw(foldIn(k, 1), shape), exp(draw(foldIn(k, 2), shape))]
      const mask = greater(draw(foldIn(k, 3), shape), 0)
      const given = masked ? { mask } : {}
      const [x, y, counts] = [said, truth, mask].map(t => samples(t, b))
      const over = (f: (x: number, y: number) => number): number[] => x.map((row, i) =>
        mean(row.flatMap((v, j) => (!masked || counts[i][j] === 1 ? [f(v, y[i][j])] : []))))
      const d = over((v, w) => v - Math.log(w))
      expectClose(scaleInvariant(said, truth, { lambda, ...given }),
        over((v, w) => (v - Math.log(w)) ** 2).map((square, i) => square - lambda * d[i] ** 2))
      expectClose(absRel(said, truth, given), over((v, w) => Math.abs(v - w) / w))
      expectClose(depthDelta(exp(said), truth, { ratio: 1.5, ...given }), over((v, w) => +(Math.max(Math.exp(v) / w, w / Math.exp(v)) < 1.5)))
      checkGrad(z => scaleInvariant(z, truth, { lambda, ...given }), said, { order: 2 })
      // Unknown depths may be anything, and have no gradient.
      const spoilt = where(mask, truth, NaN)
      expectClose(scaleInvariant(said, spoilt, { mask }), scaleInvariant(said, truth, { mask }))
      const gradient = grad((z: Tensor) => sum(scaleInvariant(z, spoilt, { mask })))(said)
      expect(list(where(mask, 0, gradient)).every(v => v === 0)).toBe(true)
    }))
  })

  it('does not penalise a common scale if λ is 1', () => {
    fc.assert(fc.property(keys, fc.double({ min: -3, max: 3, noNaN: true }), (k, scale) => {
      const truth = exp(draw(k, [2, 5]))
      const off = add(scale, draw(k, [2, 5]))
      scaleInvariant(off, truth, { lambda: 1 }).toArray().forEach(v => expect(v).toBeCloseTo(0, 10))
    }))
  })

  it('counts as wrong if it is NaN or not above 0', () => {
    expect(list(depthDelta(tensor([[1, 1.2, 1.3, NaN, -1, 0]]), tensor([1, 1, 1, 1, 1, 1])))[0]).toBeCloseTo(2 / 6)
  })

  it('says what does not fit', () => {
    expect([
      () => absRel(zeros([2, 4]), zeros([3])),
      () => scaleInvariant(zeros([2, 4]), zeros([4]), { lambda: 2 }),
      () => depthDelta(zeros([2, 4]), zeros([4]), { ratio: 1 }),
      () => depthDelta(zeros([2, 4]), zeros([4]), { mask: zeros([2, 4]) }),
    ].map(sentence)).toMatchInlineSnapshot(`
      [
        "absRel: the target does not have the shape of x or of one of its samples; x [2,4], target [3].",
        "scaleInvariant: lambda is 2, expected a number from 0 to 1.",
        "depthDelta: ratio is 1, expected a number > 1.",
        "depthDelta: the mask is float32, but must be uint32, 0 or 1. Comparisons make one: greater(x, 0.5).",
      ]
    `)
  })
})

describe('masks with few cells', () => {
  it('focal loss is its equation, and the cross-entropy if γ is 0', () => {
    const gammas = fc.constantFrom(0, 0.5, 1, 2, 3.5)
    fc.assert(fc.property(keys, small, gammas, fc.constantFrom(null, 0.25, 1), (k, b, gamma, alpha) => {
      const logits = mul(draw(k, [b, 5]), 2)
      const target = uniform(foldIn(k, 1), [b, 5], { dtype: 'float64' })
      const [x, y] = [logits, target].map(t => samples(t, b))
      const [one, other] = alpha === null ? [1, 1] : [alpha, 1 - alpha]
      expectClose(focalLoss(logits, target, { gamma, alpha }), x.map((row, i) => mean(row.map((v, j) => {
        const p = 1 / (1 + Math.exp(-v))
        return -one * (1 - p) ** gamma * y[i][j] * Math.log(p) - other * p ** gamma * (1 - y[i][j]) * Math.log(1 - p)
      }))))
      if (gamma === 0 && alpha === null) expectClose(focalLoss(logits, target, { gamma }), bce(logits, target))
      checkGrad(z => focalLoss(z, target, { gamma, alpha }), logits, { order: 2 })
    }))
  })

  it('focal loss is finite, and has a gradient, at any finite logit', () => {
    const logits = tensor([[-500, 500, -500, 500]])
    const target = tensor([0, 1, 1, 0])
    expectClose(focalLoss(logits, target), [250])
    const [gradient] = samples(grad((z: Tensor) => sum(focalLoss(z, target)))(logits), 1)
    gradient.forEach((g, i) => expect(g).toBeCloseTo([0, 0, -0.25, 0.25][i], 5))
  })

  it('Dice and cross-entropy are added', () => {
    fc.assert(fc.property(keys, small, fc.constantFrom(0, 0.5, 1), (k, b, weight) => {
      const logits = draw(k, [b, 2, 3])
      const target = greater(draw(foldIn(k, 1), [2, 3]), 0)
      const y = where(target, 1, mul(0, draw(k, [2, 3])))
      expectClose(diceBce(logits, y, { weight, smooth: 0.5 }), add(diceLoss(logits, y, { smooth: 0.5 }), mul(weight, bce(logits, y))))
      checkGrad(z => diceBce(z, y), logits)
    }))
  })

  it('say what does not fit', () => {
    expect([
      () => focalLoss(zeros([2, 4]), zeros([4]), { gamma: -1 }),
      () => focalLoss(zeros([2, 4]), zeros([4]), { alpha: 2 }),
      () => focalLoss(zeros([2, 4]), zeros([3])),
      () => diceBce(zeros([2, 4]), zeros([4]), { weight: -1 }),
      () => diceBce(zeros([2, 4]), zeros([3])),
    ].map(sentence)).toMatchInlineSnapshot(`
      [
        "focalLoss: gamma is -1, expected a number ≥ 0.",
        "focalLoss: alpha is 2, expected null, or a number from 0 to 1.",
        "focalLoss: the target does not have the shape of x or of one of its samples; x [2,4], target [3].",
        "diceBce: weight is -1, expected a number ≥ 0.",
        "diceLoss: the target does not have the shape of x or of one of its samples; x [2,4], target [3].",
      ]
    `)
  })
})
