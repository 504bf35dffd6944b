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
import { concrete, Storage, storageOf, wrap, type Tensor } from '../../tensor/tensor.ts'
import { paramShapes } from '../rule/parameters.ts'
import type { DataParams, DataRule, Rule } from '../rule/types.ts'
import { takeChannels } from '../state.ts'
import { arrange } from './arrange.ts'
import { whyStateComposed } from './eligible.ts'
import { extend } from './extend.ts'
import { givenOf, type Inputs } from './given.ts'
import { isPlaced, placed, placedInputs } from './position.ts'

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
  if (rule.type === 'custom' || options.steps === 0 || whyStateComposed(rule, x) !== null) return null
  const composed = composedBy(rule)
  const runner = x.backend.runner!
  const given = options.inputs && runner.features.includes('given') ? givenOf(rule, x, options.inputs, options) : null
  if (options.inputs && !given) return null
  const { program, folded, inputsOf } = arrange(placed(rule), x, options.angle, given?.program)
  const run = runOf(key, program, options)
  // The inputs of the primitive: the state, the parameters by their paths, and the inputs of each step.
  const paths = Object.keys(paramShapes(rule)).filter(path => !path.startsWith('head.'))
  const tree = (list: readonly Tensor[]): DataParams => paramTree(paths, list)
  const split = (values: readonly Tensor[]): [Tensor[], Tensor[]] => [values.slice(0, paths.length), values.slice(paths.length)]
  /** The inputs of the program, without those of each step, from the state and the parameters; positions join the state. */
  const isWider = isPlaced(rule)
  function arranged([state, ...values]: readonly Tensor[]): Tensor[] {
    const inputs = isWider ? placedInputs(rule as DataRule, tree(values), state) : { x: state, params: tree(values) }
    return [inputs.x, ...inputsOf(inputs.params)]
  }

  return fused({
    name: 'rollout',
    constants: options.masks ?? [],
    forward([state, ...rest], keep) {
      const [values, written] = split(rest)
      const inputs = arranged([state, ...values])
      const states = options.readouts.map(() => emptyLike(inputs[0]))
      const history = runner.forward(program, [...inputs, ...written].map(handle), run, states.map(handle), keep)
      return { outputs: isWider ? states.map(y => takeChannels(y, 0, state.shape.at(-1)!)) : states, history }
    },
    backward([state, ...rest], history, cotangents, wanted) {
      const [values, written] = split(rest)
      const [made, pullback] = vjp(arranged, [state, ...values])
      const inputs = [...made, ...written]
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
    composed([state, ...rest]) {
      const [values, written] = split(rest)
      return composed(tree(values), state, given?.inputsOf(written[0]))
    },
  }, [x, ...paths.map(path => paramAt(params, path)!), ...(given ? [given.values] : [])])
}

/** The parameter at a dotted path, where there is one. */
function paramAt(params: DataParams, path: string): Tensor | undefined {
  return path.split('.').reduce<unknown>((node, name) => (node as Record<string, unknown> | undefined)?.[name], params) as
    Tensor | undefined
}

/** Parameters from their paths and tensors. */
export function paramTree(paths: readonly string[], list: readonly Tensor[]): DataParams {
  const perceive: Record<string, Tensor>[] = []
  const networks: Record<string, Record<string, Tensor>> = { update: {} }
  paths.forEach((path, i) => {
    const [group, ...names] = path.split('.')
    if (group === 'perceive') (perceive[Number(names[0])] ??= {})[names[1]] = list[i]
    else (networks[group] ??= {})[names[0]] = list[i]
  })
  return { ...(perceive.length > 0 ? { perceive } : {}), ...networks } as unknown as DataParams
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
