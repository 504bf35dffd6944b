// Makes the pictures of Studio in the README, if a folder is given:
//
//     CELLGRAD_PICTURES=docs/images npx vitest run --config tests/studio/vitest.config.ts tests/studio/readme.test.ts

import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { figure, logLoss, until } from './look.ts'
import { closeBrowser, visit, type Visit } from './visit.ts'

afterAll(closeBrowser)

const folder = process.env.CELLGRAD_PICTURES

describe.skipIf(folder === undefined)('pictures for the README', () => {
  const shot = async ({ page }: Visit, name: string): Promise<void> => {
    await page.mouse.move(0, 0)
    await page.screenshot({ path: join(folder!, `studio-${name}.png`) })
  }

  it('Play: a lizard that was cut in half', async () => {
    const studio = await visit('desktop')
    const { page } = studio
    await studio.open('')
    await until(async () => await figure(studio, 'step') > 120)
    await page.getByRole('button', { name: 'Pause' }).click()
    const before = await figure(studio, 'living cells')
    await page.getByRole('radio', { name: 'Half' }).check()
    const box = (await page.getByRole('application').boundingBox())!
    await page.mouse.click(box.x + box.width * 0.53, box.y + box.height * 0.53)
    await expect.poll(() => figure(studio, 'living cells')).toBeLessThan(0.8 * before)
    await shot(studio, 'play')
    await studio.leave()
  })

  it('Train: a lizard that grows and heals, after 600 iterations', async () => {
    const studio = await visit('desktop', { viewport: { width: 1440, height: 1180 } })
    const { page } = studio
    await studio.open('#train')
    await page.getByRole('button', { name: 'Settings for a quick try' }).click()
    await page.getByRole('radio', { name: 'and heal' }).check()
    await page.getByRole('button', { name: 'Train', exact: true }).click()
    await page.getByRole('button', { name: 'Done' }).waitFor({ timeout: 600_000 })
    await until(async () => await figure(studio, 'iterations / s') === 0) // it is saved
    expect(await figure(studio, logLoss)).toBeLessThan(-2)
    await shot(studio, 'train')
    await studio.leave()
  }, 700_000)

  it('Look inside: what each channel of each cell is about to become', async () => {
    const studio = await visit('desktop')
    await studio.open('#inside?t=40&x=37&y=33&show=change')
    await expect.poll(() => studio.page.locator('.map').count(), { timeout: 30_000 }).toBe(16)
    await studio.page.locator('.headline').waitFor()
    await shot(studio, 'inside')
    await studio.leave()
  })

  it('Tape: the way back over two layers, at its fourth step', async () => {
    const studio = await visit('desktop')
    const { page } = studio
    await studio.open('#tape?example=layers')
    const back = page.getByRole('button', { name: 'Step back' })
    await back.waitFor()
    for (let i = 0; i < 4; i++) await back.click()
    await page.getByText(/^Way back, step 4 of \d+/).waitFor()
    expect(await page.locator('.tape-row.now').count()).toBe(1)
    await shot(studio, 'tape')
    await studio.leave()
  })
})
