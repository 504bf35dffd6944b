// Faults while a room works: the GPU is lost, the browser has no room left, the host does not isolate the page.
// Each is reported in one sentence, and the page keeps working.

import { afterAll, expect, it } from 'vitest'
import { begin, figure, iterations, until } from './look.ts'
import { closeBrowser, visit, visitPlainHost, type Visit } from './visit.ts'

afterAll(closeBrowser)

/** Kills the browser's GPU process. */
async function loseGpu(studio: Visit): Promise<void> {
  for (const { type, id } of await studio.processes()) if (type === 'GPU') process.kill(id)
}

it('a lost GPU: WASM takes over, in Play and in the middle of a training', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#train')
  const chip = page.getByRole('combobox', { name: 'What computes' })
  await chip.selectOption('webgpu')
  await page.getByText('This GPU is software').waitFor()
  await begin(studio)
  await until(async () => await figure(studio, iterations) > 6)
  await loseGpu(studio)
  await page.getByRole('alert').getByText('The GPU was lost; WASM').waitFor()
  const before = await figure(studio, iterations)
  await until(async () => await figure(studio, iterations) > before + 10)
  expect(await chip.inputValue()).toBe('wasm')
  await page.getByRole('link', { name: 'Play' }).click()
  await until(async () => await figure(studio, 'living cells') > 100)
  await studio.leave()
})

it('no room left: a sentence says that the run is not saved, and it keeps training', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#train')
  await begin(studio)
  await until(async () => await figure(studio, iterations) > 6)
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('Storage.overrideQuotaForOrigin', { origin: new URL(page.url()).origin, quotaSize: 1 })
  // For up to half a minute, Chromium uses what it knew about the free space before.
  await page.getByRole('alert').getByText('the run lizard is not saved: this browser has no room left for it.').waitFor({ timeout: 80_000 })
  const before = await figure(studio, iterations)
  await until(async () => await figure(studio, iterations) > before + 10)
  expect(await page.getByRole('button', { name: 'Pause' }).isVisible()).toBe(true)
  await devtools.send('Storage.overrideQuotaForOrigin', { origin: new URL(page.url()).origin })
  await until(async () => !await page.getByRole('alert').isVisible()) // it is saved again
  await studio.leave()
})

it('a host that does not isolate the page: one thread, and the page says so', async () => {
  const studio = await visitPlainHost('phone')
  const { page } = studio
  await studio.open('')
  await until(async () => await figure(studio, 'living cells') > 300)
  expect(await page.getByRole('combobox', { name: 'What computes' }).textContent()).toContain('WASM · 1 thread')
  await page.getByText('One thread: this host sends no COOP and COEP headers.').waitFor()
  await studio.picture('plain-host')
  await studio.leave()
})

it('a page over plain http from another host: it plays, trains, resumes after a reload, and says what it lacks', async () => {
  const studio = await visitPlainHost('desktop', 'plain.example')
  const { page } = studio
  await studio.open('')
  await until(async () => await figure(studio, 'living cells') > 300)
  expect(await page.evaluate(() => isSecureContext)).toBe(false)
  await page.getByText('One thread: this page came by plain http, expected https or localhost.').waitFor()
  await page.getByRole('button', { name: 'Address' }).click()
  await page.getByText('Copy it: anyone who opens it plays the same.').waitFor()
  await studio.open('#train')
  await page.getByText('This page came by plain http, where tabs do not know of each other').waitFor()
  await begin(studio)
  await until(async () => await figure(studio, iterations) > 6)
  await page.reload()
  await until(async () => await figure(studio, iterations) > 10)
  await page.getByRole('combobox', { name: 'What computes' }).selectOption('webgpu')
  await page.getByRole('alert').getByText(/^webgpu: .*https/).waitFor()
  await page.getByRole('button', { name: 'Forget lizard' }).click()
  await until(async () => await page.getByRole('button', { name: 'Forget lizard' }).count() === 0)
  await studio.leave()
})

it.each([
  ['#play?model=nobody&size=abc', /^The address says model=nobody \(expected lizard, .* or texture; lizard is used\) and size=abc \(expected a whole number from 8 to 256; that of its training is used\)\.$/],
  ['#play?graft=nobody&size=-3', /^The address says graft=nobody \(expected lizard, .* or texture; none is used\) and size=-3 \(.*\)\.$/],
])('the address %s: one sentence, and what there is grows', async (address, sentence) => {
  const studio = await visit('desktop')
  await studio.open(address)
  await studio.page.getByRole('alert').getByText(sentence).waitFor()
  await until(async () => await figure(studio, 'living cells') > 100)
  expect(await studio.page.getByRole('radio', { name: 'lizard' }).isChecked()).toBe(true)
  await studio.leave()
})

it('an address of Look inside with names that do not exist: one sentence, and the first model', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#inside?model=nobody&t=-5&size=999&x=500&y=500&show=nothing')
  await page.getByRole('alert').getByText(/^The address says model=nobody \(.*; lizard is used\), t=-5 \(expected a whole number from 0 to 96; 48, or the last step, is used\), size=999 \(.*\), x=500 \(.*\), y=500 \(.*\) and show=nothing \(.*\)\.$/).waitFor()
  await page.getByRole('heading', { name: 'Cell 36, 36' }).waitFor()
  await until(async () => await page.locator('.headline').count() === 1)
  expect(await page.getByLabel('Model', { exact: true }).inputValue()).toBe('lizard')
  await studio.leave()
})
