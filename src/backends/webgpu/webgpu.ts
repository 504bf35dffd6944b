/**
 * The WebGPU backend: buffers on the GPU, and compute shaders that are enqueued without waiting for them.
 *
 * `run` only writes a command. Commands are collected in one pass and handed to the GPU 64 at a time, or when a value
 * is read; their uniforms lie side by side in one buffer, 256 bytes for each. WebGPU runs commands in order, and each
 * sees what those before it have written, so a freed buffer may be reused at once by a later command.
 *
 * Errors come back asynchronously. The first is kept and thrown by everything that is called afterwards, since no value
 * that was computed since can be trusted.
 */
import { hostArray, sizeOf } from '../backend.ts'
import type { Backend, Call, Data, Handle, Kernel, Memory, Spec } from '../backend.ts'
import { closeDevice, openDevice } from './device.ts'
import { assemble, lanes, writeUniforms } from './shader.ts'

export type WebGpuOptions = {
  /** Freed buffers kept for reuse, at most this many bytes (default 256 MiB). */
  poolBytes?: number
}

export type WebGpuBackend = Backend & {
  /** What the driver calls the GPU, or the software that stands in for one. */
  readonly adapter: string
  /** Waits for what is enqueued and gives everything back. Tensors on this backend cannot be used afterwards. */
  close(): Promise<void>
}

/** Numbers of the WebGPU specification; the names exist as globals in browsers only. */
const usage = { mapRead: 0x1, copySrc: 0x4, copyDst: 0x8, uniform: 0x40, storage: 0x80 }
const computeStage = 0x4

/** Commands in a batch, and the bytes of uniforms that each may have (the alignment that every adapter supports). */
const batchSize = 64
const slotBytes = 256

type Batch = { readonly encoder: GPUCommandEncoder; readonly pass: GPUComputePassEncoder; readonly kernels: string[] }

/**
 * Opens the GPU, or the software adapter where that is all there is.
 *
 * @throws where there is no WebGPU or no adapter, saying what to install
 * @example
 * const gpu = await webgpu()
 * const x = tensor([1, 2, 3], { backend: gpu })
 * console.log(await add(x, x).data())     // Float32Array [2, 4, 6]
 * await gpu.close()
 */
export async function webgpu({ poolBytes = 256 * 2 ** 20 }: WebGpuOptions = {}): Promise<WebGpuBackend> {
  const { device, adapter } = await openDevice()
  const { queue } = device
  let closed = false

  // Errors.

  let failure: Error | null = null
  /** Settled when every error and every value asked for so far has arrived. */
  let arrived: Promise<unknown> = Promise.resolve()

  function fail(problem: string, error: { message: string }): void {
    failure ??= new Error(`${problem}: ${error.message.trim().split('\n')[0]}`, { cause: error })
  }

  /** Ends an error scope. `problem` begins the message of what it has caught. */
  function endScope(problem: string): void {
    const caught = device.popErrorScope()
      .then(error => { if (error) fail(problem, error) })
      .catch((error: Error) => fail(problem, error))
    arrived = arrived.then(() => caught)
  }

  function checkUsable(): void {
    if (closed) throw new Error('webgpu: the backend has been closed.')
    if (failure) throw failure
  }

  device.addEventListener('uncapturederror', ({ error }) => fail('webgpu', error))
  void device.lost.then(info => fail('webgpu: the device was lost', info))

  // Memory.

  const pool = new Map<number, GPUBuffer[]>()
  /** Freed and not to be reused: destroyed once the commands that use them have been submitted. */
  const doomed: GPUBuffer[] = []
  let buffers = 0, bytes = 0, peakBytes = 0, pooledBytes = 0

  function count(buffer: GPUBuffer): GPUBuffer {
    buffers++
    bytes += buffer.size
    peakBytes = Math.max(peakBytes, bytes)
    return buffer
  }

  function reuse(size: number): GPUBuffer | undefined {
    const buffer = pool.get(size)?.pop()
    if (buffer) pooledBytes -= size
    return buffer
  }

  function create(size: number): GPUBuffer {
    const { maxStorageBufferBindingSize: most } = device.limits
    if (size > most) throw new Error(`webgpu: an array of ${size} bytes is larger than ${adapter} allows (${most}).`)
    device.pushErrorScope('out-of-memory')
    const buffer = device.createBuffer({ size, usage: usage.storage | usage.copySrc | usage.copyDst })
    endScope(`webgpu: no memory for ${size} bytes`)
    return buffer
  }

  // Commands.

  const values = new Uint32Array(batchSize * slotBytes / 4)
  const uniforms = device.createBuffer({ size: values.byteLength, usage: usage.uniform | usage.copyDst })
  const uniformLayout = device.createBindGroupLayout({
    entries: [{ binding: 0, visibility: computeStage, buffer: { type: 'uniform', hasDynamicOffset: true } }],
  })
  const uniformGroup = device.createBindGroup({
    layout: uniformLayout,
    entries: [{ binding: 0, resource: { buffer: uniforms, size: slotBytes } }],
  })
  const layouts: GPUBindGroupLayout[] = []
  const pipelines = new Map<string, GPUComputePipeline>()
  let batch: Batch | null = null

  /** The layout of group 0: the output, then so many inputs. */
  function layoutFor(inputs: number): GPUBindGroupLayout {
    return layouts[inputs] ??= device.createBindGroupLayout({
      entries: Array.from({ length: inputs + 1 }, (_, binding) => (
        { binding, visibility: computeStage, buffer: { type: binding === 0 ? 'storage' : 'read-only-storage' } })),
    })
  }

  function pipelineFor(name: string, code: string, inputs: number): GPUComputePipeline {
    let pipeline = pipelines.get(code)
    if (!pipeline) {
      device.pushErrorScope('validation')
      pipeline = device.createComputePipeline({
        label: name,
        layout: device.createPipelineLayout({ bindGroupLayouts: [layoutFor(inputs), uniformLayout] }),
        compute: { module: device.createShaderModule({ label: name, code }), entryPoint: 'invoke' },
      })
      endScope(`${name}: its WGSL kernel does not compile`)
      pipelines.set(code, pipeline)
    }
    return pipeline
  }

  function openBatch(): Batch {
    if (batch) return batch
    device.pushErrorScope('validation')
    const encoder = device.createCommandEncoder()
    batch = { encoder, pass: encoder.beginComputePass(), kernels: [] }
    return batch
  }

  /** Hands the open batch to the GPU, with `last` at its end. */
  function flush(last?: (encoder: GPUCommandEncoder) => void): void {
    if (batch || last) {
      const { encoder, pass, kernels } = openBatch()
      batch = null
      pass.end()
      last?.(encoder)
      // Takes effect before the commands of this batch, and after those of the batches before it.
      queue.writeBuffer(uniforms, 0, values, 0, kernels.length * slotBytes / 4)
      queue.submit([encoder.finish()])
      endScope(`webgpu: while running ${[...new Set(kernels)].join(', ')}`)
    }
    for (const buffer of doomed.splice(0)) buffer.destroy()
  }

  return {
    name: 'webgpu',
    dtypes: ['float32', 'int32', 'uint32'],
    adapter,

    alloc(spec: Spec): Handle {
      checkUsable()
      if (spec.dtype === 'float64') throw new Error('webgpu: GPUs compute in float32; float64 exists on the CPU only.')
      const size = sizeInBytes(spec)
      return count(reuse(size) ?? create(size))
    },

    free(handle: Handle): void {
      const buffer = handle as GPUBuffer
      buffers--
      bytes -= buffer.size
      if (pooledBytes + buffer.size > poolBytes) {
        doomed.push(buffer)
        return
      }
      pooledBytes += buffer.size
      const list = pool.get(buffer.size)
      if (list) list.push(buffer)
      else pool.set(buffer.size, [buffer])
    },

    upload(data: Data): Handle {
      checkUsable()
      const size = Math.max(4, data.byteLength)
      const reused = reuse(size)
      // Writing overtakes the commands that are still in the open batch, and these may read what was in this buffer.
      if (reused) flush()
      const buffer = count(reused ?? create(size))
      // Dawn crashes when it is handed shared memory.
      queue.writeBuffer(buffer, 0, data.buffer instanceof ArrayBuffer ? data : data.slice())
      return buffer
    },

    run<A>(kernel: Kernel<A>, call: Call<A>, inputs: readonly Handle[], out: Handle): void {
      checkUsable()
      if (!kernel.wgsl) throw new Error(`${kernel.name}: has no WebGPU kernel yet; run it on the CPU.`)
      const shader = kernel.wgsl(call)
      const groups = 'threads' in shader ? Math.ceil(shader.threads / lanes) : shader.groups
      if (groups === 0) return
      const { pass, kernels } = openBatch()
      pass.setPipeline(pipelineFor(kernel.name, assemble(shader, call), inputs.length))
      pass.setBindGroup(0, device.createBindGroup({
        label: kernel.name,
        layout: layoutFor(inputs.length),
        entries: [out, ...inputs].map((buffer, binding) => ({ binding, resource: { buffer: buffer as GPUBuffer } })),
      }))
      const slot = kernels.length * slotBytes
      writeUniforms(shader, values.subarray(slot / 4, (slot + slotBytes) / 4))
      pass.setBindGroup(1, uniformGroup, [slot])
      // A grid of workgroups has at most 65535 along each axis, so that many need a second axis.
      const height = Math.ceil(groups / device.limits.maxComputeWorkgroupsPerDimension)
      pass.dispatchWorkgroups(Math.ceil(groups / height), height)
      kernels.push(kernel.name)
      if (kernels.length === batchSize) flush()
    },

    async read(handle: Handle, spec: Spec): Promise<Data> {
      checkUsable()
      const data = hostArray(spec.dtype, sizeOf(spec.shape))
      const staging = device.createBuffer({ size: sizeInBytes(spec), usage: usage.mapRead | usage.copyDst })
      flush(encoder => encoder.copyBufferToBuffer(handle as GPUBuffer, 0, staging, 0, staging.size))
      const copied = staging.mapAsync(usage.mapRead).then(() => {
        new Uint8Array(data.buffer).set(new Uint8Array(staging.getMappedRange(), 0, data.byteLength))
        staging.destroy()
      }).catch((error: Error) => fail('webgpu: a read failed', error))
      arrived = arrived.then(() => copied)
      await arrived
      if (failure) throw failure
      return data
    },

    memory: (): Memory => ({ buffers, bytes, peakBytes, pooledBytes }),

    resetPeak(): void {
      peakBytes = bytes
    },

    trim(): void {
      for (const list of pool.values()) doomed.push(...list)
      pool.clear()
      pooledBytes = 0
      flush()
      queue.submit([]) // Dawn lets go of destroyed buffers when something is submitted
    },

    async close(): Promise<void> {
      if (closed) return
      flush()
      closed = true
      await arrived
      await queue.onSubmittedWorkDone()
      closeDevice(device)
    },
  }
}

/** Bytes of a buffer; an empty array has one too, because a buffer of no bytes cannot be bound. */
function sizeInBytes(spec: Spec): number {
  return Math.max(4, 4 * sizeOf(spec.shape))
}
