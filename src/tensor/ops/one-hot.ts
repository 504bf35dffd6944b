/**
 * Rows with a single 1: classes as vectors, and the identity matrix.
 *
 *   oneHot   out_{…k} = [index_… = k]
 *   eye      out_{ij} = [i = j]
 */
import type { DType } from '../../backends/backend.ts'
import { check, checkOptions, isWhole, keysOf } from '../../backends/options.ts'
import { refuse, requireTensor } from '../op.ts'
import { place, placementKinds, type Placement, type Tensor } from '../tensor.ts'
import { cast } from './cast.ts'
import { equal } from './compare.ts'
import { range } from './create.ts'
import { reshape } from './reshape.ts'

export type OneHotOptions = {
  /** The element type of the rows; default 'float32'. */
  dtype?: DType
}

const oneHotOptions = keysOf<OneHotOptions>({ dtype: placementKinds.dtype })

/**
 * Classes as rows of zeros with a single 1, on the backend of the classes. A class that does not exist, such as the −1 of
 * `argMax`, has a row of zeros. No gradient passes.
 *
 * @param classes int32 or uint32, any shape
 * @param n how many classes there are
 * @returns the shape of `classes` with a last axis of n entries
 * @throws for classes that are no whole numbers
 * @example oneHot(tensor([2, 0], { dtype: 'int32' }), 3)   // [[0, 0, 1], [1, 0, 0]]
 */
export function oneHot(classes: Tensor, n: number, options: OneHotOptions = {}): Tensor {
  checkOptions('oneHot', options, oneHotOptions)
  requireTensor('oneHot', 'the classes', classes)
  const { dtype, backend } = classes
  if (dtype.startsWith('float')) refuse('oneHot', `the classes are ${dtype}, but must be int32 or uint32`, { classes })
  check(isWhole(n), 'oneHot', 'n', n, 'a whole number ≥ 0')
  const hot = equal(reshape(classes, [...classes.shape, 1]), range(n, { dtype, backend }))
  return cast(hot, options.dtype ?? 'float32')
}

/**
 * The identity matrix; float32 on the default backend unless `placement` says otherwise.
 *
 * @param n how many rows and columns it has
 * @returns `[n,n]`
 * @example matmul(x, eye(3))     // x, of shape [m,3]
 */
export function eye(n: number, placement: Placement = {}): Tensor {
  const { dtype, backend } = place(placement, 'eye')
  check(isWhole(n), 'eye', 'n', n, 'a whole number ≥ 0')
  return oneHot(range(n, { backend }), n, { dtype })
}
