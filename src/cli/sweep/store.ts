/**
 * Redis, by which the computers of a sweep talk: its connection, and the files of runs that are under way.
 *
 *   cellgrad:run:ID    a hash: the files of a run's folder by their names, as they were at its last checkpoint
 *
 * The files of a checkpoint are written in one command, so that whoever reads them has those of one moment. A week after
 * the last one they are forgotten.
 */
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { writeFileAtomic } from '../../node/atomic-file.ts'
import { complain } from '../terminal/output.ts'
import { files } from '../run/run-folder.ts'

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
  redis.on('close', () => complain(`queue: the connection to ${publicAddress(url)} is lost; trying again`))
  return redis
}

const keyOf = (id: string): string => `cellgrad:run:${id}`

/** Which files of a run travel: what it goes on from, at each checkpoint, or all that it has. */
export const travelling: readonly string[] = [files.config, files.target, files.checkpoint, files.metrics, files.model]

/** Stores files of a run's folder; the checkpoint is read first, so that the metrics are not behind it. */
export async function push(redis: Redis, id: string, folder: string, names: readonly string[]): Promise<void> {
  const there = names.filter(name => existsSync(join(folder, name)))
  const found: Record<string, Buffer> = {}
  for (const name of there) found[name] = await readFile(join(folder, name))
  if (there.length > 0) await redis.multi().hset(keyOf(id), found).expire(keyOf(id), week).exec()
}

/** All files in a run's folder that are the run's own. */
export async function filesIn(folder: string): Promise<string[]> {
  return (await readdir(folder, { withFileTypes: true })).filter(entry => entry.isFile() && !entry.name.startsWith('.')).map(({ name }) => name)
}

/** Writes the stored files of a run into its folder, which is there; config.yaml, which makes it a run, last. */
export async function pull(redis: Redis, id: string, folder: string): Promise<void> {
  const found = await redis.hgetallBuffer(keyOf(id))
  const names = Object.keys(found).filter(name => /^[\w.-]+$/.test(name) && !name.startsWith('.'))
  for (const name of names.sort((a, b) => Number(a === files.config) - Number(b === files.config))) {
    await writeFileAtomic(join(folder, name), found[name])
  }
}
