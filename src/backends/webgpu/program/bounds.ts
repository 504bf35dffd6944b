/**
 * WGSL: bounds, which keep the channels that change within clamp or tanh after each step.
 *
 * A state is kept as it was before them, as it is before anything dies: whoever reads a cell bounds it. So the backward
 * step finds in the state after it what bounds were given, and whether a clamp has cut. The first state has none. What
 * the living channel is within its bounds decides who lives in the step after, and is a mark of its own.
 */
import type { Program } from '../../program.ts'
import { literal } from '../../wgsl/literal.ts'
import { unrolled } from './unrolled.ts'

/** `boundOf(v)`, where a NaN stays one; `owedBy(v, g)` by its derivative; and `isBound(c, e)`, for number e of vector c. */
export function boundsWgsl({ bound, channels, updated }: Program): string {
  if (!bound) return ''
  const { squash, low, high } = bound
  const moves = Array.from({ length: 4 * Math.ceil(channels / 4) }, (_, c) => updated.includes(c))
  return `
fn boundOf(v: f32) -> f32 {
  ${squash ? 'return hyperbolicTangent(v);'
    : `return select(select(v, ${literal(low)}, v < ${literal(low)}), ${literal(high)}, v > ${literal(high)});`}
}
fn owedBy(v: f32, g: f32) -> f32 {
  let y = boundOf(v);
  return ${squash ? 'g * (1.0 - y * y)' : 'select(0.0, g, y == v)'};
}
fn isBound(channel: u32) -> bool { var all = array<bool, ${moves.length}>(${moves.join(', ')}); return all[channel]; }`
}

/** A vector v, number `c` of a cell, with `f` of each of its numbers that are bound. */
export function boundEach(v: string, c: string, f: (v: string, e: string) => string): string {
  return `vec4f(${unrolled({ e: 4 }, `select(${v}[{e}], ${f(`${v}[{e}]`, '{e}')}, isBound(4u * ${c} + {e}u))`, ', ')})`
}
