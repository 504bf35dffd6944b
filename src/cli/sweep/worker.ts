/**
 * `cellgrad worker`: trains runs of sweeps that wait in a queue (queue.ts), here or on any other computer.
 *
 * A run is trained by a process in a folder of this worker, which begins with the run's files from Redis. They are stored
 * again after each checkpoint: if a worker is killed, another one continues from there, with the same bits. A worker that
 * is told to stop saves its runs, returns them to the queue, and ends.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Job } from 'bullmq'
import type { ArgsDef } from 'citty'
import type { BackendName } from '../../experiment/config/computers.ts'
import { untilInterrupted } from '../terminal/interrupt.ts'
import { hasEnded, nameOfProcess } from '../run/lock.ts'
import { parseMetrics } from '../run/metrics.ts'
import { complain, say } from '../terminal/output.ts'
import { files } from '../run/run-folder.ts'
import { command, flag, type Command } from '../input/command.ts'
import { computing } from '../input/computer.ts'
import { isUnwritten } from '../input/usage.ts'
import type { Outcome } from './driver.ts'
import { comparing, environment, givenUp, makeFolder, makeFolders, savedAt, trainRun } from './processes.ts'
import { nameInRedis, queueName, type QueuedProgress, type QueuedRun } from './queue.ts'
import { connectRedis, filesIn, inVain, publicAddress, pull, push, travellingIn } from './store.ts'
import { differenceOf, surroundingsOf } from './surroundings.ts'

// A worker that has not reported for so long, in milliseconds, is considered dead, and its runs go to others.
const lockDuration = 10_000
const stalledInterval = 5000
const watchEvery = 250

// A run must be the same wherever it is trained, so `auto`, by which each computer would decide, is not among these.
const backends = ['cpu', 'webgpu'] as const

const args: ArgsDef = {
  queue: flag('url', 'Address of Redis: redis://[user:password@]host:port, rediss:// for TLS'),
  workers: flag('n', 'Runs at once (default: 1)'),
  backend: flag('name', `What computes, ${backends.join(' or ')}: runs that say another backend are left to others (default: as each run says)`),
}

export const worker: Command = command('worker', 'Train runs of sweeps that wait in a queue', args, async given => {
  const { queue: url } = given.text
  if (url === undefined) return given.refuse('--queue is missing, expected the address of Redis, redis://host:port')
  const backend = given.text.backend === undefined ? undefined : given.oneOf('backend', backends, 'cpu')
  const workers = given.number('workers', 1, { least: 1, most: 256 })
  const folder = await ownFolder()
  let isEnded = true
  try {
    isEnded = await work(url, workers, folder, backend)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  if (isEnded) return
  complain(`queue: ${publicAddress(url)} is away, so that runs under way could not be put back; others go on from what was stored last`)
  process.exit(1) // BullMQ would go on trying for ever
})

/** Makes a folder for the runs of this worker, and removes the folders of killed workers. */
async function ownFolder(): Promise<string> {
  const names = await readdir(tmpdir())
  const left = names.filter(name => hasEnded(/^cellgrad-worker-(.*)-[A-Za-z0-9]{6}$/.exec(name)?.[1] ?? ''))
  for (const name of left) await rm(join(tmpdir(), name), { recursive: true, force: true }).catch(() => {}) // it belongs to another user, or another worker has just removed it
  return mkdtemp(join(tmpdir(), `cellgrad-worker-${nameOfProcess()}-`))
}

/** Takes runs from the queue until it must stop; returns whether all unfinished runs are back in the queue. */
async function work(url: string, workers: number, folder: string, backend: BackendName | undefined): Promise<boolean> {
  const redis = await connectRedis(url)
  const { WaitingError, Worker } = await import('bullmq')
  const self = `${hostname()}:${process.pid}`
  const broken = new AbortController()
  const interrupt = untilInterrupted(({ name, why, status }) => {
    if (name === 'output') process.exitCode = status // a signal is the normal way to end a worker, so its status stays 0
    const tell = name === 'output' ? complain : say
    tell(`Stopping${why}; runs that are under way are saved and put back`)
  })
  const stop = AbortSignal.any([interrupt.signal, broken.signal])
  const env = environment(workers)
  await makeFolders(folder)

  async function train(job: Job<QueuedRun, Outcome>): Promise<Outcome> {
    const { data: run } = job
    const { config, iterations, retries } = run
    const name = nameInRedis(run)
    const own = join(folder, 'runs', name)
    await makeFolder(own)
    await pull(redis, name, own)
    const iterationsDone = async (): Promise<number> => parseMetrics(await readFile(join(own, files.metrics), 'utf8')).at(-1)?.iteration ?? 0
    const lost = await lostSince(job, await iterationsDone().catch(() => 0))
    let stored = await savedAt(own)
    let isStoring = false
    const timer = setInterval(async () => {
      if (isStoring) return
      isStoring = true
      try {
        const time = await savedAt(own)
        if (time === stored) return
        await push(redis, name, own, await travellingIn(own))
        stored = time
        await job.updateProgress({ worker: self, iteration: await iterationsDone() } satisfies QueuedProgress)
      } catch {
        // Redis is away or the folder is new: the next checkpoint will be stored, and so will the end.
      } finally {
        isStoring = false
      }
    }, watchEvery)
    try {
      if (lost > retries) return { failed: givenUp('worker', lost) }
      const outcome = await trainRun(folder, { id: name, config }, iterations, { env, signal: stop, flags: comparing(run.fields), retries })
      await push(redis, name, own, await ('stopped' in outcome ? travellingIn : filesIn)(own))
      return outcome
    } finally {
      clearInterval(timer)
      await rm(own, { recursive: true, force: true })
    }
  }

  /** Trains a run. If this computer is not fit for it, the run goes back into the queue, and the worker ends. */
  async function trainIfFit(job: Job<QueuedRun, Outcome>): Promise<Outcome> {
    const { config, surroundings } = job.data
    const difference = differenceOf({ ...await surroundingsOf(config), ...(backend && { backend }) }, surroundings)
      ?? (surroundings.backend === 'webgpu' ? await withoutGpu() : null)
    if (difference !== null) {
      broken.abort(new Error(`${difference}; its runs are left to others`))
      return { stopped: true }
    }
    return train(job).catch(error => {
      if (!isUnwritten(error)) throw error // BullMQ tries it again
      broken.abort(error)
      return { stopped: true }
    })
  }

  const own = redis.duplicate()
  const taker = new Worker<QueuedRun, Outcome>(queueName, async (job, token) => {
    const { id, iterations } = job.data
    say(`${id}: up to ${iterations} iterations`)
    const outcome = await trainIfFit(job)
    if ('stopped' in outcome) {
      await job.moveToWait(token)
      throw new WaitingError()
    }
    say(`${id}: ${'value' in outcome ? `loss ${Number(outcome.value.toPrecision(3))}` : `failed: ${outcome.failed}`}`)
    return outcome
  }, { connection: own, concurrency: workers, lockDuration, stalledInterval, maxStalledCount: Number.MAX_SAFE_INTEGER }) // `lostSince` counts instead
  taker.on('error', () => {}) // the connection reports errors, and reconnects
  say(`Waiting for runs at ${publicAddress(url)}, ${workers} at once`)
  await new Promise<void>(done => { stop.addEventListener('abort', () => done()) })
  const over = new AbortController()
  const isEnded = await Promise.race([taker.close().then(() => true), inVain(redis, stop, over.signal).then(() => false)])
  over.abort()
  interrupt.end()
  redis.removeAllListeners('close')
  for (const connection of [own, redis]) connection.disconnect()
  broken.signal.throwIfAborted()
  return isEnded
}

/** Why this computer has no GPU to train on; null if it has one. */
function withoutGpu(): Promise<string | null> {
  return computing({ backend: 'webgpu' }, async () => {}).then(() => null, (error: Error) => `worker: ${error.message.replace(/\.$/, '')}`)
}

/** The number of workers that a run has lost since it reached its present checkpoint, which is at `iteration`. */
async function lostSince(job: Job<QueuedRun, Outcome>, iteration: number): Promise<number> {
  const { data: { reached = { iteration: -1, lost: 0 } }, stalledCounter } = job
  if (iteration <= reached.iteration) return stalledCounter - reached.lost
  const lost = Math.max(0, stalledCounter - 1) // the last lost worker had already reached it
  await job.updateData({ ...job.data, reached: { iteration, lost } })
  return stalledCounter - lost
}
