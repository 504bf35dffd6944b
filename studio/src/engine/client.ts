/**
 * The page's side of the worker: commands are functions that promise their result.
 *
 *   const picture = await call('play', 'tick', { steps: 1 })
 */
import type { Commands } from './commands.ts'
import type { Choice, Computer } from './engine.ts'
import type { Answer, Call } from './messages.ts'

type Rest<F> = F extends (engine: never, ...args: infer A) => unknown ? A : never
type Result<F> = F extends (...args: never) => infer R ? Awaited<R> : never

const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' })
const waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>()
const listeners = new Map<string, Set<(event: unknown) => void>>()
let calls = 0

worker.addEventListener('message', ({ data }: MessageEvent<Answer>) => {
  if ('room' in data) {
    for (const hear of listeners.get(data.room) ?? []) hear(data.event)
    return
  }
  const { resolve, reject } = waiting.get(data.id)!
  waiting.delete(data.id)
  if ('error' in data) reject(new Error(data.error))
  else resolve(data.result)
})

worker.addEventListener('error', ({ message }) => {
  for (const { reject } of waiting.values()) reject(new Error(`the engine failed: ${message}`))
  waiting.clear()
})

function post(room: string, name: string, args: readonly unknown[]): Promise<unknown> {
  const id = calls++
  worker.postMessage({ id, room, name, args } satisfies Call)
  return new Promise((resolve, reject) => { waiting.set(id, { resolve, reject }) })
}

/** Runs a command of a room in the worker; rejects with the sentence of its error. */
export function call<R extends keyof Commands, N extends keyof Commands[R] & string>(
  room: R, name: N, ...args: Rest<Commands[R][N]>
): Promise<Result<Commands[R][N]>> {
  return post(room, name, args) as Promise<Result<Commands[R][N]>>
}

/** Listens to the events of a room's commands, or of 'computer' when the backend changes; returns a function that stops listening. */
export function listen(room: keyof Commands | 'computer', hear: (event: never) => void): () => void {
  const all = listeners.get(room) ?? new Set()
  listeners.set(room, all.add(hear as (event: unknown) => void))
  return () => { all.delete(hear as (event: unknown) => void) }
}

/** The backend that computes now. */
export function computer(): Promise<Computer> {
  return post('computer', 'now', []) as Promise<Computer>
}

/** Changes the backend that computes. */
export function compute(choice: Choice): Promise<Computer> {
  return post('computer', 'change', [choice]) as Promise<Computer>
}
