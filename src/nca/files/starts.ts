/**
 * First states: how the rollouts of a model begin. By default that is one living cell. For a rule with a condition, a coloured
 * seed or an input, the model's file can hold k examples, by role:
 *
 *   [k,n]       the same numbers in every cell if the role is frozen (a condition), else in the living cell only (a coloured seed)
 *   [k,h,w,n]   numbers for each cell: an image, frames, latents. Then there is no living cell, and all other channels are zero
 */
import { check, isWhole } from '../../backends/options.ts'
import { zeros } from '../../tensor/ops/create.ts'
import { gather } from '../../tensor/ops/gather.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { channelCount, roleChannels } from '../rule/channels.ts'
import type { Channels, DataRule } from '../rule/types.ts'
import { seed, setChannels } from '../state.ts'
import { checkTensors, tensorsIn } from '../training/check-state.ts'
import type { Model } from './model-file.ts'

/** Examples by role, `[k,n]` or `[k,h,w,n]` of the n channels of each. */
export type Starts = Readonly<Record<string, Tensor>>

/** Throws unless these are examples for the rule: of its roles, equally many of each, on one grid, with the type and backend of a parameter. */
export function checkStarts(where: string, { channels, grid }: DataRule, starts: Starts, { dtype, backend }: Tensor): void {
  const given = tensorsIn(starts), count = [...given.values()][0]?.shape[0] ?? 0
  check(count > 0 && Object.keys(starts).length === given.size, where, 'starts', starts, 'tensors by role')
  const map = [...given.values()].find(x => x.shape.length > 2), cells = map ? map.shape.slice(1, -1) : []
  check(!map || cells.length === grid, where, 'starts', map, `one with ${grid} axes of cells`)
  checkTensors(where, 'starts', starts, new Map([...given].map(([role, x]) => {
    const [from, to] = roleChannels(channels, role)
    return [role, { shape: [count, ...(x.shape.length > 2 ? cells : []), to - from], dtype, backend }]
  })))
}

/** The first channel that is 1 in the seed's living cell: alpha, or the first of a rule without alpha. */
export function seedFrom({ channels }: { readonly channels: Channels }): number {
  return channelCount(channels) > 3 ? 3 : 0
}

/**
 * The first state of a model's example; if the model has none, one living cell.
 *
 * @param example its index, from 0
 * @param sizes cells along each axis of the grid, which an example with numbers for each cell overrides
 * @returns `[1,h,w,c]`, in volumes `[1,d,h,w,c]`, on lines `[1,w,c]`
 * @throws where there is no such example
 * @example const grown = rollout(model.rule, model.params, firstState(model, 3, [28, 28]), key(0), { steps: 40 })
 */
export function firstState(model: Pick<Model, 'rule' | 'params' | 'starts'>, example: number, sizes: readonly number[]): Tensor {
  const { rule, params, starts = {} } = model
  const [first] = Object.values(starts), count = first?.shape[0] ?? 1
  check(isWhole(example) && example < count, 'firstState', 'example', example, `a whole number from 0 to ${count - 1}`)
  const own = Object.entries(starts).map(([role, x]) => [role, gather(x, [example], 0)] as const)
  const map = own.find(([, x]) => x.shape.length > 2)?.[1], like = params.update.w1
  if (map) {
    const empty = zeros([1, ...map.shape.slice(1, -1), channelCount(rule.channels)], { like })
    return setChannels(rule, empty, Object.fromEntries(own))
  }
  const [width, height, depth] = sizes.toReversed()
  const isFrozen = ([role]: readonly [string, Tensor]): boolean => rule.frozen.includes(role)
  const values = Object.fromEntries(own.filter(one => !isFrozen(one)))
  return setChannels(rule, seed(rule, { width, height, depth, from: seedFrom(rule), like, values }), Object.fromEntries(own.filter(isFrozen)))
}
