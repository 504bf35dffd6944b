/**
 * Indices outside of their axis. The host does not know indices that a GPU has computed, and a kernel cannot throw. So it
 * leaves a note of the first one in a small buffer, which is examined with the next read, like errors of the GPU.
 *
 * The note is the number of the call, counted down so that an earlier one is greater and 0 means none, the index, and the
 * size of its axis.
 */
import type { Trust } from './trust.ts'

export type Faults = {
  /** The buffer for the note. */
  readonly buffer: GPUBuffer
  /** The number of a call that may leave one. */
  number(name: string): number
  /** Whether there may be a note that has not been examined. */
  readonly pending: boolean
  /** Copies the note and clears it. Once the commands are submitted, `read` waits for the copy and reports it. */
  take(encoder: GPUCommandEncoder): { read(): Promise<void> }
}

/** Numbers of the WebGPU specification; the names exist as globals in browsers only. */
const usage = { mapRead: 0x1, copySrc: 0x4, copyDst: 0x8, storage: 0x80 }
const bytes = 16

export function faultsOf(device: GPUDevice, trust: Trust): Faults {
  const buffer = device.createBuffer({ size: bytes, usage: usage.storage | usage.copySrc | usage.copyDst })
  /** Calls since the note was last examined, by number. */
  let calls = new Map<number, { readonly name: string; readonly batch: number }>()
  let next = 2 ** 32 - 1

  return {
    buffer,

    get pending() { return calls.size > 0 },

    number(name: string): number {
      const number = next--
      if (next === 0) next = 2 ** 32 - 1
      calls.set(number, { name, batch: trust.batch })
      return number
    },

    take(encoder: GPUCommandEncoder): { read(): Promise<void> } {
      const copy = device.createBuffer({ size: bytes, usage: usage.mapRead | usage.copyDst })
      encoder.copyBufferToBuffer(buffer, 0, copy, 0, bytes)
      encoder.clearBuffer(buffer)
      const asked = calls
      calls = new Map()
      return {
        async read(): Promise<void> {
          await copy.mapAsync(usage.mapRead)
          const [number, index, size] = new Uint32Array(copy.getMappedRange())
          const call = asked.get(number)
          copy.destroy()
          if (!call) return
          trust.fail(new Error(`${call.name}: index ${index | 0} is outside of an axis of size ${size}.`), call.batch)
        },
      }
    },
  }
}

/**
 * WGSL: `inside(index: i32, n: u32) -> u32` returns the index, or 0 and leaves a note if it is not below n. The note is the
 * array `fault`, the number of the call `u.call`.
 */
export const insideWgsl: string = `
fn inside(index: i32, n: u32) -> u32 {
  if (index >= 0 && u32(index) < n) { return u32(index); }
  if (atomicMax(&fault[0], u.call) < u.call) {
    atomicStore(&fault[1], bitcast<u32>(index));
    atomicStore(&fault[2], n);
  }
  return 0;
}`
