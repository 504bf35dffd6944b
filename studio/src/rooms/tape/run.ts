/**
 * Runs a script, until it ends, is stopped, or has taken too long.
 */
import { ask } from './ask.ts'
import type { Told } from './runner.ts'

/** Seconds that a script may take. */
export const limit = 10

export type Running = {
  /** Ends it now. */
  stop(): void
}

/** Begins a script; `hear` is told what it tells, the end last, whoever ends it. */
export function run(text: string, hear: (told: Told) => void): Running {
  const worker = new Worker(new URL('./runner.ts', import.meta.url), { type: 'module' })
  let over = false
  let late: ReturnType<typeof setTimeout> | undefined
  const end = (error: string | null): void => {
    if (over) return
    over = true
    clearTimeout(late)
    worker.terminate()
    hear({ kind: 'end', error })
  }
  worker.addEventListener('message', ({ data }: MessageEvent<Told>) => {
    if (over) return
    if (data.kind === 'end') end(data.error)
    else hear(data)
  })
  worker.addEventListener('error', ({ message }) => end(message))
  ask('javascript', text).then(code => {
    if (over) return
    worker.postMessage(code)
    late = setTimeout(() => end(`the script took more than ${limit} seconds and was ended.`), limit * 1000)
  }, (error: Error) => end(error.message))
  return { stop: () => end('the script was stopped.') }
}
