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
import { givenOf, type Inputs } from './given.ts'
import { isPlaced, placed, placedInputs } from './position.ts'

/** How a rollout is to be run; see RolloutOptions. */
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
 * All that it is given has been checked (`run-options.ts`).
 *
 * @param x `[b,h,w,c]`
 * @param composedBy the same rollout of a rule out of operators
 */
export function fusedRollout(
  rule: Rule, params: DataParams, x: Tensor, key: Key, options: FusedOptions,
  composedBy: (rule: DataRule) => (params: DataParams, x: Tensor, inputs: Inputs | undefined) => Tensor[],
): Tensor[] | null {
  if (rule.type === 'custom' || options.steps === 0 || whyStateComposed(rule, x) !== null) return null
  if (isPlaced(rule)) {
    const inputs = placedInputs(rule, params, x)
    const states = fusedRollout(placed(rule), inputs.params, inputs.x, key, options, composedBy)
    return states && states.map(y => takeChannels(y, 0, x.shape.at(-1)!))
  }
  const composed = composedBy(rule)
  const runner = x.backend.runner!
  const given = options.inputs && runner.features.includes('given') ? givenOf(rule, x, options.inputs, options) : null
  if (options.inputs && !given) return null
  const { program, folded, inputsOf } = arrange(rule, x, options.angle, given?.program)
  const run = runOf(key, program, options)
  // The inputs of the primitive: the state, the parameters by their paths, and what is given before each step.
  const paths = Object.keys(paramShapes(rule)).filter(path => !path.startsWith('head.'))
  const tree = (list: readonly Tensor[]): DataParams => paramTree(paths, list)
  const split = (values: readonly Tensor[]): [Tensor[], Tensor[]] => [values.slice(0, paths.length), values.slice(paths.length)]
  const arranged = (list: readonly Tensor[]): Tensor[] => inputsOf(tree(list))

  return fused({
    name: 'rollout',
    constants: options.masks ?? [],
    forward([state, ...rest], keep) {
      const outputs = options.readouts.map(() => emptyLike(state))
      const [values, written] = split(rest)
      const inputs = [state, ...arranged(values), ...written].map(handle)
      const history = runner.forward(program, inputs, run, outputs.map(handle), keep)
      return { outputs, history }
    },
    backward([state, ...rest], history, cotangents, wanted) {
      const [values, written] = split(rest)
      const [others, pullback] = vjp(arranged, values)
      const inputs = [state, ...others, ...written]
      const gradients = inputs.map((t, i) => (i !== 0 || wanted[0] ? emptyLike(t) : null))
      runner.backward(
        program, inputs.map(handle), run, history, cotangents.map(g => g && handle(g)),
        gradients.map(g => g && handle(g)),
      )
      const gWritten = gradients.splice(1 + others.length)
      const [gState, ...gOthers] = gradients as [Tensor | null, ...Tensor[]]
      const owed = pullback(gOthers)
      if (!folded) return [gState, ...owed, ...gWritten]
      // A parameter that is NaN and folded into another makes NaN of what is owed to that, also where no cell acted.
      const acted = gOthers.map(g => any(g)).reduce(or)
      return [gState, ...owed.map(g => where(acted, g, 0)), ...gWritten]
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
