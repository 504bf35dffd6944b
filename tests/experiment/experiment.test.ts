// An experiment in a file gives the library its options: by the same tables, and the same when it is printed and read again.

import fc from 'fast-check'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { record } from '../../src/backends/fields.ts'
import {
  describe, experimentFrom, partsOf, placeOf, runConfigOf, runSchema, runYaml, splitOf, taskNames, taskOn, type Experiment,
  type Lesson, type RunConfig, type Values,
} from '../../src/experiment/index.ts'
import { trainingFields } from '../../src/nca/training/trainer-options.ts'
import { adam, examplesOf, key, recipes, sgd, taskTrainer, uniform, type DataRule, type Task } from '../../src/index.ts'
import { trainingOf } from '../../src/experiment/config/trainer.ts'
import { lessonOf } from '../../src/experiment/tasks/lesson.ts'
import { rolesOf, type TaskName } from '../../src/experiment/tasks/experiment.ts'
import type { Json } from '../../src/backends/options.ts'
import { rules } from '../nca/random-rule.ts'
import { bearsOverflow, randomOf } from '../random-data.ts'
import { wrongIn } from './json-schema.ts'

const data: Record<string, Values> = {
  conditional: { targets: ['a', 'b'], size: 3 }, trajectory: { targets: ['a', 'b'], size: 3 }, classification: { images: 'a', limit: 3 }, imageToImage: { inputs: 'a', outputs: 'b', loss: 'bce', standardise: true },
  denoising: { images: 'a', limit: 3 }, video: { frames: 'a', k: 1 }, latent: { targets: ['a', 'b'], size: 32, padding: 0, autoencoder: { widths: [4, 5], code: { type: 'vq', entries: 9 }, iterations: 3, batch: 2 } }, texture: { image: 'a', grid: [3, 4] },
}

function made(...layers: Values[]): RunConfig {
  const result = runConfigOf(...layers)
  if ('mistakes' in result) throw new Error(result.mistakes.map(({ key, says }) => `${key} ${says}`).join('\n'))
  return result.config
}

/** A rule with the roles that a task reads besides its own. Norms have one group, since a cell then perceives more numbers. */
function fitting(rule: DataRule, task: TaskName): DataRule {
  const { told, said } = rolesOf(task, data[task])
  const more = Object.fromEntries([...told, ...said].map(role => [role, 2]))
  const { update, channels, frozen } = rule
  const norm = update.norm && { ...update.norm, groups: 1 }
  return { ...rule, channels: { ...channels, ...more }, frozen: [...frozen, ...told], update: { ...update, norm } }
}

/** Trainings whose rollouts are longer than their coarse stages, which are at most three of three steps. */
const trainings = randomOf(record({ fields: trainingFields })).map(({ steps: [least, end], warmUp, ...drawn }) => ({
  ...drawn, steps: [least + 9, end + 9] as const, ...(warmUp && { warmUp: { ...warmUp, from: [warmUp.from[0] + 9, warmUp.from[1] + 9] as const } }),
}))

const again = (config: RunConfig): RunConfig => made(parse(runYaml(config)) as Values)

it('describes every rule and every training, for every task, and is the same when it is printed and read again', () => {
  fc.assert(fc.property(rules, trainings, fc.constantFrom(...taskNames), fc.option(fc.nat(4)), (any, drawn, task, fold) => {
    const rule = fitting(any, task)
    // A list of readouts must lie within the shortest rollout, which is drawn together with it.
    const overflow = fold === null || !bearsOverflow(drawn) ? null : { weight: fold + 0.5, ranges: { [Object.keys(rule.channels)[0]]: [-1, fold] } }
    const options = { ...drawn, overflow, readouts: typeof drawn.readouts === 'number' ? drawn.readouts : [1] }
    const validate = fold === null ? null : { every: 3, folds: 5, fold }
    const train = { ...options, batch: 6, pool: 0, write: 'back', fromPool: 1, reseed: 1, damaged: 0, mutated: 0, dropped: 0, trainable: 'all', iterations: 4 }
    const config = made({ task, data: data[task], rule, train, validate }) as Experiment
    expect(config.rule).toEqual(rule)
    expect(config).toMatchObject({ train, data: data[task] })
    expect(again(config)).toEqual(config)
  }))
})

it('has the values of its recipe, and those of the file', () => {
  for (const [recipe, { rule, ...rest }] of Object.entries(recipes)) {
    const train = { batch: 3, reseed: 0, mutated: 0, damaged: 0 }
    const config = made({ task: 'texture', recipe, data: data.texture, train, rule: { noise: { on: 'state', std: 0.5 } } }) as Experiment
    expect(config.train).toMatchObject({ ...rest, ...train })
    expect(config.rule).toEqual({ ...rule, noise: { on: 'state', std: 0.5 } })
  }
})

it('learns by Adam if only a rate is given, and if nothing is', () => {
  const { rule } = recipes.texture
  const optimiserOf = (train: Values): unknown => (made({ task: 'texture', data: data.texture, rule, train: { iterations: 1, batch: 1, steps: [1, 2], ...train } }) as Experiment).train.optimiser
  expect(optimiserOf({ rate: 1e-4 })).toEqual(adam({ rate: 1e-4 }))
  expect(optimiserOf({})).toEqual(adam())
  expect(optimiserOf({ optimiser: { type: 'sgd', rate: 1e-4 } })).toEqual(sgd({ rate: 1e-4 }))
})

it('has bundled ones that are those of the recipes', () => {
  const names = readdirSync('assets/experiments').filter(name => name.endsWith('.yaml'))
  expect(names.sort()).toEqual(['brain.yaml', 'digits.yaml', 'emoji.yaml', 'learned-filters.yaml', 'texture.yaml'])
  for (const name of names) {
    const config = made(parse(readFileSync(join('assets/experiments', name), 'utf8')) as Values)
    if (name === 'brain.yaml') continue // ours, of no paper
    const recipe = { digits: recipes.digits, emoji: recipes.emoji, texture: recipes.texture, 'learned-filters': recipes.learnedFilters }[name.replace('.yaml', '')]!
    const { rule, ...rest } = recipe
    expect(config).toMatchObject({ rule, train: rest })
    expect(again(config)).toEqual(config)
  }
})

it('is one run, or one for each seed and fold, which hold out every example once', () => {
  const rule = { channels: { input: 1, hidden: 9, output: 10 }, frozen: ['input'], inputMask: null }
  const base = { task: 'imageToImage', data: data.imageToImage, recipe: 'digits', train: { mutated: 0 }, validate: { every: 1, folds: 3, fold: 'all' }, rule }
  const config = made({ ...base, seed: 4, seeds: 2 }) as Experiment
  const parts = partsOf(config)
  expect(parts.map(({ name }) => name)).toEqual(['seed-4-fold-0', 'seed-4-fold-1', 'seed-4-fold-2', 'seed-5-fold-0', 'seed-5-fold-1', 'seed-5-fold-2'])
  for (const part of parts) {
    expect(partsOf(part.config)).toEqual([{ name: '', config: part.config }])
    expect(again(part.config)).toEqual(part.config)
  }
  const lesson = { task: { examples: 11 } } as Lesson
  const held = parts.slice(0, 3).flatMap(part => splitOf(part.config as Experiment, lesson).test)
  expect(held.sort((a, b) => a - b)).toEqual(Array.from({ length: 11 }, (_, i) => i))
  const { train, test } = splitOf(made({ ...base, validate: { every: 1, split: 0.25 } }) as Experiment, lesson)
  expect([train.length, test.length]).toEqual([8, 3])
  expect(() => splitOf(made({ ...base, validate: { every: 1, split: 0.01 } }) as Experiment, lesson)).toThrow('validate: split is 0.01, expected a share of the 11 examples that leaves some on either side.')
})

it('reports a mistake with its place', () => {
  const said = (values: Values): string[] => {
    const result = runConfigOf(values)
    return 'mistakes' in result ? result.mistakes.map(({ key, says }) => `${key}: ${says}`) : []
  }
  expect(said({ task: 'vidoe' })).toEqual(['task: is "vidoe", expected one of growing, conditional, trajectory, classification, imageToImage, denoising, video, latent, texture; did you mean "video"?'])
  expect(said({ task: 'texture', recipe: 'texture', data: {} })).toEqual(['data.image: is missing, expected a text'])
  expect(said({ task: 'texture', recipe: 'texture', data: { image: 'a', sise: 3 } })).toEqual([expect.stringContaining('there is no key "sise" in data; did you mean "size"?')])
  const video = { task: 'video', data: { frames: 'a', k: 1, carry: true }, rule: { channels: { input: 1, output: 1, hidden: 1 }, frozen: ['input'], perceive: ['identity'], update: { hidden: [4] } } }
  const whole = { iterations: 1, batch: 2, steps: [1, 2] }
  expect(said({ ...video, train: whole, validate: { every: 1, groups: 'a.txt' } })).toEqual([
    'train.pool: is 0, expected above 0 where data.carry is true: samples of the pool are carried on',
    'validate.groups: is "a.txt", expected null where data.carry is true: the windows of a video are a group',
  ])
  expect(said({ task: 'texture', recipe: 'texture', data: { image: 'a' }, validate: { every: 1, folds: 2, fold: 2 } })).toEqual(['validate.fold: is 2, expected a whole number from 0 to 1, or all'])
  expect(said({ task: 'imageToImage', recipe: 'digits', data: { inputs: 'a', outputs: 'b', loss: 'dice' }, rule: { channels: { input: 1, output: 1 }, frozen: ['input'], inputMask: null }, validate: { every: 1, metric: 'dise' } })).toEqual([
    'validate.metric: is "dise", expected one of loss, dice, iou; did you mean "dice"?',
  ])
  // The roles that a task reads have fixed names in files; in code they could have others.
  const digits = (rule: Values): string[] => said({ task: 'classification', recipe: 'digits', data: { images: 'a' }, rule })
  expect(digits({ channels: { picture: 1, hidden: 9, classes: 10 }, frozen: ['picture'], inputMask: null })).toEqual([
    'rule.channels: is ["picture","hidden","classes"], expected a role image among them, which classification reads',
  ])
  expect(digits({ frozen: [] })).toContain('rule.frozen: is [], expected image among them, in which cells are told something')
})

it('offers the nearest right word for every word of every list in it', () => {
  let words = 0
  for (const task of ['growing', ...taskNames]) {
    const base = { task, data: data[task] ?? {}, ...(task === 'growing' ? {} : { recipe: 'texture' }) }
    const schema = (runSchema as Json).anyOf!.find(one => one.properties!.task.enum![0] === task)!
    for (const { word, values } of misspelt(schema)) {
      const result = runConfigOf(base, values as Values)
      const says = 'mistakes' in result ? result.mistakes.map(mistake => mistake.says) : []
      expect(says, JSON.stringify(values)).toContainEqual(expect.stringContaining(`; did you mean "${word}"?`))
      words++
    }
  }
  expect(words).toBeGreaterThan(300)
})

/** Values that a schema allows, except for one word in them, whose last letter is doubled. */
function misspelt(schema: Json): { readonly word: string; readonly values: unknown }[] {
  const { enum: words = [], anyOf = [], items, properties = {} } = schema
  const [type] = properties.type?.enum ?? []
  return [
    ...words.flatMap(word => (typeof word === 'string' ? [{ word, values: word + word.at(-1) }] : [])),
    ...anyOf.flatMap(misspelt),
    ...(items ? misspelt(items).map(({ word, values }) => ({ word, values: [values] })) : []),
    ...Object.entries(properties).flatMap(([name, inside]) => misspelt(inside).map(({ word, values }) => (
      { word, values: { ...(type !== undefined && { type }), [name]: values } }
    ))),
  ]
}

it('reports an unknown recipe or preset, and not everything that is missing without it', () => {
  const said = (values: Values): string[] => {
    const result = runConfigOf(values)
    return 'mistakes' in result ? result.mistakes.map(({ key, says }) => `${key}: ${says}`) : []
  }
  expect(said({ task: 'texture', recipe: 'textur', data: data.texture })).toEqual([expect.stringMatching(/^recipe: is "textur", .*; did you mean "texture"\?$/)])
  expect(said({ task: 'texture', recipe: 'textur', data: data.texture, rule: { noise: null, fireRat: 1 } })).toHaveLength(2)
  expect(said({ preset: 'regenrating' })).toEqual([expect.stringMatching(/^preset: is "regenrating", .*; did you mean "regenerating"\?$/)])
  expect(said({ task: 'texture', data: data.texture }).length).toBeGreaterThan(2)
  // The same holds for a misspelt key: the missing field is the one that was meant.
  expect(said({ task: 'texture', recipe: 'texture', data: { imgae: 'a.png' } })).toEqual(['data: there is no key "imgae" in data; did you mean "image"?'])
  expect(said({ task: 'texture', recipe: 'texture', data: { imgae: 'a.png' }, rule: { perceive: [{ type: 'conv', output: 3 }] } })).toHaveLength(2)
})

it('puts flat fields, as in old files and in presets, into their sections', () => {
  fc.assert(fc.property(rules, trainings, fc.constantFrom(...taskNames), (any, drawn, task) => {
    const rule = fitting(any, task)
    const own = { batch: 6, pool: 0, write: 'back', fromPool: 1, reseed: 1, damaged: 0, mutated: 0, dropped: 0, trainable: 'all', iterations: 4, readouts: 1 }
    const given = { task, data: data[task], rule, seed: 3 }
    expect(made({ ...given, ...drawn, ...own })).toEqual(made({ ...given, train: { ...drawn, ...own } }))
  }))
  expect(made({ size: 9, target: 'a', batch: 3, optimiser: { rate: 1 } })).toEqual(made({ data: { size: 9, target: 'a' }, train: { batch: 3, rate: 1 } }))
  expect(made({ train: { rate: 1, optimiser: { type: 'sgd' } } })).toMatchObject({ train: { optimiser: { type: 'sgd', rate: 1 } } })
  // One layer over another, one of them flat.
  expect(made({ batch: 3, pool: 5 }, { train: { batch: 4 } }, { seed: 2 })).toMatchObject({ train: { batch: 4, pool: 5 } })
})

it('a path is mapped to the place of its value, and a place to the paths that a file may use for it', () => {
  expect(['batch', 'optimiser.rate', 'train.rate', 'train.rate.factor', 'size', 'rule.fireRate', 'train.batch', 'seed', 'batches'].map(placeOf)).toEqual([
    'train.batch', 'train.optimiser.rate', 'train.optimiser.rate', 'train.optimiser.rate.factor', 'data.size', 'rule.fireRate', 'train.batch', 'seed', 'batches',
  ])
})

it('an editor accepts every valid file, bundled or generated, and finds misspelt words', () => {
  const schema = runSchema as Json
  const files = ['assets/experiments', 'assets/models'].flatMap(folder => (
    readdirSync(folder).filter(name => name.endsWith('.yaml')).map(name => parse(readFileSync(join(folder, name), 'utf8')) as Values)
  ))
  expect(files.length).toBeGreaterThan(6)
  for (const values of files) {
    expect(wrongIn(schema, values)).toEqual([])
    expect(wrongIn(schema, made(values))).toEqual([])
  }
  for (const task of taskNames) expect(wrongIn(schema, { task, extends: 'base.yaml', train: { rate: 1e-3 } })).toEqual([])
  for (const values of [{ train: { stes: [1, 2] } }, { task: 'texture', data: { image: 3 } }, { task: 'textur' }, { batch: 3 }]) {
    expect(wrongIn(schema, values)).toHaveLength(1)
  }
})

it('a task over some of its examples is the same task: each of them is judged as before, at each readout', () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 9 }).chain(n => fc.tuple(fc.constant(n), fc.subarray(Array.from({ length: n }, (_, i) => i), { minLength: 1 }))), ([n, ids]) => {
    const said: unknown[] = []
    const note = (...args: unknown[]): never => { said.push(args); return undefined as never }
    const whole: Task = { examples: n, readouts: 3, condition: 'a', kind: id => `a${id}`, seeds: some => note(some), loss: (_x, some, _k, readout) => note(some, readout) }
    const part = taskOn(whole, ids)
    expect([part.examples, part.readouts, part.condition, ...ids.map((_, i) => part.kind!(i))]).toEqual([ids.length, 3, 'a', ...ids.map(id => `a${id}`)])
    part.seeds([ids.length - 1, 0])
    part.loss(undefined as never, [0], undefined as never, 2)
    expect(said).toEqual([[[ids.at(-1), ids[0]]], [[ids[0]], 2]])
    // The example with which a sample continues is given by its index in the part.
    const x = undefined as never, turned = ids.toReversed()
    const { carry } = taskOn({ ...whole, carry: (_x, some) => ({ x, examples: some.map(id => turned[ids.indexOf(id)]) }) }, ids)
    expect(carry!(x, [0, ids.length - 1]).examples).toEqual([ids.length - 1, 0])
  }))
})

it.each([true, false])('videos are held out whole, and samples that are carried on continue only with training videos', carry => {
  const experiment = made({
    task: 'video', data: { frames: 'a', k: 1, carry }, validate: { every: 1, split: 0.4 },
    rule: { channels: { input: 1, output: 1, hidden: 1 }, frozen: ['input'], perceive: ['identity'], update: { hidden: [4] } },
    train: { iterations: 9, batch: 3, steps: [1, 3], pool: 6, ranked: 'none', reseed: 1 },
  }) as Experiment<'video'>
  const lesson = lessonOf(experiment, examplesOf(uniform(key(1), [5, 6, 2, 2]).toArray(), [6, 2, 2]))
  const { train, test } = splitOf(experiment, lesson)
  const videosOf = (ids: readonly number[]): number[] => [...new Set(ids.map(id => Math.floor(id / 5)))].sort()
  expect([videosOf(test).length, videosOf([...train, ...test])]).toEqual([2, [0, 1, 2, 3, 4]])
  expect(videosOf(train)).toHaveLength(3)
  const trainer = taskTrainer({ ...trainingOf(experiment), rule: experiment.rule, task: taskOn(lesson.task, train) })
  let state = trainer.init(key(0))
  for (let i = 0; i < 9; i++) ({ state } = trainer.step(state))
  for (const i of state.examples) expect(train[i]).toBeDefined()
})

it('is read from the text of a file, or refused in one sentence', () => {
  const text = 'task: texture\nrecipe: texture\ndata: { image: a.png }\ntrain: { rate: 1.0e-3 }\n'
  expect(experimentFrom(text)).toEqual(made(parse(text) as Values))
  expect(experimentFrom(runYaml(experimentFrom(text)))).toEqual(experimentFrom(text))
  expect(experimentFrom(JSON.stringify(experimentFrom('')))).toEqual(made({}))
  expect(() => experimentFrom('train: { rat: 3 }')).toThrow('experimentFrom: there is no key "rat" in train; did you mean "rate"?')
  expect(() => experimentFrom('data: { size: x }')).toThrow('experimentFrom: data.size is "x", expected a whole number from 1 to 4096.')
  expect(() => experimentFrom('[1, 2]')).toThrow('experimentFrom: the text is [1, 2], expected keys with values.')
  expect(() => experimentFrom('extends: base.yaml')).toThrow('experimentFrom: extends is "base.yaml", expected nothing: ')
})

it('is read as the docs describe it', () => {
  const [, text] = /```yaml\n(task:[^]*?)```/.exec(readFileSync('docs/experiments.md', 'utf8'))!
  const { extends: _extends, ...values } = parse(text) as Values
  const config = made(values) as Experiment
  expect(config).toMatchObject({ task: 'classification', train: { optimiser: { rate: 2e-3 } }, validate: { patience: 10 }, report: { every: 500 } })
  const [, brain] = /```yaml\n(task: imageToImage[^]*?)```/.exec(readFileSync('docs/experiments.md', 'utf8'))!
  expect(parse(readFileSync('assets/experiments/brain.yaml', 'utf8'))).toMatchObject(parse(brain) as Values)
  for (const name of taskNames) expect(readFileSync('docs/fields.md', 'utf8')).toContain(`\n### ${name}\n`)
})

it('is described field by field, as JSON Schema too', () => {
  const about = 'Probability that a cell updates in a step'
  expect(describe(['rule', 'fireRate'])).toEqual({
    description: about, keys: [], words: [], schema: { type: 'number', exclusiveMinimum: 0, maximum: 1, description: about, default: expect.any(Number) as number },
  })
  for (const preset of ['growing', 'persistent', 'regenerating']) {
    const { rule, train } = made({ preset })
    for (const [section, values] of Object.entries({ rule, train })) {
      for (const [name, value] of Object.entries(values)) expect(wrongIn(describe([section, name]).schema, value), name).toEqual([])
    }
  }
  expect(describe(['train', 'nothing'])).toEqual({ description: undefined, keys: [], words: [], schema: {} })
})
