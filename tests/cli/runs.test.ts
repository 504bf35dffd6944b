// The table of runs, over folders as training leaves them.

import { execFile } from 'node:child_process'
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, it } from 'vitest'
import { readRun } from '../../src/cli/run/read-runs.ts'
import { decodePng } from '../../src/node/index.ts'
import { bundled } from '../bundled.ts'
import { runHere } from './here.ts'
import { temporaryFolder } from './run.ts'

const folder = temporaryFolder()

/** A run's folder with so many iterations, whose loss is constant. */
async function makeRun(name: string, config: string, iterations: number, loss: number): Promise<void> {
  const path = folder('out', name)
  await mkdir(path, { recursive: true })
  await writeFile(join(path, 'config.yaml'), config)
  const rows = Array.from({ length: iterations }, (_, i) => ({ iteration: i + 1, loss, log10Loss: Math.log10(loss), gradNorm: 1, steps: 3, rate: 1e-3, seconds: i / 2 }))
  await writeFile(join(path, 'metrics.jsonl'), rows.map(row => `${JSON.stringify(row)}\n`).join(''))
}

beforeAll(async () => {
  await makeRun('lizard-2', 'target: 🦎\nbatch: 8\nrule: { fireRate: 0.5 }\n', 4, 0.02)
  await makeRun('lizard-10', 'target: 🦎\nbatch: 4\nrule: { fireRate: 0.5 }\n', 12, 0.5)
  await makeRun(join('sweep', 'fish-1'), 'target: 🐠\nbatch: 8\nrule: { fireRate: 1 }\n', 0, 1)
  for (const name of ['lizard-2', 'lizard-10']) await copyFile('assets/models/lizard-1f98e.safetensors', folder('out', name, 'model.safetensors'))
})

it('lists the runs and the fields in which they differ, in the order of names', async () => {
  const { status, out, err } = await runHere(['runs'], { cwd: folder() })
  expect([status, err]).toEqual([0, ''])
  expect(out.split('\n').map(line => line.trimEnd())).toEqual([
    'name              iteration  loss  seconds  rule.fireRate  train.batch  data.target',
    'out/lizard-2              4  0.02        2            0.5            8  🦎',
    'out/lizard-10            12   0.5        6            0.5            4  🦎',
    'out/sweep/fish-1          0                             1            8  🐠',
    '',
  ])
})

it('sorts, filters, compares two, and draws them', async () => {
  const cwd = folder()
  const csv = await runHere(['runs', 'out', '--sort=-loss', '--where', 'batch>=4,target=🦎', '--columns', 'name,loss', '--format', 'csv'], { cwd })
  expect(csv).toMatchObject({ status: 0, err: '', out: 'name,loss\nout/lizard-10,0.5\nout/lizard-2,0.02\n' })
  const two = await runHere(['runs', 'out/lizard-2', 'out/lizard-10', '--format', 'markdown', '--curves', 'curves.svg', '--strips', 'strips.svg'], { cwd })
  expect(two).toMatchObject({ status: 0, err: '' })
  expect(two.out).toBe('| field | out/lizard-2 | out/lizard-10 |\n| --- | --- | --- |\n| iteration | 4 | 12 |\n| loss | 0.02 | 0.5 |\n| seconds | 2 | 6 |\n| train.batch | 8 | 4 |\n')
  const svg = await readFile(folder('curves.svg'), 'utf8')
  expect(svg).toContain('>out/lizard-2<')
  expect(svg).toContain('>out/lizard-10<')
  // Both rows of the strips are of the same model.
  const strips = await readFile(folder('strips.svg'), 'utf8')
  expect([...strips.matchAll(/>([^<>\n]+)<\/text>/g)].map(([, text]) => text)).toEqual(['step 0', '24', '48', '72', '96', '144', '192', 'out/lizard-2', 'out/lizard-10'])
  const [first, second] = [...strips.matchAll(/base64,([^"]+)"/g)].map(([, png]) => png)
  expect(second).toBe(first)
  expect(decodePng(Buffer.from(first, 'base64')).width).toBeGreaterThan(7 * 72)
})

it('names the runs of a sweep by the fields in which they differ, and draws no more than can be told apart', async () => {
  const [cwd, name] = [folder(), (i: number): string => join('..', 'many', String(i).padStart(16, 'a'))]
  for (let i = 1; i <= 21; i++) await makeRun(name(i), `target: 🦎\nbatch: ${i}\n`, 2, i)
  await makeRun(join('..', 'fresh', 'one'), 'target: 🦎\n', 0, 1)
  const all = await runHere(['runs', 'many', '--sort=-batch', '--curves', 'many.svg'], { cwd })
  expect(all).toMatchObject({ status: 0, err: 'left out of many.svg: all but the first 20 of 21 runs; --sort and --where choose them\n' })
  const words = [...(await readFile(folder('many.svg'), 'utf8')).matchAll(/>batch (\d+)</g)].map(([, batch]) => Number(batch))
  expect(words).toEqual(Array.from({ length: 20 }, (_, i) => 21 - i))
  await expect(runHere(['runs', 'fresh', '--curves', 'none.svg'], { cwd })).resolves.toMatchObject({ status: 1, err: 'runs: none of the runs has a loss yet\n' })
})

it('reads any number of runs with few open files at a time, and only the end of long ones', async () => {
  for (let i = 0; i < 150; i++) await makeRun(join('..', 'hundreds', `r${i}`), `batch: ${i + 1}\n`, 1, 1)
  const script = 'ulimit -n 100 && exec "$0" "$@"'
  const { stdout, stderr } = await promisify(execFile)('sh', ['-c', script, process.execPath, bundled('src/cli/main.ts'), 'runs', 'hundreds', '--columns', 'iteration'], { cwd: folder() })
  expect([stderr, stdout.match(/^ +1$/gm)]).toEqual(['', Array.from({ length: 150 }, () => expect.any(String))])

  // With lines of any length: the end of the file is read if it has a hundred lines, else the whole file.
  for (const [name, padding] of [['short', 0], ['middling', 500], ['wide', 2000]] as const) {
    await makeRun(join('..', 'lengths', name), 'batch: 1\n', 0, 0)
    const rows = Array.from({ length: 1000 }, (_, i) => JSON.stringify({ iteration: i + 1, loss: i, seconds: i, padding: 'é'.repeat(padding) }))
    await writeFile(folder('lengths', name, 'metrics.jsonl'), `${rows.join('\n')}\n{"iteration":1001,"lo`)
    expect((await readRun(folder('lengths', name))).results).toEqual({ iteration: 1000, loss: (900 + 999) / 2, seconds: 999 })
  }
})

it('leaves out runs that cannot be read, and says so', async () => {
  await makeRun('broken', 'a: [\n', 1, 1)
  const broken = await runHere(['runs', 'out', '--columns', 'name'], { cwd: folder() })
  expect(broken.status).toBe(0)
  expect(broken.err).toMatch(/^left out: out\/broken\/config\.yaml:\d+: /)
  expect(broken.out.split('\n')).toHaveLength(5)
  const refused = (args: string[]) => runHere(['runs', ...args], { cwd: folder() })
  const [nowhere, format, field, none] = await Promise.all([refused(['nowhere']), refused(['--format', 'html']), refused(['--sort', 'los']), refused(['--where', 'batch=7'])])
  expect(nowhere).toMatchObject({ status: 2, err: 'cellgrad runs: there is no folder nowhere\n' })
  expect(await refused(['out/lizard-2/config.yaml'])).toMatchObject({ status: 2, err: 'cellgrad runs: there is no folder out/lizard-2/config.yaml\n' })
  expect(format).toMatchObject({ status: 2, err: 'cellgrad runs: --format is "html", expected \'text\', \'markdown\' or \'csv\'\n' })
  expect(field.err).toContain('runs: the field is "los", expected one of ')
  expect(none.err).toContain('none of 3 runs fulfils these conditions\n')
})
