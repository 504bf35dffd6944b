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
import type { FilterName } from '../tensor/filters.ts'
import { filterNames } from '../tensor/filters.ts'
import { checkKey, foldIn, split } from '../tensor/key.ts'
import type { Key } from '../tensor/key.ts'
import { check, checkOptions, checkWord, isNumber, isObject, isWhole } from '../tensor/options.ts'
import { zeros } from '../tensor/ops/create.ts'
import { normal, uniform } from '../tensor/random.ts'
import { paddings } from '../tensor/ops/window.ts'
import type { Padding } from '../tensor/ops/window.ts'
import type { Shape } from '../tensor/shape.ts'
import type { Placement, Tensor } from '../tensor/tensor.ts'

/** Channels by role, in order: `{ rgba: 4, hidden: 12 }`. */
export type Channels = Readonly<Record<string, number>>

/** What the hidden layer applies to its sums; 'linear' leaves them as they are. */
export type Activation = 'relu' | 'leakyRelu' | 'tanh' | 'sigmoid' | 'linear'

/** All of them. */
export const activations: readonly Activation[] = ['relu', 'leakyRelu', 'tanh', 'sigmoid', 'linear']

/** A network with one hidden layer, applied to the perception of each cell. */
export type Mlp = {
  readonly type: 'mlp'
  readonly hidden: number
  readonly activation: Activation
  /** Standard deviation of the last layer's first weights; 0 makes the first rule do nothing, as published. */
  readonly lastStd: number
  /** Whether the last layer has a bias. */
  readonly lastBias: boolean
}

/** Learned filters, `filters` of their own for each channel, `size`×`size` cells wide. */
export type Depthwise = { readonly type: 'depthwise'; readonly filters: number; readonly size: number }

/** A learned convolution from all channels to `outputs` numbers, `size`×`size` cells wide, without bias. */
export type Conv = { readonly type: 'conv'; readonly outputs: number; readonly size: number }

/** A part of the perception: a fixed 3×3 filter by its name, learned filters, or a learned convolution. */
export type Perception = FilterName | Depthwise | Conv

/** Cells with a neighbour whose `channel` exceeds `above`, before and after the update, live; the others are zeroed. */
export type Living = { readonly channel: number; readonly above: number }

/** A rule that is data. */
export type DataRule = {
  readonly type: 'data'
  readonly channels: Channels
  /** What a cell perceives, see `perceptionSize`. */
  readonly perceive: readonly Perception[]
  readonly update: Mlp
  /** Probability that a cell updates in a step. */
  readonly fireRate: number
  readonly living: Living | null
  /** What cells at the border see beyond it. */
  readonly padding: Padding
  /** Roles whose channels never change, not even in dead cells. */
  readonly frozen: readonly string[]
}

/**
 * Parameters of a data rule. `b2` is there where the rule's update has a last bias, `perceive` where the rule learns
 * filters: their kernels in the order of the rule's list.
 */
export type DataParams = {
  readonly perceive?: readonly Tensor[]
  readonly update: { readonly w1: Tensor; readonly b1: Tensor; readonly w2: Tensor; readonly b2?: Tensor }
}

/** What a step is given beside parameters and state. */
export type StepContext = {
  /** The random key of this step. */
  readonly key: Key
  /** The step's number within its rollout, from 0. */
  readonly t: number
  /** Fire mask `[b,h,w]` to use instead of drawing one. */
  readonly mask?: Tensor
  /** Angle in radians by which cells see the world rotated. */
  readonly angle?: number
}

/** A rule that is code; `P` is the tree of its parameters. */
export type CustomRule<P> = {
  readonly type: 'custom'
  readonly channels: Channels
  readonly init: (key: Key, placement: Placement) => P
  readonly step: (params: P, x: Tensor, context: StepContext) => Tensor
}

/** Any rule. (Its parameters are nothing that one could be given, and anything that one could return.) */
export type Rule =
  | DataRule
  | (Omit<CustomRule<never>, 'init'> & { readonly init: (key: Key, placement: Placement) => unknown })

/** The parameters of a rule: `Params<typeof rule>`. */
export type Params<R extends Rule> = R extends { readonly init: (...args: never) => infer P } ? P : DataParams

/**
 * A network with one hidden layer. By default that of Growing NCA: ReLUs, and a last layer that starts at zero, with
 * bias.
 *
 * @param hidden units of the hidden layer
 * @throws for what a network cannot have
 * @example mlp(96, { activation: 'tanh', lastBias: false })
 */
export function mlp(
  hidden: number, options: { activation?: Activation; lastStd?: number; lastBias?: boolean } = {},
): Mlp {
  checkOptions('mlp', options, ['activation', 'lastStd', 'lastBias'])
  const { activation = 'relu', lastStd = 0, lastBias = true } = options
  checkMlp('mlp', '', { hidden, activation, lastStd, lastBias })
  return { type: 'mlp', hidden, activation, lastStd, lastBias }
}

function checkMlp(where: string, path: string, { hidden, activation, lastStd, lastBias }: Omit<Mlp, 'type'>): void {
  check(isWhole(hidden, 1), where, `${path}hidden`, hidden, 'a whole number > 0')
  checkWord(where, `${path}activation`, activation, activations)
  check(isNumber(lastStd, 0), where, `${path}lastStd`, lastStd, 'a number ≥ 0')
  check(typeof lastBias === 'boolean', where, `${path}lastBias`, lastBias, 'true or false')
}

/**
 * Learned filters for a rule's `perceive`: each channel is seen through n filters of its own, `[size,size,channels,n]`.
 *
 * @param filters n, a whole number > 0
 * @throws where n is none, or the size, 3 by default, is not odd
 * @example defineRule({ channels: { rgb: 3 }, perceive: ['identity', depthwise(4, { size: 5 })], update: mlp(32) })
 */
export function depthwise(filters: number, options: { size?: number } = {}): Depthwise {
  checkOptions('depthwise', options, ['size'])
  const { size = 3 } = options
  checkLearned('depthwise', '', { type: 'depthwise', filters, size })
  return { type: 'depthwise', filters, size }
}

/**
 * A learned convolution for a rule's `perceive`: each output sees all channels, `[size,size,channels,outputs]`.
 *
 * @param outputs a whole number > 0
 * @throws where there are no outputs, or the size, 3 by default, is not odd
 * @example defineRule({ channels: { rgb: 3 }, perceive: ['identity', conv(16)], update: mlp(32) })
 */
export function conv(outputs: number, options: { size?: number } = {}): Conv {
  checkOptions('conv', options, ['size'])
  const { size = 3 } = options
  checkLearned('conv', '', { type: 'conv', outputs, size })
  return { type: 'conv', outputs, size }
}

function checkLearned(where: string, path: string, part: Depthwise | Conv): void {
  const [name, n] = part.type === 'conv' ? ['outputs', part.outputs] : ['filters', part.filters]
  check(isWhole(n, 1), where, `${path}${name}`, n, 'a whole number > 0')
  check(isWhole(part.size, 1) && part.size % 2 === 1, where, `${path}size`, part.size, 'an odd number > 0')
}

function checkPerceive(perceive: readonly Perception[]): void {
  const parts = `${filterNames.join(', ')}, depthwise(n) or conv(n)`
  check(
    Array.isArray(perceive) && perceive.length > 0, 'rule', 'perceive', perceive, `a list of at least one of ${parts}`,
  )
  perceive.forEach((part, i) => {
    if (isObject(part) && ['depthwise', 'conv'].includes(part.type)) checkLearned('rule', `perceive[${i}].`, part)
    else check(filterNames.includes(part as FilterName), 'rule', `perceive[${i}]`, part, `one of ${parts}`)
  })
}

/** What `defineRule` is given. */
export type RuleOptions = {
  channels: Channels
  perceive: readonly Perception[]
  update: Mlp
  fireRate?: number
  living?: Living | null
  padding?: Padding
  frozen?: readonly string[]
}

/**
 * A rule as frozen data. Defaults: every cell fires, no living mask, zero padding, every channel changes.
 *
 * @throws a sentence that names the field, for anything a rule cannot be
 * @example
 * defineRule({
 *   channels: { rgba: 4, hidden: 12 }, perceive: ['identity', 'sobelX', 'sobelY'],
 *   update: mlp(128), fireRate: 0.5, living: { channel: 3, above: 0.1 },
 * })
 * @example
 * defineRule({
 *   channels: { image: 1, classes: 10, hidden: 9 }, frozen: ['image'],
 *   perceive: [conv(80)], update: mlp(80, { activation: 'leakyRelu' }), fireRate: 0.5,
 * })
 */
export function defineRule(options: RuleOptions): DataRule {
  const known = ['channels', 'perceive', 'update', 'fireRate', 'living', 'padding', 'frozen']
  checkOptions('rule', options, known, ['type'])
  const { channels, perceive, fireRate = 1, living = null, padding = 'zero', frozen = [] } = options
  checkChannels('rule', channels)
  checkPerceive(perceive)
  check(
    isObject(options.update) && options.update.type === 'mlp', 'rule', 'update', options.update,
    'a network, like mlp(128)',
  )
  // Rules were written before there was a choice of activations.
  const update: Mlp = { ...options.update, activation: options.update.activation ?? 'relu' }
  checkMlp('rule', 'update.', update)
  check(
    isNumber(fireRate) && fireRate > 0 && fireRate <= 1, 'rule', 'fireRate', fireRate,
    'a number above 0, at most 1',
  )
  checkWord('rule', 'padding', padding, paddings)
  checkFrozen(channels, frozen)
  if (living !== null) {
    const total = channelCount(channels)
    check(isObject(living), 'rule', 'living', living, 'null or { channel, above }')
    check(
      isWhole(living.channel) && living.channel < total, 'rule', 'living.channel', living.channel,
      `a channel from 0 to ${total - 1}`,
    )
    check(isNumber(living.above), 'rule', 'living.above', living.above, 'a number')
    check(
      updatedChannels({ channels, frozen }).includes(living.channel), 'rule', 'living.channel', living.channel,
      'a channel that is not frozen',
    )
  }
  return deepFreeze(
    structuredClone({ type: 'data', channels, perceive, update, fireRate, living, padding, frozen } as const),
  )
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

/**
 * A rule whose step is your own function of tensors. Its gradient comes from the operators you use.
 *
 * @throws where the channels, `init` or `step` are missing or something else
 * @example
 * customRule({
 *   channels: { rgb: 3 },
 *   init: (key, placement) => ({ diffuse: full([3], 0.1, placement) }),
 *   step: (p, x) => add(x, mul(p.diffuse, filter(x, 'laplacian', { padding: 'circular' }))),
 * })
 */
export function customRule<P>(rule: Omit<CustomRule<P>, 'type'>): CustomRule<P> {
  checkOptions('customRule', rule, ['channels', 'init', 'step'], ['type'])
  checkChannels('customRule', rule.channels)
  check(typeof rule.init === 'function', 'customRule', 'init', rule.init, 'a function (key, placement) => params')
  check(typeof rule.step === 'function', 'customRule', 'step', rule.step, 'a function (params, x, context) => state')
  return Object.freeze({ ...rule, type: 'custom' })
}

function checkChannels(where: string, channels: Channels): void {
  check(isObject(channels), where, 'channels', channels, 'numbers of channels by role, like { rgba: 4, hidden: 12 }')
  for (const [role, n] of Object.entries(channels)) {
    check(isWhole(n), where, `channels.${role}`, n, 'a whole number of channels')
  }
  check(channelCount(channels) > 0, where, 'channels', channels, 'at least one channel')
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

/**
 * How many numbers a cell perceives: c·F + Σ outputs, for c channels, F filters per channel (fixed and learned) and the
 * outputs of the convolutions. They are laid out in this order, filter f of channel c0 at c0·F + f:
 *
 *   c0·f0, c0·f1, …, c1·f0, …, the outputs of the first convolution, those of the second, …
 *
 * where f counts fixed and learned filters in the order of the rule's list.
 *
 * @example perceptionSize(growingRule)   // 48
 */
export function perceptionSize({ channels, perceive }: Pick<DataRule, 'channels' | 'perceive'>): number {
  const c = channelCount(channels)
  const numbers = perceive.map(part => {
    if (typeof part === 'string') return c
    return part.type === 'conv' ? part.outputs : c * part.filters
  })
  return numbers.reduce((sum, n) => sum + n, 0)
}

/** The parts of the perception that are learned, in order. */
function learnedParts(rule: DataRule): (Depthwise | Conv)[] {
  return rule.perceive.filter(part => typeof part !== 'string')
}

/** The shapes of the kernels that a rule learns, in the order of its list: `[size,size,channels,n]`. */
export function kernelShapes(rule: DataRule): (readonly [number, number, number, number])[] {
  const channels = channelCount(rule.channels)
  return learnedParts(rule).map(part =>
    [part.size, part.size, channels, part.type === 'conv' ? part.outputs : part.filters] as const)
}

/** The shapes of a rule's parameters by their dotted paths. */
export function paramShapes(rule: DataRule): Readonly<Record<string, readonly number[]>> {
  const { hidden, lastBias } = rule.update
  const outputs = updatedChannels(rule).length
  return {
    ...Object.fromEntries(kernelShapes(rule).map((shape, i) => [`perceive.${i}`, shape])),
    'update.w1': [perceptionSize(rule), hidden],
    'update.b1': [hidden],
    'update.w2': [hidden, outputs],
    ...(lastBias ? { 'update.b2': [outputs] } : {}),
  }
}

/**
 * First parameters. Data rules follow Keras, as published: Glorot's uniform U(±√(6/(in + out))) for the first layer and
 * for learned filters, zeros (or N(0, lastStd)) for the last, zero biases.
 *
 * @returns for data rules `w1` [perceptionSize, hidden], `b1` [hidden], `w2` [hidden, updated channels], `b2`, and
 *   `perceive`, the kernels `[size,size,channels,n]`, where the rule learns any; see `DataParams`
 * @example const params = init(rule, key(0))
 */
export function init<R extends Rule>(rule: R, k: Key, placement: Placement = {}): Params<R> {
  checkKey('init', k)
  if (rule.type === 'custom') return rule.init(k, placement) as Params<R>
  const { update: { hidden, lastStd, lastBias } } = rule
  const [inputs, outputs] = [perceptionSize(rule), updatedChannels(rule).length]
  const [k1, k2, k3] = split(k, 3)
  const glorot = (k: Key, shape: Shape, fanIn: number, fanOut: number): Tensor => {
    const limit = Math.sqrt(6 / (fanIn + fanOut))
    return uniform(k, shape, { low: -limit, high: limit, ...placement })
  }
  const parts = learnedParts(rule)
  const kernels = kernelShapes(rule).map((shape, i) => {
    const [h, w, c, n] = shape
    return glorot(foldIn(k3, i), shape, h * w * (parts[i].type === 'conv' ? c : 1), h * w * n)
  })
  return {
    ...(kernels.length > 0 ? { perceive: kernels } : {}),
    update: {
      w1: glorot(k1, [inputs, hidden], inputs, hidden),
      b1: zeros([hidden], placement),
      w2: lastStd > 0
        ? normal(k2, [hidden, outputs], { std: lastStd, ...placement })
        : zeros([hidden, outputs], placement),
      ...(lastBias ? { b2: zeros([outputs], placement) } : {}),
    },
  } satisfies DataParams as DataParams as Params<R>
}

function deepFreeze<T>(x: T): T {
  if (typeof x === 'object' && x !== null) {
    Object.values(x).forEach(deepFreeze)
    Object.freeze(x)
  }
  return x
}
