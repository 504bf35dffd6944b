/**
 * Damage: parts of a pattern are erased, so that a rule learns to grow them back.
 *
 * Coordinates are those of the published code: both axes of the grid run from −1 to 1. The place of the damage is drawn on
 * the host from a key, so it depends neither on the backend nor on the state.
 */
import type { Backend } from '../../backends/backend.ts'
import { checkKey, foldIn, uniformAt, type Key } from '../../tensor/key.ts'
import { requireTensor } from '../../tensor/op.ts'
import { checkData, choice, range, record, type Field } from '../../backends/fields.ts'
import { numberFrom } from '../../backends/options.ts'
import { where } from '../../tensor/ops/compare.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import { checkShape } from '../../tensor/shape.ts'
import { tensor, type Tensor } from '../../tensor/tensor.ts'
import { dataRuleOf } from '../rule/define.ts'
import type { Rule } from '../rule/types.ts'
import { frozenChannels } from '../step.ts'

/**
 * The shape of the damage. Each number is drawn uniformly from a range [low, high]. Lengths are in units in which the grid is 2
 * wide, angles in radians from the axis of columns (to the right) to that of rows (down).
 *
 *   circle      |p − centre| < radius
 *   rectangle   |p − centre| < size/2 on both axes, which are turned by the angle
 *   halfPlane   p · (cos angle, sin angle) > offset:   angle 0, offset 0 is the right half, angle π/2 the lower one
 *
 * (The halves are what Spitznagel & Keuper 2026 remove, "50 % horizontal or vertical removal".)
 */
export type Damage =
  | { readonly shape: 'circle'; readonly centre: readonly [number, number]; readonly radius: readonly [number, number] }
  | {
    readonly shape: 'rectangle'
    readonly centre: readonly [number, number]
    readonly size: readonly [number, number]
    /** The angle by which it is turned, in radians; default [0, 0]. */
    readonly angle?: readonly [number, number]
  }
  | { readonly shape: 'halfPlane'; readonly angle: readonly [number, number]; readonly offset: readonly [number, number] }

/** The circles of Growing NCA: centre U(−0.5, 0.5), radius U(0.1, 0.4). */
export const publishedCircles: Damage = Object.freeze({
  shape: 'circle', centre: [-0.5, 0.5], radius: [0.1, 0.4],
} as const)

const centre: Field<readonly [number, number]> = {
  ...range(numberFrom(), false), default: [-0.5, 0.5], about: 'Range of its centre, on each axis',
}

/** Damage as a field of data. */
export const damageField: Field<Damage> = {
  ...choice<Damage>([
    { type: 'circle', fields: { centre, radius: { ...range(numberFrom(0), false), default: [0.1, 0.4], about: 'Range of its radius' } } },
    {
      type: 'rectangle',
      fields: {
        centre,
        size: { ...range(numberFrom(0), false), default: [0.2, 0.8], about: 'Range of its sides' },
        angle: { ...range(numberFrom(), false), default: [0, 0], about: 'Range of the angle by which it is rotated' },
      },
    },
    {
      type: 'halfPlane',
      fields: {
        angle: { ...range(numberFrom(), false), default: [0, 2 * Math.PI], about: 'Range of the direction in which it lies' },
        offset: { ...range(numberFrom(), false), default: [0, 0.5], about: 'Range of its distance from the centre' },
      },
    },
  ], 'shape'),
  about: 'The damaged area; lengths and angles are drawn from ranges, in units in which the grid is 2 wide, and radians',
}

const givenDamage = record<{ damage: Damage }>({ fields: { damage: damageField } })

/** Damage with its defaults. Throws unless it is damage. */
export function wholeDamage(where: string, damage: Damage): Damage {
  return checkData(where, givenDamage, { damage }).damage
}

/**
 * Masks of `count` random pieces of damage, `[count,h,w]`: 1 where a cell is erased.
 *
 * @example erase(x, damageMask(k, publishedCircles, 8, 72, 72))
 */
export function damageMask(
  k: Key, given: Damage, count: number, height: number, width: number, backend?: Backend,
): Tensor {
  checkKey('damageMask', k)
  const damage = wholeDamage('damageMask', given)
  checkShape('damageMask', [count, height, width])
  const mask = new Uint32Array(count * height * width)
  for (let s = 0; s < count; s++) {
    const hits = drawDamage(damage, (i, [low, high]) => low + (high - low) * uniformAt(foldIn(k, s), i))
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        mask[(s * height + i) * width + j] = +hits(coordinate(j, width), coordinate(i, height))
      }
    }
  }
  return tensor(mask, { shape: [count, height, width], backend })
}

/** One piece of damage: whether it hits the point (x, y). The i-th number is drawn from a range by `draw`. */
function drawDamage(
  damage: Damage, draw: (i: number, range: readonly [number, number]) => number,
): (x: number, y: number) => boolean {
  if (damage.shape === 'halfPlane') {
    const angle = draw(0, damage.angle), offset = draw(1, damage.offset)
    const cos = Math.cos(angle), sin = Math.sin(angle)
    return (x, y) => x * cos + y * sin > offset
  }
  const cx = draw(0, damage.centre), cy = draw(1, damage.centre)
  if (damage.shape === 'circle') {
    const radius = draw(2, damage.radius)
    return (x, y) => {
      const u = (x - cx) / radius, v = (y - cy) / radius
      return u * u + v * v < 1
    }
  }
  const rx = draw(2, damage.size) / 2, ry = draw(3, damage.size) / 2
  const angle = draw(4, damage.angle ?? [0, 0])
  const cos = Math.cos(angle), sin = Math.sin(angle)
  return (x, y) => {
    const u = ((x - cx) * cos + (y - cy) * sin) / rx
    const v = ((y - cy) * cos - (x - cx) * sin) / ry
    return Math.abs(u) < 1 && Math.abs(v) < 1
  }
}

/** The i-th of n points from −1 to 1. */
function coordinate(i: number, n: number): number {
  return n === 1 ? 0 : (2 * i) / (n - 1) - 1
}

/**
 * x with zeros in the cells where the mask `[b,h,w]` is 1.
 *
 * @example erase(x, damageMask(key(0), publishedCircles, 8, 72, 72))
 */
export function erase(x: Tensor, mask: Tensor): Tensor {
  requireTensor('erase', 'the mask', mask)
  return where(reshape(mask, [...mask.shape, 1]), 0, x)
}

/** x with zeros in the cells of a mask, except in the frozen channels of the rule. */
export function damagedBut(rule: Rule, x: Tensor, mask: Tensor): Tensor {
  const erased = erase(x, mask), told = dataRuleOf(rule)
  return told?.frozen.length ? where(frozenChannels(told, x), x, erased) : erased
}
