/**
 * conv2d: filters that look at all channels at once, a dense layer over windows.
 *
 *   out[o, j] = Σ_(t,i) Σ_c x[i, c] · k[t, c, j] + bias[j]
 *
 * The outer sum is over the links (o, t, i) of `window.ts`: output cell o reads cell i through tap t. It is a
 * cross-correlation (nothing is flipped). As in `depthwise-conv.ts`, contraction with a cotangent g gives a form
 *
 *   T(x, k, g) = Σ_(o,t,i) Σ_c Σ_j  x[i, c] · k[t, c, j] · g[o, j]
 *
 *   conv2d = ∂T/∂g       conv2dInput = ∂T/∂x (the "transposed convolution")       conv2dFilter = ∂T/∂k
 *
 * which is linear in each argument. So the derivatives of each of the three are the other two, and the set is closed
 * under differentiation, for every padding, stride, dilation and mask.
 *
 * In groups, output j sees the channels of its own group only: a convolution for each group, side by side. (With as many groups
 * as channels it is `depthwiseConv`, which has kernels of its own.)
 */
import type { Shader, Spec } from '../../../backends/backend.ts'
import { defineOp, refuse, requireTensor, sameDtype, type Op } from '../../op.ts'
import { checkOptions, keysOf, wholeFrom } from '../../../backends/options.ts'
import { sameShape, sizeOf } from '../../shape.ts'
import { aTensor, type Tensor } from '../../tensor.ts'
import { apply } from '../../trace.ts'
import { add } from '../arithmetic.ts'
import { where } from '../compare.ts'
import { concat, splitAxis } from '../concat.ts'
import { reshape } from '../reshape.ts'
import { fewTerms, longSum } from '../../../backends/wgsl/long-sum.ts'
import { beyond, tallProduct, writeFour } from '../../../backends/wgsl/matrix.ts'
import { exactProducts } from '../whole.ts'
import { outputSize, type Windows } from '../../../backends/window.ts'
import { linksWgsl } from '../../../backends/wgsl/window.ts'
import { conv2dFilterSimd, conv2dInputSimd, conv2dSimd } from './simd.ts'
import { eachLink, maskInputs, windowKinds, windows, type WindowOptions } from '../window.ts'

/** ∂T/∂g: the convolution. inputs: x [b,h,w,in], k [kh,kw,in,out], optional masks [b,oh,ow] (`maskInputs`). */
export const conv2dOp: Op<Windows> = defineOp<Windows>({
  name: 'conv2d',
  infer: ([x, k], win): Spec => ({ shape: [x.shape[0], ...outputSize(win), k.shape[3]], dtype: x.dtype }),
  cpu: exactProducts(([x, k, mask], sums, { inputs: [{ shape: [b] }, { shape: [, , n, m] }], attrs }) => {
    eachLink(attrs, b, mask, (o, t, i) => {
      for (let c = 0; c < n; c++) {
        const value = i < 0 ? 0 : x[i * n + c], by = (t * n + c) * m, to = o * m
        for (let j = 0; j < m; j++) sums[to + j] += value * k[by + j]
      }
    })
  }),
  simd: conv2dSimd,

  wgsl: ({ inputs: [, { shape: [, , n, m] }, mask], out, attrs }) => (
    multiplyWgsl('reads', attrs, n, m, 1, sizeOf(out.shape), m, mask !== undefined)),
  vjp: [
    {
      uses: [1, 2, 3],
      grad: (g, { inputs: [, k, ...mask], attrs }) => apply(conv2dInputOp, [g, k, ...mask.slice(-1)], attrs),
    },
    {
      uses: [0, 2, 3],
      grad: (g, { inputs: [x, , ...mask], attrs }) => apply(conv2dFilterOp, [x, g, ...mask.slice(-1)], attrs),
    },
    null,
    null,
  ],
})

/** ∂T/∂x: each cell collects from those that read it. inputs: g [b,oh,ow,out], k [kh,kw,in,out], optional mask. */
export const conv2dInputOp: Op<Windows> = defineOp<Windows>({
  name: 'conv2dInput',
  infer: ([g, k], { size }): Spec => ({ shape: [g.shape[0], ...size, k.shape[2]], dtype: g.dtype }),
  cpu: exactProducts(([g, k, mask], sums, { inputs: [{ shape: [b] }, { shape: [, , n, m] }], attrs }) => {
    eachLink(attrs, b, mask, (o, t, i) => {
      for (let c = 0; c < n && i >= 0; c++) {
        const from = o * m, by = (t * n + c) * m
        let sum = 0
        for (let j = 0; j < m; j++) sum += g[from + j] * k[by + j]
        sums[i * n + c] += sum
      }
    })
  }),
  simd: conv2dInputSimd,

  wgsl: ({ inputs: [, { shape: [, , n, m] }, mask], out, attrs }) => (
    multiplyWgsl('readers', attrs, m, 1, m, sizeOf(out.shape), n, mask !== undefined)),
  vjp: [
    { uses: [1, 2], grad: (u, { inputs: [, k, ...mask], attrs }) => apply(conv2dOp, [u, k, ...mask], attrs) },
    { uses: [0, 2], grad: (u, { inputs: [g, , ...mask], attrs }) => apply(conv2dFilterOp, [u, g, ...mask], attrs) },
    null,
  ],
})

/**
 * The shader of out[r, j] = Σ_links Σ_c a[c] · k[c, j], with n numbers a at each cell and m sums; each thread computes four
 * of the sums of a cell. k[c + 1, j] comes `rowStep` numbers after k[c, j], and k[c, j + 1] `columnStep` numbers:
 * exchanging the steps transposes the matrix of each tap. The output has `size` numbers.
 */
function multiplyWgsl(
  direction: 'reads' | 'readers', win: Windows,
  n: number, rowStep: number, columnStep: number, size: number, m: number, masked: boolean,
): Shader {
  const { wgsl, u32 } = linksWgsl(direction, win)
  const blocks = Math.ceil(m / 4)
  const reading = direction === 'reads'
  const skip = reading ? 'mask[r] == 0' : 'mask[cell] == 0'
  const value = reading && win.padding === 'zero' ? 'select(T(), a[first + c], cell >= 0)' : 'a[first + c]'
  const block = [0, 1, 2, 3]
  const terms = u32.links * n
  const long = terms > fewTerms
  const sum = long ? 't.parts[0]' : 't'
  return {
    inputs: ['a', 'k', 'mask', 'gradMask'],
    threads: size / m * blocks,
    u32: { ...u32, n, m, blocks, rowStep, columnStep },
    source: `${long ? longSum('vec4<T>', 1, terms) : ''} ${writeFour} ${wgsl}
      fn main(i: u32) {
        let r = i / u.blocks;
        let j = i % u.blocks * 4;
        let at = place(r);
        ${long ? 'var t: Part;' : 'var t = vec4<T>();'}
        for (var e = 0u; e < u.links; e++) {
          let cell = linked(at, e);
          ${reading ? '' : 'if (cell < 0) { continue; }'}
          ${masked ? `if (${skip}) { continue; }` : ''}
          let first = u32(max(cell, 0)) * u.n;
          var by = e % taps * u.n * u.m + j * u.columnStep;
          for (var c = 0u; c < u.n; c++) {
            ${sum} += ${value} * vec4(${block.map(step => `k[by + ${step} * u.columnStep]`).join(', ')});
            by += u.rowStep;
            ${long ? 'carry(&t);' : ''}
          }
        }
        ${long ? 'complete(&t);' : ''}
        writeFour(r, j, ${sum});
      }`,
  }
}

/** ∂T/∂k: the derivative of the filters. inputs: x [b,h,w,in], g [b,oh,ow,out], optional mask [b,oh,ow]. */
export const conv2dFilterOp: Op<Windows> = defineOp<Windows>({
  name: 'conv2dFilter',
  infer: ([x, g], { kernel }): Spec => ({ shape: [...kernel, x.shape[3], g.shape[3]], dtype: x.dtype }),
  cpu: exactProducts(([x, g, mask], sums, { inputs: [{ shape: [b] }], out: { shape: [, , n, m] }, attrs }) => {
    eachLink(attrs, b, mask, (o, t, i) => {
      for (let c = 0; c < n; c++) {
        const value = i < 0 ? 0 : x[i * n + c], to = (t * n + c) * m
        for (let j = 0; j < m; j++) sums[to + j] += value * g[o * m + j]
      }
    })
  }),
  simd: conv2dFilterSimd,

  wgsl: ({ inputs: [, { shape }, mask], out: { shape: [kh, kw, n, m] }, attrs }) => {
    const { wgsl, u32 } = linksWgsl('reads', attrs)
    return tallProduct([kh * kw, n, m], sizeOf(shape) / m, {
      inputs: ['left', 'right', 'mask'],
      u32,
      source: `${wgsl}
        fn paired(t: u32, r: u32) -> i32 {
          ${mask ? 'if (mask[r] == 0) { return -1; }' : ''}
          let cell = linked(place(r), t);
          return select(cell, ${beyond}, cell < 0);
        }`,
    })
  },
  vjp: [
    { uses: [1, 2], grad: (u, { inputs: [, g, ...mask], attrs }) => apply(conv2dInputOp, [g, u, ...mask], attrs) },
    { uses: [0, 2], grad: (u, { inputs: [x, , ...mask], attrs }) => apply(conv2dOp, [x, u, ...mask], attrs) },
    null,
  ],
})

export type Conv2dOptions = WindowOptions & {
  /** Bias `[out]`. */
  bias?: Tensor
  /**
   * Groups of neighbouring channels, and of outputs, each with a convolution of its own; must divide both, default 1. Each group
   * costs a call and copies of its channels; for groups of single channels `depthwiseConv` is much faster.
   */
  groups?: number
  /** Output cells to compute, a mask `[b,⌈h/stride⌉,⌈w/stride⌉]`; the others are 0, without bias, and cost nothing. */
  mask?: Tensor
  /** The cells among them through which derivatives go; see `dense`. */
  gradMask?: Tensor
}

const conv2dOptions = keysOf<Conv2dOptions>({ ...windowKinds, bias: aTensor, groups: wholeFrom(1), mask: aTensor, gradMask: aTensor })

/**
 * Convolution over all channels with SAME padding. With a stride, the place of the windows depends on the size of x, see the
 * option `stride`.
 *
 * @param x `[b,h,w,in]`
 * @param kernel `[kh,kw,in,out]`, in groups `[kh,kw,in/groups,out]`
 * @returns `[b,⌈h/stride⌉,⌈w/stride⌉,out]`
 * @throws where channels, groups, types, bias or mask do not fit, or 'reflect' needs more cells than the grid has
 * @example conv2d(x, kernel, { bias, padding: 'circular' })
 * @example conv2d(x, kernel, { groups: 4 })   // x [b,h,w,16], kernel [3,3,4,32]
 */
export function conv2d(x: Tensor, kernel: Tensor, options: Conv2dOptions = {}): Tensor {
  checkOptions('conv2d', options, conv2dOptions)
  const { bias, groups = 1, mask, gradMask, ...placed } = options
  requireTensor('conv2d', 'x', x)
  requireTensor('conv2d', 'the kernel', kernel)
  sameDtype('conv2d', { x, kernel, ...(bias && { bias }) })
  if (kernel.shape.length !== 4) refuse('conv2d', 'the kernel must be [kh,kw,in,out]', { x, kernel })
  const win = windows('conv2d', x, kernel.shape, placed)
  const [channels, expected] = [kernel.shape[2] * groups, x.shape[3]]
  if (channels !== expected) {
    const [times, each] = groups === 1 ? ['', ''] : [` times ${groups} groups`, '/groups']
    refuse('conv2d', `kernel channels ${kernel.shape[2]}${times} ≠ input channels ${expected}`, { x, kernel }, `Layout is [b,h,w,in] and [kh,kw,in${each},out].`)
  }
  if (kernel.shape[3] % groups !== 0) refuse('conv2d', `there are no ${groups} equal groups of ${kernel.shape[3]} outputs`, { x, kernel })
  const out = [x.shape[0], ...outputSize(win)]
  const masks = maskInputs('conv2d', mask, gradMask, out)
  if (bias && !sameShape(bias.shape, [kernel.shape[3]])) refuse('conv2d', 'the bias must be [out]', { bias, kernel })
  const y = groups === 1 ? apply(conv2dOp, [x, kernel, ...masks], win) : inGroups(groups, x, kernel, masks, win)
  if (!bias) return y
  return mask ? where(reshape(mask, [...out, 1]), add(y, bias), 0) : add(y, bias)
}

/** The convolution of each group, side by side. */
function inGroups(groups: number, x: Tensor, kernel: Tensor, masks: readonly Tensor[], win: Windows): Tensor {
  const [inputs, kernels] = [x, kernel].map(t => splitAxis(t, new Array<number>(groups).fill(t.shape[3] / groups)))
  return concat(inputs.map((own, i) => apply(conv2dOp, [own, kernels[i], ...masks], win)))
}
