/**
 * broadcastTo, and the sum that undoes it: the two are adjoint to each other.
 *
 *   broadcastTo  out_{ij} = x_j          ⟨broadcastTo x, g⟩ = ⟨x, sum g⟩
 *   sum          out_j = Σ_i x_{ij}      ⟨sum x, g⟩ = ⟨x, broadcastTo g⟩
 *
 * Every derivative of an operator that broadcasts ends in `sumTo`, so all others build on these two. The public `sum` is in
 * sum.ts.
 */
import { defineOp, refuse, requireTensor, type Op } from '../op.ts'
import { isFloat } from '../../backends/wasm/simd/conditions.ts'
import { reduction } from '../../backends/wgsl/reduction.ts'
import { broadcastShapes, broadcastStrides, checkShape, sameShape, showShape, sizeOf, type Shape } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'
import { reshape } from './reshape.ts'
import { eachRow, metAlong, strided } from './strides.ts'

/** sum over `axes`, which stay as axes of size 1. */
export const sumOp: Op<{ axes: readonly number[] }> = defineOp<{ axes: readonly number[] }>({
  name: 'sum',
  infer: ([x], { axes }) => ({ shape: x.shape.map((n, i) => (axes.includes(i) ? 1 : n)), dtype: x.dtype }),
  cpu: ([x], out, { inputs: [{ shape }], out: { shape: outShape } }) => {
    out.fill(0)
    // Long sums are accumulated in double precision; float32 running sums would lose digits.
    const sums = out instanceof Float32Array ? new Float64Array(out.length) : out
    eachRow(shape, outShape, (i, j, stride, n) => {
      for (let k = 0; k < n; k++) sums[j + k * stride] += x[i + k]
    })
    if (sums !== out) out.set(sums)
  },
  // Over neighbouring axes: loops in double precision, which SIMD with four lanes of float32 would lose. They are faster
  // because they keep four sums at a time in registers.
  simd: () => ([x], out, { inputs: [{ shape }], out: { shape: outShape } }) => {
    if (!isFloat(x) || !isFloat(out)) return false
    const first = shape.findIndex((size, i) => size !== outShape[i])
    const last = shape.findLastIndex((size, i) => size !== outShape[i])
    if (first < 0 || outShape.slice(first, last + 1).some(size => size !== 1)) return false
    const inner = sizeOf(shape.slice(last + 1)), n = sizeOf(shape.slice(first, last + 1))
    if (inner === 1) sumLines(x, n, out)
    else sumColumns(x, n, inner, out)
    return true
  },
  wgsl: ({ inputs: [{ shape }], out, attrs: { axes } }) => {
    const { n, wgsl, u32 } = metAlong(axes, shape, out.shape)
    return reduction(sizeOf(out.shape), n, { total: ['T', 'a + b'] }, {
      inputs: ['x'],
      u32,
      source: `${wgsl}
        fn reduce(j: u32, lane: u32, lanes: u32) {
          let start = first(j);
          var mine: Part;
          for (var i = lane; i < u.n; i += lanes) {
            mine.parts[0] += x[start + next(i)];
            carry(&mine);
          }
          complete(&mine);
          let sum = total(lane, mine.parts[0]);
          if (lane == 0) { out[j] = sum; }
        }`,
    }, ['T', 1])
  },
  vjp: [{ uses: [], grad: (g, { inputs: [x] }) => broadcastTo(g, x.shape) }],
})

function sumLines(x: Float32Array, n: number, out: Float32Array): void {
  for (let o = 0, i = 0; o < out.length; o++) {
    let t0 = 0, t1 = 0, t2 = 0, t3 = 0
    const end = i + n
    for (; i + 4 <= end; i += 4) {
      t0 += x[i]
      t1 += x[i + 1]
      t2 += x[i + 2]
      t3 += x[i + 3]
    }
    for (; i < end; i++) t0 += x[i]
    out[o] = t0 + t1 + (t2 + t3)
  }
}

/** How many rows are read together, so that they are still in the cache for the next four columns. */
const depth = 64

function sumColumns(x: Float32Array, n: number, inner: number, out: Float32Array): void {
  const sums = new Float64Array(inner)
  for (let o = 0; o < out.length; o += inner) {
    const end = (o + inner) * n
    sums.fill(0)
    for (let from = o * n; from < end; from += depth * inner) {
      const to = Math.min(end, from + depth * inner)
      let j = 0
      for (; j + 4 <= inner; j += 4) {
        let t0 = sums[j], t1 = sums[j + 1], t2 = sums[j + 2], t3 = sums[j + 3]
        for (let i = from + j; i < to; i += inner) {
          t0 += x[i]
          t1 += x[i + 1]
          t2 += x[i + 2]
          t3 += x[i + 3]
        }
        sums[j] = t0
        sums[j + 1] = t1
        sums[j + 2] = t2
        sums[j + 3] = t3
      }
      for (; j < inner; j++) for (let i = from + j; i < to; i += inner) sums[j] += x[i]
    }
    out.set(sums, o)
  }
}

/** broadcastTo: NumPy's rule. */
export const broadcastToOp: Op<{ shape: Shape }> = defineOp<{ shape: Shape }>({
  name: 'broadcastTo',
  infer: ([x], { shape }) => {
    const joint = broadcastShapes(x.shape, shape)
    if (!joint || !sameShape(joint, shape)) {
      refuse('broadcastTo', `cannot repeat ${showShape(x.shape)} to ${showShape(shape)}`)
    }
    return { shape, dtype: x.dtype }
  },
  cpu: ([x], out, { inputs: [{ shape }], out: { shape: outShape } }) => {
    eachRow(outShape, shape, (i, j, stride, n) => {
      if (stride === 0) out.fill(x[j], i, i + n)
      else for (let k = 0; k < n; k++) out[i + k] = x[j + k * stride]
    })
  },
  wgsl: ({ inputs: [{ shape }], out }) => {
    const from = strided('source', out.shape, broadcastStrides(shape, out.shape))
    return {
      inputs: ['x'],
      threads: sizeOf(out.shape),
      u32: from.u32,
      source: `${from.wgsl} fn main(i: u32) { out[i] = x[source(i)]; }`,
    }
  },
  vjp: [{ uses: [], grad: (g, { inputs: [x] }) => sumTo(g, x.shape) }],
})

/** Repeats axes of size 1 and missing leading axes until `x` has `shape`. Throws where that is impossible. */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  requireTensor('broadcastTo', 'x', x)
  checkShape('broadcastTo', shape)
  return sameShape(x.shape, shape) ? x : apply(broadcastToOp, [x], { shape })
}

/** Sums what was repeated until `g` has `shape` again: the adjoint of `broadcastTo`. */
export function sumTo(g: Tensor, shape: Shape): Tensor {
  if (sameShape(g.shape, shape)) return g
  const missing = g.shape.length - shape.length
  const axes = g.shape.flatMap((n, i) => (i < missing || (shape[i - missing] === 1 && n !== 1) ? [i] : []))
  return reshape(apply(sumOp, [g], { axes }), shape)
}
