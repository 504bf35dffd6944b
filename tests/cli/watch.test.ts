// A run that TensorBoard watches, stopped and resumed.

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { readEvents, readHparams, type Event } from '../experiment/event-reader.ts'
import { runHere } from './here.ts'
import { temporaryFolder, writeConfig } from './run.ts'

const folder = temporaryFolder()

it('event files have all numbers, pictures and histograms, and continue when a run is resumed', async () => {
  const config = await writeConfig(folder('run.yaml'), 'iterations: 6\n')
  const first = await runHere(['train', 'lizard', '--config', config, '--out', folder('a'), '--tensorboard'])
  expect(first).toMatchObject({ status: 0, err: '' })
  // A resumed run continues them without being asked to.
  expect(await runHere(['train', '--resume', folder('a'), '--iterations', '9'])).toMatchObject({ status: 0, err: '' })
  const names = (await readdir(folder('a', 'tensorboard'))).sort()
  expect(names).toHaveLength(2)
  const [before, after] = await Promise.all(names.map(async name => readEvents(await readFile(folder('a', 'tensorboard', name)))))
  expect(before[0].file_version).toBe('brain.Event:2')
  expect(after.slice(0, 2)).toMatchObject([{ file_version: 'brain.Event:2' }, { step: 7, session_log: { status: 'START' } }])

  const values = (events: Event[]) => events.flatMap(({ step = 0, summary }) => (summary?.value ?? []).map(value => ({ step, ...value })))
  const all = [...values(before), ...values(after)]
  const rows = (await readFile(folder('a', 'metrics.jsonl'), 'utf8')).trimEnd().split('\n').map(line => JSON.parse(line) as Record<string, number>)
  expect(rows).toHaveLength(9)
  for (const tag of ['loss', 'gradNorm', 'steps', 'rate']) {
    expect(all.filter(value => value.tag === tag).map(({ step, simple_value }) => [step, simple_value]))
      .toEqual(rows.map(row => [row.iteration, Math.fround(row[tag])]))
  }
  const saved = (tag: string) => all.filter(value => value.tag === tag)
  expect(saved('grown').map(({ step, image }) => [step, image!.width, image!.height])).toEqual([[4, 8, 8], [8, 8, 8]])
  for (const path of ['update.w1', 'update.b1', 'update.w2', 'update.b2']) {
    for (const group of ['weights', 'gradients']) expect(saved(`${group}/${path}`).map(({ step }) => step)).toEqual([4, 8])
  }
  expect(saved('weights/update.w1')[0].histo!.num).toBe(24 * 8)
  // The norm of the gradient is that of the histograms' numbers.
  const squares = all.filter(({ tag, step }) => tag.startsWith('gradients/') && step === 8).map(({ histo }) => histo!.sum_squares)
  expect(Math.sqrt(squares.reduce((a, b) => a + b)) / rows[7].gradNorm).toBeCloseTo(1, 4)

  const hparams = all.filter(({ tag }) => tag.startsWith('_hparams_')).map(({ tag, metadata }) => ({ tag, ...readHparams(metadata!.plugin_data.content!) }))
  expect(hparams.map(({ tag }) => tag)).toEqual(['experiment', 'session_start_info', 'session_end_info', 'session_end_info'].map(tag => `_hparams_/${tag}`))
  expect(hparams[1].session_start_info!.hparams).toMatchObject({ 'train.batch': { number_value: 3 }, 'rule.update.hidden': { string_value: '[8]' }, 'data.target': { string_value: 'lizard' } })
  expect(Buffer.from(all.find(({ tag }) => tag === 'config')!.tensor!.string_val[0]).toString()).toContain('\n  batch: 3\n')
})

it('says what is wrong with a module', async () => {
  await writeFile(folder('none.mjs'), 'export const other = 1\n')
  await writeFile(folder('broken.mjs'), 'export const {\n')
  const train = (file: string) => runHere(['train', 'lizard', '--on-metrics', folder(file), '--out', folder('x')])
  const [missing, none, broken] = await Promise.all(['missing.mjs', 'none.mjs', 'broken.mjs'].map(train))
  const where = (file: string) => `cellgrad train: --on-metrics ${folder(file)}: `
  expect(missing).toMatchObject({ status: 2, err: `${where('missing.mjs')}there is no such file\n` })
  expect(none).toMatchObject({ status: 2, err: `${where('none.mjs')}it exports no function onMetrics\n` })
  expect(broken).toMatchObject({ status: 2, err: expect.stringContaining(where('broken.mjs')) })
  expect(await readdir(join(folder()))).not.toContain('x')
})
