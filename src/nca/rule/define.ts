/**
 * Rules from their options: completed by defaults, checked, and frozen.
 */
import { callable } from '../../backends/options.ts'
import { checkData, deepFreeze, record } from '../../backends/fields.ts'
import { channelsField, gridField, ruleField } from './table.ts'
import type { CustomRule, DataRule, Living, Rule } from './types.ts'

/** The options of `defineRule`: channels, perceive and update, and whatever differs from the defaults. */
export type RuleOptions = Pick<DataRule, 'channels' | 'perceive' | 'update'>
  & Partial<Omit<DataRule, 'type' | 'channels' | 'perceive' | 'update' | 'living'>>
  & {
    /**
     * Cells with a neighbour whose `channel` exceeds `above` live, the others are zeroed; tested 'both' before and after the
     * update (default), or only 'after' it. Null, the default, lets all cells live.
     */
    readonly living?: Pick<Living, 'channel' | 'above'> & Partial<Living> | null
  }

/**
 * A rule as frozen data. Defaults: a grid of two dimensions, every cell fires and changes in full, no masks, no noise,
 * no bounds, zero padding, every channel changes.
 *
 * @throws a sentence that names the field, for any value that it cannot have
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

export type CustomRuleOptions<P> = Omit<CustomRule<P>, 'type' | 'grid' | 'of' | 'whole'> & {
  /** Dimensions of the grid: 1, 2 (default) or 3, of states `[b,w,c]`, `[b,h,w,c]` or `[b,d,h,w,c]`. */
  readonly grid?: 1 | 2 | 3
}

/**
 * A rule whose step is your own function of tensors. Its gradient comes from the operators you use.
 *
 * @param rule `channels`, by role; `init` makes the initial parameters, any tree; `step` makes the next state, of the
 *   shape and type of the given one; `grid` is the number of dimensions, 1, 2 (default) or 3, of states `[b,w,c]`,
 *   `[b,h,w,c]` or `[b,d,h,w,c]`
 * @throws where the channels, `init` or `step` are missing or invalid
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

const customField = record<Omit<CustomRule<never>, 'of' | 'whole'>>({
  type: 'custom',
  fields: {
    channels: channelsField,
    init: { ...callable, expected: 'a function (key, placement) => params' },
    step: { ...callable, expected: 'a function (params, x, context) => state' },
    grid: gridField,
  },
})

/** The data rule that a rule is, or of which `guided` or `cascade` or both made it; undefined for other code. @internal */
export function dataRuleOf(rule: Rule): DataRule | undefined {
  return rule.type === 'data' ? rule : rule.of && dataRuleOf(rule.of)
}
