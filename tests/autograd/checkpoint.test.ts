import { describe, expect, it } from 'vitest'
import {
  add, cast, checkGrad, checkpoint, grad, greater, hvp, inner, mul, ones, scope, sin, sum, tanh, valueAndGrad,
  valueAndGradAux, vjp, type Tensor,
} from '../../src/index.ts'
import { buffersAfter, expectClose, f64, list, peakOf, scalar, sentence } from '../tensor/values.ts'

/** A function that counts how often it runs. */
function counted<A extends unknown[], Y>(f: (...args: A) => Y): { f: (...args: A) => Y; runs(): number } {
  let runs = 0
  return { f: (...args) => { runs++; return f(...args) }, runs: () => runs }
}

const square = (x: Tensor): Tensor => mul(x, x)

describe('evaluations', () => {
  it('one without a transform; with one, one forward and one backward', () => {
    const { f, runs } = counted(square)
    expect(list(checkpoint(f)(f64(3)))).toEqual([9])
    expect(runs()).toBe(1)
    expect(list(grad((x: Tensor) => sum(checkpoint(f)(x)))(f64(3)))).toEqual([6])
    expect(runs()).toBe(3)
  })

  it('one for each call of a pullback', () => {
    const { f, runs } = counted(square)
    const [, pullback] = vjp((x: Tensor) => checkpoint(f)(x), f64(3))
    expect(runs()).toBe(1)
    expect([list(pullback(f64(1))), list(pullback(f64(2)))]).toEqual([[6], [12]])
    expect(runs()).toBe(3)
  })

  it('one more for each level of nesting', () => {
    const { f, runs } = counted(square)
    const twice = checkpoint((x: Tensor) => checkpoint(f)(x))
    expect(list(grad((x: Tensor) => sum(twice(x)))(f64(3)))).toEqual([6])
    expect(runs()).toBe(3)
    const thrice = checkpoint((x: Tensor) => twice(x))
    expect(list(grad((x: Tensor) => sum(thrice(x)))(f64(3)))).toEqual([6])
    expect(runs()).toBe(3 + 4)
  })

  it('no backward one if no gradient is wanted', () => {
    const { f, runs } = counted(square)
    const g = grad((x: Tensor) => { checkpoint(f)(x); return sum(x) })(f64(3))
    expect([list(g), runs()]).toEqual([[1], 1])
    grad((x: Tensor) => add(sum(x), sum(checkpoint(() => f(f64(3)))())))(f64(3))
    expect(runs()).toBe(2)
  })

  it('second derivatives: one forward, one for the gradient, one for the gradient of the value', () => {
    const { f, runs } = counted((x: Tensor) => sum(mul(x, square(x))))
    expect(list(hvp((x: Tensor) => checkpoint(f)(x), f64(2), f64(1)))).toEqual([12])
    expect(runs()).toBeLessThanOrEqual(3)
  })
})

describe('memory', () => {
  const layers = (x: Tensor, n: number): Tensor => {
    for (let i = 0; i < n; i++) x = sin(mul(x, x))
    return x
  }

  it('has a lower peak: intermediate values are not kept', () => {
    const x = ones([1000])
    const loss = (wrap: typeof checkpoint) => (z: Tensor): Tensor => {
      let y = z
      for (let i = 0; i < 8; i++) y = wrap((v: Tensor) => layers(v, 8))(y)
      return sum(y)
    }
    const plain = peakOf(() => grad(loss(f => f))(x))
    const low = peakOf(() => grad(loss(checkpoint))(x))
    expect(low).toBeLessThan(plain / 2)
    expectClose(grad(loss(checkpoint))(x), grad(loss(f => f))(x))
  })

  it('keeps only its inputs, from the forward to the backward pass', () => {
    const x = f64(...Array.from({ length: 100 }, (_, i) => i / 100))
    expect(buffersAfter(() => scope(() => vjp((z: Tensor) => checkpoint((v: Tensor) => layers(v, 8))(mul(z, 2)), x)[1]))).toBe(2) // 2z, and the 2
  })

  it('releases the values of its second run during the walk: gradients take their place', () => {
    const weights = Array.from({ length: 32 }, () => ones([100]))
    const loss = (ws: Tensor[]): Tensor => sum(checkpoint(() => ws.reduce((x, w) => sin(mul(x, w))))())
    // Two values are kept for each weight, or one and its gradient, besides a few cotangents.
    expect(peakOf(() => grad(loss)(weights))).toBeLessThan(2.4 * 32 * 400)
  })

  it('is back at its baseline if something throws, forward or backward', () => {
    const x = f64(1, 2)
    let runs = 0
    const failing = (at: number) => (z: Tensor): Tensor => {
      const y = mul(z, z)
      if (++runs === at) throw new Error(`run ${at}`)
      return sum(y)
    }
    expect(buffersAfter(() => expect(() => grad((z: Tensor) => checkpoint(failing(1))(mul(z, 2)))(x)).toThrow('run 1'))).toBe(0)
    runs = 0
    expect(buffersAfter(() => expect(() => grad((z: Tensor) => checkpoint(failing(2))(mul(z, 2)))(x)).toThrow('run 2'))).toBe(0)
    runs = 0
    const nested = (z: Tensor): Tensor => checkpoint((v: Tensor) => checkpoint(failing(3))(mul(v, 2)))(mul(z, 2))
    expect(buffersAfter(() => expect(() => grad(nested)(x)).toThrow('run 3'))).toBe(0)
    // Frames and scopes are usable again.
    expect(list(grad((z: Tensor) => sum(checkpoint(square)(z)))(x))).toEqual([2, 4])
  })

  it('does not let a tensor leak', () => {
    let leak!: Tensor
    scope(() => checkpoint((z: Tensor) => { leak = mul(z, 2); return mul(leak, leak) })(f64(1)))
    expect(sentence(() => leak.toArray())).toMatchInlineSnapshot(
      `"tensor mul#n [1] was released when checkpoint() returned; return it to keep it"`,
    )
  })
})

describe('gradients', () => {
  it('reach weights and constants through closures', () => {
    const k = f64(5, 7)
    const loss = (wrap: typeof checkpoint) => ({ w, x }: { w: Tensor; x: Tensor }): Tensor => {
      const inside = mul(w, 2)
      return sum(wrap((v: Tensor) => tanh(add(mul(mul(v, inside), k), w)))(x))
    }
    const at = { w: f64(0.1, -0.2), x: f64(0.3, 0.4) }
    const [plain, wrapped] = [grad(loss(f => f))(at), grad(loss(checkpoint))(at)]
    expectClose(wrapped.w, plain.w)
    expectClose(wrapped.x, plain.x)
    checkGrad(loss(checkpoint), at)
    expectClose(grad((w: Tensor) => loss(checkpoint)({ w, x: at.x }))(at.w), plain.w)
  })

  it('reach concrete tensors that an enclosing scope has made and since released', () => {
    const f = (x: Tensor): Tensor => {
      const y = scope(() => {
        const constant = f64(3)
        return checkpoint((z: Tensor) => mul(z, mul(constant, z)))(x)
      })
      return sum(y)
    }
    expect(list(grad(f)(f64(2)))).toEqual([12])
  })

  it('are right if the function returns a tensor that it did not make, or the same one twice', () => {
    const at = { x: f64(2), w: f64(3) }
    const f = ({ x, w }: typeof at): Tensor => {
      const [a, b, c, d, e] = checkpoint((z: Tensor) => { const y = mul(z, z); return [y, z, y, w, w] })(x)
      return sum(add(add(mul(a, b), mul(c, d)), mul(e, e)))
    }
    // x²·x + x²·w + w²
    const { x, w } = grad(f)(at)
    expect([list(x), list(w)]).toEqual([[3 * 4 + 2 * 2 * 3], [4 + 6]])
    checkGrad(f, at)
  })

  it('are right for an identity, a constant, and a function of no arguments', () => {
    expect(list(grad((x: Tensor) => sum(checkpoint((z: Tensor) => z)(x)))(f64(1, 2)))).toEqual([1, 1])
    expect(list(grad((x: Tensor) => sum(mul(checkpoint(() => f64(3))(), x)))(f64(2)))).toEqual([3])
    expect(list(grad((x: Tensor) => sum(checkpoint(() => mul(x, x))()))(f64(2)))).toEqual([4])
  })

  it('are right for trees with integers and other leaves among arguments and results', () => {
    const f = checkpoint(({ x, mode }: { x: Tensor; mode: string }, [n]: [number]) => {
      const mask = greater(x, 0)
      return { mode, mask, y: [mul(mul(x, cast(mask, 'float64')), n)] as const }
    })
    const [[, out], g] = valueAndGradAux((x: Tensor) => {
      const result = f({ x, mode: 'm' }, [10])
      return [sum(mul(result.y[0], x)), result] as const
    })(f64(-1, 2))
    expect([out.mode, list(out.mask), list(out.y[0]), list(g)]).toEqual(['m', [0, 1], [-0, 20], [-0, 40]])
  })

  it('of third order are right', () => {
    const f = (x: Tensor): Tensor => sum(checkpoint((z: Tensor) => mul(square(z), square(z)))(x))
    expect(list(grad((x: Tensor) => sum(grad((y: Tensor) => sum(grad(f)(y)))(x)))(f64(2)))).toEqual([48])
  })

  it('are right through checkpoint inside vjp inside checkpoint', () => {
    const f = (wrap: typeof checkpoint) => ({ x, w }: { x: Tensor; w: Tensor }): Tensor => sum(wrap((v: Tensor) => {
      const [y, pullback] = vjp((z: Tensor) => wrap((u: Tensor) => mul(mul(u, u), w))(z), v)
      return mul(pullback(y), w)
    })(x))
    const at = { x: f64(0.3, 0.4), w: f64(0.5, 0.6) }
    const [plain, wrapped] = [grad(f(g => g))(at), grad(f(checkpoint))(at)]
    expectClose(wrapped.x, plain.x)
    expectClose(wrapped.w, plain.w)
    checkGrad(f(checkpoint), at)
  })

  it('are right if a pullback from outside is called inside', () => {
    const f = (wrap: typeof checkpoint) => ({ x, w }: { x: Tensor; w: Tensor }): Tensor => {
      const [y, pullback] = vjp((z: Tensor) => wrap((u: Tensor) => sin(mul(mul(u, u), w)))(z), x)
      return sum(grad((g: Tensor) => sum(sin(wrap((h: Tensor) => pullback(h))(g))))(y))
    }
    const at = { x: f64(0.3, 0.4), w: f64(0.5, 0.6) }
    const [plain, wrapped] = [grad(f(g => g))(at), grad(f(checkpoint))(at)]
    expectClose(wrapped.x, plain.x)
    expectClose(wrapped.w, plain.w)
    checkGrad(f(checkpoint), at)
  })

  it('are right for a transform inside', () => {
    const f = (x: Tensor): Tensor => sum(checkpoint((z: Tensor) => grad((v: Tensor) => sum(mul(mul(v, v), mul(v, z))))(z))(x))
    checkGrad(f, f64(0.3, -0.4), { order: 3 })
  })

  it('do not depend on whether arguments are passed or closed over', () => {
    const at = { a: f64(0.3), b: f64(0.4) }
    const passed = ({ a, b }: typeof at): Tensor => sum(checkpoint((x: Tensor, y: Tensor) => sin(mul(x, mul(y, y))))(a, b))
    const closed = ({ a, b }: typeof at): Tensor => sum(checkpoint(() => sin(mul(a, mul(b, b))))())
    for (const key of ['a', 'b'] as const) expectClose(grad(passed)(at)[key], grad(closed)(at)[key])
  })
})

describe('a function that is not deterministic', () => {
  it('is caught if it uses other tensors the second time', () => {
    const [a, b] = [f64(2), f64(3)]
    let runs = 0
    expect(sentence(() => grad((x: Tensor) => sum(checkpoint((z: Tensor) => mul(z, runs++ === 0 ? a : b))(x)))(f64(1)))).toMatchInlineSnapshot(
      `"checkpoint: run again, the function used tensor#n [1], which it had not used the first time."`,
    )
  })

  it('is caught if it uses a tensor made between its runs', () => {
    let state = f64(2)
    const f = (x: Tensor): Tensor => {
      const y = checkpoint((z: Tensor) => mul(z, state))(x)
      state = add(state, 1)
      return sum(y)
    }
    expect(sentence(() => grad(f)(f64(1)))).toMatchInlineSnapshot(
      `"checkpoint: run again, the function used add#n [1], which it had not used the first time."`,
    )
  })

  it('is caught if it keeps a tensor made by its first run', () => {
    let cache: Tensor | null = null
    expect(sentence(() => grad((x: Tensor) => sum(checkpoint((z: Tensor) => mul(z, cache ??= f64(2)))(x)))(f64(1)))).toMatchInlineSnapshot(
      `"checkpoint: run again, the function used tensor#n [1], which it had not used the first time."`,
    )
  })

  it('is caught if its results change in number, shape or type', () => {
    let runs = 0
    const f = (first: (x: Tensor) => unknown, second: (x: Tensor) => unknown) => (x: Tensor): Tensor => {
      runs = 0
      const out = checkpoint((z: Tensor) => (runs++ === 0 ? first(z) : second(z)))(x)
      return Array.isArray(out) ? inner(out, out) : sum(out as Tensor)
    }
    expect(sentence(() => grad(f(z => [z, mul(z, 2)], z => [z]))(f64(1)))).toMatchInlineSnapshot(
      `"checkpoint: run again, the function returned float64 [1], the first time float64 [1], float64 [1]."`,
    )
    expect(sentence(() => grad(f(z => mul(z, 2), z => [z, z]))(f64(1)))).toMatchInlineSnapshot(
      `"checkpoint: run again, the function returned float64 [1], float64 [1], the first time float64 [1]."`,
    )
    expect(sentence(() => grad(f(z => mul(z, 2), z => sum(z)))(f64(1, 2)))).toMatchInlineSnapshot(
      `"checkpoint: run again, the function returned float64 [], the first time float64 [2]."`,
    )
  })

  it('is refused if it is asynchronous', () => {
    expect(sentence(() => checkpoint(async (x: Tensor) => mul(x, 2))(f64(1)))).toMatchInlineSnapshot(
      `"checkpoint(): the function returned a Promise. It must be synchronous: what it computes after an await would be neither recorded nor released. Await data outside and pass it in."`,
    )
  })
})

describe('a tensor that outlived its transform', () => {
  it('is refused, and nothing is recorded on its tape', () => {
    const leaks: Tensor[] = []
    const x = f64(1, 2)
    grad((z: Tensor) => { leaks.push(z); return sum(z) })(x)
    expect(buffersAfter(() => {
      expect(sentence(() => scope(() => checkpoint(square)(leaks[0])))).toMatchInlineSnapshot(
        `"checkpoint: an input outlived the grad() that traced it; return it from the function, or as aux of valueAndGradAux."`,
      )
    })).toBe(0)
  })
})

describe('values', () => {
  it('are those of the function, and can be read inside', () => {
    const [y, g] = valueAndGrad((x: Tensor) => sum(checkpoint((z: Tensor) => (z.toArray()[0] > 0 ? mul(z, 3) : z))(x)))(f64(2))
    expect([list(y), list(g)]).toEqual([[6], [3]])
    expect(list(checkpoint((x: Tensor, k: number) => mul(x, k))(scalar(2), 5))).toEqual([10])
  })
})
