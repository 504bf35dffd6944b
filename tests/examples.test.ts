// The README's script is examples/grow.ts, word for word, and it runs.

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { run as cellgrad, temporaryFolder, writeConfig } from './cli/run.ts'

const run = promisify(execFile)
const folder = temporaryFolder()

it('shows the script of examples/grow.ts in the README', async () => {
  const [readme, script] = await Promise.all([readFile('README.md', 'utf8'), readFile('examples/grow.ts', 'utf8')])
  const shown = /```ts\n(import[^]*?)```/.exec(readme)?.[1]
  expect(shown).toBe(script)
})

/** Runs a script as its reader would, in a folder of its own. */
async function inFolder(script: string, args: string[], then: (folder: string, output: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'cellgrad-'))
  try {
    await writeFile(join(folder, 'script.mts'), script)
    const tsx = [resolve('node_modules/tsx/dist/cli.mjs'), '--tsconfig', resolve('tsconfig.json')]
    const { stdout } = await run(process.execPath, [...tsx, 'script.mts', ...args], { cwd: folder })
    await then(folder, stdout)
  } finally {
    await rm(folder, { recursive: true })
  }
}

it('trains with it', async () => {
  await inFolder(await readFile('examples/grow.ts', 'utf8'), ['41'], async (folder, stdout) => {
    const losses = stdout.trim().split('\n').map(line => Number(line.split(' ')[1]))
    expect(losses).toHaveLength(3)
    expect(losses[2]).toBeLessThan(losses[0] - 0.3)
    expect((await readFile(join(folder, 'lizard.gif'))).subarray(0, 6).toString()).toBe('GIF89a')
  })
})

it('grows a model on the canvas of a page', async () => {
  const model = JSON.stringify(resolve('assets/models/lizard-1f98e.safetensors'))
  // The parts of a page that the script uses; the last picture is counted, pixel by pixel.
  const page = `import { readFile } from 'node:fs/promises'
    let drawn
    globalThis.document = { querySelector: () => ({ getContext: () => ({ putImageData: image => { drawn = image } }) }) }
    globalThis.ImageData = class { constructor(data, width) { Object.assign(this, { data, width, height: data.length / 4 / width }) } }
    globalThis.requestAnimationFrame = setImmediate
    globalThis.fetch = async () => new Response(await readFile(${model}))
    await import(${JSON.stringify(resolve('examples/page.ts'))})
    console.log(drawn.width, drawn.height, drawn.data.filter((v, i) => i % 4 === 3 && v > 128).length)`
  await inFolder(page, [], async (_, stdout) => {
    const [width, height, visible] = stdout.trim().split(' ').map(Number)
    expect([width, height]).toEqual([72, 72])
    expect(visible).toBeGreaterThan(300) // a lizard has some 500
  })
})

it('checks the gradients of the rule that the README writes as code', async () => {
  const snippet = /```ts\n(const mine[^]*?)```/.exec(await readFile('README.md', 'utf8'))![1]
  const names = 'add, checkRule, concat, customRule, dense, filter, fire, full, mul, normal, reshape, tanh, where'
  const script = `import { ${names} } from 'cellgrad'\nimport type { Tensor } from 'cellgrad'\n${snippet}\nconsole.log(checkRule(mine).length)\n`
  await inFolder(script, [], async (_, stdout) => expect(stdout).toBe('2\n'))
})

it('sends the numbers of a run to a tracker, and keeps training if there is none', async () => {
  const bodies: { run: string; rows: { iteration: number; loss: number }[] }[] = []
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (data: Buffer) => { text += data.toString() })
    request.on('end', () => { bodies.push(JSON.parse(text) as typeof bodies[0]); response.end() })
  })
  await new Promise<void>(done => { server.listen(0, '127.0.0.1', done) })
  const config = await writeConfig(folder('run.yaml'), 'iterations: 25\n')
  const args = ['train', 'lizard', '--config', config, '--on-metrics', 'examples/tracker.mjs', '--out']
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/log`
  const { status, err } = await cellgrad([...args, folder('a')], { env: { TRACKER_URL: url } })
  server.close()
  expect([status, err]).toEqual([0, ''])
  expect(bodies.map(({ run, rows }) => [run, rows.length])).toEqual([[folder('a'), 20], [folder('a'), 5]])
  const metrics = (await readFile(folder('a', 'metrics.jsonl'), 'utf8')).trimEnd().split('\n').map(line => JSON.parse(line) as object)
  expect(bodies.flatMap(({ rows }) => rows).map(({ iteration, loss }) => [iteration, loss]))
    .toEqual(metrics.map(row => [(row as { iteration: number }).iteration, (row as { loss: number }).loss]))

  const without = await cellgrad([...args, folder('b')], { env: { TRACKER_URL: url } })
  expect(without).toMatchObject({ status: 0, err: 'tracker: fetch failed\ntracker: fetch failed\n' })
})
