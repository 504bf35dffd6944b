/**
 * Images in scratch memory, with their borders. With any padding, a window then reads cells at fixed distances from its own,
 * without a test. src/backends/window.ts defines where windows lie, and what they find outside of the grid.
 *
 * An image is processed in bands of output lines, so that a band stays in cache. A band also needs the lines above and below
 * that its windows reach; a gradient is added to those lines too, although they belong to neighbouring bands.
 */
import type { Data } from '../../backend.ts'
import { border, cellsAlong, outputSize, span, type Windows } from '../../window.ts'
import { eachTile, type Tile } from './rows.ts'

/** One axis of an image: sizes without and with the border, and the cell at each place, −1 for none. */
export type Axis = {
  readonly size: number
  readonly before: number
  readonly padded: number
  readonly outputs: number
  readonly cells: Int32Array
}

function axisOf(win: Windows, axis: 0 | 1): Axis {
  const { before } = border(win, axis), cells = cellsAlong(win, axis)
  return { size: win.size[axis], before, padded: cells.length, outputs: outputSize(win)[axis], cells }
}

/** How an image is cut into bands. Sizes are in numbers; line 0 of a band is the first that its windows read. */
export type Plan = {
  readonly win: Windows
  readonly y: Axis
  readonly x: Axis
  readonly channels: number
  /** The size of a line with its border. */
  readonly pitch: number
  /** The most output lines of a band, and the size of such a band. */
  readonly lines: number
  readonly bandSize: number
}

export function planOf(win: Windows, channels: number): Plan {
  const [y, x] = [axisOf(win, 0), axisOf(win, 1)]
  const pitch = x.padded * channels
  const lines = Math.max(1, Math.min(y.outputs, Math.floor(2 ** 16 / pitch / win.stride)))
  return { win, y, x, channels, pitch, lines, bandSize: span(win, 0, lines) * pitch }
}

/** The distance of each tap from the first, in bytes, in scan order. */
export function tapOffsets({ win: { kernel: [kh, kw], dilation }, pitch, channels }: Plan): Uint32Array {
  return Uint32Array.from({ length: kh * kw }, (_, t) => (
    4 * dilation * (Math.floor(t / kw) * pitch + (t % kw) * channels)
  ))
}

/**
 * Output lines `line` up to `line + lines` of a sample. They read `count` lines of the padded image from `first` on:
 * these are the lines of the band.
 */
export type Band = {
  readonly sample: number
  readonly line: number
  readonly lines: number
  readonly first: number
  readonly count: number
}

export function* bands({ win, y, lines: most }: Plan, batch: number): Generator<Band> {
  for (let sample = 0; sample < batch; sample++) {
    for (let line = 0; line < y.outputs; line += most) {
      const lines = Math.min(most, y.outputs - line)
      yield { sample, line, lines, first: line * win.stride, count: span(win, 0, lines) }
    }
  }
}

/**
 * Visits bands and, within each, tiles of the output cells that the mask selects. `cells`, which has as many entries as a
 * tile, is filled with the offset of each cell of the tile from the start of the band, in bytes. Bands without any such
 * cell are skipped.
 */
export function eachBand(
  plan: Plan, batch: number, mask: Data | undefined, cells: Uint32Array,
  visit: { before: (band: Band) => void; tile: (tile: Tile) => void; after?: (band: Band) => void },
): void {
  const { win: { stride }, y, x, channels, pitch } = plan
  for (const band of bands(plan, batch)) {
    const start = (band.sample * y.outputs + band.line) * x.outputs
    let touched = false
    eachTile(start, start + band.lines * x.outputs, mask, cells.length, tile => {
      if (!touched) visit.before(band)
      touched = true
      for (let i = 0; i < tile.count; i++) {
        const r = tile.rows[i] - start, column = r % x.outputs
        cells[i] = 4 * stride * ((r - column) / x.outputs * pitch + column * channels)
      }
      visit.tile(tile)
    })
    if (touched) visit.after?.(band)
  }
}

/**
 * Copies a band of an image to `at`. `each` may change the numbers of a line before they are also copied to its border;
 * places without a cell get `outside`.
 */
export function loadBand<T extends Float32Array | Uint32Array>(
  { y, x, channels, pitch }: Plan, { sample, first, count }: Band, image: T, memory: T, at: number,
  outside = 0, each?: (at: number) => void,
): void {
  const width = x.size * channels, border = x.before * channels
  for (let line = first; line < first + count; line++, at += pitch) {
    const source = y.cells[line]
    if (source < 0) {
      memory.fill(outside, at, at + pitch)
      continue
    }
    const from = (sample * y.size + source) * width
    memory.set(image.subarray(from, from + width), at + border)
    each?.(at + border)
    eachBorderCell(x, (p, cell) => {
      const to = at + p * channels
      if (cell < 0) memory.fill(outside, to, to + channels)
      else memory.copyWithin(to, at + border + cell * channels, at + border + (cell + 1) * channels)
    })
  }
}

/** The adjoint: adds each cell of a band, and of its border, to the cell of the image that it represents. */
export function addBand(
  { y, x, channels, pitch }: Plan, { sample, first, count }: Band, image: Float32Array, floats: Float32Array,
  at: number,
): void {
  const width = x.size * channels, border = x.before * channels
  for (let line = first; line < first + count; line++, at += pitch) {
    if (y.cells[line] < 0) continue
    const to = (sample * y.size + y.cells[line]) * width
    for (let i = 0; i < width; i++) image[to + i] += floats[at + border + i]
    eachBorderCell(x, (p, cell) => {
      if (cell < 0) return
      for (let c = 0; c < channels; c++) image[to + cell * channels + c] += floats[at + p * channels + c]
    })
  }
}

function eachBorderCell({ size, before, padded, cells }: Axis, visit: (place: number, cell: number) => void): void {
  for (let p = 0; p < before; p++) visit(p, cells[p])
  for (let p = before + size; p < padded; p++) visit(p, cells[p])
}
