// Answers that come late: what was asked for after them stays, and a room that was left changes nothing any more.

import { defineRule, encodeModel, init, key, mlp } from 'cellgrad'
import type { ServedRuns } from 'cellgrad/experiment'
import { afterAll, expect, it } from 'vitest'
import { begin, figure, iterations, until } from './look.ts'
import { closeBrowser, visit } from './visit.ts'

afterAll(closeBrowser)

it('a target that is read late does not replace what was chosen after it', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  let answer = (): void => {}
  const late = new Promise<void>(resolve => { answer = resolve })
  await studio.open('#tape')
  await page.route(/lizard[^/]*\.png/, async route => { await late; await route.continue() })
  await page.getByRole('link', { name: 'Train' }).click()
  await page.getByRole('button', { name: 'Draw' }).click()
  await page.getByLabel('Draw here').waitFor()
  const read = page.waitForEvent('requestfinished', request => /lizard[^/]*\.png/.test(request.url()))
  answer()
  await read
  await page.waitForTimeout(500)
  expect(await page.getByRole('button', { name: 'Train', exact: true }).isDisabled()).toBe(true) // nothing is drawn yet
  await studio.leave()
})

it('a run that is opened late does not change the address of the room that is open by then', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#tape')
  await page.evaluate(() => {
    void navigator.locks.request('cellgrad run gone', () => new Promise(() => {}))
    location.hash = '#train?run=gone'
  })
  const waiting = (): Promise<number> => page.evaluate(async () => (await navigator.locks.query()).pending!.length)
  await expect.poll(waiting).toBe(1)
  await page.getByRole('link', { name: 'Play' }).click()
  await page.getByLabel('The world of lizard').waitFor()
  await expect.poll(waiting).toBe(0)
  await page.waitForTimeout(500)
  expect(await page.evaluate(() => location.hash)).toBe('#play')
  expect(await page.getByRole('alert').isVisible()).toBe(false)
  await studio.leave()
})

it('a run that trains is shown again after another room', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#train')
  await begin(studio, { 'train.pool': '16' })
  await until(async () => await figure(studio, iterations) > 6)
  for (let i = 0; i < 5; i++) {
    const before = await figure(studio, iterations)
    await page.getByRole('link', { name: 'Tape' }).click()
    await page.getByRole('link', { name: 'Train' }).click()
    await until(async () => await figure(studio, iterations) > before)
    expect(await page.getByRole('alert').isVisible()).toBe(false)
  }
  await page.getByRole('button', { name: 'Look into the pool' }).click()
  await page.getByText(/^Slots 0 to/).waitFor()
  await studio.leave()
})

it('Play shows the model that was chosen last, though another one answers later', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#play?size=256&model=digits')
  await page.getByText('Draw a digit').waitFor()
  await page.getByRole('radio', { name: 'lizard' }).check()
  await page.getByText('Draw a digit').waitFor({ state: 'detached' })
  await page.getByLabel('Grid').fill('256')
  await page.getByText('256 × 256').waitFor()
  await page.evaluate(async () => {
    const choose = (name: string): void => document.querySelector<HTMLElement>(`input[aria-label="${name}"]`)?.click()
    const others = [...document.querySelectorAll('label')].find(label => label.textContent === 'reads digits')!
    others.click()
    await new Promise(resolve => setTimeout(resolve, 60))
    choose('lizard')
  })
  await page.waitForTimeout(1500)
  await expect.poll(() => page.getByText('Draw a digit').count()).toBe(0)
  await page.getByLabel('The world of lizard').waitFor()
  await studio.leave()
})

it('Look inside shows the equation of the model that has its numbers, whatever its layers', async () => {
  const rule = defineRule({ channels: { rgba: 4, hidden: 4 }, perceive: ['identity', 'sobelX'], update: mlp([8, 8], { lastStd: 0.3 }) })
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#inside?t=5')
  await page.locator('.headline').waitFor()
  await page.locator('input[type=file]').setInputFiles({ name: 'deep.safetensors', mimeType: '', buffer: Buffer.from(await encodeModel({ rule, params: init(rule, key(1)), provenance: { grid: '12' } })) })
  await expect.poll(() => page.locator('.sum').count()).toBe(4) // the change, a unit of either layer, and a perceived number
  await studio.leave()
})

it('Look inside asks for no step beyond the rollout that is there', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#inside?t=48&size=16')
  await page.locator('.headline').waitFor()
  const steps = page.getByLabel('Steps', { exact: true })
  for (const n of [16, 96]) {
    await steps.fill(String(n))
    await page.getByText(`${Math.min(48, n)} of ${n}`).waitFor()
    await page.getByRole('heading', { name: `Step ${Math.min(48, n)} →` }).waitFor()
  }
  for (const n of [64, 16, 32, 16, 80, 16, 96]) await steps.fill(String(n))
  await page.getByText('48 of 96').waitFor()
  await page.waitForTimeout(1000)
  expect(await page.getByRole('alert').isVisible()).toBe(false)
  await studio.leave()
})

it('Runs shows values below the name of their run, also before those of a new choice are there', async () => {
  const run = (name: string, rate: number): ServedRuns['runs'][number] => ({
    name, config: { rate }, results: { iteration: 1 }, curve: { iterations: [1], losses: [1] }, files: [], changed: 0, training: false,
  })
  const studio = await visit('desktop')
  const { page } = studio
  let answered = 0
  await page.route('**/runs.json', async route => {
    if (answered++ === 0) await route.fulfill({ json: { folder: 'out', runs: [run('one', 0.1), run('two', 0.2)], leftOut: [] } satisfies ServedRuns })
  })
  await studio.open('#runs')
  await page.getByRole('checkbox', { name: /one/ }).uncheck()
  await page.getByRole('heading', { name: 'Configuration' }).waitFor()
  expect(await page.locator('.fields thead th').allTextContents()).toEqual(['field', 'one', 'two'])
  expect(await page.locator('.fields tr', { hasText: 'rate' }).locator('td').allTextContents()).toEqual(['0.1', '0.2'])
  await studio.leave()
})
