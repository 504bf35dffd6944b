/**
 * Products of matrices whose inner axis may be long.
 *
 * `kernels.product` adds in float32, with a rounding for each term, in one direction where terms are alike. So after
 * `run` terms the sums go into double precision: about `run` roundings is the error, however many terms there are. What an
 * automaton perceives is one run, for which nothing changes.
 */
import type { Kernels } from '../kernels.ts'
import { ceilTo } from '../../ceil-to.ts'
import { addTo, packPanels } from './rows.ts'

/** Terms of a sum that are added in float32. */
const run = 256

/** The right matrix, `[inner, columns]` by `packPanels`, run by run. */
export function packRuns(
  floats: Float32Array, at: number, w: Float32Array, inner: number, columns: number, rowStep: number,
  columnStep: number,
): void {
  for (let k = 0; k < inner; k += run) {
    const terms = Math.min(run, inner - k)
    packPanels(floats, at + k * ceilTo(columns, 8), w.subarray(k * rowStep), terms, columns, rowStep, columnStep)
  }
}

/**
 * C = bias + A·B for `rows` rows of A, `pitch` numbers apart, and B as `packRuns` puts it. `columns` is a multiple of 8 and
 * the distance of the rows of C; `a`, `panels`, `bias` and `c` are addresses, that of no bias 0.
 */
export function productByRuns(
  kernels: Kernels, floats: Float32Array, rows: number, inner: number, columns: number, a: number, pitch: number,
  panels: number, bias: number, c: number,
): void {
  const sums = inner > run ? new Float64Array(rows * columns) : null
  for (let k = 0; k === 0 || k < inner; k += run) {
    const terms = Math.min(run, inner - k), from = panels + 4 * k * columns
    kernels.product(rows, terms, columns, a + 4 * k, 4 * pitch, from, k === 0 ? bias : 0, c, 4 * columns, -Infinity, 0)
    if (sums) addTo(sums, rows, columns, floats, c / 4, columns)
  }
  if (sums) floats.set(sums, c / 4)
}
