/**
 * dense and denseFilter: the matrix products X·W + b and XᵀY of src/tensor/ops/dense.ts, over the rows of a mask.
 *
 * Sums run in float32 within a tile of rows; the sums of tiles are added in double precision.
 */
import type { SimdKernel } from '../../backend.ts'
import { isFloat, isLarge } from '../simd/conditions.ts'
import { ceilTo, eachTile, loadRows, packPanels, storeRows, tileRows } from '../simd/rows.ts'

/** inputs: x [...rows, n], w [n, m], with `bias` b [m], optional mask [...rows]. */
export const denseSimd: SimdKernel<{ readonly bias: boolean }> = room => (
  [x, w, ...more], out, { inputs: [, { shape: [n, m] }], attrs },
) => {
  if (!isFloat(x) || !isFloat(w) || !isFloat(out) || !isLarge(out.length / m, n, m)) return false
  const [bias, mask] = attrs.bias ? [more[0], more[1]] : [undefined, more[0]]
  const columns = ceilTo(m, 8), size = tileRows(Math.max(n, columns))
  const { kernels, floats, at: [a, panels, b, c] } =
    room(4 * size * n, 4 * n * columns, 4 * columns, 4 * size * columns)
  packPanels(floats, panels / 4, w, n, m, m, 1)
  if (bias) floats.set(bias, b / 4)
  if (mask) out.fill(0)
  eachTile(0, out.length / m, mask, size, tile => {
    loadRows(x, n, tile, floats, a / 4, n)
    kernels.product(tile.count, n, columns, a, 4 * n, panels, bias ? b : 0, c, 4 * columns, -Infinity, 0)
    storeRows(out, m, tile, floats, c / 4, columns)
  })
  return true
}

/** inputs: x [...rows, n], y [...rows, m], optional mask [...rows]; out [n, m]. */
export const denseFilterSimd: SimdKernel<null> = room => ([x, y, mask], out, { out: { shape: [n, m] } }) => {
  if (!isFloat(x) || !isFloat(y) || !isFloat(out) || !isLarge(x.length / n, n, m)) return false
  const left = ceilTo(n, 4), right = ceilTo(m, 8), size = tileRows(Math.max(left, right))
  const { kernels, floats, at: [a, b, g] } = room(4 * size * left, 4 * size * right, 4 * left * right)
  const sums = new Float64Array(n * m)
  eachTile(0, x.length / n, mask, size, tile => {
    loadRows(x, n, tile, floats, a / 4, left)
    loadRows(y, m, tile, floats, b / 4, right)
    kernels.zero(g, 4 * left * right)
    kernels.productTN(tile.count, left, right, a, 4 * left, b, 4 * right, g, 4 * right)
    addTo(sums, n, m, floats, g / 4, right)
  })
  out.set(sums)
  return true
}

/** sums += the n × m matrix at `at`, whose rows are `pitch` apart. */
export function addTo(
  sums: Float64Array, n: number, m: number, floats: Float32Array, at: number, pitch: number,
): void {
  for (let i = 0, k = 0; i < n; i++, at += pitch) {
    for (let j = 0; j < m; j++, k++) sums[k] += floats[at + j]
  }
}
