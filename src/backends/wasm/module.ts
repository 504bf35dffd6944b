/**
 * The WebAssembly module: compiled once, from one of four builds of the same source (`assembly/`).
 *
 * Relaxed SIMD brings the fused multiply-add of the machine, where the engine has it (Node 22 and browsers; Node 20
 * with --experimental-wasm-relaxed-simd). Its results are rounded differently from machine to machine, so it can be
 * declined. Shared memory is for several threads.
 */
import { fromBase64 } from '../base64.ts'
import { builds } from './generated.ts'

type Build = keyof typeof builds

/** Whether this engine runs the build with fused multiply-add, and the one without. */
export function supports(build: 'fma' | 'plain'): boolean {
  return typeof WebAssembly !== 'undefined' && WebAssembly.validate(fromBase64(builds[build]))
}

/** The compiled module. It can be handed to other threads. */
export function compile(build: 'fma' | 'plain', shared: boolean): WebAssembly.Module {
  return new WebAssembly.Module(fromBase64(builds[(shared ? `${build}Shared` : build) as Build]))
}

/** Pages of 64 KiB: as many as 32-bit addresses reach. */
const maximum = 65536

export function newMemory(shared: boolean): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: 1, maximum, shared })
}

/** Makes room for `bytes`. */
export function reserve(memory: WebAssembly.Memory, bytes: number): void {
  const missing = Math.ceil(bytes / 65536) - memory.buffer.byteLength / 65536
  if (missing <= 0) return
  try {
    memory.grow(missing)
  } catch {
    throw new Error(
      `cpu: a rollout needs ${Math.ceil(bytes / 2 ** 20)} MB of working memory, but WebAssembly reaches 4096 MB; `
        + 'use a smaller batch or grid.',
    )
  }
}
