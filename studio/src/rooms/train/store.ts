/**
 * Runs that survive a reload: each is one record in the browser's database, checkpoint and all.
 */
import type { Image } from 'cellgrad'
import type { ModelFile } from '../model-file.ts'
import { arranged, configOf, valueAt, type Config, type JsonObject } from 'cellgrad/experiment'

/** A run at rest. */
export type Run = {
  readonly id: string
  readonly name: string
  readonly config: Config
  /** The rate that was set by hand, in the place of the configuration's; null: none. */
  readonly rate: number | null
  /** The model from whose parameters it has begun; null: from none. */
  readonly from: ModelFile | null
  /** What it is to grow, `size` × `size`. */
  readonly picture: Image
  /** Whether it was training when it was last saved, so that it goes on when the page comes back. */
  readonly running: boolean
  /** The backend that has computed it last; null before the first iteration. */
  readonly backend: string | null
  /** Iterations that the checkpoint has. */
  readonly iteration: number
  /** A safetensors file; null before the first iteration. */
  readonly checkpoint: Uint8Array<ArrayBuffer> | null
  /** Of each iteration: loss, norm of the gradient, rate. */
  readonly losses: readonly number[]
  readonly norms: readonly number[]
  readonly rates: readonly number[]
  /** What was done to it by hand, a sentence each. */
  readonly changes: readonly string[]
  /** Milliseconds since 1970. */
  readonly saved: number
}

/** A run in a list. */
export type RunName = { readonly id: string; readonly name: string; readonly iteration: number; readonly iterations: number; readonly running: boolean; readonly saved: number }

const database = 'cellgrad-studio', runs = 'runs'

let opened: Promise<IDBDatabase> | null = null

function open(): Promise<IDBDatabase> {
  return opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(database, 1)
    request.onupgradeneeded = () => request.result.createObjectStore(runs, { keyPath: 'id' })
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(new Error(`runs cannot be kept in this browser (${request.error?.message}).`))
  })
}

async function ask<T>(mode: IDBTransactionMode, what: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const transaction = (await open()).transaction(runs, mode)
  const request = what(transaction.objectStore(runs))
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request.result)
    transaction.onabort = transaction.onerror = () => reject(transaction.error ?? request.error!)
  })
}

/** Keeps a run. Throws a sentence where there is no room; what was kept of it before is still there then. */
export async function keepRun(run: Run): Promise<void> {
  await ask('readwrite', store => store.put(run)).catch((cause: DOMException) => {
    const why = cause.name === 'QuotaExceededError' ? 'this browser has no room left for it' : cause.message
    throw new Error(`the run ${run.name} is not saved: ${why}. It goes on; download what matters.`, { cause })
  })
}

export async function readRun(id: string): Promise<Run | undefined> {
  const run = await ask('readonly', store => store.get(id) as IDBRequest<Run | undefined>)
  return run && { ...run, rate: run.rate ?? null, from: run.from ?? null, config: configIn(run) } // runs of older pages have neither
}

/** The configuration of a kept run, which may be of a page that was older. */
function configIn({ name, config }: Run): Config {
  const made = configOf(config)
  if ('config' in made) return made.config
  throw new Error(`the run ${name} cannot be read: ${made.mistakes[0].key} ${made.mistakes[0].says}.`)
}

export async function forgetRun(id: string): Promise<void> {
  await ask('readwrite', store => store.delete(id))
}

/** All runs, the last first. */
export async function listRuns(): Promise<RunName[]> {
  const all = await ask('readonly', store => store.getAll() as IDBRequest<Run[]>)
  return all.sort((a, b) => b.saved - a.saved).map(({ id, name, iteration, config, running, saved }) => (
    { id, name, iteration, iterations: Number(valueAt(arranged(config) as JsonObject, 'train.iterations')), running, saved }
  ))
}
