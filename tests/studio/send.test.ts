// The two ways to send a model: a page, which grows, is hurt and heals from the disk without a network, also in a frame; and an
// address.

import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { defineRule, encodeModel, exportHtml, growingRule, init, key, mlp, zeros, type DataRule } from 'cellgrad'
import { readModel } from 'cellgrad/node'
import type { Frame, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { coloured, pixelAt, until } from './look.ts'
import { closeBrowser, screens, visit, visitFile, type Screen } from './visit.ts'

afterAll(closeBrowser)

const folder = mkdtempSync(join(tmpdir(), 'cellgrad-send-'))
const url = (name: string): string => pathToFileURL(join(folder, name)).href

beforeAll(async () => {
  const lizard = await readModel(fileURLToPath(new URL('../../assets/models/lizard-1f98e.safetensors', import.meta.url)))
  writeFileSync(join(folder, 'lizard.html'), await exportHtml(lizard, { title: 'A lizard' }))
  writeFileSync(join(folder, 'frame.html'), '<!doctype html><title>Two</title><iframe src="lizard.html" title="A lizard" width="300" height="300"></iframe>')
})

/** Steps taken, and living cells. */
async function told(page: Page | Frame): Promise<{ step: number; living: number }> {
  const [step, living] = (await page.locator('#status').textContent() ?? '').match(/\d+/g) ?? []
  return { step: Number(step), living: Number(living) }
}

describe.each(Object.keys(screens) as Screen[])('on a %s', screen => {
  it('a lizard grows, is hurt with the pointer, and grows back', async () => {
    const file = await visitFile(screen, url('lizard.html'))
    const { page } = file
    await until(async () => (await told(page)).step > 120)
    const whole = await told(page)
    expect(whole.living).toBeGreaterThan(400)
    const box = (await page.locator('canvas').boundingBox())!
    await page.mouse.move(box.x + 0.4 * box.width, box.y + 0.4 * box.height)
    await page.mouse.down()
    await page.mouse.move(box.x + 0.5 * box.width, box.y + 0.55 * box.height, { steps: 4 })
    await page.mouse.up()
    const hurt = await told(page)
    await file.picture('send-hurt')
    expect(hurt.living).toBeLessThan(0.85 * whole.living)
    await until(async () => (await told(page)).living > 0.95 * whole.living)
    await file.picture('send-healed')
    expect(await file.barriers()).toEqual([])
    await file.leave()
  })

  it('the keyboard pauses, steps, resets and hurts', async () => {
    const file = await visitFile(screen, url('lizard.html'))
    const { page } = file
    await until(async () => (await told(page)).step > 60)
    await page.keyboard.press('Space')
    const { step } = await told(page)
    await page.keyboard.press('s')
    expect((await told(page)).step).toBe(step + 1)
    const { living } = await told(page)
    await page.locator('canvas').focus()
    await page.keyboard.press('Enter')
    await page.keyboard.press('Tab')
    await page.locator('#step').click()
    expect((await told(page)).living).toBeLessThan(living)
    await page.locator('#reset').click()
    expect(await told(page)).toEqual({ step: 0, living: 1 })
    await file.leave()
  })
})

it('a page of digits says which digit most cells see in a drawing', async () => {
  const digits = await readModel(fileURLToPath(new URL('../../assets/claims/digits-mse.safetensors', import.meta.url)))
  writeFileSync(join(folder, 'digits.html'), await exportHtml(digits, { start: zeros([1, 28, 28, 20]) }))
  const file = await visitFile('desktop', url('digits.html'))
  const { page } = file
  await page.keyboard.press('Space')
  const box = (await page.locator('canvas').boundingBox())!
  await page.mouse.move(box.x + 0.5 * box.width, box.y + 0.2 * box.height)
  await page.mouse.down()
  await page.mouse.move(box.x + 0.5 * box.width, box.y + 0.8 * box.height, { steps: 9 })
  await page.mouse.up()
  for (let i = 0; i < 20; i++) await page.locator('#step').click()
  await expect.poll(() => page.locator('#status').textContent()).toMatch(/most say 1 \(\d+ %\)/)
  await file.picture('send-digits')
  await file.leave()
})

it('a page of a segmentation names the classes that the cells predict', async () => {
  const inside = await readModel(fileURLToPath(new URL('../../assets/studio/inside.safetensors', import.meta.url)))
  writeFileSync(join(folder, 'inside.html'), await exportHtml(inside, { start: zeros([1, 28, 28, 16]) }))
  const file = await visitFile('desktop', url('inside.html'))
  const { page } = file
  await page.keyboard.press('Space')
  const box = (await page.locator('canvas').boundingBox())!
  const corners = [[0.3, 0.3], [0.7, 0.3], [0.7, 0.7], [0.3, 0.7], [0.3, 0.3]]
  const at = ([x, y]: readonly number[]): [number, number] => [box.x + x * box.width, box.y + y * box.height]
  await page.mouse.move(...at(corners[0]))
  await page.mouse.down()
  for (const corner of corners.slice(1)) await page.mouse.move(...at(corner), { steps: 12 })
  await page.mouse.up()
  for (let i = 0; i < 30; i++) await page.locator('#step').click()
  const [, outside, line, within] = /outside (\d+) % · line (\d+) % · inside (\d+) %/.exec(await page.locator('#status').textContent() ?? '') ?? []
  expect([outside, line, within].map(Number).every(share => share > 7)).toBe(true)
  expect(await pixelAt(page, 0.5, 0.5)).toEqual(coloured(2))
  expect(await pixelAt(page, 0.5, 0.3)).toEqual(coloured(1))
  expect(await page.locator('#view option').allTextContents()).toEqual(expect.arrayContaining(['classes', 'outside', 'line', 'inside']))
  await file.picture('send-inside')
  await file.leave()
})

it('a page of a conditional rule turns its pattern into the chosen one', async () => {
  const emoji = await readModel(fileURLToPath(new URL('../../assets/studio/emoji.safetensors', import.meta.url)))
  writeFileSync(join(folder, 'emoji.html'), await exportHtml(emoji, { size: 28 }))
  const file = await visitFile('desktop', url('emoji.html'))
  const { page } = file
  await until(async () => (await told(page)).step > 60)
  const pixels = (): Promise<string> => page.locator('canvas').evaluate(canvas => (canvas as unknown as { toDataURL(): string }).toDataURL())
  await page.keyboard.press('Space')
  await page.locator('#role-condition').selectOption('fish')
  expect(await page.locator('#role-condition').locator('option').allTextContents()).toEqual(['lizard', 'fish', 'butterfly', 'lady-beetle', 'christmas-tree'])
  const before = await pixels()
  await page.keyboard.press('Escape')
  for (let i = 0; i < 3; i++) await page.locator('#step').click()
  expect(await pixels()).not.toBe(before)
  await file.leave()
})

it('shows only the cells in the smallest frame', async () => {
  const file = await visitFile('desktop', url('lizard.html'), { viewport: { width: 240, height: 200 } })
  const { page } = file
  expect((await page.locator('canvas').boundingBox())!.height).toBeGreaterThan(80)
  expect(await page.evaluate(() => (globalThis as unknown as { document: { documentElement: { scrollWidth: number } } }).document.documentElement.scrollWidth)).toBe(240)
  await page.getByRole('button', { name: 'Pause' }).click()
  await file.picture('send-small')
  await file.leave()
})

it('grows in a frame', async () => {
  const file = await visitFile('desktop', url('frame.html'))
  await expect.poll(async () => (await told(file.page.frames()[1])).living, { timeout: 60_000 }).toBeGreaterThan(100)
  await file.leave()
})

it('shows a grown pattern that stands still, where reduced motion is asked for', async () => {
  const file = await visitFile('desktop', url('lizard.html'), { reducedMotion: 'reduce' })
  expect((await told(file.page)).step).toBe(96)
  await file.page.locator('#view').selectOption('hidden.0')
  expect((await told(file.page)).step).toBe(96)
  await file.leave()
})

describe.each(Object.keys(screens) as Screen[])('from Play on a %s', screen => {
  it('a model is sent as an address, which plays the same on another machine', async () => {
    const studio = await visit(screen)
    const { page } = studio
    await studio.open('#play?model=fish&size=64&angle=90')
    await page.getByRole('button', { name: 'Address' }).click()
    const address = await page.getByLabel('The address').inputValue()
    expect(address).toMatch(/#play\?size=64&angle=90&shared=[\w-]{12000,}$/)
    // The quality measured here is about that of docs/results/links.md, to two digits.
    const said = await page.getByText(/^8 bits a weight, 12,\d{3} characters\. log₁₀ of its error after 200 steps/).textContent()
    const [sent, here] = [...said!.matchAll(/−(\d\.\d\d)/g)].map(([, x]) => Number(x))
    expect(here).toBeGreaterThan(2.7)
    expect(sent).toBeGreaterThan(here - 0.15)
    await page.getByLabel('The address').scrollIntoViewIfNeeded()
    await studio.picture('send-address')
    expect(await studio.barriers()).toEqual([])
    await studio.leave()

    const other = await visit(screen)
    await other.open(new URL(address).hash)
    await expect.poll(() => other.page.getByRole('application', { name: 'The world of fish' }).count(), { timeout: 60_000 }).toBe(1)
    await expect.poll(() => living(other.page), { timeout: 60_000 }).toBeGreaterThan(300)
    expect(new URL(other.page.url()).hash).toBe(new URL(address).hash)
    expect(await other.page.getByLabel('Grid').inputValue()).toBe('64')
    await other.leave()
  })

  it('the condition of a rule, and the other half of a graft, are in the address', async () => {
    const studio = await visit(screen)
    const { page } = studio
    await studio.open('#play?model=emoji')
    const told = page.getByRole('group', { name: 'What it is told to become' })
    await told.getByRole('radio', { name: 'butterfly' }).check()
    await page.getByRole('button', { name: 'Address' }).click()
    const { hash } = new URL(await page.getByLabel('The address').inputValue())
    await studio.open(hash)
    await page.getByRole('application', { name: 'The world of emoji' }).waitFor()
    expect(await told.getByRole('radio', { name: 'butterfly' }).isChecked()).toBe(true)
    await studio.open('#play?model=fish&graft=lady-beetle')
    await page.getByRole('button', { name: 'Address' }).click()
    await studio.open(new URL(await page.getByLabel('The address').inputValue()).hash)
    await page.getByRole('application', { name: 'The world of fish' }).waitFor()
    await expect.poll(() => page.getByLabel('Right half').inputValue()).toBe('lady-beetle')
    await expect.poll(() => living(page), { timeout: 60_000 }).toBeGreaterThan(300)
    await studio.leave()
  })

  it('a model is sent as a page that grows', async () => {
    const studio = await visit(screen)
    await studio.open('#play?model=fish')
    const download = studio.page.waitForEvent('download')
    await studio.page.getByRole('button', { name: 'Page', exact: true }).click()
    await (await download).saveAs(join(folder, `fish-${screen}.html`))
    await studio.leave()
    const file = await visitFile(screen, url(`fish-${screen}.html`))
    await expect.poll(async () => (await told(file.page)).living, { timeout: 60_000 }).toBeGreaterThan(300)
    await file.leave()
  })
})

it('a graft of two files is in the address, unless it is too large, which a sentence says', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#play?speed=0') // what it grows does not matter here
  const model = (name: string) => readFileSync(fileURLToPath(new URL(`../../assets/models/${name}.safetensors`, import.meta.url)))
  const wide = growingRuleOf(640)
  await page.locator('input[type=file]').setInputFiles([
    { name: 'left.safetensors', mimeType: '', buffer: model('fish-1f420') },
    { name: 'right.safetensors', mimeType: '', buffer: model('lady-beetle-1f41e') },
    { name: 'large.safetensors', mimeType: '', buffer: Buffer.from(await encodeModel({ rule: wide, params: init(wide, key(0)), provenance: {} })) },
  ])
  await page.getByRole('application', { name: 'The world of left' }).waitFor()
  const half = page.getByLabel('Right half')
  await half.selectOption('right')
  await page.getByText('left and right are not in the address of this page').waitFor()
  await page.getByRole('button', { name: 'Address' }).click()
  const hash = new URL(await page.getByLabel('The address').inputValue()).hash.replace('speed=0&', '')
  expect(hash).toMatch(/#play\?shared=[\w-]{12000,}&half=[\w-]{12000,}$/)
  const each = 'After 200 steps its cells are 0\\.\\d+ from those of the original, on average\\.'
  await page.getByText(new RegExp(`^8 bits a weight, 25,\\d{3} characters\\. left: ${each} right: ${each}`)).waitFor()
  await half.selectOption('large')
  await expect.poll(() => page.getByLabel('The address').count()).toBe(0) // it was that of another graft
  await page.getByRole('button', { name: 'Address' }).click()
  await page.getByText(/The right half, large, is not in it: it would take \d\d,\d{3} characters more/).waitFor()
  expect(await page.getByLabel('The address').inputValue()).not.toContain('half=')
  await studio.leave()

  const other = await visit('desktop')
  const asked: string[] = []
  other.page.on('request', request => { if (request.url().includes('.safetensors')) asked.push(request.url()) })
  await other.open(hash)
  await other.page.getByRole('application', { name: 'The world of left' }).waitFor()
  await expect.poll(() => other.page.getByLabel('Right half').inputValue()).toBe('right')
  await expect.poll(() => living(other.page), { timeout: 60_000 }).toBeGreaterThan(300)
  expect(new URL(other.page.url()).hash).toBe(hash)
  expect(asked).toEqual([]) // nothing else was shown before
  await other.leave()
})

it('an address that was cut off is refused in one sentence, and the page keeps working', async () => {
  const studio = await visit('desktop')
  await studio.open('#play?shared=AAAAAAAAAAAAAAAAAAAA')
  await expect.poll(() => studio.page.getByRole('alert').textContent(), { timeout: 30_000 }).toMatch(/^this address: [^\n]+\.Close$/)
  await expect.poll(() => living(studio.page), { timeout: 60_000 }).toBeGreaterThan(100)
  await studio.leave()
})

/** The rule of Growing NCA with so many hidden units. */
const growingRuleOf = (units: number): DataRule => defineRule({ ...growingRule, update: mlp(units) })

/** Living cells in Play. */
async function living(page: Page): Promise<number> {
  return Number.parseFloat(await page.locator('.figure', { has: page.getByText('living cells', { exact: true }) }).locator('dd').textContent() ?? '')
}
