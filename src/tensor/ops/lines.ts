/**
 * Lines: a tensor seen along one of its axes.
 *
 * In row-major order the axes before the chosen one join into `outer` and those after it into `inner`; the chosen one
 * has `n` entries. A line is what remains when both are held, and its entries are `inner` apart:
 *
 *   entry k of line (o, i) is at (o·n + k)·inner + i
 */
import { sizeOf } from '../shape.ts'
import type { Shape } from '../shape.ts'

export type Lines = { readonly outer: number; readonly n: number; readonly inner: number }

/** The lines along a non-negative axis. */
export function linesAlong(shape: Shape, axis: number): Lines {
  return { outer: sizeOf(shape.slice(0, axis)), n: shape[axis], inner: sizeOf(shape.slice(axis + 1)) }
}

/** The shape with another size at one axis. */
export function withSize(shape: Shape, axis: number, size: number): number[] {
  return shape.map((n, i) => (i === axis ? size : n))
}
