/**
 * vjp: reverse-mode differentiation, from which every other transform is made.
 *
 * For y = f(x), the pullback maps a cotangent ȳ = ∂L/∂y to x̄ = ∂L/∂x = Jᵀȳ without ever forming J. While f runs, a
 * tape records one node per operator; the pullback walks it once in reverse:
 *
 *   for each node, last to first:   x̄_i += ruleᵢ(ȳ)     for its inputs i
 *
 * so the whole costs a small multiple of f. Rules run one level below the tape; that is why derivatives of derivatives work
 * without another line here.
 */
import { add } from '../tensor/ops/arithmetic.ts'
import { zerosLike } from '../tensor/ops/create.ts'
import { adopt, openScope, closeScope, refusePromise, release, resourcesIn, retain, scope } from '../tensor/lifetime.ts'
import { floating, refuse } from '../tensor/op.ts'
import { activeFrames, resolve } from '../tensor/frame.ts'
import { checkFunction } from '../backends/options.ts'
import { sameShape, showShape } from '../tensor/shape.ts'
import { Tensor, type NodeOutput } from '../tensor/tensor.ts'
import { Tape, TapeOwner, type Cotangents } from '../tensor/trace.ts'
import type { Spec } from '../backends/backend.ts'
import { eachLeaf, mapTree } from '../tensor/tree.ts'

/** Maps a cotangent of the output, a tree like the output with null for zero, to one of the first argument. */
export type Pullback<P, Y> = (cotangent: Cotangent<Y>) => P

/** A tree like `Y` in which any tensor may be null, which stands for zeros. */
export type Cotangent<Y> = Y extends Tensor
  ? Tensor | null
  : Y extends readonly unknown[] | Record<string, unknown> ? { [K in keyof Y]: Cotangent<Y[K]> } : unknown

/**
 * The value of `f` and its pullback. Only argument 0 is differentiated; it and the output are trees of tensors.
 * The pullback may be called any number of times; the values that it needs live as long as it does.
 *
 * @throws for a function that returns a Promise, and for integer tensors in argument 0
 * @example
 * const [y, pullback] = vjp(x => mul(x, x), tensor(3))
 * pullback(tensor(1))          // 6
 */
export function vjp<P, A extends unknown[], Y>(
  f: (params: P, ...rest: A) => Y, params: P, ...rest: A
): [Y, Pullback<P, Y>] {
  checkFunction('vjp', 'f', f)
  const { value, owner, pull } = record('vjp()', f, params, rest)
  const pullback = (cotangent: Cotangent<Y>): P => scope(() => {
    if (owner.gone !== null) throw new Error(`vjp: the pullback ${owner.gone}`)
    for (const frame of activeFrames()) frame.called?.(owner)
    return pull(cotangent, false)
  }, 'a pullback')
  return [value, Object.assign(pullback, { resource: owner })]
}

type Recorded<P, Y> = {
  value: Y
  owner: TapeOwner
  /** Walks the tape; `once` releases each node as soon as it has been used. */
  pull: (cotangent: unknown, once: boolean) => P
}

/** Runs f on traced parameters and records it on `tape`. The current scope owns the tape. */
export function record<P, A extends unknown[], Y>(
  name: string, f: (params: P, ...rest: A) => Y, params: P, rest: A, tape: Tape = new Tape(name),
): Recorded<P, Y> {
  const owner = new TapeOwner(tape)
  const inputs: Tensor[] = []
  const traced = mapTree(params, (leaf, path) => {
    if (!(leaf instanceof Tensor)) return leaf
    floating(name, path === '' ? 'argument 0' : path, leaf)
    const input = resolve(leaf)
    inputs.push(input)
    return tape.input(input)
  })
  if (inputs.length === 0) refuseArgument(name, params)
  const opened = openScope(name)
  let value: Y | undefined
  const outputs: Output[] = []
  try {
    const result = refusePromise(f(traced, ...rest), name)
    value = mapTree(result, (leaf, path) => {
      if (!(leaf instanceof Tensor)) return leaf
      const mine = leaf.traced?.tape === tape ? leaf.traced : null
      outputs.push({ path, output: mine?.output ?? null, shape: leaf.shape, dtype: leaf.dtype })
      return mine?.value ?? leaf
    })
    forgetUnused(tape, outputs)
  } catch (error) {
    tape.drop()
    throw error
  } finally {
    tape.open = false
    closeScope(opened, resourcesIn(value))
  }
  adopt(owner)

  function pull(cotangent: unknown, once: boolean): P {
    const found = backward(tape, outputs, matchOutputs(name, cotangent, outputs), inputs, once)
    let i = 0
    return mapTree(params, leaf => (leaf instanceof Tensor ? found[i++] : leaf))
  }
  return { value: value as Y, owner, pull }
}

/** Throws if the argument might hide tensors, for instance in a Map. A tree that is plainly empty is fine. */
function refuseArgument(name: string, params: unknown): void {
  eachLeaf(params, (leaf, path) => {
    const got = leaf === undefined
      ? 'missing'
      : typeof leaf === 'object' && leaf !== null ? `a ${leaf.constructor?.name ?? 'object'}` : typeof leaf
    throw new Error(
      `${name}: ${path === '' ? 'argument 0' : path} is ${got}, and there is no tensor to `
        + 'differentiate; expected tensors in arrays and plain objects.',
    )
  })
}

/**
 * What is remembered of an output after it is returned: its path in the tree, its place on the tape, its shape and type.
 */
type Output = Spec & { readonly path: string; readonly output: NodeOutput | null }

/** The cotangents in the order of the outputs. They are matched by path: the order of keys does not matter. */
function matchOutputs(name: string, cotangent: unknown, outputs: readonly Output[]): Cotangents {
  const given = new Map<string, Tensor | null>()
  eachLeaf(cotangent, (g, path) => { if (g === null || g instanceof Tensor) given.set(path, g) })
  const paths = new Set(outputs.map(({ path }) => path))
  for (const [path, g] of given) {
    if (g && !paths.has(path)) refuse(name, `a cotangent is given for ${path || 'the output'}, where there is no tensor`)
  }
  return outputs.map(y => {
    const g = given.get(y.path)
    if (g === undefined) refuse(name, `no cotangent is given for ${y.path || 'the output'}; null stands for zero`)
    if (g) checkCotangent(name, g, y)
    return g
  })
}

/** Drops the nodes that no output depends on, and with them the values that they have kept. */
function forgetUnused(tape: Tape, outputs: readonly Output[]): void {
  const used = new Set(outputs.map(({ output }) => output?.node))
  for (let i = tape.nodes.length - 1; i >= 0; i--) {
    const node = tape.nodes[i]!
    if (used.has(i)) for (const parent of node.parents) used.add(parent?.node)
    else if (node.op !== 'input') tape.forget(i)
  }
}

/**
 * Walks the tape in reverse and returns a cotangent for each input (the first nodes). The table of sums co-owns cotangents,
 * and releases them as soon as their node has been passed.
 */
function backward(
  tape: Tape, outputs: readonly Output[], given: Cotangents, inputs: readonly Tensor[], once: boolean,
): Tensor[] {
  const sums: (Tensor | null)[][] = []
  const letGo = (g: Tensor | null | undefined): void => {
    if (g) release(g.resource, 'was a cotangent; the backward pass is over')
  }

  /** Adds g to the cotangent at `output`. Sums are created in the current scope, and owned by the table from then on. */
  function accumulate(output: NodeOutput, g: Tensor): void {
    const row = (sums[output.node] ??= [])
    const before = row[output.index]
    const total = before ? add(before, g) : g
    retain(total.resource)
    row[output.index] = total
    letGo(before)
  }

  try {
    outputs.forEach(({ output }, i) => { if (output && given[i]) accumulate(output, given[i]) })
    for (let i = tape.nodes.length - 1; i >= inputs.length; i--) {
      const node = tape.nodes[i]
      const cotangents = sums[i]
      if (!node || !cotangents) continue
      scope(() => {
        const found = node.pullback(node.outputs.map((_, k) => cotangents[k] ?? null))
        found.forEach((g, k) => {
          const output = node.parents[k]
          if (!g || !output) return
          checkCotangent(`the derivative of ${node.op}`, g, tape.nodes[output.node]!.outputs[output.index])
          accumulate(output, g)
        })
      }, `the derivative of ${node.op}`)
      cotangents.forEach(letGo)
      delete sums[i]
      if (once) tape.forget(i)
    }
    return inputs.map((x, i) => {
      const g = sums[i]?.[0]
      if (!g) return zerosLike(x)
      adopt(g.resource)
      return g
    })
  } finally {
    for (const row of sums) row?.forEach(letGo)
  }
}

function checkCotangent(name: string, g: Tensor, x: Spec): void {
  if (!sameShape(g.shape, x.shape) || g.dtype !== x.dtype) {
    refuse(name, `a cotangent is ${showShape(g.shape)} ${g.dtype} for a value that is ${showShape(x.shape)} ${x.dtype}`)
  }
}
