/**
 * Rules made of what one says of them: checked, completed by defaults, and frozen.
 */
import { filterNamesOn } from '../../tensor/filters.ts'
import type { Filter } from '../../tensor/filters.ts'
import { check, checkOptions, checkWord, isNumber, isObject, isWhole, keysOf, later } from '../../backends/options.ts'
import { paddings } from '../../backends/window.ts'
import { sizeOf } from '../../tensor/shape.ts'
import type { Padding } from '../../backends/window.ts'
import { checkedMlp, mlpFields } from '../mlp.ts'
import type { Mlp } from '../mlp.ts'
import { wholeConv } from '../perceptions/conv.ts'
import { describe, isLearned } from '../perceptions/kinds.ts'
import { channelCount, updatedChannels } from './channels.ts'
import { checkMost, most } from './limits.ts'
import { paramShapes } from './parameters.ts'
import type { Bound, Channels, CustomRule, DataRule, Living, Noise, Perception } from './types.ts'

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

function deepFreeze<T>(x: T): T {
  if (typeof x === 'object' && x !== null) {
    Object.values(x).forEach(deepFreeze)
    Object.freeze(x)
  }
  return x
}
