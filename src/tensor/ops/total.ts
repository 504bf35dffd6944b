/**
 * Sums of many terms, of which only one is there at a time: a scope releases each term, and each sum but the last, as
 * soon as the next sum is made.
 */
import { scope } from '../lifetime.ts'
import { add } from './arithmetic.ts'
import type { Tensor } from '../tensor.ts'

/** Σ term(i) for i from 0 to n − 1, in this order. */
export function total(n: number, term: (i: number) => Tensor): Tensor {
  return scope(() => (n === 1 ? term(0) : add(total(n - 1, term), term(n - 1))), 'total()')
}
