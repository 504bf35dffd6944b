// Functions that are invariant to a number added to all logits, or to a factor, are so for any size of it: no
// digit of a difference may be lost in the sum. Values and derivatives, on every backend, in every bit.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  add, cpu, crossEntropy, div, logSoftmax, logSumExp, mean, mul, normal, normaliseGrads, scope, softmax, sqrt, sub, sum, tensor,
  variance, vjp, type Backend, type DType,
  type Tensor,
} from '../../src/index.ts'
import { key } from '../../src/tensor/key.ts'
import { sharedGpu } from './gpu.ts'

const gpu = await sharedGpu()

const [lines, classes] = [5, 70]

const invariant: Record<string, (x: Tensor, on: { backend: Backend; dtype: DType }) => Tensor> = {
  'softmax': x => softmax(x),
  'logSoftmax': x => logSoftmax(x),
  'the derivative of logSumExp': (x, on) => {
    const [, pullback] = vjp((v: Tensor) => logSumExp(v), x)
    return pullback(tensor(new Float64Array(lines).fill(2), { ...on, shape: [lines] }))
  },
  'crossEntropy of class numbers': (x, { backend }) => (
    crossEntropy(x, tensor(Int32Array.from({ length: lines }, (_, i) => 13 * i), { backend }))),
  'crossEntropy of probabilities': (x, { backend, dtype }) => (
    crossEntropy(x, softmax(normal(key(1), [lines, classes], { backend, dtype })))),
}

it.each([
  ['the CPU', cpu(), 'float32', 2 ** 20], ['the CPU in double precision', cpu(), 'float64', 2 ** 48],
  ['WebGPU', gpu, 'float32', 2 ** 20],
] as const)('softmax and functions of it, on %s, do not depend on a common shift', async (_, backend, dtype, most) => {
  const on = { backend, dtype }
  // Quarters up to 16, which are exact beside the number that is added.
  const quarters = fc.array(fc.integer({ min: -64, max: 64 }), { minLength: lines * classes, maxLength: lines * classes })
  await fc.assert(fc.asyncProperty(quarters, fc.constantFrom(-1, -0.5, 0.5, 1), async (values, part) => {
    for (const [name, f] of Object.entries(invariant)) {
      const outcome = (shift: number): Promise<unknown> => {
        const { results } = scope(() => {
          const x = tensor(values.map(v => v / 4 + shift), { shape: [lines, classes], ...on })
          const [y, pullback] = vjp((v: Tensor) => f(v, on), x)
          const weights = normal(key(2), y.shape, on)
          const [, again] = vjp((v: Tensor) => sum(mul(f(v, on), weights)), x)
          return { results: [y, pullback(weights), again(tensor(1, on))].map(t => t.data()) }
        })
        return Promise.all(results)
      }
      expect(await outcome(part * most), `${name} ${part * most}`).toEqual(await outcome(0))
    }
  }), { numRuns: 3 })
})

function standardised(x: Tensor): Tensor {
  const each = { keepDims: true }
  return div(sub(x, mean(x, -1, each)), sqrt(add(variance(x, -1, each), 1e-5)))
}

const backends = [['the CPU', cpu()], ['WebGPU', gpu]] as const

it.each(backends)('variance and standardisation, on %s, do not depend on a common shift', async (_, backend) => {
  // Of 64 quarters sums and means are exact, so that nothing may be lost but by the order of the operations.
  const quarters = fc.array(fc.integer({ min: -64, max: 64 }), { minLength: 2 * 64, maxLength: 2 * 64 })
  await fc.assert(fc.asyncProperty(quarters, fc.constantFrom(-(2 ** 14), 2 ** 10, 2 ** 14), async (values, shift) => {
    const outcome = (by: number): Promise<unknown> => {
      const { results } = scope(() => {
        const x = tensor(values.map(v => v / 4 + by), { shape: [2, 64], backend })
        const [y, pullback] = vjp((v: Tensor) => variance(v, -1), x)
        const [z, again] = vjp(standardised, x)
        return { results: [y, pullback(y), z, again(normal(key(3), [2, 64], { backend }))].map(t => t.data()) }
      })
      return Promise.all(results)
    }
    expect(await outcome(shift)).toEqual(await outcome(0))
  }), { numRuns: 3 })
})

it.each(backends)('normalised gradients, on %s, do not depend on their length', async (_, backend) => {
  const g = normal(key(4), [6, 9], { backend })
  const wanted = await normaliseGrads({ g }, 0).g.data()
  for (const factor of [2 ** -100, 2 ** -20, 2 ** 20, 2 ** 100]) {
    expect(await normaliseGrads({ g: mul(g, factor) }, 0).g.data(), `times ${factor}`).toEqual(wanted)
  }
})

it('softmax of ten million is right on WebGPU', async () => {
  const far = [1e7, 1e7, 1e7 + 1]
  const wanted = softmax(tensor([0, 0, 1], { dtype: 'float64' })).toArray()
  const got = await softmax(tensor(far, { backend: gpu })).data()
  for (const i of [0, 1, 2]) expect(got[i]).toBeCloseTo(wanted[i], 6)
})
