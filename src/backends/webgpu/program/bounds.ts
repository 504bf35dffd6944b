/**
 * WGSL: bounds, clamp or tanh of the channels that change, after each step.
 *
 * A state is stored as it is before bounds and before any cell dies: every reader of a cell applies the bounds. So the backward
 * step finds in the state after it the inputs of the bounds, and whether a clamp has cut. The first state is not bounded.
 * The bounded living channel decides which cells live in the next step, and has a mark of its own.
 */
import type { Program } from '../../program.ts'
import { literal } from '../../wgsl/literal.ts'
import { unrolled } from './unrolled.ts'

/** `boundOf(v)`, which keeps NaN; `owedBy(v, g)`, its derivative; and `isBound(c, e)`, whether number e of vector c is bound. */
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

/** A vector v, vector number `c` of a cell, with `f` applied to those of its numbers that are bound. */
export function boundEach(v: string, c: string, f: (v: string, e: string) => string): string {
  return `vec4f(${unrolled({ e: 4 }, `select(${v}[{e}], ${f(`${v}[{e}]`, '{e}')}, isBound(4u * ${c} + {e}u))`, ', ')})`
}
