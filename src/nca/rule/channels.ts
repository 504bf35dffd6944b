/**
 * The channels of a cell, named by role: `{ rgba: 4, hidden: 12 }` are the channels 0 … 3 and 4 … 15.
 */
import { checkKind, oneOfNames } from '../../backends/options.ts'
import type { Channels, DataRule } from './types.ts'

/** The number of channels of a cell. */
export function channelCount(channels: Channels): number {
  return Object.values(channels).reduce((sum, n) => sum + n, 0)
}

/**
 * The channels that change, those whose role is not frozen, in order: the outputs of the update.
 *
 * @example updatedChannels({ channels: { rgb: 3, goal: 2, hidden: 2 }, frozen: ['goal'] })   // [0, 1, 2, 5, 6]
 */
export function updatedChannels({ channels, frozen }: Pick<DataRule, 'channels' | 'frozen'>): readonly number[] {
  let end = 0
  return Object.entries(channels).flatMap(([role, n]) => {
    const start = (end += n) - n
    return frozen.includes(role) ? [] : Array.from({ length: n }, (_, i) => start + i)
  })
}

/** The first channel of a role, and the one after its last. */
export function roleChannels(channels: Channels, role: string): readonly [number, number] {
  const roles = Object.keys(channels)
  checkKind('rule', 'the role', role, oneOfNames(roles))
  const before = Object.values(channels).slice(0, roles.indexOf(role))
  const from = before.reduce((sum, n) => sum + n, 0)
  return [from, from + channels[role]]
}
