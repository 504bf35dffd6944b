/**
 * Inputs: channels of all cells that are written before each step (`inputs` in `RolloutOptions`; `given` in a program).
 *
 * Undoing that needs no log, since every step writes the same channels: during a step they hold what it wrote. In these channels
 * dead cells need not be zero, so every cell counts as one that may have to be erased. The cotangent of the inputs is the
 * cotangent of the state in these channels; it goes no further back.
 */
import type { Band } from './layout.ts'
import type { Sample } from './sample.ts'

/** Writes the inputs of step t into a band: before the step or, if its log does not have all cells (noise.ts), to undo it. */
export function give(s: Sample, t: number, band: Band): void {
  const { job: { layout, program }, team } = s
  if (program.given) s.thread.kernels.give(team.layout.x, ...placeOf(s, t, band, layout.given, 1))
}

/** Moves the cotangent of these inputs out of that of a band's state. */
export function take(s: Sample, t: number, band: Band): void {
  const { job: { layout, program }, team } = s
  const places = program.given?.perCell ? 1 : layout.bands.length
  if (program.given) s.thread.kernels.take(team.layout.g + band.shift, ...placeOf(s, t, band, layout.owed, places))
}

type Place = [
  rowsAt: number, cellBytes: number, first: number, last: number, width: number, values: number, stride: number,
  channels: number, count: number,
]

/** Where the numbers of a band are in an array `[steps,b,n]`, with `places` places for each sample, or `[steps,b,h,w,n]`. */
function placeOf({ job: { layout, program }, number }: Sample, t: number, band: Band, array: number, places: number): Place {
  const { batch, depth, height, width } = program, { perCell, channels: { length } } = program.given!
  const row = 4 * length, sample = t * batch + number
  const at = perCell ? (sample * depth * height + band.first) * width : sample * places + (places > 1 ? layout.bands.indexOf(band) : 0)
  return [
    layout.rowsAt, layout.cellBytes, band.first, band.last, width, array + at * row, perCell ? row : 0, layout.givenChannels,
    length,
  ]
}
