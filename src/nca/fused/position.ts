/**
 * A rule whose cells know their position, rewritten without the perception `position`. Positions never change, so they become
 * frozen channels after the others. The network reads them through the filter `identity`, which is added if the rule has
 * only other filters, or through a convolution of one cell if it has no filters. All other weights of these channels are 0,
 * and the layer norm of attention leaves them out.
 */
import { concat } from '../../tensor/ops/concat.ts'
import { eye } from '../../tensor/ops/one-hot.ts'
import { pad, slice } from '../../tensor/ops/pad-slice.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { mapTree } from '../../tensor/tree.ts'
import { hasNorm } from '../mlp.ts'
import { conv } from '../perceptions/conv.ts'
import { isLearned, kindOf, type Learned } from '../perceptions/kinds.ts'
import { channelCount } from '../rule/channels.ts'
import { partSize } from '../rule/parameters.ts'
import type { DataParams, DataRule, Perception } from '../rule/types.ts'

/** The role of these channels; no rule can have one of this name. */
const place = ''

/** The rule with positions in channels, or the rule itself where it has none, or parts for which this is not done. */
export function placed(rule: DataRule): DataRule {
  if (!isPlaced(rule)) return rule
  const { channels, frozen, perceive } = rule
  const others = perceive.filter(part => !isPosition(part))
  return {
    ...rule, channels: { ...channels, [place]: numbersOf(rule) }, frozen: [...frozen, place],
    perceive: filtersOf(rule) === 0 ? perceive.map(part => (isPosition(part) ? conv(partSize(rule, part), { size: 1 }) : part))
      : identityOf(rule) < filtersOf(rule) ? others : [...others, 'identity'],
  }
}

/** How many channels of a rule do not hold positions. */
export const ownChannels = ({ channels }: DataRule): number => channelCount(channels) - (channels[place] ?? 0)

/** Whether `placed` changes a rule. */
export function isPlaced(rule: DataRule): boolean {
  const known = ['depthwise', 'conv', 'residualConv', 'attention', 'position']
  const sums = rule.perceive.every(part => !isLearned(part) || known.includes(part.type))
  // A residual first layer would also add what filters make of these channels, and a norm would include it.
  const alone = filtersOf(rule) === 0 || (!rule.update.residual && !hasNorm(rule.update, 0))
  return sums && rule.perceive.some(isPosition) && alone
}

/** The state with the positions of its cells appended, and the parameters of the rewritten rule. */
export function placedInputs(rule: DataRule, params: DataParams, x: Tensor): { x: Tensor; params: DataParams } {
  const learned = rule.perceive.filter(isLearned), how = { padding: rule.padding }
  const seen = learned.flatMap((part, i) => (isPosition(part) ? kindOf(part).perceive!(part, params.perceive![i], x, how) : []))
  return { x: concat([x, ...seen]), params: { ...params, perceive: perceiveOf(rule, params, x), update: updateOf(rule, params) } }
}

/** The weights of the perception with zeros for the new channels, and the convolution that reads these channels. */
function perceiveOf(rule: DataRule, params: DataParams, like: Tensor): NonNullable<DataParams['perceive']> {
  const channels = channelCount(rule.channels), more = numbersOf(rule)
  const wider = (t: Tensor, axis: number): Tensor => pad(t, t.shape.map((_, i) => [0, i === axis ? more : 0]))
  /** The channel axis of each parameter that has one. */
  const axes: Readonly<Record<string, number>> = { kernel: rule.grid, k1: rule.grid, skip: 0, scale: 0, shift: 0, query: 0, key: 0, value: 0 }
  let before = 0
  return rule.perceive.filter(isLearned).flatMap((part, i): Readonly<Record<string, Tensor>>[] => {
    const own = params.perceive![i]
    if (!isPosition(part)) return [mapTree(own, (t, name) => (axes[name] === undefined ? t : wider(t as Tensor, axes[name])))]
    const n = partSize(rule, part)
    before += n
    if (filtersOf(rule) > 0) return []
    const rows = pad(eye(n, { like }), [[channels + before - n, more - before], [0, 0]])
    return [{ kernel: reshape(rows, [...new Array<number>(rule.grid).fill(1), channels + more, n]) }]
  })
}

/** The network, its first layer rewritten to read positions where `identity` puts the new channels. */
function updateOf(rule: DataRule, { update }: DataParams): DataParams['update'] {
  const filters = filtersOf(rule)
  if (filters === 0) return update
  const identity = identityOf(rule), all = Math.max(filters, identity + 1)
  const channels = channelCount(rule.channels), n = update.w1.shape[1]
  let row = channels * filters
  const filtered = reshape(slice(update.w1, [0, 0], [row, n]), [channels, filters, n])
  const [seen, places] = [[pad(filtered, [[0, 0], [0, all - filters], [0, 0]])], []] as Tensor[][]
  for (const part of rule.perceive.filter(part => isLearned(part) && part.type !== 'depthwise')) {
    const rows = slice(update.w1, [row, 0], [partSize(rule, part), n])
    row += partSize(rule, part)
    if (!isPosition(part)) places.push(rows)
    else seen.push(pad(reshape(rows, [-1, 1, n]), [[0, 0], [identity, all - identity - 1], [0, 0]]))
  }
  return { ...update, w1: concat([reshape(concat(seen, 0), [-1, n]), ...places], 0) }
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
