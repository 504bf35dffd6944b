// A run in the browser belongs to one tab at a time, and can move to another backend: two tabs on one run, and the chip used in
// mid-run. Nothing is lost, and a sentence says what happens.

import { readFile } from 'node:fs/promises'
import { afterAll, expect, it } from 'vitest'
import { begin, figure, iterations, until } from './look.ts'
import { closeBrowser, visit } from './visit.ts'

afterAll(closeBrowser)

it('a second tab shows a run that the first one trains, and takes it over once that is closed', async () => {
  const studio = await visit('desktop')
  const first = studio.page
  await studio.open('#train')
  await begin(studio)
  await until(async () => await figure(studio, iterations) > 6)
  const second = { page: await first.context().newPage() }
  await second.page.goto(first.url())
  await second.page.getByText('Another tab has this run open').waitFor()
  const seen = await figure(second, iterations)
  expect(seen).toBeGreaterThanOrEqual(5)
  expect(seen % 5).toBe(0) // as it was last saved
  expect(await second.page.getByRole('button', { name: 'Hurt the pool' }).count()).toBe(0)
  await second.page.getByRole('button', { name: 'Forget lizard' }).click()
  await second.page.getByRole('alert').getByText('the run lizard is open in another tab, and is trained only there.').waitFor()
  const before = await figure(studio, iterations)
  await until(async () => await figure(studio, iterations) > before + 5)
  await second.page.getByRole('button', { name: 'Look again' }).click()
  await until(async () => await figure(second, iterations) > seen)
  expect(await second.page.getByRole('button', { name: 'Pause' }).count()).toBe(0)
  const reached = await figure(studio, iterations)
  await first.close()
  await second.page.getByRole('button', { name: 'Look again' }).click()
  await second.page.getByRole('button', { name: 'Pause' }).waitFor()
  await until(async () => await figure(second, iterations) > reached)
  await studio.leave()
})

it('another backend in mid-run: the run continues where it was, there and back', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#train')
  await begin(studio, { saveEvery: '1000' })
  await until(async () => await figure(studio, iterations) > 20)
  const chip = page.getByRole('combobox', { name: 'What computes' })
  for (const [choice, further] of [['webgpu', 1], ['wasm', 10]] as const) {
    const before = await figure(studio, iterations)
    await chip.selectOption(choice)
    await until(async () => await chip.inputValue() === choice && await chip.isEnabled())
    expect(await figure(studio, iterations)).toBeGreaterThanOrEqual(before) // nothing is lost
    await until(async () => await figure(studio, iterations) > before + further)
  }
  await page.getByRole('button', { name: 'Pause' }).click()
  await page.getByRole('button', { name: 'Go on' }).waitFor()
  // A paused run moves too.
  const reached = await figure(studio, iterations)
  await chip.selectOption('webgpu')
  await until(async () => await chip.inputValue() === 'webgpu' && await chip.isEnabled())
  expect(await figure(studio, iterations)).toBe(reached)
  await page.getByRole('button', { name: 'Go on' }).click()
  await until(async () => await figure(studio, iterations) > reached)
  const download = page.waitForEvent('download')
  await page.getByRole('button', { name: 'YAML', exact: true }).click()
  const yaml = await readFile(await (await download).path(), 'utf8')
  expect(yaml).toMatch(/after iteration \d+: WebGPU went on with it[^]+after iteration \d+: WASM went on with it/)
  expect(await page.getByRole('alert').isVisible()).toBe(false)
  await studio.leave()
})

it('a browser without WebGPU says so in mid-run, and WASM continues', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await page.route(/worker-[^/]*\.js$/, async route => {
    const response = await route.fetch()
    await route.fulfill({ response, body: `Object.defineProperty(navigator, 'gpu', { value: undefined })\n${await response.text()}` })
  })
  await studio.open('#train')
  await begin(studio)
  await until(async () => await figure(studio, iterations) > 6)
  const chip = page.getByRole('combobox', { name: 'What computes' })
  await chip.selectOption('webgpu')
  await page.getByRole('alert').getByText(/^webgpu: .*WebGPU/).waitFor()
  expect(await chip.inputValue()).toBe('wasm')
  const before = await figure(studio, iterations)
  await until(async () => await figure(studio, iterations) > before + 5)
  await studio.leave()
})
