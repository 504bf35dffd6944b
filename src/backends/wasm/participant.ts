/**
 * One thread's part in the jobs of a rollout, the main thread's and every worker's.
 */
import { Cache } from './cache.ts'
import type { Kernels } from './kernels.ts'
import { cacheOf } from './arena.ts'
import { backward } from './backward.ts'
import { forward } from './forward.ts'
import { freeSample, openSample, type Job, type SampleHistory, type Thread } from './sample.ts'
import { Store } from './store.ts'
import { meeting } from './threads.ts'

/** The messages that threads get. Histories are identified by number. */
export type Message =
  | {
      readonly do: 'forward' | 'backward'
      readonly job: Job
      readonly history: number
      /** The samples in the order in which a forward pass processes them. */
      readonly order: readonly number[]
    }
  | { readonly do: 'release'; readonly history: number }
  | { readonly do: 'trim' }

/** A thread: its store, and what it keeps of each sample that it has run. */
export function participant(
  memory: WebAssembly.Memory, kernels: Kernels, index: number, cacheBytes: number,
): (message: Message) => void {
  const store = new Store()
  const cache = new Cache(cacheOf(index, cacheBytes), cacheBytes)
  const histories = new Map<number, Map<number, SampleHistory>>()
  return message => {
    if (message.do === 'trim') return store.trim()
    if (message.do === 'release') {
      for (const kept of histories.get(message.history)?.values() ?? []) freeSample({ store, cache }, kept)
      histories.delete(message.history)
      return
    }
    const { job, history, order } = message
    const { layout } = job
    // Either every thread is a team of its own and takes sample after sample, or all threads share each sample.
    const alone = layout.teams.length > 1 || layout.blocks.length === 1
    const thread: Thread = {
      kernels, store, cache, block: layout.blocks[index], bytes: new Uint8Array(memory.buffer),
    }
    const meet = meeting(memory)
    const team = alone ? meet.team(layout.teams[index], 1, 0) : meet.team(layout.teams[0], layout.blocks.length, index)
    if (message.do === 'backward') {
      // Each thread goes backward through the samples that it has run itself, the last one first.
      const mine = [...histories.get(history)!].reverse()
      for (const [sample, kept] of mine) backward(openSample(job, thread, team, sample), kept)
      return
    }
    const kept = new Map<number, SampleHistory>()
    if (job.keep) histories.set(history, kept)
    const take = (sample: number): void => {
      const result = forward(openSample(job, thread, team, sample))
      if (result) kept.set(sample, result)
    }
    if (alone) for (let i = meet.next(); i < order.length; i = meet.next()) take(order[i])
    else order.forEach(take)
  }
}
