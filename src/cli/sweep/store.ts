/**
 * Redis, by which the computers of a sweep talk: its connection, and the files of runs that are under way.
 *
 *   cellgrad:run:NAME    a hash: the files of a run's folder by their names, as they were at its last checkpoint
 *
 * NAME is that of the run in its surroundings (surroundings.ts). The files of a checkpoint are written in one command, so that whoever reads them has those of one moment. They are removed
 * with the run's job (queue.ts) and, where that is never done, a week after the last one.
 */
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { writeFileAtomic } from '../../node/atomic-file.ts'
import { complain } from '../terminal/output.ts'
import { files } from '../run/run-folder.ts'
import { failure } from './processes.ts'

const week = 7 * 24 * 3600

/** An address without its password. */
export function publicAddress(url: string): string {
  return url.replace(/\/\/.*@/, '//…@')
}

/**
 * Connects to Redis, `redis://[user:password@]host:port[/number]`, or `rediss://` for TLS. A connection that is lost later is
 * made again.
 *
 * @throws one sentence where nobody answers, or the password is wrong
 */
export async function connectRedis(url: string): Promise<Redis> {
  const { Redis } = await import('ioredis').catch((cause: Error) => {
    throw new Error('queue: needs the packages bullmq and ioredis, which are not installed (npm install bullmq ioredis)', { cause })
  })
  if (!/^rediss?:\/\//.test(url)) throw new Error(`queue: ${publicAddress(url)} is no address of Redis, expected redis://host:port or rediss://…`)
  const redis = new Redis(url, { maxRetriesPerRequest: null, lazyConnect: true, retryStrategy: () => null, connectTimeout: 5000 })
  let last: Error | undefined
  redis.on('error', (error: Error) => { last = error })
  await redis.connect().then(() => redis.ping()).catch((cause: Error) => {
    redis.disconnect()
    throw new Error(`queue: cannot use ${publicAddress(url)} (${(last ?? cause).message || 'nobody answers'})`, { cause })
  })
  redis.options.retryStrategy = times => Math.min(100 * times, 2000)
  let isLost = false
  redis.on('close', () => {
    if (!isLost) complain(`queue: the connection to ${publicAddress(url)} is lost; trying again until it is there`)
    isLost = true
  })
  redis.on('ready', () => {
    if (isLost) complain(`queue: the connection to ${publicAddress(url)} is there again`)
    isLost = false
  })
  return redis
}

/** What is asked of Redis while it is away waits until it is there again: whoever is to stop waits so long, in milliseconds, and no longer. */
const patience = 5000

/**
 * Resolves when a stop has been asked for and Redis has been away for a while since, so that the rest would be waited for in vain.
 *
 * @param over aborts when it is not to be watched any more
 */
export async function inVain(redis: Redis, stop: AbortSignal, over: AbortSignal): Promise<void> {
  for (let away = 0; away < patience && !over.aborted; away = stop.aborted && redis.status !== 'ready' ? away + 100 : 0) await sleep(100)
}

const keyOf = (name: string): string => `cellgrad:run:${name}`

const travelling: readonly string[] = [files.config, files.target, files.checkpoint, files.metrics, files.model, files.best]

/** The files of a run that travel at each checkpoint: what it goes on from. */
export async function travellingIn(folder: string): Promise<string[]> {
  return [...travelling, ...await eventFiles(folder)]
}

/** All files in a run's folder that are the run's own; why it has failed is told by its job. */
export async function filesIn(folder: string): Promise<string[]> {
  const there = (await readdir(folder, { withFileTypes: true })).filter(entry => entry.isFile() && !entry.name.startsWith('.') && entry.name !== failure)
  return [...there.map(({ name }) => name), ...await eventFiles(folder)]
}

/** A run's event files for TensorBoard, by their paths in its folder. */
async function eventFiles(folder: string): Promise<string[]> {
  const names = await readdir(join(folder, files.tensorboard)).catch(() => [])
  return names.map(name => `${files.tensorboard}/${name}`)
}

/** Stores files of a run's folder; the checkpoint is read first, so that the metrics are not behind it. */
export async function push(redis: Redis, name: string, folder: string, names: readonly string[]): Promise<void> {
  const there = names.filter(file => existsSync(join(folder, file)))
  const found: Record<string, Buffer> = {}
  for (const file of there) found[file] = await readFile(join(folder, file))
  if (there.length > 0) await redis.multi().hset(keyOf(name), found).expire(keyOf(name), week).exec()
}

/** Writes the stored files of a run into its folder, which is there; config.yaml, which makes it a run, last. */
export async function pull(redis: Redis, name: string, folder: string): Promise<void> {
  const found = await redis.hgetallBuffer(keyOf(name))
  const names = Object.keys(found).filter(file => /^(tensorboard\/)?\w[\w.-]*$/.test(file))
  if (names.some(file => file.includes('/'))) await mkdir(join(folder, files.tensorboard), { recursive: true })
  for (const file of names.sort((a, b) => Number(a === files.config) - Number(b === files.config))) {
    await writeFileAtomic(join(folder, file), found[file])
  }
}

/** Forgets the stored files of a run. */
export async function forget(redis: Redis, name: string): Promise<void> {
  await redis.del(keyOf(name))
}
