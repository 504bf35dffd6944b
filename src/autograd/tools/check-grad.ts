/**
 * checkGrad: gradients compared with differences, to any order.
 *
 * For L(p) = ⟨u, f(p)⟩ with a random u, and a random direction v, the directional derivative is measured with the
 * five-point rule, whose error is of order ε⁴,
 *
 *   dL ≈ (8 (L(p + εv) − L(p − εv)) − (L(p + 2εv) − L(p − 2εv))) / 12ε
 *
 * and compared with ⟨∇L(p), v⟩. One number per check sees every element, because u and v are dense. The second order is
 * the same check of p ↦ ∇L(p), and so on (the method is that of HIPS autograd's `check_grads`).
 *
 * v has unit variance, so ⟨∇L, v⟩ is about as large as |∇L|, and errors are relative to that: a small derivative must be as
 * right as a large one. If the measurement itself depends on ε, p is too close to a kink or a jump, and the comparison
 * proves nothing.
 */
import { add, mul } from '../../tensor/ops/arithmetic.ts'
import { abs } from '../../tensor/ops/functions.ts'
import { scope } from '../../tensor/lifetime.ts'
import { foldIn, key, type Key } from '../../tensor/key.ts'
import { checkFunction, checkOptions, keysOf, numberAbove, wholeFrom } from '../../backends/options.ts'
import { normal } from '../../tensor/ops/random.ts'
import { concrete, Tensor } from '../../tensor/tensor.ts'
import { eachLeaf, mapTree } from '../../tensor/tree.ts'
import { grad, inner } from '../grad.ts'

export type CheckGradOptions = {
  /** Highest order that is checked, a whole number > 0, default 2. */
  order?: number
  /** Step ε, a number > 0, default 1e-3. Keep kinks (ReLU at 0, ties) further away than 2ε. */
  epsilon?: number
  /** The largest difference between measured and computed, relative to |∇L|, a number > 0, default 1e-6. */
  tolerance?: number
  /** Seed of the random directions, a whole number ≥ 0, default 0. */
  seed?: number
}

const checkGradOptions = keysOf<CheckGradOptions>({
  order: wholeFrom(1), epsilon: numberAbove(0), tolerance: numberAbove(0), seed: wholeFrom(0),
})

/**
 * One comparison: the order of the derivative, its directional value by both methods, and their relative difference.
 */
export type GradReport = { order: number; measured: number; computed: number; error: number }

/** Thrown where differences prove nothing, because the function has a kink or a jump within 2ε of the point. */
export class NotSmoothError extends Error {
  override readonly name = 'NotSmoothError'
}

/**
 * Compares the gradients of `f` with differences, along random directions, and returns the comparisons.
 *
 * @param f a function of a tree of tensors that returns a tensor or a tree of tensors
 * @param params where to check: float64 tensors, since differences in float32 prove little
 * @throws where a gradient is wrong, naming the order and both numbers; where params are not float64; and
 *   `NotSmoothError`
 * @example checkGrad((x: Tensor) => tanh(x), tensor(new Float64Array([0.3, -2])))
 */
export function checkGrad<P>(f: (params: P) => unknown, params: P, options: CheckGradOptions = {}): GradReport[] {
  checkOptions('checkGrad', options, checkGradOptions)
  checkFunction('checkGrad', 'f', f)
  const { order = 2, epsilon = 1e-3, tolerance = 1e-6, seed = 0 } = options
  eachLeaf(params, (leaf, path) => {
    if (leaf instanceof Tensor && leaf.dtype !== 'float64') {
      throw new Error(`checkGrad: ${path || 'the argument'} is ${leaf.dtype}; differences need float64.`)
    }
  })
  return scope(() => {
    const reports: GradReport[] = []
    let g: (params: P) => unknown = f
    for (let n = 1; n <= order; n++) {
      const k = foldIn(key(seed), n)
      const { project, terms } = projection(g, foldIn(k, 0))
      const v = randomLike(params, foldIn(k, 1))
      const along = (t: number): number => scope(() => value(project(shift(params, v, t))))
      const measure = (e: number): number => (8 * (along(e) - along(-e)) - (along(2 * e) - along(-2 * e))) / (12 * e)
      const [measured, finer] = [measure(epsilon), measure(epsilon / 2)]
      const [computed, size] = scope(() => {
        const gradient = grad(project)(params)
        return [value(inner(gradient, v)), Math.sqrt(value(inner(gradient, gradient)))]
      })
      // The error of a difference quotient from rounding in L alone.
      const noise = 1e-14 * scope(() => value(terms(params))) / epsilon
      const unit = Math.max(Math.abs(measured), Math.abs(computed), size, noise / tolerance, Number.MIN_VALUE)
      const relative = (x: number): number => Math.abs(x) / unit
      const error = relative(measured - computed)
      reports.push({ order: n, measured, computed, error })
      if (!(error <= tolerance)) {
        if (relative(measured - finer) > Math.min(tolerance, error / 4)) {
          throw new NotSmoothError(
            `checkGrad: the derivative of order ${n} cannot be measured here: ${measured} with ε = ${epsilon}, `
              + `${finer} with half of it. The function has a kink or a jump nearby; move the point or lower epsilon `
              + `(seed ${seed}).`,
          )
        }
        throw new Error(`checkGrad: the derivative of order ${n} is wrong: measured ${measured}, computed ${computed} `
          + `(relative difference ${error.toExponential(1)}, tolerance ${tolerance}; seed ${seed}).`)
      }
      g = grad(project)
    }
    return reports
  }, 'checkGrad()')
}

/**
 * L(p) = ⟨u, f(p)⟩ over the floating tensors of f(p), with u drawn from `k`; and Σ |u·f(p)|, the magnitude of the terms of L.
 */
function projection<P>(
  f: (params: P) => unknown,
  k: Key,
): { project: (params: P) => Tensor; terms: (params: P) => Tensor } {
  const outputs = (params: P): Tensor[] => {
    const out: Tensor[] = []
    eachLeaf(f(params), leaf => { if (leaf instanceof Tensor && leaf.dtype === 'float64') out.push(leaf) })
    if (out.length === 0) throw new Error('checkGrad: the function returned no float64 tensor.')
    return out
  }
  return {
    project: params => {
      const out = outputs(params)
      return inner(out, randomLike(out, k))
    },
    terms: params => {
      const out = outputs(params)
      return inner(out.map(abs), randomLike(out, k).map(abs))
    },
  }
}

function randomLike<T>(tree: T, k: Key): T {
  let i = 0
  return mapTree(tree, leaf => (leaf instanceof Tensor ? normal(foldIn(k, i++), leaf.shape, { like: leaf }) : leaf))
}

function shift<P>(params: P, v: P, t: number): P {
  const directions: Tensor[] = []
  eachLeaf(v, leaf => { if (leaf instanceof Tensor) directions.push(leaf) })
  let i = 0
  return mapTree(params, leaf => (leaf instanceof Tensor ? add(leaf, mul(directions[i++], t)) : leaf))
}

function value(x: Tensor): number {
  return concrete(x).toArray()[0]
}
