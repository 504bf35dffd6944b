/**
 * Conditions under which a SIMD kernel runs; otherwise it leaves a call to the plain loops.
 */
import type { Data } from '../../backend.ts'

export const isFloat = (x: Data): x is Float32Array => x instanceof Float32Array

/**
 * Whether a matrix product, rows × inner × columns, is worth the copying and packing, which take as long as a few rows in
 * the plain loops.
 */
export function isLarge(rows: number, inner: number, columns: number): boolean {
  return rows >= 8 && rows * inner * columns >= 4096
}

/** Whether no number is infinite or NaN: x − x is 0 for all others, and a sum of such zeros is 0. */
export function areFinite(x: Float32Array): boolean {
  let sum = 0
  for (let i = 0; i < x.length; i++) sum += x[i] - x[i]
  return sum === 0
}
