/**
 * The buffers of a GPU: a pool that reuses freed ones of exactly the same size, a budget, and a list of what is alive for
 * the message when the budget is exceeded.
 *
 * WebGPU runs commands in order, so a freed buffer may be reused at once by a later command.
 */
import type { Memory, Shape } from '../backend.ts'
import type { Commands } from './commands.ts'
import type { Errors } from './errors.ts'

export type GpuMemory = {
  /**
   * A buffer of that many bytes (a multiple of 4), whose contents are undefined. It may be bound as storage or uniform and
   * be copied. `name` and `shape` describe its contents, for messages.
   */
  acquire(bytes: number, name: string, shape?: Shape): GPUBuffer
  /** Takes a buffer back, for reuse by later commands. */
  release(buffer: GPUBuffer): void
  stats(): Memory
  resetPeak(): void
  /** Gives the pooled buffers back to the system. */
  trim(): void
}

export type MemoryOptions = { readonly poolBytes: number; readonly maxBytes: number }

/** Numbers of the WebGPU specification; the names exist as globals in browsers only. */
const usage = { copySrc: 0x4, copyDst: 0x8, uniform: 0x40, storage: 0x80 }
const arrayUsage = usage.storage | usage.uniform | usage.copySrc | usage.copyDst

/** `adapter` is the name of the GPU, for messages. */
export function memoryOf(
  device: GPUDevice, adapter: string, errors: Errors, commands: Commands, { poolBytes, maxBytes }: MemoryOptions,
): GpuMemory {
  /** Freed buffers by size; the sizes freed last come last. */
  const pool = new Map<number, GPUBuffer[]>()
  const live = new Map<GPUBuffer, { readonly size: number; readonly name: string; readonly shape?: Shape }>()
  let bytes = 0, peakBytes = 0, pooledBytes = 0
  const { trust } = errors

  function take(size: number): GPUBuffer | undefined {
    const list = pool.get(size)
    const buffer = list?.pop()
    if (list?.length === 0) pool.delete(size)
    if (buffer) pooledBytes -= size
    if (!buffer || !trust.isBuried(buffer)) return buffer
    commands.destroy(buffer)
    return take(size)
  }

  function create(size: number, what: string): GPUBuffer {
    const most = Math.min(device.limits.maxStorageBufferBindingSize, device.limits.maxBufferSize)
    if (size > most) {
      throw new Error(`webgpu: ${what} has ${showBytes(size)}; one array may have ${showBytes(most)} on ${adapter}.`)
    }
    if (bytes + pooledBytes + size > maxBytes) trim()
    if (bytes + size > maxBytes) {
      throw new Error(`webgpu: ${showBytes(bytes + size)} asked for (${showBytes(size)} of it by ${what}), `
        + `budget ${showBytes(maxBytes)}${largest()}.`)
    }
    const inUse = bytes
    const explain = (reason: string): string => `webgpu: no memory for ${what} (${showBytes(size)} beside `
      + `${showBytes(inUse)} in use): ${reason}${largest()}.`
    const createBuffer = (): GPUBuffer => device.createBuffer({ size, usage: arrayUsage })
    return errors.watch('out-of-memory', explain, createBuffer, (error, buffer) => trust.bury(buffer, error))
  }

  /** The largest live buffers, as the end of a message: `; largest: 3 × dense [8,72,72,128] 63.7 MB, …` */
  function largest(): string {
    const kinds = new Map<string, { count: number; size: number }>()
    for (const { size, name, shape } of live.values()) {
      const kind = describe(name, shape)
      const sum = kinds.get(kind) ?? { count: 0, size: 0 }
      kinds.set(kind, { count: sum.count + 1, size: sum.size + size })
    }
    const most = [...kinds].sort(([, a], [, b]) => b.size - a.size).slice(0, 4)
    const list = most.map(([kind, { count, size }]) => `${count} × ${kind} ${showBytes(size)}`)
    return list.length > 0 ? `; largest: ${list.join(', ')}` : ''
  }

  /** Makes room in the pool: buffers freed longest ago go first. */
  function evict(size: number): void {
    while (pooledBytes + size > poolBytes) commands.destroy(take(pool.keys().next().value!)!)
  }

  function trim(): void {
    for (const list of pool.values()) for (const buffer of list) commands.destroy(buffer)
    pool.clear()
    pooledBytes = 0
    commands.flush()
    device.queue.submit([]) // Dawn releases destroyed buffers only when something is submitted
  }

  return {
    acquire(size: number, name: string, shape?: Shape): GPUBuffer {
      errors.check()
      const buffer = take(size) ?? create(size, describe(name, shape))
      trust.forget(buffer)
      live.set(buffer, { size, name, shape })
      bytes += size
      peakBytes = Math.max(peakBytes, bytes)
      return buffer
    },

    release(buffer: GPUBuffer): void {
      const { size } = live.get(buffer)!
      live.delete(buffer)
      bytes -= size
      if (size > poolBytes || trust.isBuried(buffer)) return commands.destroy(buffer)
      evict(size)
      pooledBytes += size
      const list = pool.get(size) ?? []
      list.push(buffer)
      pool.delete(size)
      pool.set(size, list)
    },

    stats: (): Memory => ({ buffers: live.size, bytes, peakBytes, pooledBytes }),

    resetPeak(): void {
      peakBytes = bytes
    },

    trim,
  }
}

function describe(name: string, shape?: Shape): string {
  return shape ? `${name} [${shape.join(',')}]` : name
}

/** `63.7 MB` */
function showBytes(bytes: number): string {
  const power = Math.min(3, Math.max(0, Math.floor(Math.log10(bytes) / 3)))
  return `${Number((bytes / 1000 ** power).toPrecision(3))} ${['bytes', 'kB', 'MB', 'GB'][power]}`
}
