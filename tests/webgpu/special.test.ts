// NaN, infinity, and numbers near the ends of float32, in norms, losses and metrics: as on the CPU.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as cellgrad from '../../src/index.ts'
import { cast, grad, sum, tensor, type Backend, type DType, type Tensor } from '../../src/index.ts'
import { sharedGpu } from './gpu.ts'

const gpu = await sharedGpu()

/** Asserts that the results of f on both backends are equal up to a part in a million. */
async function expectAlike(f: (make: (values: readonly number[], shape: readonly number[], dtype?: DType) => Tensor) => Tensor): Promise<void> {
  const on = async (backend: Backend): Promise<number[]> => (
    [...await f((values, shape, dtype = 'float32') => tensor(values, { shape, dtype, backend })).data()])
  const [got, wanted] = [await on(gpu), await on(cellgrad.cpu())]
  got.forEach((v, i) => {
    const alike = Object.is(v, wanted[i]) || Math.abs(v - wanted[i]) <= 1e-6 * Math.abs(wanted[i])
    if (!alike) expect.fail(`entry ${i} is ${v}, on the CPU ${wanted[i]}`)
  })
}

describe('on a GPU', () => {
  it('norms neither overflow nor underflow if they can be represented', async () => {
    const numbers = fc.array(fc.double({ min: 0.5, max: 8, noNaN: true }), { minLength: 1, maxLength: 300 })
    await fc.assert(fc.asyncProperty(numbers, fc.integer({ min: -120, max: 119 }), async (values, n) => {
      const scaled = values.map((v, i) => v * (-1) ** i * 2 ** n)
      const length = Math.hypot(...Float32Array.from(scaled))
      await expectAlike(make => cellgrad.norm(make(scaled, [scaled.length])))
      const g = tensor(scaled, { backend: gpu })
      const results = [cellgrad.globalNorm([g, g]), cellgrad.norm(cellgrad.normaliseGrads(g, 0)),
        cellgrad.norm(cellgrad.clipByGlobalNorm(g, 2 ** Math.max(-100, n - 8)))]
      const expected = [length * Math.SQRT2, 1, Math.min(length, 2 ** Math.max(-100, n - 8))]
      for (const [i, y] of results.entries()) {
        const value = await y.item()
        if (expected[i] < 3.4e38) expect(Math.abs(value / expected[i] - 1)).toBeLessThan(2e-6)
      }
    }), { numRuns: 20 })
    await expectAlike(make => cellgrad.norm(make([NaN, 1, 0, 0, -Infinity, 2, Infinity, NaN], [4, 2]), 1))
    await expectAlike(make => grad((x: Tensor) => sum(cellgrad.norm(x, 1)))(make([3, 4, 0, 0], [2, 2])))
  })

  it('losses and metrics take NaN and excluded classes as the CPU does', async () => {
    const logits = [1, -Infinity, 2, 0, -Infinity, -Infinity, NaN, 1, 0, 5, 5, 5]
    const hot = [0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1]
    for (const f of [
      (z: Tensor, y: Tensor, mask: Tensor) => cellgrad.crossEntropy(z, y, { mask }),
      (z: Tensor, y: Tensor, mask: Tensor) => grad((x: Tensor) => sum(cellgrad.crossEntropy(x, y, { mask })))(z),
      (z: Tensor, _: Tensor, mask: Tensor) => cellgrad.accuracy(z, cast(mask, 'int32')),
      (z: Tensor) => cast(cellgrad.argMax(z), 'float32'),
    ]) {
      await expectAlike(make => f(make(logits, [2, 2, 3]), make(hot, [2, 2, 3]), make([1, 1, 0, 1], [2, 2], 'uint32')))
    }
    await expectAlike(make => cellgrad.f1(make([0, 1, -1, 1], [4], 'int32'), make([0, 1, 1, 0], [4], 'int32'), 2))
    await expectAlike(make => cellgrad.auroc(make([1, 2, NaN, 4, 1, 2, 3, 4], [2, 4]), make([0, 1, 0, 1, 0, 1, 0, 1], [2, 4], 'uint32')))
    await expectAlike(make => cellgrad.psnr(make([1, 2, 3, 4], [2, 2]), make([1, 2, 3, 5], [2, 2])))
    await expectAlike(make => cellgrad.psnr(make([1, 2, 3, 4], [2, 2]), make([1, 2], [2])))
  })

  it('beyond a border of zeros, convolutions see zeros: times a NaN or ∞ in weights or cotangents they are NaN', async () => {
    const { conv2d, depthwiseConv } = cellgrad, convolutions = { conv2d, depthwiseConv }
    const image = [1, 9, 8, 4], outputs = { conv2d: 4, depthwiseConv: 8 }
    const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b)
    const numbers = (shape: readonly number[], spoilt: boolean, where: number, value: number): Float32Array => (
      Float32Array.from({ length: count(shape) }, (_, i) => (spoilt && i === where % count(shape) ? value : 1 + i % 7)))
    const drawn = fc.tuple(fc.constantFrom('conv2d', 'depthwiseConv'), fc.nat(2), fc.nat(2000), fc.constantFrom(NaN, Infinity))
    await fc.assert(fc.asyncProperty(drawn, async ([name, spoilt, where, value]) => {
      const shapes = [image, [3, 3, 4, name === 'conv2d' ? 4 : 2], [1, 9, 8, outputs[name]]]
      const on = async (backend: Backend): Promise<string[]> => {
        const reads = cellgrad.scope(() => {
          const [x, k, g] = shapes.map((shape, i) => tensor(numbers(shape, i === spoilt, where, value), { shape, backend }))
          const [y, pullback] = cellgrad.vjp((given: { x: Tensor; k: Tensor }) => convolutions[name](given.x, given.k), { x, k })
          const owed = pullback(g)
          return [y, owed.x, owed.k].map(t => ({ data: t.data() }))
        })
        return Promise.all(reads.map(async ({ data }) => [...await data].map(v => (Number.isNaN(v) ? 'N' : '.')).join('')))
      }
      const wanted = await on(cellgrad.cpu({ simd: false }))
      expect(await on(cellgrad.cpu())).toEqual(wanted)
      expect(await on(gpu)).toEqual(wanted)
      if (spoilt === 1 && Number.isNaN(value)) expect(wanted[0].match(/N/g)).toHaveLength(9 * 8)
    }), { numRuns: 12 })
  })

  it('gradients at kinks, at ties and of NaN are chosen as on the CPU', async () => {
    const [one, other] = [[-1, 0, 0, 1, 2, NaN, 1, Infinity], [2, -0, 0, 1, 1, 1, NaN, Infinity]]
    for (const f of [cellgrad.maximum, cellgrad.minimum]) {
      await expectAlike(make => grad((x: Tensor) => sum(f(x, make(other, [8]))))(make(one, [8])))
      await expectAlike(make => grad((y: Tensor) => sum(f(make(one, [8]), y)))(make(other, [8])))
    }
    for (const f of [cellgrad.relu, cellgrad.abs, cellgrad.leakyRelu, (x: Tensor) => cellgrad.clamp(x, -1, 1)]) {
      await expectAlike(make => grad((x: Tensor) => sum(f(x)))(make(one, [8])))
    }
  })

  it('casts truncate fractions and count modulo 2³²', async () => {
    const values = [1.9, -1.9, -0, NaN, Infinity, -Infinity, 2 ** 31, 2 ** 32 + 512, -(2 ** 31) - 256, 3e38, -0.5, 4294967040]
    const wanted = values.map(v => v | 0)
    for (const backend of [cellgrad.cpu(), gpu]) {
      const x = tensor(values, { backend })
      expect([...await cast(x, 'int32').data()]).toEqual(wanted)
      expect([...await cast(x, 'uint32').data()]).toEqual(wanted.map(v => v >>> 0))
      // Between two neighbours: to the even one.
      const ties = tensor([16777217, 16777219, -16777217, 2147483583], { dtype: 'int32', backend })
      expect([...await cast(ties, 'float32').data()]).toEqual([16777216, 16777220, -16777216, 2147483520])
    }
  })
})
