/**
 * An operator is one object with everything there is to know about it.
 *
 *   infer      the shape and type of the output, or a sentence about what is wrong with the inputs
 *   cpu, wgsl  the computation, in the languages of the backends
 *   vjp        for each input, its vector-Jacobian product: given g = ∂L/∂out, the rule returns ∂L/∂input, written in
 *              operators, so that derivatives can be differentiated again
 *
 * Each operator's file states its equation and derives its rules. `defineOp` is public: users can add their own operators.
 */
import type { Backend, Kernel, Spec } from '../backends/backend.ts'
import { showShape } from './shape.ts'
import { Tensor } from './tensor.ts'

/** What a derivative rule may read. Only the `inputs` and the `out` that its `uses` lists hold values; all have shapes. */
export type Saved<A> = {
  readonly inputs: readonly Tensor[]
  readonly out: Tensor
  readonly attrs: A
  readonly scalars: readonly number[]
}

/** The derivative with respect to one input. */
export type DerivativeRule<A> = {
  /**
   * Values that `grad` reads: positions among the inputs, or 'out'. They are kept from the
   * forward to the backward pass.
   */
  readonly uses: readonly (number | 'out')[]
  /** ∂L/∂input from g = ∂L/∂out; of the input's shape. */
  readonly grad: (g: Tensor, saved: Saved<A>) => Tensor
}

/** An operator: its computation in the languages of the backends, what comes out of it, and its derivatives. */
export type Op<A> = Kernel<A> & {
  /** Shape and type of the output. Throws one clear sentence for inputs that do not fit. */
  infer(inputs: readonly Tensor[], attrs: A): Spec
  /**
   * A rule per input, null where the output does not depend on it smoothly (masks, indices). `null` for an
   * operator without derivatives: its output is a constant to every transform. A function serves operators
   * with any number of inputs.
   */
  readonly vjp: readonly (DerivativeRule<A> | null)[] | ((position: number) => DerivativeRule<A>) | null
  /** The output shares the first input's memory; no kernel runs (reshape). */
  readonly view?: boolean
}

/**
 * Defines an operator. Call it with `apply(op, inputs, attrs, scalars)`.
 *
 * @example
 * const cubeOp = defineOp<null>({
 *   name: 'cube',
 *   infer: ([x]) => x,
 *   cpu: ([x], out) => { for (let i = 0; i < out.length; i++) out[i] = x[i] ** 3 },
 *   vjp: [{ uses: [0], grad: (g, { inputs: [x] }) => mul(g, mul(3, mul(x, x))) }],   // d(x³)/dx = 3x²
 * })
 * const cube = (x: Tensor): Tensor => apply(cubeOp, [x], null)
 *
 * The word @__PURE__ before a call, in a comment, lets bundlers leave an operator out of a page that does not use it.
 */
export function defineOp<A>(op: Op<A>): Op<A> {
  return op
}

/** The rule for one input. */
export function ruleFor<A>(op: Op<A>, position: number): DerivativeRule<A> | null {
  if (op.vjp === null) return null
  return typeof op.vjp === 'function' ? op.vjp(position) : op.vjp[position]
}

/** Throws the sentence `op: problem; x [1,2], kernel [3,3].` */
export function refuse(
  op: string, problem: string, tensors: Record<string, { shape: readonly number[] }> = {}, hint = '',
): never {
  const shapes = Object.entries(tensors).map(([name, t]) => `${name} ${showShape(t.shape)}`).join(', ')
  throw new Error(`${op}: ${problem}${shapes ? `; ${shapes}` : ''}.${hint ? ` ${hint}` : ''}`)
}

/** Throws unless `x` is a tensor, which the types do not ensure in plain JavaScript. */
export function requireTensor(op: string, name: string, x: unknown): asserts x is Tensor {
  if (x instanceof Tensor) return
  const got = typeof x === 'object' && x !== null ? `a ${x.constructor?.name ?? 'object'}` : String(x)
  refuse(op, `${name} is ${got}, expected a tensor`)
}

/** Throws unless all tensors have one element type. */
export function sameDtype(op: string, tensors: Record<string, Tensor>): void {
  const types = Object.values(tensors).map(t => t.dtype)
  if (types.some(type => type !== types[0])) {
    const list = Object.entries(tensors).map(([name, t]) => `${name} is ${t.dtype}`).join(', ')
    refuse(op, `element types differ: ${list}`, {}, 'Convert one with cast(x, dtype).')
  }
}

/** Throws unless `t` holds floating-point numbers. */
export function floating(op: string, name: string, t: Tensor): void {
  requireTensor(op, name, t)
  if (t.dtype !== 'float32' && t.dtype !== 'float64') {
    refuse(op, `${name} is ${t.dtype}, but must be float32 or float64`)
  }
}

/** The backend of all inputs. Throws where they are on different ones. */
export function sameBackend(op: string, inputs: readonly Tensor[]): Backend {
  for (const t of inputs) {
    if (t.backend !== inputs[0].backend) {
      const places = [inputs[0], t].map(x => `${x.name()} on ${x.backend.name}`).join(', ')
      refuse(op, `inputs are on different backends: ${places}`, {}, 'Move one with await to(backend, x).')
    }
  }
  return inputs[0].backend
}
