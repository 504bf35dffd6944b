// Cross-validation by a sweep over the folds, on pictures that are made here: subjects stay together, each example is held
// out once, and ASHA continues the training of the best fold.

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { beforeAll, expect, it } from 'vitest'
import { heldOut } from '../../src/cli/run/lesson.ts'
import { key, uniform } from '../../src/index.ts'
import { lessonOf, runConfigOf, type Experiment, type Values } from '../../src/experiment/index.ts'
import { encodePng, readGroups, readTaskData } from '../../src/node/index.ts'
import { readEvents, readHparams } from '../experiment/event-reader.ts'
import { run, temporaryFolder } from './run.ts'

const folder = temporaryFolder()
const subjects = ['ann', 'bob', 'eve', 'ann', 'bob', 'eve', 'eve', 'eve']

beforeAll(async () => {
  for (const [name, count] of [['a', 3], ['b', 5]] as const) {
    await mkdir(folder('classes', name), { recursive: true })
    for (let i = 0; i < count; i++) {
      const data = Float32Array.from(uniform(key(i), [6 * 6 * 4]).toArray(), (x, j) => (j % 4 === 3 ? 1 : x))
      await writeFile(folder('classes', name, `${i}.png`), encodePng({ width: 6, height: 6, data }))
    }
  }
  await writeFile(folder('subjects.txt'), `${subjects.join('\n')}\n`)
  await writeFile(folder('base.yaml'), `task: classification
data: { images: ${folder('classes')}, size: 6 }
rule: { channels: { image: 1, hidden: 2, classes: 2 }, frozen: [image], perceive: [identity, sobelX], update: { hidden: 4, lastStd: 0.1 } }
train: { batch: 2, steps: [2, 4], optimiser: { type: adam, rate: 0.01 }, iterations: 4 }
saveEvery: 4
validate: { every: 1, folds: 3, groups: ${folder('subjects.txt')} }
report: { tensorboard: true }
`)
  await writeFile(folder('folds.yaml'), 'base: base.yaml\nfields: { validate.fold: [0, 1, 2] }\nhalving: { least: 1, factor: 3, wait: false }\n')
})

it('trains each fold, and the best one further; a subject is in one fold, and an example is held out once', async () => {
  const { status, err } = await run(['sweep', folder('folds.yaml'), '--out', folder('out'), '--workers', '2'])
  expect([status, err]).toEqual([0, ''])
  const report = await readFile(folder('out', 'report.md'), 'utf8')
  const rows = [...report.matchAll(/^\| ([012]) \| (\d) \| (\d\S*) \|$/gm)].map(row => row.slice(1).map(Number))
  expect(rows.map(([fold]) => fold).sort()).toEqual([0, 1, 2])
  const [best, ...others] = rows
  expect([best[1], ...others.map(row => row[1])]).toEqual([4, 1, 1])

  const held: number[][] = []
  for (const id of await readdir(folder('out', 'runs'))) {
    const made = runConfigOf(parse(await readFile(folder('out', 'runs', id, 'config.yaml'), 'utf8')) as Values)
    if ('mistakes' in made) throw new Error(made.mistakes[0].says)
    const experiment = made.config as Experiment<'classification'>
    const { train, test } = await heldOut(experiment, lessonOf(experiment, await readTaskData(experiment, '.')))
    expect([...train, ...test].sort()).toEqual(subjects.map((_, i) => i))
    for (const i of test) for (const j of train) expect(subjects[i]).not.toBe(subjects[j])
    held.push(test)
    const about = JSON.parse(await readFile(folder('out', 'runs', id, 'about.json'), 'utf8')) as { data: object }[]
    expect(Object.keys(about[0].data)).toContain(folder('subjects.txt'))
    // TensorBoard compares the folds by their loss and by their validation.
    const [name] = (await readdir(folder('out', 'runs', id, 'tensorboard'))).sort()
    const events = readEvents(await readFile(folder('out', 'runs', id, 'tensorboard', name)))
    const [{ experiment: table }] = events.flatMap(({ summary }) => summary?.value ?? []).filter(({ tag }) => tag === '_hparams_/experiment').map(({ metadata }) => readHparams(metadata!.plugin_data.content!))
    expect(table!.metric_infos!.map(({ name: { tag } }) => tag)).toEqual(['loss', 'validation'])
    expect(table!.hparam_infos!.map(field => field.name).sort()).toEqual(['seed', 'validate.fold'])
    expect(events.some(({ summary }) => summary?.value.some(({ tag }) => tag === 'validation'))).toBe(true)
  }
  expect(held.flat().sort()).toEqual(subjects.map((_, i) => i))
}, 180_000)

it('candidates are compared by the mean of their folds; the best is written with all of them', async () => {
  await writeFile(folder('all.yaml'), 'extends: base.yaml\nvalidate: { fold: all, metric: accuracyOfImages }\n')
  await writeFile(folder('rates.yaml'), 'base: all.yaml\nfields: { train.rate: [0.01, 0.02] }\n')
  const { status, err, out } = await run(['sweep', folder('rates.yaml'), '--out', folder('rates'), '--workers', '2'])
  expect([status, err]).toEqual([0, ''])
  expect(out).toContain('2 candidates with 3 runs each, ')
  const ids = await readdir(folder('rates', 'runs'))
  expect(ids).toHaveLength(6)
  const told = await Promise.all(ids.map(async id => {
    const [name] = await readdir(folder('rates', 'runs', id, 'tensorboard'))
    const values = readEvents(await readFile(folder('rates', 'runs', id, 'tensorboard', name))).flatMap(({ summary }) => summary?.value ?? [])
    expect(values.filter(({ image }) => image).map(({ tag }) => tag)).toEqual(['classes'])
    const [start] = values.filter(({ tag }) => tag === '_hparams_/session_start_info').map(({ metadata }) => readHparams(metadata!.plugin_data.content!))
    return Object.entries(start.session_start_info!.hparams!).map(([path, { number_value }]) => `${path} ${number_value}`).sort().join(', ')
  }))
  expect(told.sort()).toEqual([0.01, 0.02].flatMap(rate => [0, 1, 2].map(fold => `seed 0, train.optimiser.rate ${rate}, validate.fold ${fold}`)))
  expect(await readFile(folder('rates', 'report.md'), 'utf8')).toMatch(/^\| train\.rate \| iterations \| 1 − accuracyOfImages \|\n.*\n\| 0\.0[12] \| 4 \| [\d.]+ ± [\d.]+ \|$/m)
  expect(out).toMatch(/^1: train\.rate 0\.0[12]: 4 iterations, 1 − accuracyOfImages [\d.]+, [\d.]+, [\d.]+$/m)
  expect(parse(await readFile(folder('rates', 'best.yaml'), 'utf8'))).toMatchObject({ validate: { fold: 'all' } })
}, 180_000)

it('says in a sentence what is wrong with the file of groups', async () => {
  await writeFile(folder('gap.txt'), 'ann\n\nbob\n')
  await expect(readGroups(folder('gap.txt'))).rejects.toThrow(`groups: line 2 of ${folder('gap.txt')} is empty, expected the name of a group.`)
  await expect(readGroups(folder('none.txt'))).rejects.toThrow(/^groups: cannot read .*none\.txt \(ENOENT/)
  const yaml = parse(await readFile(folder('base.yaml'), 'utf8')) as Values
  expect(runConfigOf(yaml, { validate: { every: 1, split: 0.5, groups: 'x.txt' } })).toMatchObject({ mistakes: [{ key: 'validate.groups', says: expect.stringContaining('is "x.txt", expected null where a share is held out') }] })
  await writeFile(folder('short.txt'), 'ann\nbob\n')
  const { status, err } = await run(['train', folder('base.yaml'), '--set', `validate.groups=${folder('short.txt')}`, '--out', folder('never')])
  expect([status, err]).toEqual([1, 'kFold: the length of groups is 2, expected n, 8.\n'])
})
