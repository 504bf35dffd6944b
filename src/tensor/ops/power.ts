/**
 * pow: a^b, with all its derivatives.
 *
 *   ∂ᵐ/∂aᵐ ∂ⁿ/∂bⁿ a^b = Σ_j C(n, j) · P⁽ʲ⁾(b) · a^(b−m) · (ln a)^(n−j),     P(b) = b (b − 1) … (b − m + 1)
 *
 * They are one operator, powDerivative, for all m and n: its derivative by a is the one with m + 1, by b the one with
 * n + 1. So the order of differentiation does not matter. Special points are settled here, in the values, and not by a
 * selection in a derivative rule, which would lose the derivative with respect to the selecting number:
 *
 *   P⁽ʲ⁾(b) = 0      the term is 0, whatever a is: x⁰ and x¹ have the second derivative 0, at 0 too
 *   a = 0, b > m     the terms are 0
 *   a = 0, b = m     terms with a logarithm are 0: 0⁰ is the constant 1
 *   a = 0, b < m     the limit for a > 0: of the terms that are infinite, the first outweighs the others
 *   a < 0            there is no derivative by b, since a^b exists for whole b only: NaN for n > 0
 */
import { literal } from '../../backends/wgsl/literal.ts'
import type { Op } from '../op.ts'
import type { Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'
import { mul } from './arithmetic.ts'
import { binary, operands, type Operand } from './elementwise.ts'
import { areWhole, wholePower } from './whole.ts'

/** pow: a^b. */
export const powOp: Op<null> = binary('pow', (o, a, s, b, t) => {
  if (areWhole(o)) for (let i = 0; i < o.length; i++) o[i] = wholePower(a[i * s], b[i * t])
  else for (let i = 0; i < o.length; i++) o[i] = a[i * s] ** b[i * t]
}, [
  { uses: [0, 1], grad: (g, { inputs: [a, b] }) => mul(g, apply(powDerivativeOp, [a, b], { m: 1, n: 0 })) },
  { uses: [0, 1], grad: (g, { inputs: [a, b] }) => mul(g, apply(powDerivativeOp, [a, b], { m: 0, n: 1 })) },
], { wgsl: 'power(a, b)' })

/** How often a^b is differentiated: m times by a, n times by b. */
type Order = { readonly m: number; readonly n: number }

/** powDerivative: ∂ᵐ/∂aᵐ ∂ⁿ/∂bⁿ a^b. */
export const powDerivativeOp: Op<Order> = binary<Order>('powDerivative', (o, a, s, b, t, { m, n }) => {
  const factors = coefficients(m, n)
  for (let i = 0; i < o.length; i++) {
    const [x, y] = [a[i * s], b[i * t]]
    let total = 0
    for (let j = 0; j <= n && Math.abs(total) !== Infinity; j++) {
      const factor = polynomial(factors[j], y)
      const power = factor === 0 ? 0 : logPower(x, y - m, n - j)
      if (power !== 0) total += factor * power
    }
    o[i] = total
  }
}, [
  { uses: [0, 1], grad: (g, { inputs: [a, b], attrs: { m, n } }) => (
    mul(g, apply(powDerivativeOp, [a, b], { m: m + 1, n }))) },
  { uses: [0, 1], grad: (g, { inputs: [a, b], attrs: { m, n } }) => (
    mul(g, apply(powDerivativeOp, [a, b], { m, n: n + 1 }))) },
], {
  wgsl: ({ m, n }) => coefficients(m, n).reduce((sum, list, j) => {
    const factor = list.reduceRight((inner, c) => `(${inner} * b + ${literal(c)})`, '0.0')
    return `plusLogPower(${sum}, ${factor}, a, b - ${m}, ${n - j})`
  }, '0.0'),
})

/** a^e (ln a)^k, with the limits above where a is 0. If a^e is 0, it outweighs the logarithm. */
function logPower(a: number, e: number, k: number): number {
  if (k > 0 && a < 0) return NaN
  const power = a ** e
  if (k === 0 || power === 0) return power
  return a === 0 && e === 0 ? 0 : power * Math.log(a) ** k
}

/** C(n, j) P⁽ʲ⁾ for j = 0 … n, each as the list of its coefficients, starting with that of b⁰. */
function coefficients(m: number, n: number): number[][] {
  let p = [1]
  for (let i = 0; i < m; i++) p = [...p, 0].map((_, k) => (p[k - 1] ?? 0) - i * (p[k] ?? 0))
  return Array.from({ length: n + 1 }, (_, j) => {
    const own = p
    p = p.slice(1).map((c, k) => c * (k + 1) * (n - j) / (j + 1))
    return own
  })
}

function polynomial(coefficients: readonly number[], x: number): number {
  let y = 0
  for (let k = coefficients.length - 1; k >= 0; k--) y = y * x + coefficients[k]
  return y
}

/**
 * a to the power b. For negative a it is NaN if b is a fraction, and the derivative by b is NaN. For integer types it is
 * computed modulo 2³², and fractions are cut off.
 *
 * Derivatives of every order are right at whole b and at a = 0 too, where the derivative by b is 0 for b ≥ 0.
 *
 * @example pow(x, 3)
 */
export const pow = (a: Operand, b: Operand): Tensor => apply(powOp, operands('pow', a, b), null)
