/**
 * The code of a thread, the main thread and workers alike. scripts/build-kernels.mjs turns it into one self-contained function in
 * `generated.ts`: the main thread calls it, and workers get its text. So it runs wherever the library does, from its sources,
 * built, or bundled into another program, and is loaded once.
 */
import { instantiate } from './kernels.ts'
import { participant, type Message } from './participant.ts'
import { serve, workerPool, type WorkerData } from './threads.ts'

export type Thread = {
  /** Makes the message handler of thread `index`. */
  begin(data: WorkerData): (message: Message) => void
  /** The program of a worker. */
  serve(): void
  /** Used by the main thread to start the others. */
  readonly workerPool: typeof workerPool
}

/** The parameter of the function. */
declare const expose: (thread: Thread) => void

const begin: Thread['begin'] = ({ module, memory, index, cacheBytes }) =>
  participant(memory, instantiate(module, memory), index, cacheBytes)

expose({ begin, workerPool, serve: () => serve(data => begin(data) as (message: unknown) => void) })
