/**
 * depthwiseConv: m filters for each channel separately. This is how a cell perceives its neighbours.
 *
 *   out[o, c·m + q] = Σ_(t,i) x[i, c] · k[t, c, q]
 *
 * The sum is over the links (o, t, i) of `window.ts`: output cell o reads cell i through tap t. It is a
 * cross-correlation (nothing is flipped). Outputs are interleaved per channel: c0·q0, c0·q1, …, c1·q0, …
 *
 * A weight of zero looks at nothing: where k is 0 there is no term, whatever x is. So the filter "identity" is a copy
 * even if a neighbour is NaN or infinite, and a filter may be padded with zeros without seeing further. The derivative
 * with respect to x has the same terms. A zero of x, even beyond the border, is a number like any other: times a weight that
 * is NaN it is NaN.
 *
 * Contracted with a cotangent g of the output, it becomes a form in which x, k and g play the same role,
 *
 *   T(x, k, g) = Σ_(o,t,i) Σ_c Σ_q  x[i, c] · k[t, c, q] · g[o, c·m + q]
 *
 *   depthwiseConv = ∂T/∂g       depthwiseConvInput = ∂T/∂x       depthwiseConvFilter = ∂T/∂k
 *
 * and which is linear in each. So each operator takes two of the three and returns the derivative with respect to the third.
 * Its own derivatives are the other two operators, with its cotangent in place of the argument that it lacks. The three are
 * closed under differentiation, for every padding, dilation and mask, since these only choose the links.
 */
import type { Spec } from '../../../backends/backend.ts'
import { defineOp, refuse, requireTensor, sameDtype, type Op } from '../../op.ts'
import { checkOptions, keysOf } from '../../../backends/options.ts'
import { sizeOf } from '../../shape.ts'
import { aTensor, type Tensor } from '../../tensor.ts'
import { apply } from '../../trace.ts'
import { depthwiseConvFilterSimd, depthwiseConvInputSimd, depthwiseConvSimd } from './simd.ts'
import { reduction } from '../../../backends/wgsl/reduction.ts'
import { exactProducts } from '../whole.ts'
import { outputSize, type Windows } from '../../../backends/window.ts'
import { linksWgsl } from '../../../backends/wgsl/window.ts'
import { eachLink, maskInputs, windowKinds, windows, type WindowOptions } from '../window.ts'

/** ∂T/∂g: the convolution. inputs: x [b,h,w,c], k [kh,kw,c,m], optional masks [b,h,w] (`maskInputs`). */
export const depthwiseConvOp: Op<Windows> = defineOp<Windows>({
  name: 'depthwiseConv',
  simd: depthwiseConvSimd,
  infer: ([x, k], win): Spec => ({ shape: [x.shape[0], ...outputSize(win), x.shape[3] * k.shape[3]], dtype: x.dtype }),
  cpu: exactProducts(([x, k, mask], sums, { inputs: [{ shape: [b] }, { shape: [, , n, m] }], attrs }) => {
    eachLink(attrs, b, mask, (o, t, i) => {
      for (let f = 0; f < n * m; f++) {
        const weight = k[t * n * m + f]
        if (weight !== 0) sums[o * n * m + f] += (i < 0 ? 0 : x[i * n + Math.floor(f / m)]) * weight
      }
    })
  }),
  // A thread for each channel of each cell, with the sums of its filters.
  wgsl: ({ inputs: [, { shape: [, , n, m] }, mask], out, attrs }) => {
    const { wgsl, u32 } = linksWgsl('reads', attrs)
    const each = (line: (q: number) => string): string => Array.from({ length: m }, (_, q) => line(q)).join('\n')
    return {
      inputs: ['x', 'k', 'mask', 'gradMask'],
      threads: sizeOf(out.shape) / m,
      u32: { ...u32, n },
      source: `${wgsl}
        fn main(i: u32) {
          let r = i / u.n;
          let c = i % u.n;
          let at = place(r);
          ${each(q => `var t${q} = T();`)}
          let links = ${mask ? 'select(u.links, 0, mask[r] == 0)' : 'u.links'};
          for (var e = 0u; e < links; e++) {
            let cell = linked(at, e);
            var value = T(); // beyond the border
            if (cell >= 0) { value = x[u32(cell) * u.n + c]; }
            let by = (e * u.n + c) * ${m};
            ${each(q => `t${q} += select(value * k[by + ${q}], T(), k[by + ${q}] == T());`)}
          }
          ${each(q => `out[i * ${m} + ${q}] = t${q};`)}
        }`,
    }
  },
  vjp: [
    {
      uses: [1, 2, 3],
      grad: (g, { inputs: [, k, ...mask], attrs }) => apply(depthwiseConvInputOp, [g, k, ...mask.slice(-1)], attrs),
    },
    {
      uses: [0, 2, 3],
      grad: (g, { inputs: [x, k, ...mask], attrs }) => derivativeOfFilters(x, g, k, mask.slice(-1), attrs),
    },
    null,
    null,
  ],
})

/** ∂T/∂x: each cell collects from those that read it. inputs: g [b,h,w,c·m], k [kh,kw,c,m], optional mask [b,h,w]. */
export const depthwiseConvInputOp: Op<Windows> = defineOp<Windows>({
  name: 'depthwiseConvInput',
  simd: depthwiseConvInputSimd,
  infer: ([g, k], { size }): Spec => ({ shape: [g.shape[0], ...size, k.shape[2]], dtype: g.dtype }),
  cpu: exactProducts(([g, k, mask], sums, { inputs: [{ shape: [b] }, { shape: [, , n, m] }], attrs }) => {
    eachLink(attrs, b, mask, (o, t, i) => {
      for (let f = 0; f < n * m && i >= 0; f++) {
        const weight = k[t * n * m + f]
        if (weight !== 0) sums[i * n + Math.floor(f / m)] += g[o * n * m + f] * weight
      }
    })
  }),
  wgsl: ({ inputs: [, { shape: [, , n, m] }, mask], out, attrs }) => {
    const { wgsl, u32 } = linksWgsl('readers', attrs)
    return {
      inputs: ['g', 'k', 'mask'],
      threads: sizeOf(out.shape),
      u32: { ...u32, n },
      source: `${wgsl}
        fn main(o: u32) {
          let c = o % u.n;
          let at = place(o / u.n);
          var t = T();
          for (var e = 0u; e < u.links; e++) {
            let cell = linked(at, e);
            if (cell < 0) { continue; }
            ${mask ? 'if (mask[cell] == 0) { continue; }' : ''}
            let first = (u32(cell) * u.n + c) * ${m};
            let by = (e % taps * u.n + c) * ${m};
            for (var q = 0u; q < ${m}; q++) { t += select(g[first + q] * k[by + q], T(), k[by + q] == T()); }
          }
          out[o] = t;
        }`,
    }
  },
  vjp: [
    { uses: [1, 2], grad: (u, { inputs: [, k, ...mask], attrs }) => apply(depthwiseConvOp, [u, k, ...mask], attrs) },
    {
      uses: [0, 2],
      grad: (u, { inputs: [g, k, ...mask], attrs }) => derivativeOfFilters(u, g, k, mask, attrs),
    },
    null,
  ],
})

/** The number of filters per channel, given because without any channel it does not follow from the inputs of the next operator. */
type Filtered = Windows & { readonly multiplier?: number }

function derivativeOfFilters(x: Tensor, g: Tensor, k: Tensor, mask: readonly Tensor[], win: Windows): Tensor {
  return apply(depthwiseConvFilterOp, [x, g, ...mask], { ...win, multiplier: k.shape[3] })
}

/** ∂T/∂k: the derivative of the filters. inputs: x [b,h,w,c], g [b,h,w,c·m], optional mask [b,h,w]. */
export const depthwiseConvFilterOp: Op<Filtered> = defineOp<Filtered>({
  name: 'depthwiseConvFilter',
  simd: depthwiseConvFilterSimd,
  infer: ([x, g], { kernel, multiplier }): Spec => {
    const channels = x.shape[3]
    const filters = multiplier ?? (channels && g.shape[3] / channels)
    return { shape: [...kernel, channels, filters], dtype: x.dtype }
  },
  cpu: exactProducts(([x, g, mask], sums, { inputs: [{ shape: [b] }], out: { shape: [, , n, m] }, attrs }) => {
    eachLink(attrs, b, mask, (o, t, i) => {
      for (let f = 0; f < n * m; f++) {
        sums[t * n * m + f] += (i < 0 ? 0 : x[i * n + Math.floor(f / m)]) * g[o * n * m + f]
      }
    })
  }),
  wgsl: ({ inputs: [, g, mask], out: { shape }, attrs }) => {
    const { wgsl, u32 } = linksWgsl('reads', attrs)
    const [, , n, m] = shape
    const count = sizeOf(g.shape) / (n * m)
    return reduction(sizeOf(shape), count, { total: ['T', 'a + b'] }, {
      inputs: ['x', 'g', 'mask'],
      u32: { ...u32, m, n, count },
      source: `${wgsl}
        fn reduce(j: u32, lane: u32, lanes: u32) {
          let f = j % (u.n * u.m);
          var mine: Part;
          for (var r = lane; r < u.count; r += lanes) {
            ${mask ? 'if (mask[r] == 0) { continue; }' : ''}
            let cell = linked(place(r), j / (u.n * u.m));
            var seen = T(); // beyond the border
            if (cell >= 0) { seen = x[u32(cell) * u.n + f / u.m]; }
            mine.parts[0] += seen * g[r * u.n * u.m + f];
            carry(&mine);
          }
          complete(&mine);
          let sum = total(lane, mine.parts[0]);
          if (lane == 0) { out[j] = sum; }
        }`,
    }, ['T', 1])
  },
  vjp: [
    {
      uses: [1, 2],
      grad: (u, { inputs: [, g, ...mask], attrs }) => apply(depthwiseConvInputOp, [g, u, ...mask], attrs),
    },
    { uses: [0, 2], grad: (u, { inputs: [x, , ...mask], attrs }) => apply(depthwiseConvOp, [x, u, ...mask], attrs) },
    null,
  ],
})

export type DepthwiseConvOptions = Omit<WindowOptions, 'stride'> & {
  /** Cells to compute, a mask `[b,h,w]`; the others are 0 and cost nothing, in the derivatives too. */
  mask?: Tensor
  /** The cells among them through which derivatives go; see `dense`. */
  gradMask?: Tensor
}

const depthwiseConvOptions = keysOf<DepthwiseConvOptions>({
  padding: windowKinds.padding, dilation: windowKinds.dilation, mask: aTensor, gradMask: aTensor,
})

/**
 * Filters each channel separately and keeps the size (SAME). Windows of even size reach one cell further down and right.
 *
 * @param x `[b,h,w,c]`
 * @param kernel `[kh,kw,c,m]`, m filters for each channel
 * @returns `[b,h,w,c·m]`, interleaved per channel: c0·q0, c0·q1, …, c1·q0, … A weight of 0 looks at nothing, not even
 *   at a NaN.
 * @throws where channels, types or the mask do not fit, or 'reflect' needs more cells than the grid has
 * @example depthwiseConv(x, filterKernel(['identity', 'sobelX', 'sobelY'], 16))   // [b,h,w,16] → [b,h,w,48]
 */
export function depthwiseConv(x: Tensor, kernel: Tensor, options: DepthwiseConvOptions = {}): Tensor {
  checkOptions('depthwiseConv', options, depthwiseConvOptions)
  const { padding, dilation, mask, gradMask } = options
  requireTensor('depthwiseConv', 'x', x)
  requireTensor('depthwiseConv', 'the kernel', kernel)
  sameDtype('depthwiseConv', { x, kernel })
  if (kernel.shape.length !== 4) refuse('depthwiseConv', 'the kernel must be [kh,kw,c,m]', { x, kernel })
  const win = windows('depthwiseConv', x, kernel.shape, { padding, dilation })
  const [channels, expected] = [kernel.shape[2], x.shape[3]]
  if (channels !== expected) {
    const layout = 'Layout is [b,h,w,c] and [kh,kw,c,m].'
    refuse('depthwiseConv', `kernel channels ${channels} ≠ input channels ${expected}`, { x, kernel }, layout)
  }
  return apply(depthwiseConvOp, [x, kernel, ...maskInputs('depthwiseConv', mask, gradMask, x.shape.slice(0, 3))], win)
}
