/**
 * Elementary functions, element by element.
 *
 * Derivatives use the output where that is cheaper (exp, tanh, sigmoid). At a kink the derivative is a convention: relu'(0) is
 * 0, |x|' at 0 is 0, leakyRelu'(0) is its slope; clamp passes g on at its bounds, as between them.
 */
import { floating, requireTensor, type Op } from '../op.ts'
import type { Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'
import { simdActivation, simdFunction } from '../../backends/wasm/simd/elements.ts'
import { add, div, maximum, minimum, mul, sub } from './arithmetic.ts'
import { greater, where } from './compare.ts'
import { ofFloats, unary } from './elementwise.ts'

/** exp: e^x, its own derivative. */
export const expOp: Op<null> = unary('exp', (o, x) => { for (let i = 0; i < o.length; i++) o[i] = Math.exp(x[i]) },
  { uses: ['out'], grad: (g, { out }) => mul(g, out) },
  { wgsl: 'exponential(a)', simd: simdFunction('exp') })

/** log: ln x; derivative 1/x. */
export const logOp: Op<null> = unary('log', (o, x) => { for (let i = 0; i < o.length; i++) o[i] = Math.log(x[i]) },
  { uses: [0], grad: (g, { inputs: [x] }) => div(g, x) }, { wgsl: 'logarithm(a)' })

/** log1p: ln(1 + x); derivative 1/(1 + x). */
export const log1pOp: Op<null> = /* @__PURE__ */ unary('log1p', (o, x) => { for (let i = 0; i < o.length; i++) o[i] = Math.log1p(x[i]) },
  { uses: [0], grad: (g, { inputs: [x] }) => div(g, add(1, x)) }, { wgsl: 'logarithmOfOneAnd(a)' })

/** sqrt: √x; derivative 1/(2√x). */
export const sqrtOp: Op<null> = unary('sqrt', (o, x) => { for (let i = 0; i < o.length; i++) o[i] = Math.sqrt(x[i]) },
  { uses: ['out'], grad: (g, { out }) => div(g, mul(2, out)) },
  { wgsl: 'squareRoot(a)', simd: simdFunction('sqrt') })

/** sin: derivative cos. */
export const sinOp: Op<null> = unary('sin', (o, x) => { for (let i = 0; i < o.length; i++) o[i] = Math.sin(x[i]) },
  { uses: [0], grad: (g, { inputs: [x] }) => mul(g, cos(x)) }, { wgsl: 'sine(a)' })

/** cos: derivative −sin. */
export const cosOp: Op<null> = unary('cos', (o, x) => { for (let i = 0; i < o.length; i++) o[i] = Math.cos(x[i]) },
  { uses: [0], grad: (g, { inputs: [x] }) => mul(mul(-1, g), sin(x)) }, { wgsl: 'cosine(a)' })

/** tanh: derivative 1 − tanh². */
export const tanhOp: Op<null> = unary('tanh', (o, x) => { for (let i = 0; i < o.length; i++) o[i] = Math.tanh(x[i]) },
  { uses: ['out'], grad: (g, { out }) => mul(g, sub(1, mul(out, out))) },
  { wgsl: 'hyperbolicTangent(a)', simd: simdActivation('tanh') })

/** sigmoid: σ(x) = 1/(1 + e^−x); derivative σ(1 − σ). */
export const sigmoidOp: Op<null> = unary('sigmoid', (o, x) => {
  for (let i = 0; i < o.length; i++) o[i] = 1 / (1 + Math.exp(-x[i]))
}, { uses: ['out'], grad: (g, { out }) => mul(g, mul(out, sub(1, out))) },
  { wgsl: 'logistic(a)', simd: simdFunction('sigmoid') })

/** abs: |x|; derivative sign x. */
export const absOp: Op<null> = unary('abs', (o, x) => { for (let i = 0; i < o.length; i++) o[i] = Math.abs(x[i]) },
  { uses: [0], grad: (g, { inputs: [x] }) => mul(g, sign(x)) }, { wgsl: 'abs(a)' })

/** sign: −1, 0 or 1; constant wherever it has a derivative. */
export const signOp: Op<null> = unary('sign', (o, x) => {
  for (let i = 0; i < o.length; i++) o[i] = Math.sign(x[i])
}, null, { wgsl: 'select(T(order(a) > 0) - T(order(a) < 0), a, isNan(a) || !isTrue(a))' })

/** floor: the greatest integer that is not above x; constant wherever it has a derivative. */
export const floorOp: Op<null> = unary('floor', (o, x) => {
  for (let i = 0; i < o.length; i++) o[i] = Math.floor(x[i])
}, null, { wgsl: 'floored(a)' })

/** relu: max(x, 0); a NaN stays one. */
export const reluOp: Op<null> = unary('relu', (o, x) => {
  for (let i = 0; i < o.length; i++) o[i] = x[i] <= 0 ? 0 : x[i]
}, {
  uses: ['out'], grad: (g, { out }) => where(greater(out, 0), g, 0),
}, { wgsl: 'select(a, T(), order(a) <= 0 && !isNan(a))', simd: simdActivation('relu') })

/** leakyRelu: x where x > 0, else slope·x. scalars: [slope]. */
export const leakyReluOp: Op<null> = unary('leakyRelu', (o, x, [slope]) => {
  for (let i = 0; i < o.length; i++) o[i] = x[i] > 0 ? x[i] : slope * x[i]
}, {
  uses: [0], grad: (g, { inputs: [x], scalars: [slope] }) => where(greater(x, 0), g, mul(slope, g)),
}, { wgsl: 'select(u.slope * a, a, a > 0)', simd: simdActivation('leakyRelu'), scalars: ['slope'] })

/** softplus: log(1 + eˣ) = max(x, 0) + log(1 + e^−|x|); derivative σ(x). */
export const softplusOp: Op<null> = unary('softplus',
  (o, x) => { for (let i = 0; i < o.length; i++) o[i] = Math.max(x[i], 0) + Math.log1p(Math.exp(-Math.abs(x[i]))) },
  { uses: [0], grad: (g, { inputs: [x] }) => mul(g, sigmoid(x)) },
  { wgsl: 'greatest(a, 0) + logarithmOfOneAnd(exponential(-abs(a)))' })

/** e^x. */
export const exp = (x: Tensor): Tensor => ofFloats(expOp, x)

/** Natural logarithm; −∞ at 0, NaN below. */
export const log = (x: Tensor): Tensor => ofFloats(logOp, x)

/** ln(1 + x), with all digits where x is small; −∞ at −1, NaN below. */
export const log1p = (x: Tensor): Tensor => ofFloats(log1pOp, x)

/** Square root; NaN below 0. The gradient at 0 is infinite: for the length of a vector use `norm`; else see `where`. */
export const sqrt = (x: Tensor): Tensor => ofFloats(sqrtOp, x)

/** x². */
export function square(x: Tensor): Tensor {
  requireTensor('square', 'x', x)
  return mul(x, x)
}

/** Sine of x in radians. */
export const sin = (x: Tensor): Tensor => ofFloats(sinOp, x)

/** Cosine of x in radians. */
export const cos = (x: Tensor): Tensor => ofFloats(cosOp, x)

/** Hyperbolic tangent, within (−1, 1). */
export const tanh = (x: Tensor): Tensor => ofFloats(tanhOp, x)

/** The logistic function 1/(1 + e^−x), within (0, 1). */
export const sigmoid = (x: Tensor): Tensor => ofFloats(sigmoidOp, x)

/** |x|; the gradient at 0 is 0. */
export const abs = (x: Tensor): Tensor => apply(absOp, [x], null)

/** −1, 0 or 1. No gradient passes. */
export const sign = (x: Tensor): Tensor => apply(signOp, [x], null)

/** The greatest integer not above x. No gradient passes. */
export const floor = (x: Tensor): Tensor => apply(floorOp, [x], null)

/** max(x, 0); the gradient at 0 is 0. */
export const relu = (x: Tensor): Tensor => apply(reluOp, [x], null)

/** The slope of leakyRelu unless another is given (NCAtorch's). */
export const leakySlope: number = 0.2

/** x where positive, else slope·x (default 0.2); the gradient at 0 is `slope`. */
export function leakyRelu(x: Tensor, slope: number = leakySlope): Tensor {
  floating('leakyRelu', 'x', x)
  return apply(leakyReluOp, [x], null, [slope])
}

/** log(1 + eˣ), a smooth ReLU. */
export const softplus = (x: Tensor): Tensor => ofFloats(softplusOp, x)

/**
 * x·σ(x), the SiLU or swish (Elfwing et al. 2018); its derivative is σ(x)·(1 + x·(1 − σ(x))). NaN at −∞.
 *
 * @example silu(tensor([-1, 0, 1]))   // [-0.269, 0, 0.731]
 */
export function silu(x: Tensor): Tensor {
  floating('silu', 'x', x)
  return mul(x, sigmoid(x))
}

/**
 * ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))), the tanh approximation of GELU (Hendrycks & Gimpel 2016), as in JAX; the form with
 * the error function, PyTorch's default, differs by less than 5e-4. NaN at −∞.
 *
 * @example gelu(tensor([-1, 0, 1]))   // [-0.159, 0, 0.841]
 */
export function gelu(x: Tensor): Tensor {
  floating('gelu', 'x', x)
  const inner = mul(Math.sqrt(2 / Math.PI), add(x, mul(0.044715, mul(x, square(x)))))
  return mul(mul(0.5, x), add(1, tanh(inner)))
}

/** x bounded to [low, high]; inside and at the bounds the gradient passes, outside it is 0. */
export function clamp(x: Tensor, low: number, high: number): Tensor {
  requireTensor('clamp', 'x', x)
  if (!(low <= high)) throw new Error(`clamp: the lower bound ${low} is above the upper bound ${high}.`)
  return minimum(maximum(x, low), high)
}
