import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  add, checkGrad, grad, hvp, inner, key, mul, normal, scan, scope, sin, sub, sum, tanh, valueAndGradAux, vjp,
  type Tensor,
} from '../../src/index.ts'
import { buffersAfter, expectClose, f64, list, peakOf, scalar, sentence } from '../tensor/values.ts'

type Carry = { x: Tensor; v: [Tensor] }
type Params = { w: Tensor; x: Tensor; inputs: Tensor[] }

/** A damped, driven pendulum, with every kind of thing a scan may touch: weights, inputs, t, a tree, outputs. */
function pendulum({ w, x, inputs }: Params, checkpoint: 'auto' | number | false): Tensor {
  const step = ({ x, v: [v] }: Carry, u: Tensor, t: number): readonly [Carry, { energy: Tensor; t: number }] => {
    const next = add(mul(v, 0.9), mul(add(sin(x), u), mul(w, 0.1 * Math.cos(t))))
    return [{ x: add(x, mul(next, 0.1)), v: [next] }, { energy: inner(next, next), t }]
  }
  const [last, trace] = scan(step, { x, v: [mul(x, w)] }, inputs, { checkpoint })
  const energies = trace.map(({ energy, t }) => mul(energy, t + 1))
  return energies.reduce((a, b) => add(a, b), inner(last.x, last.v[0]))
}

function start(steps: number): Params {
  return { w: f64(0.3, -0.2), x: f64(1, 0.5), inputs: Array.from({ length: steps }, (_, i) => f64(Math.sin(i), Math.cos(i))) }
}

function expectSame(a: Params, b: Params, within = 1e-12): void {
  expectClose(a.w, b.w, within)
  expectClose(a.x, b.x, within)
  a.inputs.forEach((u, i) => expectClose(u, b.inputs[i], within))
}

describe('scan', () => {
  it('applies a step T times, passes it the host\'s t, and collects its outputs', () => {
    const seen: number[] = []
    const [last, ys] = scan((x: Tensor, _: undefined, t: number) => { seen.push(t); return [add(x, 1), mul(x, 10)] as const }, scalar(0), 4)
    expect([list(last), ys.map(list), seen]).toEqual([[4], [[0], [10], [20], [30]], [0, 1, 2, 3]])
  })

  it('passes each step its input', () => {
    const [last, ys] = scan((x: Tensor, u: { a: Tensor; n: number }) => [add(x, mul(u.a, u.n)), u.n] as const, scalar(0), [{ a: scalar(1), n: 2 }, { a: scalar(3), n: 4 }])
    expect([list(last), ys]).toEqual([[14], [2, 4]])
  })

  it('of no steps returns the carry', () => {
    const x = f64(1)
    const never = (): never => { throw new Error('called') }
    expect(scan(never, x, 0)).toEqual([x, []])
    expect(scan(never, { x }, [])[0].x).toBe(x)
    expect(list(grad((z: Tensor) => sum(scan(never, mul(z, 3), 0)[0] as Tensor))(x))).toEqual([3])
  })

  it('has right gradients, to second order', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 6 }), fc.constantFrom('auto' as const, false as const, 1, 2, 100), (steps, checkpoint) => scope(() => {
      checkGrad((p: Params) => pendulum(p, checkpoint), start(steps))
    })))
  })

  it('has the same gradients and Hessian-vector products for every length of segments', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 25 }), (steps, segment) => scope(() => {
      const at = start(steps)
      const v: Params = { w: f64(1, 2), x: f64(3, 4), inputs: at.inputs.map(u => mul(u, 2)) }
      const f = (checkpoint: 'auto' | number | false) => (p: Params): Tensor => pendulum(p, checkpoint)
      const gradient = grad(f(false))(at)
      expectSame(grad(f(segment))(at), gradient)
      expectSame(grad(f('auto'))(at), gradient)
      expectSame(hvp(f(segment), at, v), hvp(f(false), at, v), 1e-10)
    })))
  })

  it('takes a step that returns its carry unchanged, an input or an old output as the carry', () => {
    const f = (checkpoint: number | false) => (x: Tensor): Tensor => {
      const step = (c: Tensor, u: Tensor, t: number): readonly [Tensor, Tensor] => (t % 3 === 0 ? [c, c] : t % 3 === 1 ? [u, mul(c, c)] : [mul(c, u), u])
      const [last, ys] = scan(step, x, [x, mul(x, 2), x, mul(x, 3), x, x, x], { checkpoint })
      return [...ys, last].map(y => sum(y)).reduce((a, b) => add(a, b))
    }
    for (const segment of [1, 2, 3, 100]) expectClose(grad(f(segment))(f64(0.5, 2)), grad(f(false))(f64(0.5, 2)))
    checkGrad(f(2), f64(0.5, 2))
    expect(list(f(2)(f64(0.5)))).toEqual(list(f(false)(f64(0.5))))
  })

  it('works within scan, and within another scan\'s step', () => {
    const f = (inner: number | false, outer: number | false) => (x: Tensor): Tensor => sum(scan((c: Tensor) =>
      [scan((d: Tensor) => [tanh(mul(d, add(x, c))), null] as const, c, 3, { checkpoint: inner })[0], null] as const, x, 4, { checkpoint: outer })[0])
    const plain = grad(f(false, false))(f64(0.5, 1.5))
    for (const [a, b] of [[1, 2], [2, false], [false, 3], [2, 2]] as const) expectClose(grad(f(a, b))(f64(0.5, 1.5)), plain)
  })

  it('may call a pullback from outside: power iteration, differentiated', () => {
    const f = (checkpoint: 'auto' | false) => (x: Tensor): Tensor => {
      const [y, pullback] = vjp((z: Tensor) => sin(mul(z, z)), x)
      return sum(scan((g: Tensor) => [tanh(pullback(g)), null] as const, y, 5, { checkpoint })[0])
    }
    expectClose(grad(f('auto'))(f64(0.5, 1.5)), grad(f(false))(f64(0.5, 1.5)))
    checkGrad(f('auto'), f64(0.5, 1.5))
  })

  it('evaluates a step twice if it is differentiated, else once', () => {
    let runs = 0
    const f = (x: Tensor): Tensor => sum(scan((c: Tensor) => { runs++; return [sin(c), null] as const }, x, 10)[0])
    f(f64(1))
    expect(runs).toBe(10)
    grad(f)(f64(1))
    expect(runs).toBe(30)
  })

  it('returns auxiliary values beside a loss', () => {
    const [[, { ys }], g] = valueAndGradAux((x: Tensor) => {
      const [last, outputs] = scan((c: Tensor) => [mul(c, 2), c] as const, x, 5)
      return [sum(last), { ys: outputs }] as const
    })(f64(1))
    expect([ys.map(list).flat(), list(g)]).toEqual([[1, 2, 4, 8, 16], [32]])
  })

  it('refuses wrong numbers of steps', () => {
    const step = (x: Tensor): readonly [Tensor, null] => [x, null]
    expect(sentence(() => scan(step, f64(1), -1))).toMatchInlineSnapshot(
      `"scan: the number of steps must be a whole number ≥ 0, got -1."`,
    )
    expect(sentence(() => scan(step, f64(1), 1.5))).toMatchInlineSnapshot(
      `"scan: the number of steps must be a whole number ≥ 0, got 1.5."`,
    )
    expect(sentence(() => scan(step, f64(1), NaN))).toMatchInlineSnapshot(
      `"scan: the number of steps must be a whole number ≥ 0, got NaN."`,
    )
    expect(sentence(() => scan(step, f64(1), 3, { checkpoint: 0 }))).toMatchInlineSnapshot(
      `"scan: checkpoint is 0, expected 'auto', false or a whole number of steps > 0."`,
    )
    expect(sentence(() => scan(step, f64(1), 3, { checkpoint: 1.5 }))).toMatchInlineSnapshot(
      `"scan: checkpoint is 1.5, expected 'auto', false or a whole number of steps > 0."`,
    )
    expect(sentence(() => scan((async (x: Tensor) => [x, null]) as never, f64(1), 3))).toMatchInlineSnapshot(
      `"a step of scan(): the function returned a Promise. It must be synchronous: what it computes after an await would be neither recorded nor released. Await data outside and pass it in."`,
    )
  })
})

describe('memory', () => {
  const width = 64
  const state = (): Tensor => normal(key(0), [width])
  const step = (x: Tensor): readonly [Tensor, null] => [tanh(mul(sin(x), sub(x, 1))), null]
  const loss = (steps: number, checkpoint: 'auto' | false) => (x: Tensor): Tensor => sum(scan(step, x, steps, { checkpoint })[0])

  it('grows like the square root of the number of steps, and like that number without checkpoints', () => {
    const x = state()
    const peaks = (checkpoint: 'auto' | false): number[] => [16, 64, 256, 1024].map(steps => peakOf(() => grad(loss(steps, checkpoint))(x)))
    const [low, high] = [peaks('auto'), peaks(false)]
    for (let i = 1; i < 4; i++) {
      expect(low[i] / low[i - 1]).toBeLessThan(3)
      expect(high[i] / high[i - 1]).toBeGreaterThan(3)
    }
    expect(low[3]).toBeLessThan(high[3] / 8)
  })

  it('does not grow at all without a transform', () => {
    const x = state()
    for (const checkpoint of ['auto', false] as const) {
      const [few, many] = [16, 1024].map(steps => peakOf(() => scope(() => { loss(steps, checkpoint)(x) })))
      expect(many).toBe(few)
    }
  })

  it('holds only the result afterwards, also if a step throws in either pass', () => {
    const x = state()
    expect(buffersAfter(() => grad(loss(20, 'auto'))(x))).toBe(1)
    expect(buffersAfter(() => scan(step, x, 20))).toBe(1)
    for (const [at, checkpoint] of [[7, 'auto'], [7, false], [27, 'auto'], [39, 'auto']] as const) {
      let runs = 0
      const failing = (c: Tensor): readonly [Tensor, null] => { const next = step(c); if (++runs === at) throw new Error('midway'); return next }
      expect(buffersAfter(() => expect(() => grad((z: Tensor) => sum(scan(failing, z, 20, { checkpoint })[0]))(x)).toThrow('midway'))).toBe(0)
      expect(runs).toBe(at)
    }
    expect(buffersAfter(() => grad(loss(20, 'auto'))(x))).toBe(1)
  })

  it('does not let a tensor leak from a step', () => {
    const leaks: Tensor[] = []
    scan((c: Tensor) => { const y = mul(c, 2); leaks.push(mul(y, 3), y); return [y, null] as const }, f64(1), 3)
    const [temporary, carry] = leaks
    expect(sentence(() => temporary.toArray())).toMatchInlineSnapshot(
      `"tensor mul#n [1] was released when a step of scan() returned; return it to keep it"`,
    )
    expect(sentence(() => carry.toArray())).toMatchInlineSnapshot(
      `"tensor mul#n [1] was the carry of an earlier step of scan(); return it beside the carry to keep it"`,
    )
    expect(list(leaks.at(-1)!)).toEqual([8])
  })
})
