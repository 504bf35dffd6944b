/**
 * Damage: parts of a pattern are erased, so that a rule learns to grow them back.
 *
 * Coordinates are those of the published code: both axes of the grid run from −1 to 1. Where damage falls is drawn on
 * the host from a key, so it depends neither on the backend nor on the state.
 */
import type { Backend } from '../../backends/backend.ts'
import { checkKey, foldIn, uniformAt } from '../../tensor/key.ts'
import type { Key } from '../../tensor/key.ts'
import { requireTensor } from '../../tensor/op.ts'
import { checkData, choice, range, record } from '../../backends/fields.ts'
import type { Field } from '../../backends/fields.ts'
import { numberFrom } from '../../backends/options.ts'
import { where } from '../../tensor/ops/compare.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import { checkShape } from '../../tensor/shape.ts'
import { tensor } from '../../tensor/tensor.ts'
import type { Tensor } from '../../tensor/tensor.ts'

/** Where damage falls; all lengths in units in which the grid is 2 wide. */
export type Damage =
  | { readonly shape: 'circle'; readonly centre: readonly [number, number]; readonly radius: readonly [number, number] }
  | {
    readonly shape: 'rectangle'
    readonly centre: readonly [number, number]
    readonly size: readonly [number, number]
  }

/** The circles of Growing NCA: centre U(−0.5, 0.5), radius U(0.1, 0.4). */
export const publishedCircles: Damage = Object.freeze({
  shape: 'circle', centre: [-0.5, 0.5], radius: [0.1, 0.4],
} as const)

const centre: Field<readonly [number, number]> = {
  ...range(numberFrom(), false), default: [-0.5, 0.5], about: 'Where its centre is drawn, on each axis',
}

/** Damage. */
export const damageField: Field<Damage> = {
  ...choice<Damage>([
    { type: 'circle', fields: { centre, radius: { ...range(numberFrom(0), false), default: [0.1, 0.4], about: 'Where its radius is drawn' } } },
    { type: 'rectangle', fields: { centre, size: { ...range(numberFrom(0), false), default: [0.2, 0.8], about: 'Where its sides are drawn' } } },
  ], 'shape'),
  about: 'How samples are damaged: lengths are drawn from ranges, in units in which the grid is 2 wide',
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
    const draw = (i: number, [low, high]: readonly [number, number]): number =>
      low + (high - low) * uniformAt(foldIn(k, s), i)
    const cx = draw(0, damage.centre)
    const cy = draw(1, damage.centre)
    const rx = damage.shape === 'circle' ? draw(2, damage.radius) : draw(2, damage.size) / 2
    const ry = damage.shape === 'circle' ? rx : draw(3, damage.size) / 2
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        const u = (coordinate(j, width) - cx) / rx
        const v = (coordinate(i, height) - cy) / ry
        const hit = damage.shape === 'circle' ? u * u + v * v < 1 : Math.abs(u) < 1 && Math.abs(v) < 1
        mask[(s * height + i) * width + j] = +hit
      }
    }
  }
  return tensor(mask, { shape: [count, height, width], backend })
}

/** The i-th of n points from −1 to 1. */
function coordinate(i: number, n: number): number {
  return n === 1 ? 0 : (2 * i) / (n - 1) - 1
}

/** x with the cells zeroed where the mask `[b,h,w]` is 1. */
export function erase(x: Tensor, mask: Tensor): Tensor {
  requireTensor('erase', 'the mask', mask)
  return where(reshape(mask, [...mask.shape, 1]), 0, x)
}
