/**
 * traceGrad: the backward pass over the tape, step by step, as data.
 *
 * `traceOf` shows what the forward pass records; this walks the tape from its last row to its first, as every gradient does,
 * and keeps the cotangents. A row with outputs y and inputs x has received its cotangents ȳ = ∂L/∂y from later rows; its rules
 * give x̄ᵢ = ruleᵢ(ȳ) to earlier rows, where the contributions of several rows are added:
 *
 *   L = Σ x·x     row 2  sum    ȳ = 1      gives 1 to row 1
 *                 row 1  mul    ȳ = 1      gives x to row 0, and x again
 *                 row 0  input  ∂L/∂x = 2x
 */
import { onesLike } from '../../tensor/ops/create.ts'
import { adopt, release, retain, scope } from '../../tensor/lifetime.ts'
import { Tensor } from '../../tensor/tensor.ts'
import type { Cotangents, Node } from '../../tensor/trace.ts'
import { mapTree } from '../../tensor/tree.ts'
import { recordTold, TellingTape, type Trace } from './trace-of.ts'

/** One step of the backward pass: a row and its cotangents. */
export type BackwardStep = {
  /** Its number in the trace. */
  readonly row: number
  /** ∂L/∂y for each of its outputs, of their shapes; null for zero. */
  readonly cotangents: readonly (Tensor | null)[]
  /** What its rules give to each of its inputs, in order; null if the input is a constant or nothing flows to it. */
  readonly gives: readonly (Tensor | null)[]
}

/** A tape and the backward pass over it. */
export type GradTrace<P> = {
  readonly trace: Trace
  /** In the order of the backward pass, the last row first, without arguments and without rows to which nothing flows. */
  readonly steps: readonly BackwardStep[]
  /** ∂L/∂params, a tree like `params`. */
  readonly grads: P
}

/**
 * What `f` records when it is differentiated with respect to its first argument, and each step of the backward pass with its
 * cotangents. L is the sum of everything that `f` returns: if that is one number, `grads` are those of `grad(f)`. A checkpointed
 * function is one step.
 *
 * @throws where `vjp` would
 * @example
 * const x = tensor([1, 2, 3])
 * const { steps, grads } = traceGrad((x: Tensor) => sum(mul(x, x)), x)
 * steps.at(-1)                      // { row: 1, cotangents: [[1, 1, 1]], gives: [x, x] }
 * grads                             // [2, 4, 6]
 */
export function traceGrad<P, A extends unknown[], Y>(
  f: (params: P, ...rest: A) => Y, params: P, ...rest: A
): GradTrace<P> {
  return scope(() => {
    const tape = new WalkedTape('traceGrad()')
    try {
      const { trace, value, pull } = recordTold('traceGrad()', f, params, rest, tape)
      let next = 0
      const ones = mapTree(value, leaf => {
        if (!(leaf instanceof Tensor)) return leaf
        return trace.outputs[next++] === null ? null : onesLike(leaf)
      })
      const grads = pull(ones, true)
      tape.kept.forEach(({ resource }) => adopt(resource))
      return { trace, steps: tape.steps, grads }
    } finally {
      tape.kept.forEach(({ resource }) => release(resource, 'was a cotangent of traceGrad(), which has failed'))
    }
  }, 'traceGrad()')
}

/** A tape that keeps the cotangents of the backward pass. */
class WalkedTape extends TellingTape {
  readonly steps: BackwardStep[] = []
  /** Tensors that it co-owns, one entry each time. */
  readonly kept: Tensor[] = []

  override record(node: Omit<Node, 'outputs'>, outputs: readonly Tensor[]): Tensor[] {
    const row = this.nodes.length
    const keep = (cotangents: Cotangents): Cotangents => cotangents.map(g => {
      if (!g) return null
      retain(g.resource)
      this.kept.push(g)
      return g
    })
    return super.record({
      ...node,
      pullback: cotangents => {
        const found = node.pullback(cotangents)
        this.steps.push({ row, cotangents: keep(cotangents), gives: keep(node.parents.map((parent, i) => (parent && found[i]) ?? null)) })
        return found
      },
    }, outputs)
  }
}
