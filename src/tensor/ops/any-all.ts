/**
 * any and all: logical reductions, ∨ and ∧ over axes.
 *
 *   any   1 where at least one entry counts as true         no entry at all: 0
 *   all   1 where every entry counts as true                no entry at all: 1
 *
 * As everywhere, any number but 0 counts as true, even NaN. Both are computed by counting, with one sum.
 */
import type { Tensor } from '../tensor.ts'
import { equal, greater, notEqual } from './compare.ts'
import { reducedAxes, sum, type ReduceOptions } from './sum.ts'

/**
 * A mask: whether any entry over the given axes, all by default, is not 0. No gradient passes.
 *
 * @returns uint32, 0 or 1; 0 where an axis is empty
 * @example any(greater(x, 0), [1, 2])      // [b,h,w,c] → [b,c]
 */
export function any(x: Tensor, axes?: number | readonly number[], options: ReduceOptions = {}): Tensor {
  const list = reducedAxes('any', x, axes, options)
  return greater(sum(notEqual(x, 0), list, options), 0)
}

/**
 * A mask: whether every entry over the given axes, all by default, is not 0. No gradient passes.
 *
 * @returns uint32, 0 or 1; 1 where an axis is empty
 * @example all(less(abs(sub(x, y)), 1e-6))   // []
 */
export function all(x: Tensor, axes?: number | readonly number[], options: ReduceOptions = {}): Tensor {
  const list = reducedAxes('all', x, axes, options)
  return equal(sum(equal(x, 0), list, options), 0)
}
