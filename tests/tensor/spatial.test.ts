import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  conv2d, dense, depthwiseConv, dilate, filter, filterKernel, filterNames, filters, greater, inner, key, maxPool, ones,
  reshape, tensor, uniform, vjp, where, type Data, type FilterName, type Padding, type Tensor,
} from '../../src/index.ts'
import type { Op } from '../../src/tensor/op.ts'
import { conv2dFilterOp, conv2dInputOp, conv2dOp } from '../../src/tensor/ops/conv2d/conv2d.ts'
import { depthwiseConvFilterOp, depthwiseConvInputOp, depthwiseConvOp } from '../../src/tensor/ops/depthwise-conv/depthwise-conv.ts'
import { outputSize, type Windows } from '../../src/backends/window.ts'
import { windows } from '../../src/tensor/ops/window.ts'
import { apply } from '../../src/tensor/trace.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { loadReference } from '../reference/load.ts'
import { build, entries } from './arrays.ts'

// ---- reference vectors ----

const reference = loadReference('operators')

function referenceCases(prefix: string): string[] {
  const outputs = Object.keys(reference).filter(name => name.startsWith(prefix) && name.endsWith('.y'))
  return outputs.map(name => name.slice(0, -2))
}

function load(name: string): Tensor {
  const { data, shape } = reference[name]
  return tensor(data, { shape })
}

function expectClose(got: Tensor, want: ArrayLike<number>, shape?: readonly number[]): void {
  if (shape) expect(got.shape).toEqual(shape)
  const values = got.toArray()
  expect(values.length).toBe(want.length)
  const wrong = values.findIndex((v, i) => !(Math.abs(v - want[i]) < 1e-10))
  expect(wrong, `element ${wrong} is ${values[wrong]} instead of ${want[wrong]}`).toBe(-1)
}

function expectReference(name: string, f: (inputs: Record<string, Tensor>) => Tensor, inputs: string[]): void {
  const [y, pullback] = vjp(f, Object.fromEntries(inputs.map(input => [input, load(`${name}.${input}`)])))
  expectClose(y, reference[`${name}.y`].data, reference[`${name}.y`].shape)
  const gradients = pullback(load(`${name}.u`))
  for (const input of inputs) expectClose(gradients[input], reference[`${name}.grad.${input}`].data)
}

describe('PyTorch', () => {
  it.each(referenceCases('conv2d'))('%s', name => {
    const [, , s, d, padding] = name.split('-')
    const options = { padding: padding as Padding, stride: Number(s.slice(1)), dilation: Number(d.slice(1)) }
    expectReference(name, ({ x, kernel }) => conv2d(x, kernel, options), ['x', 'kernel'])
  })

  it.each(referenceCases('depthwise'))('%s', name => {
    const [, , , d, padding] = name.split('-')
    const options = { padding: padding as Padding, dilation: Number(d.slice(1)) }
    expectReference(name, ({ x, kernel }) => depthwiseConv(x, kernel, options), ['x', 'kernel'])
  })

  it.each(referenceCases('maxPool2d'))('%s', name => {
    expectReference(name, ({ x }) => maxPool(x, Number(name.split('-')[1].slice(1))), ['x'])
  })

  it('has cases for each', () => {
    expect(['conv2d', 'depthwise', 'maxPool2d'].map(prefix => referenceCases(prefix).length)).toEqual([15, 5, 3])
  })
})

// ---- a naive implementation, from the definition alone ----

it('windows of stride 2 begin where the docstring of conv2d says, and as in PyTorch with zeros after the kernel', () => {
  const line = (n: number, kernel: number[]): number[] =>
    [...conv2d(tensor(Array.from({ length: n }, (_, i) => i + 1), { shape: [1, 1, n, 1] }), tensor(kernel, { shape: [1, kernel.length, 1, 1] }), { stride: 2 }).toArray()]
  const first = [1, 0, 0] // what the first tap reads: cell i holds i + 1, and 0 lies beyond
  expect(line(6, first)).toEqual([1, 3, 5])
  expect(line(7, first)).toEqual([0, 2, 4, 6])
  expect(line(6, [...first, 0])).toEqual([0, 2, 4])
})

type Options = { padding: Padding; stride?: number; dilation: number }

/** TensorFlow's SAME, as defined in its manual. */
function padBefore(n: number, k: number, { stride = 1, dilation }: Options): number {
  const reach = (k - 1) * dilation + 1
  return Math.floor(Math.max(n % stride === 0 ? reach - stride : reach - (n % stride), 0) / 2)
}

/** The cell at a position inside or outside, found by walking; null where there is none. */
function walk(i: number, n: number, padding: Padding): number | null {
  if (padding === 'zero') return i < 0 || i >= n ? null : i
  while (i < 0 || i >= n) {
    if (padding === 'circular') i += i < 0 ? n : -n
    else if (padding === 'replicate') i += i < 0 ? 1 : -1
    else i = i < 0 ? -i : 2 * n - 2 - i
  }
  return i
}

type Visit = (o: number, t: number, i: number | null) => void

/** Calls `visit` for every output cell and every tap of its window, with the cell that it reads or null. */
function eachTap([b, h, w]: readonly number[], [kh, kw]: readonly number[], options: Options, visit: Visit): void {
  const { stride = 1, dilation, padding } = options
  const [oh, ow] = [Math.ceil(h / stride), Math.ceil(w / stride)]
  for (let o = 0; o < b * oh * ow; o++) {
    const [s, y, x] = [Math.floor(o / (oh * ow)), Math.floor(o / ow) % oh, o % ow]
    for (let t = 0; t < kh * kw; t++) {
      const [ty, tx] = [Math.floor(t / kw), t % kw]
      const iy = walk(y * stride + ty * dilation - padBefore(h, kh, options), h, padding)
      const ix = walk(x * stride + tx * dilation - padBefore(w, kw, options), w, padding)
      visit(o, t, iy === null || ix === null ? null : (s * h + iy) * w + ix)
    }
  }
}

function naiveConv2d(x: Tensor, k: Tensor, options: Options): number[] {
  const [n, m] = k.shape.slice(2)
  const [xs, ks] = [x.toArray(), k.toArray()]
  const out: number[] = []
  eachTap(x.shape, k.shape, options, (o, t, i) => {
    for (let j = 0; j < m; j++) {
      out[o * m + j] ??= 0
      for (let c = 0; c < n; c++) if (i !== null) out[o * m + j] += xs[i * n + c] * ks[(t * n + c) * m + j]
    }
  })
  return out
}

/** The kernel of a depthwise convolution as one over all channels: mostly zeros. */
function spread(k: Tensor): Tensor {
  const [kh, kw, n, m] = k.shape
  const ks = k.toArray()
  const full = new Float64Array(kh * kw * n * n * m)
  for (let t = 0; t < kh * kw; t++) for (let c = 0; c < n; c++) for (let q = 0; q < m; q++) {
    full[(t * n + c) * n * m + c * m + q] = ks[(t * n + c) * m + q]
  }
  return tensor(full, { shape: [kh, kw, n, n * m] })
}

const upTo = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max })

const meetings = fc.record({
  b: upTo(2), h: upTo(6), w: upTo(6), n: upTo(6), m: upTo(6), kh: upTo(5), kw: upTo(5),
  padding: fc.constantFrom<Padding>('zero', 'circular', 'reflect', 'replicate'), stride: upTo(3), dilation: upTo(3), seed: fc.nat(),
}).map(({ h, w, ...rest }) => {
  const least = (k: number): number => (rest.padding === 'reflect' ? (k - 1) * rest.dilation + 1 : 1)
  return { ...rest, h: Math.max(h, least(rest.kh)), w: Math.max(w, least(rest.kw)) }
})

function draw(seed: number, shape: readonly number[]): Tensor {
  return uniform(key(seed), shape, { low: -1, high: 1, dtype: 'float64' })
}

describe('conv2d and depthwiseConv', () => {
  it('agree with the definition', () => {
    fc.assert(fc.property(meetings, ({ b, h, w, n, m, kh, kw, seed, ...options }) => {
      const x = draw(seed, [b, h, w, n])
      const k = draw(seed + 1, [kh, kw, n, m])
      const size = [b, Math.ceil(h / options.stride), Math.ceil(w / options.stride), m]
      expectClose(conv2d(x, k, options), naiveConv2d(x, k, options), size)
      const { stride: _, ...unstrided } = options
      expectClose(depthwiseConv(x, k, unstrided), naiveConv2d(x, spread(k), unstrided), [b, h, w, n * m])
    }))
  })

  it('in groups are separate convolutions, and depthwise ones for single channels', () => {
    fc.assert(fc.property(meetings, upTo(4), fc.boolean(), ({ b, h, w, n, m, kh, kw, seed, ...options }, groups, masked) => {
      const x = draw(seed, [b, h, w, n * groups]), k = draw(seed + 1, [kh, kw, n, m * groups]), bias = draw(seed + 2, [m * groups])
      const out = [b, Math.ceil(h / options.stride), Math.ceil(w / options.stride)]
      const mask = masked ? greater(draw(seed + 3, out), 0) : undefined
      // One convolution whose kernel has the groups as blocks along its diagonal, zeros beside them.
      const own = entries(k)
      const blocks = build([kh, kw, n * groups, m * groups], ([i, j, c, o]) => (
        Math.floor(c / n) === Math.floor(o / m) ? own([i, j, c % n, o]) : 0))
      const got = conv2d(x, k, { ...options, groups, bias, mask })
      expect(got.shape).toEqual([...out, m * groups])
      const wanted = conv2d(x, blocks, { ...options, bias, mask }).toArray()
      got.toArray().forEach((v, i) => expect(v).toBeCloseTo(wanted[i], 12))
      if (n > 1) return
      const { stride: _, ...unstrided } = options
      const depthwise = depthwiseConv(x, reshape(k, [kh, kw, groups, m]), unstrided).toArray()
      conv2d(x, k, { ...unstrided, groups }).toArray().forEach((v, i) => expect(v).toBeCloseTo(depthwise[i], 12))
    }))
  })

  // ⟨conv(x, k), g⟩ = ⟨x, input(g, k)⟩ = ⟨k, filter(x, g)⟩, with a mask of output cells too.
  it('and their derivatives are one trilinear form', () => {
    fc.assert(fc.property(meetings, fc.boolean(), ({ b, h, w, n, m, kh, kw, seed, stride, ...options }, masked) => {
      const x = draw(seed, [b, h, w, n])
      const k = draw(seed + 1, [kh, kw, n, m])
      const check = (ops: readonly Op<Windows>[], win: Windows, channels: number): void => {
        const [conv, byInput, byFilter] = ops
        const out = [b, ...outputSize(win)]
        const g = draw(seed + 2, [...out, channels])
        const rows = masked ? [greater(draw(seed + 3, out), 0)] : []
        const form = inner(apply(conv, [x, k, ...rows], win), g).toArray()
        expectClose(inner(x, apply(byInput, [g, k, ...rows], win)), form)
        expectClose(inner(k, apply(byFilter, [x, g, ...rows], win)), form)
      }
      check([conv2dOp, conv2dInputOp, conv2dFilterOp], windows('test', x, [kh, kw], { ...options, stride }), m)
      const unstrided = windows('test', x, [kh, kw], options)
      check([depthwiseConvOp, depthwiseConvInputOp, depthwiseConvFilterOp], unstrided, n * m)
    }))
  })

  it('ignore masked cells, in the derivatives too, whatever their values', () => {
    fc.assert(fc.property(meetings, ({ b, h, w, n, m, kh, kw, seed, stride, ...options }) => {
      const x = draw(seed, [b, h, w, n])
      const k = draw(seed + 1, [kh, kw, n, m])
      const bias = draw(seed + 2, [m])
      const check = (f: (p: Tensor[], mask?: Tensor) => Tensor): void => {
        const plain = f([x, k, bias])
        const rows = greater(draw(seed + 3, plain.shape.slice(0, 3)), 0)
        const mask = reshape(rows, [...rows.shape, 1])
        const g = draw(seed + 4, plain.shape)
        const [y, pullback] = vjp(p => f(p, rows), [x, k, bias])
        expectClose(y, where(mask, plain, 0).toArray())
        const [, masked] = vjp(p => where(mask, f(p), 0), [x, k, bias])
        const want = masked(g)
        pullback(where(mask, g, NaN)).forEach((got, i) => expectClose(got, want[i].toArray()))
      }
      check(([a, f, c], rows) => conv2d(a, f, { ...options, stride, bias: c, mask: rows }))
      check(([a, f], rows) => depthwiseConv(a, f, { ...options, mask: rows }))
    }))
  })

  it('send derivatives only through the cells of gradMask, whatever the cotangents of the others', () => {
    fc.assert(fc.property(meetings, ({ b, h, w, n, m, kh, kw, seed, stride, ...options }) => {
      const x = draw(seed, [b, h, w, n])
      const check = (kernel: readonly number[], f: (p: Tensor[], mask?: Tensor, gradMask?: Tensor) => Tensor): void => {
        const given = [x, draw(seed + 1, kernel)]
        const plain = f(given)
        const cells = plain.shape.slice(0, 3)
        const gradMask = greater(draw(seed + 3, cells), 0), mask = reshape(gradMask, [...cells, 1])
        const g = draw(seed + 4, plain.shape)
        const [y, pullback] = vjp(p => f(p, ones(cells, { dtype: 'uint32' }), gradMask), given)
        const [, wanted] = vjp(p => f(p), given)
        const want = wanted(where(mask, g, 0))
        expectClose(y, plain.toArray())
        pullback(where(mask, g, NaN)).forEach((got, i) => expectClose(got, want[i].toArray()))
      }
      check([kh, kw, n, m], ([a, k], mask, gradMask) => conv2d(a, k, { ...options, stride, mask, gradMask }))
      check([kh, kw, n, m], ([a, k], mask, gradMask) => depthwiseConv(a, k, { ...options, mask, gradMask }))
      check([n, m], ([a, k], mask, gradMask) => dense(a, k, { mask, gradMask }))
    }))
    expect(() => dense(ones([2, 3]), ones([3, 1]), { gradMask: ones([2], { dtype: 'uint32' }) }))
      .toThrow('dense: gradMask has some cells of mask, which is missing; gradMask [2].')
  })

  it('spread a NaN to the cells that read it and no further', () => {
    const x = tensor(Float64Array.from({ length: 25 }, (_, i) => (i === 6 ? NaN : i)), { shape: [1, 5, 5, 1] })
    const near = [0, 1, 2, 5, 6, 7, 10, 11, 12]
    for (const y of [conv2d(x, draw(1, [3, 3, 1, 1])), depthwiseConv(x, draw(1, [3, 3, 1, 1])), maxPool(x)]) {
      expect([...y.toArray()].flatMap((v, i) => (Number.isNaN(v) ? [i] : []))).toEqual(near)
    }
  })

  it('add up in double precision', () => {
    const x = tensor([1e8, 1, -1e8], { shape: [1, 3, 1, 1] })
    const ones = tensor([1, 1, 1], { shape: [3, 1, 1, 1] })
    for (const conv of [conv2d, depthwiseConv] as const) {
      const [y, pullback] = vjp(([a, k]) => conv(a, k), [x, ones])
      expect(y.toArray()[1]).toBe(1)
      expect(pullback(x)[0].toArray()[1]).toBe(1)
      expect(pullback(tensor([1, 1, 1], { shape: x.shape }))[1].toArray()[1]).toBe(1)
    }
  })

  it('say what does not fit', () => {
    const x = draw(1, [1, 4, 5, 3])
    const mask = greater(draw(1, [1, 2, 2]), 0)
    const message = (f: () => Tensor): string => {
      try {
        f()
      } catch (error) {
        return (error as Error).message
      }
      return 'no error'
    }
    expect([
      message(() => depthwiseConv(x, draw(1, [3, 3, 4, 2]))),
      message(() => depthwiseConv(x, draw(1, [3, 3, 3]))),
      message(() => depthwiseConv(reshape(x, [4, 5, 3]), draw(1, [3, 3, 3, 1]))),
      message(() => depthwiseConv(x, tensor([1], { shape: [1, 1, 1, 1] }))),
      message(() => depthwiseConv(x, draw(1, [3, 3, 3, 2]), { mask: mask })),
      message(() => depthwiseConv(x, draw(1, [9, 3, 3, 2]), { padding: 'reflect' })),
      message(() => depthwiseConv(x, draw(1, [3, 3, 3, 2]), { dilation: 0 })),
      message(() => conv2d(x, draw(1, [3, 3, 4, 2]))),
      message(() => conv2d(x, draw(1, [3, 3]))),
      message(() => conv2d(x, draw(1, [3, 3, 3, 2]), { stride: 1.5 })),
      message(() => conv2d(x, draw(1, [3, 3, 3, 2]), { bias: draw(1, [3]) })),
      message(() => conv2d(x, draw(1, [3, 3, 3, 2]), { stride: 3, mask: greater(draw(1, [1, 4, 5]), 0) })),
      message(() => conv2d(x, draw(1, [3, 6, 3, 2]), { dilation: 2, padding: 'reflect' })),
      message(() => conv2d(x, draw(1, [3, 3, 3, 2]), { groups: 2 })),
      message(() => conv2d(x, draw(1, [3, 3, 1, 4]), { groups: 3 })),
      message(() => conv2d(x, draw(1, [3, 3, 1, 4]), { groups: 0 })),
      message(() => maxPool(x, 2)),
      message(() => maxPool(x, [3, 0])),
      message(() => maxPool(mask)),
      message(() => dilate(x)),
      message(() => dilate(mask, [1, 4])),
      message(() => filter(x, 'sobelZ' as 'sobelX')),
      message(() => filter(mask, 'mean')),
    ]).toMatchInlineSnapshot(`
      [
        "depthwiseConv: kernel channels 4 ≠ input channels 3; x [1,4,5,3], kernel [3,3,4,2]. Layout is [b,h,w,c] and [kh,kw,c,m].",
        "depthwiseConv: the kernel must be [kh,kw,c,m]; x [1,4,5,3], kernel [3,3,3].",
        "depthwiseConv: x must be an image [b,h,w,c]; x [4,5,3].",
        "depthwiseConv: element types differ: x is float64, kernel is float32. Convert one with cast(x, dtype).",
        "depthwiseConv: the cell mask must be [1,4,5]; mask [1,2,2].",
        "depthwiseConv: padding 'reflect' mirrors 4 cells and needs a height above that; x [1,4,5,3].",
        "depthwiseConv: dilation is 0, expected a whole number > 0.",
        "conv2d: kernel channels 4 ≠ input channels 3; x [1,4,5,3], kernel [3,3,4,2]. Layout is [b,h,w,in] and [kh,kw,in,out].",
        "conv2d: the kernel must be [kh,kw,in,out]; x [1,4,5,3], kernel [3,3].",
        "conv2d: stride is 1.5, expected a whole number > 0.",
        "conv2d: the bias must be [out]; bias [3], kernel [3,3,3,2].",
        "conv2d: the cell mask must be [1,2,2]; mask [1,4,5].",
        "conv2d: padding 'reflect' mirrors 5 cells and needs a width above that; x [1,4,5,3].",
        "conv2d: kernel channels 3 times 2 groups ≠ input channels 3; x [1,4,5,3], kernel [3,3,3,2]. Layout is [b,h,w,in] and [kh,kw,in/groups,out].",
        "conv2d: there are no 3 equal groups of 4 outputs; x [1,4,5,3], kernel [3,3,1,4].",
        "conv2d: groups is 0, expected a whole number > 0.",
        "maxPool: a cell must be in its own window, so sizes must be odd, got 2×2.",
        "maxPool: the window width must be a positive integer, got 0.",
        "maxPool: x must be an image [b,h,w,c]; x [1,2,2].",
        "dilate: the mask must be uint32 [b,h,w], got float64; mask [1,4,5,3].",
        "dilate: a cell must be in its own window, so sizes must be odd, got 1×4.",
        "filterKernel: a filter is "sobelZ", expected one of identity, sobelX, sobelY, laplacian, scharrX, scharrY, gaussian, mean; did you mean "sobelX"?",
        "tensor: a value is 0.3333333333333333, expected a number that uint32 can hold.",
      ]
    `)
  })
})

// ---- max-pooling ----

/** Values and, for a cotangent g, gradients: the first of equal values wins, and the first NaN against everything. */
function naiveMaxPool(x: Tensor, k: number[], options: Options, g: Tensor): { y: number[]; gradient: number[] } {
  const [xs, gs, c] = [x.toArray(), g.toArray(), x.shape[3]]
  const from: number[] = []
  eachTap(x.shape, k, options, (o, _, i) => {
    if (i === null) return
    for (let j = 0; j < c; j++) {
      const [now, best] = [i * c + j, from[o * c + j]]
      const wins = best === undefined || xs[now] > xs[best] || (Number.isNaN(xs[now]) && !Number.isNaN(xs[best]))
      if (wins) from[o * c + j] = now
    }
  })
  const gradient = new Array<number>(xs.length).fill(0)
  from.forEach((i, o) => { gradient[i] += gs[o] })
  return { y: from.map(i => xs[i]), gradient }
}

const odd = fc.constantFrom(1, 3, 5)

const pools = fc.record({
  b: upTo(2), h: upTo(6), w: upTo(6), c: upTo(2), k: fc.tuple(odd, odd),
  padding: fc.constantFrom<Padding>('zero', 'circular', 'reflect', 'replicate'), dilation: upTo(3), seed: fc.nat(),
  // Few different values, so that windows hold ties and NaNs; as many as the largest image needs.
  values: fc.array(fc.constantFrom(-2, -1, 0, 1, NaN, -Infinity), { minLength: 196, maxLength: 196 }),
}).map(({ h, w, k, ...rest }) => {
  // A mirrored border cannot be wider than the grid.
  const least = (n: number): number => (rest.padding === 'reflect' ? (n - 1) / 2 * rest.dilation + 1 : 1)
  return { ...rest, k, h: Math.max(h, least(k[0])), w: Math.max(w, least(k[1])) }
})

describe('maxPool', () => {
  it('agrees with the definition, with ties, NaN and −∞', () => {
    fc.assert(fc.property(pools, ({ b, h, w, c, k, padding, dilation, seed, values }) => {
      const x = tensor(Float64Array.from(values.slice(0, b * h * w * c)), { shape: [b, h, w, c] })
      const g = draw(seed, x.shape)
      const want = naiveMaxPool(x, k, { padding, dilation }, g)
      const [y, pullback] = vjp(a => maxPool(a, k, { padding, dilation }), x)
      expect([...y.toArray()]).toEqual(want.y)
      expectClose(pullback(g), want.gradient)
    }))
  })

  it('sends the gradient to the first of equal values', () => {
    const x = tensor(new Float64Array(9), { shape: [1, 3, 3, 1] })
    const powers = tensor(Float64Array.from({ length: 9 }, (_, i) => 2 ** i), { shape: x.shape })
    const received = (padding: 'zero' | 'circular'): number[] => {
      const [, pullback] = vjp(a => maxPool(a, 3, { padding }), x)
      return [...pullback(powers).toArray()]
    }
    // The first cells of the nine windows are 0 0 1, 0 0 1, 3 3 4.
    expect(received('zero')).toEqual([1 + 2 + 8 + 16, 4 + 32, 0, 64 + 128, 256, 0, 0, 0, 0])
    // On the torus, each window begins at the upper left neighbour.
    expect(received('circular')).toEqual([16, 32, 8, 128, 256, 64, 2, 4, 1])
  })

  it('changes nothing with a window of one cell', () => {
    const x = draw(1, [2, 3, 4, 3])
    expectClose(maxPool(x, 1), x.toArray(), x.shape)
  })

})

describe('dilate', () => {
  it('marks the cells whose windows hold a marked one', () => {
    fc.assert(fc.property(pools, ({ b, h, w, k, padding, dilation, seed }) => {
      const mask = greater(draw(seed, [b, h, w]), 0.7)
      const want = new Array<number>(sizeOf(mask.shape)).fill(0)
      eachTap(mask.shape, k, { padding, dilation }, (o, _, i) => {
        if (i !== null && mask.toArray()[i]) want[o] = 1
      })
      const got = dilate(mask, k, { padding, dilation })
      expect(got.dtype).toBe('uint32')
      expect(got.shape).toEqual(mask.shape)
      expect([...got.toArray()]).toEqual(want)
    }))
  })
})

// ---- fixed filters ----

/** An image [1,6,7,1] of a function of the column x and the row y. */
function image(f: (x: number, y: number) => number): Tensor {
  return tensor(Float64Array.from({ length: 42 }, (_, i) => f(i % 7, Math.floor(i / 7))), { shape: [1, 6, 7, 1] })
}

/** The values away from the border. */
function interior(y: Tensor): number[] {
  return [...y.toArray()].filter((_, i) => i % 7 > 0 && i % 7 < 6 && i > 6 && i < 35)
}

function expectInterior(y: Tensor, value: (x: number, y: number) => number): void {
  const want = interior(image(value))
  interior(y).forEach((v, i) => { expect(v).toBeCloseTo(want[i], 10) })
}

const angles = fc.double({ min: -4, max: 4, noNaN: true })

describe('filters', () => {
  it('have these weights', () => {
    expect(filterNames).toEqual(['identity', 'sobelX', 'sobelY', 'laplacian', 'scharrX', 'scharrY', 'gaussian', 'mean'])
    const times = (name: keyof typeof filters, divisor: number): number[] => filters[name].map(v => v * divisor)
    expect(times('sobelX', 8)).toEqual([-1, 0, 1, -2, 0, 2, -1, 0, 1])
    expect(times('sobelY', 8)).toEqual([-1, -2, -1, 0, 0, 0, 1, 2, 1])
    expect(times('laplacian', 16)).toEqual([1, 2, 1, 2, -12, 2, 1, 2, 1])
    expect(times('scharrX', 32)).toEqual([-3, 0, 3, -10, 0, 10, -3, 0, 3])
    expect(times('scharrY', 32)).toEqual([-3, -10, -3, 0, 0, 0, 3, 10, 3])
    expect(times('gaussian', 16)).toEqual([1, 2, 1, 2, 4, 2, 1, 2, 1])
    expect(times('mean', 9)).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1])
  })

  it('are exact for the documented polynomials', () => {
    const ramp = (x: number, y: number): number => 3 + 2 * x - 5 * y
    const bowl = (x: number, y: number): number => 1.5 * x * x - 0.25 * y * y + x * y + ramp(x, y)
    for (const name of ['sobelX', 'scharrX'] as const) expectInterior(filter(image(ramp), name), () => 2)
    for (const name of ['sobelY', 'scharrY'] as const) expectInterior(filter(image(ramp), name), () => -5)
    for (const name of ['identity', 'gaussian', 'mean'] as const) expectInterior(filter(image(ramp), name), ramp)
    expectInterior(filter(image(bowl), 'laplacian'), () => (3 - 0.5) / 4)
    expectInterior(filter(image(bowl), 'sobelX'), (x, y) => 3 * x + y + 2)
  })

  it('turn derivatives into each other and leave the others alone', () => {
    fc.assert(fc.property(angles, angle => {
      const x = draw(1, [1, 5, 6, 2])
      for (const [dx, dy] of [['sobelX', 'sobelY'], ['scharrX', 'scharrY']] as const) {
        const [alongX, alongY] = [filter(x, dx).toArray(), filter(x, dy).toArray()]
        const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
        expectClose(filter(x, dx, { angle }), alongX.map((v, i) => cos * v - sin * alongY[i]))
        expectClose(filter(x, dy, { angle }), alongX.map((v, i) => sin * v + cos * alongY[i]))
        expectClose(filter(x, dy, { angle: Math.PI / 2 }), alongX)
        expectClose(filter(x, dx, { angle: Math.PI / 2 }), alongY.map(v => -v))
      }
      for (const name of ['identity', 'laplacian', 'gaussian', 'mean'] as const) {
        expect(filter(x, name, { angle }).toArray()).toEqual(filter(x, name).toArray())
      }
    }))
  })

  it('are interleaved per channel, like x in type, and take factors, paddings and masks', () => {
    const x = draw(1, [2, 4, 5, 3])
    const rows = greater(draw(2, [2, 4, 5]), 0)
    const list = ['sobelX', { name: 'laplacian', factor: 16 }] as const
    const y = filter(x, list, { padding: 'circular', mask: rows })
    expect([y.shape, y.dtype]).toEqual([[2, 4, 5, 6], 'float64'])
    const part = (name: FilterName): Data => filter(x, name, { padding: 'circular' }).toArray()
    const [dx, laplacian, mask] = [part('sobelX'), part('laplacian'), rows.toArray()]
    const each = Array.from(dx, (v, i) => [v, 16 * laplacian[i]].map(u => mask[Math.floor(i / 3)] * u))
    expectClose(y, each.flat())
    expect(filterKernel(['mean'], 3).dtype).toBe('float32')
  })
})
