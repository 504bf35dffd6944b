/**
 * Runs one script, in a worker that lives as long as the script does, so that whatever it does can be ended. The script
 * imports the library as it does in Node, but for two functions that are seen at work: what `traceOf` and `traceGrad` are
 * asked about is drawn.
 *
 * A script is a module, which a worker may import by the address of a blob; its imports have become calls of `require`.
 */
import * as cellgrad from 'cellgrad'
import { drawnOf } from './drawn.ts'
import type { Drawn } from './drawn.ts'
import type { Place } from './source-map.ts'

/** What a script tells, in the order in which it happens. */
export type Told =
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'tape'; readonly drawn: Drawn }
  | { readonly kind: 'end'; readonly error: string | null; readonly at: Place | null }

type Script = (require: (name: string) => unknown, exports: object, console: object) => Promise<void>
type Traced = Parameters<typeof cellgrad.traceGrad>

const tell = (told: Told): void => postMessage(told)

/** A value as `console.log` shows it. */
function inWords(value: unknown): string {
  if (typeof value === 'string') return value
  if (value instanceof cellgrad.Tensor || typeof value !== 'object' || value === null) return String(value)
  if (ArrayBuffer.isView(value)) return `[${Array.from(value as Float32Array).join(', ')}]`
  return JSON.stringify(value, (_, part: unknown) => (part instanceof cellgrad.Tensor ? String(part) : part)) ?? String(value)
}

let drawing: Promise<void> = Promise.resolve()

/** Draws the tape of a function. Tapes are told in the order of the script, though pictures take time. */
function draw(args: Traced): ReturnType<typeof cellgrad.traceGrad> {
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
  await script(require, {}, { log: (...values: readonly unknown[]) => tell({ kind: 'line', text: values.map(inWords).join(' ') }) })
  await drawing
}

/** How the script ended that failed so: with the innermost place of its code, however deep in the library it failed. */
function failure(error: unknown): Told {
  if (!(error instanceof Error)) return { kind: 'end', error: String(error), at: null }
  const [, rest] = (error.stack ?? '').split(url, 2)
  const [, line, column] = /^:(\d+):(\d+)/.exec(rest ?? '') ?? []
  const message = error.message.replace(/\(0 , \w+\.(\w+)\)/g, '$1') // what an imported name has become
  return { kind: 'end', error: message, at: line ? { line: Number(line) - 1, column: Number(column) } : null } // one line was put before it
}

;(Error as { stackTraceLimit?: number }).stackTraceLimit = 200 // V8 keeps ten frames, and those may all be the library's

addEventListener('message', ({ data }: MessageEvent<string>) => {
  run(data).then(() => tell({ kind: 'end', error: null, at: null }), (error: unknown) => tell(failure(error)))
})
