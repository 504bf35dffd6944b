// Derivatives of a^b of every order, at the points where a formula has 0·∞.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkGrad, grad, pow, tensor, type Tensor } from '../../src/index.ts'
import { scalar } from './values.ts'
import { runs } from '../long.ts'

type Of = (x: Tensor) => Tensor

/** ∂ᵐ/∂aᵐ ∂ⁿ/∂bⁿ a^b, differentiated in the order of the letters. */
function derivative(order: string, a: number, b: number): number {
  let f = (x: Tensor, y: Tensor): Tensor => pow(x, y)
  for (const letter of order) {
    const before = f
    f = letter === 'a' ? (x, y) => grad((z: Tensor) => before(z, y))(x) : (x, y) => grad((z: Tensor) => before(x, z))(y)
  }
  return f(scalar(a), scalar(b)).toArray()[0]
}

describe('the derivatives of a^b', () => {
  it('are those of a polynomial for whole b, everywhere', () => {
    const bases = fc.constantFrom(0, -0, 1, -1, 2, -3, 0.5)
    fc.assert(fc.property(bases, fc.integer({ min: 0, max: 5 }), fc.integer({ min: 1, max: 5 }), (a, b, m) => {
      let f: Of = x => pow(x, b)
      let factor = 1
      for (let i = 0; i < m; i++) {
        f = grad(f)
        factor *= b - i
      }
      expect(f(scalar(a)).toArray()[0] + 0).toBeCloseTo(m > b ? 0 : factor * a ** (b - m), 10)
    }), runs(200))
  })

  it('are right to the fourth order for positive a, at whole b too', () => {
    const powers = fc.constantFrom(0, 1, 2, 3, -1, 0.5)
    fc.assert(fc.property(fc.constantFrom(1.5, 0.5, 2), powers, fc.nat(99), (a, b, seed) => {
      const f = ([x, y]: Tensor[]): Tensor => pow(x, y)
      checkGrad(f, [scalar(a), scalar(b)], { order: 4, seed, tolerance: 1e-5, epsilon: 3e-3 })
    }), runs(12))
  })

  it('do not depend on the order in which they are taken', () => {
    const points = fc.constantFrom(0, 1, -1, 2, -2, 0.5, 3)
    const orders = fc.shuffledSubarray(['a', 'a', 'b', 'b'], { minLength: 2 })
    fc.assert(fc.property(points, points, orders, orders, (a, b, one, other) => {
      if ([...one].sort().join('') !== [...other].sort().join('')) return
      expect(derivative(one.join(''), a, b)).toEqual(derivative(other.join(''), a, b))
    }), runs(300))
  })

  it('are limits where a or b is 0', () => {
    expect(derivative('ab', 2, 0)).toBe(0.5)
    expect(derivative('ba', 2, 0)).toBe(0.5)
    expect([0, 1, 2, 0.5].map(b => derivative('b', 0, b))).toEqual([0, 0, 0, 0])
    expect([derivative('a', 0, 1), derivative('a', 0, 2), derivative('a', 0, 0.5)]).toEqual([1, 0, Infinity])
    expect([derivative('ab', 0, 0), derivative('ab', 0, 0.5), derivative('ab', 0, 2)]).toEqual([Infinity, -Infinity, 0])
    expect(derivative('b', -2, 2)).toBeNaN()
    expect(grad((x: Tensor) => grad((y: Tensor) => pow(y, 0))(x))(tensor(0)).toArray()[0]).toBe(0)
  })
})
