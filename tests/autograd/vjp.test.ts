import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  add, cast, customVjp, defineOp, apply, grad, greater, inner, memory, mul, ones, reshape, scope, sin, sum, tensor, vjp,
  where, zeros, type Tensor,
} from '../../src/index.ts'
import { supersede } from '../../src/tensor/lifetime.ts'
import { buffersAfter, expectClose, f64, list, scalar, sentence } from '../tensor/values.ts'
import { programs, run, vector } from './program.ts'

describe('vjp', () => {
  it('returns the value and a pullback that may be called again and again', () => {
    const [y, pullback] = vjp((x: Tensor) => mul(x, mul(x, x)), f64(1, 2))
    expect(list(y)).toEqual([1, 8])
    expect(list(pullback(f64(1, 1)))).toEqual([3, 12])
    expect(list(pullback(f64(1, 0)))).toEqual([3, 0])
    expect(list(pullback(f64(1, 1)))).toEqual([3, 12])
  })

  it('differentiates only argument 0', () => {
    const [, pullback] = vjp((x: Tensor, y: Tensor, n: number) => mul(mul(x, y), n), scalar(3), scalar(4), 5)
    expect(list(pullback(scalar(1)))).toEqual([20])
  })

  it('takes and returns trees, other leaves included', () => {
    type P = { w: [Tensor, { b: Tensor }]; name: string }
    const [out, pullback] = vjp(({ w: [a, { b }], name }: P) => ({ sum: add(a, b), name, list: [mul(a, b), 7] as const }), { w: [f64(2), { b: f64(5) }], name: 'p' })
    expect([list(out.sum), out.name, list(out.list[0]), out.list[1]]).toEqual([[7], 'p', [10], 7])
    const x = pullback({ sum: f64(1), name: null, list: [f64(10), 0] })
    expect([list(x.w[0]), list(x.w[1].b), x.name]).toEqual([[51], [21], 'p'])
  })

  it('takes null as a cotangent of zeros', () => {
    const [, pullback] = vjp((x: Tensor) => ({ a: mul(x, 2), b: mul(x, 3) }), f64(1))
    expect(list(pullback({ a: f64(1), b: null }))).toEqual([2])
    expect(list(pullback({ a: null, b: f64(1) }))).toEqual([3])
    expect(list(pullback({ a: null, b: null }))).toEqual([0])
  })

  it('matches cotangents by name, not by order', () => {
    const [, pullback] = vjp((x: Tensor) => ({ a: mul(x, 2), b: mul(x, 3) }), f64(1))
    expect(list(pullback({ b: f64(1), a: f64(0) }))).toEqual([3])
  })

  it('gives zeros of the right shape and type to inputs that the output does not depend on', () => {
    const [, pullback] = vjp(({ x }: { x: Tensor; unused: Tensor }) => x, { x: f64(1), unused: zeros([2, 3]) })
    const { unused } = pullback(f64(1))
    expect([unused.shape, unused.dtype, list(unused)]).toEqual([[2, 3], 'float32', [0, 0, 0, 0, 0, 0]])
    const [, constant] = vjp(() => ones([2]), f64(1, 2, 3))
    expect(list(constant(ones([2])))).toEqual([0, 0, 0])
  })

  it('adds up over all uses of a tensor', () => {
    const x = f64(3)
    const [, pullback] = vjp(({ a, b }: { a: Tensor; b: Tensor }) => add(mul(a, a), mul(a, b)), { a: x, b: x })
    const { a, b } = pullback(f64(1))
    expect([list(a), list(b)]).toEqual([[9], [3]])
    const [, twice] = vjp((z: Tensor) => [z, z, mul(z, z)], x)
    expect(list(twice([f64(1), f64(10), f64(100)]))).toEqual([611])
  })

  it('treats captured tensors as constants, even the argument itself', () => {
    const x = f64(3)
    const [, pullback] = vjp((z: Tensor) => mul(z, x), x)
    expect(list(pullback(f64(1)))).toEqual([3])
  })

  it('passes no gradient through comparisons and integers', () => {
    const x = f64(-1, 2.5)
    const [mask, ofMask] = vjp((z: Tensor) => greater(z, 0), x)
    expect(mask.dtype).toBe('uint32')
    expect(list(ofMask(ones([2], { dtype: 'uint32' })))).toEqual([0, 0])
    const [, masked] = vjp((z: Tensor) => where(greater(z, 0), z, 0), x)
    expect(list(masked(f64(1, 1)))).toEqual([0, 1])
    const [whole, cut] = vjp((z: Tensor) => cast(cast(mul(z, 2), 'int32'), 'float64'), x)
    expect([list(whole), list(cut(f64(0.7, 0.7)))]).toEqual([[-2, 5], [0, 0]])
    const [, narrowed] = vjp((z: Tensor) => cast(z, 'float32'), x)
    expect(list(narrowed(tensor([0.5, 2])))).toEqual([0.5, 2])
  })

  it('computes a Jacobian: rows from pullbacks, columns from the pullback of the pullback', () => {
    fc.assert(fc.property(programs, program => scope(() => {
      const f = (x: Tensor): Tensor => run(program, [x, vector(1)], false).at(-1)!
      const [x, u, v] = [vector(0), vector(2), vector(3)]
      const [y, pullback] = vjp(f, x)
      // g ↦ Jᵀg is linear, so its own pullback is v ↦ Jv.
      const [, pushforward] = vjp(pullback, u)
      expectClose(inner(pushforward(v), u), inner(v, pullback(u)), 1e-9)
      const epsilon = 1e-5
      const [ahead, behind] = [1, -1].map(sign => f(add(x, mul(v, sign * epsilon))))
      expectClose(pushforward(v), list(ahead).map((a, i) => (a - list(behind)[i]) / (2 * epsilon)), 1e-5)
      expect(y.shape).toEqual([2])
    })))
  })

  it('refuses wrong arguments in one sentence', () => {
    const [, pullback] = vjp((x: Tensor) => ({ a: mul(x, 2), n: 1 }), f64(1, 2))
    const wrong = pullback as (g: unknown) => Tensor
    const identity = vjp((x: Tensor) => x, f64(1))[1] as (g: unknown) => Tensor
    expect(sentence(() => wrong({ a: f64(1) }))).toMatchInlineSnapshot(
      `"vjp(): a cotangent is [1] float64 for a value that is [2] float64."`,
    )
    expect(sentence(() => wrong({ a: tensor([1, 2]) }))).toMatchInlineSnapshot(
      `"vjp(): a cotangent is [2] float32 for a value that is [2] float64."`,
    )
    expect(sentence(() => wrong({}))).toMatchInlineSnapshot(
      `"vjp(): no cotangent is given for a; null stands for zero."`,
    )
    expect(sentence(() => wrong(null))).toMatchInlineSnapshot(
      `"vjp(): no cotangent is given for a; null stands for zero."`,
    )
    expect(sentence(() => wrong({ a: f64(1, 2), b: f64(1, 2) }))).toMatchInlineSnapshot(
      `"vjp(): a cotangent is given for b, where there is no tensor."`,
    )
    expect(sentence(() => identity(undefined))).toMatchInlineSnapshot(
      `"vjp(): no cotangent is given for the output; null stands for zero."`,
    )
    expect(sentence(() => vjp((p: { n: Tensor }) => p.n, { n: tensor([1], { dtype: 'int32' }) }))).toMatchInlineSnapshot(
      `"vjp(): n is int32, but must be float32 or float64."`,
    )
    expect(sentence(() => vjp(async (x: Tensor) => mul(x, 2), f64(1)))).toMatchInlineSnapshot(
      `"vjp(): the function returned a Promise. It must be synchronous: what it computes after an await would be neither recorded nor released. Await data outside and pass it in."`,
    )
  })

  it('notices a rule whose result has the wrong shape, wherever it is', () => {
    const broken = defineOp<null>({
      name: 'broken',
      infer: ([x]) => x,
      cpu: ([x], out) => { out.set(x) },
      vjp: [{ uses: [], grad: g => sum(g) }],
    })
    const f = (x: Tensor): Tensor => sum(apply(broken, [mul(x, 2)], null))
    expect(sentence(() => grad(f)(f64(1, 2)))).toMatchInlineSnapshot(
      `"the derivative of broken: a cotangent is [] float64 for a value that is [2] float64."`,
    )
  })
})

describe('a pullback', () => {
  it('keeps only what its derivative reads, for as long as it lives', () => {
    const x = f64(1, 2)
    const before = memory().buffers
    scope(() => {
      const pullback = scope(() => vjp((z: Tensor) => sin(add(mul(mul(z, 2), 3), 1)), x)[1])
      // sin keeps its input; sums keep nothing; products with numbers keep the numbers.
      expect(memory().buffers - before).toBe(3)
      expectClose(pullback(f64(1, 1)), [6 * Math.cos(7), 6 * Math.cos(13)])
    })
    expect(memory().buffers).toBe(before)
  })

  it('keeps nothing for values that do not lead to the output', () => {
    const f = (z: Tensor): Tensor => { sin(sin(sin(z))); return mul(z, 2) }
    expect(buffersAfter(() => scope(() => vjp(f, f64(1, 2))[1]))).toBe(1) // the 2
  })

  it('is a resource: kept if a returned tree contains it, else released', () => {
    const { deep: [pullback] } = scope(() => ({ deep: [vjp((z: Tensor) => mul(z, z), f64(3))[1]] }))
    expect(list(pullback(f64(1)))).toEqual([6])
    let late!: (g: Tensor) => Tensor
    expect(buffersAfter(() => scope(() => { late = vjp((z: Tensor) => mul(z, z), f64(3))[1] }))).toBe(0)
    expect(sentence(() => late(f64(1)))).toMatchInlineSnapshot(
      `"vjp: the pullback was released when scope() returned; return it to keep it"`,
    )
  })

  it('may return the cotangent itself, which stays owned by the caller', () => {
    const [, pullback] = vjp((x: Tensor) => [x, x], f64(1, 2))
    const g = f64(3, 4)
    expect(pullback([g, null])).toBe(g)
    expect(buffersAfter(() => scope(() => { pullback([g, null]); pullback([g, g]) }))).toBe(0)
    expect(list(g)).toEqual([3, 4])
    const given = scope(() => pullback([f64(5, 6), null]))
    expect(list(given)).toEqual([5, 6])
    supersede(given, null, 'was replaced')
    expect(sentence(() => pullback([given, null]))).toMatchInlineSnapshot(`"tensor tensor#n [2] was replaced"`)
  })

  it('may return a view of the cotangent', () => {
    const [, pullback] = vjp((x: Tensor) => reshape(x, [2, 1]), f64(1, 2))
    const x = scope(() => pullback(reshape(f64(3, 4), [2, 1])))
    expect(list(x)).toEqual([3, 4])
  })

  it('may be called inside another transform, which differentiates it', () => {
    const [, pullback] = vjp((x: Tensor) => mul(mul(x, x), x), f64(2))
    // d/dg Σ (3x²g)² = 2·(3x²)²·g
    expect(list(grad((g: Tensor) => sum(mul(pullback(g), pullback(g))))(f64(1)))).toEqual([288])
  })

  it('leaves nothing behind if it throws, and can be called again', () => {
    let fail = true
    const shaky = customVjp((x: Tensor) => [mul(x, 2), []], (_, g) => {
      mul(g, 3)
      if (fail) throw new Error('shaky')
      return [mul(g, 2)]
    })
    const [, pullback] = vjp((x: Tensor) => mul(shaky(mul(x, x)), x), f64(3))
    const g = f64(1)
    expect(buffersAfter(() => expect(() => pullback(g)).toThrow('shaky'))).toBe(0)
    fail = false
    expect(list(pullback(g))).toEqual([54])
  })
})
