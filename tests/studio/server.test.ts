// Studio's server, asked by a real browser: a page under another name that points here gets nothing, and
// files other than those of the page and the pictures of runs cannot be reached.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { expect, it } from 'vitest'
import { servedRuns } from '../../src/cli/run/served-runs.ts'
import { servePage } from '../../src/node/page-server.ts'
import { executablePath } from './visit.ts'

it('answers only under its own address, and only with its own files', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cellgrad-server-'))
  mkdirSync(join(folder, 'run'))
  writeFileSync(join(folder, 'run', 'config.yaml'), 'batch: 8\n')
  writeFileSync(join(folder, 'secret.txt'), 'secret')
  const server = await servePage(fileURLToPath(new URL('../../dist/studio', import.meta.url)), 0, servedRuns(folder))
  const { port } = new URL(server.address)
  const browser = await chromium.launch({ executablePath, args: ['--host-resolver-rules=MAP evil.example 127.0.0.1'] })
  const page = await browser.newPage()
  const statusOf = async (address: string): Promise<number> => (await page.goto(address))!.status()
  expect(await statusOf(`http://evil.example:${port}/`)).toBe(403)
  expect(await page.textContent('body')).toContain('This page is for this machine only.')
  expect(await statusOf(`http://evil.example:${port}/runs.json`)).toBe(403)
  expect(await statusOf(`${server.address}runs.json`)).toBe(200)
  for (const path of ['runs/run/config.yaml', 'runs/secret.txt', 'runs/%2e%2e/secret.txt', 'runs/run/%2e%2e%2fsecret.txt', '..%2fpackage.json']) {
    expect(await statusOf(`${server.address}${path}`), path).toBe(404)
  }
  // Another site can neither read an answer nor show the page within its own.
  await page.goto('data:text/html,<p>another site</p>')
  expect(await page.evaluate(address => fetch(`${address}runs.json`).then(() => 'read', () => 'refused'), server.address)).toBe('refused')
  await browser.close()
  await server.close()
  rmSync(folder, { recursive: true })
})
