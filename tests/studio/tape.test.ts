// Tape, as a person would use it: scripts are written with completion and underlined mistakes, run, and stopped; their tapes are
// drawn, and their backward passes shown step by step.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { examples } from '../../studio/src/rooms/tape/examples.ts'
import { until } from './look.ts'
import { closeBrowser, screens, visit, type Screen, type Visit } from './visit.ts'

afterAll(closeBrowser)

const rows = ({ page }: Visit) => page.locator('.tape-row')

/** Waits until a script has ended. */
async function ended({ page }: Visit): Promise<void> {
  await until(async () => await page.getByRole('button', { name: 'Run', exact: true }).isEnabled())
}

/** Replaces the script in the editor. */
async function write({ page }: Visit, text: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Script' }).focus() // a click could meet what is said of the word under the pointer
  await page.keyboard.press('Control+a')
  await page.keyboard.insertText(text)
}

describe.each(Object.keys(screens) as Screen[])('on a %s', screen => {
  it('draws the tape of a function, and its backward pass', async () => {
    const studio = await visit(screen)
    const { page } = studio
    await studio.open('#tape?example=layers')
    await until(async () => await rows(studio).count() > 5)
    await ended(studio)
    await studio.picture('tape')
    const back = page.getByRole('button', { name: 'Step back' })
    for (let i = 0; i < 4; i++) await back.click()
    await page.getByText(/^Way back, step 4 of \d+/).waitFor()
    expect(await page.locator('.tape-row.now').count()).toBe(1)
    await studio.picture('tape-back')
    await page.getByRole('button', { name: 'To the gradient' }).click()
    for (const path of ['w1', 'b1', 'w2']) await page.getByText(`∂L/∂${path}`).waitFor()
    expect(await studio.barriers()).toEqual([])
    await page.getByLabel('Example').selectOption('perception')
    await page.locator('.tape-row', { hasText: 'concat' }).waitFor()
    await ended(studio)
    await page.getByRole('button', { name: 'To the gradient' }).click()
    await studio.picture('tape-cells')
    // The row of the step is visible, however long the tape is.
    await page.getByLabel('Example').selectOption('rollout')
    await page.getByRole('radio', { name: 'fused' }).waitFor()
    await ended(studio)
    for (let i = 0; i < 6; i++) await back.click()
    const [box, now] = [await page.locator('.tape-rows').boundingBox(), await page.locator('.tape-row.now').boundingBox()]
    expect(now!.y).toBeGreaterThanOrEqual(box!.y)
    expect(now!.y + now!.height).toBeLessThanOrEqual(box!.y + box!.height)
    await studio.picture('tape-rollout')
    await studio.leave()
  })
})

it('runs every example, none of which has a mistake', async () => {
  const studio = await visit('desktop', { colorScheme: 'dark' })
  const { page } = studio
  await studio.open('#tape')
  for (const { name } of examples) {
    await page.getByLabel('Example').selectOption(name)
    await ended(studio)
    await until(async () => await rows(studio).count() > 1)
    expect(await page.locator('.mistake').allTextContents()).toEqual([])
    await page.waitForTimeout(400) // the underlining waits until nobody types
    expect(await page.locator('.cm-lintRange-error').allTextContents(), name).toEqual([])
  }
  await page.getByLabel('Example').selectOption('checkpoint')
  await until(async () => await page.getByRole('radio', { name: 'again' }).isVisible())
  await page.getByRole('radio', { name: 'again' }).check()
  expect(await page.locator('.tape-row.checkpoint').count()).toBe(2)
  await studio.picture('tape-checkpoint')
  expect(await studio.barriers()).toEqual([])
  await studio.leave()
})

it('completes names from the real types, and underlines a mistake where it is', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#tape')
  await ended(studio)
  await write(studio, "import * as cg from 'cellgrad'\nconst x: string = cg.tensor([1, 2])\ncg.depthwise")
  await page.getByRole('option', { name: 'depthwiseConv' }).waitFor()
  await page.locator('.explained').getByText(/depthwise\(/).first().waitFor()
  await until(async () => (await page.locator('.cm-lintRange-error').allTextContents()).join() === 'x')
  await studio.picture('tape-editor')
  await page.keyboard.press('Escape')
  await page.locator('.cm-lintRange-error').hover()
  await page.getByText("Type 'Tensor' is not assignable to type 'string'.").waitFor()
  expect(await page.locator('.mistake').count()).toBe(0) // nothing was run
  await studio.leave()
})

it('stops an endless script, and says what fails in another', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#tape')
  await ended(studio)
  await write(studio, 'for (;;) {}')
  await page.keyboard.press('Control+Enter')
  await page.getByRole('alert').getByText('the script took more than 10 seconds and was ended.').waitFor()
  await page.getByRole('button', { name: 'Run', exact: true }).click()
  await page.getByRole('button', { name: 'Stop' }).click()
  await page.getByRole('alert').getByText('the script was stopped.').waitFor()
  await write(studio, "import { add, tensor } from 'cellgrad'\nadd(tensor([1]), tensor([1, 2, 3, 4]).nothing)")
  await page.keyboard.press('Control+Enter')
  await page.getByRole('alert').getByText(/^add: /).waitFor()
  await write(studio, "import fs from 'fs'\nfs.rmSync('x')")
  await page.keyboard.press('Control+Enter')
  await page.getByRole('alert').getByText("a script here imports from 'cellgrad' alone, not from 'fs'.").waitFor()
  await page.getByRole('button', { name: 'As it was' }).click()
  await until(async () => await rows(studio).count() === 2)
  // The text is still there after a visit to another room.
  await write(studio, "console.log('still here')")
  await page.getByRole('link', { name: 'Play' }).click()
  await page.getByRole('link', { name: 'Tape' }).click()
  await page.getByText('still here', { exact: true }).waitFor()
  expect(await rows(studio).count()).toBe(0)
  await studio.leave()
})

it('reports every kind of error of a script, and stays usable while one prints without end', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#tape')
  await ended(studio)
  const says = async (script: string, told: string): Promise<void> => {
    await write(studio, script)
    await page.keyboard.press('Control+Enter')
    await expect.poll(() => page.getByRole('alert').filter({ visible: true }).allTextContents(), { timeout: 60_000 }).toEqual([told])
  }
  await says('const x = ', 'Line 1: Expression expected.')
  await says("// A line\nthrow 'words'", 'the script threw words.')
  await says('// A line\nthrow new Error("")', 'Line 2: the script threw an Error that says nothing.')
  await says('// A line\nPromise.reject(new Error("lost"))', 'Line 2: lost')
  await says('setTimeout(() => { throw new Error("late") }, 10)\nawait new Promise(resolve => setTimeout(resolve, 500))', 'Line 1: late')
  await says("import { mul, tensor, traceOf } from 'cellgrad'\nfor (;;) traceOf(x => mul(x, x), tensor([1]))", 'Line 2: a script here draws at most 50 tapes.')
  await until(async () => await page.getByRole('radiogroup', { name: 'Function' }).or(page.getByRole('group', { name: 'Function' })).locator('input').count() === 50)
  await write(studio, 'const loop: { self?: object } = {}\nloop.self = loop\nconsole.log(loop)\nfor (;;) console.log(1)')
  await page.keyboard.press('Control+Enter')
  await page.getByText('[object Object]').waitFor()
  await page.getByRole('button', { name: 'Stop' }).click({ timeout: 2000 }) // the page hears it at once
  await page.getByRole('alert').getByText('the script was stopped.').waitFor()
  await studio.leave()
})

it('underlines the line at which a run failed, and goes there', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#tape')
  await ended(studio)
  // Declarations of types leave no line in the JavaScript; the error is thrown in the library, four calls below the script.
  await write(studio, `import { grad, mul, sum, tensor } from 'cellgrad'
import type { Tensor } from 'cellgrad'

type Scale = {
  readonly by: number
}

const scale: Scale = { by: 2 }
const loss = (x: Tensor) => {
  return sum(mul(x, tensor([1, 2, 3, scale.by])))
}
grad(loss)(tensor([1, 2, 3]))
`)
  await page.keyboard.press('Control+Enter')
  await page.getByRole('alert').getByText(/^mul: /).waitFor()
  await until(async () => (await page.locator('.cm-lintRange-error').allTextContents()).join('') === 'return sum(mul(x, tensor([1, 2, 3, scale.by])))')
  await page.locator('.cm-lintRange-error').first().hover()
  await page.locator('.cm-tooltip').getByText(/^mul: /).waitFor()
  await studio.picture('tape-failed')
  await page.getByRole('alert').getByRole('button', { name: 'Line 10' }).click()
  await page.keyboard.insertText(' ')
  await until(async () => await page.locator('.cm-lintRange-error').count() === 0) // it is another script now
  expect(await page.locator('.cm-activeLine').textContent()).toContain('return sum')
  await studio.leave()
})

it('runs a script on the GPU, within the same limits', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#tape')
  await ended(studio)
  const open = "import { full, grad, mul, square, sum, tensor, traceOf, webgpu, type Tensor } from 'cellgrad'\nconst backend = await webgpu()\n"
  await write(studio, `${open}const x = tensor([1, 2, 3], { backend })
const loss = (x: Tensor) => sum(square(x))
console.log(backend.name, await grad(loss)(x).data())
traceOf(loss, x)
`)
  await page.keyboard.press('Control+Enter')
  await until(async () => await rows(studio).count() === 4)
  await ended(studio)
  expect(await page.locator('.mistake').allTextContents()).toEqual([])
  await page.getByText('webgpu [2, 4, 6]', { exact: true }).waitFor()
  await studio.picture('tape-gpu')
  await write(studio, `${open}for (let x = full([512, 512], 1, { backend }); ; x = mul(x, x)) await sum(x).item()\n`)
  await page.keyboard.press('Control+Enter')
  await page.getByRole('button', { name: 'Stop' }).click()
  await page.getByRole('alert').getByText('the script was stopped.').waitFor()
  await page.getByRole('button', { name: 'Run', exact: true }).click()
  await page.getByRole('alert').getByText('the script took more than 10 seconds and was ended.').waitFor()
  await page.getByRole('button', { name: 'As it was' }).click()
  await until(async () => await rows(studio).count() === 2)
  await studio.leave()
})

it('lets no script connect to another server', async () => {
  let heard = 0
  const other = createServer((_, response) => {
    heard++
    response.writeHead(200, { 'access-control-allow-origin': '*' }).end()
  })
  await new Promise<void>(done => other.listen(0, '127.0.0.1', done))
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#tape')
  await ended(studio)
  await write(studio, `await fetch('http://127.0.0.1:${(other.address() as AddressInfo).port}/?stolen')`)
  await page.keyboard.press('Control+Enter')
  await page.getByRole('alert').getByText('Failed to fetch').waitFor()
  expect(heard).toBe(0)
  await studio.leave()
  other.close()
})

it('loads the editor when the room is opened, not with the page', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  const scripts: Promise<Buffer>[] = []
  page.on('response', response => { if (/\.(js|css|html)$|\/$/.test(new URL(response.url()).pathname)) scripts.push(response.body()) })
  await studio.open('')
  await until(async () => await page.locator('.figure').count() > 0 && await page.getByRole('application').isVisible())
  await page.waitForTimeout(1000)
  const sizes = (await Promise.all(scripts)).map(body => gzipSync(body).length)
  expect(sizes.length).toBeGreaterThan(2)
  expect(sizes.reduce((a, b) => a + b)).toBeLessThan(400_000)
  await studio.leave()
})

it('keeps the text over a reload, and restores the original example', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#tape')
  await ended(studio)
  await write(studio, "import { mul, tensor, traceOf } from 'cellgrad'\ntraceOf(x => mul(x, 7), tensor([1]))")
  await page.reload()
  await page.getByText('mul(x, 7)').waitFor()
  await ended(studio)
  expect(await rows(studio).count()).toBe(2)
  await page.getByRole('button', { name: 'As it was' }).click()
  await page.getByText('const square').waitFor()
  await studio.leave()
})
