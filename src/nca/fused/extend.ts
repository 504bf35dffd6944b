/**
 * Padding with zeros for arrays that runners read in whole vectors.
 */
import { ceilTo } from '../../backends/ceil-to.ts'
import { pad } from '../../tensor/ops/pad-slice.ts'
import type { Tensor } from '../../tensor/tensor.ts'

/** A tensor padded with zeros at the end of an axis, up to a size. */
export function extend(t: Tensor, axis: number, size: number): Tensor {
  return t.shape[axis] === size ? t : pad(t, t.shape.map((n, i) => [0, i === axis ? size - n : 0] as const))
}

/** Padded to a multiple of four along an axis. */
export const inFours = (t: Tensor, axis = 1): Tensor => extend(t, axis, ceilTo(t.shape[axis], 4))
