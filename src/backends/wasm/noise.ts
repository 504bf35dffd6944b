/**
 * Noise on the changes of cells, or on the state before each step.
 *
 * Its numbers follow from their place, so that a step that is run again has the same; it is a constant, and owes nothing to
 * the derivative. Noise on the state is in all cells, dead ones too, of which every one counts as one that may have to be
 * erased then. A sum cannot be undone to the last bit, so the log of a step has all cells: behind the old values of those
 * that grew or died those of the others.
 */
import type { Band } from './layout.ts'
import type { Sample } from './sample.ts'

/** Adds the noise of step t to the changes, in `rows`, of the cells of a plane. */
export function disturbChanges(s: Sample, t: number, changed: 'act' | 'ring', band: Band, rows: number): void {
  if (s.job.program.noise?.on === 'change') disturb(s, t, changed, band, { rowsAt: 0, x: rows, stride: s.job.layout.changeStride })
}

/** Adds the noise of step t to all cells of a band. */
export function disturbState(s: Sample, t: number, band: Band): void {
  const { rowsAt, cellBytes } = s.job.layout
  if (s.job.program.noise?.on === 'state') disturb(s, t, 'ones', band, { rowsAt, x: s.team.layout.x, stride: cellBytes })
}

function disturb(
  { job, thread, team, number }: Sample, t: number, cells: 'act' | 'ring' | 'ones', band: Band,
  { rowsAt, x, stride }: { rowsAt: number; x: number; stride: number },
): void {
  const { program: { noise, depth, height, width, updated }, layout: { words, cellBytes, keep, erfinv }, noiseKeys } = job
  const own = updated.length
  thread.kernels.disturb(team.layout.planes[cells], band.first, band.last, width, words, rowsAt, x, stride, cellBytes, keep,
    own, noiseKeys![2 * t], noiseKeys![2 * t + 1], number * depth * height * width * own, noise!.std, erfinv)
}

/** Writes, at `rows`, the living cells that did not act, where there is noise on the state. Returns the bytes of it. */
export function noteOthers(s: Sample, band: Band, rows: number): number {
  const { job: { layout: { cellBytes, none } }, thread: { kernels: k }, team, planes } = s
  const count = listOthers(s, band)
  k.gather(team.layout.x, planes.listOf(band), count, cellBytes, rows, cellBytes, none)
  return count * cellBytes
}

/** Lists them, where there is noise on the state; returns how many. */
export function listOthers({ job, planes }: Sample, band: Band): number {
  if (job.program.noise?.on !== 'state') return 0
  planes.andNot('grow', 'life', 'act', band)
  return planes.list('grow', band)
}
