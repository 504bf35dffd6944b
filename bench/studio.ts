/**
 * Studio's figures, measured in Chromium as a visitor would see them: how soon a lizard grows, how many pictures and steps per
 * second Play shows, the speed of training in the page compared with Node on the same threads, the longest task on the page's
 * thread meanwhile, how soon a step of a rollout is visible, and the size of the page.
 *
 *   npm run bench:studio                                  builds the page first; about four minutes
 *   npm run bench:studio -- --only memory --minutes 60    plays for an hour instead, to see whether memory stays
 */
import { readFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import type { Page } from 'playwright-core'
import { cpu, fit, key, train } from '../src/index.ts'
import { configOf, trainerOf } from '../src/experiment/index.ts'
import { emoji } from '../src/node/index.ts'
import { figure } from '../tests/studio/look.ts'
import { closeBrowser, visit } from '../tests/studio/visit.ts'
import { cores } from './lib/machine.ts'
import { writeTable, type Row } from './lib/report.ts'
import { watchMemory } from './studio-memory.ts'

const { values: { only, minutes, out } } = parseArgs({ options: {
  only: { type: 'string', default: 'timings' }, minutes: { type: 'string', default: '60' }, out: { type: 'string', default: 'docs/results' },
} })
if (only !== 'timings' && only !== 'memory') throw new Error(`--only is "${only}", expected timings or memory.`)
if (!/^[1-9]\d*$/.test(minutes)) throw new Error(`--minutes is "${minutes}", expected a whole number of minutes.`)

const seconds = (n: number): Promise<void> => new Promise(done => setTimeout(done, 1000 * n))
const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)]

// Scripts for the page are texts, because the compiler of this file would insert calls to helpers that the page does not have.
const watchGrowth = `{
  const look = () => {
    const canvas = document.querySelector('canvas')
    const data = canvas ? canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data : []
    let count = 0
    for (let at = 3; at < data.length; at += 4) count += data[at] > 25
    if (count > 20) globalThis.grown = performance.now()
    else requestAnimationFrame(look)
  }
  requestAnimationFrame(look)
}`
const watchTasks = `{
  globalThis.longest = 0
  new PerformanceObserver(list => {
    for (const { duration } of list.getEntries()) globalThis.longest = Math.max(globalThis.longest, duration)
  }).observe({ type: 'longtask' })
}`
/** Moves the time line to a step; the milliseconds from then until the last of the pictures that show it was drawn. */
const jump = `async step => {
  let drawn = 0
  const { putImageData } = CanvasRenderingContext2D.prototype
  CanvasRenderingContext2D.prototype.putImageData = function (...args) {
    putImageData.apply(this, args)
    drawn = performance.now()
  }
  const slider = document.querySelector('#step'), began = performance.now()
  slider.value = step
  slider.dispatchEvent(new Event('input', { bubbles: true }))
  while (drawn === 0 || performance.now() - drawn < 100) await new Promise(requestAnimationFrame)
  CanvasRenderingContext2D.prototype.putImageData = putImageData
  return drawn - began
}`

async function whenGrown(page: Page): Promise<number> {
  for (;;) {
    const grown = await page.evaluate('globalThis.grown')
    if (typeof grown === 'number') return grown
    await seconds(0.05)
  }
}

/** Milliseconds from the beginning of loading until more than twenty cells can be seen. */
async function firstGrowth(): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < 5; i++) {
    const studio = await visit('desktop')
    await studio.page.addInitScript(watchGrowth)
    await studio.open('')
    times.push(await whenGrown(studio.page))
    await studio.leave()
  }
  return times
}

/** Pictures per second, and steps per picture, of a lizard on 72×72 cells at full speed. */
async function pace(choice: 'wasm' | 'webgpu'): Promise<{ pictures: number; steps: number; name: string }> {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#play?size=72&speed=10')
  const chip = page.getByRole('combobox', { name: 'What computes' })
  await seconds(2)
  await chip.selectOption(choice)
  await seconds(5)
  const pictures: number[] = [], steps: number[] = []
  for (let i = 0; i < 10; i++) {
    await seconds(0.6)
    pictures.push(await figure({ page }, 'pictures / s'))
    steps.push(await figure({ page }, 'steps / s'))
  }
  const name = await chip.locator(`option[value=${choice}]`).textContent() ?? choice
  await studio.leave()
  return { pictures: median(pictures), steps: median(steps) / median(pictures), name }
}

/** Milliseconds from moving the time line until any of 256 steps is visible, for a lizard with all its channels. */
async function scrubbing(): Promise<number[]> {
  const studio = await visit('desktop')
  await studio.open('#inside?steps=256')
  await studio.page.locator('.map').nth(15).waitFor()
  await seconds(1)
  const times: number[] = []
  for (let i = 1; i <= 60; i++) times.push(Number(await studio.page.evaluate(`(${jump})(${(97 * i) % 257})`)))
  await studio.leave()
  return times
}

const iterations = 24, warm = 4

/** Iterations per second of the preset growing in the page, and the longest task on its thread meanwhile. */
async function trainingInPage(): Promise<{ rate: number; longest: number }> {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#train')
  await page.getByLabel('The target: lizard').waitFor()
  await page.getByLabel('train.iterations', { exact: true }).fill(String(iterations))
  await page.evaluate(watchTasks)
  await seconds(0.5)
  await page.getByRole('button', { name: 'Train', exact: true }).click()
  const rate = await timed(async () => figure({ page }, /^of \d+ iterations$/))
  const longest = Number(await page.evaluate('globalThis.longest'))
  await studio.leave()
  return { rate, longest }
}

/** Iterations per second between the warm-up and the end, from a counter. */
async function timed(count: () => Promise<number>): Promise<number> {
  let began = 0, from = 0
  for (;;) {
    const done = await count().catch(() => 0)
    if (from === 0 && done >= warm) [began, from] = [performance.now(), done]
    if (done >= iterations) return (1000 * (done - from)) / (performance.now() - began)
    await seconds(0.02)
  }
}

/** The same in Node. */
async function trainingInNode(): Promise<number> {
  const checked = configOf({ preset: 'growing' })
  if (!('config' in checked)) throw new Error('the preset is wrong')
  const trainer = trainerOf(checked.config, fit(await emoji('🦎'), 40), { backend: cpu({ threads: cores }) })
  let began = 0
  for await (const { iteration } of train(trainer, { iterations, state: trainer.init(key(0)) })) {
    if (iteration === warm) began = performance.now()
  }
  return (1000 * (iterations - warm)) / (performance.now() - began)
}

/** Gzipped kilobytes of the page with the scripts and styles that Play loads, without models and pictures. */
async function pageSize(): Promise<number> {
  const studio = await visit('desktop')
  const files = new Set(['index.html'])
  studio.page.on('request', request => {
    const [file] = /assets\/[^/]+\.(?:js|css)$/.exec(request.url()) ?? []
    if (file) files.add(file)
  })
  await studio.page.addInitScript(watchGrowth)
  await studio.open('')
  await whenGrown(studio.page)
  await studio.leave()
  const folder = new URL('../dist/studio/', import.meta.url)
  return [...files].reduce((sum, name) => sum + gzipSync(readFileSync(new URL(name, folder)), { level: 9 }).length, 0) / 1024
}

/** Everything except the memory, in the table studio. */
async function measureTimings(): Promise<void> {
  const rows: Row[] = []
  const row = (what: string, value: number, unit: string, goal: string): void => { rows.push({ 'what': what, 'measured': value, 'unit': unit, 'goal': goal }) }
  row('the page, gzipped, without models', await pageSize(), 'KB', '< 400')
  const growth = await firstGrowth()
  row('first growth after load, median of 5', median(growth), 'ms', '< 1000')
  for (const choice of ['wasm', 'webgpu'] as const) {
    const { pictures, steps, name } = await pace(choice)
    row(`Play, 72×72, pictures a second, ${name}`, pictures, '1/s', choice === 'wasm' ? '≥ 60' : '')
    row(`steps in each, ${name}`, steps, '', choice === 'wasm' ? '≥ 4' : '')
  }
  const jumps = await scrubbing()
  row('Look inside, from the hand to any of 256 steps, 72×72, median of 60 jumps', median(jumps), 'ms', '< 100')
  row('the same, the longest', Math.max(...jumps), 'ms', '< 100')
  // In turns, with ratios of neighbouring runs: other programs change the speed of a core from minute to minute.
  const ratios: number[] = [], tasks: number[] = []
  for (let i = 0; i < 3; i++) {
    const { rate, longest } = await trainingInPage()
    ratios.push(rate / await trainingInNode())
    tasks.push(longest)
  }
  row('training, preset growing, in parts of Node’s speed, median of 3', 100 * median(ratios), '%', '≥ 70')
  row('longest task on the page’s thread during training', Math.max(...tasks), 'ms', '≤ 50')
  await writeTable(out, {
    name: 'studio', title: 'Studio in Chromium', rows,
    notes: [
      `Debian’s Chromium without a window, on ${cores} cores that the page, the browser and the engine share.`,
      'Pictures a second and steps are those that Play shows itself; the speed is “as fast as it goes”, which takes about 8 ms of each picture.',
      'Chromium fuses multiplications and additions, which Node 20 does not: that is why training may be faster than Node’s.',
      'Tasks shorter than 50 ms are not told by browsers, and count as 0.',
      `Load of the machine over the last 15 minutes, of which this page is about ${cores}: ${loadavg()[2].toFixed(0)}. Beside other work everything is slower; ratios are of runs in turn.`,
    ],
    rounds: [{ growth, jumps, ratios, tasks }],
  })
}

try {
  await (only === 'memory' ? watchMemory(Number(minutes), out) : measureTimings())
} finally {
  await closeBrowser()
}
