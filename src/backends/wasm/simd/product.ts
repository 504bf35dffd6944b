/**
 * Matrix products whose inner axis may be long.
 *
 * `kernels.product` adds in float32 and rounds after each term, always in the same direction if terms are alike. So after
 * `run` terms the sums are added in double precision: the error stays that of about `run` roundings, however many terms there
 * are. The perception of an automaton fits into one run, for which nothing changes.
 */
import type { Kernels } from '../kernels.ts'
import { ceilTo } from '../../ceil-to.ts'
import { addTo, packPanels } from './rows.ts'

/** How many terms of a sum are added in float32. */
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
 * C = bias + A·B for `rows` rows of A, `pitch` numbers apart, and B packed by `packRuns`. `columns` is a multiple of 8 and
 * the stride of C in numbers; `a`, `panels`, `bias` and `c` are addresses; a bias of 0 means none.
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
