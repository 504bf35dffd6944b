/**
 * conv2d and its two derivatives in WebAssembly, as matrix products. With W the matrix whose rows are the windows of
 * the active cells (im2col), K the kernel as a matrix [taps·n, m], and G the cotangents,
 *
 *   conv2d = W K        conv2dInput = Σ rows of G Kᵀ, added to the windows they belong to        conv2dFilter = Wᵀ G
 *
 * Beyond a border of zeros a window holds zeros, which are multiplied like other cells.
 */
import type { SimdKernel } from '../../../backends/backend.ts'
import { addBand, eachBand, loadBand, planOf, tapOffsets, type Plan } from '../../../backends/wasm/simd/bands.ts'
import { isFloat, isLarge } from '../../../backends/wasm/simd/conditions.ts'
import { packRuns, productByRuns } from '../../../backends/wasm/simd/product.ts'
import { ceilTo } from '../../../backends/ceil-to.ts'
import { addTo, loadRows, storeRows, tileRows } from '../../../backends/wasm/simd/rows.ts'
import type { Windows } from '../../../backends/window.ts'

/** The runs of a window (assembly/windows.ts): its rows if the taps are adjacent cells, else single cells. */
function runsOf(plan: Plan): { offsets: Uint32Array; bytes: number } {
  const { win: { kernel: [, kw], dilation }, channels } = plan
  const offsets = tapOffsets(plan)
  if (dilation > 1) return { offsets, bytes: 4 * channels }
  return { offsets: offsets.filter((_, t) => t % kw === 0), bytes: 4 * channels * kw }
}

/** inputs: x [b,h,w,n], k [kh,kw,n,m], optional mask [b,oh,ow]. */
export const conv2dSimd: SimdKernel<Windows> = room => (
  [x, k, mask], out, { inputs: [{ shape: [b] }, { shape: [kh, kw, n, m] }], attrs },
) => {
  const inner = kh * kw * n
  if (!isFloat(x) || !isFloat(k) || !isFloat(out) || !isLarge(out.length / m, inner, m)) return false
  const plan = planOf(attrs, n), runs = runsOf(plan)
  const pitch = ceilTo(inner, 4), columns = ceilTo(m, 8), size = tileRows(Math.max(pitch, columns))
  const { kernels, floats, words, at: [image, offsets, cells, panels, a, c] } = room(
    4 * plan.bandSize, 4 * runs.offsets.length, 4 * size, 4 * inner * columns, 4 * size * pitch, 4 * size * columns,
  )
  words.set(runs.offsets, offsets / 4)
  packRuns(floats, panels / 4, k, inner, m, m, 1)
  if (mask) out.fill(0)
  eachBand(plan, b, mask, words.subarray(cells / 4, cells / 4 + size), {
    before: band => loadBand(plan, band, x, floats, image / 4),
    tile(tile) {
      kernels.windows(image, cells, tile.count, runs.offsets.length, offsets, runs.bytes, a, 4 * pitch)
      productByRuns(kernels, floats, tile.count, inner, columns, a, pitch, panels, 0, c)
      storeRows(out, m, tile, floats, c / 4, columns)
    },
  })
  return true
}

/** inputs: g [b,oh,ow,m], k [kh,kw,n,m], optional mask [b,oh,ow]; out [b,h,w,n]. */
export const conv2dInputSimd: SimdKernel<Windows> = room => (
  [g, k, mask], out, { inputs: [{ shape: [b] }, { shape: [kh, kw, n, m] }], attrs },
) => {
  const inner = kh * kw * n
  if (!isFloat(g) || !isFloat(k) || !isFloat(out) || !isLarge(g.length / m, inner, m)) return false
  const plan = planOf(attrs, n), runs = runsOf(plan)
  const columns = ceilTo(inner, 8), size = tileRows(Math.max(m, columns))
  const { kernels, floats, words, at: [image, offsets, cells, panels, a, c] } = room(
    4 * plan.bandSize, 4 * runs.offsets.length, 4 * size, 4 * m * columns, 4 * size * m, 4 * size * columns,
  )
  words.set(runs.offsets, offsets / 4)
  packRuns(floats, panels / 4, k, m, inner, 1, m)
  out.fill(0)
  eachBand(plan, b, mask, words.subarray(cells / 4, cells / 4 + size), {
    before: ({ count }) => kernels.zero(image, 4 * count * plan.pitch),
    tile(tile) {
      loadRows(g, m, tile, floats, a / 4, m)
      productByRuns(kernels, floats, tile.count, m, columns, a, m, panels, 0, c)
      kernels.addWindows(image, cells, tile.count, runs.offsets.length, offsets, runs.bytes, c, 4 * columns)
    },
    after: band => addBand(plan, band, out, floats, image / 4),
  })
  return true
}

/** inputs: x [b,h,w,n], g [b,oh,ow,m], optional mask [b,oh,ow]; out [kh,kw,n,m]. */
export const conv2dFilterSimd: SimdKernel<Windows> = room => (
  [x, g, mask], out, { inputs: [{ shape: [b] }], out: { shape: [kh, kw, n, m] }, attrs },
) => {
  const inner = kh * kw * n
  if (!isFloat(x) || !isFloat(g) || !isFloat(out) || !isLarge(g.length / m, inner, m)) return false
  const plan = planOf(attrs, n), runs = runsOf(plan)
  const left = ceilTo(inner, 4), right = ceilTo(m, 8), size = tileRows(Math.max(left, right))
  const { kernels, floats, words, at: [image, offsets, cells, a, c, k] } = room(
    4 * plan.bandSize, 4 * runs.offsets.length, 4 * size, 4 * size * left, 4 * size * right, 4 * left * right,
  )
  words.set(runs.offsets, offsets / 4)
  const sums = new Float64Array(inner * m)
  eachBand(plan, b, mask, words.subarray(cells / 4, cells / 4 + size), {
    before: band => loadBand(plan, band, x, floats, image / 4),
    tile(tile) {
      kernels.windows(image, cells, tile.count, runs.offsets.length, offsets, runs.bytes, a, 4 * left)
      loadRows(g, m, tile, floats, c / 4, right)
      kernels.zero(k, 4 * left * right)
      kernels.productTN(tile.count, left, right, a, 4 * left, c, 4 * right, k, 4 * right)
      addTo(sums, inner, m, floats, k / 4, right)
    },
  })
  out.set(sums)
  return true
}
