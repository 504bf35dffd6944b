import { describe, expect, it } from 'vitest'
import {
  abs, add, cast, checkGrad, cos, customVjp, greater, matmul, mul, reshape, sin, tanh, tensor, transpose, zerosLike,
  type Tensor,
} from '../../src/index.ts'
import { buffersAfter, f64, sentence } from '../tensor/values.ts'

/** sin whose derivative is a broken cos. */
function sine(wrong: (correct: Tensor, x: Tensor) => Tensor): (x: Tensor) => Tensor {
  return customVjp((x: Tensor) => [sin(x), [x]], ([x], g) => [wrong(mul(g, cos(x)), x)])
}

describe('checkGrad', () => {
  it('accepts right gradients, of trees and of several outputs, and reports what it compared', () => {
    const f = (p: { a: Tensor; b: [Tensor]; n: number }): unknown => ({ y: mul(p.a, sin(p.b[0])), mask: greater(p.a, 0), z: [tanh(mul(p.a, p.n))] })
    const reports = checkGrad(f, { a: f64(0.3, -2), b: [f64(1.1)], n: 3 }, { order: 3, tolerance: 1e-5 })
    expect(reports.map(r => r.order)).toEqual([1, 2, 3])
    for (const { measured, computed, error } of reports) {
      expect(error).toBeLessThanOrEqual(Math.abs(measured - computed) / Math.abs(computed))
      expect(error).toBeLessThan(1e-5)
      expect(computed).not.toBe(0)
    }
  })

  it('catches a wrong sign, a wrong factor and a missing or surplus term, and reports the seed', () => {
    const wrongs: ((g: Tensor, x: Tensor) => Tensor)[] = [g => mul(g, -1), g => mul(g, 1.01), g => zerosLike(g), (g, x) => add(g, mul(x, 0.01))]
    const x = f64(0.3, -2, 1.2)
    for (let seed = 0; seed < 30; seed++) {
      checkGrad(sine(g => g), x, { seed })
      for (const wrong of wrongs) {
        expect(sentence(() => checkGrad(sine(wrong), x, { seed, order: 1 }))).toMatch(/^checkGrad: the derivative of order 1 is wrong: measured \S+, computed \S+ \(relative difference \S+, tolerance 0.000001; seed \d+\)\.$/)
        expect(sentence(() => checkGrad(sine(wrong), x, { seed, order: 1 }))).toContain(`seed ${seed})`)
      }
    }
  })

  it('is as strict with small derivatives as with large ones', () => {
    for (const scale of [1e-9, 1, 1e9]) {
      const scaled = (f: (x: Tensor) => Tensor) => (x: Tensor): Tensor => mul(f(x), scale)
      checkGrad(scaled(sine(g => g)), f64(0.3, -2))
      expect(sentence(() => checkGrad(scaled(sine(g => mul(g, 1.01))), f64(0.3, -2)))).toContain('is wrong')
    }
  })

  it('catches a matrix that is not transposed, and a product rule with a term missing', () => {
    const x = f64(0.3, -2, 1.2, 0.7)
    const [a, b] = [reshape(x, [2, 2]), reshape(f64(1, 0.4, -0.6, 2), [2, 2])]
    const product = (gradA: (g: Tensor, y: Tensor) => Tensor, gradB: (g: Tensor, y: Tensor) => Tensor) =>
      (p: Tensor[]): Tensor => customVjp(
        (s: Tensor, t: Tensor) => [matmul(s, t), [s, t]],
        ([s, t], g) => [gradA(g, t), gradB(g, s)],
      )(p[0], p[1])
    const rightA = (g: Tensor, t: Tensor): Tensor => matmul(g, transpose(t))
    const rightB = (g: Tensor, s: Tensor): Tensor => matmul(transpose(s), g)
    checkGrad(product(rightA, rightB), [a, b])
    expect(sentence(() => checkGrad(product((g, t) => matmul(g, t), rightB), [a, b]))).toContain('is wrong')
    expect(sentence(() => checkGrad(product(rightA, (g, s) => matmul(s, g)), [a, b]))).toContain('is wrong')
    expect(sentence(() => checkGrad(product(rightA, (g, s) => transpose(rightB(g, s))), [a, b]))).toContain('is wrong')
    // d(x·x) = x·dx + dx·x; one of the two terms is missing.
    const square = customVjp((s: Tensor) => [mul(s, s), [s]], ([s], g) => [mul(g, s)])
    expect(sentence(() => checkGrad(square, x))).toContain('is wrong')
  })

  it('catches a second derivative that is wrong where the first is right', () => {
    // The derivative of sin has the right value, but is computed by a cos without a derivative.
    const detached = customVjp((x: Tensor) => [cos(x), []], (_, g) => [mul(g, 0)])
    const f = customVjp((x: Tensor) => [sin(x), [x]], ([x], g) => [mul(g, detached(x))])
    expect(checkGrad(f, f64(0.3, -2), { order: 1 }).length).toBe(1)
    expect(sentence(() => checkGrad(f, f64(0.3, -2)))).toContain('the derivative of order 2 is wrong')
  })

  it('catches a NaN, and a kink within its step', () => {
    expect(sentence(() => checkGrad(sine(g => mul(g, NaN)), f64(1)))).toContain('computed NaN')
    expect(sentence(() => checkGrad(abs, f64(1e-4)))).toContain('has a kink or a jump nearby')
    expect(checkGrad(abs, f64(0.1)).length).toBe(2)
  })

  it('needs float64 in and out', () => {
    expect(sentence(() => checkGrad(sin, tensor([1])))).toMatchInlineSnapshot(
      `"checkGrad: the argument is float32; differences need float64."`,
    )
    expect(sentence(() => checkGrad((p: { w: [Tensor] }) => p.w[0], { w: [tensor([1])] }))).toMatchInlineSnapshot(
      `"checkGrad: w.0 is float32; differences need float64."`,
    )
    expect(sentence(() => checkGrad((x: Tensor) => cast(x, 'float32'), f64(1)))).toMatchInlineSnapshot(
      `"checkGrad: the function returned no float64 tensor."`,
    )
  })

  it('leaves nothing behind', () => {
    const x = f64(0.3)
    expect(buffersAfter(() => checkGrad(sin, x))).toBe(0)
    expect(buffersAfter(() => sentence(() => checkGrad(sine(g => mul(g, 2)), x)))).toBe(0)
  })
})
