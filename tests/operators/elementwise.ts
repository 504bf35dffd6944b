// Cases of the element-wise operators.

import fc from 'fast-check'
import {
  abs, add, clamp, cos, div, exp, greater, leakyRelu, log, log1p, maximum, minimum, mul, neg, pow, relu, sigmoid, sin,
  sqrt, sub, tanh, where, type Tensor,
} from '../../src/index.ts'
import { castOp } from '../../src/tensor/ops/cast.ts'
import * as arithmetic from '../../src/tensor/ops/arithmetic.ts'
import * as compare from '../../src/tensor/ops/compare.ts'
import * as functions from '../../src/tensor/ops/functions.ts'
import { powDerivativeOp, powOp } from '../../src/tensor/ops/power.ts'
import type { Op } from '../../src/tensor/op.ts'
import { apply } from '../../src/tensor/trace.ts'
import { gradCase, seeds, shapes, spaced, type Case } from './case.ts'

/** Two shapes that broadcast: some axes of either are 1, and either may lack leading axes. */
const broadcasting = fc.tuple(
  shapes(3, 3),
  fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 3, maxLength: 3 }),
  fc.integer({ min: 0, max: 2 }),
  fc.boolean(),
  seeds,
).map(([shape, ones, missing, swap, seed]) => {
  const a = shape.map((n, i) => (ones[i] === 1 ? 1 : n))
  const b = shape.map((n, i) => (ones[i] === 2 ? 1 : n)).slice(missing)
  return { a: swap ? b : a, b: swap ? a : b, seed }
})

const one = fc.tuple(fc.integer({ min: 1, max: 3 }).chain(rank => shapes(rank, 3)), seeds)
  .map(([shape, seed]) => ({ shape, seed }))

function binaryCase(
  op: Op<never>, f: (a: Tensor, b: Tensor) => Tensor, { linear = false, positive = false } = {},
): Case {
  return gradCase(op, broadcasting, ({ a, b, seed }) => {
    // Shifting the second operand keeps every pair at least 0.02 apart, so that maximum and minimum have no ties.
    const at = [spaced(seed, a, { positive }), spaced(seed + 1, b, { positive, shift: 0.025 })]
    return { f: (x, y) => f(x, y), at }
  }, { linear })
}

function unaryCase(op: Op<never>, f: (x: Tensor) => Tensor, { positive = false, linear = false } = {}): Case {
  return gradCase(op, one, ({ shape, seed }) => ({
    f, at: [spaced(seed, shape, { positive })],
  }), { linear, positions: [0] })
}

export const elementwiseCases: Case[] = [
  binaryCase(arithmetic.addOp, add, { linear: true }),
  binaryCase(arithmetic.subOp, sub, { linear: true }),
  binaryCase(arithmetic.mulOp, mul),
  binaryCase(arithmetic.divOp, div, { positive: true }),
  binaryCase(arithmetic.maximumOp, maximum),
  binaryCase(arithmetic.minimumOp, minimum),
  binaryCase(powOp, pow, { positive: true }),
  gradCase(powDerivativeOp, fc.record({ broadcasting, m: fc.nat(2), n: fc.nat(2) }), ({ broadcasting: { a, b, seed }, m, n }) => ({
    f: (x, y) => apply(powDerivativeOp, [x, y], { m, n }),
    at: [spaced(seed, a, { positive: true, shift: 0.4 }), spaced(seed + 1, b, { shift: 0.5 })],
  })),
  unaryCase(arithmetic.negOp, neg, { linear: true }),
  unaryCase(functions.expOp, exp),
  unaryCase(functions.logOp, log, { positive: true }),
  unaryCase(functions.log1pOp, log1p, { positive: true }),
  unaryCase(functions.sqrtOp, sqrt, { positive: true }),
  unaryCase(functions.sinOp, sin),
  unaryCase(functions.cosOp, cos),
  unaryCase(functions.tanhOp, tanh),
  unaryCase(functions.sigmoidOp, sigmoid),
  unaryCase(functions.absOp, abs),
  unaryCase(functions.reluOp, relu),
  unaryCase(functions.softplusOp, functions.softplus),
  unaryCase(functions.leakyReluOp, x => leakyRelu(x, 0.2)),
  unaryCase(arithmetic.minimumOp, x => clamp(x, -0.1, 0.1)),
  gradCase(compare.whereOp, broadcasting, ({ a, b, seed }) => {
    const mask = greater(spaced(seed + 2, b), 0)
    return { f: (x, y) => where(mask, x, y), at: [spaced(seed, a), spaced(seed + 1, b)] }
  }, { linear: true }),
  gradCase(castOp, one, ({ shape, seed }) => ({
    // `cast` itself skips float64 → float64; a stop in float32 would lose the digits that the differences need.
    f: x => apply(castOp, [x], { dtype: x.dtype }), at: [spaced(seed, shape)],
  }), { linear: true }),
]
