/**
 * Convolutions on lines, planes and volumes: states `[b,w,c]`, `[b,h,w,c]` and `[b,d,h,w,c]`.
 *
 * A line is a plane of height 1. A convolution of a volume is a sum over the taps t along the depth of convolutions
 * of planes: with k_t the slice t of the kernel and x_t the state shifted by t along the depth (d the dilation),
 *
 *   y[z] = Σ_t k_t ∗ x_t[z]          x_t[z] = x[z + d·t − before]
 *
 * where the planes of a volume are samples of one batch. Padding works axis by axis (`window.ts`), so padding the depth first
 * gives the same as a window in three dimensions.
 */
import { checkOptions, keysOf, wholeFrom } from '../../backends/options.ts'
import { refuse, requireTensor } from '../op.ts'
import { conv2d } from './conv2d/conv2d.ts'
import { depthwiseConv } from './depthwise-conv/depthwise-conv.ts'
import { dilate } from './dilate.ts'
import { pad, slice } from './pad-slice.ts'
import { reshape } from './reshape.ts'
import { total } from './total.ts'
import { maskInputs, windowKinds } from './window.ts'
import type { Padding } from '../../backends/window.ts'
import { aTensor, type Tensor } from '../tensor.ts'

export type GridOptions = {
  /** What lies outside of the grid, default 'zero'. */
  padding?: Padding
  /** Distance between neighbouring taps, default 1. */
  dilation?: number
  /** Cells to compute, a mask of the shape of x without channels; the others are 0. */
  mask?: Tensor
  /** The cells among them through which derivatives go; see `dense`. */
  gradMask?: Tensor
}

const { padding, dilation } = windowKinds
const gridOptions = keysOf<GridOptions>({ padding, dilation, mask: aTensor, gradMask: aTensor })

/** A convolution in the plane. */
type Plane = (x: Tensor, kernel: Tensor, options: GridOptions) => Tensor

/**
 * Filters each channel separately, see `depthwiseConv`.
 *
 * @param x `[b,w,c]`, `[b,h,w,c]` or `[b,d,h,w,c]`
 * @param kernel `[k,c,n]`, `[k,k,c,n]` or `[k,k,k,c,n]`
 * @returns x with c·n channels, interleaved per channel: c0·f0, c0·f1, …, c1·f0, …
 * @throws where kernel or mask do not fit, or 'reflect' needs more cells than the grid has
 * @example depthwiseOn(x, filterKernelOn(3, ['identity', 'laplacian'], 4), { padding: 'circular' })
 */
export function depthwiseOn(x: Tensor, kernel: Tensor, options: GridOptions = {}): Tensor {
  return convolved('depthwiseOn', depthwiseConv, x, kernel, options)
}

/**
 * Convolution over all channels, see `conv2d`.
 *
 * @param x `[b,w,c]`, `[b,h,w,c]` or `[b,d,h,w,c]`
 * @param kernel `[k,c,n]`, `[k,k,c,n]` or `[k,k,k,c,n]`
 * @returns x with n channels
 * @throws where kernel or mask do not fit, or 'reflect' needs more cells than the grid has
 * @example convOn(x, kernel, { padding: 'circular', dilation: 2 })
 */
export function convOn(x: Tensor, kernel: Tensor, options: GridOptions = {}): Tensor {
  return convolved('convOn', conv2d, x, kernel, options)
}

function convolved(op: string, plane: Plane, x: Tensor, kernel: Tensor, options: GridOptions): Tensor {
  checkOptions(op, options, gridOptions)
  requireTensor(op, 'x', x)
  requireTensor(op, 'the kernel', kernel)
  const rank = x.shape.length
  if (rank < 3 || rank > 5) refuse(op, 'x must be [b,w,c], [b,h,w,c] or [b,d,h,w,c]', { x })
  if (kernel.shape.length !== rank) {
    refuse(op, `the kernel must be [${'k,'.repeat(rank - 2)}c,n], with a size for each axis of the grid`, { x, kernel })
  }
  maskInputs(op, options.mask, options.gradMask, x.shape.slice(0, -1))
  if (rank === 3) return onLine(plane, x, kernel, options)
  return rank === 4 ? plane(x, kernel, options) : inVolume(plane, x, kernel, options)
}

function onLine(plane: Plane, x: Tensor, kernel: Tensor, { mask, gradMask, ...options }: GridOptions): Tensor {
  const [b, w] = x.shape
  const y = plane(tall(x), reshape(kernel, [1, ...kernel.shape]), {
    ...options, mask: mask && tall(mask), gradMask: gradMask && tall(gradMask),
  })
  return reshape(y, [b, w, -1])
}

/** `[b,w,…]` → `[b,1,w,…]` */
function tall(x: Tensor): Tensor {
  return reshape(x, x.shape.toSpliced(1, 0, 1))
}

function inVolume(plane: Plane, x: Tensor, kernel: Tensor, options: GridOptions): Tensor {
  const { mask, gradMask, padding, dilation = 1 } = options
  const [b, d, h, w, c] = x.shape
  const [taps, ...flat] = kernel.shape
  const span = (taps - 1) * dilation
  const before = Math.floor(span / 2)
  const padded = pad(x, [[0, 0], [before, span - before], [0, 0], [0, 0], [0, 0]], { mode: padding })
  const flattened = (mask: Tensor | undefined): Tensor | undefined => mask && reshape(mask, [b * d, h, w])
  const inPlanes = { padding, dilation, mask: flattened(mask), gradMask: flattened(gradMask) }
  const y = total(taps, t => {
    const shifted = slice(padded, [0, t * dilation, 0, 0, 0], x.shape)
    const k = slice(kernel, [t, 0, 0, 0, 0], [1, ...flat])
    return plane(reshape(shifted, [b * d, h, w, c]), reshape(k, flat), inPlanes)
  })
  return reshape(y, [b, d, h, w, -1])
}

export type DilateOptions = {
  /** Cells of the window along each axis, an odd number; default 3. */
  size?: number
  /** What lies outside of the grid, default 'zero'. 'reflect' and 'replicate' repeat cells of the window: they act like 'zero'. */
  padding?: Padding
}

const dilateOptions = keysOf<DilateOptions>({ size: wholeFrom(1), padding })

/**
 * A mask grown by a window along every axis, see `dilate`.
 *
 * @param mask `[b,w]`, `[b,h,w]` or `[b,d,h,w]`, uint32, 0 or 1
 * @returns a mask like it
 * @throws where the mask has another type or rank, or the size is even
 * @example dilateOn(alive, { padding: 'circular' })
 */
export function dilateOn(mask: Tensor, options: DilateOptions = {}): Tensor {
  checkOptions('dilateOn', options, dilateOptions)
  requireTensor('dilateOn', 'the mask', mask)
  const { size = 3 } = options
  const padding = options.padding === 'circular' ? options.padding : 'zero'
  const [b, ...grid] = mask.shape
  if (grid.length < 1 || grid.length > 3) refuse('dilateOn', 'the mask must be [b,w], [b,h,w] or [b,d,h,w]', { mask })
  if (grid.length === 1) return reshape(dilate(tall(mask), [1, size], { padding }), mask.shape)
  if (grid.length === 2) return dilate(mask, size, { padding })
  // A box is separable: first within the planes, then along the depth.
  const [d, h, w] = grid
  const planes = dilate(reshape(mask, [b * d, h, w]), size, { padding })
  return reshape(dilate(reshape(planes, [b, d, h * w]), [size, 1], { padding }), mask.shape)
}
