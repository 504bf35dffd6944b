/**
 * Lifetimes: who owns a buffer, and when it is freed.
 *
 * Nobody frees a tensor by hand. Every resource counts its owners; when the last one releases it, its memory goes back to
 * the backend at once. The owners are
 *
 *   scopes      every transform, step, rollout and optimiser update runs in one; what it does not return, it releases
 *   tapes       a recorded operator keeps the values that its derivative will read
 *   views       share one storage and count on it
 *   the user    what leaves the outermost scope is released when JavaScript collects it (see `finaliser`)
 *
 * The garbage collector alone would not suffice: it cannot see GPU memory, and `FinalizationRegistry` never runs inside a
 * synchronous loop, which is what a rollout is. It is a backstop for eager code only. There it depends on the program:
 *
 *   it awaits    A loop that reads a value from time to time, on any backend, lets the event loop run, and with it the
 *                finalisers.
 *   it does not  CPU arrays are collected without finalisers. What remains until the program awaits something is the
 *                entry of each tensor in the registry (Adam's step on one matrix leaves 5 KB) and its bytes in the count of
 *                `memory()`; the tape of what `vjp` returned; and on a GPU every buffer, up to `maxBytes`. With a `scope`
 *                for each iteration nothing remains.
 */
import { checkFunction } from '../backends/options.ts'
import { eachLeaf } from './tree.ts'

/** Memory that can be given back. */
export type Held = {
  drop(): void
  /** What to drop instead once the garbage collector has taken its owner; by default this object itself. */
  remains?(): Held
  /** Bytes that the garbage collector cannot see, default 0. */
  weight?(): number
}

/** Something with owners: a tensor's buffer, or a tape. */
export abstract class Resource {
  /** @internal How many scopes, tapes and users hold it. */
  owners = 0
  /** @internal The scope or user among its owners; null if only tapes hold it. */
  home: Scope | null = null
  /** @internal Why it can no longer be used, as the end of a sentence. */
  gone: string | null = null
  /** @internal An empty array as large as the memory that the garbage collector cannot see, see `adopt`. */
  ballast: ArrayBuffer | null = null
  /** @internal The memory to give back. It must not refer to this object, or the finaliser could never run. */
  abstract readonly held: Held | null
  /** For messages. */
  abstract name(): string
}

export type Scope = { readonly name: string; readonly owned: Resource[]; readonly parent: Scope | null }

/** Stands for the user, who owns what leaves the outermost scope. */
const user: Scope = { name: 'the program', owned: [], parent: null }

let current: Scope = user

const finaliser = new FinalizationRegistry<Held>(held => held.drop())

/** Resources given to the user since finalisers last had a chance to run. */
let given = 0

/** How many resources may wait for their finalisers before a program that awaits a value lets them run. */
const mostWaiting = 1000

/**
 * Resolves at once or, if many resources wait for finalisers, in the next turn of the event loop: values from the CPU arrive
 * in a microtask, and finalisers do not run between microtasks.
 */
export async function finalisersRun(): Promise<void> {
  if (given < mostWaiting) return
  given = 0
  await new Promise(resolve => setTimeout(resolve, 0))
}

/** Adds an owner. Throws if the last one has released it already. */
export function retain(r: Resource): void {
  if (r.gone !== null) throw new Error(`tensor ${r.name()} ${r.gone}`)
  r.owners++
}

/** Removes an owner; the last one gives the memory back. `why` completes "tensor x …" in the message of a later use. */
export function release(r: Resource, why: string): void {
  if (--r.owners > 0) return
  r.held?.drop()
  r.gone = why
}

/**
 * Makes the current scope an owner, or the user if no scope is open. A resource that has a home already keeps it.
 */
export function adopt(r: Resource): void {
  if (r.home) return
  r.owners++
  r.home = current
  if (current !== user) current.owned.push(r)
  else if (r.held) {
    given++
    finaliser.register(r, r.held.remains?.() ?? r.held, r)
    // The garbage collector runs when much was allocated. An empty array of the size of the buffer makes it count.
    const weight = r.held.weight?.() ?? 0
    if (weight > 0) r.ballast = new ArrayBuffer(weight)
  }
}

/** Ends the ownership that `adopt` began. */
export function disown(r: Resource, why: string): void {
  if (r.home === user) finaliser.unregister(r)
  r.ballast = null
  r.home = null
  release(r, why)
}

/** The resources of the leaves of a tree, `leaf.resource`: tensors and pullbacks have one. */
export function resourcesIn(tree: unknown): Set<Resource> {
  const found = new Set<Resource>()
  eachLeaf(tree, leaf => {
    if ((typeof leaf === 'object' || typeof leaf === 'function') && leaf !== null && 'resource' in leaf
      && leaf.resource instanceof Resource) found.add(leaf.resource)
  })
  return found
}

export function openScope(name: string): Scope {
  current = { name, owned: [], parent: current }
  return current
}

/** Closes the current scope: what is in `kept` goes to the enclosing scope, the rest is released. */
export function closeScope(scope: Scope, kept: ReadonlySet<Resource>): void {
  if (current !== scope || !scope.parent) {
    throw new Error(`${scope.name}: scopes must close in the reverse of the order they opened in.`)
  }
  current = scope.parent
  for (const r of scope.owned) {
    if (r.home !== scope) continue
    if (kept.has(r)) {
      r.owners--
      r.home = null
      adopt(r)
    } else disown(r, `was released when ${scope.name} returned; ${howToKeep(scope.name)}`)
  }
}

/**
 * The end of a sentence about a tensor that `name` has released. Functions for grad return one number, and everything else
 * as aux.
 */
export function howToKeep(name: string): string {
  return `return it ${/grad/i.test(name) ? 'as aux ' : ''}to keep it`
}

/**
 * Runs `fn` and releases every tensor it made, except those in the tree it returns.
 *
 * Transforms, `step`, `rollout` and optimiser updates are scopes already; use it for long eager computations of your
 * own. Only arrays and plain objects are searched for tensors: a result in a Map or in a class instance is released
 * too. Throws where `fn` returns a Promise: a scope cannot span an `await`.
 *
 * @example const y = scope(() => mul(add(x, 1), 2))   // the sum is gone, the product stays
 */
export function scope<T>(fn: () => T, name = 'scope()'): T {
  checkFunction('scope', 'fn', fn)
  const opened = openScope(name)
  let kept: ReadonlySet<Resource> = new Set()
  try {
    const result = refusePromise(fn(), name)
    kept = resourcesIn(result)
    return result
  } finally {
    closeScope(opened, kept)
  }
}

/** Throws for a Promise. Asynchronous functions cannot be traced: they would go on after the trace and its memory are gone. */
export function refusePromise<T>(result: T, name: string): T {
  if (result instanceof Promise) {
    result.catch(() => {}) // It will fail as soon as it touches a tensor; the error below says why.
    throw new TypeError(`${name}: the function returned a Promise. It must be synchronous: what it computes after an `
      + 'await would be neither recorded nor released. Await data outside and pass it in.')
  }
  return result
}

/**
 * Releases the resources in `old` that are not in `kept`. A training loop replaces its state thousands of times without giving
 * the garbage collector a chance to run; it calls this for the state that it has replaced.
 */
export function supersede(old: unknown, kept: unknown, why: string): void {
  const keep = resourcesIn(kept)
  for (const r of resourcesIn(old)) if (!keep.has(r) && r.home === current) disown(r, why)
}
