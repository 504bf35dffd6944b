// The server of Studio's page answers only browsers of this machine, only with the files of its folder, and writes nothing.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { servePage, type PageServer } from '../../src/node/page-server.ts'

const around = mkdtempSync(join(tmpdir(), 'cellgrad-page-'))
const folder = join(around, 'page')
let server: PageServer

beforeAll(async () => {
  mkdirSync(join(folder, 'assets'), { recursive: true })
  writeFileSync(join(around, 'secret.txt'), 'secret')
  writeFileSync(join(folder, 'index.html'), '<!doctype html>')
  writeFileSync(join(folder, 'assets', 'a b.js'), '1')
  symlinkSync(join(around, 'secret.txt'), join(folder, 'link.txt'))
  server = await servePage(folder)
})
afterAll(async () => {
  await server.close()
  rmSync(around, { recursive: true })
})

type Answer = { status: number; headers: Record<string, unknown>; body: string }

/** Sends a request exactly as given; `fetch` would change paths and hosts. */
function ask(path: string, { method = 'GET', host }: { method?: string; host?: string } = {}): Promise<Answer> {
  const { port } = new URL(server.address)
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, method, headers: { host: host ?? `127.0.0.1:${port}` } }, response => {
      let body = ''
      response.on('data', part => { body += String(part) })
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }))
    })
    sent.on('error', reject)
    sent.end()
  })
}

describe('the server of a page', () => {
  it('listens on 127.0.0.1 and serves the files of its folder, isolated from other origins', async () => {
    expect(server.address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/)
    const { status, headers, body } = await ask('/?a=1')
    expect([status, body]).toEqual([200, '<!doctype html>'])
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8', 'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp', 'x-content-type-options': 'nosniff',
      'content-security-policy': "connect-src 'self'",
    })
    expect(headers).not.toHaveProperty('access-control-allow-origin')
    expect(await ask('/assets/a%20b.js')).toMatchObject({ status: 200, body: '1' })
    expect(await ask('/', { method: 'HEAD' })).toMatchObject({ status: 200, body: '' })
  })

  it('answers to this host only, whatever name points here', async () => {
    const { port } = new URL(server.address)
    expect(await ask('/', { host: `localhost:${port}` })).toMatchObject({ status: 200 })
    for (const host of ['evil.example', `evil.example:${port}`, '127.0.0.1', '127.0.0.1:1', `127.0.0.1.evil.example:${port}`, `[::1]:${port}`]) {
      expect(await ask('/', { host }), host).toMatchObject({ status: 403 })
    }
  })

  it('serves nothing outside its folder, however a path is written', async () => {
    for (const path of ['/../secret.txt', '/..%2fsecret.txt', '/%2e%2e/secret.txt', '/assets/../../secret.txt', '//etc/passwd', '/link.txt', '/%', '/%00', '/assets', '/assets/']) {
      expect(await ask(path), path).toMatchObject({ status: 404 })
    }
    const part = fc.constantFrom('..', '%2e%2e', '.', 'secret.txt', 'assets', '%2f', '\\', '%5c', 'page', '')
    await fc.assert(fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 6 }), async parts => {
      expect((await ask(`/${parts.join('/')}`)).body).not.toContain('secret')
    }))
  })

  it('allows only reading', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      expect(await ask('/new.txt', { method }), method).toMatchObject({ status: 405 })
    }
    expect(readdirSync(folder).sort()).toEqual(['assets', 'index.html', 'link.txt'])
  })

  it('says so if the port is taken', async () => {
    await expect(servePage(folder, Number(new URL(server.address).port))).rejects.toThrow(/EADDRINUSE/)
  })
})
