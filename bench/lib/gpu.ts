/**
 * The GPU that is measured. Without one, on Linux, it is SwiftShader, which runs on the CPU: its times say nothing about the
 * speed of a GPU, but they compare engines.
 */
import { dirname } from 'node:path'
import { useSoftwareAdapter } from '../../tests/webgpu/software-adapter.ts'
import type { Context } from './context.ts'
import { adapter, packed } from './engines.ts'
import type { Probe } from './machine.ts'
import { startServer, type Server } from './server.ts'

export type Gpu = {
  /** The driver's name of it. */
  readonly name: string
  /** Whether it is software: then the work is reduced, so that it takes an acceptable time. */
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
    // This process has loaded it; others find the loader by its name.
    const driver = process.env.VK_ADD_DRIVER_FILES
    if (driver) process.env.LD_LIBRARY_PATH = [dirname(driver), process.env.LD_LIBRARY_PATH ?? []].flat().join(':')
  }
  const server = startServer(adapter)
  const { adapter: name, ...facts } = await server.ask({ task: 'describe' })
  return { name, server, ...facts } as unknown as Gpu
}

/** The current speed of the GPU: GFLOP/s of fused multiply-adds. */
export function gpuProbe({ server }: Gpu): Probe {
  return async () => Number((await server.ask({ task: 'peak' })).gflops)
}
