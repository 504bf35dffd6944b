/**
 * Rules: what makes a cellular automaton neural, as data.
 *
 * A rule names the channels of a cell and says how cells perceive, update, fire and live:
 *
 *   s ← s + m ⊙ U(P(s))          (Spitznagel & Keuper 2026, equation 2; Mordvintsev et al. 2020)
 *
 * P is the perception (filters, fixed or learned), U a small network with parameters, m the fire mask; a living mask
 * may zero cells, and frozen channels never change. A rule made by `defineRule` is frozen JSON: it can be stored beside
 * its parameters, shown, compared and, because nothing in it is code, run by a kernel made for it. `customRule` takes
 * code instead and has the same interface.
 */
import { filterNamesOn } from '../tensor/filters.ts'
import type { Filter } from '../tensor/filters.ts'
import { checkKey, foldIn, split } from '../tensor/key.ts'
import type { Key } from '../tensor/key.ts'
import { check, checkOptions, checkWord, isNumber, isObject, isWhole, keysOf, later } from '../backends/options.ts'
import { ones, zeros } from '../tensor/ops/create.ts'
import { normal, uniform } from '../tensor/random.ts'
import { paddings } from '../backends/window.ts'
import { sizeOf } from '../tensor/shape.ts'
import type { Padding } from '../backends/window.ts'
import { placementOptions } from '../tensor/tensor.ts'
import type { Placement, Tensor } from '../tensor/tensor.ts'
import { checkMost, most } from './rule-limits.ts'
import { checkedMlp, mlpFields, mlpParams } from './mlp.ts'
import type { Mlp, MlpParams } from './mlp.ts'
import { wholeConv } from './perceptions/conv.ts'
import { describe, isLearned } from './perceptions/kinds.ts'
import type { Learned } from './perceptions/kinds.ts'
import type { ParamSpec } from './perceptions/kind.ts'

/** Channels by role, in order: `{ rgba: 4, hidden: 12 }`. */
export type Channels = Readonly<Record<string, number>>

/** A part of the perception: a fixed filter, three cells wide, or something learned. */
export type Perception = Filter | Learned

/**
 * The living mask: cells with a neighbour whose `channel` exceeds `above` live, the others are zeroed. They must do so
 * 'both' before and after the update, as published, or 'after' it.
 */
export type Living = { readonly channel: number; readonly above: number; readonly when: 'both' | 'after' }

/** Normal noise N(0, std), added to the 'state' before cells perceive it, or to the 'change' of cells that fire. */
export type Noise = { readonly on: 'state' | 'change'; readonly std: number }

/** What keeps channels that change within bounds, after every step. */
export type Bound =
  | { readonly type: 'clamp'; readonly low: number; readonly high: number }
  | { readonly type: 'tanh' }

/** A rule that is data. */
export type DataRule = {
  readonly type: 'data'
  /** Dimensions of the grid: states are `[b,w,c]`, `[b,h,w,c]` or `[b,d,h,w,c]`. */
  readonly grid: 1 | 2 | 3
  readonly channels: Channels
  /** What a cell perceives, see `perceptionSize`. */
  readonly perceive: readonly Perception[]
  readonly update: Mlp
  /** η, by which each change is multiplied. */
  readonly stepSize: number
  /** Probability that a cell updates in a step. */
  readonly fireRate: number
  readonly living: Living | null
  /** Only cells whose `channel` exceeds `above` before the step update in it: where an input is, for instance. */
  readonly inputMask: { readonly channel: number; readonly above: number } | null
  readonly noise: Noise | null
  readonly bound: Bound | null
  /** What cells at the border see beyond it. */
  readonly padding: Padding
  /** Roles whose channels never change, not even in dead cells: inputs and conditions. */
  readonly frozen: readonly string[]
}

/**
 * Parameters of a data rule: of its network, and, where the rule learns to perceive, of each learned part in the order
 * of its list, by name.
 */
export type DataParams = {
  readonly perceive?: readonly Readonly<Record<string, Tensor>>[]
  readonly update: MlpParams
}

/** What a step is given beside parameters and state. */
export type StepContext = {
  /** The random key of this step. */
  readonly key: Key
  /** The step's number within its rollout, from 0. */
  readonly t: number
  /** Fire mask, uint32, `[b,h,w]` in the plane, to use instead of drawing one. */
  readonly mask?: Tensor
  /** Angle in radians by which cells see the world rotated, default 0; about the axis z in a volume, none on a line. */
  readonly angle?: number
}

/** A rule that is code; `P` is the tree of its parameters. */
export type CustomRule<P> = {
  readonly type: 'custom'
  /** Dimensions of the grid, as in a `DataRule`. */
  readonly grid: 1 | 2 | 3
  /** Channels by role, in order: `{ rgb: 3, hidden: 9 }`. */
  readonly channels: Channels
  /** Makes the first parameters, any tree, from a key; where they are to live is to be passed on. */
  readonly init: (key: Key, placement: Placement) => P
  /** Makes the next state from one, of its shape and type; the context has the step's key and number. */
  readonly step: (params: P, x: Tensor, context: StepContext) => Tensor
}

/** Any rule. (Its parameters are nothing that one could be given, and anything that one could return.) */
export type Rule =
  | DataRule
  | (Omit<CustomRule<never>, 'init'> & { readonly init: (key: Key, placement: Placement) => unknown })

/** The parameters of a rule: `Params<typeof rule>`. */
export type Params<R extends Rule> = R extends { readonly init: (...args: never) => infer P } ? P : DataParams

/** A filter whose result is multiplied by a factor. */
const scaledFields = keysOf<Exclude<Filter, string>>({ name: later, factor: later })

/** The parts of a perception, those that were written before there was a choice completed. */
function checkedPerceive(grid: 1 | 2 | 3, perceive: readonly Perception[]): Perception[] {
  const filterNames = filterNamesOn[grid]
  const parts = `${filterNames.join(', ')}, depthwise(n), conv(n), …`
  check(
    Array.isArray(perceive) && perceive.length > 0, 'rule', 'perceive', perceive, `a list of at least one of ${parts}`,
  )
  check(perceive.length <= most.parts, 'rule', 'perceive', perceive, `at most ${most.parts} parts`)
  return perceive.map((part, i) => {
    const path = `perceive[${i}]`
    if (!isLearned(part)) {
      const { name, factor } = typeof part === 'string' ? { name: part, factor: 1 } : { ...part }
      check(filterNames.includes(name) && isNumber(factor), 'rule', path, part, `one of ${parts}`)
      if (typeof part !== 'string') checkOptions(`rule.${path}`, part, scaledFields)
      return part
    }
    const whole = part.type === 'conv' ? wholeConv(part) : part
    checkOptions(`rule.${path}`, whole, describe(whole).fields)
    describe(whole).check('rule', `${path}.`, whole)
    const flat = whole.type === 'attention' || whole.type === 'deformable'
    const kinds = 'filters, depthwise, conv or residualConv'
    check(grid === 2 || !flat, 'rule', path, part, `${kinds}: ${whole.type} is for grids of two dimensions`)
    return whole
  })
}

/** What `defineRule` is given. */
export type RuleOptions = {
  /** Channels by role, in order: `{ rgba: 4, hidden: 12 }`. */
  channels: Channels
  /** What a cell perceives: names of filters, `{ name, factor }`, `conv(n)`, `depthwise(n)`, …; at least one. */
  perceive: readonly Perception[]
  /** The network that makes a change of what is perceived, like `mlp(128)`. */
  update: Mlp
  /** Dimensions of the grid: 1, 2 (default) or 3. */
  grid?: 1 | 2 | 3
  /** η, a number by which each change is multiplied; default 1. */
  stepSize?: number
  /** Probability that a cell updates in a step, above 0 and at most 1 (default). */
  fireRate?: number
  /**
   * Cells with a neighbour whose `channel` exceeds `above` live, the others are zeroed; 'both' (default) before and
   * after the update, or only 'after' it. Null, the default, lets all cells live.
   */
  living?: { readonly channel: number; readonly above: number; readonly when?: 'both' | 'after' } | null
  /** Only cells whose `channel` exceeds `above` before the step update in it; null, the default, for all. */
  inputMask?: DataRule['inputMask']
  /** Normal noise on the 'state' that is perceived or on the 'change', of a deviation `std` ≥ 0; null, the default, for none. */
  noise?: Noise | null
  /** What keeps channels within bounds after every step: 'clamp' to `low` … `high`, or 'tanh'; null, the default, for nothing. */
  bound?: Bound | null
  /** What cells at the border see beyond it: 'zero' (default), 'circular' or 'reflect'. */
  padding?: Padding
  /** Roles whose channels never change, not even in dead cells: inputs and conditions. Default none. */
  frozen?: readonly string[]
}

// What hangs together is judged by `defineRule`.
const ruleOptions = keysOf<RuleOptions>({
  channels: later, perceive: later, update: later, grid: later, stepSize: later, fireRate: later, 
  living: { fits: x => x === null || isObject(x), expected: 'null or { channel, above }' },
  inputMask: later, noise: later, bound: later, padding: later, frozen: later,
})
const thresholdOptions = {
  living: keysOf<Living>({ channel: later, above: later, when: later }),
  inputMask: keysOf<NonNullable<DataRule['inputMask']>>({ channel: later, above: later }),
}
const noiseOptions = keysOf<Noise>({ on: later, std: later })
const boundOptions = {
  tanh: keysOf<Bound & { type: 'tanh' }>({ type: later }),
  clamp: keysOf<Bound & { type: 'clamp' }>({ type: later, low: later, high: later }),
}
const customOptions = keysOf<CustomRuleOptions<unknown>>({ channels: later, init: later, step: later, grid: later })

/**
 * A rule as frozen data. Defaults: a grid of two dimensions, every cell fires and changes in full, no masks, no noise,
 * no bounds, zero padding, every channel changes.
 *
 * @throws a sentence that names the field, for anything a rule cannot be
 * @example
 * defineRule({
 *   channels: { rgba: 4, hidden: 12 }, perceive: ['identity', 'sobelX', 'sobelY'],
 *   update: mlp(128), fireRate: 0.5, living: { channel: 3, above: 0.1 },
 * })
 * @example
 * defineRule({
 *   channels: { image: 1, classes: 10, hidden: 9 }, frozen: ['image'], inputMask: { channel: 0, above: 0.1 },
 *   perceive: [conv(80, { bias: true, activation: 'relu' })], update: mlp(80), fireRate: 0.5,
 * })
 */
export function defineRule(options: RuleOptions): DataRule {
  checkOptions('rule', options, ruleOptions, ['type'])
  const {
    channels, grid = 2, stepSize = 1, fireRate = 1, inputMask = null, noise = null, bound = null, padding = 'zero',
    frozen = [],
  } = options
  checkChannels('rule', channels)
  checkGrid('rule', grid)
  const perceive = checkedPerceive(grid, options.perceive)
  check(
    isObject(options.update) && options.update.type === 'mlp', 'rule', 'update', options.update,
    'a network, like mlp(128)',
  )
  checkOptions('rule.update', options.update, mlpFields)
  const update = checkedMlp('rule', 'update.', options.update)
  check(isNumber(stepSize), 'rule', 'stepSize', stepSize, 'a number')
  check(
    isNumber(fireRate) && fireRate > 0 && fireRate <= 1, 'rule', 'fireRate', fireRate,
    'a number above 0, at most 1',
  )
  checkWord('rule', 'padding', padding, paddings)
  checkFrozen(channels, frozen)
  if (inputMask !== null) checkThreshold('inputMask', inputMask, channels)
  const living = options.living ? { when: 'both', ...options.living } as const : null
  if (living !== null) {
    checkThreshold('living', living, channels)
    checkWord('rule', 'living.when', living.when, ['both', 'after'])
    check(
      updatedChannels({ channels, frozen }).includes(living.channel), 'rule', 'living.channel', living.channel,
      'a channel that is not frozen',
    )
  }
  if (noise !== null) {
    check(isObject(noise), 'rule', 'noise', noise, "null or { on: 'state' or 'change', std }")
    checkOptions('rule.noise', noise, noiseOptions)
    checkWord('rule', 'noise.on', noise.on, ['state', 'change'])
    check(isNumber(noise.std, 0), 'rule', 'noise.std', noise.std, 'a number ≥ 0')
  }
  if (bound !== null) checkBound(bound)
  const rule = {
    type: 'data', grid, channels, perceive, update, stepSize, fireRate, living, inputMask, noise, bound, padding, frozen,
  } as const
  const parameters = Object.values(paramShapes(rule)).reduce((sum, shape) => sum + sizeOf(shape), 0)
  checkMost('rule', 'the number of its parameters', parameters, most.parameters)
  return deepFreeze(structuredClone(rule))
}

function checkThreshold(name: 'living' | 'inputMask', mask: { channel: number; above: number }, channels: Channels): void {
  check(isObject(mask), 'rule', name, mask, 'null or { channel, above }')
  checkOptions(`rule.${name}`, mask, thresholdOptions[name])
  const total = channelCount(channels)
  check(
    isWhole(mask.channel) && mask.channel < total, 'rule', `${name}.channel`, mask.channel,
    `a channel from 0 to ${total - 1}`,
  )
  check(isNumber(mask.above), 'rule', `${name}.above`, mask.above, 'a number')
}

function checkBound(bound: Bound): void {
  check(isObject(bound), 'rule', 'bound', bound, "null, { type: 'tanh' } or { type: 'clamp', low, high }")
  checkWord('rule', 'bound.type', bound.type, ['clamp', 'tanh'])
  checkOptions('rule.bound', bound, boundOptions[bound.type])
  if (bound.type === 'tanh') return
  check(isNumber(bound.low), 'rule', 'bound.low', bound.low, 'a number')
  check(isNumber(bound.high, bound.low), 'rule', 'bound.high', bound.high, `a number ≥ low, ${bound.low}`)
}

function checkFrozen(channels: Channels, frozen: readonly string[]): void {
  check(Array.isArray(frozen), 'rule', 'frozen', frozen, 'a list of roles')
  const roles = Object.keys(channels)
  frozen.forEach((role, i) => {
    check(roles.includes(role), 'rule', `frozen[${i}]`, role, `a role of channels: ${roles.join(', ')}`)
  })
  const some = updatedChannels({ channels, frozen }).length > 0
  check(some, 'rule', 'frozen', frozen, 'roles that leave a channel to change')
}

export type CustomRuleOptions<P> = Omit<CustomRule<P>, 'type' | 'grid'> & {
  /** Dimensions of the grid: 1, 2 (default) or 3, of states `[b,w,c]`, `[b,h,w,c]` or `[b,d,h,w,c]`. */
  readonly grid?: 1 | 2 | 3
}

/**
 * A rule whose step is your own function of tensors. Its gradient comes from the operators you use.
 *
 * @param rule `channels`, by role; `init` makes the first parameters, any tree; `step` makes the next state from one,
 *   of its shape and type; `grid` is the number of dimensions, 1, 2 (default) or 3, of states `[b,w,c]`, `[b,h,w,c]`
 *   or `[b,d,h,w,c]`
 * @throws where the channels, `init` or `step` are missing or something else
 * @example
 * customRule({
 *   channels: { rgb: 3 },
 *   init: (key, placement) => ({ diffuse: full([3], 0.1, placement) }),
 *   step: (p, x) => add(x, mul(p.diffuse, filter(x, 'laplacian', { padding: 'circular' }))),
 * })
 */
export function customRule<P>(rule: CustomRuleOptions<P>): CustomRule<P> {
  checkOptions('customRule', rule, customOptions, ['type'])
  const { grid = 2 } = rule
  checkChannels('customRule', rule.channels)
  checkGrid('customRule', grid)
  check(typeof rule.init === 'function', 'customRule', 'init', rule.init, 'a function (key, placement) => params')
  check(typeof rule.step === 'function', 'customRule', 'step', rule.step, 'a function (params, x, context) => state')
  return Object.freeze({ ...rule, grid, type: 'custom' })
}

function checkChannels(where: string, channels: Channels): void {
  check(isObject(channels), where, 'channels', channels, 'numbers of channels by role, like { rgba: 4, hidden: 12 }')
  const roles = Object.entries(channels)
  check(roles.length <= most.channels, where, 'channels', channels, `at most ${most.channels} roles`)
  for (const [role, n] of roles) {
    check(isWhole(n), where, `channels.${role}`, n, 'a whole number of channels')
    checkMost(where, `channels.${role}`, n, most.channels)
  }
  check(channelCount(channels) > 0, where, 'channels', channels, 'at least one channel')
  checkMost(where, 'the number of channels', channelCount(channels), most.channels)
}

function checkGrid(where: string, grid: number): void {
  check([1, 2, 3].includes(grid), where, 'grid', grid, '1, 2 or 3 dimensions')
}

/** The number of channels of a cell. */
export function channelCount(channels: Channels): number {
  return Object.values(channels).reduce((sum, n) => sum + n, 0)
}

/**
 * The channels that change, those whose role is not frozen, in order: the outputs of the update.
 *
 * @example updatedChannels({ channels: { rgb: 3, goal: 2, hidden: 2 }, frozen: ['goal'] })   // [0, 1, 2, 5, 6]
 */
export function updatedChannels({ channels, frozen }: Pick<DataRule, 'channels' | 'frozen'>): readonly number[] {
  let end = 0
  return Object.entries(channels).flatMap(([role, n]) => {
    const start = (end += n) - n
    return frozen.includes(role) ? [] : Array.from({ length: n }, (_, i) => start + i)
  })
}

/** From which channel up to, not including, which a role reaches. */
export function roleChannels(channels: Channels, role: string): readonly [number, number] {
  const roles = Object.keys(channels)
  check(roles.includes(role), 'rule', 'the role', role, `one of ${roles.join(', ')}`)
  const before = Object.values(channels).slice(0, roles.indexOf(role))
  const from = before.reduce((sum, n) => sum + n, 0)
  return [from, from + channels[role]]
}

/**
 * How many numbers a cell perceives: c·F + Σ outputs, for c channels, F filters per channel (fixed and learned) and the
 * outputs of the other parts. They are laid out in this order, filter f of channel c0 at c0·F + f:
 *
 *   c0·f0, c0·f1, …, c1·f0, …, the outputs of the first other part, those of the second, …
 *
 * where f counts fixed and learned filters in the order of the rule's list.
 *
 * @example perceptionSize(growingRule)   // 48
 */
export function perceptionSize({ channels, perceive }: Pick<DataRule, 'channels' | 'perceive'>): number {
  const c = channelCount(channels)
  return perceive.reduce((sum, part) => sum + (isLearned(part) ? describe(part).outputs(part, c) : c), 0)
}

/** The parameters of each learned part of the perception, in the order of the rule's list. */
export function perceptionParams({ grid, channels, perceive }: DataRule): Readonly<Record<string, ParamSpec>>[] {
  return perceive.filter(isLearned).map(part => describe(part).params(part, channelCount(channels), grid))
}

/** The shapes of a rule's parameters by their dotted paths. */
export function paramShapes(rule: DataRule): Readonly<Record<string, readonly number[]>> {
  const groups = [
    ...perceptionParams(rule).map((specs, i) => [`perceive.${i}`, specs] as const),
    ['update', mlpParams(rule.update, perceptionSize(rule), updatedChannels(rule).length)] as const,
  ]
  return Object.fromEntries(groups.flatMap(([path, specs]) =>
    Object.entries(specs).map(([name, { shape }]) => [`${path}.${name}`, shape])))
}

/**
 * First parameters. Data rules follow Keras, as published: Glorot's uniform U(±√(6/(in + out))) for hidden layers and
 * for learned filters, zeros (or N(0, lastStd)) for the last layer, zero biases. A network may begin as in PyTorch
 * instead, see `mlp`.
 *
 * @returns for data rules a tree of tensors of `paramShapes`, see `DataParams`
 * @example const params = init(rule, key(0))
 */
export function init<R extends Rule>(rule: R, k: Key, placement: Placement = {}): Params<R> {
  checkOptions('init', placement, placementOptions)
  checkKey('init', k)
  if (rule.type === 'custom') return rule.init(k, placement) as Params<R>
  const [kFirst, kLast, kPerceive] = split(k, 3)
  const network = mlpParams(rule.update, perceptionSize(rule), updatedChannels(rule).length)
  const last = `w${rule.update.hidden.length + 1}`
  const kLayer = (name: string): Key =>
    (name === last ? kLast : name === 'w1' ? kFirst : foldIn(kFirst, Number(name.slice(1)) + (name[0] === 'b' ? 1000 : 0)))
  const made = (specs: Readonly<Record<string, ParamSpec>>, keyOf: (name: string, j: number) => Key) =>
    Object.fromEntries(Object.entries(specs).map(([name, spec], j) => [name, first(spec, keyOf(name, j), placement)]))
  const perceive = perceptionParams(rule).map((specs, i) => {
    const kPart = foldIn(kPerceive, i)
    return made(specs, (_, j) => (j === 0 ? kPart : foldIn(kPart, j)))
  })
  return {
    ...(perceive.length > 0 ? { perceive } : {}),
    update: made(network, kLayer) as unknown as MlpParams,
  } satisfies DataParams as DataParams as Params<R>
}

/** A parameter as it begins. */
function first({ shape, init }: ParamSpec, k: Key, placement: Placement): Tensor {
  if (init === 'zeros') return zeros(shape, placement)
  if (init === 'ones') return ones(shape, placement)
  if ('std' in init) return normal(k, shape, { std: init.std, ...placement })
  const limit = 'limit' in init ? init.limit : Math.sqrt(6 / (init.glorot[0] + init.glorot[1]))
  return uniform(k, shape, { low: -limit, high: limit, ...placement })
}

function deepFreeze<T>(x: T): T {
  if (typeof x === 'object' && x !== null) {
    Object.values(x).forEach(deepFreeze)
    Object.freeze(x)
  }
  return x
}
