// Train, as a person would use it: a drawing is learnt until the result looks like it; a run that is reloaded in the middle ends
// with the same bits as in Node; a run is changed by hand; an error is one sentence.

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cpu, decodeModel, fit, init, key, train, type DataParams, type Image } from 'cellgrad'
import { encodePng } from 'cellgrad/node'
import { configOf, experimentFrom, trainerOf, withValue, type Json, type JsonObject } from 'cellgrad/experiment'
import { afterAll, describe, expect, it } from 'vitest'
import { figure, logLoss, until } from './look.ts'
import { black } from './pictures.ts'
import { closeBrowser, screens, visit, type Screen, type Visit } from './visit.ts'

afterAll(closeBrowser)

/** Fills in options by their names; "All options" is opened for those that are hidden at first. */
async function options({ page }: Visit, values: Record<string, string>): Promise<void> {
  const folded = page.getByText('All options')
  if (!await page.getByLabel('saveEvery', { exact: true }).isVisible()) await folded.click()
  for (const [name, value] of Object.entries(values)) {
    const field = page.getByLabel(name, { exact: true })
    if (await field.evaluate(element => element.tagName) === 'SELECT') await field.selectOption(value)
    else await field.fill(value)
  }
}

async function download({ page }: Visit, name: string): Promise<Buffer> {
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name, exact: true }).click()])
  return readFile(await file.path())
}

/** A picture whose pixels are opaque or empty: 8 bits hold it exactly, in any decoder. */
function sharp(size: number): Image {
  const data = Float32Array.from({ length: size * size * 4 }, (_, i) => {
    const pixel = Math.floor(i / 4), x = pixel % size, y = Math.floor(pixel / size)
    const inside = Math.abs(x - size / 2) + Math.abs(y - size / 2) < size / 2.5
    return inside ? [1, x / size > 0.5 ? 1 : 0, 0, 1][i % 4] : 0
  })
  return { width: size, height: size, data }
}

const quick = {
  'data.size': '8', 'data.padding': '2', 'train.iterations': '300', 'train.batch': '2', 'train.steps': '[8, 12]', 'train.pool': '16', 'train.damaged': '1',
  saveEvery: '5', fma: 'off',
}

describe.each(Object.keys(screens) as Screen[])('on a %s', screen => {
  it('learns a drawing until the result looks like it, and exports it', async () => {
    const studio = await visit(screen)
    const { page } = studio
    await studio.open('#train')
    await studio.picture('train-empty')
    await page.getByRole('button', { name: 'Draw' }).click()
    expect(await page.getByRole('button', { name: 'Train', exact: true }).isDisabled()).toBe(true) // nothing is drawn yet
    const sheet = page.getByLabel('Draw here')
    await sheet.scrollIntoViewIfNeeded()
    const box = (await sheet.boundingBox())!
    await page.mouse.move(box.x + box.width * 0.1, box.y + box.height * 0.1)
    await page.mouse.down()
    for (let i = 0; i < 16; i++) {
      const [x, y] = [i % 2 === 0 ? 0.95 : 0.05, 0.08 + i * 0.056]
      await page.mouse.move(box.x + box.width * x, box.y + box.height * y, { steps: 4 })
    }
    await page.mouse.up()
    await page.getByRole('button', { name: 'Settings for a quick try' }).click()
    await page.getByRole('button', { name: 'Train', exact: true }).click()
    await until(async () => await figure(studio, logLoss) > -1.3) // there is something to learn
    await until(async () => await figure(studio, logLoss) < -1.5, 110_000)
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.getByRole('button', { name: 'Go on' }).waitFor()
    await studio.picture('train-learnt')
    expect(await studio.barriers()).toEqual([])
    const { rule, params } = decodeModel(await download(studio, 'Model'))
    expect(rule).toMatchObject({ type: 'data' })
    expect(params).toHaveProperty('update')
    expect(String(await download(studio, 'YAML'))).toContain('preset: growing')
    expect((await download(studio, 'GIF')).subarray(0, 6).toString()).toBe('GIF89a')
    expect((await download(studio, 'Strip')).subarray(1, 4).toString()).toBe('PNG')
    expect(String(await download(studio, 'Page'))).toContain('<!doctype html>')
    await page.getByRole('button', { name: 'Open in Play' }).click()
    await until(async () => await figure(studio, 'living cells') > 40) // it grows from one cell
    await studio.picture('train-grows')
    // Look inside knows the target of a model that was trained here.
    await page.getByRole('link', { name: 'Train' }).click()
    await page.getByRole('button', { name: 'Look inside' }).click()
    await page.getByText('blue and alpha from the target').waitFor()
    await studio.leave()
  })
})

it('ends with the bits of Node, reloaded in the middle', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  const picture = sharp(8)
  await studio.open('#train')
  await page.getByLabel('A picture').setInputFiles({ name: 'sharp.png', mimeType: 'image/png', buffer: Buffer.from(encodePng(picture)) })
  await page.getByLabel('The target: sharp').waitFor()
  await options(studio, quick)
  await page.getByRole('button', { name: 'Train', exact: true }).click()
  await until(async () => await figure(studio, /^of \d+ iterations$/) >= 7)
  expect(await figure(studio, /^of \d+ iterations$/)).toBeLessThan(300)
  await page.reload()
  await until(async () => await figure(studio, /^of \d+ iterations$/) >= 300)
  const there = decodeModel(await download(studio, 'Model'))
  await studio.leave()

  const values = Object.entries(quick).reduce<JsonObject>((all, [name, text]) => withValue(all, name, name === 'fma' ? text : JSON.parse(text) as Json), {})
  const checked = configOf({ data: { target: 'sharp' } }, values)
  if (!('config' in checked)) throw new Error(JSON.stringify(checked))
  const backend = cpu({ fma: false })
  const trainer = trainerOf(checked.config, fit(picture, 8), { backend })
  let here: DataParams = init(checked.config.rule, key(0), { backend })
  for await (const { state } of train(trainer, { iterations: 300, seed: checked.config.seed, every: 300 })) here = state.params
  for (const name of ['w1', 'b1', 'w2', 'b2'] as const) expect(there.params.update[name]!.toArray()).toEqual(here.update[name]!.toArray())
})

it.each([['off', ''], ['auto', 'butterfly']])('its files train the same weights on the command line, bit for bit, fma: %s, from %j', async (fma, from) => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#train')
  await page.getByLabel('The target: lizard').waitFor() // half-transparent edges, and more pixels than cells
  await options(studio, { ...quick, 'data.size': '11', 'train.iterations': '20', fma, 'train.from': from })
  await page.getByRole('button', { name: 'Train', exact: true }).click()
  await page.getByRole('button', { name: 'Done' }).waitFor()
  const there = decodeModel(await download(studio, 'Model'))
  const folder = await mkdtemp(join(tmpdir(), 'cellgrad-train-'))
  const yaml = String(await download(studio, 'YAML'))
  expect(yaml).toContain(fma === 'off' ? '# Trains the same weights, bit for bit: cellgrad' : '# Trains the same weights, bit for bit, where multiplications are fused')
  if (from) await writeFile(join(folder, 'lizard-start.safetensors'), await download(studio, 'Start'))
  await writeFile(join(folder, 'lizard.yaml'), yaml)
  await writeFile(join(folder, 'lizard.png'), await download(studio, 'Target'))
  await studio.leave()

  const program = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
  const flags = ['--experimental-wasm-relaxed-simd', '--import', import.meta.resolve('tsx')]
  await promisify(execFile)(process.execPath, [...flags, program, 'train', '--config', 'lizard.yaml', '--out', 'run'], { cwd: folder })
  const here = decodeModel(await readFile(join(folder, 'run/model.safetensors')))
  for (const name of ['w1', 'b1', 'w2', 'b2'] as const) expect(there.params.update[name]!.toArray()).toEqual(here.params.update[name]!.toArray())
  await rm(folder, { recursive: true })
})

it('has a form for every kind of value: a schedule, damage, a perception, channels, threads', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#train')
  await page.getByLabel('The target: lizard').waitFor()
  await page.getByText('what it should grow, on 72 × 72 cells').waitFor()
  await options(studio, { ...quick, 'train.iterations': '10', threads: '999' })
  await page.getByText('what it should grow, on 72 × 72 cells').waitFor({ state: 'detached' })
  const button = (await page.getByRole('button', { name: 'Train', exact: true }).boundingBox())!
  expect(button.y + button.height).toBeLessThanOrEqual(900) // in sight, however many options are
  await page.getByText(/^threads is 999, expected at most \d+, as many as this page runs at once; 0 for all$/).waitFor()
  await page.getByLabel('kind of train.optimiser.rate').selectOption('cosine')
  await page.getByText('train.optimiser.rate.length is missing, expected a whole number > 0').waitFor()
  await page.getByRole('button', { name: 'Add to rule.perceive' }).click()
  await page.getByLabel('kind of rule.perceive[3]').selectOption('conv')
  await page.getByRole('button', { name: 'Remove rule.perceive[1]' }).click()
  await page.getByRole('button', { name: 'Add to rule.channels' }).click()
  const name = page.getByLabel('Name of rule.channels.role1')
  await name.pressSequentially('more-', { delay: 100 }) // slowly: what is typed stays, whatever comes in between
  expect(await name.inputValue()).toBe('more-role1')
  await name.fill('hidden')
  await name.press('Enter')
  await page.getByRole('alert').getByText('rule.channels: there is hidden already.').waitFor()
  await name.fill('more')
  await name.press('Enter')
  await expect.poll(() => page.getByRole('alert').isVisible()).toBe(false) // what was wrong is over
  await page.getByLabel('kind of train.damage').selectOption('rectangle')
  await page.getByLabel('kind of train.clip').waitFor({ state: 'detached' })
  await page.getByLabel('kind of rule.living').selectOption('null')
  await options(studio, {
    'rule.channels.more': '2', 'rule.channels.hidden': '3', 'rule.perceive[2].outputs': '5', 'rule.perceive[2].size': '1, 3', 'rule.perceive[2].bias': 'true',
    'train.damage.size': '0.3, 0.5', 'train.clip': '10', 'train.optimiser.rate.length': '10', 'train.optimiser.beta1': '0.8', 'train.optimiser.rate.rate': '0.001', threads: '1',
  })
  await until(async () => await page.locator('.mistake').count() === 0)
  await options(studio, { 'train.from': 'fish' })
  await page.getByRole('button', { name: 'Train', exact: true }).click()
  await page.getByRole('alert').getByText(/^fish does not fit this rule: trainer: .*params/).waitFor()
  await options(studio, { 'train.from': '' })
  await studio.picture('train-kinds')
  expect(await studio.barriers()).toEqual([])
  await page.getByLabel('An emoji or a letter').fill('.a/b')
  await page.getByLabel('The target: .a/b').waitFor()
  await page.getByRole('button', { name: 'Train', exact: true }).click()
  await page.getByRole('button', { name: 'Done' }).waitFor()
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Target', exact: true }).click()])
  expect(file.suggestedFilename()).toBe('a-b.png')
  expect(experimentFrom(String(await download(studio, 'YAML')))).toMatchObject({
    threads: 1,
    data: { target: 'a-b.png' },
    rule: { channels: { rgba: 4, hidden: 3, more: 2 }, perceive: ['identity', 'sobelY', { type: 'conv', outputs: 5, size: [1, 3], bias: true, dilation: 1 }], living: null },
    train: {
      clip: 10, damage: { shape: 'rectangle', size: [0.3, 0.5], angle: [0, 0] },
      optimiser: { type: 'adam', beta1: 0.8, beta2: 0.999, rate: { type: 'cosine', rate: 0.001, length: 10, final: 0 } },
    },
  })
  await studio.leave()
})

it('is changed by hand, looked into, and says what is wrong', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#train')
  await page.getByLabel('The target: lizard').waitFor()
  await options(studio, { ...quick, 'train.iterations': '100000', 'train.batch': 'eight' })
  await page.getByText('train.batch is "eight", expected a whole number from 1 to 65536').waitFor()
  expect(await page.getByRole('button', { name: 'Train', exact: true }).isDisabled()).toBe(true)
  await studio.picture('train-mistake')
  await options(studio, { 'train.batch': '4' })
  await page.getByRole('button', { name: 'Train', exact: true }).click()
  await until(async () => await figure(studio, /^of \d+ iterations$/) >= 3)
  await page.getByLabel('Another learning rate').fill('0,0005')
  await page.getByRole('button', { name: 'Set' }).click()
  await page.getByRole('alert').getByText('the rate is "0,0005", expected a number > 0').waitFor()
  await page.getByLabel('Another learning rate').fill('0.0005')
  await page.getByRole('button', { name: 'Set' }).click()
  await until(async () => await figure(studio, 'rate') === 0.0005)
  await expect.poll(() => page.getByRole('alert').isVisible()).toBe(false) // what was wrong is over
  await page.getByRole('button', { name: 'Hurt the pool' }).click()
  await page.getByRole('region', { name: 'Slots 0 to 15 of the pool' }).waitFor()
  await page.getByRole('region', { name: 'The last batch' }).locator('.reseeded').waitFor()
  await studio.picture('train-pool')
  // An open pool changes while the run learns.
  const slots = page.getByRole('region', { name: 'Slots 0 to 15 of the pool' })
  const pictures = (): Promise<string> => slots.locator('canvas').evaluateAll(all => all.map(canvas => (canvas as unknown as { toDataURL(): string }).toDataURL()).join())
  const before = await pictures()
  await until(async () => await pictures() !== before)
  const yaml = String(await download(studio, 'YAML'))
  expect(yaml).toMatch(/# By hand, after iteration \d+: the rate became 0.0005; a run of this file leaves that out/)
  expect(yaml).not.toMatch(/^ +rate: 0.0005/m)

  const picture = page.getByLabel('A picture')
  const alert = page.getByRole('alert')
  await picture.setInputFiles({ name: 'broken.png', mimeType: 'image/png', buffer: Buffer.from('no picture') })
  await alert.getByText('broken.png cannot be read as a picture').waitFor()
  await picture.setInputFiles({ name: 'large.png', mimeType: 'image/png', buffer: black(6000) })
  await alert.getByText('large.png is 6000×6000, expected at most 4096 pixels along a side.').waitFor()
  await page.getByRole('button', { name: 'Close' }).click()
  await page.getByRole('button', { name: /^Forget/ }).first().click()
  await until(async () => await page.getByRole('button', { name: /^Forget/ }).count() === 0)
  await studio.leave()
})
