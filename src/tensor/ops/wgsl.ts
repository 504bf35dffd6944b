/**
 * Pieces of WGSL that several operators share: strided positions, and sums over a workgroup.
 */
import { joinAxes } from '../shape.ts'
import type { Shape } from '../shape.ts'

/**
 * A WGSL function `name(i: u32) -> u32`: the position of element i of an array of this shape whose axes are walked with
 * the given strides. Sizes and strides are uniforms (`u32`); the source knows only the number of axes.
 *
 * @example strided('at', [8, 72, 72, 16], broadcastStrides([16], [8, 72, 72, 16]))
 */
export function strided(
  name: string, shape: Shape, given: readonly number[],
): { wgsl: string; u32: Record<string, number> } {
  const { sizes, strides } = joinAxes(shape, given)
  const u32: Record<string, number> = {}
  const lines: string[] = []
  for (let axis = sizes.length - 1; axis >= 0; axis--) {
    u32[`${name}Size${axis}`] = sizes[axis]
    u32[`${name}Stride${axis}`] = strides[axis]
    lines.push(`at += rest % u.${name}Size${axis} * u.${name}Stride${axis}; rest /= u.${name}Size${axis};`)
  }
  return { wgsl: `fn ${name}(i: u32) -> u32 { var rest = i; var at = 0u; ${lines.join(' ')} return at; }`, u32 }
}

/**
 * A WGSL function `workgroupSum(lane: u32, mine: T) -> T`: the sum of `mine` over a workgroup, known to lane 0. It is
 * a tree of fixed form, so the same numbers give the same bits, and it is more exact than a running sum.
 */
export const workgroupSum = `
var<workgroup> parts: array<T, lanes>;
fn workgroupSum(lane: u32, mine: T) -> T {
  parts[lane] = mine;
  for (var half = lanes / 2; half > 0; half /= 2) {
    workgroupBarrier();
    if (lane < half) { parts[lane] += parts[lane + half]; }
  }
  return parts[0];
}`
