/**
 * Lines: a tensor seen along one of its axes.
 *
 * In row-major order the axes before the chosen one are flattened to `outer` and those after it to `inner`; the chosen one
 * has `n` entries. A line is what remains for fixed o and i, and its entries are `inner` apart:
 *
 *   entry k of line (o, i) is at (o·n + k)·inner + i
 */
import { requireTensor } from '../op.ts'
import { normaliseAxis, sizeOf, type Shape } from '../shape.ts'
import type { Tensor } from '../tensor.ts'

export type Lines = { readonly outer: number; readonly n: number; readonly inner: number }

/** The axis, counted from 0. Throws where x is no tensor with such an axis. */
export function axisOf(op: string, x: Tensor, axis: number): number {
  requireTensor(op, 'x', x)
  return normaliseAxis(op, axis, x.shape.length)
}

/** The lines along a non-negative axis. */
export function linesAlong(shape: Shape, axis: number): Lines {
  return { outer: sizeOf(shape.slice(0, axis)), n: shape[axis], inner: sizeOf(shape.slice(axis + 1)) }
}

/** The shape with another size at one axis. */
export function withSize(shape: Shape, axis: number, size: number): number[] {
  return shape.map((n, i) => (i === axis ? size : n))
}
