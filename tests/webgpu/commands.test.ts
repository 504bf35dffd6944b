// The queue of commands of a GPU: each sees the results of those before it, few calls submit them, and their bind groups
// are made once.

import { afterAll, describe, expect, it, vi } from 'vitest'
import {
  add, apply, defineOp, dense, scope, sum, tensor, zeros, type Data, type Op, type Spec, type Tensor,
} from '../../src/index.ts'
import { commandsOf, type Dispatch } from '../../src/backends/webgpu/commands.ts'
import { closeDevice, openDevice } from '../../src/backends/webgpu/device.ts'
import { errorsOf } from '../../src/backends/webgpu/errors.ts'
import { memoryOf } from '../../src/backends/webgpu/memory.ts'
import { backendOn } from '../../src/backends/webgpu/webgpu.ts'
import { vjp } from '../../src/autograd/vjp.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { openPoisoned } from './gpu.ts'

const gpu = await openPoisoned()
const unpooled = await openPoisoned({ poolBytes: 0 })
const opened = await openDevice()
console.log(`WebGPU on: ${opened.adapter}`)
const { device } = opened
const errors = errorsOf(device)
const commands = commandsOf(device, errors)
const memory = memoryOf(device, 'a GPU', errors, commands, { poolBytes: 2 ** 20, maxBytes: Infinity })

afterAll(async () => {
  await Promise.all([gpu.close(), unpooled.close()])
  await errors.settle()
  closeDevice(device)
})

/** A buffer of these values. */
function buffer(...values: number[]): GPUBuffer {
  const made = memory.acquire(4 * values.length, 'test')
  commands.write(made, Uint32Array.from(values))
  return made
}

async function read(from: GPUBuffer): Promise<number[]> {
  const values = new Uint32Array(from.size / 4)
  await commands.read(from, values)
  return [...values]
}

const none = new Uint32Array(0)

/** out ← 10·out + x + n, on four threads, where x is storage or uniform and n is a uniform or nothing. */
function step(out: GPUBuffer, x: GPUBuffer, access: 'read' | 'uniform', n: number | null): Dispatch {
  const from = access === 'read' ? 'var<storage, read> x: array<u32>' : 'var<uniform> x: vec4u'
  return {
    name: 'step',
    code: `
      @group(0) @binding(0) ${from};
      @group(0) @binding(1) var<storage, read_write> out: array<u32>;
      ${n === null ? 'const n = 0u;' : '@group(1) @binding(0) var<uniform> n: u32;'}
      @compute @workgroup_size(4) fn invoke(@builtin(local_invocation_index) i: u32) {
        out[i] = 10 * out[i] + x[i] + n;
      }`,
    buffers: [{ buffer: x, access }, { buffer: out, access: 'write' }],
    uniforms: n === null ? none : Uint32Array.of(n),
    groups: [1, 1, 1],
  }
}

describe('the commands of a GPU', () => {
  it('run in order: shaders, copies, clears, writes and reads', async () => {
    const [a, b, x] = [buffer(0, 0, 0, 0), buffer(9, 9, 9, 9), buffer(1, 2, 3, 4)]
    commands.dispatch(step(a, x, 'read', 0))
    commands.copy(a, b)
    commands.dispatch(step(a, x, 'uniform', null))
    commands.clear(x)
    commands.dispatch(step(a, x, 'read', 5))
    const before = read(a)
    commands.write(x, Uint32Array.of(6, 6, 6, 6))
    commands.dispatch(step(a, x, 'read', null))
    expect(await before).toEqual([115, 225, 335, 445])
    expect(await read(a)).toEqual([1156, 2256, 3356, 4456])
    commands.copy(x, b, 8)
    expect(await read(b)).toEqual([6, 6, 3, 4])
    for (const one of [a, b, x]) memory.release(one)
  })

  it('bind their buffers by access, in whatever order these are listed', async () => {
    const [a, x] = [buffer(0, 0, 0, 0), buffer(1, 1, 1, 1)]
    // With and without uniforms, storage and uniform: four lists on the same two buffers.
    for (const access of ['read', 'uniform'] as const) {
      for (const n of [null, 2]) commands.dispatch(step(a, x, access, n))
    }
    expect(await read(a)).toEqual(Array(4).fill(1313))
    for (const one of [a, x]) memory.release(one)
  })

  it('use the uniforms as they are at the call', async () => {
    const [a, x] = [buffer(0, 0, 0, 0), buffer(0, 0, 0, 0)]
    const uniforms = Uint32Array.of(0)
    let expected = 0
    for (let i = 0; i < 200; i++) {
      uniforms[0] = i
      commands.dispatch({ ...step(a, x, 'read', 0), uniforms })
      expected = (10 * expected + i) % 2 ** 32
    }
    uniforms[0] = 7
    expect((await read(a))[0]).toBe(expected)
    for (const one of [a, x]) memory.release(one)
  })

  it('refuse what cannot run, with a sentence', () => {
    const [a, x] = [buffer(0, 0, 0, 0), buffer(0, 0, 0, 0)]
    const inputs: Spec[] = [{ shape: [2, 2], dtype: 'uint32' }]
    expect(() => commands.dispatch({ ...step(a, a, 'read', 1), inputs }))
      .toThrow('step: an array that it writes is bound twice; inputs [2,2].')
    expect(() => commands.dispatch({ ...step(a, x, 'read', 1), uniforms: new Uint32Array(65), inputs }))
      .toThrow('step: 260 bytes of uniforms; at most 256 fit; inputs [2,2].')
    expect(() => commands.dispatch({ ...step(a, x, 'read', 1), groups: [1, 2 ** 16, 1] }))
      .toThrow('step: 1 × 65536 × 1 workgroups; at most 65535 fit along an axis.')
    for (const one of [a, x]) memory.release(one)
  })

  it('are submitted many at a time, and their bind groups are made once', async () => {
    const backend = backendOn(opened)
    const [x, w] = [[2, 5, 5, 4], [4, 8]].map(shape => add(zeros(shape, { backend }), 1))
    const round = (): void => scope(() => {
      const [y, pullback] = vjp((p: Tensor) => sum(dense(x, p), [1, 2]), w)
      pullback(add(y, y))
    })
    for (let i = 0; i < 2; i++) round()
    await x.data()
    const groups = vi.spyOn(device, 'createBindGroup')
    const pipelines = vi.spyOn(device, 'createComputePipeline')
    const submits = vi.spyOn(device.queue, 'submit')
    const runs = vi.spyOn(backend, 'run')
    for (let i = 0; i < 50; i++) round()
    await x.data()
    expect(groups).not.toHaveBeenCalled()
    expect(pipelines).not.toHaveBeenCalled()
    expect(runs.mock.calls.length).toBeGreaterThanOrEqual(200)
    expect(submits.mock.calls.length).toBeLessThanOrEqual(1 + runs.mock.calls.length / 64)
    vi.restoreAllMocks()
  })

  it('use the right buffers, even if there are more than are cached', async () => {
    const [a, ...xs] = Array.from({ length: 1101 }, (_, i) => buffer(i, i, i, i))
    const groups = vi.spyOn(device, 'createBindGroup')
    let expected = 0
    const run = (i: number): void => {
      commands.dispatch(step(a, xs[i], 'read', 0))
      expected = (10 * expected + i + 1) % 2 ** 32
    }
    const made = (i: number): number => {
      groups.mockClear()
      run(i)
      return groups.mock.calls.length
    }
    for (let i = 0; i < 1100; i++) run(i)
    expect([0, 0, 1, 100, 1099].map(made)).toEqual([1, 0, 1, 0, 0])
    expect((await read(a))[0]).toBe(expected)
    vi.restoreAllMocks()
    for (const one of [a, ...xs]) memory.release(one)
  })

  it('have run before their buffers are destroyed', async () => {
    const [a, x] = [buffer(0, 0, 0, 0), buffer(1, 1, 1, 1)]
    const destroy = vi.spyOn(x, 'destroy')
    commands.dispatch(step(a, x, 'read', 0))
    commands.destroy(x)
    expect(destroy).not.toHaveBeenCalled()
    expect(await read(a)).toEqual([1, 1, 1, 1])
    expect(destroy).toHaveBeenCalledOnce()
    memory.release(a)
  })
})

describe('operators on a GPU', () => {
  it('run in order, over many batches', async () => {
    for (const backend of [gpu, unpooled]) {
      let total = zeros([3], { backend })
      for (let i = 1; i <= 300; i++) total = scope(() => add(total, i))
      expect(await total.data()).toEqual(new Float32Array(3).fill(45150))
    }
  })

  it('see uploads in the right order', async () => {
    let total = zeros([3], { backend: gpu })
    // The upload of each round reuses the memory of the round before, which is still read by commands that have not yet run.
    for (let i = 1; i <= 300; i++) total = scope(() => add(total, tensor([i, 2 * i, 3 * i], { backend: gpu })))
    expect(await total.data()).toEqual(new Float32Array([45150, 90300, 135450]))
  })

  it('run before a read returns, whatever happens to the memory afterwards', async () => {
    const x = tensor([1, 1, 1, 1, 1], { backend: gpu })
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

  it('give the same bits again, on another device too', async () => {
    const runs: Data[] = []
    for (const backend of [gpu, gpu, unpooled]) {
      const values = (n: number): number[] => Array.from({ length: n }, (_, i) => Math.sin(i * i))
      const results = scope(() => {
        const x = tensor(values(4 * 900 * 16), { shape: [4, 30, 30, 16], backend })
        const [y, pullback] = vjp((w: Tensor) => sum(dense(x, w), [1, 2]),
          tensor(values(16 * 24), { shape: [16, 24], backend }))
        return [y, pullback(y)]
      })
      const data = await Promise.all(results.map(result => result.data()))
      runs.push(new Uint32Array(data.flatMap(found => [...new Uint32Array(found.buffer)])))
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
