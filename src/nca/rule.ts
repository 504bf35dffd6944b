/**
 * Rules: what makes a cellular automaton neural, as data.
 *
 * A rule names the channels of a cell and says how cells perceive, update, fire and live:
 *
 *   s ← s + m ⊙ U(P(s))          (Spitznagel & Keuper 2026, equation 2; Mordvintsev et al. 2020)
 *
 * P is the perception (fixed filters), U a small network with parameters, m the fire mask; a living mask may zero
 * cells. A rule made by `defineRule` is frozen JSON: it can be stored beside its parameters, shown, compared and,
 * because nothing in it is code, run by a kernel made for it. `customRule` takes code instead and has the same
 * interface.
 */
import type { FilterName } from '../tensor/filters.ts'
import { filterNames } from '../tensor/filters.ts'
import { checkKey, split } from '../tensor/key.ts'
import type { Key } from '../tensor/key.ts'
import { check, checkOptions, checkWord, isNumber, isObject, isWhole } from '../tensor/options.ts'
import { zeros } from '../tensor/ops/create.ts'
import { normal, uniform } from '../tensor/random.ts'
import { paddings } from '../tensor/ops/window.ts'
import type { Padding } from '../tensor/ops/window.ts'
import type { Placement, Tensor } from '../tensor/tensor.ts'

/** Channels by role, in order: `{ rgba: 4, hidden: 12 }`. */
export type Channels = Readonly<Record<string, number>>

/** A network with one hidden layer, applied to the perception of each cell. */
export type Mlp = {
  readonly type: 'mlp'
  readonly hidden: number
  /** Standard deviation of the last layer's first weights; 0 makes the first rule do nothing, as published. */
  readonly lastStd: number
  /** Whether the last layer has a bias. */
  readonly lastBias: boolean
}

/** Cells with a neighbour whose `channel` exceeds `above`, before and after the update, live; the others are zeroed. */
export type Living = { readonly channel: number; readonly above: number }

/** A rule that is data. */
export type DataRule = {
  readonly type: 'data'
  readonly channels: Channels
  /** Fixed 3×3 filters; the perception holds each filter of each channel, interleaved per channel. */
  readonly perceive: readonly FilterName[]
  readonly update: Mlp
  /** Probability that a cell updates in a step. */
  readonly fireRate: number
  readonly living: Living | null
  /** What cells at the border see beyond it. */
  readonly padding: Padding
}

/** Parameters of a data rule. `b2` is there where the rule's update has a last bias. */
export type DataParams = {
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

/** The update network of Growing NCA: one hidden layer of ReLUs, a last layer that starts at zero, with bias. */
export function mlp(hidden: number, options: { lastStd?: number; lastBias?: boolean } = {}): Mlp {
  checkOptions('mlp', options, ['lastStd', 'lastBias'])
  const { lastStd = 0, lastBias = true } = options
  checkMlp('mlp', '', { hidden, lastStd, lastBias })
  return { type: 'mlp', hidden, lastStd, lastBias }
}

function checkMlp(where: string, path: string, { hidden, lastStd, lastBias }: Omit<Mlp, 'type'>): void {
  check(isWhole(hidden, 1), where, `${path}hidden`, hidden, 'a whole number > 0')
  check(isNumber(lastStd, 0), where, `${path}lastStd`, lastStd, 'a number ≥ 0')
  check(typeof lastBias === 'boolean', where, `${path}lastBias`, lastBias, 'true or false')
}

/** What `defineRule` is given. */
export type RuleOptions = {
  channels: Channels
  perceive: readonly FilterName[]
  update: Mlp
  fireRate?: number
  living?: Living | null
  padding?: Padding
}

/**
 * A rule as frozen data. Defaults: every cell fires, no living mask, zero padding.
 *
 * @throws a sentence that names the field, for anything a rule cannot be
 * @example
 * defineRule({
 *   channels: { rgba: 4, hidden: 12 }, perceive: ['identity', 'sobelX', 'sobelY'],
 *   update: mlp(128), fireRate: 0.5, living: { channel: 3, above: 0.1 },
 * })
 */
export function defineRule(options: RuleOptions): DataRule {
  checkOptions('rule', options, ['channels', 'perceive', 'update', 'fireRate', 'living', 'padding'], ['type'])
  const { channels, perceive, update, fireRate = 1, living = null, padding = 'zero' } = options
  checkChannels('rule', channels)
  const names = filterNames.join(', ')
  check(
    Array.isArray(perceive) && perceive.length > 0, 'rule', 'perceive', perceive,
    `a list of at least one of ${names}`,
  )
  for (const name of perceive) check(filterNames.includes(name), 'rule', 'perceive', name, `one of ${names}`)
  check(isObject(update) && update.type === 'mlp', 'rule', 'update', update, 'a network, like mlp(128)')
  checkMlp('rule', 'update.', update)
  check(
    isNumber(fireRate) && fireRate > 0 && fireRate <= 1, 'rule', 'fireRate', fireRate,
    'a number above 0, at most 1',
  )
  checkWord('rule', 'padding', padding, paddings)
  if (living !== null) {
    const total = channelCount(channels)
    check(isObject(living), 'rule', 'living', living, 'null or { channel, above }')
    check(
      isWhole(living.channel) && living.channel < total, 'rule', 'living.channel', living.channel,
      `a channel from 0 to ${total - 1}`,
    )
    check(isNumber(living.above), 'rule', 'living.above', living.above, 'a number')
  }
  return deepFreeze(structuredClone({ type: 'data', channels, perceive, update, fireRate, living, padding } as const))
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
 * First parameters. Data rules follow Keras, as published: Glorot's uniform U(±√(6/(in + out))) for the first layer,
 * zeros (or N(0, lastStd)) for the last, zero biases.
 *
 * @example const params = init(rule, key(0))
 */
export function init<R extends Rule>(rule: R, k: Key, placement: Placement = {}): Params<R> {
  checkKey('init', k)
  if (rule.type === 'custom') return rule.init(k, placement) as Params<R>
  const { update, perceive } = rule
  const channels = channelCount(rule.channels)
  const inputs = channels * perceive.length
  const [k1, k2] = split(k)
  const limit = Math.sqrt(6 / (inputs + update.hidden))
  return {
    update: {
      w1: uniform(k1, [inputs, update.hidden], { low: -limit, high: limit, ...placement }),
      b1: zeros([update.hidden], placement),
      w2: update.lastStd > 0
        ? normal(k2, [update.hidden, channels], { std: update.lastStd, ...placement })
        : zeros([update.hidden, channels], placement),
      ...(update.lastBias ? { b2: zeros([channels], placement) } : {}),
    },
  } satisfies DataParams as DataParams as Params<R>
}

/** How a rule runs: 'composed' out of operators. */
export function explain(rule: Rule): string {
  if (rule.type === 'custom') {
    return `composed: a custom rule of ${channelCount(rule.channels)} channels runs the operators its step calls.`
  }
  const { perceive, update, fireRate, living, padding } = rule
  const inputs = channelCount(rule.channels) * perceive.length
  const outputs = channelCount(rule.channels)
  const weights = (inputs + 1) * update.hidden + (update.hidden + +update.lastBias) * outputs
  return [
    `composed of operators: ${perceive.join(', ')} (${padding} padding) → ${inputs}`
      + ` → ${update.hidden} ReLU → ${outputs}, ${weights} parameters.`,
    fireRate < 1 ? `Cells fire with probability ${fireRate};` : 'Every cell fires;',
    living
      ? `cells further than 2 from channel ${living.channel} > ${living.above} are skipped, `
        + 'those further than 1 are zeroed.'
      : 'all cells live.',
  ].join(' ')
}

function deepFreeze<T>(x: T): T {
  if (typeof x === 'object' && x !== null) {
    Object.values(x).forEach(deepFreeze)
    Object.freeze(x)
  }
  return x
}
