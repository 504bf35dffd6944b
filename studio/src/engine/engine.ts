/**
 * The engine in the worker: the backend that computes, and a way to send events to the page.
 */
import { cpu, growingRule, init, key, rollout, scope, seed, webgpu, type Backend } from 'cellgrad'

/** Which backend computes: WebAssembly on the CPU, or the browser's GPU. */
export type Choice = 'wasm' | 'webgpu'

/** What the page says about the backend. */
export type Computer = {
  readonly choice: Choice
  /** 'WASM · 1 thread' */
  readonly name: string
  /** Why it is not faster, as a sentence; null if nothing slows it down. */
  readonly note: string | null
}

/** What the commands of a room are given. */
export type Engine = {
  /** The backend for tensors. It changes when the visitor chooses another one, or after a GPU was lost. */
  readonly backend: Backend
  /** Sends an event to the page, where the room listens for it. */
  tell(event: unknown): void
  /**
   * Whether an error says that the backend it came from is gone: a GPU that was lost, or from which the visitor has
   * switched away. If that backend was still the current one, WebAssembly takes its place.
   */
  isGone(backend: Backend, error: unknown): boolean
}

/** A backend, what the page says about it, and how it is ended. */
export type Opened = { readonly backend: Backend; readonly computer: Computer; close(): Promise<void> }

export async function open(choice: Choice, joined: (who: Opened) => void): Promise<Opened> {
  return choice === 'wasm' ? openWasm(joined) : openWebGpu()
}

/**
 * WebAssembly. If the page is isolated from other origins, its threads start with a first rollout and join a little later;
 * `joined` is called then.
 */
export function openWasm(joined: (who: Opened) => void): Opened {
  const backend = cpu()
  const own: Opened = {
    backend,
    get computer(): Computer {
      return {
        choice: 'wasm',
        name: `WASM · ${backend.threads} ${backend.threads === 1 ? 'thread' : 'threads'}`,
        note: globalThis.crossOriginIsolated ? null : isSecureContext ? 'One thread: this host sends no COOP and COEP headers.' : 'One thread: this page came by plain http, expected https or localhost.',
      }
    },
    close: async () => clearInterval(looking),
  }
  const place = { backend, height: 4, width: 4 }
  scope(() => { rollout(growingRule, init(growingRule, key(0), { backend }), seed(growingRule, place), key(0), { steps: 1 }) })
  let looks = 0
  const looking = setInterval(() => {
    if (backend.threads > 1) joined(own)
    if (backend.threads > 1 || ++looks === 100) clearInterval(looking)
  }, 50)
  return own
}

async function openWebGpu(): Promise<Opened> {
  const backend = await webgpu()
  return {
    backend,
    computer: {
      choice: 'webgpu',
      name: `WebGPU · ${backend.adapter}`,
      note: backend.software ? 'This GPU is software: WASM is faster here.' : null,
    },
    close: () => backend.close(),
  }
}
