// Random programs, to compare ways of running them.
//
// A program is data: a list of instructions on vectors of one length, each of which appends its results to the values so
// far. A block runs a program of its own that reaches the outer values through its closure, and returns some of them, its
// own or others, perhaps one of them twice. `run` executes a program with its blocks wrapped in transforms, or `plainly`;
// derivatives of both must agree, however the blocks are nested.

import fc from 'fast-check'
import { add, checkpoint, grad, mul, scan, scope, sin, sum, tanh, tensor, vjp, type Tensor } from '../../src/index.ts'

type Block = 'checkpoint' | 'scan' | 'scope' | 'vjp' | 'grad'

export type Instruction =
  | { op: 'add' | 'mul' | 'sin' | 'tanh' | 'pull'; a: number; b: number }
  | { op: 'block'; kind: Block; body: Instruction[]; returns: number[] }

/** Positions are taken modulo the number of values there are. */
const position = fc.nat({ max: 11 })

const { program } = fc.letrec<{ program: Instruction[]; instruction: Instruction }>(tie => ({
  program: fc.array(tie('instruction'), { minLength: 1, maxLength: 4, depthIdentifier: 'program' }),
  instruction: fc.oneof(
    { depthSize: 'small', maxDepth: 4, depthIdentifier: 'program' },
    fc.record({ op: fc.constantFrom('add', 'mul', 'sin', 'tanh', 'pull'), a: position, b: position }),
    fc.record({
      op: fc.constant('block'),
      kind: fc.constantFrom('checkpoint', 'scan', 'scope', 'vjp', 'grad'),
      body: tie('program'),
      returns: fc.array(position, { minLength: 1, maxLength: 3 }),
    }),
  ) as fc.Arbitrary<Instruction>,
}))

/** Programs up to four blocks deep. */
export const programs: fc.Arbitrary<Instruction[]> = program

type Pull = (g: Tensor) => Tensor

function at<T>(list: readonly T[], i: number): T {
  return list[i % list.length]
}

/**
 * All values, the given ones first. With `plainly`, blocks that do not change values (checkpoint, scan, scope) are plain calls.
 * `pulls` are pullbacks that can be called.
 */
export function run(instructions: readonly Instruction[], given: readonly Tensor[], plainly: boolean, pulls: readonly Pull[] = []): Tensor[] {
  let values = given
  for (const instruction of instructions) {
    // Captured values must not change later, or a checkpoint would not be deterministic: so lists are replaced, not changed.
    const [now, known] = [values, pulls]
    const [a, b] = instruction.op === 'block' ? [] : [at(now, instruction.a), at(now, instruction.b)]
    switch (instruction.op) {
      case 'add': values = [...now, mul(add(a!, b!), 0.5)]; break
      case 'mul': values = [...now, mul(a!, b!)]; break
      case 'sin': values = [...now, sin(a!)]; break
      case 'tanh': values = [...now, tanh(a!)]; break
      case 'pull': values = [...now, known.length === 0 ? a! : at(known, instruction.a)(b!)]; break
      case 'block': {
        const { kind, body, returns } = instruction
        const block = (...more: Tensor[]): Tensor[] => {
          const inner = run(body, [...now, ...more], plainly, known)
          return returns.map(i => at(inner, inner.length - 1 - i % inner.length))
        }
        const x = at(now, now.length - 1)
        if (kind === 'vjp') {
          const [outputs, pullback] = vjp(block, x)
          const pull: Pull = g => tanh(pullback(outputs.map((_, i) => (i === 0 ? g : null))))
          values = [...now, ...outputs, pull(outputs[0])]
          pulls = [...known, pull]
        } else values = [...now, ...(plainly && kind !== 'grad' ? block(x) : wrapped[kind](block, x))]
      }
    }
  }
  return [...values]
}

/** Ways to run a block on the last value; derivatives are squashed so that numbers stay near 1. */
const wrapped: Record<Exclude<Block, 'vjp'>, (block: (x: Tensor) => Tensor[], x: Tensor) => Tensor[]> = {
  scope: (block, x) => scope(() => block(x)),
  checkpoint: (block, x) => checkpoint(block)(x),
  scan: (block, x) => {
    // One step, and so one segment: the same values as a plain call.
    const step = (c: Tensor): readonly [Tensor, Tensor[]] => { const [first, ...others] = block(c); return [first, others] }
    const [carry, [rest]] = scan(step, x, 1)
    return [carry, ...rest]
  },
  grad: (block, x) => [tanh(grad((z: Tensor) => block(z).map(y => sum(y)).reduce((u, v) => add(u, v)))(x))],
}

/** A vector of float64 values in [−1, 1] that depend on the seed. */
export function vector(seed: number, n = 2): Tensor {
  return tensor(Float64Array.from({ length: n }, (_, i) => Math.sin(12.9898 * (seed + 1) + 78.233 * (i + 1))))
}
