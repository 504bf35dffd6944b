/**
 * What a thread is made of, the main thread's and a worker's. scripts/build-kernels.mjs makes one function of it in
 * `generated.ts`, which reaches nothing outside of itself: the main thread calls it, and workers are given its text. So it
 * runs wherever the library does, from its sources, built, or bundled into another program, and is loaded once.
 */
import { instantiate } from './kernels.ts'
import { participant, type Message } from './participant.ts'
import { serve, workerPool, type WorkerData } from './threads.ts'

export type Thread = {
  /** What hears messages, for thread `index`. */
  begin(data: WorkerData): (message: Message) => void
  /** The program of a worker. */
  serve(): void
  /** What the main thread starts the others by. */
  readonly workerPool: typeof workerPool
}

/** The parameter of the function. */
declare const expose: (thread: Thread) => void

const begin: Thread['begin'] = ({ module, memory, index, cacheBytes }) =>
  participant(memory, instantiate(module, memory), index, cacheBytes)

expose({ begin, workerPool, serve: () => serve(data => begin(data) as (message: unknown) => void) })
