// Errors on a GPU are thrown by whatever needs the values that they spoilt, with the operator and its shapes, and
// never later than at `close`. Everything else keeps working, and after the loss of a GPU a new backend.

import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  add, mean, mul, scope, sub, tensor, to, valueAndGrad, webgpu, type Backend, type Tensor, type WebGpuBackend,
} from '../../src/index.ts'
import { commandsOf } from '../../src/backends/webgpu/commands.ts'
import { openDevice } from '../../src/backends/webgpu/device.ts'
import { errorsOf } from '../../src/backends/webgpu/errors.ts'
import { backendOn } from '../../src/backends/webgpu/webgpu.ts'
import { storageOf } from '../../src/tensor/tensor.ts'
import { misspelt, runKernel, runMisspelt } from './agreement.ts'
import './gpu.ts'

const opened = await openDevice()
afterAll(() => backendOn(opened).close())

/** A backend that keeps its own errors, on the device that the tests share. */
function backendWithVector(): { backend: WebGpuBackend; x: Tensor } {
  const backend = backendOn(opened)
  return { backend, x: tensor([1, 1], { backend }) }
}

describe('errors of operators on a GPU', () => {
  it('name one that has no kernel', () => {
    const { x } = backendWithVector()
    expect(() => runKernel('lonely', x)).toThrow('lonely: has no WebGPU kernel yet; run it on the CPU.')
  })

  it('name one that does not compile, when its value is read and where it is used, and nowhere else', async () => {
    const { backend, x } = backendWithVector()
    const before = add(x, 1)
    const wrong = runMisspelt(x)
    const worse = add(wrong, 1)
    await expect(wrong.data()).rejects.toThrow(misspelt)
    await expect(worse.data()).rejects.toThrow(misspelt)
    expect(() => add(x, worse)).toThrow(misspelt)
    expect(await before.data()).toEqual(Float32Array.of(2, 2))
    expect(await add(x, tensor([1, 2], { backend })).data()).toEqual(Float32Array.of(2, 3))
    const again = runMisspelt(x)
    await expect(again.data()).rejects.toThrow(misspelt)
    expect(await add(before, x).data()).toEqual(Float32Array.of(3, 3))
  })

  it('name one that binds too little memory', async () => {
    const errors = errorsOf(opened.device)
    const commands = commandsOf(opened.device, errors)
    const buffer = opened.device.createBuffer({ size: 4, usage: 0x80 | 0x8 | 0x4 })
    const code = (type: string): string => `
      @group(0) @binding(0) var<storage, read_write> x: array<${type}>;
      @compute @workgroup_size(1) fn invoke() { x[0] = ${type}(); }`
    const run = (name: string, type: string): void => commands.dispatch({
      name, code: code(type), buffers: [{ buffer, access: 'write' }], uniforms: new Uint32Array(), groups: [1, 1, 1],
      inputs: [{ shape: [1], dtype: 'float32' }, { shape: [2, 3], dtype: 'float32' }],
    })
    run('narrow', 'f32')
    run('wide', 'vec4f')
    const message = /^webgpu: while running wide; inputs \[1\], \[2,3\]: .*too small.*[^.]\.$/
    await expect(commands.read(buffer, new Float32Array(1))).rejects.toThrow(message)
    expect(() => run('narrow', 'f32')).toThrow(message)
    expect(() => commands.copy(buffer, buffer)).toThrow(message)
    commands.clear(buffer)
    run('narrow', 'f32')
    const values = Float32Array.of(7)
    await commands.read(buffer, values)
    expect(values).toEqual(Float32Array.of(0))
  })

  it('name one whose arrays cannot be bound', async () => {
    const errors = errorsOf(opened.device)
    const commands = commandsOf(opened.device, errors)
    const buffer = opened.device.createBuffer({ size: 4, usage: 0x8 })
    commands.dispatch({
      name: 'unfit', code: `
        @group(0) @binding(0) var<storage, read_write> x: array<f32>;
        @compute @workgroup_size(1) fn invoke() { x[0] = 1; }`,
      buffers: [{ buffer, access: 'write' }], uniforms: new Uint32Array(), groups: [1, 1, 1],
    })
    commands.flush()
    await expect(errors.close()).rejects.toThrow(/^unfit: its arrays cannot be bound: .*usage/i)
  })

  it('are thrown even where nothing expects them', async () => {
    const { x } = backendWithVector()
    opened.device.createBuffer({ size: 4, usage: 0x1 | 0x80 }) // no buffer can be mapped and be storage
    await expect(x.data()).rejects.toThrow(/^webgpu: .*usage.*[^.]\.$/i)
  })

  it('are thrown by close, if nothing has thrown them before', async () => {
    const untold = backendOn(await openDevice())
    runMisspelt(tensor([1, 1], { backend: untold }))
    await expect(untold.close()).rejects.toThrow(misspelt)
    await expect(untold.close()).rejects.toThrow(misspelt)

    const pending = backendOn(await openDevice())
    const y = tensor([1, 1], { backend: pending })
    ;(storageOf(y).handle as GPUBuffer).destroy()
    add(y, y)
    await expect(pending.close()).rejects.toThrow(/^webgpu: while running add; inputs \[2\], \[2\]: .*destroyed/)

    const told = backendOn(await openDevice())
    const x = tensor([1, 1], { backend: told })
    runMisspelt(x)
    const read = x.data()
    const closed = told.close()
    await expect(read).rejects.toThrow(misspelt)
    await expect(closed).resolves.toBeUndefined()
    expect(() => add(x, x)).toThrow('webgpu: the backend has been closed.')
  })
})

describe('a GPU without memory', () => {
  it('says what asked for it and what uses most, and works again when there is some', async () => {
    // A stand-in for a device that is full: its message is a real one, but not its moment.
    const full = await openDevice()
    const pop = full.device.popErrorScope.bind(full.device)
    let fits = true
    const error = { message: 'vkAllocateMemory failed.\nMore.' }
    full.device.popErrorScope = async () => await pop() ?? (fits ? null : error)
    const backend = backendOn(full)
    const x = tensor(new Float32Array(1000), { shape: [2, 500], backend })
    await x.data()
    fits = false
    const y = add(x, x)
    const message = 'webgpu: no memory for add [2,500] (4 kB beside 4 kB in use): vkAllocateMemory failed; '
      + 'largest: 1 × tensor [2,500] 4 kB, 1 × add [2,500] 4 kB.'
    await expect(y.data()).rejects.toThrow(message)
    expect(() => add(y, 1)).toThrow(message)
    fits = true
    expect((await add(x, 1).data())[999]).toBe(1)
    await backend.close()
  })
})

describe('a GPU that is lost', () => {
  const message = /^webgpu: the GPU was lost \(.+\), with all that was on it; open a new backend and go on from /

  it('rejects the reads that wait for it, and everything afterwards', async () => {
    const lost = await openDevice()
    const backend = backendOn(lost)
    const x = tensor([1, 2, 3], { backend })
    const reads = [x.data(), add(x, x).data()]
    lost.device.destroy()
    for (const read of reads) await expect(read).rejects.toThrow(message)
    expect(() => add(x, x)).toThrow(message)
    expect(() => tensor([1], { backend })).toThrow(message)
    await expect(x.data()).rejects.toThrow(message)
    await backend.close()
  })

  it('is reported by close, if nothing has reported it before', async () => {
    const lost = await openDevice()
    const backend = backendOn(lost)
    const x = tensor([1, 2, 3], { backend })
    add(x, x)
    lost.device.destroy()
    await expect(backend.close()).rejects.toThrow(message)
  })

  it('is replaced by a new backend, on which training continues as if nothing had happened', async () => {
    const target = [3, -1, 2]
    const descend = (w: Tensor): Tensor => scope(() => {
      const loss = (p: Tensor): Tensor => {
        const d = sub(p, tensor(target, { like: p }))
        return mean(mul(d, d))
      }
      return sub(w, mul(valueAndGrad(loss)(w)[1], 0.3))
    })
    /** Six rounds; before the fifth the device is lost if `fails`. Saves every second round. */
    async function train(fails: boolean): Promise<unknown> {
      let device = await openDevice()
      let backend: Backend = backendOn(device)
      let w = tensor([0, 0, 0], { backend })
      let saved = { round: 0, w: await to(tensor(0).backend, w) }
      const opens = [backend]
      for (let round = 1; round <= 6; round++) {
        try {
          if (fails && round === 5) {
            device.device.destroy()
            fails = false
          }
          w = descend(w)
          if (round % 2 === 0) saved = { round, w: await to(tensor(0).backend, w) }
          await w.data()
        } catch (error) {
          expect((error as Error).message).toMatch(message)
          device = await openDevice()
          opens.push(backend = backendOn(device))
          w = await to(backend, saved.w)
          round = saved.round
        }
      }
      const result = await w.data()
      for (const one of opens) await (one as WebGpuBackend).close()
      return result
    }
    expect(await train(true)).toEqual(await train(false))
  })
})

describe('the adapter of a GPU', () => {
  it.each([
    [true, { vendor: 'google', architecture: 'swiftshader', device: '', description: 'SwiftShader driver 5.0.0' }],
    [true, { vendor: 'mesa', architecture: 'software', device: 'llvmpipe-llvm-15', description: '' }],
    [true, { vendor: 'microsoft', architecture: '', device: '', description: 'Microsoft Basic Render Driver' }],
    [true, { vendor: 'maker', architecture: '', device: '', description: '', isFallbackAdapter: true }],
    [false, { vendor: 'nvidia', architecture: 'ampere', device: '', description: 'NVIDIA GeForce RTX 3060' }],
  ])('is software: %s, and is asked for what it has: %j', async (software, info) => {
    const limits = { maxBufferSize: 512, maxStorageBufferBindingSize: 256, maxUniformBufferBindingSize: 128 }
    const device = {}
    const requestDevice = vi.fn<() => Promise<object>>(async () => device)
    vi.stubGlobal('navigator', { gpu: { requestAdapter: async () => ({ limits, info, requestDevice }) } })
    onTestFinished(() => void vi.unstubAllGlobals())
    const parts = [info.vendor, info.architecture, info.device, info.description]
    expect(await openDevice()).toEqual({ device, adapter: parts.filter(part => part).join(' '), software })
    expect(requestDevice).toHaveBeenCalledWith({ requiredLimits: expect.objectContaining(limits) })
  })
})

describe('a machine without a GPU', () => {
  it.each([
    ['linux', /^webgpu: no GPU found; install the Vulkan driver of your GPU \(.*apt install mesa-vulkan-drivers/],
    ['darwin', /^webgpu: no GPU found; .*Metal/],
    ['win32', /^webgpu: no GPU found; install the current driver of your GPU \(Direct3D 12\)\.$/],
    ['a browser', /^webgpu: no GPU found; switch hardware acceleration on in the settings of the browser/],
  ])('is told what to do on %s', async (platform, expected) => {
    vi.stubGlobal('navigator', { gpu: { requestAdapter: async () => null } })
    const real = Object.getOwnPropertyDescriptor(process, 'platform')!
    Object.defineProperty(process, 'platform', { ...real, value: platform })
    onTestFinished(() => {
      Object.defineProperty(process, 'platform', real)
      vi.unstubAllGlobals()
    })
    await expect(webgpu()).rejects.toThrow(expected)
  })

})
