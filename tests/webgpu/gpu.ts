// A GPU for tests. Importing this file makes a software adapter available, if there is one.

import fc from 'fast-check'
import { webgpu, type Spec, type WebGpuBackend, type WebGpuOptions } from '../../src/index.ts'
import { openDevice, type OpenDevice } from '../../src/backends/webgpu/device.ts'
import { backendOn } from '../../src/backends/webgpu/webgpu.ts'
import { fullOp } from '../../src/tensor/ops/create.ts'
import { useDefaultLimits } from './default-limits.ts'
import { useSoftwareAdapter } from './software-adapter.ts'

useSoftwareAdapter()
if (process.env.CELLGRAD_LIMITS === 'default') await useDefaultLimits()

/** A backend that allocates memory full of NaN, so that a kernel that does not write all of its output is noticed. */
export async function openPoisoned(options?: WebGpuOptions): Promise<WebGpuBackend> {
  return poisoned(await webgpu(options))
}

function poisoned(backend: WebGpuBackend): WebGpuBackend {
  const { alloc } = backend
  backend.alloc = (spec: Spec, name?: string) => {
    const handle = alloc(spec, name)
    const rubbish = spec.dtype === 'float32' ? NaN : 0x7fc0dead
    backend.run(fullOp, { inputs: [], out: spec, attrs: spec, scalars: [rubbish] }, [], handle)
    return handle
  }
  return backend
}

let device: Promise<OpenDevice> | undefined
let gpu: Promise<WebGpuBackend> | undefined

/** The device for all test files of a process that do not need one of their own. */
export function sharedDevice(): Promise<OpenDevice> {
  return device ??= openDevice()
}

/**
 * Such a backend on it, so that a kernel that one file has compiled is there for the next: on a software adapter
 * compiling takes most of the time. It ends with the process.
 */
export function sharedGpu(): Promise<WebGpuBackend> {
  return gpu ??= anotherGpu({})
}

/** Another such backend, with its own counts, on the shared device; it must not be closed. */
export async function anotherGpu(options: WebGpuOptions): Promise<WebGpuBackend> {
  return poisoned(backendOn(await sharedDevice(), options))
}

/** Fewer cases than properties usually get: each new rule compiles shaders for seconds on a software adapter. */
export function some(share: number): { numRuns: number } {
  return { numRuns: Math.ceil(share * fc.readConfigureGlobal().numRuns!) }
}
