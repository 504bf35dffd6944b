// Helpers for what a visitor does: read and see the page, wait for something, begin a run.

import { classColours } from 'cellgrad'
import type { Page } from 'playwright-core'

/** A number among the figures of a room, by its label. */
export async function figure({ page }: { page: Page }, label: string | RegExp): Promise<number> {
  const text = await page.locator('.figure', { has: page.getByText(label, { exact: true }) }).locator('dd').textContent()
  return Number.parseFloat((text ?? '').replace('−', '-'))
}

/** Waits until something holds; throws after so many milliseconds. */
export async function until(holds: () => Promise<boolean>, timeout = 60_000): Promise<void> {
  const end = Date.now() + timeout
  while (!await holds()) {
    if (Date.now() > end) throw new Error(`after ${timeout / 1000} s it does not hold: ${holds}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

/** The label of the loss of a run, a mean: one iteration may be low by chance. */
export const logLoss = 'log₁₀ loss, last ten'

/** The label of the iterations of a run. */
export const iterations: RegExp = /^of \d+ iterations$/

/** Begins a small run of a lizard that will not end soon. */
export async function begin({ page }: { page: Page }, folded: Readonly<Record<string, string>> = {}): Promise<void> {
  await page.getByLabel('The target: lizard').waitFor()
  for (const [name, value] of Object.entries({ 'data.size': '8', 'data.padding': '2', 'train.batch': '2', 'train.iterations': '100000' })) {
    await page.getByLabel(name, { exact: true }).fill(value)
  }
  await page.getByText('All options').click()
  for (const [name, value] of Object.entries({ 'train.steps': '[8, 12]', saveEvery: '5', ...folded })) await page.getByLabel(name, { exact: true }).fill(value)
  await page.getByRole('button', { name: 'Train', exact: true }).click()
  await page.locator('.figure', { has: page.getByText(iterations) }).waitFor({ timeout: 90_000 }) // a GPU in software compiles for long
}

/** Red, green and blue of the first picture of cells, at these fractions of its width and height. */
export function pixelAt(page: Page, x: number, y: number): Promise<number[]> {
  return page.locator('canvas').first().evaluate((element, at) => {
    const canvas = element as HTMLCanvasElement
    const place = [at.x * canvas.width, at.y * canvas.height].map(Math.floor) as [number, number]
    return [...canvas.getContext('2d')!.getImageData(...place, 1, 1).data].slice(0, 3)
  }, { x, y })
}

/** The colour of a class, as pixels have it. */
export function coloured(number: number): number[] {
  return classColours[number].map(v => Math.round(255 * v))
}
