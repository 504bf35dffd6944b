/**
 * Bands of rows, and the cells at their borders.
 *
 * The rows of a volume are numbered through, slice after slice; a plane has one slice. A sample is cut into bands of rows.
 * Their number depends only on the batch, never on the number of threads. Weight gradients are summed per sample and band,
 * and then in order, so that results are the same bits for any number of threads.
 *
 * Filters read beyond the grid, so a state has a ring around it, whose cells repeat cells of the grid (or are zero).
 * Backward, each band adds to a cotangent of its own, which extends beyond the band on every side by a halo. The halo is then
 * added to the cells that it represents, of whatever band.
 */
import type { Box } from '../program.ts'
import { wrap, type Padding } from '../window.ts'

/** A grid in memory. */
export type GridMemory = {
  readonly size: Box
  readonly padding: Padding
  /** The reach of the filters along each axis, in cells: the width of the ring. */
  readonly reach: Box
  /** Bytes from one slice, row and cell to the next. */
  readonly strides: Box
}

/** The byte offset of a cell of the grid or of the ring around it. */
export function offsetIn({ reach, strides }: GridMemory, place: Box): number {
  return place.reduce((sum, at, axis) => sum + (at + reach[axis]) * strides[axis], 0)
}

/** The rows of a band, and the offsets at its borders. */
export type Border = {
  readonly first: number
  readonly last: number
  /** Added to the offset of a cell in a state, it gives the offset of the same cell in this band's part of the cotangent. */
  readonly shift: number
  /** The offset of that part in the cotangent, with its halo, and its bytes. */
  readonly part: number
  readonly partBytes: number
  /** Pairs of offsets: cells of the ring that mirror cells of this band. */
  readonly ring: number[]
  /** Cells of its cotangent that represent cells of other bands or across the border, to be cleared in each step. */
  readonly halo: number[]
  /** Pairs of offsets in the cotangent: what those of all bands add to cells of this band. */
  readonly fold: number[]
}

/** The bands of a grid in a batch of `batch` samples, a single one if `whole`, and the bytes of the cotangent of all of them. */
export function bordersOf(batch: number, grid: GridMemory, whole: boolean): { bands: Border[]; cotangentBytes: number } {
  const [depth, height, width] = grid.size
  const rows = depth * height, cuts = whole ? [0] : bandCuts(batch, rows)
  const slice = Math.max(1, height) // a grid without rows has one empty band
  const offset = (row: number, x: number): number => offsetIn(grid, [Math.floor(row / slice), row % slice, x])
  const before = offset(0, 0)
  let cotangentBytes = 0
  const bands = cuts.map((first, i): Border => {
    const last = cuts[i + 1] ?? rows
    const part = cotangentBytes, partBytes = offset(last - 1, width) - offset(first, 0) + 2 * before
    cotangentBytes += partBytes
    return { first, last, shift: part + before - offset(first, 0), part, partBytes, ring: [], halo: [], fold: [] }
  })
  const bandOf = (row: number): Border => bands.findLast(({ first }) => first <= row)!
  around(grid, 0, rows, (at, row, x) => bandOf(row).ring.push(at, offset(row, x)))
  for (const { first, last, shift, halo } of bands) {
    around(grid, first, last, (at, row, x) => {
      const owner = bandOf(row)
      halo.push(at + shift)
      owner.fold.push(offset(row, x) + owner.shift, at + shift)
    })
  }
  return { bands, cotangentBytes }
}

/** First rows of the bands. Samples of small batches are cut into more bands, so that many threads can share a sample. */
function bandCuts(batch: number, rows: number): number[] {
  const bands = Math.max(1, Math.min(Math.ceil(16 / batch), Math.floor(rows / 8)))
  return Array.from({ length: bands }, (_, i) => Math.floor(i * rows / bands))
}

/**
 * Visits the cells around rows first … last − 1, within the reach of the filters, that represent a cell of the grid: their
 * offset, and the row of that cell and its place in the row.
 */
function around(
  grid: GridMemory, first: number, last: number, visit: (offset: number, row: number, x: number) => void,
): void {
  const { size: [depth, height, width], padding, reach: [deep, high, wide] } = grid
  const lines = height + 2 * high, near = new Set<number>()
  for (let row = first; row < last; row++) {
    for (let dz = 0; dz <= 2 * deep; dz++) {
      for (let dy = 0; dy <= 2 * high; dy++) near.add((Math.floor(row / height) + dz) * lines + row % height + dy)
    }
  }
  const sides = [[-wide, 0], [width, width + wide]], all = [[-wide, width + wide]]
  for (const line of [...near].sort((a, b) => a - b)) {
    const z = Math.floor(line / lines) - deep, y = line % lines - high
    const sourceZ = wrap(z, depth, padding), sourceY = wrap(y, height, padding), row = sourceZ * height + sourceY
    if (sourceZ < 0 || sourceY < 0) continue
    const isOwn = z === sourceZ && y === sourceY && row >= first && row < last
    for (const [from, to] of isOwn ? sides : all) {
      for (let x = from; x < to; x++) {
        const sourceX = wrap(x, width, padding)
        if (sourceX >= 0) visit(offsetIn(grid, [z, y, x]), row, sourceX)
      }
    }
  }
}
