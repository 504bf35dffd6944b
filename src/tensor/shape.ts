/**
 * Shapes: lists of sizes, row-major, outermost axis first.
 *
 * Broadcasting is NumPy's: shapes are aligned at their last axis, and an axis of size 1 (or a missing one) is repeated.
 *
 *   [b,h,w,c] with [c]        one value per channel
 *   [b,h,w,c] with [b,h,w,1]  one value per cell
 */
import { sizeOf, type Shape } from '../backends/backend.ts'
import { check, isWhole } from '../backends/options.ts'

export { sizeOf }
export type { Shape }

/** Throws unless this is a shape. */
export function checkShape(op: string, shape: unknown): void {
  check(Array.isArray(shape) && shape.every(n => isWhole(n)), op, 'the shape', shape, 'a list of whole numbers ≥ 0')
}

/** `[1,40,40,16]`, as shapes are written in messages. */
export function showShape(shape: Shape): string {
  return `[${shape.slice(0, 16).join(',')}${shape.length > 16 ? ',…' : ''}]`
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((n, i) => n === b[i])
}

/** The shape that both broadcast to, or null where they cannot. */
export function broadcastShapes(a: Shape, b: Shape): number[] | null {
  const rank = Math.max(a.length, b.length)
  const out = new Array<number>(rank)
  for (let i = 1; i <= rank; i++) {
    const m = a.length >= i ? a[a.length - i] : 1
    const n = b.length >= i ? b[b.length - i] : 1
    if (m !== n && m !== 1 && n !== 1) return null
    out[rank - i] = m === 1 ? n : m
  }
  return out
}

/** Elements to skip for one step along each axis. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length)
  let stride = 1
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride
    stride *= shape[i]
  }
  return strides
}

/** Strides to read an array of `shape` as if it had the shape `to`: 0 along repeated axes. */
export function broadcastStrides(shape: Shape, to: Shape): number[] {
  const own = stridesOf(shape)
  const missing = to.length - shape.length
  return to.map((n, i) => (i < missing || (shape[i - missing] === 1 && n !== 1) ? 0 : own[i - missing]))
}

/** Sizes and strides that traverse the same positions with as few axes as possible, none of size 1. */
export function joinAxes(sizes: Shape, strides: readonly number[]): { sizes: number[]; strides: number[] } {
  const joined = { sizes: [] as number[], strides: [] as number[] }
  sizes.forEach((n, axis) => {
    const last = joined.sizes.length - 1
    if (n === 1) return
    if (last >= 0 && joined.strides[last] === strides[axis] * n) {
      joined.sizes[last] *= n
      joined.strides[last] = strides[axis]
    } else {
      joined.sizes.push(n)
      joined.strides.push(strides[axis])
    }
  })
  return joined
}

/** Axis −1 is the last one. Throws where there is no such axis. */
export function normaliseAxis(op: string, axis: number, rank: number): number {
  check(typeof axis === 'number', op, 'the axis', axis, 'a whole number')
  const positive = axis < 0 ? axis + rank : axis
  if (!Number.isInteger(axis) || positive < 0 || positive >= rank) {
    throw new Error(`${op}: there is no axis ${axis} in a tensor of rank ${rank}.`)
  }
  return positive
}

/** Sorted, distinct, non-negative axes; all of them by default. */
export function normaliseAxes(op: string, axes: number | readonly number[] | undefined, rank: number): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, i) => i)
  const list = Array.isArray(axes) ? axes as readonly number[] : [axes as number]
  const sorted = list.map(axis => normaliseAxis(op, axis, rank)).sort((a, b) => a - b)
  if (new Set(sorted).size !== sorted.length) throw new Error(`${op}: axis given twice in ${showShape(list)}.`)
  return sorted
}
