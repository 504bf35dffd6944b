/**
 * Training states checked for consistency, and against the trainer that will go on from them.
 *
 *   c.safetensors: optimiser.moments.0.update.w1 is missing, expected a tensor [48,128] float32.
 *
 * A state comes from a file as often as from a trainer. Without these checks, a part that does not fit would fail in the first
 * iteration, with the message of some operator, or not at all.
 */
import { checkKey } from '../../tensor/key.ts'
import { check, isObject, isWhole } from '../../backends/options.ts'
import { sameShape, showShape, type Shape } from '../../tensor/shape.ts'
import { Tensor } from '../../tensor/tensor.ts'
import { eachLeaf } from '../../tensor/tree.ts'
import type { CriticState } from './critic.ts'
import type { OptimiserState } from './optimiser.ts'
import { SparseState } from './sparse-state.ts'
import type { TrainerState } from './trainer.ts'

/** What is compared of a tensor or a packed state. */
type Like = Pick<Tensor, 'shape' | 'dtype' | 'backend'>

/**
 * Throws unless this is a training state whose parts fit together: moments like parameters, slots like each other, an
 * example for each slot.
 *
 * @param where the file's name or that of the calling function
 */
export function checkState(where: string, state: unknown): asserts state is TrainerState<unknown> {
  const isTree = isObject(state) && !(state instanceof Promise) && 'params' in state && 'optimiser' in state
  const kind = 'a training state, as init and step of a trainer make it'
  check(isTree, where, 'what was given', state, state instanceof Promise ? `${kind}; await it` : kind)
  const { params, optimiser, pool, examples, critic, iteration, key } = state as TrainerState<unknown>
  check(isWhole(iteration) && iteration < 2 ** 32, where, 'iteration', iteration, 'a whole number from 0 to 2^32 − 1')
  checkKey(where, key)
  const own = tensorsIn(params)
  check(own.size > 0, where, 'params', params, 'a tree with tensors')

  const isPool = Array.isArray(pool) && pool.every(slot => slot instanceof SparseState || slot instanceof Tensor)
  check(isPool, where, 'pool', pool, 'a list of states')
  pool.forEach((slot, i) => checkLike(where, `pool.${i}`, slot, pool[0]))
  const some = Array.isArray(examples) && examples.length === pool.length && examples.every(i => isWhole(i))
  check(some, where, 'examples', examples, `${pool.length} whole numbers, one for each slot of the pool`)

  checkOptimiser(where, '', own, optimiser)
  if (critic === undefined) return
  check(isObject(critic), where, 'critic', critic, 'a critic that learns: params and optimiser')
  const layers = tensorsIn(critic.params)
  check(layers.size > 0, where, 'critic.params', critic.params, 'a tree with tensors')
  checkOptimiser(where, 'critic.', layers, critic.optimiser)
}

/** Throws unless this is a state of an optimiser of these parameters. */
function checkOptimiser(where: string, prefix: string, own: ReadonlyMap<string, Like>, optimiser: OptimiserState<unknown>): void {
  const at = `${prefix}optimiser`
  check(isObject(optimiser), where, at, optimiser, 'what an optimiser remembers: step and moments')
  const { step, moments } = optimiser
  check(isWhole(step), where, `${at}.step`, step, 'a whole number')
  // The state of an optimiser that is not one of ours cannot be checked.
  if (moments === undefined) return
  check(Array.isArray(moments) && moments.length <= 2, where, `${at}.moments`, moments, 'a list of at most two trees')
  moments.forEach((moment, i) => {
    const path = `${at}.moments.${i}`
    const learnt = i === 0 ? [...tensorsIn(moment).keys()] : [...tensorsIn(moments[0]).keys()]
    const extra = learnt.find(name => !own.has(name))
    if (extra !== undefined) throw new Error(`${where}: ${path}.${extra} is the moment of no parameter.`)
    checkTensors(where, path, moment, new Map(learnt.map(name => [name, own.get(name)!])))
  })
}

/** What a trainer needs a state to be. */
export type Needs = {
  /** Throws unless these are its parameters. */
  readonly params: (where: string, params: unknown) => void
  /** Those of the parameters that learn. */
  readonly learnt: (params: unknown) => unknown
  readonly moments: number
  /** A critic's state like that of the trainer, if it has a critic. */
  readonly critic: CriticState | undefined
  readonly slots: number
  readonly examples: number
  /** The first states of a batch `[1,h,w,c]`. */
  readonly seed: Tensor
}

/** Throws unless a consistent state is one that this trainer could have made. */
export function checkStateFor(where: string, state: TrainerState<unknown>, needs: Needs): void {
  const { params, optimiser: { moments }, pool, examples, critic } = state
  needs.params(where, params)
  const learnt = tensorsIn(needs.learnt(params))
  const count = moments?.length === needs.moments
  check(count, where, 'the number of optimiser.moments', moments?.length ?? 0, `${needs.moments}, as the optimiser has`)
  moments.forEach((moment, i) => checkTensors(where, `optimiser.moments.${i}`, moment, learnt))
  check(!critic || needs.critic !== undefined, where, 'critic', critic, 'none, as the trainer has none')
  if (needs.critic) {
    const { params: layers, optimiser: remembered } = needs.critic
    checkTensors(where, 'critic.params', critic?.params, tensorsIn(layers))
    checkTensors(where, 'critic.optimiser.moments', critic?.optimiser.moments, tensorsIn(remembered.moments))
  }
  check(pool.length === needs.slots, where, 'the number of slots in pool', pool.length, `${needs.slots}, as the trainer has`)
  const { dtype, backend } = needs.seed
  pool.slice(0, 1).forEach(slot => checkLike(where, 'pool.0', slot, { shape: needs.seed.shape.slice(1), dtype, backend }))
  examples.forEach((example, i) => {
    check(example < needs.examples, where, `examples.${i}`, example, `one of the ${needs.examples} examples of its task`)
  })
}

/** Throws unless a tree has exactly these tensors. */
export function checkTensors(where: string, at: string, tree: unknown, expected: ReadonlyMap<string, Like>): void {
  const given = tensorsIn(tree)
  for (const [path, like] of expected) checkLike(where, `${at}.${path}`, given.get(path), like)
  const extra = [...given.keys()].find(path => !expected.has(path))
  if (extra !== undefined) throw new Error(`${where}: there is a ${at}.${extra}, which nothing needs.`)
}

/** The tensors of a tree by their paths. */
export function tensorsIn(tree: unknown): Map<string, Tensor> {
  const found = new Map<string, Tensor>()
  eachLeaf(tree, (leaf, path) => { if (leaf instanceof Tensor) found.set(path, leaf) })
  return found
}

function checkLike(where: string, path: string, got: Like | undefined, { shape, dtype, backend }: Like): void {
  const of = (s: Shape, type: string): string => `a tensor ${showShape(s)} ${type}`
  if (got && sameShape(got.shape, shape) && got.dtype === dtype) {
    if (got.backend === backend) return
    throw new Error(
      `${where}: ${path} is on ${got.backend.name}, expected on ${backend.name}; see the option backend of readCheckpoint.`,
    )
  }
  throw new Error(`${where}: ${path} is ${got ? of(got.shape, got.dtype) : 'missing'}, expected ${of(shape, dtype)}.`)
}
