/**
 * Reductions other than the sum: mean, extremes, and the logarithm of a sum of exponentials with softmax.
 *
 *   mean         Σ x / n
 *   max, min     the entry at argMax, argMin, so g goes to that entry alone: takeAlong(x, argMax x)
 *   logSumExp    out = log Σ_i e^{x_i} = m + log Σ_i e^{x_i − m},  m = max x, so that nothing overflows
 *                ∂out/∂x_i = e^{x_i} / Σ_j e^{x_j} = softmax(x)_i                    ∂L/∂x = g softmax(x)
 *   logSoftmax   out_i = x_i − m − log Σ_j e^{x_j − m}
 *                ∂out_i/∂x_j = [i = j] − softmax(x)_j                                ∂L/∂x = g − e^out Σ_i g_i
 *   softmax      e^{logSoftmax x}
 *
 * Of equal extremes the first in scan order counts. A NaN counts as the extreme in either direction, so that it reaches
 * the result and cannot hide. An index does not show that the value is NaN, so `argMax` and `argMin` return −1 in a line
 * with a NaN: that equals no class, so a prediction of it counts as wrong.
 *
 * A line of only −∞ is an empty sum: logSumExp is −∞, like log 0, softmax is 0 at every entry, and the gradients are 0.
 * So a mask may exclude everything.
 */
import type { Data, Shader } from '../../backends/backend.ts'
import { defineOp, floating, refuse, type Op } from '../op.ts'
import { checkOptions } from '../../backends/options.ts'
import { sizeOf, type Shape } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'
import { div, mul, sub } from './arithmetic.ts'
import { equal, where } from './compare.ts'
import { exp } from './functions.ts'
import { takeAlong } from './gather.ts'
import { axisOf, linesAlong, withSize } from './lines.ts'
import { dropAxes, reducedAxes, reduceOptions, sum, type ReduceOptions } from './sum.ts'
import { reduction } from '../../backends/wgsl/reduction.ts'

/** argExtreme: where sign·x is greatest along an axis, which stays with size 1. */
export const argExtremeOp: Op<{ axis: number; sign: 1 | -1 }> = defineOp<{ axis: number; sign: 1 | -1 }>({
  name: 'argExtreme',
  infer: ([x], { axis }) => ({ shape: withSize(x.shape, axis, 1), dtype: 'int32' }),
  cpu: ([x], out, { inputs: [{ shape }], attrs: { axis, sign } }) => {
    const { outer, n, inner } = linesAlong(shape, axis)
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        let best = sign * x[o * n * inner + i]
        let at = 0
        for (let k = 1; k < n; k++) {
          const value = sign * x[(o * n + k) * inner + i]
          if (value > best || (Number.isNaN(value) && !Number.isNaN(best))) {
            best = value
            at = k
          }
        }
        out[o * inner + i] = at
      }
    }
  },
  wgsl: ({ inputs: [x], out, attrs: { axis, sign } }) => {
    const { n, inner } = linesAlong(x.shape, axis)
    return reduction(sizeOf(out.shape), n, { best: ['u32', 'better(a, b)'] }, {
      inputs: ['x'],
      u32: { n, inner },
      source: `
        // Of two positions the earlier one, unless only the later one is greater or NaN.
        fn better(a: u32, b: u32) -> u32 {
          let p = min(a, b);
          let q = max(a, b);
          let more = order(x[q]) ${sign > 0 ? '>' : '<'} order(x[p]);
          return select(p, q, !isNan(x[p]) && (isNan(x[q]) || more));
        }
        fn reduce(j: u32, lane: u32, lanes: u32) {
          let start = j / u.inner * u.n * u.inner + j % u.inner;
          var mine = start;
          for (var k = lane; k < u.n; k += lanes) { mine = better(mine, start + k * u.inner); }
          let winner = best(lane, mine);
          if (lane == 0) { out[j] = i32((winner - start) / u.inner); }
        }`,
    })
  },
  vjp: null,
})

/** logSumExp over an axis, which stays with size 1. */
export const logSumExpOp: Op<{ axis: number }> = /* @__PURE__ */ defineOp<{ axis: number }>({
  name: 'logSumExp',
  infer: ([x], { axis }) => ({ shape: withSize(x.shape, axis, 1), dtype: x.dtype }),
  cpu: ([x], out, { inputs: [{ shape }], attrs: { axis } }) => {
    const { outer, n, inner } = linesAlong(shape, axis)
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        const { most, rest } = logTotal(x, o * n * inner + i, n, inner)
        out[o * inner + i] = most + rest
      }
    }
  },
  wgsl: ({ inputs: [{ shape }], attrs: { axis } }) => (
    logTotalWgsl(shape, axis, 'if (lane == 0) { out[j] = top + rest; }')),
  vjp: [{ uses: [0], grad: (g, { inputs: [x], attrs: { axis } }) => mul(g, softmax(x, axis)) }],
})

/** logSoftmax over an axis. */
export const logSoftmaxOp: Op<{ axis: number }> = defineOp<{ axis: number }>({
  name: 'logSoftmax',
  infer: ([x]) => x,
  cpu: ([x], out, { inputs: [{ shape }], attrs: { axis } }) => {
    const { outer, n, inner } = linesAlong(shape, axis)
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        const first = o * n * inner + i
        const { most, rest } = logTotal(x, first, n, inner)
        // Subtracting the greatest before anything is rounded loses nothing when large numbers differ by little.
        for (let k = first; k < first + n * inner; k += inner) out[k] = most === -Infinity ? most : x[k] - most - rest
      }
    }
  },
  wgsl: ({ inputs: [{ shape }], attrs: { axis } }) => logTotalWgsl(shape, axis, `
    for (var k = lane; k < u.n; k += lanes) {
      let i = start + k * u.inner;
      out[i] = select((x[i] - top) - rest, top, order(top) == order(-infinity()));
    }`),
  vjp: [{
    uses: ['out'],
    grad: (g, { out, attrs: { axis } }) => sub(g, mul(exp(out), sum(g, axis, { keepDims: true }))),
  }],
})

/**
 * log Σ e^x = most + rest over the n entries from `first` on that are `stride` apart: the greatest, and log Σ e^(x − most).
 */
function logTotal(x: Data, first: number, n: number, stride: number): { most: number; rest: number } {
  const end = first + n * stride
  let most = -Infinity
  for (let k = first; k < end; k += stride) most = Math.max(most, x[k])
  if (!Number.isFinite(most)) return { most, rest: 0 }
  let total = 0
  for (let k = first; k < end; k += stride) total += Math.exp(x[k] - most)
  return { most, rest: Math.log(total) }
}

/** The shader that computes log Σ e^x as `top + rest` for each line j, whose entries begin at `start`, and then runs `then`. */
function logTotalWgsl(shape: Shape, axis: number, then: string): Shader {
  const { outer, n, inner } = linesAlong(shape, axis)
  return reduction(outer * inner, n, { most: ['f32', 'greatest(a, b)'], sum: ['f32', 'a + b'] }, {
    inputs: ['x'],
    u32: { n, inner },
    source: `
      fn reduce(j: u32, lane: u32, lanes: u32) {
        let start = j / u.inner * u.n * u.inner + j % u.inner;
        var mine = -infinity();
        for (var k = lane; k < u.n; k += lanes) { mine = greatest(mine, x[start + k * u.inner]); }
        let top = most(lane, mine);
        var part: Part;
        for (var k = lane; k < u.n; k += lanes) {
          part.parts[0] += exponential(x[start + k * u.inner] - top);
          carry(&part);
        }
        complete(&part);
        let terms = sum(lane, part.parts[0]);
        let rest = select(0, logarithm(terms), (bitcast<u32>(top) & 0x7fffffff) < 0x7f800000);
        ${then}
      }`,
  }, ['f32', 1])
}

/**
 * The mean over the given axes, all by default.
 *
 * @throws for integer tensors: cast them first
 * @example mean(x)             // []
 * @example mean(x, [1, 2])     // [b,h,w,c] → [b,c]
 */
export function mean(x: Tensor, axes?: number | readonly number[], options: ReduceOptions = {}): Tensor {
  floating('mean', 'x', x)
  const total = sum(x, reducedAxes('mean', x, axes, options), options)
  return div(total, sizeOf(x.shape) / sizeOf(total.shape))
}

/**
 * The greatest entry over the given axes, all by default; NaN wins. The gradient goes to the first such entry.
 *
 * @throws where an axis is empty
 * @example max(x, -1, { keepDims: true })   // [b,h,w,c] → [b,h,w,1]
 */
export function max(x: Tensor, axes?: number | readonly number[], options: ReduceOptions = {}): Tensor {
  return extreme('max', x, 1, axes, options)
}

/**
 * The smallest entry over the given axes, all by default; NaN wins. The gradient goes to the first such entry.
 *
 * @throws where an axis is empty
 */
export function min(x: Tensor, axes?: number | readonly number[], options: ReduceOptions = {}): Tensor {
  return extreme('min', x, -1, axes, options)
}

function extreme(
  op: string, x: Tensor, sign: 1 | -1, axes: number | readonly number[] | undefined, options: ReduceOptions,
): Tensor {
  const list = reducedAxes(op, x, axes, options)
  // The last axis first: the first row with an extreme, and in it the first entry, are the first in scan order.
  const best = list.reduceRight((y, axis) => takeAlong(y, argExtreme(op, y, axis, sign), axis), x)
  return dropAxes(best, list, options.keepDims)
}

function argExtreme(op: string, x: Tensor, axis: number, sign: 1 | -1): Tensor {
  if (x.shape[axis] === 0) refuse(op, `axis ${axis} is empty`, { x })
  return apply(argExtremeOp, [x], { axis, sign })
}

/**
 * The position of the greatest entry along an axis, the last by default: int32, the first of equals; −1 in a line with a
 * NaN, which has no greatest entry. No gradient passes.
 *
 * @throws where the axis is empty
 * @example argMax(logits)    // [b,h,w,classes] → [b,h,w]
 */
export function argMax(x: Tensor, axis = -1, options: ReduceOptions = {}): Tensor {
  return placeOf('argMax', x, 1, axis, options)
}

/**
 * The position of the smallest entry along an axis, the last by default: int32, the first of equals; −1 in a line with a
 * NaN, which has no smallest entry. No gradient passes.
 *
 * @throws where the axis is empty
 * @example argMin(distances)    // [b,prototypes] → [b]
 */
export function argMin(x: Tensor, axis = -1, options: ReduceOptions = {}): Tensor {
  return placeOf('argMin', x, -1, axis, options)
}

function placeOf(op: string, x: Tensor, sign: 1 | -1, axis: number, options: ReduceOptions): Tensor {
  checkOptions(op, options, reduceOptions)
  const along = axisOf(op, x, axis)
  const at = argExtreme(op, x, along, sign)
  const value = takeAlong(x, at, along)
  return dropAxes(where(equal(value, value), at, -1), [along], options.keepDims) // NaN is not equal to itself
}

/**
 * log Σ e^x along an axis, the last by default, without overflow. −∞ for a line of −∞; its gradient there is 0.
 *
 * @example logSumExp(logits)    // [b,classes] → [b]
 */
export function logSumExp(x: Tensor, axis = -1, options: ReduceOptions = {}): Tensor {
  checkOptions('logSumExp', options, reduceOptions)
  floating('logSumExp', 'x', x)
  const along = axisOf('logSumExp', x, axis)
  return dropAxes(apply(logSumExpOp, [x], { axis: along }), [along], options.keepDims)
}

/**
 * The logarithm of `softmax` along an axis, the last by default; right even where softmax itself would underflow to 0.
 * Entries of −∞ are excluded; +∞ makes its whole line and the gradient NaN, since ∞ − ∞ is undefined.
 *
 * @example neg(sum(mul(labels, logSoftmax(logits)), -1))     // cross-entropy
 */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  floating('logSoftmax', 'x', x)
  return apply(logSoftmaxOp, [x], { axis: axisOf('logSoftmax', x, axis) })
}

/**
 * e^x / Σ e^x along an axis, the last by default: positive, with sum 1. A line of −∞ gives zeros, one with +∞ NaN.
 *
 * @example softmax(scores)     // [b,q,k], each row of k sums to 1
 */
export function softmax(x: Tensor, axis = -1): Tensor {
  floating('softmax', 'x', x)
  return exp(logSoftmax(x, axisOf('softmax', x, axis)))
}
