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

/** What a script tells, in the order in which it happens. */
export type Told =
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'tape'; readonly drawn: Drawn }
  | { readonly kind: 'end'; readonly error: string | null }

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

async function run(code: string): Promise<void> {
  const url = URL.createObjectURL(new Blob([`export const script = async (require, exports, console) => {${code}\n}`], { type: 'text/javascript' }))
  const { script } = await import(/* @vite-ignore */ url) as { script: Script }
  await script(require, {}, { log: (...values: readonly unknown[]) => tell({ kind: 'line', text: values.map(inWords).join(' ') }) })
  await drawing
}

addEventListener('message', ({ data }: MessageEvent<string>) => {
  run(data).then(() => tell({ kind: 'end', error: null }), (error: unknown) => tell({ kind: 'end', error: error instanceof Error ? error.message : String(error) }))
})
