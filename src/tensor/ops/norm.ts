/**
 * norm: the Euclidean length along some axes.
 *
 *   norm         out = √(Σ x²) = s √(Σ (x/s)²)              ∂L/∂x = g · x / out, and 0 where out is 0
 *
 * s is the power of two below the greatest |x|, so that no square overflows or underflows unless the length itself does;
 * dividing by it is exact.
 *
 * At 0 the length has a kink, like |x|: there the derivative is 0 by convention, and stays 0 when it is differentiated
 * again. √(Σ x²) composed of operators has no derivative there: 1/(2√0) · 0 is NaN.
 */
import { defineOp, floating, type Op } from '../op.ts'
import { sizeOf } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'
import { div, mul } from './arithmetic.ts'
import { equal, where } from './compare.ts'
import { dropAxes, reducedAxes, type ReduceOptions } from './sum.ts'
import { eachRow, metAlong } from './strides.ts'
import { reduction } from '../../backends/wgsl/reduction.ts'

/** norm over `axes`, which stay as axes of size 1. */
export const normOp: Op<{ axes: readonly number[] }> = defineOp<{ axes: readonly number[] }>({
  name: 'norm',
  infer: ([x], { axes }) => ({ shape: x.shape.map((n, i) => (axes.includes(i) ? 1 : n)), dtype: x.dtype }),
  cpu: ([x], out, { inputs: [{ shape }], out: { shape: outShape } }) => {
    const units = new Float64Array(out.length), squares = new Float64Array(out.length)
    eachRow(shape, outShape, (i, j, stride, n) => {
      for (let k = 0; k < n; k++) units[j + k * stride] = Math.max(units[j + k * stride], Math.abs(x[i + k]))
    })
    for (let j = 0; j < units.length; j++) units[j] = powerOfTwo(units[j])
    eachRow(shape, outShape, (i, j, stride, n) => {
      for (let k = 0; k < n; k++) squares[j + k * stride] += (x[i + k] / units[j + k * stride]) ** 2
    })
    for (let j = 0; j < out.length; j++) out[j] = units[j] * Math.sqrt(squares[j])
  },
  wgsl: ({ inputs: [{ shape }], out, attrs: { axes } }) => {
    const { n, wgsl, u32 } = metAlong(axes, shape, out.shape)
    return reduction(sizeOf(out.shape), n, { most: ['u32', 'max(a, b)'], total: ['f32', 'a + b'] }, {
      inputs: ['x'],
      u32,
      // The bits of |x| are ordered like the numbers, with NaN above all. Their upper nine bits are a power of two.
      source: `${wgsl}
        fn reduce(j: u32, lane: u32, lanes: u32) {
          let start = first(j);
          var top = 0u;
          for (var i = lane; i < u.n; i += lanes) { top = max(top, bitcast<u32>(x[start + next(i)]) & 0x7fffffff); }
          top = most(lane, top);
          let exponent = clamp(top >> 23, 1, 253);
          let inverse = bitcast<f32>((254 - exponent) << 23);
          var mine: Part;
          for (var i = lane; i < u.n; i += lanes) {
            let scaled = x[start + next(i)] * inverse;
            mine.parts[0] += scaled * scaled;
            carry(&mine);
          }
          complete(&mine);
          let length = bitcast<f32>(exponent << 23) * squareRoot(total(lane, mine.parts[0]));
          if (lane == 0) { out[j] = select(length, float(top), top >= 0x7f800000); }
        }`,
    }, ['f32', 1])
  },
  vjp: [{
    uses: [0, 'out'],
    grad: (g, { inputs: [x], out }) => {
      const none = equal(out, 0)
      return mul(g, where(none, 0, div(x, where(none, 1, out))))
    },
  }],
})

/** The power of two below x; 1 where there is none. */
function powerOfTwo(x: number): number {
  return x > 0 && x < Infinity ? 2 ** Math.max(-1022, Math.floor(Math.log2(x))) : 1
}

/**
 * The Euclidean length √(Σ x²) over the given axes, all by default. It is right unless it overflows itself, even if the
 * squares would overflow or underflow. The gradient of a length of 0 is 0, of every order.
 *
 * @throws for integer tensors: cast them first
 * @example norm(x)                              // []
 * @example div(v, norm(v, -1, { keepDims: true }))   // each vector with length 1
 */
export function norm(x: Tensor, axes?: number | readonly number[], options: ReduceOptions = {}): Tensor {
  floating('norm', 'x', x)
  const list = reducedAxes('norm', x, axes, options)
  return dropAxes(apply(normOp, [x], { axes: list }), list, options.keepDims)
}
