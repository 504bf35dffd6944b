/**
 * Runs one script, in a worker of its own, so that it can be stopped whatever it does. The script imports the library as in
 * Node, with one difference: the page draws the tapes of the functions that it gives to `traceOf` and `traceGrad`.
 *
 * The worker imports the script as a module, by the address of a blob; its imports have become calls of `require`.
 */
import * as cellgrad from 'cellgrad'
import { drawnOf, type Drawn } from './drawn.ts'
import { limits } from './limits.ts'
import { inWords, printer } from './print.ts'
import type { Place } from './source-map.ts'

/** The messages about a script, in the order in which things happen. */
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

/** Draws the tape of a function. Tapes are sent in the order of the script, even if some take longer to prepare. */
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

/** The address of the script, by which its frames are found in the stack of an error. */
let url = ''

async function run(code: string): Promise<void> {
  url = URL.createObjectURL(new Blob([`export const script = async (require, exports, console) => {\n${code}\n}`], { type: 'text/javascript' }))
  const { script } = await import(/* @vite-ignore */ url) as { script: Script }
  await script(require, {}, { log, info: log, debug: log, warn: log, error: log })
  await allHeard()
  await drawing
}

/** The end of a script that failed, with the innermost place in its own code, however deep in the library the error is. */
function failure(error: unknown): Told {
  if (!(error instanceof Error)) return { kind: 'end', error: `the script threw ${inWords(error)}.`, at: null }
  const [, rest] = (error.stack ?? '').split(url, 2)
  const [, line, column] = /^:(\d+):(\d+)/.exec(rest ?? '') ?? []
  const said = error.message.replace(/\(0 , \w+\.(\w+)\)/g, '$1') // the compiled form of an imported name
  const message = said || `the script threw an ${error.name} that says nothing.`
  return { kind: 'end', error: message, at: line ? { line: Number(line) - 1, column: Number(column) } : null } // `run` put one line before the script
}

;(Error as { stackTraceLimit?: number }).stackTraceLimit = 200 // by default V8 keeps ten frames, which may all be the library's

/** Sends the end of the script, after everything that it has printed and drawn. */
async function end(told: Told): Promise<void> {
  flush()
  await drawing.catch(() => {}) // if drawing failed, `told` already says so
  tell(told)
}

let heard = (): void => {}

/**
 * Waits until all unhandled rejections so far have been reported. The worker gets their events later and in order, so this
 * makes one more rejection and waits for its event.
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
