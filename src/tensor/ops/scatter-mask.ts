/**
 * Scatter masks: masks that are 1 at listed cells. The cells to seed, to damage or to fire are often a short list.
 */
import { hostArray } from '../../backends/backend.ts'
import { refuse } from '../op.ts'
import { check } from '../../backends/options.ts'
import { checkShape, showShape, sizeOf, stridesOf, type Shape } from '../shape.ts'
import { place, tensor, type Placement, type Tensor } from '../tensor.ts'

/**
 * A uint32 mask with 1 at the given cells and 0 elsewhere.
 *
 * @param shape usually `[b,h,w]`
 * @param cells positions, usually `[b, y, x]`; they may repeat
 * @throws for a cell outside of the shape
 * @example scatterMask([1, 40, 40], [[0, 20, 20], [0, 5, 31]])
 */
export function scatterMask(
  shape: Shape, cells: readonly (readonly number[])[], placement: Omit<Placement, 'dtype'> = {},
): Tensor {
  const { dtype, backend } = place(placement, 'scatterMask', 'uint32')
  checkShape('scatterMask', shape)
  const listed = Array.isArray(cells) && cells.every(cell => Array.isArray(cell))
  check(listed, 'scatterMask', 'the list of cells', cells, 'a list of positions')
  const mask = hostArray('uint32', sizeOf(shape))
  const strides = stridesOf(shape)
  for (const cell of cells) {
    if (cell.length !== shape.length || cell.some((at, i) => !(Number.isInteger(at) && at >= 0 && at < shape[i]))) {
      refuse('scatterMask', `cell ${showShape(cell)} is not in ${showShape(shape)}`)
    }
    mask[cell.reduce((sum, at, i) => sum + at * strides[i], 0)] = 1
  }
  return tensor(mask, { shape, dtype, backend })
}
