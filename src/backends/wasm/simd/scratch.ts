/**
 * Working memory for single operators. Tensors are ordinary arrays outside of WebAssembly's memory, so a kernel copies a
 * tile in, works on it and copies the result out. Tiles are small enough to stay in the processor's cache, which makes
 * the copies cheap and keeps this memory small however large the tensors are.
 */
import { instantiate, type Kernels } from '../kernels.ts'
import { compile, newMemory, reserve } from '../module.ts'

export type Scratch = {
  readonly kernels: Kernels
  /** The memory as numbers. Not to be kept beyond a call: the memory may grow. */
  readonly floats: Float32Array
  readonly words: Uint32Array
  /** Addresses of the blocks. */
  readonly at: readonly number[]
}

/** Makes room for blocks of these sizes in bytes, each with 64 more that vectors may touch. Contents are undefined. */
export type Room = (...bytes: readonly number[]) => Scratch

/** A new working memory. Nothing is compiled before the first use. */
export function scratch(build: 'fma' | 'plain'): Room {
  let made: { memory: WebAssembly.Memory; kernels: Kernels; floats: Float32Array; words: Uint32Array } | null = null

  return (...bytes) => {
    made ??= start(build)
    let end = 0
    const at = bytes.map(size => {
      const first = end
      end += Math.ceil(size / 64) * 64 + 64
      return first
    })
    reserve(made.memory, end)
    if (made.floats.buffer !== made.memory.buffer) Object.assign(made, views(made.memory))
    return { kernels: made.kernels, floats: made.floats, words: made.words, at }
  }
}

function start(build: 'fma' | 'plain'): ReturnType<typeof views> & { memory: WebAssembly.Memory; kernels: Kernels } {
  const memory = newMemory(false)
  return { memory, kernels: instantiate(compile(build, false), memory), ...views(memory) }
}

function views({ buffer }: WebAssembly.Memory): { floats: Float32Array; words: Uint32Array } {
  return { floats: new Float32Array(buffer), words: new Uint32Array(buffer) }
}
