// The agreement of operators on a GPU with the CPU: with its float64 loops up to rounding, to the second
// derivative, or in every bit. Nothing here needs Node, so it also tests browsers.

import fc from 'fast-check'
import {
  apply, cpu, defineOp, key, normal, scope, tensor, vjp, type Backend, type Data, type DType, type Op, type Tensor,
} from '../../src/index.ts'
import { given, withPlacement, type Call, type Case } from '../operators/case.ts'

const oracle = cpu()

/** f(x), its first derivative and, to order 2, the derivative of that, each contracted with random cotangents. */
function derivatives(make: () => Call, backend: Backend, dtype: DType, { absolute = false, order = 2 }: { absolute?: boolean; order?: number } = {}): Tensor[] {
  return scope(() => withPlacement({ backend, dtype, absolute }, () => {
    let seed = 999
    const cotangent = ({ shape }: Tensor): Tensor => given(normal(key(seed++), shape).toArray(), shape)
    const { f, at } = make()
    const first = (xs: Tensor[]): Tensor[] => {
      const [y, pullback] = vjp((inner: Tensor[]) => f(...inner), xs)
      return pullback(cotangent(y))
    }
    if (order === 1) return [f(...at), ...first(at)]
    const [gradients, pullback] = vjp(first, at)
    return [f(...at), ...gradients, ...pullback(gradients.map(cotangent))]
  }))
}

/**
 * Compares value and derivatives, to the second or a given order, on random calls. All inputs are of the order of 1, so results may be wrong
 * by a few roundings of 1 or, where sums are greater than that, of the greatest of them. Long sums may cancel, but
 * their errors do not: they are measured by what comes out where no number is negative.
 */
export async function expectAgreement(
  gpu: Backend, { calls }: Pick<Case, 'calls'>, { numRuns, long = false, order = 2 }: { numRuns: number; long?: boolean; order?: 1 | 2 },
): Promise<void> {
  await fc.assert(fc.asyncProperty(calls, async make => {
    const expected = derivatives(make, oracle, 'float64', { order })
    const results = derivatives(make, gpu, 'float32', { order })
    const sizes = long ? derivatives(make, oracle, 'float64', { order, absolute: true }) : expected
    const read = await Promise.all(results.map(x => x.data()))
    for (const [i, wanted] of expected.entries()) {
      expectEqualSpecs(results[i], { shape: wanted.shape, dtype: 'float32' })
      const error = greatest(wanted.toArray().map((v, j) => v - read[i][j]))
      const most = 5e-6 * Math.max(1, greatest(sizes[i].toArray()))
      if (!(error <= most)) throw new Error(`result ${i} of ${expected.length} is off by ${error}, expected ≤ ${most}`)
    }
  }), { numRuns })
}

/** The greatest magnitude; NaN if there is one. */
function greatest(values: Data): number {
  let most = 0
  for (const v of values) most = Math.max(most, Math.abs(v))
  return most
}

function expectEqualSpecs(got: Pick<Tensor, 'shape' | 'dtype'>, wanted: Pick<Tensor, 'shape' | 'dtype'>): void {
  const [a, b] = [got, wanted].map(({ shape, dtype }) => `${dtype} [${shape}]`)
  if (a !== b) throw new Error(`got ${a}, expected ${b}`)
}

type Options = { dtype?: DType; shape?: readonly number[] }
export type Make = (values: readonly number[], options?: Options) => Tensor

/** A tensor in which every other NaN has a sign, like those that some processors make of 0/0. */
function made(values: readonly number[], options: Options, backend: Backend): Tensor {
  if ((options.dtype ?? 'float32') !== 'float32') return tensor(values, { ...options, backend })
  const data = Float32Array.from(values)
  const bits = new Uint32Array(data.buffer)
  data.forEach((v, i) => { if (Number.isNaN(v) && i % 2 === 0) bits[i] = 0xffc00000 })
  return tensor(data, { ...options, backend })
}

/** The same data on both backends, through f: a function of the backend's tensors. Zeros have signs; any NaN is NaN. */
export async function expectSame(gpu: Backend, f: (make: Make, backend: Backend) => Tensor): Promise<void> {
  const [wanted, got] = [oracle, gpu].map(backend => (
    scope(() => f((values, options = {}) => made(values, options, backend), backend))))
  expectEqualSpecs(got, wanted)
  const [a, b] = [await got.data(), wanted.toArray()]
  const at = b.findIndex((v, i) => !Object.is(v, a[i]))
  if (at >= 0) throw new Error(`entry ${at} of [${got.shape}] is ${a[at]}, expected ${b[at]}`)
}

/** Runs an operator with this kernel, or with none. */
export function runKernel(name: string, x: Tensor, wgsl?: Op<null>['wgsl']): Tensor {
  return apply(defineOp<null>({ name, infer: ([like]) => like, cpu: () => {}, wgsl, vjp: null }), [x], null)
}

/** Runs one whose kernel does not compile. */
export function runMisspelt(x: Tensor): Tensor {
  return runKernel('misspelt', x, () => ({ inputs: ['x'], threads: 2, source: 'fn main(i: u32) { out[i] = y[i]; }' }))
}

/** The error about it, for an input `[2]`. */
export const misspelt: RegExp =
  /^misspelt: its WGSL kernel does not compile: .*unresolved value 'y'; inputs \[2\]\.$/
