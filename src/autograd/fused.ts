/**
 * fused: a function that one kernel computes as a whole, with a derivative that another kernel computes as a whole.
 *
 * It is one node on the tape. The composition of operators that it replaces remains its specification, and takes over
 * where a kernel cannot be used: where the function or its pullback is itself differentiated by an outer transform. So
 * derivatives of every order are those of the composition.
 */
import type { History } from '../backends/program.ts'
import { resolve } from '../tensor/frame.ts'
import { Resource } from '../tensor/lifetime.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { below, innermostTape } from '../tensor/trace.ts'
import { vjp } from './vjp.ts'

/** The three ways to compute one function of a list of tensors. All values are concrete in the kernels. */
export type Fused = {
  readonly name: string
  /** Further tensors that all three read, and that have no derivative. They live as long as the tape. */
  readonly constants: readonly Tensor[]
  /** The outputs; with `keep`, also whatever `backward` will need. */
  forward(values: readonly Tensor[], keep: boolean): { outputs: Tensor[]; history: History | null }
  /** ∂L/∂values, for those in `wanted`, from ∂L/∂outputs, where null stands for zero. May be called more than once. */
  backward(
    values: readonly Tensor[], history: History, cotangents: readonly (Tensor | null)[], wanted: readonly boolean[],
  ): (Tensor | null)[]
  /** The same outputs, composed of operators. */
  composed(inputs: readonly Tensor[]): Tensor[]
}

/** The owner of a history: a resource, which the tape holds. */
class HistoryOwner extends Resource {
  override readonly held: History
  private readonly op: string
  constructor(held: History, op: string) {
    super()
    this.held = held
    this.op = op
  }
  name(): string {
    return `the history of ${this.op}`
  }
}

/** Runs `f` on the inputs: by its kernels where possible, else composed. */
export function fused(f: Fused, inputs: readonly Tensor[]): Tensor[] {
  const seen = inputs.map(resolve)
  const tape = innermostTape(seen)
  if (!tape) return f.forward(seen, false).outputs
  const values = seen.map(t => below(t, tape))
  if (values.some(t => t.traced)) return f.composed(inputs)
  tape.checkOpen(f.name)
  const { outputs, history } = f.forward(values, true)
  const kept = new HistoryOwner(history!, f.name)
  const wanted = seen.map(t => t.traced?.tape === tape)
  return tape.record({
    op: f.name,
    parents: seen.map(t => t.traced?.output ?? null),
    saved: [...values, ...f.constants.map(resolve), kept],
    pullback: cotangents => {
      const now = values.map(resolve)
      const given = cotangents.map(g => g && resolve(g))
      if ([...now, ...given].some(t => t?.traced)) return vjp(f.composed, now)[1](given as Tensor[])
      return f.backward(now, kept.held, given, wanted)
    },
  }, outputs)
}
