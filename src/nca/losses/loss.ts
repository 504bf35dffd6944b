/**
 * Losses that compare numbers cell by cell: how far a state is from what it should be, one number per sample.
 *
 *   mse         mean (x − y)²
 *   l1          mean |x − y|
 *   overflow    mean |x − clamp(x)|
 *
 * They return `[b]`, not a mean, because a pool ranks its samples; training differentiates `mean(loss)`.
 */
import { abs, clamp, square } from '../../tensor/ops/functions.ts'
import { add, div, maximum, sub } from '../../tensor/ops/arithmetic.ts'
import { cast } from '../../tensor/ops/cast.ts'
import { notEqual, where } from '../../tensor/ops/compare.ts'
import { refuse, requireTensor } from '../../tensor/op.ts'
import { checkData, named, range, record, type Field } from '../../backends/fields.ts'
import { check, isNumber, isObject, numberFrom } from '../../backends/options.ts'
import { mean } from '../../tensor/ops/reduce.ts'
import { sum } from '../../tensor/ops/sum.ts'
import { broadcastShapes, sameShape, showShape, type Shape } from '../../tensor/shape.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { roleChannels } from '../rule/channels.ts'
import type { Channels } from '../rule/types.ts'
import { takeRole } from '../state.ts'

/** All axes of x but the first. */
export function sampleAxes(x: Tensor): number[] {
  return x.shape.map((_, i) => i).slice(1)
}

/** Mean over all axes but the first: `[b, …]` → `[b]`. */
export function perSample(x: Tensor): Tensor {
  return mean(x, sampleAxes(x))
}

/** Mean over `axes` of the entries that count; 0 where none does. The mask broadcasts to x. */
export function meanWhere(x: Tensor, mask: Tensor, axes: readonly number[]): Tensor {
  const count = sum(cast(notEqual(mask, 0), x.dtype), axes)
  return div(sum(where(mask, x, 0), axes), maximum(count, 1))
}

/** Throws unless `mask` is a mask of this shape. */
export function checkMask(where: string, name: string, mask: Tensor, shape: Shape): void {
  requireTensor(where, name, mask)
  if (mask.dtype !== 'uint32') {
    refuse(where, `${name} is ${mask.dtype}, but must be uint32, 0 or 1`, {}, 'Comparisons make one: greater(x, 0.5).')
  }
  if (!sameShape(mask.shape, shape)) refuse(where, `${name} must be ${showShape(shape)}`, { mask })
}

/** Throws unless the target has the shape of x or of one of its samples. */
export function checkTarget(loss: string, x: Tensor, target: Tensor): void {
  requireTensor(loss, 'x', x)
  requireTensor(loss, 'the target', target)
  const shape = broadcastShapes(x.shape, target.shape)
  if (!shape || !sameShape(shape, x.shape)) {
    refuse(loss, 'the target does not have the shape of x or of one of its samples', { x, target })
  }
}

function difference(loss: string, x: Tensor, target: Tensor): Tensor {
  checkTarget(loss, x, target)
  return sub(x, target)
}

/**
 * Mean squared error per sample.
 *
 * @param x `[b,h,w,c]`
 * @param target `[h,w,c]` for all samples, or `[b,h,w,c]`
 * @returns `[b]`
 * @example mean(mse(rgba(state), target))
 */
export function mse(x: Tensor, target: Tensor): Tensor {
  return perSample(square(difference('mse', x, target)))
}

/**
 * Mean absolute error per sample; shapes as for `mse`. The gradient is 0 where the two are equal.
 *
 * @example conditionalTask(rule, digits, { loss: l1 })
 */
export function l1(x: Tensor, target: Tensor): Tensor {
  return perSample(abs(difference('l1', x, target)))
}

/**
 * Mean distance of a state from [low, high] per sample: keeps channels from drifting away (Niklasson et al.,
 * "Self-Organising Textures", Distill 2021). The gradient is 0 inside and at the bounds.
 *
 * @param x `[b,h,w,c]`
 * @returns `[b]`, ≥ 0
 * @throws where `low` is above `high`
 * @example add(slicedTransport(colours, target, k), overflow(state))
 */
export function overflow(x: Tensor, low = -1, high = 1): Tensor {
  requireTensor('overflow', 'x', x)
  for (const [name, bound] of Object.entries({ low, high })) {
    check(isNumber(bound), 'overflow', name, bound, 'a number')
  }
  check(low <= high, 'overflow', 'low', low, `at most high, ${high}`)
  return perSample(abs(sub(x, clamp(x, low, high))))
}

/** By role, the range [low, high] in which its channels should stay. */
export type RoleRanges = Readonly<Record<string, readonly [number, number]>>

/**
 * Overflow with a range for each role: the sum over the roles of the mean distance of their channels from their range
 * (Spitznagel & Keuper 2026, equation 6). Roles that are not named are free.
 *
 * @param x `[b,h,w,c]`
 * @returns `[b]`, ≥ 0
 * @throws where the rule has no such role, and where a range is not two numbers, the first at most the second
 * @example roleOverflow(rule, state, { rgb: [0, 1], hidden: [-1, 1] })
 */
export function roleOverflow(rule: { channels: Channels }, x: Tensor, ranges: RoleRanges): Tensor {
  checkRanges('roleOverflow', rule, ranges)
  return Object.entries(ranges).map(([role, [low, high]]) => overflow(takeRole(rule, x, role), low, high))
    .reduce((a, b) => add(a, b))
}

/** The ranges of at least one role. */
export const rangesField: Field<RoleRanges> = {
  ...named<readonly [number, number]>(range(numberFrom(), false), 'a range for each of some roles, like { rgb: [0, 1] }'),
  fits: x => isObject(x) && Object.keys(x).length > 0,
}

const rangesGiven = record<{ ranges: RoleRanges }>({ fields: { ranges: rangesField } })

/** Throws unless these are ranges of roles that a rule has, at least one. */
export function checkRanges(where: string, rule: { channels: Channels }, ranges: RoleRanges): void {
  checkData(where, rangesGiven, { ranges })
  for (const role of Object.keys(ranges)) roleChannels(rule.channels, role)
}
