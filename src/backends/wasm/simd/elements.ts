/**
 * Element-wise operators, block by block: operands are copied into scratch memory, four numbers at a time are computed,
 * and the results are copied out. A block stays in the L1 cache, so this is faster even for an addition.
 *
 * Operands may broadcast if their own axes are adjacent: a number, the bias of a layer `[c]`, a mask `[b,h,w,1]`, one
 * image for the whole batch. Element i of the result then reads
 *
 *   ⌊i / repeat⌋ mod size          repeat: elements of the axes after its own, size: its own elements
 */
import { sizeOf, type Data, type Shape, type SimdKernel } from '../../backend.ts'
import { isFloat } from './conditions.ts'
import { activations, type Kernels } from '../kernels.ts'
import type { Room, Scratch } from './scratch.ts'

/** Numbers in a block. */
const block = 4096

/** The fewest numbers that are worth the copies: for a function, and for an operation that is one instruction. */
const enough = { function: 512, operation: 2048 }

/** out = f(x), where f works in place. */
function mapped(
  f: (kernels: Kernels, at: number, bytes: number, scalars: readonly number[]) => void,
): SimdKernel<unknown> {
  return room => ([x], out, { scalars }) => {
    if (!isFloat(x) || !isFloat(out) || out.length < enough.function) return false
    const { kernels, floats, at: [a] } = room(4 * block)
    for (let i = 0; i < out.length; i += block) {
      const count = Math.min(block, out.length - i)
      floats.set(x.subarray(i, i + count), a / 4)
      f(kernels, a, Math.ceil(count / 4) * 16, scalars)
      out.set(floats.subarray(a / 4, a / 4 + count), i)
    }
    return true
  }
}

/** An elementary function. */
export function simdFunction(name: 'exp' | 'sigmoid' | 'sqrt'): SimdKernel<unknown> {
  return mapped((kernels, at, bytes) => kernels[name](at, bytes))
}

/** An activation. scalars: its slope, if it has one. */
export function simdActivation(name: 'relu' | 'leakyRelu' | 'tanh'): SimdKernel<unknown> {
  return mapped((kernels, at, bytes, [slope = 0]) => kernels.activate(activations[name], at, 1, bytes, 0, slope))
}

/** The operations, in the order of their numbers in assembly/elements.ts. */
const operations = ['add', 'sub', 'mul', 'div', 'maximum', 'minimum', 'greater', 'greaterEqual'] as const

/** out = a ∘ b, numbers, or masks of uint32. */
export function simdOperation(name: typeof operations[number]): SimdKernel<unknown> {
  const operation = operations.indexOf(name)
  return room => ([a, b], out, call) => {
    if (!isFloat(a) || !isFloat(b) || out.length < enough.operation) return false
    return blockwise(room, [a, b], out, call, ({ kernels, at: [to, p, q] }, bytes) => {
      kernels.combine(operation, to, p, q, bytes)
    })
  }
}

/** where: out = a where c ≠ 0, else b. */
export const simdSelection: SimdKernel<unknown> = room => ([c, a, b], out, call) => {
  if (!(c instanceof Uint32Array) || !isFloat(a) || !isFloat(b) || out.length < enough.operation) return false
  if (copied(c, [a, b], out as Float32Array, call)) return true
  return blockwise(room, [c, a, b], out, call, ({ kernels, at: [to, condition, p, q] }, bytes) => {
    kernels.select(to, condition, p, q, bytes)
  })
}

/** where, if one element of c decides for whole blocks, for instance for a sample of a batch. */
function copied(
  c: Uint32Array, branches: readonly Float32Array[], out: Float32Array, { inputs, out: { shape } }: Specs,
): boolean {
  const [run, ...repeats] = inputs.map(spec => repeatOf(spec.shape, shape))
  if (run === null || run < block || repeats.includes(null)) return false
  for (let i = 0; i < out.length; i += run) {
    const k = c[i / run % c.length] !== 0 ? 0 : 1
    stage(branches[k], repeats[k]!, i, run, out, i)
  }
  return true
}

type Specs = { readonly inputs: readonly { readonly shape: Shape }[]; readonly out: { readonly shape: Shape } }

/** Runs `f` on blocks of the operands; its result is expected at the first address, the operands are at the others. */
function blockwise(
  room: Room, inputs: readonly (Float32Array | Uint32Array)[], out: Data, { inputs: specs, out: { shape } }: Specs,
  f: (scratch: Scratch, bytes: number) => void,
): boolean {
  const repeats = specs.map(spec => repeatOf(spec.shape, shape))
  if (repeats.includes(null)) return false
  const periods = inputs.map((x, k) => x.length * repeats[k]!)
  // Operands that repeat within a block are the same in all of them.
  const unit = periods.filter(n => n <= block).reduce(leastCommonMultiple, 1)
  const size = unit <= block ? Math.floor(block / unit) * unit : block
  const scratch = room(4 * size, ...inputs.map(() => 4 * size))
  const { floats, words, at: [to, ...operands] } = scratch
  const result = isFloat(out) ? floats : words
  for (let i = 0; i < out.length; i += size) {
    const count = Math.min(size, out.length - i)
    inputs.forEach((x, k) => {
      if (i === 0 || size % periods[k] !== 0) {
        stage(x, repeats[k]!, i, count, isFloat(x) ? floats : words, operands[k] / 4)
      }
    })
    f(scratch, Math.ceil(count / 4) * 16)
    out.set(result.subarray(to / 4, to / 4 + count), i)
  }
  return true
}

/** How often each element of `small` is repeated in `big` before the next; null if its axes are not adjacent. */
function repeatOf(small: Shape, big: Shape): number | null {
  const own = big.map((n, axis) => n > 1 && small[axis - big.length + small.length] === n)
  const first = own.indexOf(true), last = own.lastIndexOf(true)
  if (first < 0) return 1
  if (big.slice(first, last + 1).some((n, i) => n > 1 && !own[first + i])) return null
  return sizeOf(big.slice(last + 1))
}

/** Copies the numbers that elements i … i + count − 1 of the result read. */
function stage(
  x: Float32Array | Uint32Array, repeat: number, i: number, count: number, memory: Float32Array | Uint32Array,
  at: number,
): void {
  const end = at + count
  if (x.length === 1) {
    memory.fill(x[0], at, end)
    return
  }
  let from = Math.floor(i / repeat) % x.length
  if (repeat === 1 && x.length >= 64) {
    while (at < end) {
      const run = Math.min(end - at, x.length - from)
      memory.set(x.subarray(from, from + run), at)
      at += run
      from = 0
    }
    return
  }
  let stop = at + repeat - i % repeat
  while (at < end) {
    const value = x[from]
    for (const to = Math.min(end, stop); at < to; at++) memory[at] = value
    stop += repeat
    if (++from === x.length) from = 0
  }
}

function leastCommonMultiple(a: number, b: number): number {
  let [p, q] = [a, b]
  while (q > 0) [p, q] = [q, p % q]
  return a / p * b
}
