/**
 * depthwiseConv and its two derivatives at the active cells; the loops are in assembly/depthwise.ts.
 *
 * A weight of zero must look at nothing, but here it is multiplied like any other. So if a result is infinite or NaN, it may
 * come from 0·∞, and the plain loops do the work again.
 */
import type { SimdKernel } from '../../../backends/backend.ts'
import { addBand, eachBand, loadBand, planOf, tapOffsets } from '../../../backends/wasm/simd/bands.ts'
import type { Windows } from '../../../backends/window.ts'
import { areFinite, isFloat, isLarge } from '../../../backends/wasm/simd/conditions.ts'
import { ceilTo } from '../../../backends/ceil-to.ts'
import { addTo, loadRows, storeRows, tileRows, type Tile } from '../../../backends/wasm/simd/rows.ts'

/** inputs: x [b,h,w,n], k [kh,kw,n,m], optional mask [b,h,w]; out [b,h,w,n·m]. */
export const depthwiseConvSimd: SimdKernel<Windows> = room => (
  [x, k, mask], out, { inputs: [{ shape: [b] }, { shape: [kh, kw, n, m] }], attrs },
) => {
  const taps = kh * kw
  if (!isFloat(x) || !isFloat(k) || !isFloat(out) || !isLarge(out.length / (n * m), taps, n * m)) return false
  const plan = planOf(attrs, n), columns = ceilTo(n * m, 4), size = tileRows(columns)
  const { kernels, floats, words, at: [image, offsets, spread, cells, weights, y] } = room(
    4 * plan.bandSize, 4 * taps, 8 * columns, 4 * size, 4 * taps * columns, 4 * size * columns,
  )
  words.set(tapOffsets(plan), offsets / 4)
  words.set(spreadTable(n, m), spread / 4)
  for (let t = 0; t < taps; t++) floats.set(k.subarray(t * n * m, (t + 1) * n * m), weights / 4 + t * columns)
  if (mask) out.fill(0)
  eachBand(plan, b, mask, words.subarray(cells / 4, cells / 4 + size), {
    before: band => loadBand(plan, band, x, floats, image / 4),
    tile(tile) {
      kernels.depthwise(image, cells, tile.count, taps, offsets, spread, weights, columns / 4, y, 4 * columns)
      storeRows(out, n * m, tile, floats, y / 4, columns)
    },
  })
  return areFinite(out)
}

/** inputs: g [b,h,w,n·m], k [kh,kw,n,m], optional mask [b,h,w]; out [b,h,w,n]. */
export const depthwiseConvInputSimd: SimdKernel<Windows> = room => (
  [g, k, mask], out, { inputs: [{ shape: [b] }, { shape: [kh, kw, n, m] }], attrs },
) => {
  const taps = kh * kw
  if (!isFloat(g) || !isFloat(k) || !isFloat(out) || !isLarge(g.length / (n * m), taps, n * m)) return false
  const plan = planOf(attrs, n), channels = ceilTo(n, 4), columns = m * channels, size = tileRows(columns)
  const { kernels, floats, words, at: [image, offsets, cells, weights, y] } = room(
    4 * plan.bandSize, 4 * taps, 4 * size, 4 * taps * columns, 4 * size * columns,
  )
  words.set(tapOffsets(plan), offsets / 4)
  floats.fill(0, weights / 4, weights / 4 + taps * columns)
  floats.fill(0, y / 4, y / 4 + size * columns)
  const all = { count: taps, rows: Int32Array.from({ length: taps }, (_, t) => t), first: 0 }
  loadByFilter(k, n, m, all, floats, weights / 4, channels)
  out.fill(0)
  eachBand(plan, b, mask, words.subarray(cells / 4, cells / 4 + size), {
    before: ({ count }) => kernels.zero(image, 4 * count * plan.pitch),
    tile(tile) {
      loadByFilter(g, n, m, tile, floats, y / 4, channels)
      kernels.depthwiseBack(image, cells, tile.count, taps, offsets, m, weights, channels / 4, y, 4 * columns)
    },
    after: band => addBand(plan, band, out, floats, image / 4),
  })
  return areFinite(out)
}

/** inputs: x [b,h,w,n], g [b,h,w,n·m], optional mask [b,h,w]; out [kh,kw,n,m]. */
export const depthwiseConvFilterSimd: SimdKernel<Windows> = room => (
  [x, g, mask], out, { inputs: [{ shape: [b] }], out: { shape: [kh, kw, n, m] }, attrs },
) => {
  const taps = kh * kw
  if (!isFloat(x) || !isFloat(g) || !isFloat(out) || !isLarge(g.length / (n * m), taps, n * m)) return false
  const plan = planOf(attrs, n), columns = ceilTo(n * m, 4), size = tileRows(columns)
  const { kernels, floats, words, at: [image, offsets, spread, cells, weights, y] } = room(
    4 * plan.bandSize, 4 * taps, 8 * columns, 4 * size, 4 * taps * columns, 4 * size * columns,
  )
  words.set(tapOffsets(plan), offsets / 4)
  words.set(spreadTable(n, m), spread / 4)
  const sums = new Float64Array(taps * n * m)
  eachBand(plan, b, mask, words.subarray(cells / 4, cells / 4 + size), {
    before: band => loadBand(plan, band, x, floats, image / 4),
    tile(tile) {
      loadRows(g, n * m, tile, floats, y / 4, columns)
      kernels.depthwiseWeights(image, cells, tile.count, taps, offsets, spread, weights, columns / 4, y, 4 * columns)
      addTo(sums, taps, n * m, floats, weights / 4, columns)
    },
  })
  out.set(sums)
  return true
}

/** Which channels each group of four of the n·m results reads (see assembly/depthwise.ts). */
function spreadTable(n: number, m: number): Uint32Array {
  const vectors = Math.ceil(n * m / 4)
  const table = new Uint32Array(8 * vectors)
  for (let j = 0; j < vectors; j++) {
    const first = Math.floor(4 * j / m)
    table[8 * j] = 4 * first
    for (let lane = 0; lane < 4; lane++) {
      // The four bytes of a lane are neighbours: b, b + 1, b + 2, b + 3.
      const channel = Math.min(Math.floor((4 * j + lane) / m), n - 1) - first
      table[8 * j + 4 + lane] = 0x03020100 + 0x01010101 * 4 * channel
    }
  }
  return table
}

/** Copies rows [n][m] as [m][channels], where channels is n rounded up; the padding is left as it is. */
function loadByFilter(
  x: Float32Array, n: number, m: number, { count, rows }: Tile, floats: Float32Array, at: number, channels: number,
): void {
  for (let i = 0; i < count; i++) {
    for (let q = 0; q < m; q++, at += channels) {
      for (let c = 0, from = rows[i] * n * m + q; c < n; c++, from += m) floats[at + c] = x[from]
    }
  }
}
