/**
 * pad and slice: a tensor inside a larger one, and a part of a larger one.
 *
 *   pad, zero    out_{i + before} = x_i, the rest is a constant value        ⟨pad x, g⟩ = ⟨x, slice g⟩
 *   slice        out_i = x_{start + i}                                       ⟨slice x, g⟩ = ⟨x, pad g⟩
 *
 * With a constant outside, each is the derivative of the other. The other paddings repeat entries of x. They are a
 * `gather` along each padded axis,
 *
 *   circular     out_i = x_j,  j = (i − before) mod n                  the axis is a ring
 *   reflect      out_i = x_j,  j = i − before mirrored at 0 and n − 1  the edge itself is not repeated
 *   replicate    out_i = x_j,  j = i − before, at least 0 and at most n − 1
 *
 * and their adjoint is `scatter`, which folds the border back and sums what was read more than once.
 */
import { defineOp, refuse, requireTensor, type Op } from '../op.ts'
import { check, checkOptions, isWhole, keysOf } from '../../backends/options.ts'
import { checkShape, joinAxes, showShape, sizeOf, stridesOf, type Shape } from '../shape.ts'
import { checkNumber, type Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'
import { gather } from './gather.ts'
import { strided } from './strides.ts'
import { windowKinds } from './window.ts'
import { wrap, type Padding } from '../../backends/window.ts'

/** Entries to add before and after, one pair per axis. */
export type PadWidths = readonly (readonly [number, number])[]

/** pad with a constant. scalars [value]. */
export const padOp: Op<{ widths: PadWidths }> = defineOp<{ widths: PadWidths }>({
  name: 'pad',
  infer: ([x], { widths }) => ({ shape: x.shape.map((n, i) => widths[i][0] + n + widths[i][1]), dtype: x.dtype }),
  cpu: ([x], out, { inputs: [{ shape }], out: { shape: outShape }, attrs: { widths }, scalars: [value] }) => {
    out.fill(value)
    eachBlockOf(shape, outShape, widths.map(([before]) => before), (i, j, rows, pitch, n) => {
      for (let r = 0; r < rows; r++, i += n, j += pitch) for (let k = 0; k < n; k++) out[j + k] = x[i + k]
    })
  },
  wgsl: ({ inputs: [{ shape }], out, attrs, scalars: [value] }) => ({
    inputs: ['x'],
    threads: sizeOf(out.shape),
    u32: {
      ...Object.fromEntries(shape.flatMap((n, axis) => [
        [`n${axis}`, n], [`size${axis}`, out.shape[axis]], [`before${axis}`, attrs.widths[axis][0]],
      ])),
      ...(out.dtype === 'float32' ? {} : { value }),
    },
    ...(out.dtype === 'float32' && { f32: { value } }),
    // From the last axis to the first. Before the start of an axis, the unsigned k wraps around and exceeds any size.
    source: `
      fn main(i: u32) {
        var rest = i;
        var at = 0u;
        var stride = 1u;
        var k = 0u;
        ${shape.map((_, axis) => `
          k = rest % u.size${axis} - u.before${axis};
          if (k >= u.n${axis}) { out[i] = T(u.value); return; }
          at += k * stride;
          stride *= u.n${axis};
          rest /= u.size${axis};`).reverse().join('')}
        out[i] = x[at];
      }`,
  }),
  vjp: [{
    uses: [],
    grad: (g, { inputs: [x], attrs: { widths } }) => slice(g, widths.map(([before]) => before), x.shape),
  }],
})

/** slice: the box of `size` entries from `start` on. */
export const sliceOp: Op<{ start: Shape; size: Shape }> = defineOp<{ start: Shape; size: Shape }>({
  name: 'slice',
  infer: ([x], { size }) => ({ shape: size, dtype: x.dtype }),
  cpu: ([x], out, { inputs: [{ shape }], attrs: { start, size } }) => {
    eachBlockOf(size, shape, start, (i, j, rows, pitch, n) => {
      for (let r = 0; r < rows; r++, i += n, j += pitch) for (let k = 0; k < n; k++) out[i + k] = x[j + k]
    })
  },
  wgsl: ({ inputs: [{ shape }], attrs: { start, size } }) => {
    const strides = stridesOf(shape)
    const place = strided('place', size, strides)
    const first = start.reduce((sum, s, axis) => sum + s * strides[axis], 0)
    return {
      inputs: ['x'],
      threads: sizeOf(size),
      u32: { ...place.u32, first },
      source: `${place.wgsl} fn main(i: u32) { out[i] = x[u.first + place(i)]; }`,
    }
  },
  vjp: [{
    uses: [],
    grad: (g, { inputs: [x], attrs: { start, size } }) =>
      pad(g, x.shape.map((n, i) => [start[i], n - start[i] - size[i]])),
  }],
})

/**
 * Calls `block(i, j, rows, pitch, n)` for each block of a box that lies at `start` in a whole: rows of n entries that are
 * contiguous in the box from i on, and begin at j, j + pitch, … in the whole. Axes that can be traversed as one are
 * joined, so that a slice of the channels of an image is one block.
 */
function eachBlockOf(
  box: Shape, whole: Shape, start: Shape,
  block: (i: number, j: number, rows: number, pitch: number, n: number) => void,
): void {
  const all = stridesOf(whole)
  const { sizes, strides } = joinAxes(box, all)
  const n = strides.at(-1) === 1 ? sizes.pop()! : 1
  if (strides.at(-1) === 1) strides.pop()
  const rows = sizes.pop() ?? 1, pitch = strides.pop() ?? 0
  const at = sizes.map(() => 0)
  let j = start.reduce((sum, s, axis) => sum + s * all[axis], 0)
  for (let i = 0, end = sizeOf(box); i < end; i += rows * n) {
    block(i, j, rows, pitch, n)
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      j += strides[axis]
      if (++at[axis] < sizes[axis]) break
      at[axis] = 0
      j -= strides[axis] * sizes[axis]
    }
  }
}

export type PadOptions = {
  /** What lies outside; 'zero' by default. */
  mode?: Padding
  /** The constant outside in mode 'zero', if not 0. */
  value?: number
}

const padOptions = keysOf<PadOptions>({ mode: windowKinds.padding, value: { fits: x => typeof x === 'number' && !Number.isNaN(x), expected: 'a number' } })

/**
 * x with entries added around it.
 *
 * @param widths `[before, after]` for every axis
 * @throws for widths that are not whole numbers ≥ 0, and for reflect where a border is as wide as x or wider
 * @example pad(x, [[0, 0], [16, 16], [16, 16], [0, 0]])                        // 16 zeros around each image
 * @example pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], { mode: 'circular' })      // a torus, cut open
 */
export function pad(x: Tensor, widths: PadWidths, options: PadOptions = {}): Tensor {
  checkOptions('pad', options, padOptions)
  const { mode = 'zero', value = 0 } = options
  requireTensor('pad', 'x', x)
  const arePairs = Array.isArray(widths) && widths.every(pair => Array.isArray(pair) && pair.length === 2)
  check(arePairs, 'pad', 'the list of widths', widths, 'a pair [before, after] for each axis')
  const rank = x.shape.length
  if (widths.length !== rank) refuse('pad', `${widths.length} pairs of widths for ${rank} axes`, { x })
  if (!widths.flat().every(n => isWhole(n))) {
    refuse('pad', `widths must be whole numbers ≥ 0, got ${widths.map(showShape).join(' ')}`, { x })
  }
  checkNumber('pad', 'the value', value, x.dtype)
  if (mode === 'zero') return apply(padOp, [x], { widths }, [value])
  return widths.reduce((y, [before, after], axis) => (
    before + after === 0 ? y : gather(y, sources(x, axis, before, after, mode), axis)
  ), x)
}

/** For each entry of the padded axis, the index in x that it comes from. */
function sources(x: Tensor, axis: number, before: number, after: number, mode: Padding): number[] {
  const n = x.shape[axis]
  if (n === 0 || (mode === 'reflect' && Math.max(before, after) >= n)) {
    refuse('pad', `${mode} padding of [${before},${after}] needs more than the ${n} entries of axis ${axis}`, { x })
  }
  return Array.from({ length: before + n + after }, (_, i) => wrap(i - before, n, mode))
}

/**
 * The box of `size` entries of x that begins at `start`, both one number per axis.
 *
 * @throws where the box does not lie inside x
 * @example slice(x, [0, 16, 16, 0], [1, 40, 40, 4])     // colours of the middle of the first sample
 */
export function slice(x: Tensor, start: Shape, size: Shape): Tensor {
  requireTensor('slice', 'x', x)
  check(Array.isArray(start), 'slice', 'the start', start, 'a list of one number per axis')
  checkShape('slice', size)
  if (start.length !== x.shape.length || size.length !== x.shape.length
    || !x.shape.every((n, i) => isWhole(start[i]) && start[i] + size[i] <= n)) {
    refuse('slice', `a box of ${showShape(size)} at ${showShape(start)} is not inside of x`, { x })
  }
  return apply(sliceOp, [x], { start, size })
}
