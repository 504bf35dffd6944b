/**
 * Copies rows of a matrix between ordinary arrays and scratch memory, tile by tile, and packs matrices for
 * `assembly/matrix.ts`. Only rows that a mask selects are copied, so the others cost nothing. Positions are in numbers, not bytes.
 */
import type { Data } from '../../backend.ts'
import { ceilTo } from '../../ceil-to.ts'

/** Rows of a tile: as many as fit into about 256 KiB, but at least 16 and at most 256; a multiple of 4. */
export function tileRows(width: number): number {
  return Math.max(16, Math.min(256, Math.floor(2 ** 16 / width / 4) * 4))
}

/** The indices of the rows in a tile. `first` is set if they are consecutive. */
export type Tile = { readonly count: number; readonly rows: Int32Array; readonly first: number | null }

/** Cuts the rows from `from` up to `to` that the mask selects (all without a mask) into tiles of at most `size`. */
export function eachTile(
  from: number, to: number, mask: Data | undefined, size: number, visit: (tile: Tile) => void,
): void {
  const rows = new Int32Array(size)
  for (let r = from; r < to;) {
    let count = 0
    for (; r < to && count < size; r++) if (!mask || mask[r] !== 0) rows[count++] = r
    if (count > 0) visit({ count, rows, first: rows[count - 1] - rows[0] === count - 1 ? rows[0] : null })
  }
}

/** Copies the tile's rows of `x`, `n` numbers each, to `at`, where they are `pitch` apart. */
export function loadRows(
  x: Float32Array, n: number, { count, rows, first }: Tile, floats: Float32Array, at: number, pitch: number,
): void {
  if (first !== null && pitch === n) {
    floats.set(x.subarray(first * n, (first + count) * n), at)
    return
  }
  for (let i = 0; i < count; i++) {
    const from = rows[i] * n, to = at + i * pitch
    for (let j = 0; j < n; j++) floats[to + j] = x[from + j]
  }
}

/** The inverse: copies rows from scratch memory to the tile's rows of `out`. */
export function storeRows(
  out: Float32Array, n: number, { count, rows, first }: Tile, floats: Float32Array, at: number, pitch: number,
): void {
  if (first !== null && pitch === n) {
    out.set(floats.subarray(at, at + count * n), first * n)
    return
  }
  for (let i = 0; i < count; i++) {
    const to = rows[i] * n, from = at + i * pitch
    for (let j = 0; j < n; j++) out[to + j] = floats[from + j]
  }
}

/** sums += the n × m matrix at `at`, whose rows are `pitch` apart. */
export function addTo(
  sums: Float64Array, n: number, m: number, floats: Float32Array, at: number, pitch: number,
): void {
  for (let i = 0, k = 0; i < n; i++, at += pitch) {
    for (let j = 0; j < m; j++, k++) sums[k] += floats[at + j]
  }
}

/**
 * The matrix with w[i·rowStep + j·columnStep] in row i and column j, packed in panels of 8 columns for `product`.
 * Exchanging the steps transposes it.
 */
export function packPanels(
  floats: Float32Array, at: number, w: Float32Array, inner: number, columns: number, rowStep: number,
  columnStep: number,
): void {
  for (let j = 0; j < ceilTo(columns, 8); j += 8) {
    for (let i = 0; i < inner; i++, at += 8) {
      for (let k = 0; k < 8; k++) floats[at + k] = j + k < columns ? w[i * rowStep + (j + k) * columnStep] : 0
    }
  }
}
