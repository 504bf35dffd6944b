// A visit to the built and served Studio, in Chromium without a window, on a screen of a certain size. Whatever a
// visit does, no request may leave the machine and nothing may fail unnoticed: `leave` asserts both.
//
//     CELLGRAD_CHROMIUM=/path/to/chrome   another browser than that of Debian
//     CELLGRAD_PICTURES=folder            where pictures of the page go, by default a new folder of the system's

import { mkdirSync, mkdtempSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import axe from 'axe-core'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import { servedRuns } from '../../src/cli/run/served-runs.ts'
import { servePage } from '../../src/node/page-server.ts'

/** The screens on which every room is tried. */
export const screens: Readonly<Record<'desktop' | 'phone', BrowserContextOptions>> = {
  desktop: { viewport: { width: 1440, height: 900 } },
  phone: { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
}

export type Screen = keyof typeof screens

/** Debian's Chromium, or the given browser. */
export const executablePath: string = process.env.CELLGRAD_CHROMIUM ?? '/usr/bin/chromium'
const args = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan', '--use-vulkan=swiftshader', '--host-resolver-rules=MAP plain.example 127.0.0.1']

const folder = process.env.CELLGRAD_PICTURES ?? mkdtempSync(join(tmpdir(), 'cellgrad-studio-'))
mkdirSync(folder, { recursive: true })

export type Visit = {
  readonly page: Page
  /** Opens a room's address, loading the page anew. */
  open(hash: string): Promise<void>
  /** Takes a picture of the page, for people to look at. */
  picture(name: string): Promise<void>
  /** The browser's processes: their kinds ('GPU', 'renderer', …), numbers, and the seconds that they have computed. */
  processes(): Promise<{ type: string; id: number; cpuTime: number }[]>
  /** The violations that axe-core calls serious or critical, with a line for each. */
  barriers(): Promise<string[]>
  /** Ends the visit; throws if something failed unnoticed or a request left the machine. */
  leave(): Promise<void>
}

let browser: Promise<Browser> | null = null

/**
 * Opens Studio on a screen. `options` are those of the browser's context, like dark colours or reduced motion.
 *
 * @param runs a folder of runs to serve with it
 */
export async function visit(screen: Screen, options: BrowserContextOptions = {}, runs?: string): Promise<Visit> {
  const folder = fileURLToPath(new URL('../../dist/studio', import.meta.url))
  const server = await servePage(folder, 0, runs === undefined ? undefined : servedRuns(runs))
  return visitAt(screen, options, server.address, server.close)
}

/**
 * Opens Studio as a plain host would serve it: the files, without headers about other origins.
 *
 * @param host for the browser, plain.example is another machine, whose pages over plain http are not secure
 */
export async function visitPlainHost(screen: Screen, host: '127.0.0.1' | 'plain.example' = '127.0.0.1'): Promise<Visit> {
  const types: Record<string, string> = { html: 'text/html', js: 'text/javascript', css: 'text/css', png: 'image/png' }
  const server = createServer(async ({ url = '/' }, response) => {
    const path = url === '/studio/' ? 'index.html' : url.replace('/studio/', '')
    const bytes = await readFile(new URL(`../../dist/studio/${path}`, import.meta.url)).catch(() => null)
    response.writeHead(bytes ? 200 : 404, { 'content-type': types[path.split('.').at(-1)!] ?? 'application/octet-stream' }).end(bytes)
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return visitAt(screen, {}, `http://${host}:${port}/studio/`, async () => { server.close() })
}

/** Opens a file, without a network. */
export async function visitFile(screen: Screen, url: string, options: BrowserContextOptions = {}): Promise<Visit> {
  const file = await visitAt(screen, { ...options, offline: true }, new URL('.', url).href, async () => {})
  await file.page.goto(url)
  return file
}

/** A visit to the pages below an address. */
async function visitAt(
  screen: Screen, options: BrowserContextOptions, address: string, close: () => Promise<void>,
): Promise<Visit> {
  browser ??= chromium.launch({ executablePath, args })
  const context = await (await browser).newContext({ ...screens[screen], ...options })
  const page = await context.newPage()
  const faults: string[] = []
  page.on('pageerror', error => faults.push(error.message))
  page.on('console', message => { if (message.type() === 'error') faults.push(message.text()) })
  page.on('request', request => {
    if (!/^(blob|data):/.test(request.url()) && !request.url().startsWith(address)) faults.push(`a request for ${request.url()}`)
  })
  const dark = options.colorScheme === 'dark' ? '-dark' : ''
  return {
    page,
    async open(hash) {
      await page.goto('about:blank')
      await page.goto(`${address}${hash}`)
    },
    async picture(name) {
      await page.evaluate(() => scrollTo(0, 0))
      await page.screenshot({ path: join(folder, `${name}-${screen}${dark}.png`), fullPage: screen === 'phone' })
    },
    async processes() {
      const devtools = await (await browser!).newBrowserCDPSession()
      const { processInfo } = await devtools.send('SystemInfo.getProcessInfo')
      await devtools.detach()
      return processInfo
    },
    async barriers() {
      await page.evaluate(axe.source)
      const found = await page.evaluate(async () => {
        const { violations } = await (globalThis as unknown as { axe: { run(): Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }> } }).axe.run()
        return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
          .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
      })
      return found
    },
    async leave() {
      await context.close()
      await close()
      if (faults.length > 0) throw new Error(`the page failed:\n${faults.join('\n')}`)
    },
  }
}

/** Closes the browser; to be called after all tests of a file. */
export async function closeBrowser(): Promise<void> {
  await (await browser)?.close()
}
