// Input from outside the page, as people give it: files dropped on it, a picture pasted, an emoji typed. Each
// is accepted, or refused in one sentence, and nothing that was there is lost.

import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { encodePng } from 'cellgrad/node'
import { afterAll, expect, it } from 'vitest'
import { figure, until } from './look.ts'
import { black, plain } from './pictures.ts'
import { closeBrowser, visit, type Visit } from './visit.ts'

afterAll(closeBrowser)

const folder = mkdtempSync(join(tmpdir(), 'cellgrad-files-'))
const pretzel = fileURLToPath(new URL('../../assets/models/pretzel-1f968.safetensors', import.meta.url))

/** A file of its own with these bytes. */
function fileOf(name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}

/** Drops files in the middle of the visible page, as the system's file manager would. */
async function drop({ page }: Visit, files: string | readonly string[], at = { x: 700, y: 400 }): Promise<void> {
  const devtools = await page.context().newCDPSession(page)
  const data = { items: [], files: [files].flat(), dragOperationsMask: 1 }
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) await devtools.send('Input.dispatchDragEvent', { type, ...at, data })
  await devtools.detach()
}

/** The mean red, green and blue of the visible part of a picture, the share of that part, and whether the picture is grey. */
async function colours({ page }: Visit, label: string): Promise<{ rgb: number[]; opaque: number; grey: boolean }> {
  const data = await page.getByLabel(label).first().evaluate(element => {
    const canvas = element as HTMLCanvasElement
    return [...canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height).data]
  })
  const seen = data.flatMap((alpha, i) => (i % 4 === 3 && alpha > 127 ? [data.slice(i - 3, i)] : []))
  const rgb = [0, 1, 2].map(c => seen.reduce((sum, pixel) => sum + pixel[c], 0) / seen.length)
  return { rgb, opaque: seen.length / (data.length / 4), grey: seen.every(([r, g, b]) => r === g && g === b) }
}

it('a dropped picture and a pasted one become the target', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#train')
  await page.getByLabel('The target: lizard').waitFor()
  await drop(studio, fileOf('orange.png', encodePng(plain(24, [1, 0.5, 0, 1]))))
  await page.getByLabel('The target: orange').waitFor()
  const { rgb, opaque } = await colours(studio, 'The target: orange')
  expect(opaque).toBe(1)
  expect(rgb).toEqual([255, 128, 0])

  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
  await page.evaluate(async bytes => {
    const png = new Blob([new Uint8Array(bytes)], { type: 'image/png' })
    await navigator.clipboard.write([new ClipboardItem({ 'image/png': png })])
  }, [...encodePng(plain(24, [0, 0.2, 1, 1]))])
  await page.keyboard.press('Control+V')
  await page.getByLabel('The target: image').waitFor()
  expect((await colours(studio, 'The target: image')).rgb).toEqual([0, 51, 255])

  await page.getByRole('button', { name: 'Settings for a quick try' }).click()
  await page.getByRole('button', { name: 'Train', exact: true }).click()
  await until(async () => await figure(studio, 'of 600 iterations') > 3)
  expect((await colours(studio, 'The target: image')).rgb).toEqual([0, 51, 255])
  await studio.leave()
})

it('a typed emoji becomes the target, unless the browser has no font for it, which a sentence says', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#train')
  await page.getByLabel('The target: lizard').waitFor()
  const box = page.getByLabel('An emoji or a letter')
  const noFont = (text: string) => page.getByRole('alert').getByText(`this browser has no font with ${text}: choose one of the emoji above, or a picture.`)
  await box.fill('\u{1FFFD}') // no character so far, so in no font
  await noFont('\u{1FFFD}').waitFor()
  expect(await page.getByLabel('The target: lizard').count()).toBe(1)
  await box.fill('\u00AD') // a soft hyphen
  await page.getByRole('alert').getByText('nothing of this text can be seen: type an emoji or a letter.').waitFor()
  await box.fill('R')
  await page.getByLabel('The target: R').waitFor()
  await expect.poll(() => page.getByRole('alert').isVisible()).toBe(false) // what was wrong is over
  expect((await colours(studio, 'The target: R')).opaque).toBeGreaterThan(0.05)
  await box.fill('🦕')
  // Debian's fonts-noto-color-emoji, or another system's font; without one, there must be the sentence.
  if (existsSync('/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf')) await page.getByLabel('The target: 🦕').waitFor()
  else await noFont('🦕').or(page.getByLabel('The target: 🦕')).waitFor()
  if (await page.getByLabel('The target: 🦕').count() > 0) {
    const { opaque, grey } = await colours(studio, 'The target: 🦕')
    expect(opaque).toBeGreaterThan(0.2)
    expect(grey).toBe(false)
    await page.getByRole('button', { name: 'Settings for a quick try' }).click()
    await page.getByRole('button', { name: 'Train', exact: true }).click()
    await until(async () => await figure(studio, 'of 600 iterations') > 3)
    expect((await colours(studio, 'The target: 🦕')).grey).toBe(false)
    await studio.picture('train-typed')
  }
  await studio.leave()
})

it('a drawing by the keyboard alone becomes the target', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#train')
  await page.getByLabel('The target: lizard').waitFor()
  await page.getByRole('button', { name: 'Draw' }).press('Enter')
  await page.getByLabel('Draw here').focus()
  for (const key of ['Shift+ArrowLeft', 'Enter', 'Shift+ArrowRight', 'Shift+ArrowRight', 'Enter', 'ArrowDown']) await page.keyboard.press(key)
  await studio.picture('train-drawn-by-keys')
  await page.getByRole('button', { name: 'Settings for a quick try' }).click()
  await page.getByRole('button', { name: 'Train', exact: true }).click()
  await page.getByLabel('The target: drawing').waitFor()
  const { opaque } = await colours(studio, 'The target: drawing')
  const line = (14 * 4) / 40 ** 2 * (16 / 24) ** 2 // 10 cells and a round end on each side; a part of the sheet, which is a part of the grid
  expect(opaque).toBeGreaterThan(0.4 * line)
  expect(opaque).toBeLessThan(1.5 * line)
  await studio.leave()
})

it('a model dropped on Play is played; a broken one, and a file that is no model, are refused in a sentence', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  const alert = page.getByRole('alert')
  await studio.open('')
  await until(async () => await figure(studio, 'living cells') > 300)
  const goesOn = async (): Promise<void> => {
    const step = await figure(studio, 'step')
    await until(async () => await figure(studio, 'step') > step + 10)
  }
  await drop(studio, fileOf('broken.safetensors', readFileSync(pretzel).subarray(0, 10_000)))
  await alert.getByText(/^safetensors: broken: truncated/).waitFor()
  await goesOn()
  await drop(studio, fileOf('large.png', black(6000)), { x: 700, y: 20 }) // on the bar, where no room is
  await alert.getByText('large.png').waitFor()
  await goesOn()
  await drop(studio, pretzel)
  await page.getByRole('radio', { name: 'pretzel-1f968' }).waitFor()
  expect(await page.getByRole('radio', { name: 'pretzel-1f968' }).isChecked()).toBe(true)
  await until(async () => await figure(studio, 'living cells') > 300)
  await studio.leave()
})

it('a picture of 6000×6000, a model and a torn picture are no targets; a room that takes no files says so', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  const alert = page.getByRole('alert')
  await studio.open('#train')
  await page.getByLabel('The target: lizard').waitFor()
  await drop(studio, fileOf('large.png', black(6000)))
  await alert.getByText('large.png is 6000×6000, expected at most 4096 pixels along a side.').waitFor()
  await drop(studio, fileOf('torn.png', encodePng(plain(24, [1, 0, 0, 1])).subarray(0, 40)))
  await alert.getByText('torn.png cannot be read as a picture').waitFor()
  await drop(studio, pretzel)
  await alert.getByText('pretzel-1f968.safetensors cannot be read as a picture').waitFor()
  expect(await page.getByLabel('The target: lizard').count()).toBe(1)
  for (const room of ['Tape', 'Runs']) {
    await page.getByRole('link', { name: room }).click()
    await drop(studio, pretzel, { x: 720, y: 850 })
    await alert.getByText('This room takes no files').waitFor()
    await page.getByRole('button', { name: 'Close' }).click()
  }
  await studio.leave()
})

it('of several files all models are accepted, and each of the others is named; of several pictures only one, which a sentence says', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  const alert = page.getByRole('alert')
  await studio.open('')
  await until(async () => await figure(studio, 'living cells') > 300)
  const eye = fileURLToPath(new URL('../../assets/models/butterfly-1f98b.safetensors', import.meta.url))
  await drop(studio, [pretzel, eye])
  await alert.getByText('pretzel-1f968 is shown; butterfly-1f98b can be chosen beside it.').waitFor()
  const { y, height } = (await alert.boundingBox())!
  expect(y + height).toBeLessThan(90) // in the bar: it covers nothing that one may want to press
  await drop(studio, [fileOf('torn.safetensors', 'torn'), fileOf('sound.safetensors', readFileSync(eye)), fileOf('note.txt', 'no model'), folder])
  await alert.getByText(/torn[^]*note\.txt[^]*cellgrad-files-\w+ could not be read: it is a folder/).waitFor()
  expect(await page.getByRole('radio', { name: 'sound' }).isChecked()).toBe(true)
  await drop(studio, pretzel) // once more: it is there already, and what was wrong before is over
  await expect.poll(() => page.getByRole('radio', { name: 'pretzel-1f968' }).isChecked()).toBe(true)
  await expect.poll(() => alert.isVisible()).toBe(false)
  expect(await page.getByRole('group', { name: 'Other models' }).getByRole('radio').count()).toBe(4 + 3)

  await page.getByRole('link', { name: 'Train' }).click()
  await page.getByLabel('The target: lizard').waitFor()
  await drop(studio, [fileOf('red.png', encodePng(plain(24, [1, 0, 0, 1]))), fileOf('blue.png', encodePng(plain(24, [0, 0, 1, 1])))])
  await page.getByLabel('The target: red').waitFor()
  await alert.getByText('red.png was taken, the first of 2 files').waitFor()
  await studio.leave()
})

it('a model of the visitor is in every room, and neither a broken file nor one of the same name replaces it', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#inside?t=10&steps=16&size=48')
  const model = page.getByLabel('Model', { exact: true })
  await expect.poll(() => page.locator('.map').count()).toBe(16)
  await drop(studio, fileOf('mine.safetensors', readFileSync(pretzel)))
  await expect.poll(() => model.inputValue()).toBe('mine')
  await drop(studio, fileOf('mine.safetensors', readFileSync(pretzel).subarray(0, 5000)))
  await page.getByRole('alert').getByText('mine: ').waitFor()
  await page.getByRole('button', { name: 'Forward' }).click()
  await expect.poll(() => page.locator('.figure dd').first().textContent()).toBe('11 of 16')
  expect(await model.inputValue()).toBe('mine')
  await drop(studio, fileOf('mine.safetensors', readFileSync(pretzel.replace('pretzel-1f968', 'butterfly-1f98b'))))
  await expect.poll(() => model.inputValue()).toBe('mine 2')
  await page.getByRole('link', { name: 'Play' }).click()
  await expect.poll(() => page.getByRole('alert').isVisible()).toBe(false) // another room
  await page.getByRole('radio', { name: 'mine', exact: true }).check()
  await until(async () => await figure(studio, 'living cells') > 100)
  await page.getByText('mine is not in the address of this page').waitFor()
  await page.getByRole('button', { name: 'Look inside' }).click()
  await page.getByRole('radio', { name: 'From Play, as it was' }).waitFor()
  expect(await model.inputValue()).toBe('mine')
  await studio.leave()
})

it('information disappears by itself, unless it has the pointer or the focus; an error stays until it is closed', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  const alert = page.getByRole('alert')
  await page.clock.install()
  await studio.open('#tape')
  await page.getByRole('heading', { name: 'Script' }).waitFor()
  await drop(studio, pretzel, { x: 720, y: 850 })
  await alert.getByText('This room takes no files').waitFor()
  await alert.hover()
  await page.clock.runFor(60_000)
  expect(await alert.isVisible()).toBe(true)
  await page.mouse.move(0, 0)
  await page.clock.runFor(20_000)
  expect(await alert.isVisible()).toBe(false)

  await studio.open('#inside?t=10&steps=16&size=48')
  await expect.poll(() => page.locator('.map').count()).toBe(16)
  await page.getByRole('button', { name: 'Forward' }).focus()
  await drop(studio, fileOf('broken.safetensors', 'broken'))
  await alert.getByText('broken: ').waitFor()
  await page.clock.runFor(60_000)
  expect(await alert.isVisible()).toBe(true)
  expect(await page.getByRole('button', { name: 'Forward' }).evaluate(button => button === document.activeElement)).toBe(true)
  await page.keyboard.press('Escape')
  await expect.poll(() => alert.isVisible()).toBe(false)
  await studio.leave()
})
