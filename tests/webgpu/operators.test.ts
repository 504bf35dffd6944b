// Every operator on a GPU. Those with a derivative run on the cases that test it, in the long tests to second order, and
// must agree with the float64 loops of the CPU. The others, and what those cases leave out (NaN, infinity, ties, whole numbers), must
// give the values of the CPU exactly. Elementary functions have bounds of error.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as cellgrad from '../../src/index.ts'
import { cast, concat, tensor, vjp, type Backend, type Data, type DType, type Padding, type Tensor } from '../../src/index.ts'
import { fireOp } from '../../src/tensor/ops/fire.ts'
import { castIntegersOp } from '../../src/tensor/ops/cast.ts'
import { stopGradientOp } from '../../src/tensor/ops/stop-gradient.ts'
import { key } from '../../src/tensor/key.ts'
import type { Op } from '../../src/tensor/op.ts'
import * as arithmetic from '../../src/tensor/ops/arithmetic.ts'
import * as compare from '../../src/tensor/ops/compare.ts'
import * as conv from '../../src/tensor/ops/conv2d/conv2d.ts'
import * as create from '../../src/tensor/ops/create.ts'
import * as denses from '../../src/tensor/ops/dense.ts'
import * as depthwise from '../../src/tensor/ops/depthwise-conv/depthwise-conv.ts'
import { dilateOp } from '../../src/tensor/ops/dilate.ts'
import * as functions from '../../src/tensor/ops/functions.ts'
import { winningTapOp } from '../../src/tensor/ops/max-pool.ts'
import { powDerivativeOp } from '../../src/tensor/ops/power.ts'
import * as reduce from '../../src/tensor/ops/reduce.ts'
import { argSortOp } from '../../src/tensor/ops/sort.ts'
import { sumOp } from '../../src/tensor/ops/broadcast.ts'
import { windows } from '../../src/tensor/ops/window.ts'
import * as random from '../../src/tensor/ops/random.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { apply } from '../../src/tensor/trace.ts'
import { operators } from '../operators/all.ts'
import { given, gradCase, seeds, shapes, special, type Case } from '../operators/case.ts'
import { cases } from '../operators/cases.ts'
import { long } from '../long.ts'
import { expectAgreement, expectSame, type Make } from './agreement.ts'
import { sharedGpu, some } from './gpu.ts'
import { refuseLeaks } from './leaks.ts'

const { normal } = random

const gpu = await sharedGpu()

refuseLeaks(gpu)

const runs = some(1 / 3).numRuns
// The operators in the derivative of an operator have cases of their own, so that the first order has met most kernels.
const order = long ? 2 : 1
const upTo = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max })

// ---- derivatives ----

function numbered(list: readonly Case[]): (readonly [string, Case])[] {
  return list.map((c, i) => [`${c.op.name} (${i})`, c])
}

describe(`in value and derivatives to order ${order}, WebGPU agrees with the CPU:`, () => {
  it.each(numbered(cases))('%s', (_, c) => expectAgreement(gpu, c, { numRuns: runs, order }))
})

/** Normal numbers, where tensors of cases are made. */
function normals(seed: number, shape: readonly number[]): Tensor {
  return given(normal(key(seed), shape).toArray(), shape)
}

/** A mask with some ones. */
function mask(seed: number, shape: readonly number[]): Tensor {
  return given(normal(key(seed), shape).toArray().map(v => +(v > 0)), shape, 'uint32')
}

// Kernels that share work among many threads meet only one of them in small cases.
const large: Case[] = [
  gradCase(sumOp, fc.record({
    shape: shapes(3, 9), long: fc.constantFrom(40, 300), axes: fc.subarray([0, 1, 2, 3]), seed: seeds,
  }), ({ shape, long, axes, seed }) => ({
    f: x => cellgrad.sum(x, axes), at: [normals(seed, shape.toSpliced(2, 0, long))],
  })),
  gradCase(denses.denseOp, fc.record({
    cells: shapes(3, 8), n: upTo(48), m: upTo(40), masked: fc.boolean(), biased: fc.boolean(), seed: seeds,
  }), ({ cells, n, m, masked, biased, seed }) => {
    const rows = masked ? mask(seed + 3, cells) : undefined
    return {
      f: (x, w, bias) => cellgrad.dense(x, w, { bias, mask: rows }),
      at: [normals(seed, [...cells, n]), normals(seed + 1, [n, m]), ...(biased ? [normals(seed + 2, [m])] : [])],
    }
  }),
  gradCase(conv.conv2dOp, fc.record({
    cells: shapes(3, 8), n: upTo(12), m: upTo(12), masked: fc.boolean(), stride: upTo(2), seed: seeds,
  }), ({ cells: [b, h, w], n, m, masked, stride, seed }) => {
    const rows = masked ? mask(seed + 3, [b, Math.ceil(h / stride), Math.ceil(w / stride)]) : undefined
    return {
      f: (x, k) => cellgrad.conv2d(x, k, { stride, mask: rows }),
      at: [normals(seed, [b, h, w, n]), normals(seed + 1, [3, 3, n, m])],
    }
  }),
  gradCase(depthwise.depthwiseConvOp, fc.record({
    cells: shapes(2, 8), n: upTo(12), m: upTo(4), masked: fc.boolean(), seed: seeds,
  }), ({ cells: [h, w], n, m, masked, seed }) => {
    const rows = masked ? mask(seed + 3, [6, h, w]) : undefined
    return {
      f: (x, k) => cellgrad.depthwiseConv(x, k, { padding: 'circular', mask: rows }),
      at: [normals(seed, [6, h, w, n]), normals(seed + 1, [3, 3, n, m])],
    }
  }),
  gradCase(reduce.logSumExpOp, fc.record({ n: upTo(500), axis: fc.constantFrom(0, 1), seed: seeds }),
    ({ n, axis, seed }) => ({
      f: x => cellgrad.mul(cellgrad.logSumExp(x, axis, { keepDims: true }), cellgrad.logSoftmax(x, axis)),
      at: [normals(seed, axis === 0 ? [n, 3] : [3, n])],
    })),
]

describe('with many terms, WebGPU agrees with the CPU:', () => {
  it.each(numbered(large))('%s', (_, c) => expectAgreement(gpu, c, { numRuns: runs, long: true, order }))

  it('concat of any number of tensors', async () => {
    await fc.assert(fc.asyncProperty(fc.array(fc.nat(3), { minLength: 8, maxLength: 60 }), async sizes => {
      const parts = sizes.map((n, i) => Float32Array.from({ length: n }, (_, k) => 10 * i + k))
      const list = parts.map(data => tensor(data, { backend: gpu }))
      expect(await concat(list).data()).toEqual(Float32Array.from(parts.flatMap(data => [...data])))
    }), { numRuns: runs })
  })
})

it(`interpolate, made of other operators, agrees in value and derivatives to order ${order}`, async () => {
  const sizes = fc.record({ h: upTo(5), w: upTo(5), H: upTo(9), W: upTo(9), mode: fc.constantFrom('bilinear' as const, 'nearest' as const), seed: seeds })
  const calls = sizes.map(({ h, w, H, W, mode, seed }) => () => ({
    f: (x: Tensor) => cellgrad.interpolate(x, [H, W], { mode }), at: [normals(seed, [2, h, w, 2])],
  }))
  await expectAgreement(gpu, { calls }, { numRuns: runs, order })
})

// ---- values ----

/** Numbers of 32 bits, special ones among them. */
const floats = fc.oneof(
  fc.constantFrom(NaN, Infinity, -Infinity, 0, -0, 0.5, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** -149, -(2 ** -149)),
  fc.constant(NaN), fc.float(), fc.float({ min: -8, max: 8 }), fc.integer({ min: -3, max: 3 }),
)
const whole = {
  int32: fc.oneof(fc.integer(), fc.integer({ min: -3, max: 3 })),
  uint32: fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.nat(3)),
}

/** One kind of number, and a list of them. */
const lists = fc.constantFrom<DType>('float32', 'float32', 'int32', 'uint32').chain(dtype => fc.record({
  dtype: fc.constant(dtype),
  values: fc.array<number>(dtype === 'float32' ? floats : whole[dtype as 'int32'], { minLength: 1, maxLength: 300 }),
}))

/** Below this, GPUs may compute with 0 instead of a number. */
const tiny = 2 ** -126
const flushed = (v: number): number => (Math.abs(v) < tiny ? 0 : v)
const computable = lists.map(({ dtype, values }) => ({ dtype, values: values.map(flushed) }))

type Exact = { op: Op<never>; check: () => Promise<void> }

/** An operator that is exact on lists of numbers. */
function exact<I>(
  op: Op<never>, inputs: fc.Arbitrary<I>, f: (input: I, make: Make, backend: Backend) => Tensor,
): Exact {
  const property = fc.asyncProperty(inputs, input => expectSame(gpu, (make, backend) => f(input, make, backend)))
  return { op, check: () => fc.assert(property) }
}

/** Pairs of numbers that are often equal. */
const pairs = lists.chain(list => fc.record({
  list: fc.constant(list),
  other: fc.shuffledSubarray(list.values, { minLength: list.values.length }),
  kept: fc.array(fc.boolean(), { minLength: list.values.length, maxLength: list.values.length }),
}))

function binary(op: Op<never>, f: (a: Tensor, b: Tensor) => Tensor): Exact {
  return exact(op, pairs, ({ list: { dtype, values }, other, kept }, make) => (
    f(make(values, { dtype }), make(other.map((v, i) => (kept[i] ? values[i] : v)), { dtype }))))
}

const unary = (op: Op<never>, f: (x: Tensor) => Tensor, inputs = lists): Exact => (
  exact(op, inputs, ({ dtype, values }, make) => f(make(values, { dtype }))))

const lines = fc.record({
  shape: fc.oneof(shapes(3, 6), fc.tuple(upTo(3), upTo(400), upTo(2)), fc.tuple(upTo(1), upTo(5000), upTo(2))),
  axis: fc.nat(2), descending: fc.boolean(), list: lists,
})
const keys = fc.tuple(seeds, seeds)
const draws = fc.record({ k: keys, shape: shapes(3, 9) })

/** As many numbers as the shape needs, out of the list. */
const fill = (values: number[], shape: readonly number[]): number[] => (
  Array.from({ length: sizeOf(shape) }, (_, i) => values[i * i % 7919 % values.length]))

const pools = fc.record({
  shape: shapes(4, 5), list: lists, k: fc.constantFrom(1, 3, 5), dilation: upTo(2),
  padding: fc.constantFrom<Padding>('zero', 'circular', 'reflect', 'replicate'),
}).map(({ shape: [b, h, w, c], ...rest }) => {
  // A mirror shows no more than there is.
  const least = rest.padding === 'reflect' ? (Math.max(3, rest.k) - 1) / 2 * rest.dilation + 1 : 1
  return { ...rest, shape: [b, Math.max(h, least), Math.max(w, least), c] }
})

const valued: Exact[] = [
  binary(compare.greaterOp, cellgrad.greater),
  binary(compare.greaterEqualOp, cellgrad.greaterEqual),
  binary(compare.equalOp, cellgrad.equal),
  binary(compare.notEqualOp, cellgrad.notEqual),
  binary(compare.andOp, cellgrad.and),
  binary(compare.orOp, cellgrad.or),
  binary(arithmetic.maximumOp, cellgrad.maximum),
  binary(arithmetic.minimumOp, cellgrad.minimum),
  binary(compare.whereOp, (a, b) => cellgrad.where(a, b, cellgrad.maximum(a, b))),
  unary(compare.notOp, cellgrad.not),
  unary(functions.signOp, cellgrad.sign),
  unary(functions.reluOp, cellgrad.relu),
  unary(functions.absOp, cellgrad.abs, computable),
  unary(functions.floorOp, cellgrad.floor, computable),
  unary(castIntegersOp, x => cast(x, 'uint32')),
  unary(castIntegersOp, x => cast(x, 'int32')),
  unary(castIntegersOp, x => cast(x, 'float32')),
  unary(stopGradientOp, cellgrad.stopGradient),
  exact(reduce.argExtremeOp, lines, ({ shape, axis, descending, list: { dtype, values } }, make) => (
    apply(reduce.argExtremeOp, [make(fill(values, shape), { dtype, shape })], { axis, sign: descending ? 1 : -1 }))),
  exact(reduce.argExtremeOp, lines, ({ shape, axis, list: { dtype, values } }, make) => (
    cellgrad.argMax(make(fill(values, shape), { dtype, shape }), axis))),
  exact(argSortOp, lines, ({ shape, axis, descending, list: { dtype, values } }, make) => (
    cellgrad.argSort(make(fill(values, shape), { dtype, shape }), axis, { descending }))),
  exact(winningTapOp, pools, ({ shape, list: { dtype, values }, k, ...options }, make) => {
    const x = make(fill(values, shape), { dtype, shape })
    return apply(winningTapOp, [x], windows('test', x, [k, k], options))
  }),
  exact(dilateOp, pools, ({ shape: [b, h, w], list: { values }, k, padding, dilation }, make) => {
    const marks = make(fill(values, [b, h, w]).map(v => +(v > 1)), { shape: [b, h, w], dtype: 'uint32' })
    return cellgrad.dilate(marks, [k, 3], { padding, dilation })
  }),
  exact(create.fullOp, lists, ({ dtype, values: [value] }, _, backend) => (
    cellgrad.full([3, 50], value, { dtype, backend }))),
  exact(create.iotaOp, lists, ({ dtype, values: { length } }, _, backend) => (
    cellgrad.range(length, { dtype, backend }))),
  exact(random.bitsOp, draws, ({ k, shape }, _, backend) => random.bits(k, shape, { backend })),
  exact(random.uniformOp, draws, ({ k, shape }, _, backend) => random.uniform(k, shape, { backend })),
  exact(fireOp, fc.record({ k: keys, shape: shapes(4, 9), rate: fc.constantFrom(0, 1e-9, 0.1, 0.5, 0.999, 1) }),
    ({ k, shape, rate }, _, backend) => cellgrad.fire(k, cellgrad.zeros(shape, { backend }), rate)),
]

describe('in value, WebGPU is exactly like the CPU:', () => {
  it.each(valued.map(({ op, check }, i) => [`${op.name} (${i})`, check] as const))('%s', (_, check) => check())

  it('arithmetic, also of infinity, NaN and whole numbers', async () => {
    // Results below `tiny` may be 0 on a GPU.
    const limited = (v: number, most: number): number => {
      if (Math.abs(v) < 2 ** -40) return 0
      return Number.isFinite(v) && Math.abs(v) > most ? v % most : v
    }
    await fc.assert(fc.asyncProperty(pairs, async ({ list: { dtype, values }, other }) => {
      const float = dtype === 'float32'
      const [a, b] = [values, other].map(list => (float ? list.map(v => limited(v, 2 ** 40)) : list))
      for (const f of [cellgrad.add, cellgrad.sub]) {
        await expectSame(gpu, make => f(make(a, { dtype }), make(b, { dtype })))
      }
      const factors = float ? b.map(v => limited(v, 2 ** 20)) : b
      await expectSame(gpu, make => cellgrad.mul(make(a, { dtype }), make(factors, { dtype })))
      if (dtype !== 'uint32') await expectSame(gpu, make => cellgrad.neg(make(a, { dtype })))
      if (!float) return expectSame(gpu, make => cellgrad.sum(make(a, { dtype })))
      const quotients = await cellgrad.div(tensor(a, { backend: gpu }), tensor(b, { backend: gpu })).data()
      expectWithin(2 ** -21, quotients, a.map((v, i) => Math.fround(v) / Math.fround(b[i])), Math.abs)
    }), { numRuns: runs })
  })

  it('infinity times numbers that a GPU treats as 0', async () => {
    const others = [Infinity, -Infinity, 1e-40, -1e-45, 0, -0, 2, NaN]
    const infinite = [Infinity, -Infinity].flatMap(v => others.flatMap(w => [[v, w], [w, v]]))
    await expectSame(gpu, make => cellgrad.mul(make(infinite.map(([v]) => v)), make(infinite.map(([, w]) => w))))
  })

  it('oneHot, also of classes that do not exist', async () => {
    const classes = fc.array(fc.integer({ min: -2, max: 8 }), { minLength: 1, maxLength: 99 })
    await fc.assert(fc.asyncProperty(classes, fc.nat(6), async (list, n) => {
      for (const dtype of ['int32', 'uint32'] as const) {
        await expectSame(gpu, make => cellgrad.oneHot(make(dtype === 'int32' ? list : list.map(Math.abs), { dtype }), n))
      }
    }), { numRuns: runs })
  })

  it('whole numbers through sums, products and powers', async () => {
    const inputs = fc.record({
      shape: shapes(3, 6), dtype: fc.constantFrom<'int32' | 'uint32'>('int32', 'uint32'), seed: seeds, n: fc.nat(9),
    })
    await fc.assert(fc.asyncProperty(inputs, ({ shape, dtype, seed, n }) => expectSame(gpu, make => {
      const any = (i: number, of: readonly number[]): Tensor => (
        make([...cast(random.bits(key(seed + i), of), dtype).toArray()], { shape: of, dtype }))
      const x = any(0, shape)
      const y = cellgrad.dense(x, any(1, [shape[2], 5]), { bias: any(2, [5]) })
      const padded = cellgrad.pad(y, [[0, 1], [2, 0], [0, 0]], { value: 7 })
      const image = cellgrad.reshape(padded, [1, ...padded.shape])
      const [k, filters] = [any(3, [3, 3, 5, 4]), any(4, [3, 3, 5, 2])]
      const win = windows('test', image, [3, 3], {})
      const [a, b] = [cellgrad.conv2d(image, k), cellgrad.depthwiseConv(image, filters)]
      return concat([
        padded, cellgrad.pow(padded, n), cellgrad.sum(padded, 1), a, b,
        apply(denses.denseFilterOp, [x, y], null),
        apply(conv.conv2dInputOp, [a, k], win), apply(conv.conv2dFilterOp, [image, a], win),
        apply(depthwise.depthwiseConvInputOp, [b, filters], win),
        apply(depthwise.depthwiseConvFilterOp, [image, b], win),
      ].map(t => cellgrad.reshape(t, [-1])))
    })), { numRuns: runs })
    await expectSame(gpu, make => cellgrad.pow(
      make([-2, -1, 0, 1, 2, -1, 3, 0], { dtype: 'int32' }), make([-1, -3, 2, -5, 9, -2, 0, 0], { dtype: 'int32' })))
  })

  it('maxPool with ties, infinity and NaN, and its derivative', async () => {
    await fc.assert(fc.asyncProperty(pools, ({ shape, list: { values }, k }) => expectSame(gpu, make => {
      const x = make(fill(values, shape).map(v => Math.sign(v) / +(Math.abs(v) < 2 ** 31)), { shape })
      const [y, pullback] = vjp((v: Tensor) => cellgrad.maxPool(v, k), x)
      return concat([y, pullback(cellgrad.onesLike(y))])
    })), { numRuns: runs })
  })

  it('cells outside the mask or the grid are not read', async () => {
    const shape = [1, 4, 5, 3]
    const numbers = fc.array(floats, { minLength: 1 })
    await fc.assert(fc.asyncProperty(numbers, seeds, (values, seed) => expectSame(gpu, make => {
      const marks = [...random.bits(key(seed), shape.slice(0, 3)).toArray()].map(v => v & 1)
      const rows = make(marks, { shape: shape.slice(0, 3), dtype: 'uint32' })
      // Where there is no row, anything may stand; elsewhere zeros do.
      const x = make(fill(values, shape).map((v, i) => (marks[Math.floor(i / 3)] ? 0 : v)), { shape })
      const win = windows('test', x, [3, 3], {})
      const kernel = make(new Array<number>(81).fill(1), { shape: [3, 3, 3, 3] })
      const results = [
        apply(denses.denseOp, [x, make([1, 2, 3, 1, 2, 3, 1, 2, 3], { shape: [3, 3] }), rows], { bias: false }),
        apply(conv.conv2dInputOp, [x, kernel, rows], win),
        apply(depthwise.depthwiseConvInputOp, [concat([x, x, x]), kernel, rows], win),
      ]
      const filters = [
        apply(denses.denseFilterOp, [x, x, rows], null),
        apply(conv.conv2dFilterOp, [cellgrad.onesLike(x), x, rows], win),
        apply(depthwise.depthwiseConvFilterOp, [cellgrad.onesLike(x), x, rows], win),
      ]
      return concat([...results, ...filters].map(y => cellgrad.reshape(y, [-1])))
    })), { numRuns: runs })
  })
})

// ---- functions ----

/** All kinds of numbers: every so many of those that 32 bits can hold. */
const everywhere = new Float32Array(Uint32Array.from({ length: 20_011 }, (_, i) => i * 214_631).buffer)
/** Numbers from −limit to limit. */
const within = (limit: number): Float32Array => Float32Array.from({ length: 5001 }, (_, i) => limit * (i / 2500 - 1))

/** Fails unless errors, as parts of `size`, keep the bound, and there is NaN or infinity where there should be. */
function expectWithin(bound: number, got: Data, wanted: number[], size: (v: number) => number): void {
  let worst = 0, at = -1
  wanted.forEach((v, i) => {
    const rounded = Math.fround(v)
    const same = Object.is(rounded, got[i]) || (rounded === 0 && got[i] === 0)
    const error = same ? 0 : Math.max(0, Math.abs(got[i] - v) - tiny) / size(v)
    if (error > worst || Number.isNaN(error)) [worst, at] = [error, i]
  })
  expect(worst, `at ${at}: ${got[at]} instead of ${wanted[at]}`).toBeLessThanOrEqual(bound)
}

describe('functions of WebGPU are right', () => {
  const absolute = (): number => 1
  it.each([
    ['exp', cellgrad.exp, Math.exp, Math.abs],
    ['log', cellgrad.log, Math.log, Math.abs],
    ['log1p', cellgrad.log1p, Math.log1p, Math.abs],
    ['sqrt', cellgrad.sqrt, Math.sqrt, Math.abs],
    ['tanh', cellgrad.tanh, Math.tanh, Math.abs],
    ['sigmoid', cellgrad.sigmoid, (x: number) => 1 / (1 + Math.exp(-x)), Math.abs],
    ['sin', cellgrad.sin, Math.sin, absolute],
    ['cos', cellgrad.cos, Math.cos, absolute],
  ])('%s', async (_, f, reference, size) => {
    const parts = [everywhere, within(1), within(100), within(1e4)]
    const x = Float32Array.from(parts.flatMap(list => [...list].map(flushed)))
    const got = await f(tensor(x, { backend: gpu })).data()
    expectWithin(2 ** -21, got, [...x].map(reference), size)
  })

  it('pow', async () => {
    const special = [NaN, Infinity, -Infinity, 0, -0, 1, -1, 0.5, -0.5, 2, -2, 3, -3, 1e9, -1e9, 16777217, 3e38, 1e-45]
    const count = 4000
    const x = normal(key(1), [count]).toArray(), y = normal(key(2), [count]).toArray()
    const list = [
      ...special.flatMap(one => special.map(other => [one, other])),
      ...Array.from({ length: count }, (_, i) => [
        [x[i], Math.round(5 * y[i])], [Math.abs(x[i]), 20 * y[i]],
        [2 ** (20 * x[i]), y[i]], [1 + x[i] / 1000, 3e4 * y[i]],
      ]).flat(),
    ]
    const [a, b] = [0, 1].map(side => Float32Array.from(list, pair => pair[side]))
    const got = await cellgrad.pow(tensor(a, { backend: gpu }), tensor(b, { backend: gpu })).data()
    expectWithin(2 ** -21, got, [...a].map((v, i) => v ** b[i]), Math.abs)
  })

  it('derivatives of pow, at special points too', async () => {
    const pairs = special.flatMap(a => [...special, 2.5].map(b => [a, b]))
    const [a, b] = [0, 1].map(side => Float32Array.from(pairs, pair => pair[side]))
    for (const [m, n] of [[1, 0], [0, 1], [1, 1], [2, 0], [0, 2], [2, 1], [3, 0]]) {
      const [got, wanted] = [gpu, cellgrad.cpu()].map(backend => apply(
        powDerivativeOp, [tensor(a, { backend }), tensor(b, { backend })], { m, n }))
      expectWithin(2 ** -18, await got.data(), [...wanted.toArray()], v => 1 + Math.abs(v))
    }
  })

  it('logSumExp and logSoftmax, also of lines with NaN and infinity', async () => {
    const numbers = fc.float({ min: -8, max: 8, noNaN: true })
    const entries = fc.oneof(fc.constantFrom(-Infinity, -Infinity, Infinity, NaN), numbers)
    const few = fc.array(entries, { minLength: 2, maxLength: 9 })
    const inputs = fc.record({ n: fc.constantFrom(1, 2, 3, 70), few })
    await fc.assert(fc.asyncProperty(inputs, async ({ n, few: list }) => {
      const values = Float32Array.from(fill(list, [5, n]))
      for (const f of [cellgrad.logSumExp, cellgrad.logSoftmax]) {
        const wanted = f(tensor(Float64Array.from(values), { shape: [5, n] })).toArray()
        expectWithin(2 ** -21, await f(tensor(values, { shape: [5, n], backend: gpu })).data(), [...wanted], () => 10)
      }
    }), { numRuns: runs })
  })

  it('normal', async () => {
    await fc.assert(fc.asyncProperty(keys, async k => {
      const got = await normal(k, [2000], { backend: gpu }).data()
      expectWithin(2e-6, got, [...normal(k, [2000], { dtype: 'float64' }).toArray()], absolute)
    }), { numRuns: runs })
  })

})

describe('every operator', () => {
  it('has a kernel for WebGPU', () => {
    expect([...operators].filter(op => !op.wgsl && !op.view).map(op => op.name)).toEqual([])
  })

  it('is tested here', () => {
    const proven = new Set([...cases, ...valued].map(({ op }) => op).concat(random.normalOp))
    expect([...operators].filter(op => !proven.has(op)).map(op => op.name)).toEqual([])
  })
})
