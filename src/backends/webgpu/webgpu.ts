/**
 * The WebGPU backend: buffers on the GPU, and compute shaders that are enqueued without waiting for them. It is made of
 *
 *   device.ts     opening and closing the GPU
 *   errors.ts     its errors, which arrive later; trust.ts knows which values they have made wrong
 *   commands.ts   the command queue; bindings.ts has pipelines and bind groups
 *   faults.ts     indices that a kernel has found outside of their axes
 *   memory.ts     buffers: pool, counts, budget
 *   program/      whole rollouts of cellular automata
 *   shader.ts     from a kernel to the text and the uniforms of a command
 */
import {
  hostArray, sizeOf, type Backend, type Call, type Data, type Handle, type Kernel, type Shape, type Spec,
} from '../backend.ts'
import { checkOptions, keysOf, numberFrom } from '../options.ts'
import { commandsOf } from './commands.ts'
import { closeDevice, openDevice, type OpenDevice } from './device.ts'
import { errorsOf } from './errors.ts'
import { memoryOf } from './memory.ts'
import { runnerOf } from './program/runner.ts'
import { assemble, lanes, uniformsOf } from './shader.ts'

export type WebGpuOptions = {
  /** The most bytes of freed buffers kept for reuse, default 256 MiB. */
  poolBytes?: number
  /** The most bytes that tensors and the pool may have together, by default as many as the GPU has. */
  maxBytes?: number
}

const webGpuOptions = keysOf<WebGpuOptions>({
  poolBytes: numberFrom(0),
  maxBytes: { fits: x => typeof x === 'number' && x > 0, expected: 'a number > 0' },
})

/** A GPU as a backend. */
export type WebGpuBackend = Backend & {
  /** The driver's name of the GPU or software adapter. */
  readonly adapter: string
  /** Whether it is a software adapter, which runs on the CPU. */
  readonly software: boolean
  /**
   * Waits for everything that is enqueued and frees all memory. Tensors on this backend cannot be used afterwards. Rejects
   * with an error of the GPU that no call has thrown yet.
   */
  close(): Promise<void>
}

/**
 * Opens the GPU, or the software adapter if there is nothing else.
 *
 * @throws if there is no WebGPU or no adapter, saying what to install
 * @example
 * const gpu = await webgpu()
 * const x = tensor([1, 2, 3], { backend: gpu })
 * console.log(await add(x, x).data())     // Float32Array [2, 4, 6]
 * await gpu.close()
 */
export async function webgpu(options: WebGpuOptions = {}): Promise<WebGpuBackend> {
  checkOptions('webgpu', options, webGpuOptions) // before there is a GPU to be closed again
  return backendOn(await openDevice(), options)
}

/** A backend on an open device. */
export function backendOn(opened: OpenDevice, options: WebGpuOptions = {}): WebGpuBackend {
  const { device, adapter, software } = opened
  const { poolBytes = 256 * 2 ** 20, maxBytes = Infinity } = options
  const errors = errorsOf(device)
  const commands = commandsOf(device, errors)
  const memory = memoryOf(device, adapter, errors, commands, { poolBytes, maxBytes })
  const mostGroups = device.limits.maxComputeWorkgroupsPerDimension
  let closing: Promise<void> | undefined

  async function close(): Promise<void> {
    commands.finish()
    errors.follow(device.queue.onSubmittedWorkDone(), reason => errors.trust.fail(new Error(`webgpu: the last commands failed: ${reason}.`)))
    try {
      await errors.close()
      await new Promise(resolve => setTimeout(resolve, 0)) // lets pending reads arrive before the device is closed
    } finally {
      closeDevice(device)
    }
  }

  return {
    name: 'webgpu',
    dtypes: ['float32', 'int32', 'uint32'],
    adapter,
    software,

    alloc({ shape, dtype }: Spec, name = 'array'): Handle {
      if (dtype === 'float64') throw new Error('webgpu: GPUs compute in float32; float64 exists on the CPU only.')
      return memory.acquire(bytesFor(sizeOf(shape)), name, shape)
    },

    free(handle: Handle): void {
      memory.release(handle as GPUBuffer)
    },

    unseen: (handle: Handle): number => (handle as GPUBuffer).size,

    upload(data: Data, shape: Shape = [data.length]): Handle {
      const buffer = memory.acquire(bytesFor(data.length), 'tensor', shape)
      commands.write(buffer, data)
      return buffer
    },

    run<A>(kernel: Kernel<A>, call: Call<A>, inputs: readonly Handle[], out: Handle): void {
      if (!kernel.wgsl) throw new Error(`${kernel.name}: has no WebGPU kernel yet; run it on the CPU.`)
      if (sizeOf(call.out.shape) === 0) return // so that no kernel divides by a size of 0
      const shader = kernel.wgsl(call)
      const groups = 'threads' in shader ? Math.ceil(shader.threads / lanes) : shader.groups
      // There are at most 65535 workgroups along each axis, so more of them need a second axis.
      const height = Math.ceil(groups / mostGroups)
      commands.dispatch({
        name: kernel.name,
        code: assemble(shader, call),
        buffers: [
          { buffer: out as GPUBuffer, access: 'write' },
          ...inputs.map(buffer => ({ buffer: buffer as GPUBuffer, access: 'read' as const })),
        ],
        uniforms: uniformsOf(shader),
        indices: shader.indices,
        groups: [Math.ceil(groups / height), height, 1],
        inputs: call.inputs,
      })
    },

    async read(handle: Handle, spec: Spec): Promise<Data> {
      const data = hostArray(spec.dtype, sizeOf(spec.shape))
      await commands.read(handle as GPUBuffer, data)
      return data
    },

    runner: runnerOf(opened, commands, memory),
    memory: memory.stats,
    resetPeak: memory.resetPeak,
    trim: memory.trim,
    close: () => closing ??= close(),
  }
}

/** The bytes of a buffer, at least 4 because an empty buffer cannot be bound. */
function bytesFor(size: number): number {
  return Math.max(4, 4 * size)
}
