// Five operators on a GPU, compared with the float64 loops of the CPU; and the backend itself: order, memory, errors.

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import {
  add, apply, cast, cpu, dense, defineOp, maxPool, memory, reshape, scope, sum, tensor, to, vjp, webgpu, zeros,
} from '../../src/index.ts'
import type { Backend, Data, DType, Op, Padding, Spec, Tensor } from '../../src/index.ts'
import { key } from '../../src/tensor/key.ts'
import { fullOp } from '../../src/tensor/ops/create.ts'
import { depthwiseConvOp } from '../../src/tensor/ops/depthwise-conv.ts'
import { outputSize, windows } from '../../src/tensor/ops/window.ts'
import { normal } from '../../src/tensor/random.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { useSoftwareAdapter } from './software-adapter.ts'

useSoftwareAdapter()

const opened: Awaited<ReturnType<typeof webgpu>>[] = []

/** A backend that hands out memory full of NaN, so that a kernel that does not write all of its output is seen. */
async function open(options?: { poolBytes?: number }): ReturnType<typeof webgpu> {
  const backend = await webgpu(options)
  const { alloc } = backend
  backend.alloc = (spec: Spec) => {
    const handle = alloc(spec)
    const rubbish = spec.dtype === 'float32' ? NaN : 0x7fc0dead
    backend.run(fullOp, { inputs: [], out: spec, attrs: spec, scalars: [rubbish] }, [], handle)
    return handle
  }
  opened.push(backend)
  return backend
}

const gpu = await open()
console.log(`WebGPU on: ${gpu.adapter}`)
afterAll(() => Promise.all(opened.map(backend => backend.close())))

beforeEach(() => {
  const before = memory(gpu).buffers
  onTestFinished(() => expect(memory(gpu).buffers, 'GPU buffers leaked by this test').toBe(before))
})

/** Makes a tensor on the backend that is being tested. */
type Make = (seed: number, shape: readonly number[], dtype?: DType) => Tensor
type Call = { f: (...xs: Tensor[]) => Tensor; at: Tensor[] }

/** Normal numbers (masks of 0 and 1 for uint32): the same in float32 on the GPU and in float64 on the CPU. */
function maker(backend: Backend, floating: DType, of = (v: number): number => v): Make {
  return (seed, shape, dtype = floating) => {
    const values = normal(key(seed), shape).toArray()
    const made = dtype === 'uint32' ? values.map(v => +(v > 0)) : values.map(of)
    return tensor(made, { shape, dtype, backend })
  }
}

/** f(x), its first derivative, and the derivative of that, each contracted with random cotangents. */
function derivatives({ f, at }: Call, make: Make): Tensor[] {
  let seed = 1000
  const first = (xs: Tensor[]): Tensor[] => {
    const [y, pullback] = vjp((inner: Tensor[]) => f(...inner), xs)
    return pullback(make(999, y.shape))
  }
  const [gradients, pullback] = vjp(first, at)
  return [f(...at), ...gradients, ...pullback(gradients.map(g => make(seed++, g.shape)))]
}

/**
 * Compares f, on random calls, with the CPU. Terms of a sum may cancel, but their rounding errors do not, so errors are
 * relative to the greatest value that the same computation has where no term is negative.
 */
async function expectLikeCpu<I>(inputs: fc.Arbitrary<I>, call: (make: Make, input: I) => Call): Promise<void> {
  await fc.assert(fc.asyncProperty(inputs, async input => {
    const run = (make: Make): Tensor[] => scope(() => derivatives(call(make, input), make))
    const expected = run(maker(cpu(), 'float64'))
    const sizes = run(maker(cpu(), 'float64', Math.abs))
    const results = run(maker(gpu, 'float32'))
    for (const [i, result] of results.entries()) {
      expect(result.shape).toEqual(expected[i].shape)
      const [values, wanted] = [await result.data(), expected[i].toArray()]
      const error = greatest(wanted.map((v, j) => v - values[j]))
      expect(error).toBeLessThanOrEqual(1e-5 * greatest(sizes[i].toArray()))
    }
  }))
}

/** The greatest magnitude; NaN where there is one. */
function greatest(values: Data): number {
  let most = 0
  for (const v of values) most = Math.max(most, Math.abs(v))
  return most
}

const upTo = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max })
const seeds = upTo(2 ** 31 - 1)

function shapes(rank: number, max: number): fc.Arbitrary<number[]> {
  return fc.array(upTo(max), { minLength: rank, maxLength: rank })
}

function ones(shape: readonly number[], backend: Backend = gpu): Tensor {
  return tensor(new Float32Array(sizeOf(shape)).fill(1), { shape, backend })
}

describe('in value, first and second derivative, WebGPU agrees with the CPU:', () => {
  it('add', async () => {
    const axes = fc.subarray([0, 1, 2, 3])
    const inputs = fc.record({ shape: shapes(4, 7), repeatA: axes, repeatB: axes, missing: fc.nat(3), seed: seeds })
    await expectLikeCpu(inputs, (make, { shape, repeatA, repeatB, missing, seed }) => {
      const [a, b] = [repeatA, repeatB].map(repeat => shape.map((n, axis) => (repeat.includes(axis) ? 1 : n)))
      return { f: (x, y) => add(add(x, y), x), at: [make(seed, a), make(seed + 1, b.slice(missing))] }
    })
  })

  it('sum', async () => {
    const inputs = fc.record({
      shape: shapes(3, 9), long: upTo(300), axes: fc.subarray([0, 1, 2, 3]), keepDims: fc.boolean(), seed: seeds,
    })
    await expectLikeCpu(inputs, (make, { shape, long, axes, keepDims, seed }) => ({
      f: x => sum(x, axes, { keepDims }), at: [make(seed, shape.toSpliced(2, 0, long))],
    }))
  })

  const image = { cells: shapes(3, 6), channels: upTo(5), dilation: upTo(3), seed: seeds }
  const poolPadding = fc.constantFrom('none' as const, 'circular' as const)

  it('depthwiseConv', async () => {
    const inputs = fc.record({
      ...image, taps: shapes(2, 4), filters: upTo(3), masked: fc.boolean(),
      padding: fc.constantFrom<Padding>('zero', 'circular', 'reflect'), stride: fc.constantFrom(1, 1, 2, 3),
    })
    await expectLikeCpu(inputs, (make, { cells: [b, h, w], channels, taps, filters, masked, seed, ...options }) => {
      // A mirror needs more cells than it reflects.
      const more = options.padding === 'reflect' ? 3 * options.dilation : 0
      const x = make(seed, [b, h + more, w + more, channels])
      const kernel = make(seed + 1, [...taps, channels, filters])
      const win = windows('test', x, taps, options)
      const rows = masked ? [make(seed + 2, [b, ...outputSize(win)], 'uint32')] : []
      return { f: (...xs) => apply(depthwiseConvOp, [...xs, ...rows], win), at: [x, kernel] }
    })
  })

  it('maxPool', async () => {
    const inputs = fc.record({ ...image, k: fc.constantFrom(1, 3, 5), padding: poolPadding })
    await expectLikeCpu(inputs, (make, { cells, channels, k, dilation, padding, seed }) => ({
      f: x => maxPool(x, k, { padding, dilation }), at: [make(seed, [...cells, channels])],
    }))
  })

  it('maxPool, with ties and NaN', async () => {
    const values = fc.array(fc.constantFrom(NaN, -Infinity, -1, 0, 1), { minLength: 625, maxLength: 625 })
    const inputs = fc.record({ shape: shapes(4, 5), values, padding: poolPadding })
    await fc.assert(fc.asyncProperty(inputs, async ({ shape, values, padding }) => {
      const [expected, result] = [cpu(), gpu].map(backend => scope(() => {
        const x = tensor(values.slice(0, sizeOf(shape)), { backend })
        const [y, pullback] = vjp((v: Tensor) => maxPool(reshape(v, shape), 3, { padding }), x)
        return [y, pullback(ones(shape, backend))]
      }))
      for (const [i, t] of result.entries()) expect(await t.data()).toEqual(expected[i].toArray())
    }))
  })

  it('dense', async () => {
    const inputs = fc.record({
      cells: shapes(3, 8), n: upTo(48), m: upTo(20), masked: fc.boolean(), biased: fc.boolean(), seed: seeds,
    })
    await expectLikeCpu(inputs, (make, { cells, n, m, masked, biased, seed }) => {
      const rows = masked ? make(seed + 3, cells, 'uint32') : undefined
      const at = [make(seed, [...cells, n]), make(seed + 1, [n, m]), ...(biased ? [make(seed + 2, [m])] : [])]
      return { f: (x, w, bias) => dense(x, w, { bias, rows }), at }
    })
  })
})

describe('integers on WebGPU', () => {
  it('are exact, and wrap around like those of the CPU', async () => {
    const values = fc.array(fc.integer(), { minLength: 1, maxLength: 200 })
    await fc.assert(fc.asyncProperty(fc.constantFrom(Int32Array, Uint32Array), values, async (type, list) => {
      const x = tensor(type.from(list))
      const y = await to(gpu, x)
      expect(await add(y, y).data()).toEqual(add(x, x).toArray())
      expect(await sum(y).data()).toEqual(sum(x).toArray())
      expect(await add(y, 7).data()).toEqual(add(x, 7).toArray())
    }))
  })
})

describe('the commands of WebGPU', () => {
  it('run in order, over many batches', async () => {
    for (const poolBytes of [undefined, 0]) {
      const backend = await open({ poolBytes })
      let total = zeros([3], { backend })
      for (let i = 1; i <= 300; i++) total = scope(() => add(total, i))
      expect(await total.data()).toEqual(new Float32Array(3).fill(45150))
    }
  })

  it('see uploads where they were made', async () => {
    let total = zeros([3], { backend: gpu })
    // The upload of each round takes the memory of the round before, which commands still read that have not yet run.
    for (let i = 1; i <= 300; i++) total = scope(() => add(total, tensor([i, 2 * i, 3 * i], { backend: gpu })))
    expect(await total.data()).toEqual(new Float32Array([45150, 90300, 135450]))
  })

  it('run before a read returns, whatever happens to the memory afterwards', async () => {
    const x = ones([5])
    const reads: Promise<Data>[] = []
    for (let i = 0; i < 100; i++) scope(() => void reads.push(add(x, i).data()))
    scope(() => add(x, 1000))
    expect((await Promise.all(reads)).map(data => data[4])).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
  })

  it('may be of any size', async () => {
    const many = 65535 * 64 + 100
    const big = add(zeros([many], { backend: gpu }), 1)
    expect(await sum(big).item()).toBe(many)
    const numbers = apply(groupNumberOp, [], { shape: [70_000], dtype: 'uint32' }, [], gpu)
    expect(await numbers.data()).toEqual(Uint32Array.from({ length: 70_000 }, (_, i) => i))
    expect(await add(zeros([0, 3], { backend: gpu }), 1).data()).toEqual(new Float32Array(0))
    expect(await sum(zeros([0, 3], { backend: gpu }), 0).data()).toEqual(new Float32Array(3))
  })

  it('give the same bits again', async () => {
    const other = await open()
    const runs: Data[] = []
    for (const backend of [gpu, gpu, other]) {
      const make = maker(backend, 'float32')
      const cells = [4, 30, 30]
      const results = scope(() => derivatives({
        f: (x, w) => sum(dense(x, w, { rows: make(3, cells, 'uint32') }), [1, 2]),
        at: [make(1, [...cells, 16]), make(2, [16, 24])],
      }, make))
      const data = await Promise.all(results.map(result => result.data()))
      runs.push(new Uint32Array(data.flatMap(values => [...new Uint32Array(values.buffer)])))
    }
    expect(runs[1]).toEqual(runs[0])
    expect(runs[2]).toEqual(runs[0])
  })
})

const groupNumberOp: Op<Spec> = defineOp<Spec>({
  name: 'groupNumber',
  infer: (_, spec) => spec,
  cpu: () => {},
  wgsl: ({ out }) => ({
    inputs: [],
    groups: sizeOf(out.shape),
    source: 'fn main(group: u32, lane: u32) { if (lane == 0) { out[group] = group; } }',
  }),
  vjp: null,
})

describe('the memory of WebGPU', () => {
  it('stays the same over the rounds of a loop', async () => {
    const backend = await open()
    const x = ones([2, 9, 9, 4], backend)
    const w = ones([4, 8], backend)
    const round = (): void => scope(() => {
      const [y, pullback] = vjp((p: Tensor) => sum(dense(x, p), [1, 2]), w)
      pullback(add(y, y))
    })
    for (let i = 0; i < 3; i++) round()
    backend.resetPeak()
    const before = memory(backend)
    expect(before.buffers).toBe(2)
    expect(before.bytes).toBe(4 * (2 * 9 * 9 * 4 + 4 * 8))
    const { peakBytes } = scope(() => (round(), memory(backend)))
    for (let i = 0; i < 200; i++) {
      round()
      if (i % 50 === 0) await x.data()
      expect(memory(backend)).toEqual({ ...before, peakBytes })
    }
    backend.trim()
    expect(memory(backend)).toEqual({ ...before, peakBytes, pooledBytes: 0 })
    expect((await x.data())[0]).toBe(1)
  })

  it('is not kept beyond the limit of the pool', async () => {
    const backend = await open({ poolBytes: 100 })
    scope(() => void add(ones([20], backend), ones([20], backend)))
    expect(memory(backend)).toMatchObject({ buffers: 0, bytes: 0, pooledBytes: 80 })
  })

  it('cannot be read after its release', async () => {
    const lost: Tensor[] = []
    scope(() => void lost.push(add(ones([2]), 1)))
    await expect(lost[0].data()).rejects.toThrow(/^tensor add#\d+ \[2\] was released when scope\(\) returned/)
    expect(() => add(lost[0], 1)).toThrow('was released')
  })

  it('takes a copy of shared memory', async () => {
    const shared = new Float32Array(new SharedArrayBuffer(12)).fill(7)
    const x = tensor(shared, { backend: gpu })
    shared.fill(0)
    expect(await x.data()).toEqual(new Float32Array([7, 7, 7]))
  })

  it('has no float64', () => {
    expect(() => tensor(new Float64Array(2), { backend: gpu }))
      .toThrow('tensor: webgpu has no float64; it has float32, int32, uint32.')
    expect(() => cast(ones([2]), 'float64')).toThrow('cast: webgpu has no float64; it has float32, int32, uint32.')
  })

  it('has an end', () => {
    expect(() => zeros([2 ** 40], { backend: gpu }))
      .toThrow(/^webgpu: an array of 4398046511104 bytes is larger than .* allows \(\d+\)\.$/)
  })
})

describe('errors of WebGPU', () => {
  /** An operator with this kernel. */
  function run(name: string, x: Tensor, wgsl?: Op<null>['wgsl']): void {
    apply(defineOp<null>({ name, infer: ([like]) => like, cpu: () => {}, wgsl, vjp: null }), [x], null)
  }

  it('name an operator that has no kernel', () => {
    expect(() => run('lonely', ones([2]))).toThrow('lonely: has no WebGPU kernel yet; run it on the CPU.')
  })

  it('name an operator that does not compile, when a value is read and from then on', async () => {
    const backend = await open()
    const x = ones([2], backend)
    run('misspelt', x, () => ({ inputs: ['x'], threads: 2, source: 'fn main(i: u32) { out[i] = y[i]; }' }))
    const message = /^misspelt: its WGSL kernel does not compile: .*unresolved value 'y'/
    await expect(x.data()).rejects.toThrow(message)
    expect(() => add(x, x)).toThrow(message)
    await expect(x.data()).rejects.toThrow(message)
  })

  it('name an operator that asks for more than the GPU has', async () => {
    const backend = await open()
    const x = ones([2], backend)
    const u32 = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`n${i}`, i]))
    run('greedy', x, () => ({ inputs: ['x'], threads: 2, u32, source: 'fn main(i: u32) { out[i] = f32(u.n63); }' }))
    await expect(x.data()).rejects.toThrow(/^webgpu: while running full, greedy: .*greedy/)
  })
})

describe('the end of WebGPU', () => {
  it('refuses what comes after it, and lets reads finish that came before', async () => {
    const backend = await open()
    const x = ones([3], backend)
    const read = add(x, x).data()
    await Promise.all([backend.close(), backend.close()])
    expect(await read).toEqual(new Float32Array([2, 2, 2]))
    expect(() => add(x, x)).toThrow('webgpu: the backend has been closed.')
    expect(() => tensor([1], { backend })).toThrow('webgpu: the backend has been closed.')
    await expect(x.data()).rejects.toThrow('webgpu: the backend has been closed.')
  })

  it.each(['close', 'leave'])('lets the process end by itself (%s)', how => {
    const program = fileURLToPath(new URL('close.ts', import.meta.url))
    const { stderr, ...end } = spawnSync(process.execPath, ['--import', 'tsx', program, how], { encoding: 'utf8' })
    expect(end, stderr).toMatchObject({ status: 0, signal: null, stdout: '2 4 6\n' })
  })
})
