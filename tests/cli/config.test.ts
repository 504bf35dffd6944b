import { writeFile } from 'node:fs/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { configOf, type Values } from '../../src/experiment/config/values.ts'
import { configField } from '../../src/experiment/config/schema.ts'
import { loadConfig } from '../../src/cli/input/config-file.ts'
import { configYaml } from '../../src/experiment/config/yaml.ts'
import { presets } from '../../src/nca/training/presets.ts'
import { mlp } from '../../src/nca/mlp.ts'
import { attention } from '../../src/nca/perceptions/attention.ts'
import { conv } from '../../src/nca/perceptions/conv.ts'
import { deformable } from '../../src/nca/perceptions/deformable.ts'
import { depthwise } from '../../src/nca/perceptions/depthwise.ts'
import { residualConv } from '../../src/nca/perceptions/residual-conv.ts'
import { isLearned, kindOf, kinds } from '../../src/nca/perceptions/kinds.ts'
import { defineRule } from '../../src/nca/rule/define.ts'
import { paramShapes } from '../../src/nca/rule/parameters.ts'
import { ruleField } from '../../src/nca/rule/table.ts'
import type { DataRule } from '../../src/nca/rule/types.ts'
import { trainingFields } from '../../src/nca/training/trainer-options.ts'
import { readData, record, schemaOf } from '../../src/backends/fields.ts'
import { oneOf } from '../../src/backends/options.ts'
import { filterNamesOn } from '../../src/tensor/filters.ts'
import { rules } from '../nca/random-rule.ts'
import { bearsOverflow, randomOf } from '../random-data.ts'
import { temporaryFolder } from './run.ts'

const folder = temporaryFolder()

/** Loads a configuration from the text of a file run.yaml, and returns what is said about it, without the folder. */
async function complaint(text: string, flags: Record<string, unknown> = {}): Promise<string> {
  await writeFile(folder('run.yaml'), text)
  const error = await loadConfig({ file: folder('run.yaml'), flags, command: 'cellgrad train' }).catch((reason: Error) => reason)
  if (!(error instanceof Error)) throw new Error(`accepted ${JSON.stringify(text)}`)
  expect(error.name).toBe('UsageError')
  return error.message.replaceAll(`${folder()}/`, '')
}

/** A rule whose norm, if it has one, fits any number of perceived numbers. */
const withOneGroup = (rule: DataRule): DataRule => ({ ...rule, update: { ...rule.update, norm: rule.update.norm && { ...rule.update.norm, groups: 1 } } })

describe('the effective configuration', () => {
  it('is by default the published experiment', async () => {
    for (const preset of ['growing', 'persistent', 'regenerating'] as const) {
      const { rule, size, padding, ...published } = presets[preset]
      const config = await loadConfig({ flags: { preset } })
      expect(config).toMatchObject({ preset, data: { size, padding }, train: published })
      expect(config.rule).toEqual(rule)
    }
    expect(await loadConfig({})).toEqual(await loadConfig({ flags: { preset: 'growing' } }))
  })

  it('takes flags before the file, the file before the preset', async () => {
    await writeFile(folder('a.yaml'), 'preset: persistent\ntrain: { batch: 3 }\ndata: { size: 20 }\nrule: { fireRate: 0.25 }\n')
    const config = await loadConfig({ file: folder('a.yaml'), flags: { size: 10 } })
    expect(config).toMatchObject({ preset: 'persistent', data: { size: 10 }, train: { pool: 1024, batch: 3 } })
    expect(config.rule).toEqual({ ...(await loadConfig({})).rule, fireRate: 0.25 })
    expect((await loadConfig({ file: folder('a.yaml'), flags: { preset: 'growing' } })).train.pool).toBe(0)
  })

  it('does not mix the fields of two types', async () => {
    await writeFile(folder('b.yaml'), 'train:\n  damage: { shape: rectangle }\n  optimiser: { type: sgd, momentum: 0.5 }\n')
    const config = await loadConfig({ file: folder('b.yaml') })
    expect(config.train.damage).toEqual({ shape: 'rectangle', centre: [-0.5, 0.5], size: [0.2, 0.8], angle: [0, 0] })
    expect(config.train.optimiser).toEqual({ type: 'sgd', rate: 0.01, momentum: 0.5 })
  })

  it('reads every schedule', async () => {
    const rates = [
      0.1, { type: 'step', rate: 1, at: [3], factor: 0.5 }, { type: 'exponential', rate: 1, factor: 0.9 },
      { type: 'cosine', rate: 1, length: 9, final: 0 }, { type: 'wsd', rate: 1, warmUp: 1, stable: 2, decay: 3, final: 0, fall: 'linear' },
      { type: 'warmUp', length: 4, schedule: { type: 'cosine', rate: 1, length: 9, final: 0.1 } },
    ]
    for (const rate of rates) expect((await loadConfig({ flags: { train: { rate } } })).train.optimiser.rate).toEqual(rate)
  })

  it('is the same when it is printed and read again', async () => {
    const target = '🕸️\x1b]0;x\x07\n\x9b2J\u2028\u202e'
    const config = await loadConfig({ flags: { preset: 'regenerating', target, seed: 2 ** 40, warmUp: { iterations: 10, from: [2, 3] } } })
    await writeFile(folder('c.yaml'), configYaml(config))
    expect(await loadConfig({ file: folder('c.yaml') })).toEqual(config)
    expect(configYaml(config)).toContain('\n  target: "🕸️\\e]0;x\\a\\n\\u009b2J\\u2028\\u202e"\n')
    expect(configYaml(config)).toContain('  # Probability that a cell updates in a step\n  fireRate: 0.5\n')
  })

  it('has every option of a rule and a trainer, and is the same when it is printed and read again', () => {
    const training = randomOf(record({ fields: trainingFields }))
    fc.assert(fc.property(rules, training, fc.nat(), (drawn, options, n) => {
      const { channels, living, ...rest } = withOneGroup(drawn)
      const rule = defineRule({ ...rest, channels: { rgba: 4, ...channels }, living: living && { ...living, channel: living.channel + 4 } })
      const path = Object.keys(paramShapes(rule))[n % 3]
      const given = {
        ...options, overflow: n % 2 === 0 || !bearsOverflow(options) ? null : { weight: 2, ranges: { rgba: [0, n % 7] } }, readouts: typeof options.readouts === 'number' ? options.readouts : [1], rule, size: 4, padding: 0, cascade: null, batch: 6, reseed: 2,
        ...(n % 2 === 0 ? { pool: 0, damaged: 0, write: 'back', fromPool: 1 } : { pool: 7, damaged: 2 }),
        mutated: n % 2 === 1 && rule.frozen.length > 0 ? options.mutated ?? 0 : 0, dropped: rule.frozen.length > 0 ? options.dropped ?? 0 : 0, trainable: n % 5 === 0 ? [path] : n % 5 === 1 ? 'last' : 'all',
      }
      const made = configOf(given)
      if ('mistakes' in made) throw new Error(JSON.stringify(made.mistakes))
      expect(made.config.rule).toEqual(rule)
      const { rule: _rule, size, padding, ...training } = given
      expect(made.config).toMatchObject({ rule, data: { size, padding }, train: training })
      expect(configOf(parse(configYaml(made.config)) as Values)).toEqual(made)
    }))
  })

  it('describes rules on every grid, by the table of defineRule', () => {
    const anywhere = fc.tuple(rules, fc.constantFrom(1, 3)).map(([rule, grid]) => defineRule({
      ...withOneGroup(rule), grid, perceive: [...rule.perceive.filter(part => !isLearned(part) || (!kindOf(part).planar && !Object.values(part).some(Array.isArray))), filterNamesOn[grid][1]]
        .filter(part => isLearned(part) || filterNamesOn[grid].includes(typeof part === 'string' ? part : part.name)),
    }))
    fc.assert(fc.property(anywhere, rule => {
      expect(readData(ruleField, parse(stringify(rule)))).toEqual({ data: rule, mistakes: [] })
    }))
  })

  it('takes the default for a field that a part leaves out, as its function does', () => {
    const given = ['{ type: attention, outputs: 7, heads: 2 }', '{ type: depthwise, filters: 2 }', '{ name: laplacian, factor: 16 }']
    const made = configOf(parse(`rule: { perceive: [${given.join(', ')}] }`) as Values)
    expect('config' in made && made.config.rule.perceive)
      .toEqual([attention(7, { heads: 2 }), depthwise(2), { name: 'laplacian', factor: 16 }])
    expect(attention(7, { heads: 2 }).keys).toBe(4)
  })

  it('makes rules of the whole vocabulary, which survive printing too', async () => {
    const texts = [`
      rule:
        channels: { rgba: 4, hidden: 5 }
        update: { activation: tanh }
        perceive: [identity, { type: depthwise, filters: 2 }, { type: conv, outputs: 8, size: 5 }]
        frozen: [hidden]
    `, `
      rule:
        update: { hidden: [32, 32], activation: leakyRelu, slope: 0.01, residual: true, lastStd: 0.001, lastBias: false }
        perceive:
          - { type: conv, outputs: 8, dilation: 2, bias: true, activation: sigmoid }
          - { type: residualConv, outputs: 6, size: 5, dilation: 2, activation: tanh }
          - { type: attention, outputs: 8, heads: 2, keys: 3, feedForward: 16 }
          - { type: deformable, outputs: 4, size: 1, reach: 2 }
        stepSize: 0.5
        fireRate: 1
        living: { channel: 3, above: 0.2, when: after }
        inputMask: { channel: 4, above: -0.5 }
        noise: { on: change, std: 0.02 }
        bound: { type: clamp, low: -1, high: 2 }
        padding: circular
    `, `
      rule:
        update: { hidden: [16] }
        perceive:
          - { type: residualConv, outputs: 6 }
          - { type: attention, outputs: 8 }
          - { type: deformable, outputs: 4 }
        living: null
        noise: { on: state, std: 0 }
        bound: { type: tanh }
        padding: reflect
    `]
    const living = { channel: 3, above: 0.1 }
    const rules = [defineRule({
      channels: { rgba: 4, hidden: 5 },
      perceive: ['identity', depthwise(2), conv(8, { size: 5 })],
      update: mlp(128, { activation: 'tanh' }),
      fireRate: 0.5,
      living,
      frozen: ['hidden'],
    }), defineRule({
      channels: { rgba: 4, hidden: 12 },
      perceive: [
        conv(8, { dilation: 2, bias: true, activation: 'sigmoid' }),
        residualConv(6, { size: 5, dilation: 2, activation: 'tanh' }),
        attention(8, { heads: 2, keys: 3, feedForward: 16 }),
        deformable(4, { size: 1, reach: 2 }),
      ],
      update: mlp([32, 32], { activation: 'leakyRelu', slope: 0.01, residual: true, lastStd: 0.001, lastBias: false }),
      stepSize: 0.5,
      living: { channel: 3, above: 0.2, when: 'after' },
      inputMask: { channel: 4, above: -0.5 },
      noise: { on: 'change', std: 0.02 },
      bound: { type: 'clamp', low: -1, high: 2 },
      padding: 'circular',
    }), defineRule({
      channels: { rgba: 4, hidden: 12 },
      perceive: [residualConv(6), attention(8), deformable(4)],
      update: mlp(16),
      fireRate: 0.5,
      noise: { on: 'state', std: 0 },
      bound: { type: 'tanh' },
      padding: 'reflect',
    })]
    for (const [i, text] of texts.entries()) {
      await writeFile(folder('d.yaml'), text)
      const config = await loadConfig({ file: folder('d.yaml') })
      expect(config.rule).toEqual(rules[i])
      await writeFile(folder('e.yaml'), configYaml(config))
      const again = await loadConfig({ file: folder('e.yaml') })
      expect(again).toEqual(config)
      expect(again.rule).toEqual(rules[i])
    }
  })

  it('has a JSON Schema with its defaults, and a description of every key', async () => {
    type Schema = { default?: unknown; description?: string; properties: Record<string, Schema> }
    const has = (schema: Schema, values: object): void => {
      for (const [key, value] of Object.entries(values)) {
        expect(schema.properties[key].default, key).toEqual(value)
        expect(schema.properties[key].description, key).toMatch(/\w/)
      }
    }
    const schema = schemaOf(configField) as Schema
    const { properties } = schema
    const { task, rule: _rule, data, train: { optimiser: _optimiser, ...training }, ...config } = await loadConfig({})
    expect(properties.task.default).toBe(task)
    has(schema, config)
    has(properties.data, data)
    has(properties.train, training)
    expect(configOf(parse(configYaml(await loadConfig({}))))).toHaveProperty('config')
  })
})

it('takes a value that an alias repeats', async () => {
  await writeFile(folder('alias.yaml'), 'train:\n  steps: &some [20, 30]\n  warmUp: { iterations: 4, from: *some }\n')
  const config = await loadConfig({ file: folder('alias.yaml') })
  expect([config.train.steps, config.train.warmUp]).toEqual([[20, 30], { iterations: 4, from: [20, 30] }])
})

it('reads no file that is too long for a configuration, or endless', async () => {
  await writeFile(folder('long.yaml'), Array.from({ length: 50_000 }, (_, i) => `k${i}: 1\n`).join(''))
  await expect(loadConfig({ file: folder('long.yaml') })).rejects.toThrow(/^config: .*long\.yaml has 488890 bytes, expected at most 131072\.$/)
  await expect(loadConfig({ file: '/dev/zero' })).rejects.toThrow('config: /dev/zero has more than 131072 bytes, expected at most 131072.')
})

const someKinds = oneOf(kinds.map(kind => kind.type)).expected

describe('a mistake in a file', () => {
  it.each([
    ['preset: growing\n\n# mine\nbatch: "eight"\n', 'run.yaml:4: train.batch is "eight", expected a whole number from 1 to 65536'],
    ['batch: 1.5', 'run.yaml:1: train.batch is 1.5, expected a whole number from 1 to 65536'],
    ['padding: -1', 'run.yaml:1: data.padding is -1, expected a whole number from 0 to 4096'],
    ['bach: 3', 'run.yaml:1: there is no key "bach"; did you mean "train.batch"?'],
    ['rule:\n  stepSize: 3\n  fireRat: 1', 'run.yaml:3: there is no key "fireRat" in rule; did you mean "fireRate"?'],
    ['damage:\n  shape: rectangle\n  radius: [1, 2]', 'run.yaml:3: there is no key "radius" in train.damage; there are centre, size, angle'],
    ['optimiser:\n  betta1: 3', 'run.yaml:2: there is no key "betta1" in train.optimiser; did you mean "beta1"?'],
    ['rule:\n\n  fireRate: 3', 'run.yaml:3: rule.fireRate is 3, expected a number > 0, at most 1'],
    ['rule: 5', 'run.yaml:1: rule is 5, expected an object with channels, perceive, update, grid, stepSize, fireRate, living, inputMask, noise, bound, padding, frozen, head'],
    ['rule:\n  perceive:\n    - identity\n    - sobl', 'run.yaml:4: rule.perceive[1] is "sobl", expected \'identity\', \'sobelX\', \'sobelY\', \'sobelZ\', \'laplacian\', \'scharrX\', \'scharrY\', \'scharrZ\', \'gaussian\' or \'mean\', or an object with name, factor, or an object with a type: ' + someKinds + '; did you mean "sobelX"?'],
    ['rule:\n  perceive:\n    - type: conv\n      outputs: 8\n      size: 4', 'run.yaml:5: rule.perceive[0].size is 4, expected an odd number from 1 to 127, or a list of 1 to 3 odd numbers, one for each axis'],
    ['rule:\n  perceive:\n    - type: depthwise\n      outputs: 8', 'run.yaml:4: there is no key "outputs" in rule.perceive[0]; there are filters, size\nrun.yaml:3: rule.perceive[0].filters is missing, expected a whole number from 1 to 65536'],
    ['rule:\n  perceive:\n    - { type: dense, outputs: 8 }', 'run.yaml:3: rule.perceive[0].type is "dense", expected ' + someKinds],
    ['rule:\n  perceive:\n    - { type: conv, outputs: 8, sise: 3 }', 'run.yaml:3: there is no key "sise" in rule.perceive[0]; did you mean "size"?'],
    ['rule:\n  update: { activation: swash }', 'run.yaml:2: rule.update.activation is "swash", expected \'relu\', \'leakyRelu\', \'tanh\', \'sigmoid\', \'gelu\', \'silu\', \'softplus\' or \'linear\''],
    ['rule:\n  frozen: [rgb]', 'run.yaml:2: rule.frozen[0] is "rgb", expected a role of channels: rgba, hidden; did you mean "rgba"?'],
    ['rule:\n  frozen: [rgba]', 'run.yaml:2: rule.frozen is ["rgba"], expected roles without the living channel, 3'],
    ['rule:\n  living: null\n  frozen: [rgba, hidden]', 'run.yaml:3: rule.frozen is ["rgba","hidden"], expected roles that leave a channel to change'],
    ['steps: [5, 3]', 'run.yaml:1: train.steps is [5,3], expected two whole numbers from 1 to 1000000, the first below the second'],
    ['damage:\n  shape: blob', 'run.yaml:2: train.damage.shape is "blob", expected \'circle\', \'rectangle\' or \'halfPlane\''],
    ['optimiser:\n  rate: fast', 'run.yaml:2: train.optimiser.rate is "fast", expected a number ≥ 0, or an object with a type: \'step\', \'exponential\', \'cosine\', \'wsd\' or \'warmUp\''],
    ['optimiser:\n  rate:\n    factor: -1', 'run.yaml:3: train.optimiser.rate.factor is -1, expected a number ≥ 0'],
    ['seed: 1\nwarmUp:\n  iterations: 5', 'run.yaml:2: train.warmUp.from is missing, expected two whole numbers from 1 to 1000000, the first below the second'],
    ['rule:\n  living:\n    channel: 16\n    above: 0', 'run.yaml:3: rule.living.channel is 16, expected a channel from 0 to 15'],
    ['seed: 1\npool: 4', 'run.yaml:2: train.pool is 4, expected 0, or at least batch (8)'],
    ['preset: grow', 'run.yaml:1: preset is "grow", expected \'growing\', \'persistent\' or \'regenerating\''],
    ['seed: 1\nseed: 2', 'run.yaml:2: Map keys must be unique'],
    ['seed: 1\nsteps: [1,\n', 'run.yaml:3: Flow sequence in block collection must be sufficiently indented and end with a ]'],
    ['- 1\n- 2', 'run.yaml:1: expected keys with values, got [1,2]'],
    ['seed: 1\nrule:\n  channels: { rgba: 4, hidden: 10000000 }', 'run.yaml:3: rule.channels.hidden is 10000000, expected a whole number from 0 to 4096'],
    ['rule:\n  perceive:\n    - { type: conv, outputs: 3, dilation: 1000000000 }', 'run.yaml:3: rule.perceive[0].dilation is 1000000000, expected at most 63, for a window of at most 127 cells'],
    ['rule: { update: { hidden: [3, 70000] } }', 'run.yaml:1: rule.update.hidden[1] is 70000, expected a whole number from 1 to 65536'],
    ['size: 4000\nbatch: 100', 'run.yaml:1: data.size is 4000, expected fewer cells, samples or channels: a batch may hold 268435456 numbers'],
    ['pool: 1.0e+9', 'run.yaml:1: train.pool is 1000000000, expected a whole number from 0 to 1000000'],
    ['steps: [1, 1.0e+12]', 'run.yaml:1: train.steps is [1,1000000000000], expected two whole numbers from 1 to 1000000, the first below the second'],
    ['seed: 1\ntarget: *lizard', 'run.yaml:2: the alias *lizard stands for nothing: there is no anchor &lizard before it; a text that begins with * needs quotes'],
    ['seed: 1\nsteps: &x [3, *x]', 'run.yaml:2: the alias *x stands inside of &x, which it stands for'],
    ['seed: 1\nrule: &x\n  living: *x', 'run.yaml:3: the alias *x stands inside of &x, which it stands for'],
    ['a: &a [1, 1]\nb: &b [*a, *a]\nc: &c [*b, *b]', 'run.yaml:3: what the alias *b stands for holds an alias itself'],
    [`a: &a 1\nb: [${'*a, '.repeat(101)}]`, 'run.yaml:2: there are more than 100 aliases'],
    [`a: 1\nb: ${'['.repeat(150)}${']'.repeat(150)}`, 'run.yaml:2: is nested more than 100 deep'],
    ['seed: 1\n"seed": 2', 'run.yaml:2: Map keys must be unique'],
    ['target: "\\e]0;x\\a"\nseed: x', 'run.yaml:2: seed is "x", expected a whole number ≥ 0'],
    ['batch: "\\e]0;\\u009b\\u202e"', 'run.yaml:1: train.batch is "\\u001b]0;\\u009b\\u202e", expected a whole number from 1 to 65536'],
    ['? [1, 2]\n: 3', 'run.yaml:1: a key is not a word'],
    ['train:\n  batch: 3\n  stes: [1, 2]', 'run.yaml:3: there is no key "stes" in train; did you mean "steps"?'],
    ['train:\n  batch: 3\n  fireRate: 0.5', 'run.yaml:3: there is no key "fireRate" in train; did you mean "rule.fireRate"?'],
    ['firerate: 0.5', 'run.yaml:1: there is no key "firerate"; did you mean "rule.fireRate"?'],
    ['train:\n  steps: [1, 2]\n  rate: -1', 'run.yaml:3: train.optimiser.rate is -1, expected a number ≥ 0, or an object with a type: \'step\', \'exponential\', \'cosine\', \'wsd\' or \'warmUp\''],
    ['train:\n  optimiser:\n    beta1: 3', 'run.yaml:3: train.optimiser.beta1 is 3, expected a number in [0, 1)'],
    ['train: 5', 'run.yaml:1: train is 5, expected an object with iterations, from, batch, '],
    ['seed: 1\nbatch: 3\ntrain: { batch: 4 }', 'run.yaml:2: there is no key "batch"; did you mean "train.batch"?'],
    ['data:\n  size: 3\n  paddin: 2', 'run.yaml:3: there is no key "paddin" in data; did you mean "padding"?'],
  ])('%j', async (text, message) => {
    const said = await complaint(text)
    expect(message.endsWith(', ') ? said.slice(0, message.length) : said).toBe(message)
  })

  it('is named shortly however long the file is', async () => {
    expect(await complaint(`b: ${'['.repeat(50_000)}`)).toBe('run.yaml: is nested more than 100 deep')
    expect(await complaint(`batch: ${'x'.repeat(1000)}`)).toBe(`run.yaml:1: train.batch is "${'x'.repeat(80)}…", expected a whole number from 1 to 65536`)
    expect(await complaint(Array.from({ length: 12_000 }, (_, i) => `k${i}: 1`).join('\n'))).toMatch(/^run\.yaml:1: there is no key "k0"[^]*\nrun\.yaml: there are 11980 more mistakes$/)
  })

  it('is not the only one that is named', async () => {
    expect((await complaint('batch: x\nbach: 3\nrule:\n  fireRate: 3\n  perceive: [sobl, identity]\n  a: 1\n  b: 2\noptimiser: { rate: { factor: -1, a: 1 } }', { seed: 'y' })).split('\n')).toEqual([
      'run.yaml:2: there is no key "bach"; did you mean "train.batch"?',
      expect.stringMatching(/^run\.yaml:6: there is no key "a" in rule/),
      expect.stringMatching(/^run\.yaml:7: there is no key "b" in rule/),
      expect.stringMatching(/^run\.yaml:5: rule\.perceive\[0\] is "sobl", expected 'identity', /),
      'run.yaml:4: rule.fireRate is 3, expected a number > 0, at most 1',
      'run.yaml:1: train.batch is "x", expected a whole number from 1 to 65536',
      expect.stringMatching(/^run\.yaml:8: there is no key "a" in train\.optimiser\.rate/),
      'run.yaml:8: train.optimiser.rate.factor is -1, expected a number ≥ 0',
      'cellgrad train: --seed is "y", expected a whole number ≥ 0',
    ])
    expect((await complaint('pool: 4\nreseed: 9')).split('\n')).toEqual([
      'run.yaml:1: train.pool is 4, expected 0, or at least batch (8)', 'run.yaml:2: train.reseed is 9, expected at most batch (8)',
    ])
  })

  it('names a key that every object inherits', async () => {
    expect(await complaint('__proto__: 3')).toMatch(/^run\.yaml:1: there is no key "__proto__"; there are preset, data, rule, train, report, seed, /)
    expect(await complaint('constructor: 3')).toMatch(/^run\.yaml:1: there is no key "constructor"; there are preset, data, rule, train, report, seed, /)
  })

  it('is not reported for a mistake in a flag, nor the flag for one in the file', async () => {
    expect(await complaint('batch: 3', { batch: 'x' })).toBe('cellgrad train: --batch is "x", expected a whole number from 1 to 65536')
    expect(await complaint('batch: 0', { seed: 3 })).toBe('run.yaml:1: train.batch is 0, expected a whole number from 1 to 65536')
    expect(await complaint('seed: 3', { preset: 'persistent', batch: 2000 })).toBe('configuration: train.pool is 1024, expected 0, or at least batch (2000)')
  })
})
