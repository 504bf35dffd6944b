/**
 * The parameters of a rule, those of its perception, its network and its head: their shapes and initial values.
 */
import { checkOptions } from '../../backends/options.ts'
import { checkKey, foldIn, split, type Key } from '../../tensor/key.ts'
import { ones, zeros } from '../../tensor/ops/create.ts'
import { normal, uniform } from '../../tensor/ops/random.ts'
import { placementOptions, type Placement, type Tensor } from '../../tensor/tensor.ts'
import { mlpParams, type MlpParams } from '../mlp.ts'
import type { ParamSpec } from '../perceptions/kind.ts'
import { isLearned, kindOf } from '../perceptions/kinds.ts'
import { channelCount, updatedChannels } from './channels.ts'
import type { DataParams, DataRule, Params, Perception, Rule } from './types.ts'

/**
 * How many numbers a cell perceives: c·F + Σ outputs, for c channels, F filters per channel (fixed and learned) and the
 * outputs of the other parts. They are laid out in this order, filter f of channel c0 at c0·F + f:
 *
 *   c0·f0, c0·f1, …, c1·f0, …, the outputs of the first other part, those of the second, …
 *
 * where f counts fixed and learned filters in the order of the rule's list.
 *
 * @example perceptionSize(growingRule)   // 48
 */
export function perceptionSize({ channels, perceive }: Pick<DataRule, 'channels' | 'perceive'>): number {
  return perceive.reduce((sum, part) => sum + partSize({ channels }, part), 0)
}

/** How many numbers a cell perceives by one part. */
export function partSize({ channels }: Pick<DataRule, 'channels'>, part: Perception): number {
  const c = channelCount(channels)
  return isLearned(part) ? kindOf(part).outputs(part, c) : c
}

/** The parameters of each learned part of the perception, in the order of the rule's list. */
export function perceptionParams({ grid, channels, perceive }: DataRule): Readonly<Record<string, ParamSpec>>[] {
  return perceive.filter(isLearned).map(part => kindOf(part).params(part, channelCount(channels), grid))
}

/** The parameters of the head, if there is one. */
function headParams(rule: DataRule): Readonly<Record<string, ParamSpec>> {
  return rule.head ? mlpParams(rule.head.network, updatedChannels(rule).length, rule.head.outputs) : {}
}

/** The shapes of a rule's parameters by their dotted paths. */
export function paramShapes(rule: DataRule): Readonly<Record<string, readonly number[]>> {
  const groups = [
    ...perceptionParams(rule).map((specs, i) => [`perceive.${i}`, specs] as const),
    ['update', mlpParams(rule.update, perceptionSize(rule), updatedChannels(rule).length)] as const,
    ['head', headParams(rule)] as const,
  ]
  return Object.fromEntries(groups.flatMap(([path, specs]) =>
    Object.entries(specs).map(([name, { shape }]) => [`${path}.${name}`, shape])))
}

/**
 * Initial parameters. Data rules follow Keras, as published: Glorot's uniform U(±√(6/(in + out))) for hidden layers and
 * for learned filters, zeros (or N(0, lastStd)) for the last layer, zero biases. A network may be initialised as in PyTorch
 * instead, see `mlp`.
 *
 * @returns for data rules a tree of tensors of `paramShapes`, see `DataParams`
 * @example const params = init(rule, key(0))
 */
export function init<R extends Rule>(rule: R, k: Key, placement: Placement = {}): Params<R> {
  checkOptions('init', placement, placementOptions)
  checkKey('init', k)
  if (rule.type === 'custom') return rule.init(k, placement) as Params<R>
  const [kFirst, kLast, kPerceive] = split(k, 3)
  const network = mlpParams(rule.update, perceptionSize(rule), updatedChannels(rule).length)
  const last = `w${rule.update.hidden.length + 1}`
  const kLayer = (name: string): Key =>
    (name === last ? kLast : name === 'w1' ? kFirst : foldIn(kFirst, Number(name.replace(/\D+/, '')) + (name[0] === 'b' ? biasKeys : 0)))
  const made = (specs: Readonly<Record<string, ParamSpec>>, keyOf: (name: string, j: number) => Key) =>
    Object.fromEntries(Object.entries(specs).map(([name, spec], j) => [name, first(spec, keyOf(name, j), placement)]))
  const perceive = perceptionParams(rule).map((specs, i) => {
    const kPart = foldIn(kPerceive, i)
    return made(specs, (_, j) => (j === 0 ? kPart : foldIn(kPart, j)))
  })
  return {
    ...(perceive.length > 0 ? { perceive } : {}),
    update: made(network, kLayer) as unknown as MlpParams,
    ...(rule.head && { head: made(headParams(rule), (_, j) => foldIn(foldIn(k, headKey), j)) as unknown as MlpParams }),
  } satisfies DataParams as DataParams as Params<R>
}

/** The number of the first bias key, after those of the weights, of which there are at most `most.layers`, 256. */
const biasKeys = 1000

/** The number of the head's key, after those into which the key of a rule is split. */
const headKey = 3

/** The initial value of a parameter. */
function first({ shape, init }: ParamSpec, k: Key, placement: Placement): Tensor {
  if (init === 'zeros') return zeros(shape, placement)
  if (init === 'ones') return ones(shape, placement)
  if ('std' in init) return normal(k, shape, { std: init.std, ...placement })
  const limit = 'limit' in init ? init.limit : Math.sqrt(6 / (init.glorot[0] + init.glorot[1]))
  return uniform(k, shape, { low: -limit, high: limit, ...placement })
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
