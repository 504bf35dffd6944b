/**
 * Runs that survive a reload: each is one record in the browser's database, with its checkpoint.
 */
import type { Image } from 'cellgrad'
import type { ModelFile } from '../model-file.ts'
import { arranged, configOf, valueAt, type Config, type JsonObject } from 'cellgrad/experiment'

/** A run as it is stored. */
export type Run = {
  readonly id: string
  readonly name: string
  readonly config: Config
  /** A learning rate set by hand, which replaces that of the configuration; null: none. */
  readonly rate: number | null
  /** The model from whose parameters it began; null: it began with new ones. */
  readonly from: ModelFile | null
  /** The picture that it learns to grow, `size` × `size`. */
  readonly picture: Image
  /** Whether it was training when it was last saved; then it goes on training when it is opened again. */
  readonly running: boolean
  /** The backend that computed it last; null before it was first saved. */
  readonly backend: string | null
  /** The iteration of the checkpoint. */
  readonly iteration: number
  /** A safetensors file; null before the first iteration. */
  readonly checkpoint: Uint8Array<ArrayBuffer> | null
  /** For each iteration: loss, norm of the gradient, learning rate. */
  readonly losses: readonly number[]
  readonly norms: readonly number[]
  readonly rates: readonly number[]
  /** The changes made by hand, in words. */
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

/** Stores a run. If there is no room, it throws, and the previous record of the run stays. */
export async function keepRun(run: Run): Promise<void> {
  await ask('readwrite', store => store.put(run)).catch((cause: DOMException) => {
    const why = cause.name === 'QuotaExceededError' ? 'this browser has no room left for it' : cause.message
    throw new Error(`the run ${run.name} is not saved: ${why}. It goes on; download what matters.`, { cause })
  })
}

export async function readRun(id: string): Promise<Run | undefined> {
  const run = await ask('readonly', store => store.get(id) as IDBRequest<Run | undefined>)
  return run && { ...run, rate: run.rate ?? null, from: run.from ?? null, config: configIn(run) } // records of older versions lack `rate` and `from`
}

/** The configuration of a stored run, which may come from an older version of the page. */
function configIn({ name, config }: Run): Config {
  const made = configOf(config)
  if ('config' in made) return made.config
  throw new Error(`the run ${name} cannot be read: ${made.mistakes[0].key} ${made.mistakes[0].says}.`)
}

export async function forgetRun(id: string): Promise<void> {
  await ask('readwrite', store => store.delete(id))
}

/** All runs, the latest first. */
export async function listRuns(): Promise<RunName[]> {
  const all = await ask('readonly', store => store.getAll() as IDBRequest<Run[]>)
  return all.sort((a, b) => b.saved - a.saved).map(({ id, name, iteration, config, running, saved }) => (
    { id, name, iteration, iterations: Number(valueAt(arranged(config) as JsonObject, 'train.iterations')), running, saved }
  ))
}
