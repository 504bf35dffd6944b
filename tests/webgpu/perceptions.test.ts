// Learned perceptions on a GPU: value and derivatives are those of the CPU in float64, up to rounding.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  add, cpu, foldIn, inner, key, normal, scope, tensor, valueAndGrad, type Backend, type Data, type Padding, type Tensor,
} from '../../src/index.ts'
import { attention, attentionKind } from '../../src/nca/perceptions/attention.ts'
import { deformable, deformableKind } from '../../src/nca/perceptions/deformable.ts'
import { convOn } from '../../src/tensor/ops/grid.ts'
import type { PartKind } from '../../src/nca/perceptions/kind.ts'
import { residualConv, residualConvKind } from '../../src/nca/perceptions/residual-conv.ts'
import { sharedGpu, some } from './gpu.ts'
import { refuseLeaks } from './leaks.ts'

const gpu = await sharedGpu()

refuseLeaks(gpu)

const paddings = fc.constantFrom<Padding>('zero', 'circular', 'reflect', 'replicate')

/** ⟨u, f(x, params)⟩ and its gradients, in this place, of normal numbers that are the same float32 everywhere. */
async function outcome(
  f: (x: Tensor, params: Record<string, Tensor>) => Tensor, shape: readonly number[],
  specs: ReturnType<PartKind<unknown>['params']>, seed: number, backend: Backend, dtype: 'float32' | 'float64',
): Promise<Data[]> {
  let i = 0
  const drawn = (shape: readonly number[], std = 1): Tensor =>
    tensor(Array.from(normal(foldIn(key(seed), i++), shape, { std }).toArray()), { shape, backend, dtype })
  const results = scope(() => {
    const x = drawn(shape)
    const params = Object.fromEntries(Object.entries(specs).map(([name, { shape, init }]) =>
      [name, init === 'ones' ? add(drawn(shape, 0.5), 1) : drawn(shape, 0.5)]))
    const [value, gradients] = valueAndGrad((p: { x: Tensor; params: typeof params }) => {
      const y = f(p.x, p.params)
      return inner(y, drawn(y.shape))
    })({ x, params })
    return [value, gradients.x, ...Object.values(gradients.params)]
  })
  return Promise.all(results.map(t => t.data()))
}

function expectNear(got: Data[], wanted: Data[]): void {
  wanted.forEach((values, n) => {
    const size = Math.max(1, ...values.map(Math.abs))
    values.forEach((v, i) => {
      const error = Math.abs(got[n][i] - v)
      expect(error, `result ${n}, entry ${i}: ${got[n][i]}, expected ${v}`).toBeLessThan(1e-4 * size)
    })
  })
}

describe('on WebGPU as on the CPU:', () => {
  it.each([
    ['a residual convolution', residualConvKind, residualConv(5, { activation: 'tanh' })],
    ['attention', attentionKind, attention(4, { heads: 2, keys: 3, feedForward: 5 })],
    ['a deformable convolution', deformableKind, deformable(3, { reach: 2 })],
    ['one whose taps go anywhere', deformableKind, deformable(3, { size: 1, reach: null, modulated: true })],
  ] as [string, PartKind<unknown>, unknown][])('%s', async (_, kind, part) => {
    await fc.assert(fc.asyncProperty(paddings, fc.nat(), async (padding, seed) => {
      const see = (x: Tensor, params: Record<string, Tensor>): Tensor => kind.perceive!(part, params, x, { padding })
      const run = (backend: Backend, dtype: 'float32' | 'float64'): Promise<Data[]> =>
        outcome(see, [2, 5, 6, 4], kind.params(part, 4, 2), seed, backend, dtype)
      expectNear(await run(gpu, 'float32'), await run(cpu(), 'float64'))
    }), some(0.1))
  })

  it.each([1, 3])('a convolution on a grid of %i', async grid => {
    await fc.assert(fc.asyncProperty(paddings, fc.nat(), async (padding, seed) => {
      const specs = { kernel: { shape: [...new Array<number>(grid).fill(3), 2, 3], init: { std: 1 } } }
      const shape = [2, ...[3, 4, 5].slice(0, grid), 2]
      const run = (backend: Backend, dtype: 'float32' | 'float64'): Promise<Data[]> =>
        outcome((x, { kernel }) => convOn(x, kernel, { padding }), shape, specs, seed, backend, dtype)
      expectNear(await run(gpu, 'float32'), await run(cpu(), 'float64'))
    }), some(0.1))
  })
})
