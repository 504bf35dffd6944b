/**
 * Bounds: what keeps the channels of a sample within clamp or tanh after each step, and how that is undone.
 *
 * They change living cells that do not act, too. And whether a clamp has cut cannot be seen from its result, which may
 * lie at the bound by itself. So what all living cells were before it is in the log, behind the old values of those that
 * grew or died.
 */
import type { Band } from './layout.ts'
import type { Sample } from './sample.ts'

/** Bounds the state of a band, writes at `rows` what it was before, and returns the bytes of it. */
export function bind(s: Sample, band: Band, rows: number): number {
  const { job: { program: { bound }, layout: { cellBytes, keep, none } }, thread: { kernels: k }, team, planes } = s
  if (!bound) return 0
  const { x } = team.layout, cells = planes.listOf(band), count = planes.list('life', band)
  k.gather(x, cells, count, cellBytes, rows, cellBytes, none)
  k.bind(+bound.squash, x, cells, count, cellBytes, keep, bound.low, bound.high)
  return count * cellBytes
}

/** Undoes it, and takes what is owed, if anything is, through the bounds. */
export function unbind(s: Sample, band: Band, rows: number, owed: boolean): void {
  const { job: { program: { bound }, layout: { cellBytes, keep } }, thread: { kernels: k }, team, planes } = s
  const { x, g } = team.layout, cells = planes.listOf(band), count = planes.list('life', band)
  const { squash, low, high } = bound!
  if (owed) k.bindBack(+squash, g + band.shift, cells, count, cellBytes, keep, low, high, rows)
  k.put(x, cells, count, cellBytes, rows)
}
