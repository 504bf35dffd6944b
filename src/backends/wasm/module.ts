/**
 * The WebAssembly module: compiled once, from one of two builds of the same source (`assembly/`).
 *
 * Relaxed SIMD gives access to the fused multiply-add of the machine, where the engine has it (Node 22 and browsers; Node 20
 * with --experimental-wasm-relaxed-simd). Its rounding depends on the machine, so it can be switched off. Shared memory, for
 * several threads, only needs another flag in the module.
 */
import { builds, sharedAt } from './generated.ts'

/** The bytes of a build, which scripts/build-kernels.mjs has written as text. */
function decode(build: 'fma' | 'plain'): Uint8Array<ArrayBuffer> {
  const text = builds[build], bytes: number[] = [], page = 79
  for (let i = 0, before = 0; i < text.length; i++) {
    const code = text.charCodeAt(i), place = code - (code < 92 ? 40 : 45)
    if (place < page) bytes.push(before * page + place - 4)
    before = Math.max(0, place - page + 1)
  }
  return Uint8Array.from(bytes)
}

/** Whether this engine can run a build, with fused multiply-add or without. */
export function supports(build: 'fma' | 'plain'): boolean {
  return typeof WebAssembly !== 'undefined' && WebAssembly.validate(decode(build))
}

/** The compiled module. It can be sent to other threads. */
export function compile(build: 'fma' | 'plain', shared: boolean): WebAssembly.Module {
  const bytes = decode(build)
  if (shared) bytes[sharedAt[build]] = 3
  return new WebAssembly.Module(bytes)
}

/** Pages of 64 KiB: as many as 32-bit addresses reach. */
const maximum = 65536

export function newMemory(shared: boolean): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: 1, maximum, shared })
}

/** Grows the memory to at least `bytes`. */
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
