// What a visitor reads off the page, and how long one waits for it.

import type { Page } from 'playwright-core'

/** A number among the figures of a room, by its label. */
export async function figure({ page }: { page: Page }, label: string | RegExp): Promise<number> {
  const text = await page.locator('.figure', { has: page.getByText(label, { exact: true }) }).locator('dd').textContent()
  return Number.parseFloat(text ?? '')
}

/** Waits until something holds; throws after so many milliseconds. */
export async function until(holds: () => Promise<boolean>, timeout = 60_000): Promise<void> {
  const end = Date.now() + timeout
  while (!await holds()) {
    if (Date.now() > end) throw new Error(`after ${timeout / 1000} s it does not hold: ${holds}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}
