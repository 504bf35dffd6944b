/**
 * Fused rollouts: a data rule as a program that a backend runs as a whole (src/backends/program.ts).
 *
 * A rollout of operators makes a tensor per operator and step, of every cell. A fused one keeps only what changes, does
 * only what a living cell that fires needs, and stays in the cache. `rollout` chooses; both give the same values and
 * gradients, up to the rounding of float32.
 */
import type { Handle } from '../../backends/backend.ts'
import type { Program, ProgramRun } from '../../backends/program.ts'
import { fused } from '../../autograd/fused.ts'
import { vjp } from '../../autograd/vjp.ts'
import { foldIn, type Key } from '../../tensor/key.ts'
import { any } from '../../tensor/ops/any-all.ts'
import { or, where } from '../../tensor/ops/compare.ts'
import { concrete, Storage, storageOf, Tensor, wrap } from '../../tensor/tensor.ts'
import { eachLeaf, mapTree } from '../../tensor/tree.ts'
import type { DataParams, DataRule, Rule } from '../rule/types.ts'
import { takeChannels } from '../state.ts'
import { arrange } from './arrange.ts'
import { whyStateComposed } from './eligible.ts'
import { extend } from './extend.ts'
import { givenOf, type Inputs } from './given.ts'

/** How a rollout should be run; see RolloutOptions. */
export type FusedOptions = {
  readonly steps: number
  readonly readouts: readonly number[]
  readonly checkpoint: 'auto' | number | false
  readonly masks?: readonly Tensor[]
  readonly angle: number
  readonly from: number
  readonly inputs?: Inputs
}

/**
 * The states after each readout by a fused rollout, or null where there is none for this rule and state.
 * The arguments have been checked (`run-options.ts`).
 *
 * @param x `[b,h,w,c]`
 * @param composedBy makes the same rollout of a rule, composed of operators
 */
export function fusedRollout(
  rule: Rule, params: DataParams, x: Tensor, key: Key, options: FusedOptions,
  composedBy: (rule: DataRule) => (params: DataParams, x: Tensor, inputs: Inputs | undefined) => Tensor[],
): Tensor[] | null {
  if (rule.type === 'custom' || whyStateComposed(rule, x) !== null) return null
  const composed = composedBy(rule)
  const runner = x.backend.runner!
  const given = options.inputs && runner.features.includes('given') ? givenOf(rule, x, options.inputs, options) : null
  if (options.inputs && !given) return null
  const { program, folded, inputsOf } = arrange(rule, x, options.angle, given?.program)
  const run = runOf(key, program, options)
  // The inputs of the primitive: the state, the parameters without those of the head, and the inputs of each step.
  const { head: _, ...own } = params, leaves: Tensor[] = []
  eachLeaf(own, leaf => { if (leaf instanceof Tensor) leaves.push(leaf) })
  function tree(list: readonly Tensor[]): DataParams {
    const left = [...list]
    return mapTree(own, leaf => leaf && left.shift())
  }
  /** The inputs of the program, without those of each step, from the state and the parameters; positions join the state. */
  const arranged = ([state, ...values]: readonly Tensor[]): Tensor[] => inputsOf(tree(values), state)
  const isWider = program.channels > x.shape.at(-1)!

  return fused({
    name: 'rollout',
    constants: options.masks ?? [],
    forward([state, ...rest], keep) {
      const inputs = arranged([state, ...rest])
      const states = options.readouts.map(() => emptyLike(inputs[0]))
      const history = runner.forward(program, [...inputs, ...rest.slice(leaves.length)].map(handle), run, states.map(handle), keep)
      return { outputs: isWider ? states.map(y => takeChannels(y, 0, state.shape.at(-1)!)) : states, history }
    },
    backward([state, ...rest], history, cotangents, wanted) {
      const [made, pullback] = vjp(arranged, [state, ...rest.slice(0, leaves.length)])
      const inputs = [...made, ...rest.slice(leaves.length)]
      const gradients = inputs.map((t, i) => (i !== 0 || isWider || wanted[0] ? emptyLike(t) : null))
      const wide = cotangents.map(g => g && extend(g, g.shape.length - 1, program.channels))
      runner.backward(program, inputs.map(handle), run, history, wide.map(g => g && handle(g)), gradients.map(g => g && handle(g)))
      const gWritten = gradients.splice(made.length)
      const [gState, ...gOthers] = gradients as [Tensor | null, ...Tensor[]]
      const [gX, ...owed] = pullback([gState, ...gOthers])
      if (!folded) return [gX, ...owed, ...gWritten]
      // A NaN in one parameter makes NaN of the gradient of another that is folded with it, even where no cell acted.
      const acted = gOthers.map(g => any(g)).reduce(or)
      return [gX, ...owed.map(g => where(acted, g, 0)), ...gWritten]
    },
    composed: ([state, ...rest]) => composed(tree(rest), state, given?.inputsOf(rest.at(-1)!)),
  }, [x, ...leaves, ...(given ? [given.values] : [])])
}

function handle(t: Tensor): Handle {
  return storageOf(concrete(t)).handle
}

function emptyLike(t: Tensor): Tensor {
  const memory = t.backend.alloc({ shape: t.shape, dtype: t.dtype }, 'rollout')
  return wrap(t, t.backend, 'rollout', new Storage(t.backend, memory))
}

function runOf(key: Key, { noise }: Program, { steps, readouts, checkpoint, masks, from }: FusedOptions): ProgramRun {
  const keys = Array.from({ length: steps }, (_, t) => foldIn(key, from + t))
  return {
    steps,
    keys: Uint32Array.from(keys.flat()),
    noiseKeys: noise === null ? null : Uint32Array.from(keys.flatMap(k => foldIn(k, 1))),
    masks: masks ? masks.map(handle) : null,
    readouts,
    segment: typeof checkpoint === 'number' ? checkpoint : Math.ceil(Math.sqrt(steps)),
    budget: typeof checkpoint === 'number' ? 0 : checkpoint === false ? Infinity : 'auto',
  }
}
