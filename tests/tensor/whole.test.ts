// Whole numbers modulo 2³², against BigInt.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  add, cast, conv2d, dense, depthwiseConv, matmul, mul, pow, putAlong, scatter, square, stack, sub, sum, tensor, type DType,
  type Shape, type Tensor,
} from '../../src/index.ts'
import * as conv from '../../src/tensor/ops/conv2d/conv2d.ts'
import { denseFilterOp } from '../../src/tensor/ops/dense.ts'
import * as depthwise from '../../src/tensor/ops/depthwise-conv/depthwise-conv.ts'
import { windows } from '../../src/tensor/ops/window.ts'
import { bits } from '../../src/tensor/ops/random.ts'
import { key } from '../../src/tensor/key.ts'
import { apply } from '../../src/tensor/trace.ts'
import { list } from './values.ts'

type Whole = 'int32' | 'uint32'
const dtypes = fc.constantFrom<Whole>('int32', 'uint32')
const seeds = fc.nat(2 ** 31 - 1)

function wrapped(dtype: DType, v: bigint): number {
  return Number(dtype === 'int32' ? BigInt.asIntN(32, v) : BigInt.asUintN(32, v))
}

/** Arbitrary numbers of this type. */
function any(seed: number, shape: Shape, dtype: Whole): Tensor {
  const words = bits(key(seed), shape).toArray()
  return tensor(dtype === 'uint32' ? words : Int32Array.from(words), { shape, dtype })
}

const big = (x: Tensor): bigint[] => list(x).map(BigInt)

describe('whole numbers', () => {
  it('are added, multiplied and raised modulo 2³²', () => {
    expect(list(mul(tensor([123456789], { dtype: 'int32' }), 987654321))).toEqual([-67153019])
    fc.assert(fc.property(seeds, dtypes, (seed, dtype) => {
      const [a, b] = [any(seed, [20], dtype), any(seed + 1, [20], dtype)]
      const each = (f: (x: bigint, y: bigint) => bigint): number[] => (
        big(a).map((x, i) => wrapped(dtype, f(x, big(b)[i]))))
      expect(list(add(a, b))).toEqual(each((x, y) => x + y))
      expect(list(sub(a, b))).toEqual(each((x, y) => x - y))
      expect(list(mul(a, b))).toEqual(each((x, y) => x * y))
      expect(list(square(a))).toEqual(each(x => x * x))
      for (const n of [0, 1, 2, 3, 7, 33]) expect(list(pow(a, n))).toEqual(each(x => x ** BigInt(n)))
      expect(list(sum(a))).toEqual([wrapped(dtype, big(a).reduce((x, y) => x + y))])
    }))
  })

  it('are multiplied as matrices modulo 2³², with a bias', () => {
    fc.assert(fc.property(seeds, dtypes, fc.integer({ min: 1, max: 6 }), (seed, dtype, m) => {
      const [a, b, bias] = [any(seed, [5, 7], dtype), any(seed + 1, [7, m], dtype), any(seed + 2, [m], dtype)]
      const entry = (r: number, j: number): bigint => (
        Array.from({ length: 7 }, (_, k) => big(a)[7 * r + k] * big(b)[m * k + j]).reduce((x, y) => x + y))
      const each = (f: (r: number, j: number) => bigint): number[] => (
        Array.from({ length: 5 * m }, (_, i) => wrapped(dtype, f(Math.floor(i / m), i % m))))
      expect(list(matmul(a, b))).toEqual(each(entry))
      const both = (x: Tensor): Tensor => stack([x, x])
      expect(list(matmul(both(a), both(b)))).toEqual([...each(entry), ...each(entry)])
      expect(list(dense(a, b, { bias }))).toEqual(each((r, j) => entry(r, j) + big(bias)[j]))
    }))
  })

  it('are fractions without their decimals, modulo 2³²; NaN and ∞ become 0', () => {
    const numbers = fc.oneof(
      fc.double(), fc.double({ min: -(2 ** 34), max: 2 ** 34, noNaN: true }), fc.constantFrom(NaN, Infinity, -Infinity, -0, 2 ** 32, -1.5),
    )
    fc.assert(fc.property(fc.array(numbers), dtypes, fc.constantFrom('float32', 'float64'), (values, dtype, from) => {
      const x = tensor(values, { dtype: from, shape: [values.length] })
      const cut = (v: number): number => (Number.isFinite(v) ? wrapped(dtype, BigInt(Math.trunc(v))) : 0)
      expect(list(cast(x, dtype))).toEqual(list(x).map(cut))
    }))
    expect(list(cast(tensor([-1, 5], { dtype: 'int32' }), 'uint32'))).toEqual([2 ** 32 - 1, 5])
  })

  it('are summed exactly where indices repeat', () => {
    const most = tensor(new Int32Array(9).fill(2 ** 31 - 1))
    expect(list(scatter(most, new Array<number>(9).fill(1), 0, 2))).toEqual([0, wrapped('int32', 9n * (2n ** 31n - 1n))])
    expect(list(putAlong(most, tensor(new Int32Array(9)), 0, 1))).toEqual([wrapped('int32', 9n * (2n ** 31n - 1n))])
  })

  // In parts of 16 digits, float64 is exact: x·k = x₀k₀ + 2¹⁶ (x₁k₀ + x₀k₁) + 2³² x₁k₁.
  const win = windows('test', any(0, [2, 4, 5, 3], 'int32'), [3, 3], { padding: 'circular', dilation: 2 })
  const rows = tensor(Uint32Array.from({ length: 40 }, (_, i) => +(i % 3 > 0)), { shape: [2, 4, 5] })
  it.each<[string, Shape, Shape, (x: Tensor, k: Tensor) => Tensor]>([
    ['conv2d', [2, 4, 5, 3], [3, 3, 3, 5], (x, k) => conv2d(x, k, { padding: 'reflect', stride: 2 })],
    ['conv2dInput', [2, 4, 5, 5], [3, 3, 3, 5], (g, k) => apply(conv.conv2dInputOp, [g, k, rows], win)],
    ['conv2dFilter', [2, 4, 5, 3], [2, 4, 5, 5], (x, g) => apply(conv.conv2dFilterOp, [x, g, rows], win)],
    ['depthwiseConv', [2, 4, 5, 3], [3, 3, 3, 2], (x, k) => depthwiseConv(x, k)],
    ['depthwiseConvInput', [2, 4, 5, 6], [3, 3, 3, 2], (g, k) => apply(depthwise.depthwiseConvInputOp, [g, k], win)],
    ['depthwiseConvFilter', [2, 4, 5, 3], [2, 4, 5, 6], (x, g) => apply(depthwise.depthwiseConvFilterOp, [x, g], win)],
    ['denseFilter', [2, 4, 5, 3], [2, 4, 5, 6], (x, g) => apply(denseFilterOp, [x, g, rows], null)],
  ])('go through %s modulo 2³²', (_, one, other, f) => {
    fc.assert(fc.property(seeds, dtypes, (seed, dtype) => {
      const [x, k] = [any(seed, one, dtype), any(seed + 1, other, dtype)]
      const halves = [x, k].map(t => [0, 16].map(shift => (
        tensor(Float64Array.from(t.toArray(), v => (v >>> shift) & 0xffff), { shape: t.shape }))))
      const part = (i: number, j: number): bigint[] => big(f(halves[0][i], halves[1][j]))
      const [low, middle, other2] = [part(0, 0), part(1, 0), part(0, 1)]
      const expected = low.map((v, i) => wrapped(dtype, v + ((middle[i] + other2[i]) << 16n)))
      expect(list(f(x, k))).toEqual(expected)
    }), { numRuns: 10 })
  })
})
