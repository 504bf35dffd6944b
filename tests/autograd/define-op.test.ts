import { describe, expect, it } from 'vitest'
import {
  add, apply, checkGrad, checkpoint, defineOp, grad, mul, scope, sum, vjp, type DerivativeRule, type Op, type Tensor,
} from '../../src/index.ts'
import { buffersAfter, expectClose, f64, list, scalar, sentence } from '../tensor/values.ts'

/** x³, as in the documentation of defineOp; the rule may be replaced. */
function cubeOf(rule: Partial<DerivativeRule<null>> = {}): (x: Tensor) => Tensor {
  const cubeOp: Op<null> = defineOp<null>({
    name: 'cube',
    infer: ([x]) => x,
    cpu: ([x], out) => { for (let i = 0; i < out.length; i++) out[i] = x[i] ** 3 },
    vjp: [{ uses: [0], grad: (g, { inputs: [x] }) => mul(g, mul(3, mul(x, x))), ...rule }], // d(x³)/dx = 3x²
  })
  return x => apply(cubeOp, [x], null)
}

describe('an operator defined outside the library', () => {
  it('has a value and derivatives to any order', () => {
    const cube = cubeOf()
    expect(list(cube(f64(2, -1)))).toEqual([8, -1])
    expect(list(grad((x: Tensor) => sum(cube(x)))(f64(2, -1)))).toEqual([12, 3])
    expect(list(grad(grad(grad((x: Tensor) => cube(x))))(scalar(2)))).toEqual([6])
    checkGrad(cube, f64(0.3, -0.7), { order: 3 })
  })

  it('works inside checkpoint', () => {
    const f = (x: Tensor): Tensor => sum(checkpoint(cubeOf())(mul(x, x)))
    expectClose(grad(f)(f64(0.5, 2)), [6 * 0.5 ** 5, 6 * 2 ** 5])
  })

  it('fails if its rule reads something that it does not list, whatever that is', () => {
    const forgetful = cubeOf({ uses: [] })
    expect(sentence(() => grad((x: Tensor) => sum(forgetful(mul(x, 2))))(f64(1, 2)))).toMatchInlineSnapshot(
      `"tensor mul#n [2] was not kept by cube: its derivative reads it, but does not list it in 'uses'"`,
    )
    const byOutput = cubeOf({ grad: (g, { out }) => mul(g, out) })
    expect(sentence(() => grad((x: Tensor) => sum(byOutput(x)))(f64(1, 2)))).toMatchInlineSnapshot(
      `"tensor cube#n [2] was not kept by cube: its derivative reads it, but does not list it in 'uses'"`,
    )
    const onHost = cubeOf({ uses: [], grad: (g, { inputs: [x] }) => mul(g, x.toArray()[0]) })
    expect(sentence(() => grad((x: Tensor) => sum(onHost(x)))(f64(1, 2)))).toMatchInlineSnapshot(
      `"tensor tensor#n [2] was not kept by cube: its derivative reads it, but does not list it in 'uses'"`,
    )
  })

  it('may always read shapes', () => {
    const shaped = cubeOf({ uses: [], grad: (g, { inputs: [x], out }) => mul(g, x.shape[0] + out.shape[0]) })
    expect(list(grad((x: Tensor) => sum(shaped(x)))(f64(1, 2)))).toEqual([4, 4])
  })

  it('keeps only the values that its rule lists', () => {
    const x = f64(1, 2)
    const kept = (uses: DerivativeRule<null>['uses']): number =>
      buffersAfter(() => scope(() => vjp((z: Tensor) => cubeOf({ uses })(add(z, 1)), x)[1]))
    expect([kept([]), kept([0]), kept(['out']), kept([0, 'out'])]).toEqual([0, 1, 1, 2])
  })

  it('has no gradient if it has no rules', () => {
    const constant = defineOp<null>({ name: 'constant', infer: ([x]) => x, cpu: ([x], out) => { out.set(x) }, vjp: null })
    expect(list(grad((x: Tensor) => sum(mul(x, apply(constant, [x], null))))(f64(1, 2)))).toEqual([1, 2])
    const partly = defineOp<null>({
      name: 'partly', infer: ([x]) => x, cpu: ([x, y], out) => { for (let i = 0; i < out.length; i++) out[i] = x[i] * y[i] },
      vjp: [null, { uses: [0], grad: (g, { inputs: [x] }) => mul(g, x) }],
    })
    const g = grad(({ a, b }: { a: Tensor; b: Tensor }) => sum(apply(partly, [a, b], null)))({ a: f64(2), b: f64(3) })
    expect([list(g.a), list(g.b)]).toEqual([[0], [2]])
  })

  it('may have any number of inputs, one rule for each', () => {
    const total = defineOp<null>({
      name: 'total', infer: ([x]) => x,
      cpu: (xs, out) => { for (let i = 0; i < out.length; i++) out[i] = xs.reduce((s, x, k) => s + (k + 1) * x[i], 0) },
      vjp: position => ({ uses: [], grad: g => mul(g, position + 1) }),
    })
    const g = grad((xs: Tensor[]) => sum(apply(total, xs, null)))([f64(1), f64(2), f64(3)])
    expect(g.map(list)).toEqual([[1], [2], [3]])
  })

  it('is refused if it has neither inputs nor a backend', () => {
    const nothing = defineOp<null>({ name: 'nothing', infer: () => ({ shape: [], dtype: 'float32' }), cpu: () => {}, vjp: null })
    expect(sentence(() => apply(nothing, [], null))).toMatchInlineSnapshot(
      `"nothing: an operator without inputs needs a backend."`,
    )
  })
})
