/**
 * traceOf: what a function records when it is differentiated, and what is kept for the backward pass, as data.
 *
 * The backward pass walks the tape from its last row to its first. The rules of a row read some values of the forward
 * pass, which are kept until then; their memory is what a gradient costs in addition to the function itself. For example, for
 * y = sum(exp(w·x)), where ∂(w·x)/∂w = x, ∂exp(u)/∂u = exp(u), and sums read nothing:
 *
 *   #  operator    of   shape  keeps                 bytes
 *   0  argument 0       [3]                              0
 *   1  mul         0 –  [3]    a constant [3] → ∂#0     12
 *   2  exp         1    [3]    #2 → ∂#1                 12
 *   3  sum         2    [1]                              0
 *   4  reshape     3    []                               0
 *                                                       24
 *
 * `vjp` records exactly this; only the tape here reports more.
 */
import { bytesOf, type DType, type Shape } from '../../backends/backend.ts'
import { check, isObject } from '../../backends/options.ts'
import { scope, type Resource } from '../../tensor/lifetime.ts'
import { showShape } from '../../tensor/shape.ts'
import { Tensor } from '../../tensor/tensor.ts'
import { Tape, type Node } from '../../tensor/trace.ts'
import { eachLeaf } from '../../tensor/tree.ts'
import { record } from '../vjp.ts'

/** A value that is kept from the forward to the backward pass. */
export type KeptValue = {
  /** The row that computed it; null for a constant, which has no row. */
  readonly of: number | null
  /** The rows whose cotangents are computed from it: the derivatives of this row with respect to those read it. */
  readonly for: readonly number[]
  /** Null if it is not a tensor but an operator's own data, like the history of a fused rollout. */
  readonly shape: Shape | null
  readonly dtype: DType | null
  /** Its size; null if only the operator knows it. */
  readonly bytes: number | null
}

/** A row of the tape: an argument, or a computation that was recorded. */
export type TraceRow = {
  readonly number: number
  /** 'input' for arguments. */
  readonly operator: string
  /** For arguments, the dotted path in the first argument of the function, '' if that is a tensor; else null. */
  readonly path: string | null
  /** The rows that its inputs come from; null for a constant. */
  readonly inputs: readonly (number | null)[]
  readonly outputs: readonly { readonly shape: Shape; readonly dtype: DType }[]
  readonly keeps: readonly KeptValue[]
  /** What the row adds to the memory of the tape: the tensors it keeps that are neither arguments nor already kept. */
  readonly bytes: number
  /** False if no output depends on the row: it is dropped, with everything that it has kept. */
  readonly used: boolean
}

/** A tape as plain data, which `JSON.stringify` takes. */
export type Trace = {
  /** In the order of the forward pass, arguments first. */
  readonly rows: readonly TraceRow[]
  /** The rows that the outputs of the function come from, in order; null for one that does not depend on argument 0. */
  readonly outputs: readonly (number | null)[]
  /** The sum over all rows. */
  readonly bytes: number
}

/**
 * What `f` records and keeps when it is differentiated with respect to its first argument, as in `vjp(f, params, …rest)`. Only
 * the forward pass runs, and nothing stays in memory.
 *
 * @throws where `vjp` would
 * @example
 * const { rows, bytes } = traceOf((w: Tensor) => sum(exp(mul(w, x))), w)
 * rows.filter(row => row.keeps.length > 0).map(row => row.operator)          // ['mul', 'exp']
 * @example console.log(printTape(traceOf(loss, params, batch)))
 */
export function traceOf<P, A extends unknown[], Y>(
  f: (params: P, ...rest: A) => Y, params: P, ...rest: A
): Trace {
  return scope(() => recordTold('traceOf()', f, params, rest, new TellingTape('traceOf()')).trace, 'traceOf()')
}

/** @internal Records f as `vjp` does, on a tape that reports what it records. */
export function recordTold<P, A extends unknown[], Y>(
  name: string, f: (params: P, ...rest: A) => Y, params: P, rest: A, tape: TellingTape,
): { trace: Trace; value: Y; pull: (cotangent: unknown, once: boolean) => P } {
  const outputs: (number | null)[] = []
  const told = (traced: P, ...others: A): Y => {
    const y = f(traced, ...others)
    eachLeaf(y, leaf => {
      if (leaf instanceof Tensor) outputs.push(leaf.traced?.tape === tape ? leaf.traced.output.node : null)
    })
    return y
  }
  const { value, pull } = record(name, told, params, rest, tape)
  const paths: string[] = []
  eachLeaf(params, (leaf, path) => { if (leaf instanceof Tensor) paths.push(path) })
  const rows = rowsOf(tape, paths)
  return { trace: { rows, outputs, bytes: rows.reduce((sum, row) => sum + row.bytes, 0) }, value, pull }
}

/** @internal A tape that also keeps dropped nodes, and the row that computed each tensor. */
export class TellingTape extends Tape {
  readonly told: { readonly node: Node; readonly of: readonly (number | null)[] }[] = []
  /** The memory of the arguments, which exists with or without a tape. */
  readonly given: Set<unknown> = new Set()
  private readonly makers: Map<Resource, number> = new Map()

  override record(node: Omit<Node, 'outputs'>, outputs: readonly Tensor[]): Tensor[] {
    const traced = super.record(node, outputs)
    const number = this.nodes.length - 1
    const recorded = this.nodes[number]!
    for (const { resource } of outputs) {
      if (!this.makers.has(resource)) this.makers.set(resource, number)
      if (node.op === 'input') this.given.add(resource.held)
    }
    this.told.push({ node: recorded, of: recorded.saved.map(r => this.makers.get(r) ?? null) })
    return traced
  }
}

function rowsOf(tape: TellingTape, paths: readonly string[]): TraceRow[] {
  const counted = new Set(tape.given)
  return tape.told.map(({ node, of }, number) => {
    const used = tape.nodes[number] !== null
    let bytes = 0
    const keeps = used ? node.saved.map((r, i): KeptValue => {
      const size = r instanceof Tensor ? bytesOf(r) : null
      if (!counted.has(r.held)) bytes += size ?? 0
      counted.add(r.held) // tensors that are views of each other have one memory
      const { shape, dtype } = r instanceof Tensor ? r : { shape: null, dtype: null }
      return { of: of[i], for: readers(node, i), shape, dtype, bytes: size }
    }) : []
    const inputs = node.parents.map(parent => parent?.node ?? null)
    return { number, operator: node.op, path: paths[number] ?? null, inputs, outputs: node.outputs, keeps, bytes, used }
  })
}

/** The rows of the parents whose derivatives read the i-th kept value of a node. */
function readers({ parents, uses }: Node, i: number): number[] {
  let reading = parents
  if (uses) {
    const there = uses.flat().filter(use => use === 'out' || use < parents.length) // the last inputs may be optional
    const kept = [...new Set(there)].sort((a, b) => order(a) - order(b))[i]
    reading = parents.filter((_, k) => uses[k].includes(kept))
  }
  return [...new Set(reading.flatMap(parent => parent?.node ?? []))]
}

function order(use: number | 'out'): number {
  return use === 'out' ? Infinity : use
}

/**
 * The table of a trace as text, for `console.log`: a row for each computation; `keeps` lists what its derivative reads. `#2 →
 * ∂#1` means that the value of row 2 is read to compute the cotangent of row 1 from that of this row. No output depends on
 * rows in brackets.
 *
 * @example console.log(printTape(traceOf((x: Tensor) => sum(exp(x)), tensor([1, 2, 3]))))
 */
export function printTape(trace: Trace): string {
  check(isObject(trace) && Array.isArray(trace.rows), 'printTape', 'the trace', trace, 'what traceOf returns')
  const { rows, bytes } = trace
  const table = [
    ['#', 'operator', 'of', 'shape', 'keeps', 'bytes'],
    ...rows.map(row => [
      row.used ? String(row.number) : `(${row.number})`,
      row.path === null ? row.operator : row.path || 'argument 0',
      row.inputs.map(from => from ?? '–').join(' '),
      row.outputs.map(({ shape }) => showShape(shape)).join(' '),
      row.keeps.map(keptInWords).join(', '),
      String(row.bytes),
    ]),
    ['', '', '', '', '', String(bytes)],
  ]
  const widths = table[0].map((_, column) => Math.max(...table.map(cells => cells[column].length)))
  const numeric = [0, 5]
  return table.map(cells => cells.map((cell, column) =>
    (numeric.includes(column) ? cell.padStart(widths[column]) : cell.padEnd(widths[column]))).join('  ')).join('\n')
}

function keptInWords({ of, for: readers, shape }: KeptValue): string {
  const what = of !== null ? `#${of}` : shape ? `a constant ${showShape(shape)}` : 'a history'
  return `${what} → ${readers.map(row => `∂#${row}`).join(' ')}`
}
