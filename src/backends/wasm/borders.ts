/**
 * Bands of rows, and the cells at their borders.
 *
 * A sample is cut into bands of rows. How many depends on the batch only, never on the number of threads: weight
 * gradients are summed per sample and band, then in order, so that results are the same bits for any number of threads.
 *
 * Filters read beyond the grid, so a state has a ring around it, whose cells repeat cells of the grid (or are zero).
 * Backward, each band adds to a cotangent of its own, which reaches beyond the band on every side: its halo. What has
 * gathered in the halo is then folded back onto the cells that it stands for, of whatever band.
 */
import { wrap, type Padding } from '../window.ts'

/** A grid in memory: `origin` is the offset of cell (0, 0), and the filters reach `radius` cells far. */
export type GridMemory = {
  readonly height: number
  readonly width: number
  readonly padding: Padding
  readonly radius: number
  readonly origin: number
  readonly rowBytes: number
  readonly cellBytes: number
}

/** The rows of a band, and the offsets at its borders. */
export type Border = {
  readonly first: number
  readonly last: number
  /** What to add to an offset in a state to get that of the same cell in this band's part of the cotangent. */
  readonly shift: number
  /** Pairs of offsets: cells of the ring that mirror cells of this band. */
  readonly ring: number[]
  /** Cells of its cotangent that stand for cells of other bands or across the border, to be cleared in each step. */
  readonly halo: number[]
  /** Pairs of offsets in the cotangent: what those of all bands add to cells of this band. */
  readonly fold: number[]
}

/** The bands of a grid in a batch of so many samples, and the bytes of the cotangent of all of them. */
export function bordersOf(batch: number, grid: GridMemory): { bands: Border[]; cotangentBytes: number } {
  const { height, radius, rowBytes, origin, cellBytes } = grid
  const cuts = bandCuts(batch, height)
  let cotangentBytes = 0
  const bands = cuts.map((first, i): Border => {
    const last = cuts[i + 1] ?? height
    const shift = cotangentBytes - first * rowBytes
    cotangentBytes += (last - first + 2 * radius) * rowBytes
    return { first, last, shift, ring: [], halo: [], fold: [] }
  })
  const bandOf = (y: number): Border => bands.findLast(({ first }) => first <= y)!
  const offset = (y: number, x: number): number => origin + y * rowBytes + x * cellBytes
  around(grid, 0, height, (y, x, sy, sx) => bandOf(sy).ring.push(offset(y, x), offset(sy, sx)))
  for (const { first, last, shift, halo } of bands) {
    around(grid, first, last, (y, x, sy, sx) => {
      const owner = bandOf(sy)
      halo.push(offset(y, x) + shift)
      owner.fold.push(offset(sy, sx) + owner.shift, offset(y, x) + shift)
    })
  }
  return { bands, cotangentBytes }
}

/** First rows of the bands. Small batches are cut into more, so that many threads can share a sample. */
function bandCuts(batch: number, height: number): number[] {
  const bands = Math.max(1, Math.min(Math.ceil(16 / batch), Math.floor(height / 8)))
  return Array.from({ length: bands }, (_, i) => Math.floor(i * height / bands))
}

/** Visits the cells around rows first … last − 1 that stand for a cell of the grid, with that cell. */
function around(
  { height, width, padding, radius }: GridMemory, first: number, last: number,
  visit: (y: number, x: number, sourceY: number, sourceX: number) => void,
): void {
  const sides = [[-radius, 0], [width, width + radius]], all = [[-radius, width + radius]]
  for (let y = first - radius; y < last + radius; y++) {
    const sourceY = wrap(y, height, padding)
    if (sourceY < 0) continue
    for (const [from, to] of y >= first && y < last ? sides : all) {
      for (let x = from; x < to; x++) {
        const sourceX = wrap(x, width, padding)
        if (sourceX >= 0) visit(y, x, sourceY, sourceX)
      }
    }
  }
}
