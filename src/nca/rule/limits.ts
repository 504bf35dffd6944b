/**
 * How large the numbers of a rule may be.
 *
 * A rule comes from a file as often as from a program, and a few digits in it decide how much memory is asked for. So
 * each number has an upper bound that is judged before anything is allocated, far above what any published automaton
 * has (the largest we know of has 128 channels and 512 units).
 */
import { check, isWhole } from '../../backends/options.ts'

/** The most that a rule may have of each. */
export const most = {
  /** Channels of a cell, all roles together. */
  channels: 4096,
  /** Parts of a perception. */
  parts: 256,
  /** Hidden layers of a network. */
  layers: 256,
  /** Units of a layer, outputs of a part, filters per channel, heads, keys. */
  units: 65_536,
  /** Cells from one end of a window to the other, the gaps of a dilation among them. */
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

/** Throws unless a window's side is an odd number. */
export function checkSize(where: string, path: string, size: number): void {
  check(isWhole(size, 1) && size % 2 === 1, where, `${path}size`, size, 'an odd number > 0')
  checkMost(where, `${path}size`, size, most.window)
}

/** Throws unless taps can stand so far apart: it is the window that they span which costs memory. */
export function checkDilation(where: string, path: string, size: number, dilation: number): void {
  check(isWhole(dilation, 1), where, `${path}dilation`, dilation, 'a whole number > 0')
  const widest = Math.floor((most.window - 1) / Math.max(1, size - 1))
  check(
    dilation <= widest, where, `${path}dilation`, dilation,
    `at most ${widest}, for a window of at most ${most.window} cells`,
  )
}

/** Throws unless this is a number of outputs, filters, heads and the like. */
export function checkUnits(where: string, name: string, n: number, least: 0 | 1 = 1): void {
  check(isWhole(n, least), where, name, n, least === 0 ? 'a whole number ≥ 0' : 'a whole number > 0')
  checkMost(where, name, n, most.units)
}
