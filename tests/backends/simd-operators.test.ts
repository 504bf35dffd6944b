import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { add, cpu, dense, defineOp, tensor, type Data, type Padding, type Tensor } from '../../src/index.ts'
import { isLarge } from '../../src/backends/wasm/simd/conditions.ts'
import { scratch } from '../../src/backends/wasm/simd/scratch.ts'
import { supports } from '../../src/backends/wasm/module.ts'
import type { Op } from '../../src/tensor/op.ts'
import * as arithmetic from '../../src/tensor/ops/arithmetic.ts'
import * as compare from '../../src/tensor/ops/compare.ts'
import * as conv from '../../src/tensor/ops/conv2d/conv2d.ts'
import { denseFilterOp, denseOp } from '../../src/tensor/ops/dense.ts'
import { matmulOp } from '../../src/tensor/ops/matmul.ts'
import * as depthwise from '../../src/tensor/ops/depthwise-conv/depthwise-conv.ts'
import * as functions from '../../src/tensor/ops/functions.ts'
import * as pool from '../../src/tensor/ops/max-pool.ts'
import { sumOp } from '../../src/tensor/ops/broadcast.ts'
import { outputSize, type Windows } from '../../src/backends/window.ts'
import { windows } from '../../src/tensor/ops/window.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { apply } from '../../src/tensor/trace.ts'
import { long } from '../long.ts'
import { operators } from '../operators/all.ts'

const room = scratch(supports('fma') ? 'fma' : 'plain')

/** Every operator that has a SIMD kernel. */
const fast = [...operators].filter(op => op.simd)
const proven = new Set<unknown>()

// ---- numbers ----

/** Numbers from −1 to 1, the same for the same seed. */
function numbers(seed: number, shape: readonly number[], scale = 1): Tensor {
  let state = seed * 2654435761 + 12345
  const draw = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return scale * (state / 2 ** 31 - 1)
  }
  return tensor(Float32Array.from({ length: sizeOf(shape) }, draw), { shape })
}

/** A random mask; for some seeds all or none of its entries are 1. */
function mask(seed: number, shape: readonly number[]): Tensor {
  const above = [-2, -0.5, 0, 0.6, 2][seed % 5]
  return tensor(Uint32Array.from(numbers(seed, shape).toArray(), v => +(v > above)), { shape })
}

/** Puts NaN into the rows that the mask leaves out. */
function poisoned(x: Tensor, rows: Tensor | undefined): Tensor {
  if (!rows) return x
  const n = x.shape.at(-1)!, marks = rows.toArray()
  return tensor(Float32Array.from(x.toArray(), (v, i) => (marks[Math.floor(i / n)] ? v : NaN)), { shape: x.shape })
}

// ---- both kernels of an operator ----

type Run<A> = { op: Op<A>; inputs: readonly Tensor[]; attrs: A; scalars?: readonly number[] }

function call<A>({ op, inputs, attrs, scalars = [] }: Run<A>): { spec: Parameters<typeof op.cpu>[2]; out: () => Data } {
  const out = op.infer(inputs, attrs)
  const make = { float32: Float32Array, float64: Float64Array, int32: Int32Array, uint32: Uint32Array }[out.dtype]
  return {
    spec: { inputs, out, attrs, scalars },
    out: () => new make(sizeOf(out.shape)).fill(NaN),
  }
}

function plainly<A>(run: Run<A>): Data {
  const { spec, out } = call(run)
  const result = out()
  run.op.cpu(run.inputs.map(x => x.toArray()), result, spec)
  return result
}

/** Fills the scratch memory with NaN, so that reading from it without having written is noticed. */
function dirty(): void {
  const side = 256, shape = [side, side], x = new Float32Array(side * side).fill(NaN)
  const spec = { inputs: [{ shape }, { shape }], out: { shape }, attrs: { bias: false }, scalars: [] }
  denseOp.simd!(room)([x, x], x.slice(), spec as never)
}

/** The result of the fast kernel; null if it declines. */
function fastly<A>(run: Run<A>): Data | null {
  dirty()
  const { spec, out } = call(run)
  const result = out()
  proven.add(run.op)
  const done = run.op.simd!(room)(run.inputs.map(x => x.toArray()), result, spec as never)
  if (!done) expect(result, 'an operator that declines leaves the output alone').toEqual(out())
  return done ? result : null
}

/** Both give the same bits, except for the sign of zero. */
function expectSame<A>(run: Run<A>): void {
  const [want, got] = [plainly(run), fastly(run)!]
  expect(got).not.toBe(null)
  const wrong = want.findIndex((v, i) => v !== got[i] && !(Number.isNaN(v) && Number.isNaN(got[i])))
  expect(wrong, `element ${wrong} is ${got[wrong]} instead of ${want[wrong]}`).toBe(-1)
}

/** Both agree to 10⁻⁶ of the sum of the absolute values of all terms. */
function expectClose<A>(run: Run<A>, clean: readonly Tensor[] = run.inputs): void {
  const [want, got] = [plainly(run), fastly(run)!]
  expect(got).not.toBe(null)
  const absolute = clean.map(x => tensor(x.toArray().map(v => Math.abs(v)), { shape: x.shape }))
  const scale = plainly({ ...run, inputs: absolute })
  const wrong = want.findIndex((v, i) => !(Math.abs(v - got[i]) <= 1e-6 * scale[i]))
  expect(wrong, `element ${wrong} is ${got[wrong]} instead of ${want[wrong]}, of ${scale[wrong]}`).toBe(-1)
}

const within = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max })

// ---- products ----

it('products of many matrices agree with the plain loops', () => {
  const cases = fc.record({ s: within(1, 4), n: within(8, 90), k: within(1, 50), m: within(1, 50), seed: fc.nat(99) })
    .filter(({ n, k, m }) => isLarge(n, k, m))
  fc.assert(fc.property(cases, ({ s, n, k, m, seed }) => {
    expectClose({ op: matmulOp, inputs: [numbers(seed, [s, n, k]), numbers(seed + 1, [s, k, m])], attrs: null })
  }))
  expect(fastly({ op: matmulOp, inputs: [numbers(1, [9, 2, 3]), numbers(2, [9, 3, 2])], attrs: null })).toBe(null)
})

describe('dense and denseFilter', () => {
  const cases = fc.record({
    rows: within(1, 700), n: within(1, 50), m: within(1, 50), biased: fc.boolean(), masked: fc.boolean(),
    seed: fc.nat(99),
  }).filter(({ rows, n, m }) => isLarge(rows, n, m))

  it('agree with the plain loops and do not read rows outside the mask', () => {
    fc.assert(fc.property(cases, ({ rows, n, m, biased, masked, seed }) => {
      const [x, w, y, bias] = [[rows, n], [n, m], [rows, m], [m]].map((shape, i) => numbers(seed + i, shape))
      const marks = masked ? [mask(seed, [rows])] : []
      const more = [...(biased ? [bias] : []), ...marks]
      const clean = [x, w, ...more]
      expectClose({ op: denseOp, inputs: [poisoned(x, marks[0]), w, ...more], attrs: { bias: biased } }, clean)
      const inputs = [poisoned(x, marks[0]), poisoned(y, marks[0]), ...marks]
      expectClose({ op: denseFilterOp, inputs, attrs: null }, [x, y, ...marks])
    }))
  })

  it('pass on NaN and infinity, only within their rows', () => {
    const x = numbers(1, [300, 16])
    const data = x.toArray()
    data[5 * 16 + 3] = NaN
    data[290 * 16] = Infinity
    const inputs = [tensor(data, { shape: x.shape }), numbers(2, [16, 12])]
    const run = { op: denseOp, inputs, attrs: { bias: false } }
    const [want, got] = [plainly(run), fastly(run)!]
    expect([...got].map(Number.isFinite)).toEqual([...want].map(Number.isFinite))
  })
})

// ---- windows ----

type Meeting = {
  b: number; h: number; w: number; n: number; m: number; kh: number; kw: number
  padding: Padding; stride: number; dilation: number; masked: boolean; seed: number
}

const meetings: fc.Arbitrary<Meeting> = fc.record({
  b: within(1, 2), h: within(1, 20), w: within(1, 20), n: within(1, 9), m: within(1, 9),
  kh: within(1, 5), kw: within(1, 5),
  padding: fc.constantFrom<Padding>('zero', 'circular', 'reflect', 'replicate'), stride: within(1, 3), dilation: within(1, 3),
  masked: fc.boolean(), seed: fc.nat(99),
}).map(({ h, w, ...rest }) => {
  const least = (k: number): number => (rest.padding === 'reflect' ? (k - 1) * rest.dilation + 1 : 1)
  return { ...rest, h: Math.max(h, least(rest.kh)), w: Math.max(w, least(rest.kw)) }
})

/** Too large for one band of lines and one tile of rows. */
const large: Meeting = {
  b: 2, h: 60, w: 37, n: 41, m: 3, kh: 3, kw: 4, padding: 'reflect', stride: 1, dilation: 2, masked: false, seed: 7,
}

/** Each variant with one padding or, in long tests, with all of them. */
const examples: [Meeting][] = (['zero', 'circular', 'reflect', 'replicate'] as const).flatMap((padding, i) => [
  [{ ...large, padding }],
  [{ ...large, padding, masked: true, seed: 3 }],
  [{ ...large, padding, stride: 2, dilation: 1 }],
].filter((_, way) => long || way === i % 3) as [Meeting][])

function windowed({ b, h, w, n, m, kh, kw, stride, masked, seed, ...options }: Meeting, each: boolean): {
  x: Tensor; k: Tensor; g: Tensor; marks: Tensor[]; win: Windows; worthwhile: boolean
} {
  const x = numbers(seed, [b, h, w, n])
  const win = windows('test', x, [kh, kw], each ? options : { ...options, stride })
  const out = [b, ...outputSize(win)]
  const k = numbers(seed + 1, [kh, kw, n, m]), g = numbers(seed + 2, [...out, each ? n * m : m])
  const worthwhile = each ? isLarge(sizeOf(out), kh * kw, n * m) : isLarge(sizeOf(out), kh * kw * n, m)
  return { x, k, g, win, marks: masked ? [mask(seed, out)] : [], worthwhile }
}

describe('convolutions', () => {
  const families = [
    ['conv2d', conv.conv2dOp, conv.conv2dInputOp, conv.conv2dFilterOp],
    ['depthwiseConv', depthwise.depthwiseConvOp, depthwise.depthwiseConvInputOp, depthwise.depthwiseConvFilterOp],
  ] as const

  it.each(families)('%s and its derivatives agree with the plain loops', (name, forward, byInput, byFilter) => {
    fc.assert(fc.property(meetings, meeting => {
      const { x, k, g, marks, win, worthwhile } = windowed(meeting, name === 'depthwiseConv')
      const masked = poisoned(g, marks[0])
      const runs = [
        [{ op: forward, inputs: [x, k, ...marks], attrs: win }, [x, k, ...marks]],
        [{ op: byInput, inputs: [masked, k, ...marks], attrs: win }, [g, k, ...marks]],
        [{ op: byFilter, inputs: [x, masked, ...marks], attrs: win }, [x, g, ...marks]],
      ] as const
      for (const [run, clean] of runs) {
        if (worthwhile) expectClose(run, clean)
        else expect(fastly(run)).toBe(null)
      }
    }), { examples })
  })
})

describe('maxPool', () => {
  const pools = fc.record({
    b: within(1, 2), h: within(1, 12), w: within(1, 12), c: within(1, 6), kh: fc.constantFrom(1, 3, 5),
    kw: fc.constantFrom(1, 3, 7), padding: fc.constantFrom<Padding>('zero', 'circular', 'reflect', 'replicate'),
    dilation: within(1, 3), seed: fc.nat(99),
  }).map(({ h, w, ...rest }) => {
    const least = (k: number): number => (rest.padding === 'reflect' ? (k - 1) / 2 * rest.dilation + 1 : 1)
    return { ...rest, h: Math.max(h, least(rest.kh)), w: Math.max(w, least(rest.kw)) }
  })
  // Few different values, so that there are many ties; special ones are among them.
  const values = [NaN, -Infinity, Infinity, 0, -0, 1, -1, 1e-45, -1e-45, 3.4e38, -3.4e38]

  it('chooses the same taps as the plain loops, for any values', () => {
    const huge = { b: 1, h: 90, w: 30, c: 30, kh: 3, kw: 3, padding: 'zero' as const, dilation: 1, seed: 1 }
    fc.assert(fc.property(pools, fc.subarray(values, { minLength: 1 }), (pooled, few) => {
      const { b, h, w, c, kh, kw, seed, ...options } = pooled
      const shape = [b, h, w, c]
      const pick = (v: number): number => few[Math.floor((v + 1) / 2 * few.length)]
      const x = tensor(Float32Array.from(numbers(seed, shape).toArray(), pick), { shape })
      const win = pool.poolWindows('test', x, [kh, kw], options)
      expectSame({ op: pool.winningTapOp, inputs: [x], attrs: win })
    }), { examples: [[huge, values], [{ ...huge, padding: 'circular' }, [1, 0]]] })
  })
})

// ---- element by element ----

const special = [NaN, Infinity, -Infinity, 0, -0, 1e-45, -1e-45, 3.4e38, -3.4e38, 88.7, 88.8, -87.4, -103, -104, 1e-20]

/** At least 512 numbers, the special ones among them. */
const arrays = fc.record({ seed: fc.nat(99), size: within(512, 10_000), scale: fc.constantFrom(1e-3, 1, 20, 100) })
  .map(({ seed, size, scale }) => () => {
    const data = numbers(seed, [size], scale).toArray()
    special.forEach((v, i) => { data[i * 7] = v })
    return tensor(data, { shape: [size] })
  })

describe('functions', () => {
  const { expOp, leakyReluOp, reluOp, sigmoidOp, sqrtOp, tanhOp } = functions

  it.each([expOp, sigmoidOp, tanhOp])('$name is right to 10⁻⁶ of its value, also if that is tiny', op => {
    fc.assert(fc.property(arrays, make => {
      const run = { op, inputs: [make()], attrs: null }
      const [want, got] = [plainly(run), fastly(run)!]
      const right = (v: number, i: number): boolean => Math.abs(v - got[i]) <= 1e-6 * Math.abs(v) + 1e-38
        || v === got[i] || (Number.isNaN(v) && Number.isNaN(got[i]))
      const wrong = want.findIndex((v, i) => !right(v, i))
      expect(wrong, `${run.inputs[0].toArray()[wrong]}: ${got[wrong]} instead of ${want[wrong]}`).toBe(-1)
      if (op !== expOp) expect(got.every(v => !(Math.abs(v) > 1))).toBe(true)
    }))
  })

  it.each([reluOp, leakyReluOp, sqrtOp])('$name gives the same bits', op => {
    fc.assert(fc.property(arrays, make => expectSame({ op, inputs: [make()], attrs: null, scalars: [0.25] })))
  })
})

/** Shapes that broadcast to the last one, in the supported ways: numbers, biases, masks, images, full arrays. */
const covered = fc.record({ b: within(1, 3), h: within(9, 20), c: within(2, 70), seed: fc.nat(99) })
  .filter(({ b, h, c }) => b * h * h * c >= 2048)
  .chain(({ b, h, c, seed }) => {
    const whole = [b, h, h, c]
    const shape = fc.constantFrom([], [1], [c], [b, h, h, 1], [h, h, c], [h, 1, 1], [b, 1, 1, 1], [1, h, h, c], whole)
    return fc.tuple(shape, shape, shape).map(shapes => ({ shapes, whole, seed }))
  })

describe('operators of several operands', () => {
  const { addOp, divOp, maximumOp, minimumOp, mulOp, subOp } = arithmetic

  it.each([addOp, subOp, mulOp, divOp, maximumOp, minimumOp, compare.greaterOp, compare.greaterEqualOp])(
    '$name gives the same bits, however its operands broadcast', op => {
      fc.assert(fc.property(covered, ({ shapes: [shape], whole, seed }) => {
        const a = numbers(seed, whole), b = numbers(seed + 1, shape)
        const few = (x: Tensor): Tensor => (
          tensor(x.toArray().map(v => special[Math.floor((v + 1) * 3)]), { shape: x.shape })
        )
        for (const inputs of [[a, b], [b, a], [few(a), few(b)], [few(b), few(a)]]) {
          expectSame({ op, inputs, attrs: null })
        }
      }))
    },
  )

  it('where gives the same bits, however its operands broadcast', () => {
    fc.assert(fc.property(covered, within(0, 2), ({ shapes, whole, seed }, full) => {
      const [c, a, b] = shapes.map((shape, i) => (i === full ? whole : shape))
      const branches = [numbers(seed, a), numbers(seed + 1, b)]
      for (const shape of full === 0 ? [c] : [c, [whole[0], 1, 1, 1]]) { // one bit for each sample
        expectSame({ op: compare.whereOp, inputs: [mask(2 + 5 * seed, shape), ...branches], attrs: null })
      }
    }))
  })

  it('decline other shapes', () => {
    const image = numbers(1, [8, 9, 9, 16]), masks = mask(2, [8, 9, 9, 16])
    expect(fastly({ op: addOp, inputs: [image, numbers(2, [8, 1, 1, 16])], attrs: null })).toBe(null)
    expect(fastly({ op: addOp, inputs: [masks, masks], attrs: null })).toBe(null)
    expect(fastly({ op: compare.whereOp, inputs: [image, image, image], attrs: null })).toBe(null)
  })
})

describe('sum', () => {
  it('is as exact as the plain loops, over neighbouring axes', () => {
    const shapes = fc.array(within(1, 9), { minLength: 1, maxLength: 5 })
    fc.assert(fc.property(shapes, fc.nat(4), fc.nat(4), fc.nat(99), (shape, i, j, seed) => {
      const [first, last] = [i, j].map(axis => axis % shape.length).sort((a, b) => a - b)
      const axes = shape.map((_, axis) => axis).slice(first, last + 1)
      const run = { op: sumOp, inputs: [numbers(seed, shape, 1e6)], attrs: { axes } }
      if (axes.every(axis => shape[axis] === 1)) expect(fastly(run)).toBe(null)
      else expectClose(run)
    }))
  })

  it('keeps terms that float32 would lose, and passes on infinity', () => {
    const long = tensor(new Float32Array(100_000).fill(0.1), { shape: [100, 1000] })
    for (const axes of [[0], [1], [0, 1]]) expectClose({ op: sumOp, inputs: [long], attrs: { axes } })
    expect(fastly({ op: sumOp, inputs: [tensor([1, Infinity, 3, 4, 5])], attrs: { axes: [0] } })).toEqual(
      new Float32Array([Infinity]),
    )
  })
})

// ---- the backend ----

describe('every fast operator', () => {
  it('is tested here', () => {
    expect(fast.filter(op => !proven.has(op)).map(op => op.name)).toEqual([])
  })

  it('declines float64', () => {
    const double = (shape: number[]): Tensor => tensor(new Float64Array(sizeOf(shape)).fill(1), { shape })
    const x = double([1, 32, 32, 4]), k = double([3, 3, 4, 4]), win = windows('test', x, [3, 3], {})
    const tap = tensor(new Uint32Array(sizeOf(x.shape)), { shape: x.shape })
    const runs: Record<string, [Tensor[], unknown]> = {
      dense: [[x, double([4, 4])], { bias: false }], denseFilter: [[x, x], null], sum: [[x], { axes: [0, 1] }],
      conv2d: [[x, k], win], conv2dInput: [[x, k], win], conv2dFilter: [[x, x], win],
      depthwiseConv: [[x, k], win], depthwiseConvInput: [[double([1, 32, 32, 16]), k], win],
      depthwiseConvFilter: [[x, double([1, 32, 32, 16])], win],
      winningTap: [[x], win], where: [[tap, x, x], null],
    }
    const unary = new Set<unknown>(Object.values(functions))
    for (const op of fast as Op<unknown>[]) {
      const [inputs, attrs] = runs[op.name] ?? [unary.has(op) ? [x] : [x, x], null]
      expect(fastly({ op, inputs, attrs }), op.name).toBe(null)
    }
  })
})

describe('cpu', () => {
  const data = numbers(1, [64, 48]).toArray(), weights = numbers(2, [48, 24]).toArray()
  const product = (options: Parameters<typeof cpu>[0]): number[] => {
    const backend = cpu({ threads: 1, ...options })
    const x = tensor(data, { shape: [64, 48], backend }), w = tensor(weights, { shape: [48, 24], backend })
    return [...dense(x, w).toArray()]
  }

  it('runs them by default, the plain loops without simd, and given kernels before both', () => {
    const oracle = product({ simd: false }), quick = product({ fma: false })
    expect(quick).not.toEqual(oracle) // in the last digits
    quick.forEach((v, i) => expect(v).toBeCloseTo(oracle[i], 4))
    expect(product({}).every((v, i) => Math.abs(v - oracle[i]) < 1e-4)).toBe(true)
    const sevens = product({ overrides: { dense: (_, out) => { out.fill(7) } } })
    expect(sevens.every(v => v === 7)).toBe(true)
  })

  it('runs the plain loops if an operator declines', () => {
    const backend = cpu({ threads: 1 })
    const x = tensor(new Float64Array(3000).fill(1), { backend })
    expect(add(x, x).toArray()).toEqual(new Float64Array(3000).fill(2))
    const twice = defineOp<null>({
      name: 'twice', infer: ([a]) => a, vjp: null,
      cpu: ([a], out) => { for (let i = 0; i < out.length; i++) out[i] = 2 * a[i] },
    })
    expect(apply(twice, [tensor([1, 2], { backend })], null).toArray()).toEqual(new Float32Array([2, 4]))
  })
})

it('makes the SIMD loop of a kernel once, and finds it by the kernel, not by its name', () => {
  let made = 0
  const [ones, twos] = [1, 2].map(value => defineOp<null>({
    name: 'relu', infer: ([x]) => x, cpu: () => { throw new Error('plain loops') }, vjp: null,
    simd: () => {
      made++
      return (_, out) => {
        out.fill(value)
        return true
      }
    },
  }))
  const x = tensor([0], { backend: cpu({ threads: 1 }) })
  const results = [ones, twos, ones, twos].map(op => apply(op, [x], null).toArray()[0])
  expect({ results, made }).toEqual({ results: [1, 2, 1, 2], made: 2 })
})

it("does not affect a user's operator with the name of one of ours", () => {
  const mine = defineOp<null>({ name: 'relu', infer: ([x]) => x, cpu: (_, out) => { out.fill(7) }, vjp: null })
  expect(apply(mine, [tensor(new Float32Array(4096))], null).toArray()).toEqual(new Float32Array(4096).fill(7))
})
