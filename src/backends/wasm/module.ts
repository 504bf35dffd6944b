/**
 * The WebAssembly module: compiled once, from one of two builds of the same source (`assembly/`).
 *
 * Relaxed SIMD brings the fused multiply-add of the machine, where the engine has it (Node 22 and browsers; Node 20
 * with --experimental-wasm-relaxed-simd). Its results are rounded differently from machine to machine, so it can be
 * declined. Shared memory, for several threads, takes another flag in the module and nothing else.
 */
import { builds, sharedAt } from './generated.ts'

/** The bytes of a build, as scripts/build-kernels.mjs has written them. */
function decode(build: 'fma' | 'plain'): Uint8Array<ArrayBuffer> {
  const text = builds[build], bytes: number[] = [], page = 79
  for (let i = 0, before = 0; i < text.length; i++) {
    const code = text.charCodeAt(i), place = code - (code < 92 ? 40 : 45)
    if (place < page) bytes.push(before * page + place - 4)
    before = Math.max(0, place - page + 1)
  }
  return Uint8Array.from(bytes)
}

/** Whether this engine runs the build with fused multiply-add, and the one without. */
export function supports(build: 'fma' | 'plain'): boolean {
  return typeof WebAssembly !== 'undefined' && WebAssembly.validate(decode(build))
}

/** The compiled module. It can be handed to other threads. */
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
