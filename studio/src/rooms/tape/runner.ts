/**
 * Runs one script, in a worker that lives as long as the script does, so that whatever it does can be ended. The script
 * imports the library as it does in Node, but for two functions that are seen at work: what `traceOf` and `traceGrad` are
 * asked about is drawn.
 *
 * A script is a module, which a worker may import by the address of a blob; its imports have become calls of `require`.
 */
import * as cellgrad from 'cellgrad'
import { drawnOf, type Drawn } from './drawn.ts'
import { limits } from './limits.ts'
import { inWords, printer } from './print.ts'
import type { Place } from './source-map.ts'

/** What a script tells, in the order in which it happens. */
export type Told =
  | { readonly kind: 'lines'; readonly lines: readonly string[] }
  | { readonly kind: 'tape'; readonly drawn: Drawn }
  | { readonly kind: 'end'; readonly error: string | null; readonly at: Place | null }

type Script = (require: (name: string) => unknown, exports: object, console: object) => Promise<void>
type Traced = Parameters<typeof cellgrad.traceGrad>

const tell = (told: Told): void => postMessage(told)

const { print, flush } = printer(lines => tell({ kind: 'lines', lines }))
const log = (...values: readonly unknown[]): void => print(values.map(inWords).join(' '))

let drawing: Promise<void> = Promise.resolve()
let tapes = 0

/** Draws the tape of a function. Tapes are told in the order of the script, though pictures take time. */
function draw(args: Traced): ReturnType<typeof cellgrad.traceGrad> {
  if (tapes++ === limits.tapes) throw new Error(`a script here draws at most ${limits.tapes} tapes.`)
  const walked = cellgrad.traceGrad(...args)
  const drawn = drawnOf(args[0].name, walked)
  drawing = drawing.then(async () => tell({ kind: 'tape', drawn: await drawn }))
  return walked
}

const library = {
  ...cellgrad,
  traceOf: (...args: Traced) => draw(args).trace,
  traceGrad: (...args: Traced) => draw(args),
}

function require(name: string): unknown {
  if (name === 'cellgrad') return library
  throw new Error(`a script here imports from 'cellgrad' alone, not from '${name}'.`)
}

/** The address of the script that runs, by which the stack of an error names it. */
let url = ''

async function run(code: string): Promise<void> {
  url = URL.createObjectURL(new Blob([`export const script = async (require, exports, console) => {\n${code}\n}`], { type: 'text/javascript' }))
  const { script } = await import(/* @vite-ignore */ url) as { script: Script }
  await script(require, {}, { log, info: log, debug: log, warn: log, error: log })
  await allHeard()
  await drawing
}

/** How the script ended that failed so: with the innermost place of its code, however deep in the library it failed. */
function failure(error: unknown): Told {
  if (!(error instanceof Error)) return { kind: 'end', error: `the script threw ${inWords(error)}.`, at: null }
  const [, rest] = (error.stack ?? '').split(url, 2)
  const [, line, column] = /^:(\d+):(\d+)/.exec(rest ?? '') ?? []
  const said = error.message.replace(/\(0 , \w+\.(\w+)\)/g, '$1') // what an imported name has become
  const message = said || `the script threw an ${error.name} that says nothing.`
  return { kind: 'end', error: message, at: line ? { line: Number(line) - 1, column: Number(column) } : null } // one line was put before it
}

;(Error as { stackTraceLimit?: number }).stackTraceLimit = 200 // V8 keeps ten frames, and those may all be the library's

/** Ends the script, after what it has printed and drawn. */
async function end(told: Told): Promise<void> {
  flush()
  await drawing.catch(() => {}) // that it could not be drawn is what is told
  tell(told)
}

let heard = (): void => {}

/**
 * Waits until every promise has been heard of that has failed and nobody waits for. The worker is told of these some time
 * later, one after the other; so one that is made to fail last is heard of last.
 */
function allHeard(): Promise<void> {
  return new Promise(resolve => {
    heard = resolve
    void Promise.reject(allHeard)
  })
}

addEventListener('unhandledrejection', event => {
  event.preventDefault()
  if (event.reason === allHeard) heard()
  else void end(failure(event.reason))
})

addEventListener('message', ({ data }: MessageEvent<string>) => {
  run(data).then(() => end({ kind: 'end', error: null, at: null }), (error: unknown) => end(failure(error)))
})
