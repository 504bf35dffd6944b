/**
 * What a command computes on: the CPU, or a GPU. It is opened and closed here, and nowhere deeper.
 */
import type { Backend } from '../backends/backend.ts'
import { cpu } from '../backends/cpu.ts'
import { availableThreads } from '../backends/wasm/threads.ts'
import { webgpu } from '../backends/webgpu/webgpu.ts'
import type { WebGpuBackend } from '../backends/webgpu/webgpu.ts'

export const backendNames = ['cpu', 'webgpu', 'auto'] as const
export type BackendName = (typeof backendNames)[number]

/** For help texts. */
export const backendMeanings = 'cpu; webgpu, the GPU that there is; auto, a GPU that is hardware, else the CPU'

export type Computer = {
  readonly backend: Backend
  /** In words: `CPU, 2 threads`. */
  readonly name: string
}

/**
 * Runs `work` on a backend, and closes it afterwards.
 *
 * @throws where a GPU is asked for and there is none, saying what to install
 */
export async function computing(
  { backend, threads = 0 }: { backend: BackendName; threads?: number }, work: (computer: Computer) => Promise<void>,
): Promise<void> {
  const gpu = backend === 'webgpu' ? await webgpu() : backend === 'auto' ? await hardware() : null
  if (!gpu) {
    const count = threads > 0 ? threads : availableThreads()
    return work({ backend: cpu({ threads: count }), name: `CPU, ${count} ${count === 1 ? 'thread' : 'threads'}` })
  }
  try {
    await work({ backend: gpu, name: `${gpu.adapter} (WebGPU)` })
  } finally {
    await gpu.close()
  }
}

/** A GPU that is no software. */
async function hardware(): Promise<WebGpuBackend | null> {
  const gpu = await webgpu().catch(() => null)
  if (!gpu?.software) return gpu
  await gpu.close()
  return null
}
