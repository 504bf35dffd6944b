/**
 * How large the numbers of a rule may be.
 *
 * A rule comes from a file as often as from a program, and a few digits in it decide how much memory it needs. So each
 * number has an upper bound, checked before anything is allocated and far above what any published automaton has (the
 * largest we know of has 128 channels and 512 units).
 */
import { check, isWhole, wholeFrom, type Kind } from '../../backends/options.ts'
import { either, list, type Expect, type Field } from '../../backends/fields.ts'
import type { WindowSize } from '../perceptions/kind.ts'

/** The largest numbers that a rule may have. */
export const most = {
  /** Channels of a cell, all roles together. */
  channels: 4096,
  /** Parts of a perception. */
  parts: 256,
  /** Hidden layers of a network. */
  layers: 256,
  /** Units of a layer, outputs of a part, filters per channel, heads, keys. */
  units: 65_536,
  /** Cells from one end of a window to the other, including the gaps of a dilation. */
  window: 127,
  /** Parameters in all: 256 MiB in float32. */
  parameters: 67_108_864,
  /** Numbers of a state, 2^30: 4 GiB in float32. */
  state: 1_073_741_824,
} as const

/** Throws where a number is larger than a rule's may be. */
export function checkMost(where: string, name: string, n: number, largest: number): void {
  check(n <= largest, where, name, n, `at most ${largest}`)
}

/** A number of outputs, filters, heads and the like. */
export const units: Kind = wholeFrom(1, most.units)

/** A window's side. */
export const oddSize: Kind = {
  fits: x => isWhole(x, 1) && x % 2 === 1 && x <= most.window,
  expected: `an odd number from 1 to ${most.window}`,
  json: { type: 'integer', minimum: 1, maximum: most.window, not: { multipleOf: 2 } },
}

/** The sides of a window: one number for all, or one for each axis. */
export const oddSizes: Field<WindowSize> = either(oddSize, list<number>(oddSize, 'odd numbers, one for each axis', 1, 3))

/** Expects a dilation with which the taps do not span too large a window, since a window costs memory. */
export function expectDilation({ size, dilation }: { size: WindowSize; dilation: number }, expect: Expect): void {
  const widest = Math.floor((most.window - 1) / Math.max(1, ...[size].flat().map(taps => taps - 1)))
  expect(
    dilation <= widest, ['dilation'], dilation, `at most ${widest}, for a window of at most ${most.window} cells`,
  )
}
