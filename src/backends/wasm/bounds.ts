/**
 * Bounds: clamp or tanh of the channels of a sample after each step, and how that is undone.
 *
 * Bounds change living cells that do not act, too, and dead cells if the bounds exclude 0. And the result of a clamp does not show
 * whether it has cut, since a value may lie exactly at the bound. So the log has the values of all these cells before the bounds,
 * after the old values of those that grew or died.
 */
import type { Band } from './layout.ts'
import type { Sample } from './sample.ts'

/** Bounds the state of a band, writes its values before that to `rows`, and returns their bytes. */
export function bind(s: Sample, band: Band, rows: number): number {
  const { job: { program: { bound }, layout: { cellBytes, keep, none } }, thread: { kernels: k }, team, planes } = s
  if (!bound) return 0
  const { x } = team.layout, cells = planes.listOf(band), count = planes.list(bound.all ? 'ones' : 'life', band)
  k.gather(x, cells, count, cellBytes, rows, cellBytes, none)
  k.bind(+bound.squash, x, cells, count, cellBytes, keep, bound.low, bound.high)
  return count * cellBytes
}

/** Undoes that and, with `owed`, takes the cotangent through the bounds. */
export function unbind(s: Sample, band: Band, rows: number, owed: boolean): void {
  const { job: { program: { bound }, layout: { cellBytes, keep } }, thread: { kernels: k }, team, planes } = s
  const { squash, low, high, all } = bound!
  const { x, g } = team.layout, cells = planes.listOf(band), count = planes.list(all ? 'ones' : 'life', band)
  if (owed) k.bindBack(+squash, g + band.shift, cells, count, cellBytes, keep, low, high, rows)
  k.put(x, cells, count, cellBytes, rows)
}
