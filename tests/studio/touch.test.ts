// The main way through each room on a phone, by touch alone: nothing is clicked, hovered or typed.

import { afterAll, expect, it } from 'vitest'
import { figure, iterations, pixelAt, until } from './look.ts'
import { closeBrowser, visit, type Visit } from './visit.ts'

afterAll(closeBrowser)

/** A phone of 390 × 844, with touch. */
const phone = (): Promise<Visit> => visit('phone', { viewport: { width: 390, height: 844 } })

type Spot = readonly [x: number, y: number]

/** Draws a line with a finger on an element, between fractions of its width and height. */
async function stroke({ page }: Visit, element: string, ...spots: readonly Spot[]): Promise<void> {
  const target = page.locator(element).first()
  await target.scrollIntoViewIfNeeded()
  const box = (await target.boundingBox())!
  const devtools = await page.context().newCDPSession(page)
  const at = ([x, y]: Spot) => [{ x: box.x + x * box.width, y: box.y + y * box.height }]
  const rest = (): Promise<void> => page.waitForTimeout(400)
  await rest() // what follows a tap at once is taken for the second half of a double one
  await devtools.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: at(spots[0]) })
  for (const spot of spots.slice(1)) await devtools.send('Input.dispatchTouchEvent', { type: 'touchMove', touchPoints: at(spot) })
  await rest() // a finger that leaves while it moves flings the page, and the next tap only stops that
  await devtools.send('Input.dispatchTouchEvent', { type: 'touchMove', touchPoints: at(spots.at(-1)!) })
  await devtools.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] })
  await rest()
}

it('Play: a finger erases a lizard in two, it heals, and its address is made', async () => {
  const studio = await phone()
  const { page } = studio
  await studio.open('')
  await until(async () => await figure(studio, 'step') > 120)
  await page.getByRole('button', { name: 'Pause' }).tap()
  const whole = await figure(studio, 'living cells')
  const before = await page.evaluate(() => scrollY)
  await stroke(studio, '.stage', [0.2, 0.5], [0.5, 0.5], [0.8, 0.5])
  expect(await page.evaluate(() => scrollY)).toBe(before) // the finger erases, it does not scroll
  await until(async () => await figure(studio, 'living cells') < 0.9 * whole)
  await page.getByRole('button', { name: 'Play', exact: true }).tap()
  await until(async () => await figure(studio, 'living cells') > 0.95 * whole)
  await page.getByRole('radio', { name: 'digits' }).tap()
  await page.getByText('Draw a digit').waitFor()
  await stroke(studio, '.stage', [0.5, 0.2], [0.5, 0.5], [0.5, 0.8])
  await until(async () => Number.isInteger(await figure(studio, 'most cells say')))
  expect(await pixelAt(page, 0.5, 0.5)).not.toEqual([255, 255, 255])
  await page.getByRole('button', { name: 'Address' }).tap()
  await page.getByText(/^8 bits a weight, [\d,]+ characters\. After 40 steps \d+ %/).waitFor()
  await studio.leave()
})

it('Train: a finger draws a picture, which is learnt', async () => {
  const studio = await phone()
  const { page } = studio
  await studio.open('#train')
  await page.getByLabel('The target: lizard').waitFor()
  await page.getByRole('button', { name: 'Settings for a quick try' }).tap()
  await page.getByRole('button', { name: 'Draw' }).tap()
  await stroke(studio, '.pad', [0.3, 0.3], [0.7, 0.3], [0.7, 0.7], [0.3, 0.7])
  await page.getByRole('button', { name: 'Train', exact: true }).tap()
  await page.getByLabel('The target: drawing').waitFor()
  await until(async () => await figure(studio, /^of \d+ iterations$/) > 10)
  await page.getByRole('button', { name: 'Pause' }).tap()
  await page.getByRole('button', { name: 'Go on' }).waitFor()
  const reached = await figure(studio, iterations)
  await page.getByRole('button', { name: 'Open in Play' }).tap()
  await page.getByRole('radio', { name: 'drawing' }).waitFor()
  expect(await page.getByRole('radio', { name: 'drawing' }).isChecked()).toBe(true)
  await page.getByRole('link', { name: 'Train' }).tap()
  await until(async () => await figure(studio, iterations) >= reached)
  await studio.leave()
})

it('Look inside: the time line, a cell in the picture, its equation and the gradient', async () => {
  const studio = await phone()
  const { page } = studio
  await studio.open('#inside?size=48&steps=32&t=30')
  await page.locator('.headline').waitFor()
  const line = (await page.locator('#step').boundingBox())!
  await page.touchscreen.tap(line.x + line.width / 2, line.y + line.height / 2)
  await expect.poll(() => page.locator('.figure dd').first().textContent()).toMatch(/^1[567] of 32$/)
  const stage = (await page.getByRole('application').boundingBox())!
  await page.touchscreen.tap(stage.x + 0.51 * stage.width, stage.y + 0.45 * stage.height)
  await page.getByRole('heading', { name: 'Cell 24, 21' }).waitFor()
  await page.locator('.sum').first().getByRole('button').nth(1).tap()
  await expect.poll(() => page.locator('.sum').first().getByRole('button').nth(1).getAttribute('aria-pressed')).toBe('true')
  await page.locator('.neighbours td').nth(8).waitFor()
  await page.getByRole('radio', { name: 'Gradient' }).tap()
  await page.locator('polyline').waitFor()
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390)
  await studio.picture('touch-inside')
  await studio.leave()
})

it('Tape: an example is chosen, and its backward pass shown step by step', async () => {
  const studio = await phone()
  const { page } = studio
  await studio.open('#tape')
  const back = page.getByRole('button', { name: 'Step back' })
  await back.waitFor()
  await page.getByLabel('Example').selectOption('layers')
  await until(async () => await page.locator('.tape-row').count() > 5)
  for (let i = 0; i < 3; i++) await back.tap()
  await page.getByText(/^Way back, step 3 of \d+/).waitFor()
  await page.getByRole('button', { name: 'Run' }).tap()
  await page.getByText(/^Way back/).waitFor({ state: 'detached' })
  await back.waitFor()
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390)
  await studio.picture('touch-tape')
  await studio.leave()
})
