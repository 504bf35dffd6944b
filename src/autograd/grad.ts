/**
 * grad, valueAndGrad and their relatives: a few lines each on top of `vjp`.
 *
 * For a function with one number as its result, the pullback of 1 is the gradient. Second derivatives are compositions:
 * the Hessian times a vector is the gradient of ⟨∇f(x), v⟩, and costs a small multiple of f.
 */
import { mul, add } from '../tensor/ops/arithmetic.ts'
import { onesLike } from '../tensor/ops/create.ts'
import { sum } from '../tensor/ops/sum.ts'
import { refusePromise, scope } from '../tensor/lifetime.ts'
import { floating, refuse } from '../tensor/op.ts'
import { checkFunction } from '../backends/options.ts'
import { sameShape, showShape, sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { mapTree, zipTrees } from '../tensor/tree.ts'
import { record } from './vjp.ts'

/**
 * The gradient of a scalar function with respect to argument 0, a tree of tensors; the result has the same tree.
 *
 * @throws where the result is not one number, where argument 0 holds integers, and for asynchronous functions
 * @example grad((x: Tensor) => sum(mul(x, x)))(tensor([1, 2]))   // [2, 4]
 */
export function grad<P, A extends unknown[]>(f: (params: P, ...rest: A) => Tensor): (params: P, ...rest: A) => P {
  checkFunction('grad', 'f', f)
  const withAux = (p: P, ...r: A): readonly [Tensor, null] => [refusePromise(f(p, ...r), 'grad()'), null]
  return (params, ...rest) => scope(() => differentiate('grad()', withAux, params, rest)[1], 'grad()')
}

/**
 * The value and the gradient.
 *
 * @example const [loss, grads] = valueAndGrad(lossOf)(params, batch)
 */
export function valueAndGrad<P, A extends unknown[]>(
  f: (params: P, ...rest: A) => Tensor,
): (params: P, ...rest: A) => [Tensor, P] {
  checkFunction('valueAndGrad', 'f', f)
  const withAux = (p: P, ...r: A): readonly [Tensor, null] => [refusePromise(f(p, ...r), 'valueAndGrad()'), null]
  return (params, ...rest) => {
    const [[value], grads] = differentiate('valueAndGrad()', withAux, params, rest)
    return [value, grads]
  }
}

/**
 * The same for a function that returns [scalar, anything else]; only the scalar is differentiated.
 *
 * @example const [[loss, finalState], grads] = valueAndGradAux((p, x) => { …; return [loss, y] as const })(params, x)
 */
export function valueAndGradAux<P, A extends unknown[], Aux>(
  f: (params: P, ...rest: A) => readonly [Tensor, Aux],
): (params: P, ...rest: A) => [readonly [Tensor, Aux], P] {
  checkFunction('valueAndGradAux', 'f', f)
  return (params, ...rest) => differentiate('valueAndGradAux()', f, params, rest)
}

function differentiate<P, A extends unknown[], Aux>(
  name: string, f: (params: P, ...rest: A) => readonly [Tensor, Aux], params: P, rest: A,
): [readonly [Tensor, Aux], P] {
  return scope(() => {
    const { value, pull } = record(name, f, params, rest)
    if (!Array.isArray(value)) {
      refuse(name, `the function must return [scalar, aux], got ${value instanceof Tensor ? 'a tensor' : typeof value}`)
    }
    const [y, ...aux] = value
    if (!(y instanceof Tensor) || sizeOf(y.shape) !== 1) {
      const got = y instanceof Tensor
        ? `a tensor ${showShape(y.shape)}`
        : Array.isArray(y) ? 'a list (see valueAndGradAux)' : typeof y
      refuse(name, `the function must return one number to be differentiated, got ${got}`, {}, 'Reduce it with sum or mean.')
    }
    floating(name, 'the result', y)
    return [value, pull([onesLike(y), ...mapTree(aux, () => null)], true)]
  }, name)
}

/**
 * The Hessian of a scalar function times the tree `v`, which is like argument 0. No Hessian is formed.
 *
 * @example hvp((x: Tensor) => sum(pow(x, 3)), tensor([1, 2]), tensor([1, 1]))   // [6, 12]
 */
export function hvp<P, A extends unknown[]>(f: (params: P, ...rest: A) => Tensor, params: P, v: P, ...rest: A): P {
  checkFunction('hvp', 'f', f)
  return grad((p: P) => inner(grad(f)(p, ...rest), v))(params)
}

/** ⟨a, b⟩ over two trees with tensors of the same shapes. */
export function inner(a: unknown, b: unknown): Tensor {
  const products: Tensor[] = []
  zipTrees(a, [b], (x, [y], path) => {
    if (!(x instanceof Tensor)) return
    if (!(y instanceof Tensor) || !sameShape(x.shape, y.shape)) {
      const got = y instanceof Tensor ? showShape(y.shape) : 'missing'
      throw new Error(
        `inner: the trees differ${path && ` at ${path}`}: ${showShape(x.shape)} in the first, ${got} in the second.`,
      )
    }
    products.push(sum(mul(x, y)))
  })
  if (products.length === 0) throw new Error('inner: there is no tensor in the first tree.')
  return products.reduce((x, y) => add(x, y))
}
