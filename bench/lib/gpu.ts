/**
 * The GPU that is measured. Without one, on Linux, it is SwiftShader, which runs on the CPU and says nothing about how
 * fast a GPU is, but compares engines.
 */
import { dirname } from 'node:path'
import { useSoftwareAdapter } from '../../tests/webgpu/software-adapter.ts'
import type { Context } from './context.ts'
import { adapter, packed } from './engines.ts'
import type { Probe } from './machine.ts'
import { startServer, type Server } from './server.ts'

export type Gpu = {
  /** What the driver calls it. */
  readonly name: string
  /** Whether it is software: work is cut down to what can be waited for. */
  readonly software: boolean
  readonly timestamps: boolean
  readonly limits: Readonly<Record<string, number>>
  /** servers/adapter.mjs. */
  readonly server: Server
}

export type GpuContext = Context & { readonly gpu: Gpu }

export async function openGpu(): Promise<Gpu> {
  if (!packed) {
    useSoftwareAdapter()
    // It has been loaded into this process only; others find the loader by its name.
    const driver = process.env.VK_ADD_DRIVER_FILES
    if (driver) process.env.LD_LIBRARY_PATH = [dirname(driver), process.env.LD_LIBRARY_PATH ?? []].flat().join(':')
  }
  const server = startServer(adapter)
  const { adapter: name, ...facts } = await server.ask({ task: 'describe' })
  return { name, server, ...facts } as unknown as Gpu
}

/** What the GPU can do just now: GFLOP/s of fused multiply-adds. */
export function gpuProbe({ server }: Gpu): Probe {
  return async () => Number((await server.ask({ task: 'peak' })).gflops)
}
