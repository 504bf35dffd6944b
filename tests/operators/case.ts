// The properties that every operator must have, stated once.
//
// A case names an operator and says how to call it on random inputs. From that alone `operators.test.ts` checks
//
//   gradients          to second order against differences, in float64
//   symmetry           ⟨u, Hv⟩ = ⟨v, Hu⟩: mixed second derivatives agree in both orders, at special points too
//   linear operators   ⟨Av, u⟩ = ⟨v, Aᵀu⟩, and A(αv + w) = αAv + Aw
//   mutants            with each rule made wrong (sign, factor, missing, reversed) the same check must fail
//
// and that every operator of the library has a case.

import fc from 'fast-check'
import { key, tensor, type Backend, type DType, type Tensor } from '../../src/index.ts'
import { drawPermutation } from '../../src/tensor/key.ts'
import { bits } from '../../src/tensor/ops/random.ts'
import type { Op } from '../../src/tensor/op.ts'
import { sizeOf } from '../../src/tensor/shape.ts'

/** A function of differentiated tensors, and where to check it. */
export type Call = { f: (...xs: Tensor[]) => Tensor; at: Tensor[] }

export type Case = {
  op: Op<never>
  /** Random calls. Values must stay 0.02 away from kinks and ties. */
  calls: fc.Arbitrary<() => Call>
  /** f is linear in all of `at` together. */
  linear?: boolean
  /** The inputs of the operator that `at` reaches; all by default. */
  positions?: number[]
  /** Mutants that change nothing here, with the reason, e.g. { reversed: 'the gradient is constant' }. */
  harmless?: Partial<Record<Mutant, string>>
}

export type Mutant = 'sign' | 'factor' | 'missing' | 'reversed'

/** A case. `make` builds its tensors when it is called, inside the test's scope. */
export function gradCase<I>(
  op: Op<never>, inputs: fc.Arbitrary<I>, make: (input: I) => Call, more: Omit<Case, 'op' | 'calls'> = {},
): Case {
  return { op, calls: inputs.map(input => () => make(input)), ...more }
}

/** Random seeds for `spaced`. */
export const seeds: fc.Arbitrary<number> = fc.integer({ min: 0, max: 2 ** 31 - 1 })

/** Shapes of the given rank with sizes from 1 to `max`. */
export function shapes(rank: number, max = 4): fc.Arbitrary<number[]> {
  const sizes = fc.array(fc.integer({ min: 1, max }), { minLength: rank, maxLength: rank })
  // Which size is 0 follows from the others, so that the same shapes come with it and without.
  return sizes.map(shape => (emptied ? shape.with(shape.reduce((a, b) => a + b, 0) % rank, 0) : shape))
}

/** A size from 1 to `max`. */
export function size(max: number): fc.Arbitrary<number> {
  return fc.integer({ min: 1, max }).map(n => (emptied && n === 1 ? 0 : n))
}

let emptied = false

/** Random calls of a case on shapes with some sizes of 0; none if it has no such calls. */
export function emptyCalls({ calls }: Case, count: number, seed: number): (() => Call)[] {
  emptied = true
  try {
    return Array.from({ length: count }, (_, i) => fc.sample(calls, { numRuns: 1, seed: seed + i })[0])
  } catch {
    return [] // an index or a number of channels that has to be less than 1
  } finally {
    emptied = false
  }
}

/**
 * Where the tensors of cases are made, and from which numbers: those drawn or, with `absolute`, their magnitudes. With
 * `special`, numbers that would be spaced are special ones: 0, whole, or equal to others.
 */
type Placed = { dtype: DType; backend?: Backend; absolute?: boolean; special?: boolean }

/** Where functions have zeros, kinks, ties and singularities. */
export const special: readonly number[] = [0, 1, -1, 2, -2, 0.5, 3]

let placement: Placed = { dtype: 'float64' }

/** The result of `make`, with the tensors of cases made elsewhere than in float64 on the CPU. */
export function withPlacement<T>(where: Placed, make: () => T): T {
  const before = placement
  placement = where
  try {
    return make()
  } finally {
    placement = before
  }
}

/** These numbers, where tensors of cases are made. */
export function given(values: ArrayLike<number>, shape: readonly number[], dtype: DType = placement.dtype): Tensor {
  const { backend, absolute } = placement
  return tensor(Float64Array.from(values, v => (absolute ? Math.abs(v) : v)), { shape, dtype, backend })
}

/**
 * Values in random order that are at least 0.05 apart and 0.025 from 0: no ties, no kinks at 0. All are at least 0.2
 * where `positive` is given, and `shift` further away from 0. Float32 can hold them.
 */
export function spaced(
  seed: number, shape: readonly number[], { positive = false, shift = 0 }: { positive?: boolean; shift?: number } = {},
): Tensor {
  const n = sizeOf(shape)
  if (placement.special) return given(Float64Array.from(bits(key(seed), [n]).toArray(), v => special[v % special.length]), shape)
  const values = drawPermutation(key(seed), n).map(i => 0.05 * (positive ? i + 4 : i - Math.floor(n / 2)) + 0.025)
  return given(values.map(v => Math.fround(v + shift * Math.sign(v))), shape)
}
