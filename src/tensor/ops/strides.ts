/**
 * Strided reading, in loops and in WGSL, of arrays that broadcast or whose axes are in another order.
 */
import { dtypeOf, hostArray, type Data } from '../../backends/backend.ts'
import { broadcastStrides, joinAxes, sameShape, sizeOf, stridesOf, type Shape } from '../shape.ts'

/**
 * Traverses `big` in rows: calls `row(i, j, stride, n)` for n positions i, i+1, … of `big`, which broadcast from the
 * positions j, j+stride, … of `small`. Axes that can be traversed as one are joined, so that rows are as long as possible.
 */
export function eachRow(
  big: Shape, small: Shape, row: (i: number, j: number, stride: number, n: number) => void,
): void {
  const { sizes, strides } = joinAxes(big, broadcastStrides(small, big))
  const n = sizes.pop() ?? 1
  const stride = strides.pop() ?? 0
  const size = sizeOf(big)
  const at = sizes.map(() => 0)
  let j = 0
  for (let i = 0; i < size; i += n) {
    row(i, j, stride, n)
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      j += strides[axis]
      if (++at[axis] < sizes[axis]) break
      j -= strides[axis] * sizes[axis]
      at[axis] = 0
    }
  }
}

/** An operand as a flat array and the stride at which to read it; if it broadcasts, it is written out. */
export function flat(x: Data, shape: Shape, to: Shape): [Data, number] {
  if (x.length === 1) return [x, 0]
  if (sameShape(shape, to) || x.length === sizeOf(to)) return [x, 1]
  const copy = hostArray(dtypeOf(x), sizeOf(to))
  eachRow(to, shape, (i, j, stride, n) => {
    for (let k = 0; k < n; k++) copy[i + k] = x[j + k * stride]
  })
  return [copy, 1]
}

/**
 * A WGSL function `name(i: u32) -> u32`: the position of element i of an array of this shape whose axes have the given
 * strides. Sizes and strides are uniforms (`u32`), so that the source depends only on the number of axes.
 *
 * @example strided('at', [8, 72, 72, 16], broadcastStrides([16], [8, 72, 72, 16]))
 */
export function strided(
  name: string, shape: Shape, given: readonly number[],
): { wgsl: string; u32: Record<string, number> } {
  const { sizes, strides } = joinAxes(shape, given)
  const u32: Record<string, number> = {}
  const lines: string[] = []
  for (let axis = sizes.length - 1; axis > 0; axis--) {
    u32[`${name}Size${axis}`] = sizes[axis]
    lines.push(`at += rest % u.${name}Size${axis} * u.${name}Stride${axis}; rest /= u.${name}Size${axis};`)
  }
  strides.forEach((stride, axis) => { u32[`${name}Stride${axis}`] = stride })
  if (sizes.length > 0) lines.push(`at += rest * u.${name}Stride0;`)
  return { wgsl: `fn ${name}(i: u32) -> u32 { var rest = i; var at = 0u; ${lines.join(' ')} return at; }`, u32 }
}

/**
 * The numbers that a reduction over these axes combines, in WGSL: for entry j of the output, the first of its `n` numbers is at
 * `first(j)`, and number i is `next(i)` further, i = 0 … n − 1.
 */
export function metAlong(
  axes: readonly number[], shape: Shape, outShape: Shape,
): { n: number; wgsl: string; u32: Record<string, number> } {
  const strides = stridesOf(shape)
  const sizes = axes.map(axis => shape[axis])
  const first = strided('first', outShape, strides)
  const next = strided('next', sizes, axes.map(axis => strides[axis]))
  const n = sizeOf(sizes)
  return { n, wgsl: `${first.wgsl} ${next.wgsl}`, u32: { n, ...first.u32, ...next.u32 } }
}
