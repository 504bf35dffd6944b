/**
 * Single operators in WebAssembly SIMD, by the names of the kernels whose plain loops they replace.
 *
 * They are what dominates the composed step of a cellular automaton, whatever the rule: products with W, convolutions,
 * pooling, and the functions that are slow one number at a time. Each takes float32 only and declines the rest, so the
 * plain loops stay the oracle; results differ from theirs in the last digits, since sums run in float32 for the length
 * of a tile. What is not here gains too little (measured: at least 1.3 times as fast, or it is left out).
 */
import { conv2d, conv2dFilter, conv2dInput } from './operators/conv2d.ts'
import { dense, denseFilter } from './operators/dense.ts'
import { depthwiseConv, depthwiseConvFilter, depthwiseConvInput } from './operators/depthwise-conv.ts'
import { combined, mapped, selected } from './simd/elements.ts'
import { pick, unpick, winningTap } from './operators/max-pool.ts'
import { sum } from './operators/reduce.ts'
import { scratch } from './simd/scratch.ts'
import type { Operator } from './simd/conditions.ts'

export type { Operator } from './simd/conditions.ts'

/** The operators of one backend; they share one small memory, which is made with their first call. */
export function simdOperators(build: 'fma' | 'plain'): Readonly<Record<string, Operator>> {
  const room = scratch(build)
  return {
    dense: dense(room),
    denseFilter: denseFilter(room),
    conv2d: conv2d(room),
    conv2dInput: conv2dInput(room),
    conv2dFilter: conv2dFilter(room),
    depthwiseConv: depthwiseConv(room),
    depthwiseConvInput: depthwiseConvInput(room),
    depthwiseConvFilter: depthwiseConvFilter(room),
    winningTap: winningTap(room),
    pick,
    unpick,
    exp: mapped(room, ({ exp }, at, bytes) => exp(at, bytes)),
    sqrt: mapped(room, ({ sqrt }, at, bytes) => sqrt(at, bytes)),
    sigmoid: mapped(room, ({ sigmoid }, at, bytes) => sigmoid(at, bytes)),
    tanh: mapped(room, ({ activate }, at, bytes) => activate(3, at, bytes, 0)),
    relu: mapped(room, ({ activate }, at, bytes) => activate(1, at, bytes, 0)),
    leakyRelu: mapped(room, ({ activate }, at, bytes, [slope]) => activate(2, at, bytes, slope)),
    add: combined(room, 'add'),
    sub: combined(room, 'sub'),
    mul: combined(room, 'mul'),
    div: combined(room, 'div'),
    maximum: combined(room, 'maximum'),
    minimum: combined(room, 'minimum'),
    greater: combined(room, 'greater'),
    greaterEqual: combined(room, 'greaterEqual'),
    where: selected(room),
    sum,
  }
}
