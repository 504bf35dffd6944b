/**
 * Comparisons, logic and selection. Masks are uint32, 0 or 1; any number but 0 counts as true.
 *
 * Comparisons have no derivative: their output is a constant to every transform. Masking is a selection, not a product,
 * so that a NaN in a masked cell does not survive as 0·NaN.
 *
 *   where    out = a where c ≠ 0, else b     ∂L/∂a = where(c, g, 0)     ∂L/∂b = where(c, 0, g)
 */
import { defineOp, refuse, requireTensor, sameDtype, type Op } from '../op.ts'
import { broadcastShapes, broadcastStrides, sizeOf } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'
import { simdOperation, simdSelection } from '../../backends/wasm/simd/elements.ts'
import { binary, operands, unary, type Operand } from './elementwise.ts'
import { sumTo } from './broadcast.ts'
import { eachRow, flat, strided } from './strides.ts'

export const greaterOp: Op<null> = binary('greater', (o, a, s, b, t) => {
  for (let i = 0; i < o.length; i++) o[i] = +(a[i * s] > b[i * t])
}, null, { dtype: 'uint32', wgsl: 'exceeds(a, b)', simd: simdOperation('greater') })

export const greaterEqualOp: Op<null> = binary('greaterEqual', (o, a, s, b, t) => {
  for (let i = 0; i < o.length; i++) o[i] = +(a[i * s] >= b[i * t])
}, null, { dtype: 'uint32', wgsl: 'comparable(a, b) && order(a) >= order(b)', simd: simdOperation('greaterEqual') })

export const equalOp: Op<null> = binary('equal', (o, a, s, b, t) => {
  for (let i = 0; i < o.length; i++) o[i] = +(a[i * s] === b[i * t])
}, null, { dtype: 'uint32', wgsl: 'comparable(a, b) && order(a) == order(b)' })

export const notEqualOp: Op<null> = binary('notEqual', (o, a, s, b, t) => {
  for (let i = 0; i < o.length; i++) o[i] = +(a[i * s] !== b[i * t])
}, null, { dtype: 'uint32', wgsl: '!comparable(a, b) || order(a) != order(b)' })

export const andOp: Op<null> = binary('and', (o, a, s, b, t) => {
  for (let i = 0; i < o.length; i++) o[i] = +(a[i * s] !== 0 && b[i * t] !== 0)
}, null, { dtype: 'uint32', wgsl: 'isTrue(a) && isTrue(b)' })

export const orOp: Op<null> = binary('or', (o, a, s, b, t) => {
  for (let i = 0; i < o.length; i++) o[i] = +(a[i * s] !== 0 || b[i * t] !== 0)
}, null, { dtype: 'uint32', wgsl: 'isTrue(a) || isTrue(b)' })

export const notOp: Op<null> = unary('not', (o, x) => {
  for (let i = 0; i < o.length; i++) o[i] = +(x[i] === 0)
}, null, { dtype: 'uint32', wgsl: '!isTrue(a)' })

/** where(c, a, b) */
export const whereOp: Op<null> = defineOp<null>({
  name: 'where',
  simd: simdSelection,
  infer: ([c, a, b]) => {
    sameDtype('where', { a, b })
    const branches = broadcastShapes(a.shape, b.shape)
    const shape = branches && broadcastShapes(c.shape, branches)
    if (!shape) refuse('where', 'shapes do not broadcast', { condition: c, a, b })
    return { shape, dtype: a.dtype }
  },
  cpu: ([c, a, b], out, { inputs, out: { shape } }) => {
    const [[y, s], [z, t]] = [a, b].map((data, i) => flat(data, inputs[i + 1].shape, shape))
    eachRow(shape, inputs[0].shape, (i, j, stride, n) => {
      if (stride === 0) {
        // One condition for a whole row, for instance for the channels of a cell.
        const [from, step] = c[j] !== 0 ? [y, s] : [z, t]
        for (let k = i; k < i + n; k++) out[k] = from[k * step]
      } else for (let k = 0; k < n; k++) out[i + k] = c[j + k * stride] !== 0 ? y[(i + k) * s] : z[(i + k) * t]
    })
  },
  wgsl: ({ inputs, out: { shape } }) => {
    const [atC, atA, atB] = ['atC', 'atA', 'atB']
      .map((name, i) => strided(name, shape, broadcastStrides(inputs[i].shape, shape)))
    const main = 'fn main(i: u32) { if (isTrue(c[atC(i)])) { out[i] = a[atA(i)]; } else { out[i] = b[atB(i)]; } }'
    return {
      inputs: ['c', 'a', 'b'],
      threads: sizeOf(shape),
      u32: { ...atC.u32, ...atA.u32, ...atB.u32 },
      source: `${atC.wgsl} ${atA.wgsl} ${atB.wgsl} ${main}`,
    }
  },
  vjp: [
    null,
    { uses: [0], grad: (g, { inputs: [c, a] }) => sumTo(where(c, g, 0), a.shape) },
    { uses: [0], grad: (g, { inputs: [c, , b] }) => sumTo(where(c, 0, g), b.shape) },
  ],
})

/** a > b as a mask. Operands broadcast; one may be a number. */
export const greater = (a: Operand, b: Operand): Tensor => apply(greaterOp, operands('greater', a, b), null)

/** a ≥ b as a mask. */
export function greaterEqual(a: Operand, b: Operand): Tensor {
  return apply(greaterEqualOp, operands('greaterEqual', a, b), null)
}

/** a < b as a mask. */
export const less = (a: Operand, b: Operand): Tensor => apply(greaterOp, operands('less', a, b).reverse(), null)

/** a ≤ b as a mask. */
export function lessEqual(a: Operand, b: Operand): Tensor {
  return apply(greaterEqualOp, operands('lessEqual', a, b).reverse(), null)
}

/** a = b as a mask. */
export const equal = (a: Operand, b: Operand): Tensor => apply(equalOp, operands('equal', a, b), null)

/** a ≠ b as a mask. NaN differs from everything, itself included. */
export const notEqual = (a: Operand, b: Operand): Tensor => apply(notEqualOp, operands('notEqual', a, b), null)

/** Logical and of two masks. */
export const and = (a: Tensor, b: Tensor): Tensor => apply(andOp, [a, b], null)

/** Logical or of two masks. */
export const or = (a: Tensor, b: Tensor): Tensor => apply(orOp, [a, b], null)

/** Logical not of a mask. */
export const not = (a: Tensor): Tensor => apply(notOp, [a], null)

/**
 * `a` where the condition is not 0, else `b`; all three broadcast. What is not selected does not reach the result, not
 * even as a NaN, and its gradient is 0.
 *
 * But a function that computed the unselected value multiplies that 0 by its own derivative, and 0·∞ is NaN. So around a
 * singularity select twice, first the input of the function, then its output:
 *
 * @example where(greater(x, 0.1), x, 0)
 * @example
 * const safe = where(greater(x, 0), x, 1)                    // never 0, so the derivative of √ is finite
 * const root = where(greater(x, 0), sqrt(safe), 0)           // √x, with gradient 0 at 0
 */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  requireTensor('where', 'the condition', condition)
  return apply(whereOp, [condition, ...operands('where', a, b, { dtype: 'float32', backend: condition.backend })], null)
}
