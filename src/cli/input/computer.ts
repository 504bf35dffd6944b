/**
 * The backend on which a command computes: the CPU, or a GPU. It is opened and closed only here.
 */
import type { Backend } from '../../backends/backend.ts'
import { cpu } from '../../backends/cpu.ts'
import { defaultThreads } from '../../backends/wasm/default-threads.ts'
import { supports } from '../../backends/wasm/module.ts'
import { availableThreads } from '../../backends/wasm/threads.ts'
import { webgpu, type WebGpuBackend } from '../../backends/webgpu/webgpu.ts'
import type { BackendName, FmaChoice } from '../../experiment/config/computers.ts'
import { UsageError } from './usage.ts'

export type Computer = {
  readonly backend: Backend
  /** In words: `CPU, 2 threads`. */
  readonly name: string
  /** Whether fused multiply-add is used; null on a GPU, which decides that itself. */
  readonly fma: 'on' | 'off' | null
}

/** The backend that a configuration asks for. */
export type Wanted = { readonly backend: BackendName; readonly threads?: number; readonly fma?: FmaChoice }

/**
 * Runs `work` on a backend, and closes it afterwards.
 *
 * @throws if a GPU is asked for and there is none, saying what to install; if there are more threads than the machine runs at once
 */
export async function computing(wanted: Wanted, work: (computer: Computer) => Promise<void>): Promise<void> {
  const { backend } = wanted
  const gpu = backend === 'webgpu' ? await webgpu() : backend === 'auto' ? await hardware() : null
  if (!gpu) return work(onCpu(wanted))
  try {
    await work({ backend: gpu, name: `${gpu.adapter} (WebGPU)`, fma: null })
  } finally {
    await gpu.close()
  }
}

function onCpu({ threads = 0, fma = 'auto' }: Wanted): Computer {
  const most = availableThreads()
  if (threads > most) {
    throw new UsageError(`threads is ${threads}, expected at most ${most}, as many as this machine runs at once; 0 for all`)
  }
  const count = threads || defaultThreads()
  const fused = fma !== 'off' && supports('fma')
  const name = `CPU, ${count} ${count === 1 ? 'thread' : 'threads'}${fused ? ', fused multiply-add' : ''}`
  return { backend: cpu({ threads: count, fma: fused }), name, fma: fused ? 'on' : 'off' }
}

/** A GPU that is hardware; null if there is none. */
async function hardware(): Promise<WebGpuBackend | null> {
  const gpu = await webgpu().catch(() => null)
  if (!gpu?.software) return gpu
  await gpu.close()
  return null
}
