// Long sums stay accurate on every backend: the error of n terms is at most as many roundings of the sum of their
// magnitudes as a tree has levels, and not n.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  broadcastTo, conv2d, cpu, defineRule, dense, depthwiseConv, full, gather, key, logSumExp, matmul, mean, mlp, mul, norm, ones,
  reshape, rollout, scope, sum, tensor, vjp, type Backend, type DataParams, type Tensor,
} from '../../src/index.ts'
import { sharedGpu } from './gpu.ts'

const gpu = await sharedGpu()

/** 0.1 in 32 bits. */
const tenth = Math.fround(0.1)

/** Numbers of which a running sum would round most in one direction. */
const list = (n: number, seed: number): Float32Array => (
  Float32Array.from({ length: n }, (_, i) => tenth * (1 + (Math.imul(i + seed, 2654435761) >>> 28) / 64)))

/** The rest is in double precision. */
const exact = (values: Float32Array, f = (v: number): number => v): number => values.reduce((t, v) => t + f(v), 0)

/** The computed sum of n terms, and the exact one. */
type Sum = (values: Float32Array, backend: Backend) => { got: Tensor; wanted: number }

const rows = (values: Float32Array, backend: Backend): Tensor => tensor(values, { shape: [values.length, 1], backend })
const image = (values: Float32Array, backend: Backend): Tensor => (
  tensor(values, { shape: [1, values.length / 8, 8, 1], backend }))

/** These values in each cell. */
const alike = (values: Float32Array, shape: number[], backend: Backend): Tensor => (
  broadcastTo(tensor(values, { backend }), shape))

/** ∂/∂w of Σ f(w) at ones, which is a sum over all places. */
const weights = (f: (w: Tensor) => Tensor, shape: number[], backend: Backend): Tensor => {
  const [y, pullback] = vjp(f, ones(shape, { backend }))
  return pullback(ones(y.shape, { backend }))
}

const sums: Record<string, Sum> = {
  'sum': (values, backend) => ({ got: sum(tensor(values, { backend })), wanted: exact(values) }),
  'the sum of squares': (values, backend) => {
    const x = tensor(values, { backend })
    return { got: sum(mul(x, x)), wanted: exact(values, v => Math.fround(v * v)) }
  },
  'norm': (values, backend) => ({
    got: norm(tensor(values, { backend })), wanted: Math.sqrt(exact(values, v => v * v)),
  }),
  'mean, in columns': (values, backend) => ({
    got: sum(mean(tensor(values, { shape: [values.length / 8, 8], backend }), 0)), wanted: exact(values) / (values.length / 8),
  }),
  'logSumExp': (values, backend) => ({
    got: logSumExp(tensor(values, { backend })), wanted: Math.log(exact(values, Math.exp)),
  }),
  'a dense layer of many inputs': (values, backend) => ({
    got: dense(alike(values, [8, values.length], backend), ones([values.length, 8], { backend })), wanted: exact(values),
  }),
  'a convolution of many channels': (values, backend) => ({
    got: conv2d(alike(values, [1, 4, 2, values.length], backend), ones([1, 1, values.length, 8], { backend })), wanted: exact(values),
  }),
  'and its derivative by what it sees, of many outputs': (values, backend) => {
    const [, pullback] = vjp((x: Tensor) => conv2d(x, ones([1, 1, 8, values.length], { backend })), ones([1, 4, 2, 8], { backend }))
    return { got: pullback(alike(values, [1, 4, 2, values.length], backend)), wanted: exact(values) }
  },
  'one of many products of matrices': (values, backend) => ({
    got: matmul(reshape(alike(values, [8, values.length], backend), [2, 4, -1]), ones([2, values.length, 4], { backend })), wanted: exact(values),
  }),
  'the weights of a dense layer': (values, backend) => ({
    got: weights(w => dense(rows(values, backend), w), [1, 8], backend), wanted: exact(values),
  }),
  'the filter of a convolution': (values, backend) => ({
    got: weights(w => conv2d(image(values, backend), w), [1, 1, 1, 8], backend), wanted: exact(values),
  }),
  'the filters of a depthwise convolution': (values, backend) => ({
    got: weights(w => depthwiseConv(image(values, backend), w), [1, 1, 1, 8], backend), wanted: exact(values),
  }),
}

/** Roundings: of the tree, or of the 256 rows that the SIMD kernels of the CPU add before they take double precision. */
const roundings = {
  webgpu: (n: number): number => 20 + 2 * Math.log2(n),
  cpu: (): number => 260,
}

/** The same of the weights of a fused rollout, where on a GPU more terms are added one after the other: see sizes.ts. */
const rolloutRoundings = { webgpu: (n: number): number => 100 + 2 * Math.log2(n), cpu: roundings.cpu }

describe.each([['webgpu', gpu], ['cpu', cpu()]] as const)('long sums on %s:', (name, backend) => {
  it.each(Object.entries(sums))('%s', async (_, f) => {
    const lengths = fc.oneof(fc.integer({ min: 1, max: 4096 }), fc.constantFrom(2 ** 12, 2 ** 13 - 1)).map(n => 8 * n)
    await fc.assert(fc.asyncProperty(lengths, fc.nat(999), async (n, seed) => {
      const { data, wanted } = scope(() => {
        const { got, wanted } = f(list(n, seed), backend)
        return { data: got.data(), wanted }
      })
      for (const v of await data) expect(Math.abs(v - wanted) / wanted).toBeLessThan(roundings[name](n) * 2 ** -24)
    }), { numRuns: 3, examples: [[2 ** 17, 0]] })
  })

  it('16 million numbers', async () => {
    const n = 2 ** 24
    const total = await scope(() => sum(full([n], 0.1, { backend }))).item()
    expect(Math.abs(total / (n * tenth) - 1)).toBeLessThan(roundings[name](n) * 2 ** -24)
  })

  it('the weights of a dense layer over a million rows', async () => {
    const n = 2 ** 20
    const data = scope(() => ({ read: weights(w => dense(full([n, 1], 0.1, { backend }), w), [1, 4], backend).data() }))
    for (const v of await data.read) expect(Math.abs(v / (n * tenth) - 1)).toBeLessThan(roundings[name](n) * 2 ** -24)
  })

  it('the gradient of one entry that is read a hundred thousand times', async () => {
    const n = 1e5
    const { data } = scope(() => {
      const [, pullback] = vjp((x: Tensor) => gather(x, Array<number>(n).fill(1), 0), ones([3], { backend }))
      return { data: pullback(full([n], 0.1, { backend })).data() }
    })
    const [before, total, after] = await data
    expect([before, after]).toEqual([0, 0])
    expect(Math.abs(total / (n * tenth) - 1)).toBeLessThan(roundings[name](n) * 2 ** -24)
  })

  it('the weights of a fused rollout, over its cells and steps', async () => {
    // A cell adds w2·relu(b1) + b2 = 0 to its 1 in each step, so that the gradient of each weight is the sum of all
    // cotangents, once for each step.
    const rule = defineRule({ channels: { a: 1 }, perceive: ['identity'], update: mlp(1), fireRate: 1 })
    // A running sum of this number rounds in one direction for long.
    const each = Math.fround(0.1278)
    const sizes = fc.record({
      batch: fc.integer({ min: 1, max: 3 }), height: fc.integer({ min: 1, max: 40 }), width: fc.integer({ min: 1, max: 40 }),
      steps: fc.integer({ min: 1, max: 60 }),
    })
    await fc.assert(fc.asyncProperty(sizes, async ({ batch, height, width, steps }) => {
      const reads = scope(() => {
        const alike = (value: number, ...shape: number[]): Tensor => full(shape, value, { backend })
        const params = { update: { w1: alike(0, 1, 1), b1: alike(1, 1), w2: alike(1, 1, 1), b2: alike(-1, 1) } }
        const x = alike(1, batch, height, width, 1)
        const [, pullback] = vjp((p: DataParams) => rollout(rule, p, x, key(0), { steps }), params)
        const { w1, b1, w2, b2 } = pullback(full(x.shape, each, { backend })).update
        return [w1, b1, w2, b2].map(g => ({ data: g.data() }))
      })
      const n = batch * height * width * steps
      for (const { data } of reads) {
        expect(Math.abs((await data)[0] / (n * each) - 1)).toBeLessThan(rolloutRoundings[name](n) * 2 ** -24)
      }
    }), { numRuns: 3, examples: [
      [{ batch: 1, height: 8, width: 16, steps: 256 }],
      [{ batch: 2100, height: 1, width: 1, steps: 2 }], // more tiles than all workgroups together add up at once
    ] })
  })
})
