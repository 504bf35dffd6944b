// A GPU for tests. Importing this file makes a software adapter known, where there is one.

import fc from 'fast-check'
import { webgpu } from '../../src/index.ts'
import type { Spec, WebGpuBackend, WebGpuOptions } from '../../src/index.ts'
import { fullOp } from '../../src/tensor/ops/create.ts'
import { useDefaultLimits } from './default-limits.ts'
import { useSoftwareAdapter } from './software-adapter.ts'

useSoftwareAdapter()
if (process.env.CELLGRAD_LIMITS === 'default') await useDefaultLimits()

/** A backend that hands out memory full of NaN, so that a kernel that does not write all of its output is seen. */
export async function openPoisoned(options?: WebGpuOptions): Promise<WebGpuBackend> {
  const backend = await webgpu(options)
  const { alloc } = backend
  backend.alloc = (spec: Spec, name?: string) => {
    const handle = alloc(spec, name)
    const rubbish = spec.dtype === 'float32' ? NaN : 0x7fc0dead
    backend.run(fullOp, { inputs: [], out: spec, attrs: spec, scalars: [rubbish] }, [], handle)
    return handle
  }
  return backend
}

/** Fewer cases than properties usually get: each new rule compiles shaders for seconds on a software adapter. */
export function some(share: number): { numRuns: number } {
  return { numRuns: Math.ceil(share * fc.readConfigureGlobal().numRuns!) }
}
