/**
 * Threads share the memory of the module, and the calling thread works as one of them.
 *
 * Workers are started at the first job and then wait for the next one. A job is posted to each of them, and they count in
 * shared memory how many have done it, so that the caller never returns to its event loop in between: rollouts stay
 * synchronous. So threads need a caller that may block: in Node, and in a page's worker if the page is isolated from other
 * origins. A page's main thread may not block, and works alone.
 *
 * In Node a worker sleeps until a word of shared memory announces a job, and then fetches it. A page's worker gets jobs
 * from its event loop. It starts only when its parent's event loop runs, which a blocked caller would prevent: until all
 * workers have started, the caller works without them (runner.ts).
 */
import type { Team } from './sample.ts'
import type { TeamLayout } from './layout.ts'

/**
 * Words at the front of the memory. `failed` is the length of the error text that follows them; a thread claims `failing`
 * before it writes its text there.
 */
const word = { job: 0, done: 1, failed: 2, sample: 3, arrived: 4, turn: 5, agreed: 6, started: 7, failing: 8 } as const

/** How often to look at a word before going to sleep: most waits are shorter than the time to wake up. */
const looks = 5000

/** Waits until a word is no longer `value`; calls `late` whenever `patience` has passed. */
function waitWhile(words: Int32Array, at: number, value: number, late?: () => void): void {
  for (let i = 0; i < looks; i++) if (Atomics.load(words, at) !== value) return
  while (Atomics.load(words, at) === value) {
    if (Atomics.wait(words, at, value, late ? patience : Infinity) === 'timed-out') late?.()
  }
}

/** Milliseconds to wait for a thread that has not started; normally starting takes less than a tenth of a second. */
const patience = 20_000

function requireStarted(words: Int32Array, count: number): void {
  const missing = count - 1 - Atomics.load(words, word.started)
  if (missing > 0) throw new Error(`cpu: ${missing} of ${count} threads do not start.`)
}

/** How threads synchronise by shared words. */
export type Meeting = {
  /** The next number, from 0, by which threads take samples. */
  next(): number
  /** Several threads on one sample. */
  team(layout: TeamLayout, size: number, index: number): Team
}

export function meeting(memory: WebAssembly.Memory): Meeting {
  // A memory that is not shared belongs to a single thread, so plain words suffice.
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

/** The part of node:worker_threads that is used here. This layer runs in browsers too, so it is looked up at run time. */
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

declare const WorkerGlobalScope: (new () => object) | undefined

/** Whether this is the worker of a page with shared memory, which may wait for workers of its own. */
function inIsolatedWorker(): boolean {
  const isWorker = typeof WorkerGlobalScope !== 'undefined' && globalThis instanceof WorkerGlobalScope
  return isWorker && globalThis.crossOriginIsolated === true && typeof Worker !== 'undefined'
}

/** Whether rollouts can have more than one thread here. */
export function canWait(): boolean {
  return workerThreads() !== undefined || inIsolatedWorker()
}

/** How many threads this machine runs at once, or 1 if they cannot be used here. */
export function availableThreads(): number {
  if (!canWait()) return 1
  if (!workerThreads()) return navigator.hardwareConcurrency || 1
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

export type WorkerPool = {
  /** Whether all workers have started, so that they can be waited for. */
  ready(): boolean
  /** Runs a job on all threads; `own` is the main thread's part. Throws what any of them threw. */
  run(job: unknown, own: () => void): void
  /** Sends the workers a message that they get before their next job. */
  tell(message: unknown): void
  /** Ends the workers. */
  end(): void
}

/** Workers hardly allocate objects: V8's default space for young objects would be half of their memory. */
const resourceLimits = { maxYoungGenerationSizeMb: 2 }

/** The messages to a page's worker: first its start data, then jobs, which it counts, and other messages between them. */
type PagePost = { readonly data: WorkerData } | { readonly job: unknown } | { readonly tell: unknown }

/** A worker as its parent sees it. */
type PoolWorker = { job(message: unknown): void; tell(message: unknown): void; end(): void }

function nodeWorker({ Worker }: WorkerThreads, source: string, workerData: WorkerData): PoolWorker {
  const worker = new Worker(source, { eval: true, workerData, resourceLimits })
  worker.unref() // it must not keep the process alive
  const post = (message: unknown): void => worker.postMessage(message)
  return { job: post, tell: post, end: () => void worker.terminate() }
}

function pageWorker(source: string, data: WorkerData): PoolWorker {
  const address = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }))
  const worker = new Worker(address)
  const post = (message: PagePost): void => worker.postMessage(message)
  post({ data })
  return { job: job => post({ job }), tell: tell => post({ tell }), end: () => worker.terminate() }
}

/** A pool of `count` threads, including the caller; `source` is the program of the workers. */
export function workerPool(source: string, count: number, data: Omit<WorkerData, 'index'>): WorkerPool {
  const { memory } = data
  const node = workerThreads()
  const workers = Array.from({ length: count - 1 }, (_, i) => {
    const own: WorkerData = { ...data, index: i + 1 }
    return node ? nodeWorker(node, source, own) : pageWorker(source, own)
  })
  return {
    ready: () => node !== undefined || Atomics.load(new Int32Array(memory.buffer, 0, 16), word.started) === count - 1,
    run(job, own) {
      const words = new Int32Array(memory.buffer, 0, 16) // memory that is not shared moves when it grows
      for (const at of [word.done, word.failed, word.failing, word.sample, word.arrived]) Atomics.store(words, at, 0)
      for (const worker of workers) worker.job(job)
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
      for (const worker of workers) worker.tell(message)
    },
    end() {
      for (const worker of workers) worker.end()
    },
  }
}

const textAt = 64, textBytes = 1024

function failure(memory: WebAssembly.Memory, length: number): string {
  return new TextDecoder().decode(new Uint8Array(memory.buffer, textAt, length).slice())
}

/**
 * Records why a thread failed, and wakes every thread that waits for it, so that they notice. Returns false if another thread
 * has failed before: then that is the reason.
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

/** The worker's side: does the jobs that arrive. `begin` makes the message handler from the worker's start data. */
export function serve(begin: (data: WorkerData) => (message: unknown) => void): void {
  const node = workerThreads()
  if (node) serveInNode(node, begin)
  else serveInPage(begin)
}

function serveInPage(begin: (data: WorkerData) => (message: unknown) => void): void {
  let words: Int32Array, memory: WebAssembly.Memory, hear: (message: unknown) => void
  addEventListener('message', ({ data: post }: MessageEvent<PagePost>) => {
    if ('data' in post) {
      memory = post.data.memory
      words = new Int32Array(memory.buffer, 0, 16)
      hear = begin(post.data)
      Atomics.add(words, word.started, 1)
      return
    }
    try {
      hear('job' in post ? post.job : post.tell)
    } catch (error) {
      fail(memory, error)
    }
    if (!('job' in post)) return
    Atomics.add(words, word.done, 1)
    Atomics.notify(words, word.done)
  })
}

/** Sleeps until a job comes, and does it. */
function serveInNode(
  { parentPort, receiveMessageOnPort, workerData }: WorkerThreads, begin: (data: WorkerData) => (message: unknown) => void,
): void {
  const data = workerData as WorkerData
  const { memory } = data
  const hear = begin(data)
  const words = new Int32Array(memory.buffer, 0, 16)
  Atomics.add(words, word.started, 1)
  for (let job = 0; ;) {
    waitWhile(words, word.job, job)
    job = Atomics.load(words, word.job) // now, and not when it is done: the next one may have arrived by then
    try {
      for (let m = receiveMessageOnPort(parentPort!); m; m = receiveMessageOnPort(parentPort!)) hear(m.message)
    } catch (error) {
      fail(memory, error)
    }
    Atomics.add(words, word.done, 1)
    Atomics.notify(words, word.done)
  }
}
