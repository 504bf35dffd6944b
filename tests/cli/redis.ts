// A Redis of a test's own (Debian: apt-get install redis-server), on a free port, with its append-only file.

import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { accessSync, constants, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** The path of the program; undefined if it is not installed. */
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
  /** Kills it with -9 and starts it again on the same files, after so many milliseconds. */
  restart(after: number): Promise<void>
  stop(): Promise<void>
}

/**
 * Starts Redis with its files in a folder.
 *
 * @param tls whether it accepts only TLS, with a certificate made for the test, whose authority is ca.crt in the folder
 */
export async function startRedis(folder: string, password?: string, tls: boolean = false): Promise<RunningRedis> {
  const file = (name: string): string => join(folder, name)
  if (tls) makeCertificate(file)
  const port = await freePort()
  let child: ChildProcess
  const begin = async (): Promise<void> => {
    const secret = password === undefined ? [] : ['--requirepass', password]
    const listening = tls
      ? ['--port', '0', '--tls-port', String(port), '--tls-cert-file', file('server.crt'), '--tls-key-file', file('server.key'), '--tls-ca-cert-file', file('ca.crt'), '--tls-auth-clients', 'no']
      : ['--port', String(port)]
    child = spawn(redisServer!, [...listening, '--bind', '127.0.0.1', '--dir', folder, '--appendonly', 'yes', '--save', '', ...secret], { stdio: ['ignore', 'pipe', 'inherit'] })
    await new Promise<void>((ready, fail) => {
      child.stdout!.on('data', (data: Buffer) => { if (data.toString().includes('Ready to accept connections')) ready() })
      child.once('exit', status => fail(new Error(`redis-server ended with ${status}`)))
    })
  }
  const end = (): Promise<void> => new Promise(done => {
    if (child.exitCode !== null || child.signalCode !== null) return done()
    child.once('exit', () => done())
    child.kill('SIGKILL')
  })
  await begin()
  const user = password === undefined ? '' : `:${password}@`
  return {
    url: `${tls ? 'rediss' : 'redis'}://${user}127.0.0.1:${port}`,
    async restart(after) {
      await end()
      await sleep(after)
      await begin()
    },
    stop: end,
  }
}

/** A certificate authority for the test, and a certificate for this computer that it has signed. */
function makeCertificate(file: (name: string) => string): void {
  const openssl = (...args: string[]): unknown => execFileSync('openssl', args, { stdio: 'pipe' })
  openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=cellgrad test', '-keyout', file('ca.key'), '-out', file('ca.crt'))
  openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost', '-keyout', file('server.key'), '-out', file('server.csr'))
  writeFileSync(file('names'), 'subjectAltName=IP:127.0.0.1\n')
  openssl('x509', '-req', '-days', '2', '-in', file('server.csr'), '-CA', file('ca.crt'), '-CAkey', file('ca.key'), '-CAcreateserial', '-extfile', file('names'), '-out', file('server.crt'))
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(done => { server.listen(0, '127.0.0.1', done) })
  const { port } = server.address() as AddressInfo
  await new Promise(done => { server.close(done) })
  return port
}
