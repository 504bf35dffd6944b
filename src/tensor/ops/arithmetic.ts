/**
 * Arithmetic, element by element, with broadcasting. Either operand may be a number.
 *
 * Where a function has a kink (maximum, minimum), the derivative follows the branch that was taken. On a tie g goes to
 * the first operand, to one place and never to two; with a NaN it goes nowhere.
 */
import { refuse, requireTensor, type Op } from '../op.ts'
import { Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'
import { simdOperation } from '../../backends/wasm/simd/elements.ts'
import { greater, greaterEqual, where } from './compare.ts'
import { binary, operands, unary, type Operand } from './elementwise.ts'
import { areWhole } from './whole.ts'

/** add: a + b. Both derivatives are 1. */
export const addOp: Op<null> = binary('add', (o, a, s, b, t) => {
  for (let i = 0; i < o.length; i++) o[i] = a[i * s] + b[i * t]
}, [
  { uses: [], grad: g => g },
  { uses: [], grad: g => g },
], { wgsl: 'a + b', simd: simdOperation('add') })

/** sub: a − b. */
export const subOp: Op<null> = binary('sub', (o, a, s, b, t) => {
  for (let i = 0; i < o.length; i++) o[i] = a[i * s] - b[i * t]
}, [
  { uses: [], grad: g => g },
  { uses: [], grad: g => neg(g) },
], { wgsl: 'a - b', simd: simdOperation('sub') })

/** mul: a · b. ∂/∂a = b, ∂/∂b = a. */
export const mulOp: Op<null> = binary('mul', (o, a, s, b, t) => {
  if (areWhole(o)) for (let i = 0; i < o.length; i++) o[i] = Math.imul(a[i * s], b[i * t])
  else for (let i = 0; i < o.length; i++) o[i] = a[i * s] * b[i * t]
}, [
  { uses: [1], grad: (g, { inputs: [, b] }) => mul(g, b) },
  { uses: [0], grad: (g, { inputs: [a] }) => mul(g, a) },
], { wgsl: 'product(a, b)', simd: simdOperation('mul') })

/** div: a / b. ∂/∂a = 1/b, ∂/∂b = −a/b² = −out/b. */
export const divOp: Op<null> = binary('div', (o, a, s, b, t) => {
  for (let i = 0; i < o.length; i++) o[i] = a[i * s] / b[i * t]
}, [
  { uses: [1], grad: (g, { inputs: [, b] }) => div(g, b) },
  { uses: [0, 1], grad: (g, { inputs: [a, b] }) => neg(div(div(mul(g, a), b), b)) },
], { wgsl: 'a / b', simd: simdOperation('div') })

/** maximum: the greater of a and b, a on a tie. */
export const maximumOp: Op<null> = binary('maximum', (o, a, s, b, t) => {
  for (let i = 0; i < o.length; i++) o[i] = Math.max(a[i * s], b[i * t])
}, [
  { uses: [0, 1], grad: (g, { inputs: [a, b] }) => where(greaterEqual(a, b), g, 0) },
  { uses: [0, 1], grad: (g, { inputs: [a, b] }) => where(greater(b, a), g, 0) },
], { wgsl: 'greatest(a, b)', simd: simdOperation('maximum') })

/** minimum: the smaller of a and b, a on a tie. */
export const minimumOp: Op<null> = binary('minimum', (o, a, s, b, t) => {
  for (let i = 0; i < o.length; i++) o[i] = Math.min(a[i * s], b[i * t])
}, [
  { uses: [0, 1], grad: (g, { inputs: [a, b] }) => where(greaterEqual(b, a), g, 0) },
  { uses: [0, 1], grad: (g, { inputs: [a, b] }) => where(greater(a, b), g, 0) },
], { wgsl: 'least(a, b)', simd: simdOperation('minimum') })

/** neg: −x. */
export const negOp: Op<null> = unary('neg', (o, x) => {
  for (let i = 0; i < o.length; i++) o[i] = -x[i]
}, { uses: [], grad: g => neg(g) }, { wgsl: '-a' })

/** a + b. Operands broadcast; one may be a number. Whole numbers are added modulo 2³². */
export const add = (a: Operand, b: Operand): Tensor => apply(addOp, operands('add', a, b), null)

/** a − b. A number > 0 cannot be subtracted from uint32, which has nothing below 0: cast it first. */
export function sub(a: Operand, b: Operand): Tensor {
  if (typeof b === 'number' && b > 0) signed('sub', 'a', a)
  return apply(subOp, operands('sub', a, b), null)
}

/** a · b, element by element; whole numbers modulo 2³². */
export const mul = (a: Operand, b: Operand): Tensor => apply(mulOp, operands('mul', a, b), null)

/** a / b, of floating-point numbers. */
export function div(a: Operand, b: Operand): Tensor {
  const [x, y] = operands('div', a, b)
  if (!x.dtype.startsWith('float')) {
    refuse('div', `a is ${x.dtype}, whose quotients are no whole numbers`, {}, "Convert it with cast(x, 'float32').")
  }
  return apply(divOp, [x, y], null)
}

/** The greater of a and b; the gradient goes to the greater one, on a tie to a. */
export const maximum = (a: Operand, b: Operand): Tensor => apply(maximumOp, operands('maximum', a, b), null)

/** The smaller of a and b; the gradient goes to the smaller one, on a tie to a. */
export const minimum = (a: Operand, b: Operand): Tensor => apply(minimumOp, operands('minimum', a, b), null)

/** −x. */
export function neg(x: Tensor): Tensor {
  requireTensor('neg', 'x', x)
  signed('neg', 'x', x)
  return apply(negOp, [x], null)
}

function signed(op: string, name: string, x: Operand): void {
  if (!(x instanceof Tensor) || x.dtype !== 'uint32') return
  refuse(op, `${name} is uint32, which holds nothing below 0`, {}, "Convert it with cast(x, 'int32').")
}
