/**
 * Sums of many terms, only one of which is in memory at a time: a scope releases each term, and each partial sum, as soon as
 * the next sum is computed.
 */
import { scope } from '../lifetime.ts'
import { add } from './arithmetic.ts'
import type { Tensor } from '../tensor.ts'

/** Σ term(i) for i from 0 to n − 1, in this order. */
export function total(n: number, term: (i: number) => Tensor): Tensor {
  return scope(() => (n === 1 ? term(0) : add(total(n - 1, term), term(n - 1))), 'total()')
}
