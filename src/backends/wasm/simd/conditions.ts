/**
 * What a fast kernel of a single operator is: the plain kernel's contract, with the right to decline.
 */
import type { Call, Data } from '../../backend.ts'

/**
 * Computes `out` and returns true; or returns false, with `out` untouched, where the call is not one of those that it
 * is made for, such as another element type. Then the plain loops run.
 */
export type Operator<A = never> = (inputs: readonly Data[], out: Data, call: Call<A>) => boolean

export const isFloat = (x: Data): x is Float32Array => x instanceof Float32Array

export const ceilTo = (n: number, unit: number): number => Math.ceil(n / unit) * unit

/**
 * Whether a product of matrices, rows × inner × columns, is worth the copies and the packing, which take as long as a
 * few rows in the plain loops.
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
