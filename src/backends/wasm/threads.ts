/**
 * Threads: they share the module's memory, and the main thread works as one of them.
 *
 * Workers are started at the first job and then wait, asleep, for the next one. A job is posted to each of them and
 * announced through a word of shared memory, so that the main thread never returns to its event loop in between:
 * rollouts stay synchronous. Only Node lets a main thread wait; elsewhere there is one thread, and none of this runs.
 */
import type { Team } from './sample.ts'
import type { TeamLayout } from './layout.ts'

/**
 * Words at the front of the memory; `failed` is the length of the text behind them that says why. `failing` is claimed
 * by the thread whose text it is.
 */
const word = { job: 0, done: 1, failed: 2, sample: 3, arrived: 4, turn: 5, agreed: 6, started: 7, failing: 8 } as const

/** How long to look at a word before going to sleep: most waits are shorter than waking up takes. */
const looks = 5000

/** Waits until a word is no longer `value`; calls `late` whenever `patience` has passed. */
function waitWhile(words: Int32Array, at: number, value: number, late?: () => void): void {
  for (let i = 0; i < looks; i++) if (Atomics.load(words, at) !== value) return
  while (Atomics.load(words, at) === value) {
    if (Atomics.wait(words, at, value, late ? patience : Infinity) === 'timed-out') late?.()
  }
}

/** Milliseconds after which a thread that has not even started is given up. It takes less than a tenth of a second. */
const patience = 20_000

function requireStarted(words: Int32Array, count: number): void {
  const missing = count - 1 - Atomics.load(words, word.started)
  if (missing > 0) throw new Error(`cpu: ${missing} of ${count} threads do not start.`)
}

/** What all threads do with shared words. */
export type Meeting = {
  /** The next number, from 0: samples are dealt out like this. */
  next(): number
  /** Several threads on one sample. */
  team(layout: TeamLayout, size: number, index: number): Team
}

export function meeting(memory: WebAssembly.Memory): Meeting {
  // A memory that is not shared is one thread's own: plain words do.
  const words = new Int32Array(memory.buffer, 0, 16)
  function barrier(size: number): void {
    const turn = Atomics.load(words, word.turn)
    if (Atomics.add(words, word.arrived, 1) === size - 1) {
      Atomics.store(words, word.arrived, 0)
      Atomics.add(words, word.turn, 1)
      Atomics.notify(words, word.turn)
    } else if (!Atomics.load(words, word.failed)) waitWhile(words, word.turn, turn, () => requireStarted(words, size))
    if (Atomics.load(words, word.failed)) throw new Error('another thread failed')
  }
  return {
    next: () => Atomics.add(words, word.sample, 1),
    team: (layout, size, index) => ({
      layout, size, index,
      barrier: () => { if (size > 1) barrier(size) },
      agree(value) {
        if (size === 1) return value
        if (index === 0) Atomics.store(words, word.agreed, value)
        barrier(size)
        const agreed = Atomics.load(words, word.agreed)
        barrier(size)
        return agreed
      },
    }),
  }
}

/** The part of node:worker_threads that is used here. This layer runs in browsers too, so it asks at run time. */
type NodeWorker = { postMessage(message: unknown): void; unref(): void; terminate(): Promise<number> }
type NodePort = object
type WorkerThreads = {
  readonly parentPort: NodePort | null
  readonly workerData: unknown
  readonly Worker: new (source: string, options: {
    eval: true
    workerData: unknown
    resourceLimits: { maxYoungGenerationSizeMb: number }
  }) => NodeWorker
  receiveMessageOnPort(port: NodePort): { message: unknown } | undefined
}

declare const process: { getBuiltinModule?(name: string): unknown } | undefined

/** Node's threads; undefined in a browser. */
export function workerThreads(): WorkerThreads | undefined {
  if (typeof process === 'undefined') return undefined
  return process.getBuiltinModule?.('node:worker_threads') as WorkerThreads | undefined
}

/** How many threads this machine runs at once, where they can be used. */
export function availableThreads(): number {
  if (!workerThreads()) return 1
  const os = process?.getBuiltinModule?.('node:os') as { availableParallelism(): number }
  return os.availableParallelism()
}

/** What a worker is started with. */
export type WorkerData = {
  readonly module: WebAssembly.Module
  readonly memory: WebAssembly.Memory
  readonly index: number
  readonly cacheBytes: number
}

export type Crew = {
  /** Runs a job on all threads; `own` is the main thread's part. Throws what any of them threw. */
  run(job: unknown, own: () => void): void
  /** Tells the workers something that they hear before their next job. */
  tell(message: unknown): void
  /** Ends the workers. */
  end(): void
}

/** Workers hardly allocate: what V8 sets aside for young objects by default would be half of their memory. */
const resourceLimits = { maxYoungGenerationSizeMb: 2 }

/** `count` threads in all; `source` is the program of the workers. */
export function crew(source: string, count: number, data: Omit<WorkerData, 'index'>): Crew {
  const { memory } = data
  const node = count > 1 ? workerThreads()! : undefined
  const workers = Array.from({ length: count - 1 }, (_, i) => {
    const workerData: WorkerData = { ...data, index: i + 1 }
    const worker = new node!.Worker(source, { eval: true, workerData, resourceLimits })
    worker.unref() // it must not keep the program from ending
    return worker
  })
  return {
    run(job, own) {
      const words = new Int32Array(memory.buffer, 0, 16) // memory that is not shared moves when it grows
      for (const at of [word.done, word.failed, word.failing, word.sample, word.arrived]) Atomics.store(words, at, 0)
      for (const worker of workers) worker.postMessage(job)
      if (workers.length > 0) {
        Atomics.add(words, word.job, 1)
        Atomics.notify(words, word.job)
      }
      let error: unknown
      try {
        own()
      } catch (e) {
        if (fail(memory, e)) error = e
      }
      for (let done = 0; done < workers.length; done = Atomics.load(words, word.done)) {
        waitWhile(words, word.done, done, () => requireStarted(words, count))
      }
      if (error) throw error
      const length = Atomics.load(words, word.failed)
      if (length > 0) throw new Error(`cpu: a thread of a rollout failed: ${failure(memory, length)}`)
    },
    tell(message) {
      for (const worker of workers) worker.postMessage(message)
    },
    end() {
      for (const worker of workers) void worker.terminate()
    },
  }
}

const textAt = 64, textBytes = 1024

function failure(memory: WebAssembly.Memory, length: number): string {
  return new TextDecoder().decode(new Uint8Array(memory.buffer, textAt, length).slice())
}

/**
 * Says why a thread failed, and lets every thread that waits for it go on, to find that out. False where another one
 * has failed before: that is the reason then.
 */
function fail(memory: WebAssembly.Memory, error: unknown): boolean {
  const words = new Int32Array(memory.buffer, 0, 16)
  if (Atomics.compareExchange(words, word.failing, 0, 1) !== 0) return false
  const text = new TextEncoder().encode(String(error)).slice(0, textBytes)
  new Uint8Array(memory.buffer).set(text, textAt)
  Atomics.store(words, word.failed, text.length)
  Atomics.add(words, word.turn, 1)
  Atomics.notify(words, word.turn)
  return true
}

/** The worker's side: sleeps until a job comes, and does it. */
export function serve(memory: WebAssembly.Memory, hear: (message: unknown) => void): void {
  const { parentPort, receiveMessageOnPort } = workerThreads()!
  const words = new Int32Array(memory.buffer, 0, 16)
  Atomics.add(words, word.started, 1)
  for (let job = 0; ;) {
    waitWhile(words, word.job, job)
    job = Atomics.load(words, word.job) // now, and not when it is done: the next one may be there by then
    try {
      for (let m = receiveMessageOnPort(parentPort!); m; m = receiveMessageOnPort(parentPort!)) hear(m.message)
    } catch (error) {
      fail(memory, error)
    }
    Atomics.add(words, word.done, 1)
    Atomics.notify(words, word.done)
  }
}
