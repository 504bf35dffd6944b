/**
 * Runs of a sweep on many computers: a queue of BullMQ in Redis. A job is to train a run up to so many
 * iterations; `cellgrad worker` (worker.ts) takes jobs. The name of a job follows from its run and the run's surroundings, so no
 * job is done twice, and none is mistaken for another.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Job } from 'bullmq'
import type { JsonObject } from '../../experiment/flat.ts'
import { runId } from '../../experiment/sweep/fields.ts'
import { quoted } from '../input/invocation.ts'
import { say } from '../terminal/output.ts'
import { files } from '../run/run-folder.ts'
import type { Executor, Outcome } from './driver.ts'
import { failed, makeFolder, outcomeOf } from './processes.ts'
import { connectRedis, filesIn, forget, inVain, publicAddress, pull, push } from './store.ts'
import { surroundingsOf, type Surroundings } from './surroundings.ts'

/** The queue of all sweeps. */
export const queueName = 'cellgrad'

/** The data of a job. */
export type QueuedRun = {
  readonly id: string
  readonly config: JsonObject
  readonly iterations: number
  /** The fields that the sweep compares. */
  readonly fields: readonly string[]
  /** How often a run is restarted if its worker or process was killed. */
  readonly retries: number
  /** The surroundings of the sweep, which a worker must share. */
  readonly surroundings: Surroundings
  /** The last checkpoint from which a worker began, and the number of workers that the run had lost before it got there. */
  readonly reached?: { readonly iteration: number; readonly lost: number }
}

/** The name of a run in Redis: a hash of its id and its surroundings. */
export function nameInRedis({ id, surroundings }: Pick<QueuedRun, 'id' | 'surroundings'>): string {
  return runId({ id, ...surroundings })
}

/** The progress of a worker with a job. */
export type QueuedProgress = { readonly worker: string; readonly iteration: number }

const pollEvery = 300
const sayEvery = 10_000

/** An executor that puts runs into a queue, from which workers take them; at most so many candidates at once. */
export async function queued(folder: string, url: string, most: number, fields: readonly string[], retries: number): Promise<Executor> {
  const redis = await connectRedis(url)
  const { Queue } = await import('bullmq')
  const queue = new Queue<QueuedRun, Outcome>(queueName, { connection: redis })
  queue.on('error', () => {}) // the connection reports errors, and reconnects
  const underWay = new Map<string, string>()
  const timer = setInterval(() => {
    if (underWay.size > 0) say(`under way: ${[...underWay.values()].join(', ')}`)
  }, sayEvery)
  timer.unref()

  /** The job of a run. If it is not in the queue yet, it is added, with the files that the run has here. */
  async function jobOf(run: QueuedRun, own: string): Promise<Job<QueuedRun, Outcome>> {
    const name = nameInRedis(run)
    const jobId = `${name}-${run.iterations}`
    const there = await queue.getJob(jobId)
    if (there) return there
    if (existsSync(join(own, files.checkpoint))) await push(redis, name, own, await filesIn(own))
    return queue.add('run', run, { jobId, attempts: 3, backoff: { type: 'exponential', delay: 1000 } })
  }

  return {
    slots: most,
    flags: ` --queue ${quoted(publicAddress(url))}`,
    async train({ id, config }, iterations, signal) {
      const own = join(folder, 'runs', id)
      const run = { id, config, iterations, fields, retries, surroundings: await surroundingsOf(config) }
      /** The run's outcome; null while it waits or is being trained. */
      async function look(): Promise<Outcome | null> {
        const known = await outcomeOf(own, iterations)
        if (known) return known
        const job = await jobOf(run, own)
        const state = await job.getState()
        const progress = job.progress as Partial<QueuedProgress> | undefined
        if (state === 'active' && progress?.worker) underWay.set(id, `${id} ${progress.iteration}/${iterations} on ${progress.worker}`)
        if (state === 'completed' || state === 'failed') {
          underWay.delete(id)
          const ended = await queue.getJob(job.id!) // fetched again, now with its result
          if (!ended) return look() // another sweep that waited for it has taken it
          const outcome: Outcome = state === 'failed' ? { failed: ended.failedReason } : ended.returnvalue
          await makeFolder(own)
          await pull(redis, nameInRedis(run), own)
          if ('failed' in outcome) await failed(own, outcome.failed)
          await ended.remove()
          await forget(redis, nameInRedis(run))
          return look() // the outcome is in the folder now
        }
        if (!signal.aborted) return null
        if (state !== 'active') await job.remove().catch(() => {}) // a worker has just taken it
        return { stopped: true }
      }

      const over = new AbortController()
      const stopped = inVain(redis, signal, over.signal).then((): Outcome => ({ stopped: true }))
      try {
        for (;;) {
          const looking = look()
          looking.catch(() => {}) // if `stopped` wins, nothing else handles its error
          const outcome = await Promise.race([looking, stopped])
          if (outcome) return outcome
          await sleep(pollEvery)
        }
      } finally {
        over.abort()
      }
    },
    async close() {
      clearInterval(timer)
      await queue.close()
      redis.removeAllListeners('close')
      redis.disconnect()
    },
  }
}
