/**
 * Redis, through which the computers of a sweep communicate: the connection, and the files of runs that are being trained.
 *
 *   cellgrad:run:NAME    a hash: the files of a run's folder by their names, as they were at its last checkpoint
 *
 * NAME follows from the run and its surroundings (surroundings.ts). The files of a checkpoint are written in one command, so
 * that readers always get files of the same moment. They are removed with the run's job (queue.ts), or, if that is never
 * finished, a week after the last checkpoint.
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
 * Connects to Redis, `redis://[user:password@]host:port[/number]`, or `rediss://` for TLS. If the connection is lost later, it
 * reconnects.
 *
 * @throws if there is no answer, or the password is wrong
 */
export async function connectRedis(url: string): Promise<Redis> {
  const { Redis } = await import('ioredis').catch((cause: Error) => {
    throw new Error('queue: needs the packages bullmq and ioredis, which are not installed (npm install bullmq ioredis)', { cause })
  })
  if (!/^rediss?:\/\//.test(url)) throw new Error(`queue: ${publicAddress(url)} is not a Redis address, expected redis://host:port or rediss://…`)
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

/** Milliseconds to wait for Redis before stopping without it: commands wait as long as it is away. */
const patience = 5000

/**
 * Resolves when a stop has been asked for and Redis has been away for a while since then, so that waiting longer is useless.
 *
 * @param over aborts when there is nothing to wait for any more
 */
export async function inVain(redis: Redis, stop: AbortSignal, over: AbortSignal): Promise<void> {
  for (let away = 0; away < patience && !over.aborted; away = stop.aborted && redis.status !== 'ready' ? away + 100 : 0) await sleep(100)
}

const keyOf = (name: string): string => `cellgrad:run:${name}`

const travelling: readonly string[] = [files.config, files.target, files.checkpoint, files.metrics, files.model, files.best]

/** The files of a run that are stored at each checkpoint: all that is needed to resume it. */
export async function travellingIn(folder: string): Promise<string[]> {
  return [...travelling, ...await eventFiles(folder)]
}

/** All files of a run's folder, except hidden ones and the one that says why it failed, which its job says. */
export async function filesIn(folder: string): Promise<string[]> {
  const there = (await readdir(folder, { withFileTypes: true })).filter(entry => entry.isFile() && !entry.name.startsWith('.') && entry.name !== failure)
  return [...there.map(({ name }) => name), ...await eventFiles(folder)]
}

/** A run's event files for TensorBoard, by their paths in its folder. */
async function eventFiles(folder: string): Promise<string[]> {
  const names = await readdir(join(folder, files.tensorboard)).catch(() => [])
  return names.map(name => `${files.tensorboard}/${name}`)
}

/** Stores files of a run's folder. `names` has the checkpoint before the metrics, so that these are not behind it. */
export async function push(redis: Redis, name: string, folder: string, names: readonly string[]): Promise<void> {
  const there = names.filter(file => existsSync(join(folder, file)))
  const found: Record<string, Buffer> = {}
  for (const file of there) found[file] = await readFile(join(folder, file))
  if (there.length > 0) await redis.multi().hset(keyOf(name), found).expire(keyOf(name), week).exec()
}

/** Writes the stored files of a run into its folder, which must exist; config.yaml, which makes it a run, comes last. */
export async function pull(redis: Redis, name: string, folder: string): Promise<void> {
  const found = await redis.hgetallBuffer(keyOf(name))
  const names = Object.keys(found).filter(file => /^(tensorboard\/)?\w[\w.-]*$/.test(file))
  if (names.some(file => file.includes('/'))) await mkdir(join(folder, files.tensorboard), { recursive: true })
  for (const file of names.sort((a, b) => Number(a === files.config) - Number(b === files.config))) {
    await writeFileAtomic(join(folder, file), found[file])
  }
}

/** Removes the stored files of a run. */
export async function forget(redis: Redis, name: string): Promise<void> {
  await redis.del(keyOf(name))
}
