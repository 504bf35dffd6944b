// Random programs, to compare ways of running them.
//
// A program is data: a list of instructions on vectors of one length, each of which appends its results to the values so
// far. A block runs a program of its own that reaches the outer values through its closure, and returns some of them all,
// its own or not, perhaps one twice. `run` executes a program with its blocks wrapped in transforms or `plainly`; derivatives of both must
// agree, whatever is nested in whatever.

import fc from 'fast-check'
import { add, checkpoint, grad, mul, scan, scope, sin, sum, tanh, tensor, vjp } from '../../src/index.ts'
import type { Tensor } from '../../src/index.ts'

type Block = 'checkpoint' | 'scan' | 'scope' | 'vjp' | 'grad'

export type Instruction =
  | { op: 'add' | 'mul' | 'sin' | 'tanh'; a: number; b: number }
  | { op: 'block'; kind: Block; body: Instruction[]; returns: number[] }

/** Positions are taken modulo the number of values there are. */
const position = fc.nat({ max: 11 })

const { program } = fc.letrec<{ program: Instruction[]; instruction: Instruction }>(tie => ({
  program: fc.array(tie('instruction'), { minLength: 1, maxLength: 4, depthIdentifier: 'program' }),
  instruction: fc.oneof(
    { depthSize: 'small', maxDepth: 4, depthIdentifier: 'program' },
    fc.record({ op: fc.constantFrom('add', 'mul', 'sin', 'tanh'), a: position, b: position }),
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

const at = (values: readonly Tensor[], i: number): Tensor => values[i % values.length]

/** All values, those given first. With `plainly`, blocks that change no values (checkpoint, scan, scope) are mere calls. */
export function run(instructions: readonly Instruction[], given: readonly Tensor[], plainly: boolean): Tensor[] {
  const values = [...given]
  for (const instruction of instructions) {
    if (instruction.op === 'block') {
      const { kind, body, returns } = instruction
      const outer = [...values]
      const block = (...more: Tensor[]): Tensor[] => {
        const inner = run(body, [...outer, ...more], plainly)
        return returns.map(i => at(inner, inner.length - 1 - i % inner.length))
      }
      values.push(...wrapped[plainly && kind !== 'vjp' && kind !== 'grad' ? 'scope' : kind](block, at(values, values.length - 1)))
    } else {
      const a = at(values, instruction.a)
      const b = at(values, instruction.b)
      values.push(instruction.op === 'add' ? mul(add(a, b), 0.5) : instruction.op === 'mul' ? mul(a, b) : instruction.op === 'sin' ? sin(a) : tanh(a))
    }
  }
  return values
}

/** Ways to run a block on the last value; results of derivatives are squashed so that numbers stay near 1. */
const wrapped: Record<Block, (block: (x: Tensor) => Tensor[], x: Tensor) => Tensor[]> = {
  scope: (block, x) => scope(() => block(x)),
  checkpoint: (block, x) => checkpoint(block)(x),
  scan: (block, x) => {
    // One step, and therefore one segment: the same values as a mere call.
    const [carry, [rest]] = scan((c: Tensor) => { const [first, ...others] = block(c); return [first, others] as const }, x, 1)
    return [carry, ...rest]
  },
  vjp: (block, x) => {
    const [outputs, pullback] = vjp(block, x)
    return [...outputs, tanh(pullback(outputs.map((y, i) => (i === 1 ? null : y))))]
  },
  grad: (block, x) => [tanh(grad((z: Tensor) => block(z).map(y => sum(y)).reduce((u, v) => add(u, v)))(x))],
}

/** A vector of float64 values in [−1, 1] that depend on the seed. */
export function vector(seed: number, n = 2): Tensor {
  return tensor(Float64Array.from({ length: n }, (_, i) => Math.sin(12.9898 * (seed + 1) + 78.233 * (i + 1))))
}
