import { describe, expect, it } from 'vitest'
import {
  add, checkGrad, checkpoint, customVjp, exp, floor, grad, log, mul, scan, scope, stopGradient, sum, tanh, valueAndGrad,
  vjp, type Tensor,
} from '../../src/index.ts'
import { buffersAfter, expectClose, f64, list, scalar, sentence } from '../tensor/values.ts'

/** Rounding with the gradient of the identity. */
const round = customVjp((x: Tensor) => [floor(add(x, 0.5)), []], (_, g) => [g])

/** log(1 + eˣ) with a derivative that does not overflow; its backward reads a saved value. */
const softplus = customVjp(
  (x: Tensor) => [log(add(1, exp(x))), [x]],
  ([x], g) => [mul(g, mul(0.5, add(1, tanh(mul(x, 0.5)))))],
)

describe('customVjp', () => {
  it('uses the derivative it is given: straight through', () => {
    const x = f64(0.4, 1.6)
    const [y, g] = valueAndGrad((z: Tensor) => sum(mul(round(z), round(z))))(x)
    expect([list(y), list(g)]).toEqual([[4], [0, 4]])
    expect(list(round(x))).toEqual([0, 2])
  })

  it('is right to second order if both functions are', () => {
    checkGrad((x: Tensor) => softplus(mul(x, x)), f64(0.3, -0.7), { order: 3, tolerance: 1e-5 })
  })

  it('is differentiated by outer transforms as written, forward and backward', () => {
    // f(x) = round(x)·x with the inner gradient g = round(x) + x·1; outwards, round has no derivative, the sum has 1.
    const f = (x: Tensor): Tensor => mul(round(x), x)
    expect(list(grad(f)(scalar(1.6)))).toEqual([3.6])
    expect(list(grad(grad(f))(scalar(1.6)))).toEqual([1])
  })

  it('takes several arguments, null for none, and saves the values that backward reads', () => {
    const scaled = customVjp((x: Tensor, k: Tensor) => [mul(x, k), [k, x]], ([k], g) => [mul(g, mul(k, 10)), null])
    const g = grad(({ x, k }: { x: Tensor; k: Tensor }) => sum(scaled(x, k)))({ x: f64(1, 2), k: f64(3, 4) })
    expect([list(g.x), list(g.k)]).toEqual([[30, 40], [0, 0]])
  })

  it('returns a constant if no argument is traced, and gives untraced arguments no gradient', () => {
    const k = f64(5)
    expect(list(grad((x: Tensor) => sum(mul(x, round(k))))(f64(2)))).toEqual([5])
    const product = customVjp((a: Tensor, b: Tensor) => [mul(a, b), [a, b]], ([a, b], g) => [mul(g, b), mul(g, a)])
    expect(list(grad((x: Tensor) => sum(product(x, k)))(f64(2)))).toEqual([5])
  })

  it('may return an argument as its output', () => {
    const flip = customVjp((x: Tensor) => [x, []], (_, g) => [mul(g, -1)])
    expect(list(grad((x: Tensor) => sum(mul(flip(x), 3)))(f64(1)))).toEqual([-3])
    const x = f64(1)
    expect(flip(x)).toBe(x)
  })

  it('may contain transforms and other custom functions', () => {
    const outer = customVjp((x: Tensor) => [round(mul(x, grad((y: Tensor) => sum(mul(y, y)))(x))), []], (_, g) => [round(mul(g, 2.6))])
    expect(list(grad((x: Tensor) => sum(outer(x)))(f64(1.2)))).toEqual([3])
  })

  it('works inside checkpoint and scan', () => {
    const f = (x: Tensor): Tensor => sum(scan((c: Tensor) => [checkpoint(softplus)(c), null] as const, x, 5)[0])
    const plain = (x: Tensor): Tensor => { let c = x; for (let i = 0; i < 5; i++) c = softplus(c); return sum(c) }
    expectClose(grad(f)(f64(0.3)), grad(plain)(f64(0.3)))
    checkGrad(f, f64(0.3))
  })
})

describe('captures', () => {
  const refused = (f: (x: Tensor, w: Tensor) => Tensor): string => sentence(() => grad(({ x, w }: { x: Tensor; w: Tensor }) => sum(f(x, w)))({ x: f64(1), w: f64(2) }))

  it('of traced tensors are refused, whether computed with, returned or saved', () => {
    expect(refused((x, w) => customVjp((z: Tensor) => [mul(z, w), []], (_, g) => [g])(x))).toMatchInlineSnapshot(
      `"customVjp: the forward function uses tensor#n [1], which is being differentiated but is not an argument; pass it in."`,
    )
    expect(refused((x, w) => customVjp<[Tensor], []>(() => [w, []], (_, g) => [g])(x))).toMatch(/^customVjp: the forward function uses/)
    expect(refused((x, w) => customVjp((z: Tensor) => [z, [w]], ([s], g) => [mul(s, g)])(x))).toMatch(/^customVjp: the forward function uses/)
    expect(refused((x, w) => customVjp((z: Tensor) => [round(mul(z, w)), []], (_, g) => [g])(x))).toMatch(/^customVjp: the forward function uses/)
    expect(refused((x, w) => customVjp((z: Tensor) => [mul(z, grad((y: Tensor) => sum(mul(y, w)))(z)), []], (_, g) => [g])(x))).toMatch(/^customVjp: the forward function uses/)
  })

  it('are refused if no argument is traced, too', () => {
    expect(refused((x, w) => mul(x, customVjp((z: Tensor) => [mul(z, w), []], (_, g) => [g])(f64(3))))).toMatch(/^customVjp: the forward function uses/)
  })

  it('are refused inside checkpoint, when it runs again', () => {
    expect(refused((x, w) => checkpoint((v: Tensor) => customVjp((z: Tensor) => [mul(z, w), []], (_, g) => [g])(v))(x))).toMatch(/^customVjp: the forward function uses/)
  })

  it('of an inner transform are refused if the arguments belong to an outer one', () => {
    const f = (x: Tensor): Tensor => grad((y: Tensor) => sum(customVjp((z: Tensor) => [mul(z, y), []], (_, g) => [g])(x)))(f64(2))
    expect(sentence(() => grad((x: Tensor) => sum(f(x)))(f64(1)))).toMatch(/^customVjp: the forward function uses/)
  })

  it('of an outer transform are allowed: it differentiates what it sees', () => {
    // Inner gradient by the custom rule: 10·w. The outer derivative with respect to w: 10.
    const f = (w: Tensor): Tensor => sum(grad((x: Tensor) => sum(customVjp((z: Tensor) => [mul(z, w), []], (_, g) => [mul(g, mul(w, 10))])(x)))(f64(2)))
    expect(list(f(f64(3)))).toEqual([30])
    expect(list(grad(f)(f64(3)))).toEqual([10])
  })

  it('by backward only are refused by name', () => {
    expect(refused((x, w) => customVjp((z: Tensor) => [mul(z, 2), []], (_, g) => [mul(g, w)])(x))).toMatchInlineSnapshot(
      `"mul: an input outlived the grad() that traced it; return it from the function, or as aux of valueAndGradAux."`,
    )
  })

  it('of constants are allowed', () => {
    const k = f64(3)
    expect(list(grad((x: Tensor) => sum(customVjp((z: Tensor) => [mul(z, k), []], (_, g) => [mul(g, k)])(x)))(f64(1)))).toEqual([3])
    const f = (x: Tensor): Tensor => { const stopped = stopGradient(mul(x, 5)); return sum(customVjp((z: Tensor) => [mul(z, stopped), [stopped]], ([k5], g) => [mul(g, k5)])(x)) }
    expect(list(grad(f)(f64(1)))).toEqual([5])
  })
})

describe('mistakes', () => {
  it('are named', () => {
    const twoForOne = customVjp((x: Tensor) => [mul(x, 2), []], (_, g) => [g, g])
    expect(sentence(() => grad((x: Tensor) => sum(twoForOne(x)))(f64(1)))).toMatchInlineSnapshot(
      `"customVjp: backward returned 2 cotangents for 1 arguments; null stands for none."`,
    )
    const wrongShape = customVjp((x: Tensor) => [mul(x, 2), []], (_, g) => [sum(g)])
    expect(sentence(() => grad((x: Tensor) => sum(wrongShape(x)))(f64(1, 2)))).toMatchInlineSnapshot(
      `"the derivative of customVjp: a cotangent is [] float64 for a value that is [2] float64."`,
    )
    const later = customVjp((async (x: Tensor) => [x, []]) as never, (_, g) => [g])
    expect(sentence(() => later(f64(1)))).toMatchInlineSnapshot(
      `"customVjp(): the function returned a Promise. It must be synchronous: what it computes after an await would be neither recorded nor released. Await data outside and pass it in."`,
    )
  })

  it('leave nothing behind', () => {
    const x = f64(1)
    const failing = customVjp((z: Tensor) => [mul(z, 2), [mul(z, 3)]], () => { throw new Error('backward') })
    expect(buffersAfter(() => expect(() => grad((z: Tensor) => sum(failing(mul(z, 2))))(x)).toThrow('backward'))).toBe(0)
    const broken = customVjp((z: Tensor) => { mul(z, 2); throw new Error('forward') }, () => [])
    expect(buffersAfter(() => expect(() => grad((z: Tensor) => sum(broken(z)))(x)).toThrow('forward'))).toBe(0)
    expect(buffersAfter(() => scope(() => vjp((z: Tensor) => softplus(z), x)[1]))).toBe(0) // it keeps x, which was there
  })
})
