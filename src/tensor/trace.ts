/**
 * The trace: the one dispatcher, which runs operators and records them.
 *
 * A transform opens a tape and wraps its inputs: a traced tensor is `{ tape, value, output }`. `apply` finds the
 * innermost tape among the inputs, runs the operator on the values one level below (which may be traced by a tape
 * further out), and appends one node. At the bottom there are concrete tensors and a kernel runs. Because
 * derivative rules are operators too, running them one level below records them on the outer tapes, and gradients
 * of gradients need no further code.
 *
 *      apply(mul, [x₂, y₂])            tape 2 records mul
 *      └─ apply(mul, [x₁, y₁])         tape 1 records mul
 *         └─ execute(mul, [x, y])      the kernel runs, once
 *
 * The idea is that of HIPS autograd (Maclaurin, Duvenaud & Adams 2015) and of JAX's levels; perturbations cannot be
 * confused, because every tape has its own id.
 */
import type { Backend, Spec } from '../backends/backend.ts'
import { howToKeep, release, Resource, retain } from './lifetime.ts'
import { resolve } from './frame.ts'
import { requireTensor, ruleFor, sameBackend, type Op } from './op.ts'
import { Storage, storageOf, Tensor, wrap, type NodeOutput } from './tensor.ts'

/** Cotangents, one per output or per parent; null stands for zero. */
export type Cotangents = readonly (Tensor | null)[]

/** One recorded computation. */
export type Node = {
  readonly op: string
  /** The output that each differentiated input is; null for a constant. */
  readonly parents: readonly (NodeOutput | null)[]
  /** What the rule of each parent reads, if the node is an operator; `saved` has these values, inputs first, each once. */
  readonly uses?: readonly (readonly (number | 'out')[])[]
  /** Shapes and types of the outputs, and therefore of their cotangents. */
  readonly outputs: readonly Spec[]
  /** Concrete tensors (and the tapes of pullbacks) kept for the pullback, which this node co-owns. */
  saved: readonly Resource[]
  /** ∂L/∂parents from ∂L/∂outputs, computed one level below. */
  readonly pullback: (cotangents: Cotangents) => Cotangents
}

let nextTape = 0

/** The id of the next tape: all tapes so far have smaller ids. */
export function nextTapeId(): number {
  return nextTape
}

/** The record of one run of a differentiated function. Inputs are nodes without parents. */
export class Tape {
  /** Ids grow inwards: a tape opened while another is open has the greater id. */
  readonly id: number = nextTape++
  /** The transform it belongs to, for messages. */
  readonly name: string
  /** False once the function has returned; nothing may be recorded any more. */
  open = true
  readonly nodes: (Node | null)[] = []

  constructor(name: string) {
    this.name = name
  }

  /** A traced tensor that stands for `value` as an input. */
  input(value: Tensor): Tensor {
    return this.record({ op: 'input', parents: [], saved: [], pullback: () => [] }, [value])[0]
  }

  /** Records a computation and returns its outputs, traced. The node co-owns the tensors beneath `saved`. */
  record(node: Omit<Node, 'outputs'>, outputs: readonly Tensor[]): Tensor[] {
    this.checkOpen(node.op)
    const saved = node.saved.map(r => (r instanceof Tensor ? r.resource : r))
    for (const r of saved) retain(r)
    this.nodes.push({ ...node, saved, outputs: outputs.map(({ shape, dtype }) => ({ shape, dtype })) })
    const at = this.nodes.length - 1
    return outputs.map((value, index) =>
      new Tensor(value, value.backend, value.op, null, { tape: this, value, output: { node: at, index } }))
  }

  /** Throws once the function has returned: its values are gone, and anything recorded now would be lost. */
  checkOpen(op: string): void {
    if (this.open) return
    throw new Error(`${op}: an input outlived the ${this.name} that traced it; `
      + 'return it from the function, or as aux of valueAndGradAux.')
  }

  /** Releases what a node has kept, and drops the node. */
  forget(index: number): void {
    for (const r of this.nodes[index]?.saved ?? []) {
      release(r, `was released with the tape of ${this.name}; ${howToKeep(this.name)}`)
    }
    this.nodes[index] = null
  }

  drop(): void {
    for (let i = 0; i < this.nodes.length; i++) this.forget(i)
  }
}

/** Owns a tape on behalf of the function that will walk it. */
export class TapeOwner extends Resource {
  override readonly held: Tape
  constructor(tape: Tape) {
    super()
    this.held = tape
  }
  name(): string {
    return `the tape of ${this.held.name}`
  }
}

/** The innermost tape that traces one of these tensors. */
export function innermostTape(tensors: readonly Tensor[]): Tape | null {
  let tape: Tape | null = null
  for (const { traced } of tensors) if (traced && (!tape || traced.tape.id > tape.id)) tape = traced.tape
  return tape
}

/** What `t` stands for beneath `tape`: the value without that trace and those inside it. */
export function below(t: Tensor, tape: Tape): Tensor {
  while (t.traced && t.traced.tape.id >= tape.id) t = t.traced.value
  return t
}

/** The output that `t` is on `tape`, or null where that tape does not trace it. */
export function outputOn(t: Tensor, tape: Tape): NodeOutput | null {
  while (t.traced && t.traced.tape.id > tape.id) t = t.traced.value
  return t.traced?.tape === tape ? t.traced.output : null
}

/**
 * Runs an operator, recording it on every tape that traces its inputs. `backend` is for operators without inputs.
 *
 * @example apply(mulOp, [x, y], null)
 */
export function apply<A>(
  op: Op<A>, inputs: readonly Tensor[], attrs: A, scalars: readonly number[] = [], backend?: Backend,
): Tensor {
  inputs.forEach((x, i) => requireTensor(op.name, inputs.length === 1 ? 'the input' : `input ${i}`, x))
  const seen = inputs.map(resolve)
  const tape = innermostTape(seen)
  if (!tape) return execute(op, seen, attrs, scalars, backend)
  tape.checkOpen(op.name)
  const values = seen.map(t => below(t, tape))
  const out = apply(op, values, attrs, scalars)
  const rules = seen.map((t, i) => (t.traced?.tape === tape ? ruleFor(op, i) : null))
  if (rules.every(rule => rule === null)) return out
  const uses = new Set(rules.flatMap(rule => rule?.uses ?? []))
  const kept = [...values.filter((_, i) => uses.has(i)), ...(uses.has('out') ? [out] : [])]
  const saved = {
    inputs: values.map((t, i) => (uses.has(i) ? t : shapeOnly(t, op.name))),
    out: uses.has('out') ? out : shapeOnly(out, op.name),
    attrs,
    scalars,
  }
  const [traced] = tape.record({
    op: op.name,
    parents: seen.map((t, i) => (rules[i] ? t.traced!.output : null)),
    uses: rules.map(rule => rule?.uses ?? []),
    saved: kept,
    pullback: ([g]) => rules.map(rule => (rule && g ? rule.grad(g, saved) : null)),
  }, [out])
  return traced
}

/** Runs the kernel on concrete tensors. */
function execute<A>(op: Op<A>, inputs: readonly Tensor[], attrs: A, scalars: readonly number[], at?: Backend): Tensor {
  const spec = op.infer(inputs, attrs)
  if (!at && inputs.length === 0) throw new Error(`${op.name}: an operator without inputs needs a backend.`)
  const backend = at ?? sameBackend(op.name, inputs)
  const storages = inputs.map(storageOf)
  if (op.view) return wrap(spec, backend, op.name, storages[0].share())
  const out = wrap(spec, backend, op.name, new Storage(backend, backend.alloc(spec, op.name)))
  backend.run(op, { inputs, out, attrs, scalars }, storages.map(s => s.handle), storageOf(out).handle)
  return out
}

/** A stand-in for a value that a rule does not read, so that its memory need not be kept. */
function shapeOnly(t: Tensor, op: string): Tensor {
  const stand = new Tensor(t, t.backend, t.op, null)
  stand.gone = `was not kept by ${op}: its derivative reads it, but does not list it in 'uses'`
  return stand
}
