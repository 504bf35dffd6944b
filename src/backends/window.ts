/**
 * The geometry of windows: which cells a convolution or a pooling reads, on every backend.
 *
 * A window has k taps along each axis. On an axis with n cells, output cell o reads through tap t the cell
 *
 *   i = wrap(o·stride + t·dilation − before)            o = 0 … ⌈n/stride⌉ − 1,  t = 0 … k − 1
 *
 *   before = ⌊total/2⌋,  total = max((⌈n/stride⌉ − 1)·stride + (k − 1)·dilation + 1 − n, 0)
 *
 * This padding is what TensorFlow calls SAME: with stride 1 the size is kept, and a window of odd size is centred.
 * `wrap` says what a window finds outside of 0 … n − 1:
 *
 *   zero       nothing; such a tap reads no cell
 *   circular   i mod n: the grid is a torus
 *   reflect    −i or 2(n − 1) − i: a mirror through the centre of the outermost cell, which is not repeated
 *   replicate  0 or n − 1: the outermost cell again and again
 */

/** What lies outside of the grid: zeros, the opposite side, the mirror image without the edge, or the edge itself. */
export type Padding = 'zero' | 'circular' | 'reflect' | 'replicate'

/** All paddings. */
export const paddings: readonly Padding[] = ['zero', 'circular', 'reflect', 'replicate']

/** The windows of one operator. The sizes are the input's height and width, and the numbers of taps along them. */
export type Windows = {
  readonly size: readonly [number, number]
  readonly kernel: readonly [number, number]
  readonly padding: Padding
  /** Cells from the window of one output cell to that of the next. */
  readonly stride: number
  /** Cells from one tap to the next. */
  readonly dilation: number
}

/** Height and width of the output, ⌈n/stride⌉. */
export function outputSize({ size, stride }: Windows): [number, number] {
  return [Math.ceil(size[0] / stride), Math.ceil(size[1] / stride)]
}

/** How many cells `outputs` neighbouring outputs read along an axis. */
export function span({ kernel, stride, dilation }: Windows, axis: 0 | 1, outputs: number): number {
  return (outputs - 1) * stride + (kernel[axis] - 1) * dilation + 1
}

/** How many cells windows reach beyond the grid along an axis: before it, and on both sides together. */
export function border(win: Windows, axis: 0 | 1): { before: number; total: number } {
  const total = Math.max(span(win, axis, outputSize(win)[axis]) - win.size[axis], 0)
  return { before: Math.floor(total / 2), total }
}

/**
 * The cell at position i of an axis of n cells, or −1 where there is none. For 'reflect', i must be less than n cells outside.
 */
export function wrap(i: number, n: number, padding: Padding): number {
  if (i >= 0 && i < n) return i
  if (padding === 'zero') return -1
  if (padding === 'circular') return ((i % n) + n) % n
  if (padding === 'replicate') return i < 0 ? 0 : n - 1
  return i < 0 ? -i : 2 * (n - 1) - i
}

/**
 * The cells of an axis with its border, −1 for none: tap t of output cell o reads the one at o·stride + t·dilation.
 */
export function cellsAlong(win: Windows, axis: 0 | 1): Int32Array {
  const n = win.size[axis], { before, total } = border(win, axis)
  return Int32Array.from({ length: n + total }, (_, p) => wrap(p - before, n, win.padding))
}
