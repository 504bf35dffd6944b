// How every room looks, on a phone and on a desktop, light and dark: nothing is wider than the screen, and axe-core finds
// no barrier, which includes colours that are too close to each other. The pictures are for people to look at.

import { afterAll, expect, it } from 'vitest'
import { begin, figure, iterations, until } from './look.ts'
import { closeBrowser, screens, visit, type Screen, type Visit } from './visit.ts'

afterAll(closeBrowser)

/** Each room, and a run of Train, by name: its address, and a function that waits until there is something to see. */
const rooms: Readonly<Record<string, readonly [hash: string, isThere: (studio: Visit) => Promise<unknown>]>> = {
  play: ['', studio => until(async () => await figure(studio, 'living cells') > 300)],
  train: ['#train', ({ page }) => page.getByLabel('The target: lizard').waitFor()],
  run: ['#train', async studio => {
    await begin(studio, { 'train.batch': '4', 'train.pool': '16', 'train.damaged': '1' })
    await until(async () => await figure(studio, iterations) > 40)
    await studio.page.getByRole('button', { name: 'Pause' }).click()
    await studio.page.getByRole('button', { name: 'Go on' }).waitFor()
  }],
  inside: ['#inside', ({ page }) => page.locator('.map').nth(15).waitFor()],
  tape: ['#tape', ({ page }) => page.locator('.tape-row').first().waitFor()],
  runs: ['#runs', ({ page }) => page.getByText('npx cellgrad studio').waitFor()],
}

/** A tablet, and a phone held sideways. */
const between = { tablet: { width: 768, height: 1024 }, lying: { width: 740, height: 360 } }

/** Asserts that nothing is wider than the screen, and that the whole world of Play is visible. */
async function fits({ page }: Visit, room: string): Promise<void> {
  const { wide, has } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, has: innerWidth }))
  expect(wide, room).toBeLessThanOrEqual(has)
  if (room !== 'play') return
  const world = (await page.getByRole('application').boundingBox())!
  expect(world.height).toBeLessThan(page.viewportSize()!.height)
}

it.each(Object.keys(screens) as Screen[])('every room fits on a %s, and can be read in the light and in the dark', async screen => {
  const studio = await visit(screen)
  const { page } = studio
  for (const [room, [hash, isThere]] of Object.entries(rooms)) {
    await page.emulateMedia({ colorScheme: 'light' })
    await studio.open(hash)
    await isThere(studio)
    await fits(studio, room)
    await studio.picture(`room-${room}-light`)
    await page.emulateMedia({ colorScheme: 'dark' })
    await studio.picture(`room-${room}-dark`)
    expect(await studio.barriers(), room).toEqual([])
    const seen = page.viewportSize()!
    for (const [name, size] of screen === 'desktop' ? Object.entries(between) : []) {
      await page.setViewportSize(size)
      await fits(studio, room)
      await studio.picture(`room-${room}-${name}`)
    }
    await page.setViewportSize(seen)
  }
  await studio.leave()
})
