/**
 * Noise on the changes of cells, or on the state before each step.
 *
 * Its numbers depend only on their place, so that a step that is run again has the same noise; it is a constant for the
 * derivative. Noise on the state is in all cells, even dead ones, so every cell counts as one that may have to be erased.
 * Subtracting the noise would not restore the last bits, so the log of a step has all cells: after the old values of those that
 * grew or died, those of the others.
 */
import type { Band } from './layout.ts'
import type { Sample } from './sample.ts'

/** Adds the noise of step t to the changes, given in `rows`, of the cells of a plane. */
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

/** If there is noise on the state, writes the living cells that did not act to `rows`. Returns their bytes. */
export function noteOthers(s: Sample, band: Band, rows: number): number {
  const { job: { layout: { cellBytes, none } }, thread: { kernels: k }, team, planes } = s
  const count = listOthers(s, band)
  k.gather(team.layout.x, planes.listOf(band), count, cellBytes, rows, cellBytes, none)
  return count * cellBytes
}

/** If there is noise on the state, lists the living cells that did not act. Returns their number. */
export function listOthers({ job, planes }: Sample, band: Band): number {
  if (job.program.noise?.on !== 'state') return 0
  planes.andNot('grow', 'life', 'act', band)
  return planes.list('grow', band)
}
