/**
 * The engine in the worker: the backend that computes, and the way to tell the page something unasked.
 */
import { cpu, webgpu } from 'cellgrad'
import type { Backend } from 'cellgrad'

/** What may compute: WebAssembly on the CPU, or the browser's GPU. */
export type Choice = 'wasm' | 'webgpu'

/** What the page says about what computes. */
export type Computer = {
  readonly choice: Choice
  /** 'WASM · 1 thread' */
  readonly name: string
  /** What keeps it from being faster, as a sentence; null where nothing does. */
  readonly note: string | null
}

/** What the commands of a room are given. */
export type Engine = {
  /** Where tensors are to live. It is another one after the visitor has chosen so, or after a GPU was lost. */
  readonly backend: Backend
  /** Tells the page something; it arrives where the room listens. */
  tell(event: unknown): void
}

/** A backend, what the page says about it, and how it is ended. */
export type Opened = { readonly backend: Backend; readonly computer: Computer; close(): Promise<void> }

export async function open(choice: Choice): Promise<Opened> {
  return choice === 'wasm' ? openWasm() : openWebGpu()
}

export function openWasm(): Opened {
  return {
    backend: cpu(),
    computer: { choice: 'wasm', name: 'WASM · 1 thread', note: null },
    close: async () => {},
  }
}

async function openWebGpu(): Promise<Opened> {
  const backend = await webgpu()
  return {
    backend,
    computer: {
      choice: 'webgpu',
      name: `WebGPU · ${backend.adapter}`,
      note: backend.software ? 'This GPU is software, which runs on the CPU: WASM is faster here.' : null,
    },
    close: () => backend.close(),
  }
}
