// Arrays as functions of their index, for tests that say entry by entry what an operator must return.

import fc from 'fast-check'
import { expect } from 'vitest'
import { tensor, type Shape, type Tensor } from '../../src/index.ts'
import { sizeOf, stridesOf } from '../../src/tensor/shape.ts'
import type { ReferenceArray } from '../reference/load.ts'

/** The float64 tensor whose entry at an index is `entry(index)`. */
export function build(shape: Shape, entry: (index: number[]) => number): Tensor {
  const strides = stridesOf(shape)
  const values = Float64Array.from({ length: sizeOf(shape) }, (_, i) => entry(strides.map((stride, axis) => Math.floor(i / stride) % shape[axis])))
  return tensor(values, { shape })
}

/** Reads entries of a tensor by index. */
export function entries(x: Tensor): (index: readonly number[]) => number {
  const values = x.toArray()
  const strides = stridesOf(x.shape)
  return index => values[index.reduce((sum, i, axis) => sum + i * strides[axis], 0)]
}

/** A float64 tensor of whole numbers, of which few differ, so that ties abound. */
export function withTies(shape: Shape): fc.Arbitrary<() => Tensor> {
  return fc.array(fc.integer({ min: -2, max: 2 }), { minLength: sizeOf(shape), maxLength: sizeOf(shape) })
    .map(values => () => tensor(Float64Array.from(values), { shape }))
}

/** The same shape and the same numbers, NaN and infinities included, to within `tolerance` relative to 1 + |expected|. */
export function expectClose(actual: Tensor, expected: Tensor | ReferenceArray, tolerance = 1e-12): void {
  expect(actual.shape).toEqual(expected.shape)
  const wanted = 'data' in expected && typeof expected.data !== 'function' ? expected.data : (expected as Tensor).toArray()
  actual.toArray().forEach((value, i) => {
    const close = Object.is(value, wanted[i]) || value === wanted[i] || Math.abs(value - wanted[i]) <= tolerance * (1 + Math.abs(wanted[i]))
    if (!close) expect.fail(`entry ${i} is ${value}, expected ${wanted[i]}`)
  })
}

/** A reference array as a tensor; indices become int32. */
export function fromReference({ data, shape }: ReferenceArray): Tensor {
  return tensor(data instanceof Uint32Array ? Int32Array.from(data) : data, { shape })
}
