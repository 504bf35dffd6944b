import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  add, cast, checkGrad, exp, grad, greater, hvp, inner, mul, ones, pow, reshape, scope, sin, stopGradient, sub, sum,
  tanh, tensor, valueAndGrad, valueAndGradAux, type Tensor,
} from '../../src/index.ts'
import { buffersAfter, expectClose, f64, list, peakOf, scalar, sentence } from '../tensor/values.ts'
import { programs, run, vector } from './program.ts'

describe('grad', () => {
  it('has the tree of argument 0 and leaves its other leaves alone', () => {
    const params = { w: f64(1, 2), b: [scalar(3)], name: 'x', none: null }
    const g = grad((p: typeof params) => add(inner(p.w, p.w), mul(p.b[0], 5)))(params)
    expect([list(g.w), list(g.b[0]), g.name, g.none]).toEqual([[2, 4], [5], 'x', null])
  })

  it('does not confuse perturbations', () => {
    // d/dx (x · d/dy (x + y)) = 1, not 2 (Siskind & Pearlmutter 2005)
    expect(list(grad((x: Tensor) => mul(x, grad((y: Tensor) => add(x, y))(scalar(2))))(scalar(1)))).toEqual([1])
    // d/dx (x · d/dy (x·y)) = 2x
    expect(list(grad((x: Tensor) => mul(x, grad((y: Tensor) => mul(x, y))(scalar(2))))(scalar(5)))).toEqual([10])
    // The inner function ignores its own argument: d/dx (x · d/dy x²) = 0
    expect(list(grad((x: Tensor) => mul(x, grad<Tensor, []>(() => mul(x, x))(scalar(2))))(scalar(5)))).toEqual([0])
    // Evaluated at the outer variable itself: d/dx [d/dy x·y² at y = x] = d/dx 2x² = 4x
    expect(list(grad((x: Tensor) => grad((y: Tensor) => mul(x, mul(y, y)))(x))(scalar(3)))).toEqual([12])
  })

  it('composes to any order', () => {
    const orders = (f: (x: Tensor) => Tensor, x: number): number[] => {
      let g = f
      return [0, 1, 2, 3, 4].map(n => {
        if (n > 0) g = grad(g)
        return list(g(scalar(x)))[0]
      })
    }
    expect(orders(x => pow(x, 4), 2)).toEqual([16, 32, 48, 48, 24])
    const x = 0.7
    orders(sin, x).forEach((v, n) => expect(v).toBeCloseTo(Math.sin(x + n * Math.PI / 2), 12))
    orders(y => exp(mul(y, 2)), x).forEach((v, n) => expect(v).toBeCloseTo(2 ** n * Math.exp(2 * x), 9))
    expect(checkGrad((y: Tensor) => tanh(mul(y, y)), f64(0.3, -0.8), { order: 4, tolerance: 1e-4 }).length).toBe(4)
  })

  it('follows the branch that host values choose', () => {
    const f = (x: Tensor): Tensor => (x.toArray()[0] > 0 ? mul(x, x) : mul(x, -3))
    expect([list(grad(f)(scalar(2))), list(grad(f)(scalar(-2)))]).toEqual([[4], [-3]])
  })

  it('accepts one number of any rank, and nothing else', () => {
    expect(list(grad((x: Tensor) => reshape(mul(x, x), [1, 1, 1]))(f64(3)))).toEqual([6])
    expect(sentence(() => grad((x: Tensor) => mul(x, 2))(f64(1, 2)))).toMatchInlineSnapshot(
      `"grad(): the function must return one number to be differentiated, got a tensor [2]. Reduce it with sum or mean."`,
    )
    expect(sentence(() => grad<Tensor, []>(() => 3 as never)(f64(1, 2)))).toMatchInlineSnapshot(
      `"grad(): the function must return one number to be differentiated, got number. Reduce it with sum or mean."`,
    )
    expect(sentence(() => grad((x: Tensor) => sum(greater(x, 0)))(f64(1, 2)))).toMatchInlineSnapshot(
      `"grad(): the result is uint32, but must be float32 or float64."`,
    )
    expect(sentence(() => grad((x: Tensor) => sum(cast(x, 'float64')))(tensor([1], { dtype: 'int32' })))).toMatchInlineSnapshot(
      `"grad(): argument 0 is int32, but must be float32 or float64."`,
    )
    expect(sentence(() => grad((p: { a: [Tensor] }) => p.a[0])({ a: [tensor([1], { dtype: 'uint32' })] }))).toMatchInlineSnapshot(
      `"grad(): a.0 is uint32, but must be float32 or float64."`,
    )
  })

  it('refuses asynchronous functions', () => {
    expect(sentence(() => grad((async (x: Tensor) => x) as never)(f64(1)))).toMatchInlineSnapshot(
      `"grad(): the function returned a Promise. It must be synchronous: what it computes after an await would be neither recorded nor released. Await data outside and pass it in."`,
    )
    expect(sentence(() => valueAndGrad((async (x: Tensor) => x) as never)(f64(1)))).toContain('valueAndGrad(): the function returned a Promise.')
    expect(sentence(() => valueAndGradAux((async (x: Tensor) => [x, 0]) as never)(f64(1)))).toContain('valueAndGradAux(): the function returned a Promise.')
  })

  it('passes on a NaN', () => {
    expect(list(grad((x: Tensor) => sum(mul(x, x)))(f64(1, NaN)))).toEqual([2, NaN])
  })
})

describe('valueAndGrad', () => {
  it('returns both, concrete', () => {
    const [y, g] = valueAndGrad((x: Tensor, k: number) => sum(mul(mul(x, x), k)))(f64(1, 2), 10)
    expect([list(y), list(g)]).toEqual([[50], [20, 40]])
    expect([y.traced, g.traced]).toEqual([null, null])
  })
})

describe('valueAndGradAux', () => {
  it('returns the auxiliary values, and differentiates only the loss', () => {
    const f = (x: Tensor) => {
      const y = mul(x, x)
      const loss = sum(y)
      return [loss, { y, list: [loss, mul(y, 7)], mask: greater(x, 1), n: 4, x }] as const
    }
    const x = f64(1, 2)
    const [[loss, aux], g] = valueAndGradAux(f)(x)
    expect(list(g)).toEqual([2, 4])
    expect([list(loss), list(aux.y), aux.list.map(list), list(aux.mask), aux.n]).toEqual([[5], [1, 4], [[5], [7, 28]], [0, 1], 4])
    expect(aux.x).toBe(x)
    expect(list(add(aux.y, 1))).toEqual([2, 5])
  })

  it('keeps an outer derivative through the auxiliary values', () => {
    // d/dx Σ (x² + 2x), where x² is the auxiliary value and 2x the inner gradient
    const f = (x: Tensor): Tensor => {
      const [[, square], g] = valueAndGradAux((z: Tensor) => [sum(mul(z, z)), mul(z, z)] as const)(x)
      return sum(add(square, g))
    }
    expect(list(grad(f)(f64(3, 4)))).toEqual([8, 10])
  })
})

describe('hvp', () => {
  /** The Hessian, row by row: the gradients of the components of the gradient. */
  function hessian(f: (x: Tensor) => Tensor, x: Tensor): number[][] {
    const units = list(x).map((_, i) => f64(...list(x).map((__, j) => +(i === j))))
    return units.map(unit => list(grad((z: Tensor) => inner(grad(f)(z), unit))(x)))
  }

  it('is the dense Hessian times the vector, and that Hessian is symmetric', () => {
    fc.assert(fc.property(programs, program => scope(() => {
      const f = (x: Tensor): Tensor => run(program, [x, vector(1, 3)], false).map(y => sum(tanh(y))).reduce((a, b) => add(a, b))
      const [x, v] = [vector(0, 3), vector(2, 3)]
      const H = hessian(f, x)
      const product = H.map(row => row.reduce((s, h, j) => s + h * list(v)[j], 0))
      expectClose(hvp(f, x, v), product, 1e-9)
      H.forEach((row, i) => row.forEach((h, j) => expect(h).toBeCloseTo(H[j][i], 9)))
    })))
  })

  it('works on trees, whatever the order of their keys, and passes arguments on', () => {
    // f = k·(a²·b): Hessian k·[[2b, 2a], [2a, 0]]
    const f = ({ a, b }: { a: Tensor; b: Tensor }, k: number): Tensor => mul(k, mul(mul(a, a), b))
    const { a, b } = hvp(f, { a: scalar(3), b: scalar(5) }, { b: scalar(1), a: scalar(10) }, 2)
    expect([list(a), list(b)]).toEqual([[2 * (100 + 6)], [2 * 60]])
  })

  it('refuses a vector that is not like the argument', () => {
    const f = ({ a }: { a: Tensor }): Tensor => inner(a, a)
    expect(sentence(() => hvp(f, { a: f64(1, 2) }, { a: f64(1) }))).toMatchInlineSnapshot(
      `"inner: the trees differ at a: [2] in the first, [1] in the second."`,
    )
    expect(sentence(() => hvp(f, { a: f64(1, 2) }, {} as { a: Tensor }))).toMatchInlineSnapshot(
      `"inner: the trees differ at a: [2] in the first, missing in the second."`,
    )
    expect(sentence(() => inner({}, {}))).toMatchInlineSnapshot(`"inner: there is no tensor in the first tree."`)
  })
})

describe('stopGradient', () => {
  it('makes constants of whole trees, for every transform', () => {
    expect(list(grad((x: Tensor) => sum(mul(x, stopGradient({ x }).x)))(f64(1, 2)))).toEqual([1, 2])
    // d/dx [d/dy (x·stop(y)·y) at y = x] = d/dx (x·stop(x)) = stop(x)
    const f = (x: Tensor): Tensor => grad((y: Tensor) => mul(x, mul(stopGradient(y), y)))(x)
    expect(list(grad(f)(scalar(3)))).toEqual([3])
    expect(list(grad((x: Tensor) => mul(grad((y: Tensor) => mul(stopGradient(x), mul(y, y)))(x), 1))(scalar(3)))).toEqual([6])
  })
})

describe('memory', () => {
  it('holds nothing but the results afterwards, also if something throws', () => {
    const x = f64(1, 2, 3)
    const loss = (z: Tensor): Tensor => sum(tanh(mul(sin(z), sub(z, 1))))
    expect(buffersAfter(() => grad(loss)(x))).toBe(1)
    expect(buffersAfter(() => valueAndGrad(loss)(x))).toBe(2)
    expect(buffersAfter(() => hvp(loss, x, x))).toBe(1)
    const failing = (z: Tensor): Tensor => { loss(z); throw new Error('midway') }
    expect(buffersAfter(() => expect(() => grad(failing)(x)).toThrow('midway'))).toBe(0)
    expect(buffersAfter(() => expect(() => grad((z: Tensor) => sum(grad(failing)(mul(z, 2))))(x)).toThrow('midway'))).toBe(0)
    expect(list(grad((z: Tensor) => sum(mul(z, z)))(x))).toEqual([2, 4, 6])
  })

  it('releases kept values during the walk: gradients take their place', () => {
    const weights = Array.from({ length: 32 }, () => ones([100]))
    const loss = (ws: Tensor[]): Tensor => sum(ws.reduce((x, w) => sin(mul(x, w))))
    const bytes = 32 * 400
    // Two values are kept for each weight, or one and its gradient, besides a few cotangents.
    expect(peakOf(() => grad(loss)(weights))).toBeLessThan(2.4 * bytes)
  })

  it('does not let a tensor leak', () => {
    const leaks: Tensor[] = []
    grad((x: Tensor) => {
      leaks.push(add(x, 1), mul(x, x), x)
      return sum(mul(mul(x, x), leaks[1]))
    })(f64(1, 2))
    const [unused, used, input] = leaks
    expect(sentence(() => unused.toArray())).toMatchInlineSnapshot(
      `"tensor add#n [2] was released when grad() returned; return it as aux to keep it"`,
    )
    expect(sentence(() => used.toArray())).toMatchInlineSnapshot(
      `"tensor mul#n [2] was released with the tape of grad(); return it as aux to keep it"`,
    )
    expect(sentence(() => add(used, 1))).toMatchInlineSnapshot(
      `"add: an input outlived the grad() that traced it; return it from the function, or as aux of valueAndGradAux."`,
    )
    expect(sentence(() => greater(input, 1))).toMatchInlineSnapshot(
      `"greater: an input outlived the grad() that traced it; return it from the function, or as aux of valueAndGradAux."`,
    )
    expect(sentence(() => grad((x: Tensor) => sum(mul(x, input)))(f64(1, 2)))).toMatchInlineSnapshot(
      `"mul: an input outlived the grad() that traced it; return it from the function, or as aux of valueAndGradAux."`,
    )
    expect(list(input)).toEqual([1, 2])
  })

  it('does not let a tensor leak from a transform within another either', () => {
    const leaks: Tensor[] = []
    grad((x: Tensor) => mul(grad((y: Tensor) => { leaks.push(mul(y, y)); return sum(leaks[0]) })(x), 2))(scalar(1))
    expect(sentence(() => leaks[0].toArray())).toMatchInlineSnapshot(
      `"tensor mul#n [] was released when grad() returned; return it as aux to keep it"`,
    )
  })
})
