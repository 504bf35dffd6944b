// Play, as a person would use it: a lizard grows, is hurt, heals; every tool, the keyboard, a file, what goes wrong.

import { availableParallelism } from 'node:os'
import { afterAll, describe, expect, it } from 'vitest'
import { closeBrowser, screens, visit } from './visit.ts'
import type { Screen, Visit } from './visit.ts'

afterAll(closeBrowser)

/** A number among the figures. */
async function figure({ page }: Visit, label: string): Promise<number> {
  const text = await page.locator('.figure', { has: page.getByText(label, { exact: true }) }).locator('dd').textContent()
  return Number.parseFloat(text ?? '')
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  await expect.poll(holds, { timeout: 30_000 }).toBe(true)
}

describe.each(Object.keys(screens) as Screen[])('on a %s', screen => {
  it('a lizard grows at once, is hurt with the pointer, and grows back', async () => {
    const studio = await visit(screen)
    const { page } = studio
    await studio.open('')
    await until(async () => await figure(studio, 'living cells') > 300)
    await studio.picture('play-grows')
    await until(async () => await figure(studio, 'step') > 120)
    const before = await figure(studio, 'living cells')
    const stage = page.getByRole('application')
    await page.getByRole('radio', { name: 'Half' }).check()
    const box = (await stage.boundingBox())!
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2)
    await page.mouse.down()
    await page.mouse.up()
    await until(async () => await figure(studio, 'living cells') < 0.8 * before)
    await studio.picture('play-hurt')
    await until(async () => await figure(studio, 'living cells') > 0.9 * before)
    if (availableParallelism() > 1) expect(await page.getByRole('combobox', { name: 'What computes' }).textContent()).toMatch(/WASM · \d+ threads/)
    expect(await studio.barriers()).toEqual([])
    await studio.leave()
  })
})
