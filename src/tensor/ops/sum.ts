/**
 * sum: the sum over some axes, and the axes and options that all reductions share. Its kernels and its derivative are in
 * broadcast.ts, beside its adjoint.
 */
import { requireTensor } from '../op.ts'
import { checkOptions, flag, keysOf, type Options } from '../../backends/options.ts'
import { normaliseAxes } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'
import { sumOp } from './broadcast.ts'
import { reshape } from './reshape.ts'

export type ReduceOptions = {
  /** Keep reduced axes with size 1; default false. */
  keepDims?: boolean
}

/** The options of every reduction. */
export const reduceOptions: Options = keysOf<ReduceOptions>({ keepDims: flag })

/** The axes of a reduction named `op`, counted from 0. Throws for invalid axes or options. */
export function reducedAxes(
  op: string, x: Tensor, axes: number | readonly number[] | undefined, options: ReduceOptions,
): number[] {
  checkOptions(op, options, reduceOptions)
  requireTensor(op, 'x', x)
  return normaliseAxes(op, axes, x.shape.length)
}

/** The result of a reduction, from the tensor in which reduced axes have size 1. */
export function dropAxes(x: Tensor, axes: readonly number[], keepDims = false): Tensor {
  return keepDims || axes.length === 0 ? x : reshape(x, x.shape.filter((_, i) => !axes.includes(i)))
}

/**
 * Sum over the given axes, all by default. Float32 sums are accumulated in double precision.
 *
 * @example sum(x)                              // []
 * @example sum(x, [1, 2])                      // [b,h,w,c] → [b,c]
 * @example sum(x, -1, { keepDims: true })      // [b,h,w,c] → [b,h,w,1]
 */
export function sum(x: Tensor, axes?: number | readonly number[], options: ReduceOptions = {}): Tensor {
  const list = reducedAxes('sum', x, axes, options)
  return dropAxes(apply(sumOp, [x], { axes: list }), list, options.keepDims)
}
