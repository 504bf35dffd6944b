/**
 * Rules made of what one says of them: completed by defaults, checked, and frozen.
 */
import { callable } from '../../backends/options.ts'
import { checkData, deepFreeze, record } from '../../backends/fields.ts'
import type { Padding } from '../../backends/window.ts'
import type { Mlp } from '../mlp.ts'
import { channelsField, gridField, ruleField } from './table.ts'
import type { Bound, Channels, CustomRule, DataRule, Noise, Perception } from './types.ts'

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
  return deepFreeze(checkData('rule', ruleField, options))
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
  return Object.freeze(checkData('customRule', customField, rule)) as unknown as CustomRule<P>
}

const customField = record<CustomRule<never>>({
  type: 'custom',
  fields: {
    channels: channelsField,
    init: { ...callable, expected: 'a function (key, placement) => params' },
    step: { ...callable, expected: 'a function (params, x, context) => state' },
    grid: gridField,
  },
})
