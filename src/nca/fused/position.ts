/**
 * A rule whose cells know their position, rewritten without the perception `position`. Positions never change, so they become
 * frozen channels after the others. They are read through the filter `identity`, which is added if the rule has only other
 * filters, or through a convolution of one cell if it has no filters. All other weights of these channels are 0, and the layer
 * norm of attention leaves them out.
 */
import { concat } from '../../tensor/ops/concat.ts'
import { eye } from '../../tensor/ops/one-hot.ts'
import { pad } from '../../tensor/ops/pad-slice.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { mapTree } from '../../tensor/tree.ts'
import { conv } from '../perceptions/conv.ts'
import { isLearned, kindOf, type Learned } from '../perceptions/kinds.ts'
import { channelCount } from '../rule/channels.ts'
import { partSize } from '../rule/parameters.ts'
import type { DataParams, DataRule, Perception } from '../rule/types.ts'
import { learnedIn, rowsBy, type Reading } from './rows.ts'
import { isDeformable } from './sight.ts'

/** The role of these channels; no rule can have one of this name. */
const place = ''

/** The rule with positions in channels, or the rule itself where it has none. */
export function placed(rule: DataRule): DataRule {
  if (!isPlaced(rule)) return rule
  const { channels, frozen, perceive } = rule, n = numbersOf(rule)
  const reads = filtersOf(rule) === 0 ? [conv(n, { size: 1 })] : perceive.includes('identity') ? [] : ['identity' as const]
  return {
    ...rule, channels: { ...channels, [place]: n }, frozen: [...frozen, place],
    perceive: [...perceive.filter(part => !isPosition(part)), ...reads],
  }
}

/** How many channels of a rule do not hold positions. */
export const ownChannels = ({ channels }: DataRule): number => channelCount(channels) - (channels[place] ?? 0)

/** Whether `placed` changes a rule. */
const isPlaced = ({ perceive }: DataRule): boolean => perceive.some(isPosition)

/** The state with the positions of its cells appended. */
export function placedState(rule: DataRule, params: DataParams, x: Tensor): Tensor {
  const how = { padding: rule.padding }
  const seen = learnedIn(rule, params).flatMap(({ part, own }) => (isPosition(part) ? kindOf(part).perceive!(part, own, x, how) : []))
  return seen.length === 0 ? x : concat([x, ...seen])
}

/** The parameters of the rewritten rule. */
export function placedParams(rule: DataRule, params: DataParams): DataParams {
  if (!isPlaced(rule)) return params
  const { w1, b1, ...further } = params.update, [w, b] = readingPlaced(rule, params, [w1, b1])
  return { ...params, perceive: perceiveOf(rule, params), update: { ...further, w1: w, b1: b } }
}

/** The weights of the perception with zeros for the new channels, and the convolution that reads these channels. */
function perceiveOf(rule: DataRule, params: DataParams): NonNullable<DataParams['perceive']> {
  const channels = channelCount(rule.channels), more = numbersOf(rule)
  const wider = (t: Tensor, axis: number): Tensor => pad(t, t.shape.map((_, i) => [0, i === axis ? more : 0]))
  /** The channel axis of each parameter that has one. */
  const axes: Readonly<Record<string, number>> = {
    kernel: rule.grid, k1: rule.grid, offsets: rule.grid, skip: 0, scale: 0, shift: 0, query: 0, key: 0, value: 0,
  }
  const others = learnedIn(rule, params).filter(({ part }) => !isPosition(part)).map(({ part, own }) => {
    const apart = isDeformable(part) ? { ...own, kernel: reshape(own.kernel, [part.size, part.size, channels, part.outputs]) } : own
    return mapTree(apart, (t, name) => (axes[name] === undefined ? t : wider(t as Tensor, axes[name])))
  })
  if (filtersOf(rule) > 0) return others
  const rows = pad(eye(more, { like: params.update.w1 }), [[channels, 0], [0, 0]])
  return [...others, { kernel: reshape(rows, [...new Array<number>(rule.grid).fill(1), channels + more, more]) }]
}

/** Weights and bias of a layer that reads what the rule perceives, rewritten to read what the placed rule perceives. */
export function readingPlaced(rule: DataRule, params: DataParams, [w, b]: Reading): Reading {
  if (!isPlaced(rule)) return [w, b]
  const { filtered, parts } = rowsBy(rule, params, w), n = w.shape[1]
  const [places, others] = [true, false].map(are => parts.filter(({ part }) => isPosition(part) === are).map(({ rows }) => rows))
  if (!filtered) return [concat([...others, ...places], 0), b]
  const filters = filtersOf(rule), identity = identityOf(rule), all = Math.max(filters, identity + 1)
  const own = pad(reshape(filtered, [-1, filters, n]), [[0, 0], [0, all - filters], [0, 0]])
  const further = pad(reshape(concat(places, 0), [-1, 1, n]), [[0, 0], [identity, all - identity - 1], [0, 0]])
  return [concat([reshape(concat([own, further], 0), [-1, n]), ...others], 0), b]
}

const isPosition = (part: Perception): part is Extract<Learned, { type: 'position' }> => isLearned(part) && part.type === 'position'

/** How many numbers the positions of a cell are. */
const numbersOf = (rule: DataRule): number =>
  rule.perceive.filter(isPosition).reduce((sum, part) => sum + partSize(rule, part), 0)

/** Through how many filters a part sees each channel. */
const filtersIn = (part: Perception): number => (!isLearned(part) ? 1 : part.type === 'depthwise' ? part.filters : 0)

const filtersOf = ({ perceive }: DataRule): number => perceive.reduce((sum, part) => sum + filtersIn(part), 0)

/** The index of the filter `identity`; the number of filters where it is not among them. */
function identityOf({ perceive }: DataRule): number {
  const at = perceive.indexOf('identity')
  return filtersOf({ perceive: at < 0 ? perceive : perceive.slice(0, at) } as DataRule)
}
