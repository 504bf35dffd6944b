/**
 * What element-wise operators have in common: broadcasting, and the loop.
 *
 * An operator supplies a loop over flat arrays and its derivative; `unary` and `binary` do the rest. Each
 * operator has its own one-line loop, because one shared loop that calls a different function for each operator is
 * compiled badly.
 */
import type { Backend, Data, DType, SimdKernel } from '../../backends/backend.ts'
import { defineOp, floating, refuse, sameDtype, type Op, type DerivativeRule, type Saved } from '../op.ts'
import { check } from '../../backends/options.ts'
import { broadcastShapes, broadcastStrides, sizeOf } from '../shape.ts'
import { holds, Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'
import { full } from './create.ts'
import { sumTo } from './broadcast.ts'
import { flat, strided } from './strides.ts'

/** A tensor or a number; numbers take the type and the backend of the other operand. */
export type Operand = Tensor | number

/** Both operands as tensors; a number becomes one of rank 0, by default like the other operand. */
export function operands(op: string, a: Operand, b: Operand, like?: { dtype: DType; backend: Backend }): Tensor[] {
  const list = Object.entries({ a, b })
  for (const [name, x] of list) check(x instanceof Tensor || typeof x === 'number', op, name, x, 'a tensor or a number')
  const model = [a, b].find(x => x instanceof Tensor) ?? like
  if (!model) refuse(op, 'at least one operand must be a tensor')
  const { dtype, backend } = model
  return list.map(([name, x]) => {
    if (x instanceof Tensor) return x
    if (!holds(dtype, x)) {
      refuse(op, `${name} is ${x}, which ${dtype} cannot hold`, {}, "Convert the tensor with cast(x, 'float32').")
    }
    return full([], x, { dtype, backend })
  })
}

/** Applies an operator after checking that x holds floating-point numbers. */
export function ofFloats(op: Op<null>, x: Tensor): Tensor {
  floating(op.name, 'x', x)
  return apply(op, [x], null)
}

/** Computes out_i from x_i; `scalars` are those of the call. */
export type UnaryLoop = (out: Data, x: Data, scalars: readonly number[]) => void

/** Computes out_i from a_{i·s} and b_{i·t}: a stride of 0 repeats one number. */
export type BinaryLoop<A> = (out: Data, a: Data, s: number, b: Data, t: number, attrs: A) => void

export type ElementwiseMore = {
  /** The element type of the output, where it is not that of the operands. */
  dtype?: DType
  /**
   * out_i as a WGSL expression of `a` (and `b`), as in 'a + b'. It may call the functions of
   * src/backends/wgsl/functions.ts.
   */
  wgsl: string
  /** The same in WebAssembly, where it gains something: src/backends/wasm/simd/elements.ts. */
  simd?: SimdKernel<unknown>
}

/** An operator of one operand. `scalars` names the scalars of the call for `wgsl`, as in 'u.slope'. */
export function unary(
  name: string,
  loop: UnaryLoop,
  rule: DerivativeRule<null> | null,
  { dtype, wgsl, simd, scalars: names = [] }: ElementwiseMore & { scalars?: readonly string[] },
): Op<null> {
  const main = `fn main(i: u32) { let a = x[i]; out[i] = T(${wgsl}); }`
  return defineOp<null>({
    name,
    simd,
    infer: ([x]) => ({ shape: x.shape, dtype: dtype ?? x.dtype }),
    cpu: ([x], out, { scalars }) => loop(out, x, scalars),
    wgsl: ({ inputs: [x], scalars }) => ({
      inputs: ['x'],
      threads: sizeOf(x.shape),
      f32: Object.fromEntries(names.map((scalar, i) => [scalar, scalars[i]])),
      source: main,
    }),
    vjp: rule && [rule],
  })
}

/**
 * An operator of two operands that broadcast. The rules return the derivative in the shape of the output; it is summed to
 * the shape of the operand here. The WGSL expression may depend on the attributes.
 */
export function binary<A = null>(
  name: string,
  loop: BinaryLoop<A>,
  rules: readonly [DerivativeRule<A>, DerivativeRule<A>] | null,
  { dtype, wgsl, simd }: Omit<ElementwiseMore, 'wgsl'> & { wgsl: string | ((attrs: A) => string) },
): Op<A> {
  const summed = (rule: DerivativeRule<A>, i: number): DerivativeRule<A> => ({
    uses: rule.uses,
    grad: (g: Tensor, saved: Saved<A>): Tensor => sumTo(rule.grad(g, saved), saved.inputs[i].shape),
  })
  const expression = typeof wgsl === 'string' ? () => wgsl : wgsl
  return defineOp<A>({
    name,
    simd,
    infer: ([a, b]) => {
      sameDtype(name, { a, b })
      const shape = broadcastShapes(a.shape, b.shape)
      if (!shape) refuse(name, 'shapes do not broadcast', { a, b })
      return { shape, dtype: dtype ?? a.dtype }
    },
    cpu: ([a, b], out, { inputs: [sa, sb], out: { shape }, attrs }) => {
      loop(out, ...flat(a, sa.shape, shape), ...flat(b, sb.shape, shape), attrs)
    },
    wgsl: ({ inputs: [sa, sb], out: { shape }, attrs }) => {
      const main = `fn main(i: u32) { let a = x[atA(i)]; let b = y[atB(i)]; out[i] = T(${expression(attrs)}); }`
      const atA = strided('atA', shape, broadcastStrides(sa.shape, shape))
      const atB = strided('atB', shape, broadcastStrides(sb.shape, shape))
      return {
        inputs: ['x', 'y'],
        threads: sizeOf(shape),
        u32: { ...atA.u32, ...atB.u32 },
        source: `${atA.wgsl} ${atB.wgsl} ${main}`,
      }
    },
    vjp: rules && [summed(rules[0], 0), summed(rules[1], 1)],
  })
}
