// Runs page.ts in Chromium without a window, on its software GPU. `npm run test:browser` prints a line for each check
// and fails if one does. The page comes from localhost, because WebGPU exists only on secure pages, and is
// isolated from other origins, so that the CPU can use everything, shared memory too.
//
//     CELLGRAD_CHROMIUM=/path/to/chrome    another browser than that of Debian
//     CELLGRAD_RUNS=100                    more random cases per property than the usual 8
//     CELLGRAD_SEED=-1819918769            the seed that was printed with a failure (see ../seed.ts)

import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { chromium } from 'playwright-core'
import { seed } from '../seed.ts'
import type { Counts, Settings } from './page.ts'

const { CELLGRAD_CHROMIUM, CELLGRAD_RUNS } = process.env

/** WebGPU on SwiftShader, which comes with Chromium: the same on every machine. */
const args = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader']

/** Minutes after which a browser that no longer answers is given up. */
const patience = 10

/** Runs all checks; returns whether they passed. */
async function runInBrowser(executablePath: string): Promise<boolean> {
  const { outputFiles: [script] } = await build({
    entryPoints: [fileURLToPath(new URL('page.ts', import.meta.url))],
    bundle: true, format: 'esm', target: 'es2023', write: false, logLevel: 'warning',
  })
  const server = createServer(({ url }, response) => {
    const [type, body] = url === '/page.js' ? ['text/javascript', script.contents] : ['text/html', '<!doctype html>']
    response.setHeaders(new Map([
      ['content-type', type], ['cross-origin-opener-policy', 'same-origin'], ['cross-origin-embedder-policy', 'require-corp'],
    ])).end(body)
  })
  await new Promise<void>(done => server.listen(0, 'localhost', done))
  const browser = await chromium.launch({ executablePath, args })
  try {
    console.log(`browser: Chromium ${browser.version()}`)
    const tab = await browser.newPage()
    const crash = new Promise<never>((_, reject) => {
      tab.on('pageerror', reject)
      tab.on('crash', () => reject(new Error('the page crashed')))
    })
    tab.on('console', message => { if (message.type() === 'log') console.log(message.text()) })
    await tab.goto(`http://localhost:${(server.address() as AddressInfo).port}/`)
    const settings: Settings = { numRuns: Number(CELLGRAD_RUNS || 8), seed }
    const program = `import('/page.js').then(page => page.runChecks(${JSON.stringify(settings)}))`
    const { passed, failed } = await Promise.race([tab.evaluate<Counts>(program), crash])
    console.log(`browser: ${passed} passed, ${failed} failed`)
    return failed === 0
  } finally {
    await browser.close()
    server.close()
  }
}

const executable = CELLGRAD_CHROMIUM ?? '/usr/bin/chromium'
if (!existsSync(executable)) {
  console.error(`browser: there is no ${executable}; install Chromium (Debian: apt-get install chromium) or name `
    + 'the path of yours in CELLGRAD_CHROMIUM.')
  process.exit(1)
}
setTimeout(() => {
  console.error(`browser: no answer for ${patience} minutes.`)
  process.exit(1)
}, patience * 60_000).unref()
try {
  process.exitCode = await runInBrowser(executable) ? 0 : 1
} catch (error) {
  console.error(`browser: ${(error as Error).message}`)
  process.exitCode = 1
}
