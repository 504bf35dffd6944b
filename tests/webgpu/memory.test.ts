// The memory of a GPU: freed buffers are reused, nothing grows, and the error of a budget says what it was spent on.

import { execFileSync } from 'node:child_process'
import { afterAll, expect, it } from 'vitest'
import {
  add, cast, dense, memory, scope, sum, tensor, vjp, zeros, type Backend, type Tensor, type WebGpuBackend,
  type WebGpuOptions,
} from '../../src/index.ts'
import { openDevice } from '../../src/backends/webgpu/device.ts'
import { backendOn } from '../../src/backends/webgpu/webgpu.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { bundled } from '../bundled.ts'
import './gpu.ts'

const opened = await openDevice()
const gpu = backendOn(opened)
afterAll(() => gpu.close())

/** Another backend, which counts for itself, on the same device. */
const open = (options: WebGpuOptions): WebGpuBackend => backendOn(opened, options)

function ones(shape: readonly number[], backend: Backend = gpu): Tensor {
  return tensor(new Float32Array(sizeOf(shape)).fill(1), { shape, backend })
}

it('stays the same over the rounds of a loop', async () => {
  const backend = open({})
  const x = ones([1, 5, 5, 4], backend)
  const w = ones([4, 8], backend)
  const round = (): void => scope(() => {
    const [y, pullback] = vjp((p: Tensor) => sum(dense(x, p), [1, 2]), w)
    pullback(add(y, y))
  })
  for (let i = 0; i < 3; i++) round()
  backend.resetPeak()
  const before = memory(backend)
  expect(before.buffers).toBe(2)
  expect(before.bytes).toBe(4 * (5 * 5 * 4 + 4 * 8))
  const { peakBytes } = scope(() => (round(), memory(backend)))
  for (let i = 0; i < 300; i++) {
    round()
    if (i % 50 === 0) await x.data()
    expect(memory(backend)).toEqual({ ...before, peakBytes })
  }
  backend.trim()
  expect(memory(backend)).toEqual({ ...before, peakBytes, pooledBytes: 0 })
  expect((await x.data())[0]).toBe(1)
})

it('is kept for reuse up to a limit; the size that was freed longest ago goes first', () => {
  const backend = open({ poolBytes: 140 })
  const use = (sizes: number[], meanwhile = (): void => {}): void => scope(() => {
    for (const n of sizes) zeros([n], { backend })
    meanwhile()
  })
  const pooled = (): number => memory(backend).pooledBytes
  use([5, 5])
  use([12])
  expect(pooled()).toBe(20 + 20 + 48)
  use([5]) // one of the first two again, so that its size is now the last
  use([14])
  expect(pooled()).toBe(20 + 20 + 56)
  use([5, 5])
  use([14], () => use([26])) // what is in use again is not in the pool
  expect(pooled()).toBe(56)
  use([200])
  use([1])
  expect(memory(backend)).toEqual({ buffers: 0, bytes: 0, pooledBytes: 56 + 4, peakBytes: 800 })
})

it('has a budget, whose error says what it was spent on', async () => {
  const backend = open({ maxBytes: 1000 })
  scope(() => void zeros([245], { backend }))
  expect(memory(backend).pooledBytes).toBe(980)
  const x = ones([2, 5], backend) // only the pool stands in its way
  expect(memory(backend)).toMatchObject({ bytes: 40, pooledBytes: 0 })
  const sums = [add(x, 1), add(x, 2)]
  const big = zeros([10, 21], { backend })
  expect(() => zeros([20], { backend })).toThrow('webgpu: 1.05 kB asked for (80 bytes of it by full [20]), '
    + 'budget 1 kB; largest: 1 × full [10,21] 840 bytes, 2 × add [2,5] 80 bytes, 1 × tensor [2,5] 40 bytes, '
    + '2 × full [] 8 bytes.')
  expect(memory(backend)).toMatchObject({ buffers: 6, bytes: 968 })
  expect((await sums[0].data())[0] + (await sums[1].data())[0] + (await big.data())[0]).toBe(5)
})

it('has a limit that no array may exceed', () => {
  expect(() => zeros([2 ** 40], { backend: gpu }))
    .toThrow(/^webgpu: full \[1099511627776\] has 4400 GB; one array may have [\d.]+ [MG]B on .*\.$/)
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

it('is freed when JavaScript collects the tensors that the program has dropped', () => {
  const report = execFileSync(process.execPath, ['--expose-gc', bundled('tests/webgpu/collected.ts')], { encoding: 'utf8' })
  expect(JSON.parse(report)).toEqual({ before: 1, dropped: 1, values: [0, 1, 2], 'bind groups kept': 0 })
})
