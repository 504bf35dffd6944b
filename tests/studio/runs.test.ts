// Runs, as a person would use it: the runs of a folder are shown while another process trains one of them, compared, and
// opened in other rooms.

import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { closeBrowser, screens, visit, visitPlainHost, type Screen } from './visit.ts'

const folder = mkdtempSync(join(tmpdir(), 'cellgrad-runs-'))
const trained: ChildProcess[] = []

/** Trains in a process of its own, as the command line does. */
function train(name: string, ...options: readonly string[]): Promise<void> {
  const program = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
  const sizes = ['--size', '16', '--padding', '4', '--batch', '2', '--set', 'train.steps=[8,12]', '--set', 'train.pool=16', '--save-every', '10']
  const child = spawn(process.execPath, ['--import', 'tsx', program, 'train', 'lizard', '--out', join(folder, name), ...sizes, ...options], { stdio: 'ignore' })
  trained.push(child)
  return new Promise(done => { child.on('exit', () => done()) })
}

let live: Promise<void>

beforeAll(async () => {
  await train('short', '--iterations', '40')
  live = train('sweep/live', '--iterations', '100000', '--set', 'train.rate=0.001')
  await vi.waitUntil(() => existsSync(join(folder, 'sweep/live/metrics.jsonl')), { timeout: 50_000 })
}, 100_000)

afterAll(async () => {
  for (const child of trained) child.kill('SIGKILL')
  await live
  rmSync(folder, { recursive: true })
  await closeBrowser()
})

describe.each(Object.keys(screens) as Screen[])('on a %s', screen => {
  it('shows runs side by side while one of them trains', async () => {
    const studio = await visit(screen, {}, folder)
    const { page } = studio
    await studio.open('#runs')
    const running = page.locator('.run-list li', { hasText: 'sweep/live' })
    await running.getByText('training', { exact: true }).waitFor()
    await page.locator('.run-list li', { hasText: 'short' }).getByText('40 of 40').waitFor()
    const count = async (): Promise<number> => Number.parseInt((await running.locator('.run-facts').textContent())!, 10)
    const before = await count()
    await expect.poll(count, { timeout: 30_000 }).toBeGreaterThan(before)
    expect(await page.locator('.curves path').count()).toBe(2)
    const rate = page.locator('tr.differs', { hasText: 'optimiser.rate' }).first()
    expect(await rate.locator('mark').count()).toBe(1)
    expect(await page.locator('tr', { hasText: 'fireRate' }).count()).toBe(0)
    await expect.poll(() => page.getByAltText('What short grows').evaluate(image => (image as HTMLImageElement).naturalWidth)).toBeGreaterThan(0)
    await page.getByRole('img', { name: 'What sweep/live grows' }).waitFor() // grown here, of the model saved last
    await studio.picture('runs')
    expect(await studio.barriers()).toEqual([])
    await page.getByRole('radio', { name: 'Everything' }).check()
    await page.locator('tr', { hasText: 'fireRate' }).first().waitFor()
    await studio.picture('runs-everything')
    expect(readdirSync(join(folder, 'short')).some(name => name.startsWith('.'))).toBe(false) // nothing was written
    await studio.leave()
  })
})

it.each([
  ['desktop', { colorScheme: 'dark' }], ['phone', { viewport: { width: 390, height: 844 } }],
] as const)('opens a run in Play, and in Look inside, on a %s', async (screen, options) => {
  const studio = await visit(screen, options, folder)
  const { page } = studio
  await studio.open('#runs')
  const card = page.locator('.card', { hasText: 'short' })
  const press = (name: string): Promise<void> => card.getByRole('button', { name })[screen === 'phone' ? 'tap' : 'click']()
  await press('Open in Play')
  await page.getByRole('radio', { name: 'short' }).waitFor()
  expect(await page.getByRole('radio', { name: 'short' }).isChecked()).toBe(true)
  await page.getByRole('link', { name: 'Runs' }).click()
  await page.getByRole('checkbox', { name: /sweep\/live/ }).uncheck()
  await expect.poll(() => page.locator('.curves path').count()).toBe(1)
  await expect.poll(() => page.evaluate(() => location.hash)).toBe('#runs?show=short')
  await studio.picture('runs-one')
  await press('Look inside')
  await expect.poll(() => page.getByLabel('Model', { exact: true }).inputValue()).toBe('short')
  await page.getByText('L is the mean squared distance of red, green, blue and alpha from the target').waitFor() // that of the run
  await studio.leave()
})

it('says how to serve runs, on a page that is served without them', async () => {
  const studio = await visitPlainHost('phone')
  await studio.open('#runs')
  await studio.page.getByText('This page is served without runs.').waitFor()
  await studio.picture('runs-none')
  expect(await studio.barriers()).toEqual([])
  await studio.leave()
})
