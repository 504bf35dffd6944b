/**
 * Names for the numbers that a cell perceives, as labels for weights, histograms and saliencies.
 */
import { isLearned, kindOf } from './perceptions/kinds.ts'
import { channelCount } from './rule/channels.ts'
import type { Channels, DataRule } from './rule/types.ts'

/**
 * The name of each number that a cell perceives, in the layout of `perceptionSize`: channel · filter, then the outputs
 * of the other learned parts. Channels of `rgba` and `rgb` are called r, g, b, a; those of another role are called by the role,
 * numbered from 0 where it has several. A learned filter is `depthwise`; parts of one type are numbered where there are
 * several.
 *
 * @param names other names of channels by role, see `channelNames`
 * @returns `perceptionSize(rule)` names
 * @example perceptionNames(growingRule)   // ['r·identity', 'r·sobelX', 'r·sobelY', 'g·identity', …, 'hidden.11·sobelY']
 * @example const [name] = perceptionNames(rule).filter((_, i) => i === strongest)
 */
export function perceptionNames(rule: Pick<DataRule, 'channels' | 'perceive'>, names: RoleNames = {}): string[] {
  const { channels, perceive } = rule
  const count = (type: string, list: readonly unknown[]): number =>
    list.filter(part => isLearned(part) && part.type === type).length
  const filters: string[] = []
  const others: string[] = []
  perceive.forEach((part, i) => {
    if (!isLearned(part)) return filters.push(typeof part === 'string' ? part : part.name)
    const name = count(part.type, perceive) > 1 ? `${part.type}.${count(part.type, perceive.slice(0, i))}` : part.type
    const { outputs, perceive: computes } = kindOf(part)
    if (!computes) return filters.push(...numbered(outputs(part, 1), n => `${name}.${n}`))
    return others.push(...numbered(outputs(part, channelCount(channels)), n => `${name}·${n}`))
  })
  return [...channelNames(channels, names).flatMap(channel => filters.map(filter => `${channel}·${filter}`)), ...others]
}

function numbered(n: number, name: (i: number) => string): string[] {
  return Array.from({ length: n }, (_, i) => name(i))
}

/** Names of channels by role, in their order. */
export type RoleNames = Readonly<Record<string, readonly string[]>>

const letters: RoleNames = { rgba: ['r', 'g', 'b', 'a'], rgb: ['r', 'g', 'b'] }

/**
 * The name of each channel: r, g, b, a for `rgba` and `rgb`, and for other roles the role, numbered from 0 where it has
 * several.
 *
 * @param names other names by role, like `roleNames(model)`; ignored for a role with a different number of channels
 * @example channelNames({ rgba: 4, hidden: 12 })   // ['r', 'g', 'b', 'a', 'hidden.0', …, 'hidden.11']
 * @example channelNames({ image: 1, classes: 2 }, { classes: ['cat', 'dog'] })   // ['image', 'cat', 'dog']
 */
export function channelNames(channels: Channels, names: RoleNames = {}): string[] {
  const all: RoleNames = { ...letters, ...names }
  return Object.entries(channels).flatMap(([role, n]) =>
    (all[role]?.length === n ? all[role] : n === 1 ? [role] : numbered(n, i => `${role}.${i}`)))
}
