// Sweeps end to end: the same result for any number of workers, and after kill -9; failures are reported.

import { existsSync } from 'node:fs'
import { copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parse } from 'yaml'
import { beforeAll, expect, it, vi } from 'vitest'
import { defaultThreads } from '../../src/backends/wasm/default-threads.ts'
import { environment } from '../../src/cli/sweep/processes.ts'
import { readEvents, readHparams } from '../experiment/event-reader.ts'
import { long } from '../long.ts'
import { runHere } from './here.ts'
import { killer, run, start, temporaryFolder, writeConfig } from './run.ts'

const folder = temporaryFolder()
const fields = 'fields:\n  train.batch: [2, 3]\n  train.damaged: { values: [0, 1], when: { train.batch: [3] } }\n'

beforeAll(async () => {
  await writeConfig(folder('base.yaml'), 'iterations: 9\nreport: { tensorboard: true }\n')
  await writeFile(folder('sweep.yaml'), `base: base.yaml\n${fields}halving: { least: 3 }\n`)
})

/** The results of a sweep: its report and tables, and each run's parameters. */
async function found(name: string): Promise<Record<string, string>> {
  const files = ['report.md', 'runs.csv', 'best.yaml', 'parallel.svg', 'loss.svg']
  const models = (await readdir(folder(name, 'runs'))).map(id => `runs/${id}/checkpoint.safetensors`).sort()
  return Object.fromEntries(await Promise.all([...files, ...models].map(async file => [file, (await readFile(folder(name, file))).toString('base64')])))
}

/** The contents of a run's event files: the table's fields and this run's values, and the steps of its losses. */
async function toldTensorboard(at: string): Promise<{ fields: string[]; values: Record<string, unknown>; steps: number[] }> {
  const names = (await readdir(join(at, 'tensorboard'))).sort()
  const events = (await Promise.all(names.map(async name => readEvents(await readFile(join(at, 'tensorboard', name)))))).flat()
  const hparams = events.flatMap(({ summary }) => summary?.value ?? []).filter(({ tag }) => tag.startsWith('_hparams_')).map(({ metadata }) => readHparams(metadata!.plugin_data.content!))
  const steps = events.reduce<number[]>((before, { step = 0, session_log, summary }) => (
    session_log ? before.filter(other => other < step) : summary?.value.some(({ tag }) => tag === 'loss') ? [...before, step] : before
  ), [])
  const given = hparams.flatMap(({ session_start_info }) => Object.entries(session_start_info?.hparams ?? {}))
  return { fields: hparams.flatMap(({ experiment }) => (experiment?.hparam_infos ?? []).map(({ name }) => name)), values: Object.fromEntries(given.map(([name, x]) => [name, Object.values(x)[0]])), steps }
}

/** The backend on which each run was trained, each time: `CPU, 2`. */
async function computers(name: string): Promise<string[]> {
  const ids = await readdir(folder(name, 'runs'))
  const abouts = await Promise.all(ids.map(async id => JSON.parse(await readFile(folder(name, 'runs', id, 'about.json'), 'utf8')) as { computer: string }[]))
  return abouts.flat().map(({ computer }) => computer.split(' thread')[0])
}

it('shares the cores among its processes', () => {
  vi.stubEnv('CELLGRAD_THREADS', undefined)
  for (const workers of [1, 2, 3, 100]) {
    const threads = Number(environment(workers).CELLGRAD_THREADS)
    expect(threads).toBeGreaterThanOrEqual(1)
    expect(threads * workers).toBeLessThanOrEqual(Math.max(workers, availableParallelism()))
  }
  vi.unstubAllEnvs()
})

it('is the same for one worker and for three, and done once', async () => {
  const [one, three] = await Promise.all([1, 3].map(n => run(['sweep', folder('sweep.yaml'), '--out', folder(`by-${n}`), '--workers', String(n)])))
  expect([one.status, one.err, three.status, three.err]).toEqual([0, '', 0, ''])
  expect(one.out).toContain(`3 candidates, up to 9 iterations, in ${folder('by-1')}\n`)
  expect(await found('by-3')).toEqual(await found('by-1'))
  expect(await computers('by-3')).toContain(`CPU, ${defaultThreads()}`) // the last, which was alone

  const report = await readFile(folder('by-1', 'report.md'), 'utf8')
  const rows = [...report.matchAll(/^\| (\d) \| (\d?) \| (\d+) \| (0\.\d+) \|$/gm)].map(row => row.slice(1, 4).join('/'))
  expect(rows.map(row => row.slice(0, row.lastIndexOf('/'))).sort()).toEqual(['2/', '3/0', '3/1'])
  expect(rows).toHaveLength(3)
  expect(rows[0]).toMatch(/\/9$/) // the best alone was trained to the end
  expect(rows.slice(1).every(row => row.endsWith('/3'))).toBe(true)
  expect((await readFile(folder('by-1', 'best.yaml'), 'utf8'))).toContain(`\n  batch: ${rows[0][0]}\n`)

  // TensorBoard compares the fields of the sweep, and the steps of a promoted run continue.
  for (const id of await readdir(folder('by-3', 'runs'))) {
    const { fields, values, steps } = await toldTensorboard(folder('by-3', 'runs', id))
    const config = parse(await readFile(folder('by-3', 'runs', id, 'config.yaml'), 'utf8')) as { train: Record<string, number> }
    expect(fields.sort()).toEqual(['seed', 'train.batch', 'train.damaged'])
    expect(values).toEqual({ seed: 0, 'train.batch': config.train.batch, 'train.damaged': config.train.damaged })
    expect(steps).toEqual(Array.from({ length: config.train.iterations }, (_, i) => i + 1))
  }

  // Started again it only reads the results; a run whose folder was lost is trained again, to the same bits.
  const before = await found('by-1')
  const ids = await readdir(folder('by-1', 'runs'))
  const metrics = await readFile(folder('by-1', 'runs', ids[0], 'metrics.jsonl'), 'utf8')
  await rm(folder('by-1', 'runs', ids[1]), { recursive: true })
  expect(await run(['sweep', folder('sweep.yaml'), '--out', folder('by-1')])).toMatchObject({ status: 0, err: '' })
  expect(await found('by-1')).toEqual(before)
  expect(await readFile(folder('by-1', 'runs', ids[0], 'metrics.jsonl'), 'utf8')).toBe(metrics)
}, 180_000)

it.runIf(long)('ends when its budget of iterations is spent', async () => {
  await writeFile(folder('short.yaml'), `base: base.yaml\n${fields}budget: { iterations: 19 }\n`)
  const { status, out, err } = await run(['sweep', folder('short.yaml'), '--out', folder('short'), '--workers', '3'])
  expect([status, err]).toEqual([0, ''])
  expect(out).toContain('\nThe budget of 19 iterations is spent, with 2 of 3 candidates trained.\n')
  expect(await readdir(folder('short', 'runs'))).toHaveLength(2)
  expect(await readFile(folder('short', 'report.md'), 'utf8')).toContain('\n\nThe budget of 19 iterations is spent, with 2 of 3 candidates trained.\n\n|')
}, 180_000)

it('ends when its budget of runs is spent, or its time is up', async () => {
  await writeConfig(folder('endless.yaml'), 'iterations: 1000000\n')
  const sweep = async (name: string, base: string, budget: string): Promise<void> => {
    await writeFile(folder(`${name}.yaml`), `base: ${base}\n${fields}seeds: [0, 1]\nbudget: ${budget}\n`)
    const spent = { late: 'The budget of 0.0001 minutes is spent, with 0 of 3 candidates trained.', enough: 'The budget of 3 runs is spent, with 1 of 3 candidates trained.' }[name]!
    expect(await run(['sweep', folder(`${name}.yaml`), '--out', folder(name), '--workers', '2'])).toMatchObject({ status: 0, err: '', out: expect.stringContaining(`\n${spent}\n`) })
    expect(await readFile(folder(name, 'report.md'), 'utf8')).toContain(`\n\n${spent}\n`)
  }
  await sweep('late', 'endless.yaml', '{ minutes: 0.0001 }')
  await sweep('enough', 'base.yaml', '{ runs: 3 }')
  expect(await readdir(folder('enough', 'runs'))).toHaveLength(2)
}, 180_000)

it('reports a run that fails, and trains the others', async () => {
  await writeFile(folder('failing.yaml'), 'base: { target: 🦎, size: 6, padding: 1, batch: 2, steps: [3, 6], iterations: 2, rule: { channels: { rgba: 4, hidden: 2 } } }\nfields: { target: [nothing.png, 🦎] }\nseeds: [0, 1]\n')
  const { status, out } = await run(['sweep', folder('failing.yaml'), '--out', folder('failing')])
  expect(status).toBe(0)
  expect(out).toContain('target nothing.png: 2 iterations, loss failed, failed\n')
  expect(out).toContain('\n2 runs failed, see ')
  const report = await readFile(folder('failing', 'report.md'), 'utf8')
  expect(report).toMatch(/\| 🦎 \| 2 \| 0\.\d+ ± 0\.\d+ \|\n\| nothing\.png \| 2 \| failed \|/)
  expect(report.match(/^- [0-9a-f]{16} failed: .*nothing\.png/gm)).toHaveLength(2)
}, 180_000)

it('gives up a run that is killed again and again, after as many retries as the file says, and trains the others', async () => {
  await writeConfig(folder('short-base.yaml'), 'iterations: 2\n')
  await writeFile(folder('given-up.yaml'), 'base: short-base.yaml\nfields: { train.batch: [3, 2] }\nretries: 1\n')
  const { status, out, err } = await run(['sweep', folder('given-up.yaml'), '--out', folder('given-up'), '--workers', '1'], { imports: [killer(folder('kills'), 'pid')] })
  expect([status, err]).toEqual([0, ''])
  expect(await readFile(folder('kills'), 'utf8')).toBe('xx')
  expect(out).toMatch(/batch 3: 2 iterations, loss failed\n(.*\n)*.*batch 2: 2 iterations, loss 0\.\d+\n/)
  expect(await readFile(folder('given-up', 'report.md'), 'utf8')).toMatch(/^- \w{16} failed: its process was killed 2 times without a new checkpoint in between \(retries of the sweep\)$/m)
}, 180_000)

it('does not continue with data that have changed', async () => {
  const copy = (emoji: string): Promise<void> => copyFile(`assets/emoji/${emoji}.png`, folder('picture.png'))
  await copy('lizard-1f98e')
  await writeConfig(folder('data.yaml'), `iterations: 1\ntarget: ${folder('picture.png')}\n`)
  await writeFile(folder('of-data.yaml'), 'base: data.yaml\nfields: { train.batch: [2] }\n')
  const sweep = () => run(['sweep', folder('of-data.yaml'), '--out', folder('of-data')])
  expect(await sweep()).toMatchObject({ status: 0, err: '' })
  await copy('butterfly-1f98b')
  const changed = `sweep: ${folder('picture.png')} is not what it was when ${folder('of-data')} was begun; put it back, or choose another folder (--out)\n`
  expect(await sweep()).toEqual({ status: 1, signal: null, out: '', err: changed })
  await copy('lizard-1f98e')
  expect(await sweep()).toMatchObject({ status: 0, err: '' })
  // Runs with other values stay, and are mentioned.
  await writeFile(folder('of-data.yaml'), 'base: data.yaml\nfields: { train.batch: [3] }\n')
  expect(await sweep()).toMatchObject({ status: 0, err: '', out: expect.stringContaining(`\n${folder('of-data')} has 1 more run, of other values; `) })
  await writeFile(folder('of-data', 'data.json'), '{ "pic')
  expect(await sweep()).toMatchObject({ status: 1, out: '', err: expect.stringMatching(/^sweep: .*data\.json is spoilt, .*\n$/) })
}, 180_000)

it('keeps a second one out of its folder, and continues after SIGTERM', async () => {
  await writeConfig(folder('long-base.yaml'), 'iterations: 4000\n')
  await writeFile(folder('long.yaml'), 'base: long-base.yaml\nfields: { train.batch: [2] }\n')
  const args = ['sweep', folder('long.yaml'), '--out', folder('held')]
  const { child, result } = start(args)
  while (!existsSync(folder('held', 'runs')) || (await readdir(folder('held', 'runs'))).length === 0) await sleep(20)
  const second = await run(args)
  expect([second.status, second.out]).toEqual([1, ''])
  expect(second.err).toMatch(new RegExp(`^train: ${folder('held')} is being trained by process ${child.pid} since `))
  child.kill('SIGTERM')
  const { status, out, err } = await result
  expect([status, err]).toEqual([143, ''])
  expect(out).toContain('\nStopped with 0 of 1 candidates trained. Go on with:\n  npx cellgrad sweep ')
  expect(await readFile(folder('held', 'report.md'), 'utf8')).toContain('\nThe sweep was stopped, with 0 of 1 candidates trained.\n')
}, 180_000)

it('refuses every mistake before it trains anything', async () => {
  const refused = async (name: string, text: string): Promise<string> => {
    await writeFile(folder(name), text)
    const { status, err, out } = await runHere(['sweep', name, '--out', 'never'], { cwd: folder() })
    expect([status, out]).toEqual([2, ''])
    return err
  }
  await writeFile(folder('auto.yaml'), 'base: { backend: auto }\nfields: { batch: [4] }\n')
  expect(await runHere(['sweep', 'auto.yaml', '--queue', 'redis://127.0.0.1:1'], { cwd: folder() })).toMatchObject({
    status: 2, err: 'cellgrad sweep: --queue does not go with backend: auto, by which each computer would decide what rounds; say cpu or webgpu\n',
  })
  expect(await refused('a.yaml', 'base: {}\nfields: { batch: [4, 0] }\n')).toMatch(/^a\.yaml: with batch 0: train\.batch is 0, expected a whole number /)
  expect(await refused('b.yaml', 'base: {}\nfields: { rate: { from: 1, to: 2 } }\n')).toBe('b.yaml: gridOf: rate.levels is undefined, expected a whole number > 0: into so many values a grid cuts a range.\n')
  expect(await refused('c.yaml', 'base: {}\nfields: { batch: [4] }\ndesing: grid\n')).toContain('c.yaml: there is no option "desing"; did you mean "design"?')
  expect(await refused('d.yaml', 'base: {}\nfields: { batch: [4] }\ndesign: random\n')).toContain('d.yaml: runs is null, expected a whole number > 0, for a design that is drawn.')
  expect(await refused('e.yaml', 'base: {}\nfields: { batch: [4] }\nbudget: { minutes: 40000 }\n')).toContain('e.yaml: budget.minutes is 40000, expected null, or a number > 0, at most 30000.')
  expect(existsSync(folder('never'))).toBe(false)
})

it.runIf(long)('is the same after kill -9 of its processes and of itself', async () => {
  const args = ['sweep', folder('sweep.yaml'), '--out', folder('killed'), '--workers', '2']
  for (let i = 0; i < 3; i++) {
    const { child, result } = start(args)
    await sleep(800 + 700 * i)
    child.kill('SIGKILL') // those whom it had begun notice, save and end
    await result
  }
  expect(await run(args)).toMatchObject({ status: 0, err: '' })
  if (!existsSync(folder('by-1'))) await run(['sweep', folder('sweep.yaml'), '--out', folder('by-1')])
  expect(await found('killed')).toEqual(await found('by-1'))
})
