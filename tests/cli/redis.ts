// A Redis of a test's own (Debian: apt-get install redis-server), on a free port, with its append-only file.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { delimiter, join } from 'node:path'

/** The program; undefined where it is not installed. */
export const redisServer: string | undefined = (process.env.PATH ?? '').split(delimiter)
  .map(folder => join(folder, 'redis-server')).find(path => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })

export type RunningRedis = {
  readonly url: string
  /** Kills it with -9 and starts it again on the same files. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** Starts Redis with its files in a folder. */
export async function startRedis(folder: string, password?: string): Promise<RunningRedis> {
  const port = await freePort()
  let child: ChildProcess
  const begin = async (): Promise<void> => {
    const secret = password === undefined ? [] : ['--requirepass', password]
    child = spawn(redisServer!, ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--appendonly', 'yes', '--save', '', ...secret], { stdio: ['ignore', 'pipe', 'inherit'] })
    await new Promise<void>((ready, fail) => {
      child.stdout!.on('data', (data: Buffer) => { if (data.toString().includes('Ready to accept connections')) ready() })
      child.once('exit', status => fail(new Error(`redis-server ended with ${status}`)))
    })
  }
  const end = (): Promise<void> => new Promise(done => {
    child.once('exit', () => done())
    child.kill('SIGKILL')
  })
  await begin()
  const user = password === undefined ? '' : `:${password}@`
  return {
    url: `redis://${user}127.0.0.1:${port}`,
    async restart() {
      await end()
      await begin()
    },
    stop: end,
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(done => { server.listen(0, '127.0.0.1', done) })
  const { port } = server.address() as AddressInfo
  await new Promise(done => { server.close(done) })
  return port
}
