// Play, as a person would use it: a lizard grows, is hurt, heals; every tool, the keyboard, a file, what goes wrong.

import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { defineAutoencoder, defineRule, encodeModel, init, initAutoencoder, key, mlp } from 'cellgrad'
import { afterAll, describe, expect, it } from 'vitest'
import { coloured, figure, pixelAt, until } from './look.ts'
import { closeBrowser, screens, visit, type Screen } from './visit.ts'

afterAll(closeBrowser)

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
    await page.getByRole('button', { name: 'Pause' }).click() // it would heal before one has looked
    const box = (await stage.boundingBox())!
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2)
    await page.mouse.down()
    await page.mouse.up()
    await until(async () => await figure(studio, 'living cells') < 0.8 * before)
    await studio.picture('play-hurt')
    await page.getByRole('button', { name: 'Play', exact: true }).click()
    await until(async () => await figure(studio, 'living cells') > 0.9 * before)
    if (availableParallelism() > 1) expect(await page.getByRole('combobox', { name: 'What computes' }).textContent()).toMatch(/WASM · \d+ threads/)
    expect(await studio.barriers()).toEqual([])
    await studio.leave()
  })
})

it('plays on a machine so slow that frames are drawn long after their time', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await page.addInitScript(() => {
    const frame = globalThis.requestAnimationFrame
    globalThis.requestAnimationFrame = draw => frame(time => setTimeout(draw, 300, time - 500))
  })
  await studio.open('')
  await until(async () => await figure(studio, 'step') > 20)
  expect(await page.getByRole('alert').isVisible()).toBe(false)
  await studio.leave()
})

it('is played by keyboard alone, and with every tool', async () => {
  const studio = await visit('desktop', { reducedMotion: 'reduce' })
  const { page } = studio
  await studio.open('')
  // With reduced motion, a grown lizard is shown, and stands still.
  await until(async () => await figure(studio, 'step') === 96)
  expect(await page.getByRole('button', { name: 'Play', exact: true }).isVisible()).toBe(true)
  const grown = await figure(studio, 'living cells')
  const stage = page.getByRole('application')
  await stage.focus()
  for (const key of ['Shift+ArrowLeft', 'ArrowRight', 'Shift+ArrowUp', 'Enter']) await page.keyboard.press(key)
  await until(async () => await figure(studio, 'living cells') < grown)
  await page.keyboard.press('.')
  await until(async () => await figure(studio, 'step') === 97)
  for (const tool of ['Circle', 'Half']) {
    const before = await figure(studio, 'living cells')
    await page.getByRole('radio', { name: tool }).check()
    await stage.focus()
    await page.keyboard.press('Enter')
    await until(async () => await figure(studio, 'living cells') < before)
  }
  const before = await figure(studio, 'living cells')
  await page.getByRole('radio', { name: 'Paint' }).check()
  await stage.focus()
  for (const key of ['Shift+ArrowDown', 'Shift+ArrowDown', 'Enter']) await page.keyboard.press(key)
  await until(async () => await figure(studio, 'living cells') > before)
  await page.keyboard.press(' ')
  await until(async () => await figure(studio, 'step') > 110)
  await page.keyboard.press(' ')
  await page.getByRole('button', { name: 'Reset' }).click()
  await until(async () => await figure(studio, 'step') === 0)
  await page.getByRole('radio', { name: 'Seed' }).check()
  await stage.focus()
  await page.keyboard.press('ArrowLeft')
  await page.keyboard.press('Enter')
  await until(async () => await figure(studio, 'living cells') === 2)
  await studio.leave()
})

it('keeps model, graft, grid, border and angle in its address', async () => {
  const studio = await visit('desktop', { colorScheme: 'dark' })
  const { page } = studio
  const address = '#play?model=fish&graft=lady-beetle&size=96&angle=45&border=circular&speed=10'
  await studio.open(address)
  await until(async () => await figure(studio, 'living cells') > 500)
  await studio.picture('play-graft')
  expect(await page.evaluate(() => location.hash)).toBe(address)
  expect(await page.getByRole('radio', { name: 'fish' }).isChecked()).toBe(true)
  expect(await page.getByLabel('Border').inputValue()).toBe('circular')
  expect(await studio.barriers()).toEqual([])
  await studio.leave()
})

it('takes a model from a file, and says what is wrong with another', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('')
  const input = page.locator('input[type=file]')
  const file = (name: string, buffer: Buffer): Promise<void> => input.setInputFiles({ name, mimeType: 'application/octet-stream', buffer })
  const whole = await readFile(new URL('../../assets/models/pretzel-1f968.safetensors', import.meta.url))
  await file('broken.safetensors', whole.subarray(0, 10_000))
  await page.getByRole('alert').getByText(/^safetensors: broken: truncated/).waitFor()
  await studio.picture('play-broken')
  const step = await figure(studio, 'step')
  await until(async () => await figure(studio, 'step') > step)
  await page.getByRole('button', { name: 'Close' }).click()
  await file('mine.safetensors', whole)
  await page.getByRole('radio', { name: 'mine' }).waitFor()
  expect(await page.getByRole('radio', { name: 'mine' }).isChecked()).toBe(true)
  await until(async () => await figure(studio, 'living cells') > 300)
  await studio.leave()
})

it('shows the decoded picture of a model in latents, and hurts its cells; it has no paint tool', async () => {
  const rule = defineRule({ channels: { latent: 2, hidden: 4 }, perceive: ['identity', 'sobelX'], update: mlp(8, { lastStd: 0.3 }), fireRate: 0.5 })
  const autoencoder = defineAutoencoder({ channels: 4, latent: 2, widths: [4, 4] })
  const model = { rule, params: init(rule, key(1)), provenance: { grid: '12' }, codec: { autoencoder, params: initAutoencoder(autoencoder, key(2)) } }
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('')
  await page.locator('input[type=file]').setInputFiles({ name: 'latent.safetensors', mimeType: 'application/octet-stream', buffer: Buffer.from(await encodeModel(model)) })
  await page.getByLabel('The world of latent').waitFor()
  await page.getByText('12 × 12').waitFor()
  await until(async () => await figure(studio, 'step') > 5)
  await expect.poll(() => page.locator('canvas.cells').evaluate(canvas => [(canvas as HTMLCanvasElement).width, (canvas as HTMLCanvasElement).height])).toEqual([48, 48])
  expect(await page.getByRole('radio', { name: 'Paint' }).count()).toBe(0)
  await page.getByRole('radio', { name: 'Circle' }).check()
  await page.getByRole('application').click()
  const step = await figure(studio, 'step')
  await until(async () => await figure(studio, 'step') > step + 5)
  await page.getByRole('combobox', { name: 'What computes' }).selectOption('webgpu')
  const later = await figure(studio, 'step')
  await until(async () => await figure(studio, 'step') > later + 5)
  expect(await page.getByRole('alert').isVisible()).toBe(false)
  await page.getByRole('radio', { name: 'fish' }).check()
  await page.getByRole('radio', { name: 'Paint' }).waitFor()
  await studio.leave()
})

it('runs on WebGPU when it is chosen, and on WASM again', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('')
  await until(async () => await figure(studio, 'step') > 5)
  const chip = page.getByRole('combobox', { name: 'What computes' })
  await chip.selectOption('webgpu')
  await page.getByText('This GPU is software').waitFor()
  expect(await chip.inputValue()).toBe('webgpu')
  const step = await figure(studio, 'step')
  await until(async () => await figure(studio, 'step') > step + 5)
  await chip.selectOption('wasm')
  await until(async () => await chip.inputValue() === 'wasm')
  const later = await figure(studio, 'step')
  await until(async () => await figure(studio, 'step') > later + 5)
  await studio.leave()
})

it('plays a segmentation: an outline fills, and leaks out through a gap', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#play?model=inside')
  await page.getByText('Draw: every cell says').waitFor()
  const box = (await page.getByRole('application').boundingBox())!
  const move = (x: number, y: number): Promise<void> => page.mouse.move(box.x + box.width * x, box.y + box.height * y, { steps: 8 })
  await move(0.25, 0.25)
  await page.mouse.down()
  for (const [x, y] of [[0.75, 0.25], [0.75, 0.75], [0.25, 0.75], [0.25, 0.25]]) await move(x, y)
  await page.mouse.up()
  // The pen is 3 cells wide, and leaves a square of 11 × 11.
  await until(async () => await figure(studio, 'inside') > 100)
  expect(await pixelAt(page, 0.5, 0.5)).toEqual(coloured(2)) // as in an exported page
  await studio.picture('play-inside')
  await page.getByRole('radio', { name: 'Erase' }).check()
  await move(0.4, 0.75)
  await page.mouse.down()
  await move(0.6, 0.75)
  await page.mouse.up()
  await until(async () => await figure(studio, 'inside') < 40)
  await studio.picture('play-leaked')
  expect(await studio.barriers()).toEqual([])
  await studio.leave()
})

it('plays other families: drawn digits, a conditional rule, a texture', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#play?model=digits')
  const stage = page.getByRole('application')
  await page.getByText('Draw a digit').waitFor()
  await page.getByText('Draw here').waitFor()
  const box = (await stage.boundingBox())!
  await page.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.2)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.8, { steps: 8 })
  await page.mouse.up()
  await until(async () => Number.isInteger(await figure(studio, 'most cells say')))
  expect(await page.getByText('Draw here').count()).toBe(0)
  await studio.picture('play-digits')
  await page.getByRole('radio', { name: 'emoji' }).check()
  // The pen was only for the drawing.
  await expect.poll(() => page.getByRole('radio', { name: 'Erase' }).isChecked()).toBe(true)
  await until(async () => await figure(studio, 'step') > 40)
  await page.getByRole('group', { name: 'What it is told to become' }).getByRole('radio', { name: 'fish' }).check()
  const step = await figure(studio, 'step')
  await until(async () => await figure(studio, 'step') > step + 60)
  await studio.picture('play-condition')
  await page.getByRole('radio', { name: 'texture' }).check()
  await until(async () => await figure(studio, 'living cells') === 96 * 96)
  expect(await page.getByLabel('Border').inputValue()).toBe('circular')
  await studio.leave()
})
