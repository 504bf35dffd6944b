/**
 * The configuration of a training run: all that there is to choose, and the published values as defaults.
 *
 * It is a flat list of what the trainer takes (`GrowingOptions`), with the rule in terms of what one varies in it, and
 * what a run on a computer needs besides: a target, a seed, how often to save.
 */
import * as z from 'zod'
import { presets } from '../../nca/training/presets.ts'
import type { Preset } from '../../nca/training/presets.ts'
import { leakySlope } from '../../tensor/ops/functions.ts'
import { activations, mlp } from '../../nca/mlp.ts'
import { most } from '../../nca/rule/limits.ts'
import type { Activation } from '../../nca/mlp.ts'
import { updatedChannels } from '../../nca/rule/channels.ts'
import { defineRule } from '../../nca/rule/define.ts'
import type { Bound, DataRule, Living, Noise, Perception } from '../../nca/rule/types.ts'
import { filterNames } from '../../tensor/filters.ts'
import type { FilterName } from '../../tensor/filters.ts'
import type { Padding } from '../../backends/window.ts'
import { backendMeanings, backendNames, fmaChoices } from './computers.ts'
import type { BackendName, FmaChoice } from './computers.ts'

export type PresetName = keyof typeof presets

export type Config = Omit<Preset, 'rule'> & {
  readonly preset: PresetName
  readonly target: string
  readonly seed: number
  readonly backend: BackendName
  readonly threads: number
  readonly fma: FmaChoice
  readonly saveEvery: number
  readonly rule: {
    readonly hiddenChannels: number
    readonly hiddenUnits: number | readonly number[]
    readonly activation: Activation
    readonly slope: number
    readonly residual: boolean
    readonly init: 'keras' | 'torch'
    readonly perceive: readonly Perception[]
    readonly stepSize: number
    readonly fireRate: number
    readonly living: Living | null
    readonly inputMask: DataRule['inputMask']
    readonly noise: Noise | null
    readonly bound: Bound | null
    readonly padding: Padding
    readonly lastStd: number
    readonly lastBias: boolean
    readonly frozen: readonly string[]
  }
}

/** What a preset says, as a configuration. */
export function published(name: PresetName): Omit<Config, 'target' | 'seed' | 'backend' | 'threads' | 'fma' | 'saveEvery'> {
  const { rule, ...rest } = presets[name]
  const { type: _type, grid: _grid, channels, update: { type: _mlp, hidden, ...update }, ...others } = rule as DataRule
  const hiddenUnits = hidden.length === 1 ? hidden[0] : hidden
  return { preset: name, ...rest, rule: { hiddenChannels: channels.hidden, hiddenUnits, ...update, ...others } }
}

/** The rule that a configuration describes. */
export function ruleOf({ rule }: Config): DataRule {
  const { hiddenChannels, hiddenUnits, activation, slope, residual, init, lastStd, lastBias, ...rest } = rule
  const update = mlp(hiddenUnits, { activation, slope, residual, init, lastStd, lastBias })
  return defineRule({ ...rest, channels: { rgba: 4, hidden: hiddenChannels }, update })
}

// The error of a field says what it expects; `config-file.ts` makes it a sentence.
const whole = (least: number, largest: number = 1e9) => {
  const expected = least === 1 ? 'a whole number > 0' : `a whole number ≥ ${least}`
  return z.int(expected).min(least, expected).max(largest, `at most ${largest}`)
}
const side = 4096
const units = whole(1, most.units)
const window = whole(1, most.window)
const dilation = whole(1, most.window)
const above0 = z.number('a number > 0').gt(0, 'a number > 0')
const from0 = z.number('a number ≥ 0').min(0, 'a number ≥ 0')
const below1 = z.number('a number ≥ 0 and < 1').min(0, 'a number ≥ 0 and < 1').lt(1, 'a number ≥ 0 and < 1')
const yes = z.boolean('true or false')
const oneOf = <const T extends readonly string[]>(names: T) => z.enum(names, `one of ${names.join(', ')}`)
const map = <T extends z.ZodRawShape>(shape: T) => z.strictObject(shape, 'keys with values')
const aRange = 'two numbers, the first at most the second'
const range = (number: z.ZodNumber) => z.tuple([number, number], aRange).refine(([low, high]) => low <= high, aRange)
const someLengths = 'two whole numbers, the first below the second'
const lengths = z.tuple([whole(1, 1e6), whole(1, 1e6)], someLengths).refine(([low, high]) => low < high, someLengths)
const aTarget = 'an emoji, its name, or the path of a picture'
const anyNumber = z.number('a number')
const aRate = 'a number > 0, at most 1'

const step = map({
  type: z.literal('step'),
  rate: above0.describe('First rate'),
  at: z.array(whole(0), 'a list of iterations').describe('Iterations from which on it is multiplied'),
  factor: above0.describe('By what'),
})
const schedules = [
  step,
  map({ type: z.literal('exponential'), rate: above0, factor: above0.describe('By what, in every iteration') }),
  map({ type: z.literal('cosine'), rate: above0, length: whole(1), final: from0.default(0) }),
  map({
    type: z.literal('wsd'), rate: above0, warmUp: whole(0), stable: whole(0), decay: whole(0), final: from0.default(0),
  }),
] as const
const numberOr = (types: string): string => `a number > 0, or keys with a type: ${types}`
const plain = 'step, exponential, cosine or wsd'
const steady = z.union([above0, z.discriminatedUnion('type', schedules, plain)], numberOr(plain))
const warmUp = map({ type: z.literal('warmUp'), length: whole(1), schedule: steady })
const any = 'step, exponential, cosine, wsd or warmUp'
const rate = z.union([above0, z.discriminatedUnion('type', [...schedules, warmUp], any)], numberOr(any))

const odd = window.refine(n => n % 2 === 1, 'an odd number > 0').default(3)
const someKinds = 'depthwise, conv, residualConv, attention or deformable'
const aSlope = 'a number from 0 to 1'
const slope = z.number(aSlope).min(0, aSlope).max(1, aSlope).default(leakySlope)
const aReach = '1, 2 or 3 cells'
const perception = z.union([
  oneOf(filterNames),
  z.discriminatedUnion('type', [
    map({ type: z.literal('depthwise'), filters: units, size: odd }),
    map({
      type: z.literal('conv'), outputs: units, size: odd, dilation: dilation.default(1), bias: yes.default(false),
      activation: oneOf(activations).default('linear'), slope,
    }),
    map({
      type: z.literal('residualConv'), outputs: units, size: odd, dilation: dilation.default(1),
      activation: oneOf(activations).default('leakyRelu'),
    }),
    map({
      type: z.literal('attention'), outputs: units, heads: units.default(1), size: odd, keys: units,
      feedForward: whole(0, most.units).default(0),
    }),
    map({
      type: z.literal('deformable'), outputs: units, size: odd,
      reach: z.int(aReach).min(1, aReach).max(3, aReach).default(1),
    }),
  ], someKinds),
], `one of ${filterNames.join(', ')}, or keys with a type: ${someKinds}`)
const roles = ['rgba', 'hidden'] as const
const someUnits = 'a whole number > 0, or a list of them'

const d = published('growing')
const adam = d.optimiser as Extract<Config['optimiser'], { type: 'adam' }>

const shape = {
  preset: oneOf(['growing', 'persistent', 'regenerating']).default('growing')
    .describe('Published experiment whose values are used where nothing else is said'),
  target: z.string(aTarget).min(1, aTarget).default('🦎').describe(`What to grow: ${aTarget}`),
  size: whole(1, side).default(d.size).describe('Longer side of the target picture in cells'),
  padding: whole(0, side).default(d.padding).describe('Empty cells around the target on each side'),
  iterations: whole(1).default(d.iterations).describe('Iterations of training'),
  batch: whole(1, 65_536).default(d.batch).describe('Samples per iteration'),
  seed: whole(0, Number.MAX_SAFE_INTEGER).default(0).describe('Seed of everything that is random'),
  steps: lengths.default([...d.steps])
    .describe('Steps of a rollout: drawn from the first up to, not including, the second'),
  warmUp: map({
    iterations: whole(1).describe('Iterations after which they have grown to steps'),
    from: lengths.describe('Steps of the first rollouts'),
  }).nullable().default(d.warmUp as null)
    .describe('Rollouts that start shorter and grow, for runs that blow up early'),
  pool: whole(0, 1_000_000).default(d.pool)
    .describe('Slots of the sample pool; 0 grows every sample from the seed'),
  reseed: whole(0).default(d.reseed).describe('Samples of a batch, those with the greatest loss, that begin anew'),
  damaged: whole(0).default(d.damaged).describe('Samples of a batch, those with the least loss, that are damaged'),
  damage: z.discriminatedUnion('shape', [
    map({
      shape: z.literal('circle'),
      centre: range(anyNumber).default([-0.5, 0.5]),
      radius: range(above0).default([0.1, 0.4]),
    }),
    map({
      shape: z.literal('rectangle'),
      centre: range(anyNumber).default([-0.5, 0.5]),
      size: range(above0).default([0.2, 0.8]),
    }),
  ], 'circle or rectangle').default(structuredClone(d.damage) as never)
    .describe('How samples are damaged: lengths are drawn from ranges, in units in which the grid is 2 wide'),
  rule: map({
    hiddenChannels: whole(0, most.channels - 4).default(d.rule.hiddenChannels)
      .describe('Channels beside red, green, blue and alpha'),
    hiddenUnits: z.union([
      units, z.array(units, someUnits).min(1, someUnits).max(most.layers, `at most ${most.layers} layers`),
    ], someUnits)
      .default(d.rule.hiddenUnits as number)
      .describe('Units of the hidden layer, or of each of several'),
    activation: oneOf(activations).default(d.rule.activation)
      .describe(`What hidden layers apply: ${activations.join(', ')}`),
    slope: slope.describe('Slope of leaky ReLUs below 0'),
    residual: yes.default(d.rule.residual).describe('Whether hidden layers add the one before them'),
    init: oneOf(['keras', 'torch']).default(d.rule.init).describe('How hidden layers begin: keras, torch'),
    perceive: z.array(perception, 'a list of filters').min(1, 'at least one filter').max(most.parts, `at most ${most.parts} parts`)
      .default([...d.rule.perceive] as FilterName[])
      .describe(`Filters by which a cell sees its neighbours: ${filterNames.join(', ')}; or learned ones: `
        + '{type: depthwise, filters: 2, size: 3}, {type: conv, outputs: 8, size: 3}, …'),
    fireRate: z.number(aRate).gt(0, aRate).max(1, aRate).default(d.rule.fireRate)
      .describe('Probability that a cell updates in a step'),
    stepSize: anyNumber.default(d.rule.stepSize).describe('What changes are multiplied by'),
    living: map({ channel: whole(0), above: anyNumber, when: oneOf(['both', 'after']).default('both') })
      .nullable().default(d.rule.living)
      .describe('Cells live next to one whose channel is above a value, both before and after a step or after it; '
        + 'null: all live'),
    inputMask: map({ channel: whole(0), above: anyNumber }).nullable().default(d.rule.inputMask as null)
      .describe('Only cells whose channel is above a value update; null: all do'),
    noise: map({ on: oneOf(['state', 'change']), std: from0 }).nullable().default(d.rule.noise as null)
      .describe('Normal noise on the state, or on the change of cells that fire'),
    bound: z.discriminatedUnion('type', [
      map({ type: z.literal('clamp'), low: anyNumber, high: anyNumber }), map({ type: z.literal('tanh') }),
    ], 'clamp or tanh').nullable().default(d.rule.bound as null)
      .describe('What keeps the state within bounds after every step: clamp or tanh'),
    padding: oneOf(['zero', 'circular', 'reflect']).default(d.rule.padding)
      .describe('What cells at the border see beyond it: zero, circular, reflect'),
    lastStd: from0.default(d.rule.lastStd).describe("Standard deviation of the last layer's first weights"),
    lastBias: yes.default(d.rule.lastBias).describe('Whether the last layer has a bias'),
    frozen: z.array(oneOf(roles), 'a list of roles').default([...d.rule.frozen] as never)
      .describe(`Channels that never change: ${roles.join(', ')}`),
  }).prefault({}).describe('The rule'),
  optimiser: z.discriminatedUnion('type', [
    map({
      type: z.literal('adam'),
      rate: rate.default(structuredClone(adam.rate) as never)
        .describe('Learning rate: a number, or a schedule'),
      beta1: below1.default(adam.beta1),
      beta2: below1.default(adam.beta2),
      epsilon: above0.default(adam.epsilon),
      epsilonHat: yes.default(adam.epsilonHat).describe('Epsilon as in Keras; false: as in PyTorch'),
      decay: from0.default(adam.decay).describe('Decoupled weight decay, as in AdamW'),
    }),
    map({
      type: z.literal('sgd'),
      rate: rate.default(0.01).describe('Learning rate: a number, or a schedule'),
      momentum: below1.default(0),
    }),
  ], 'adam or sgd').prefault({ type: 'adam' }).describe('How parameters follow their gradients: adam or sgd'),
  normalise: yes.default(d.normalise).describe('Divide the gradient of each parameter by its norm'),
  backend: oneOf(backendNames).default('cpu').describe(`What computes: ${backendMeanings}`),
  threads: whole(0).default(0)
    .describe('Threads that share the work on the CPU, 0 for as many as there are cores; the result is the same'),
  fma: oneOf(fmaChoices).default('auto')
    .describe('Fused multiply-add on the CPU, which rounds otherwise: on; off; auto, where this engine has it (Node 22)'),
  saveEvery: whole(1).default(100).describe('Iterations between two checkpoints'),
}

/** The configuration as zod checks it. */
export const schema: z.ZodType<Config> = map(shape).superRefine((config, { addIssue }) => {
  const { batch, pool, reseed, damaged, rule: { living, inputMask, bound, hiddenChannels, frozen } } = config
  const expect = (ok: boolean, path: string[], message: string): void => {
    if (!ok) addIssue({ code: 'custom', path, message, params: { relation: true } })
  }
  expect(pool === 0 || pool >= batch, ['pool'], `0, or at least batch (${batch})`)
  expect(reseed <= batch, ['reseed'], `at most batch (${batch})`)
  expect(reseed > batch || reseed + damaged <= batch, ['damaged'], `at most batch − reseed (${batch - reseed})`)
  const last = hiddenChannels + 3
  expect(!living || living.channel <= last, ['rule', 'living', 'channel'], `a channel from 0 to ${last}`)
  expect(!inputMask || inputMask.channel <= last, ['rule', 'inputMask', 'channel'], `a channel from 0 to ${last}`)
  const ordered = bound?.type !== 'clamp' || bound.low <= bound.high
  expect(ordered, ['rule', 'bound', 'high'], 'a number that is not below low')
  if (!(hiddenChannels >= 0 && hiddenChannels <= most.channels)) return // it has been told already
  const cells = (config.size + 2 * config.padding) ** 2
  const numbers = batch * cells * (hiddenChannels + 4)
  expect(numbers <= 2 ** 28, ['size'], 'fewer cells, samples or channels: a batch may hold 268435456 numbers')
  if (hiddenChannels > most.channels) return
  const updated = updatedChannels({ channels: { rgba: 4, hidden: hiddenChannels }, frozen })
  expect(updated.length > 0, ['rule', 'frozen'], 'roles that leave a channel to change')
  const lives = !living || living.channel > last || updated.includes(living.channel)
  expect(lives, ['rule', 'frozen'], 'roles without the living channel')
})

/** What is wrong with a configuration; `path` leads to where. */
export type Issue = { readonly path: readonly PropertyKey[]; readonly unknownKey?: string; readonly expected: string }

/** The configuration with its defaults, or all that is wrong with it. */
export function checkConfig(value: unknown): { config: Config } | { issues: Issue[] } {
  const result = schema.safeParse(value)
  if (result.success) return { config: result.data }
  const { issues } = result.error
  // How fields go together says nothing where one of them is wrong by itself.
  const own = issues.filter(issue => issue.code !== 'custom' || !issue.params?.relation)
  return { issues: (own.length > 0 ? own : issues).flatMap(innermost) }
}

/** Of what a union says about its members, that of the member which fits best: the one that fails deepest inside. */
function innermost(issue: z.core.$ZodIssue): Issue[] {
  const { path } = issue
  if (issue.code === 'invalid_union') {
    const [inner] = issue.errors.map(list => list.flatMap(innermost)).sort((a, b) => depth(b) - depth(a))
    if (inner && depth(inner) > 0) return inner.map(one => ({ ...one, path: [...path, ...one.path] }))
  }
  if (issue.code === 'unrecognized_keys') return issue.keys.map(unknownKey => ({ path, unknownKey, expected: '' }))
  return [{ path, expected: issue.message }]
}

/** How deep inside of a member its first mistake is: 0 where it is another type altogether. */
function depth([{ path, unknownKey }]: readonly Issue[]): number {
  return path.length + (unknownKey === undefined ? 0 : 0.5)
}
