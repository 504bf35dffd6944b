/**
 * Runs a script until it ends, is stopped, or takes too long.
 */
import { ask } from './ask.ts'
import { limits } from './limits.ts'
import type { Told } from './runner.ts'
import { sourceLine, type Place } from './source-map.ts'

export type Running = {
  /** Stops it now. */
  stop(): void
}

/** The messages of a script; at its end, the line of the script that failed, counted from 1. */
export type Heard = Exclude<Told, { kind: 'end' }> | { readonly kind: 'end'; readonly error: string | null; readonly line: number | null }

/** Starts a script. `hear` gets its messages; the last one is always 'end', however the script ends. */
export function run(text: string, hear: (heard: Heard) => void): Running {
  const worker = new Worker(new URL('./runner.ts', import.meta.url), { type: 'module' })
  let over = false
  let mappings = ''
  let late: ReturnType<typeof setTimeout> | undefined
  const end = (error: string | null, line: number | null = null): void => {
    if (over) return
    over = true
    clearTimeout(late)
    worker.terminate()
    hear({ kind: 'end', error, line })
  }
  const lineOf = (at: Place | null): number | null => at && sourceLine(mappings, at)
  worker.addEventListener('message', ({ data }: MessageEvent<Told>) => {
    if (over || !['lines', 'tape', 'end'].includes(data?.kind)) return // a script may send messages of its own
    if (data.kind === 'end') end(data.error, lineOf(data.at))
    else hear(data)
  })
  worker.addEventListener('error', ({ message, filename, lineno, colno }) => end(message.replace(/^Uncaught (Error: )?/, ''), lineOf(filename.startsWith('blob:') ? { line: lineno - 1, column: colno } : null)))
  ask('javascript', text).then(script => {
    if (over) return
    if (script.mistake) return end(script.mistake.message, script.mistake.line)
    mappings = script.mappings
    worker.postMessage(script.code)
    late = setTimeout(() => end(`the script took more than ${limits.seconds} seconds and was ended.`), limits.seconds * 1000)
  }, (error: Error) => end(error.message))
  return { stop: () => end('the script was stopped.') }
}
