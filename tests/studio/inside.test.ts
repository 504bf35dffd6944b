// Look inside, as a person would use it: scrubbing both ways gives the same states as Node, bit for bit, and the same gradients;
// every quantity, the equation of a cell with its real numbers, the keyboard.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  decodeNpy, encodeModel, foldIn, inspectStep, key, mapTree, mean, mul, rollout, seed, square, stateAt, timeline,
  timelineGradients, type DataParams, type Tensor,
} from 'cellgrad'
import { readModel } from 'cellgrad/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { figure, until } from './look.ts'
import { closeBrowser, screens, visit, type Screen, type Visit } from './visit.ts'

afterAll(closeBrowser)

const path = fileURLToPath(new URL('../../assets/models/lizard-1f98e.safetensors', import.meta.url))
let lizard: Awaited<ReturnType<typeof readModel>>
beforeAll(async () => { lizard = await readModel(path) })

const first = (size: number) => seed(lizard.rule, { height: size, width: size })

/** The array that a button saves. */
async function saved({ page }: Visit, button: string): Promise<ReturnType<typeof decodeNpy>> {
  const download = page.waitForEvent('download')
  await page.getByRole('button', { name: button }).click()
  return decodeNpy(readFileSync(await (await download).path()))
}

const slider = ({ page }: Visit) => page.getByLabel('Step', { exact: true })

/** Waits until the page shows this step. */
async function shown(studio: Visit, maps: number): Promise<void> {
  await until(async () => await studio.page.locator('.panel .section').first().locator('.map').count() === maps)
}

describe.each(Object.keys(screens) as Screen[])('on a %s', screen => {
  it('shows every quantity of a step, with a legend', async () => {
    const studio = await visit(screen)
    const { page } = studio
    await studio.open('#inside?t=40&x=37&y=33')
    await shown(studio, 16)
    await page.locator('.headline').waitFor()
    const tops = await page.locator('.headline .part').evaluateAll(parts => parts.map(part => part.getBoundingClientRect().top))
    expect(new Set(tops).size).toBe(1) // the equation stands on one line
    await studio.picture('inside-channels')
    for (const [name, maps] of [['Perception', 48], ['Hidden units', 128], ['Change', 16], ['Masks', 3]] as const) {
      await page.getByRole('radio', { name, exact: true }).check()
      await shown(studio, maps)
      await studio.picture(`inside-${name.toLowerCase().replace(' ', '-')}`)
    }
    expect(await page.locator('.legend').first().textContent()).toContain('−1')
    // On scales of their own, faint channels are visible too.
    await page.getByRole('radio', { name: 'Channels', exact: true }).check()
    await page.getByRole('button', { name: 'Each on its own scale' }).click()
    await until(async () => new Set(await page.locator('.map .own').allTextContents()).size > 2)
    await studio.picture('inside-own-scales')
    expect(await studio.barriers()).toEqual([])
    await studio.leave()
  })

  it('finds the gradients of both rollouts', async () => {
    const studio = await visit(screen)
    const { page } = studio
    await studio.open('#inside?t=60&steps=64&size=48&show=gradient')
    await shown(studio, 16)
    await page.getByRole('button', { name: 'Find the gradients' }).click()
    await until(async () => await page.locator('polyline').count() === 2)
    await until(async () => await page.getByRole('button', { name: 'Find the gradients' }).isEnabled())
    expect(await page.locator('.weights').count()).toBe(4)
    await studio.picture('inside-gradients')
    expect(await studio.barriers()).toEqual([])
    await studio.leave()
  })
})

it('shows, back and forth, the states of the rollout in Node, bit for bit', async () => {
  const studio = await visit('desktop')
  await studio.open('#inside?t=5&steps=256&size=48')
  await shown(studio, 16)
  for (const t of [200, 199, 17, 256, 0]) {
    await slider(studio).fill(String(t))
    const { shape, data } = await saved(studio, 'Save the state')
    const expected = rollout(lizard.rule, lizard.params, first(48), key(0), { steps: t })
    expect(shape).toEqual(expected.shape)
    expect(data).toEqual(expected.toArray())
  }
  await studio.leave()
}, 120_000)

it('finds the gradients that Node finds', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#inside?steps=32&size=40&t=12')
  await page.locator('input[type=file]').setInputFiles({ name: 'mine.safetensors', mimeType: '', buffer: readFileSync(path) })
  await expect.poll(() => page.getByText('since the target is not known').count(), { timeout: 60_000 }).toBe(1)
  await page.getByRole('button', { name: 'Find the gradients' }).click()
  const { data } = await saved(studio, 'Save ∂L/∂s of this step')
  const line = timeline(lizard.rule, lizard.params, first(40), key(0), { steps: 32 })
  const { states } = timelineGradients(line, x => mean(square(x)))
  expect(data).toEqual(states[12].toArray())
  await studio.leave()
})

it('draws gradients that are not finite as gaps, and keeps working', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  const { rule, params } = lizard
  const wild = await encodeModel({ rule, params: mapTree(params, leaf => mul(leaf as Tensor, 2)) as DataParams, provenance: {} })
  await studio.open('#inside?steps=64&size=40&t=12')
  await page.locator('input[type=file]').setInputFiles({ name: 'wild.safetensors', mimeType: '', buffer: Buffer.from(wild) })
  await expect.poll(() => page.getByText('since the target is not known').count(), { timeout: 60_000 }).toBe(1)
  await page.getByRole('button', { name: 'Find the gradients' }).click()
  await until(async () => await page.locator('polyline').count() === 2)
  await studio.picture('inside-explodes')
  await page.getByRole('button', { name: 'Forward' }).click()
  await expect.poll(() => page.locator('.figure dd').first().textContent(), { timeout: 30_000 }).toBe('13 of 64')
  await studio.leave()
})

it('writes the equation of a cell with its real numbers', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#inside?t=30&size=48&x=22&y=26')
  const { rule, params } = lizard
  const before = stateAt(timeline(rule, params, first(48), key(0), { steps: 30 }), 30)
  const parts = inspectStep(rule, params, before, { key: foldIn(key(0), 30), t: 30 })
  const near = async (text: string, x: number): Promise<void> => {
    const shownNumber = Number(text.replaceAll('−', '-'))
    expect(Math.abs(shownNumber - x)).toBeLessThanOrEqual(0.051 * Math.abs(x) + 1e-9) // as many digits as there is room for
  }
  await page.getByLabel('Channel', { exact: true }).selectOption('a')
  const at = (t: { toArray(): ArrayLike<number>; shape: readonly number[] }, i: number): number => t.toArray()[(26 * 48 + 22) * t.shape[3] + i]
  await expect.poll(() => page.locator('.headline').textContent(), { timeout: 60_000 }).toContain('a31')
  const headline = page.locator('.headline').getByRole('button')
  const fires = parts.fires!.toArray()[26 * 48 + 22]
  for (const [i, x] of [at(parts.after, 3), at(before, 3), fires, at(parts.change, 3)].entries()) {
    await near(await headline.nth(i).locator('span').last().innerText(), x)
  }
  // Each term says what it is, to the pointer and to the keyboard.
  await headline.nth(2).hover()
  await page.getByText(/^The fire mask: this cell (updates|keeps)/).waitFor()
  await headline.nth(1).focus()
  await page.getByText('What a was before the step.').waitFor()
  const lines = page.locator('.sum')
  await expect.poll(() => lines.count()).toBe(3)
  await near(/= ([-−\d.e]+)/.exec(await lines.nth(0).locator('.result').innerText())![1], at(parts.change, 3))
  // The third largest term of the change is chosen: the next line is that unit.
  const term = lines.nth(0).getByRole('button').nth(2)
  await term.hover()
  expect(await lines.nth(0).locator('.told').innerText()).toContain(await term.locator('span').first().innerText())
  await term.click()
  const unit = await lines.nth(1).locator('b').first().innerText()
  expect(unit).toBe(await term.locator('span').first().innerText())
  await near(/= ([-−\d.e]+)/.exec(await lines.nth(1).locator('.result').innerText())![1], at(parts.hidden[0], Number(unit.replace('h1.', ''))))
  expect(await page.locator('.neighbours td').count()).toBe(9)
  // The keyboard chooses the cell beside it.
  await page.getByRole('application').focus()
  await page.keyboard.press('ArrowRight')
  await expect.poll(() => page.getByRole('heading', { name: 'Cell 23, 26' }).count()).toBe(1)
  await studio.leave()
})

it('begins with the world of Play as it was left', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#play?model=fish&size=104')
  const alert = page.getByRole('alert')
  await page.getByRole('button', { name: 'Look inside' }).click()
  await alert.getByText('at most 96 × 96 cells').waitFor()
  await page.getByLabel('Grid').fill('64')
  await expect.poll(() => alert.isVisible()).toBe(false) // what it spoke of is over
  await expect.poll(async () => Number(await page.locator('.figure dd').first().textContent()), { timeout: 60_000 }).toBeGreaterThan(40)
  await page.getByRole('button', { name: 'Look inside' }).click()
  await shown(studio, 16)
  expect(await page.getByRole('radio', { name: 'From Play, as it was' }).isChecked()).toBe(true)
  const { data } = await saved(studio, 'Save the state')
  const living = (data as Float32Array).filter((v, i) => i % 16 === 3 && v > 0.1).length
  expect(living).toBeGreaterThan(100)
  await page.getByRole('radio', { name: 'From the seed' }).check()
  const first = await saved(studio, 'Save the state')
  expect((first.data as Float32Array).filter((v, i) => i % 16 === 3 && v > 0.1)).toHaveLength(1)
  await studio.leave()
})

it('says which settings of Play it does not take over', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#play?model=fish&graft=lady-beetle&angle=45&border=circular')
  await until(async () => await figure(studio, 'step') > 5)
  await page.getByRole('button', { name: 'Look inside' }).click()
  await page.getByRole('alert').getByText('Look inside goes on with fish as its file says: without lady-beetle, not rotated, with its own border.').waitFor()
  await shown(studio, 16)
  expect(await page.getByRole('radio', { name: 'From Play, as it was' }).isChecked()).toBe(true)
  await studio.leave()
})

it('begins a segmentation with an outline on the grid of its training, and calls its classes by name', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#inside?model=inside&t=40')
  await shown(studio, 16)
  expect(await page.locator('.map figcaption').allTextContents()).toEqual(expect.arrayContaining(['outside', 'line', 'inside']))
  await studio.picture('inside-segmentation')
  const { shape, data } = await saved(studio, 'Save the state')
  expect(shape).toEqual([1, 28, 28, 16])
  const said = (x: number, y: number): number => {
    const scores = [13, 14, 15].map(c => data[(y * 28 + x) * 16 + c])
    return scores.indexOf(Math.max(...scores))
  }
  expect([said(14, 14), said(2, 2), said(14, 6)]).toEqual([2, 0, 1]) // the middle of the outline, a corner, the line
  await page.getByLabel('Channel', { exact: true }).selectOption('inside')
  await expect.poll(() => page.locator('.headline').textContent()).toContain('inside41')
  expect(await page.locator('.meaning').textContent()).toBe('It fires. What comes of it is kept within bounds.')
  await studio.leave()
})

it('says in one sentence which models it cannot show, and keeps working', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#inside?t=10')
  await shown(studio, 16)
  await page.locator('input[type=file]').setInputFiles({ name: 'broken.safetensors', mimeType: '', buffer: Buffer.from('no model') })
  await expect.poll(() => page.getByRole('alert').textContent(), { timeout: 30_000 }).toMatch(/broken: [^\n]+Close$/)
  await expect.poll(() => page.getByLabel('Model', { exact: true }).inputValue()).toBe('lizard') // what cannot be opened does not stay chosen
  await page.getByRole('button', { name: 'Forward' }).click()
  await expect.poll(() => page.locator('.figure dd').first().textContent(), { timeout: 30_000 }).toBe('11 of 96')
  await studio.leave()
})
