/**
 * interpolate: resizing a grid by its nearest cells, or linearly between them.
 *
 * n cells along an axis become N. The centre of cell i is at i + ½ in a grid whose cells have width 1, so new cell i is in the
 * old grid at
 *
 *   p = (i + ½)·n/N − ½             kept within 0 … n − 1
 *
 *   nearest     out_i = x_⌊(i + ½)·n/N⌋
 *   bilinear    out_i = (1 − w)·x_⌊p⌋ + w·x_⌊p⌋+1,   w = p − ⌊p⌋,   along each axis
 *
 * (As in PyTorch with align_corners=False, and in JAX without antialiasing.) This is a weighted `gather` at fixed indices, so it
 * is linear, and its derivative follows from that of `gather`.
 */
import { check, checkOptions, isWhole, keysOf, oneOf } from '../../backends/options.ts'
import { floating, refuse } from '../op.ts'
import { tensor, type Tensor } from '../tensor.ts'
import { add, mul } from './arithmetic.ts'
import { gather } from './gather.ts'

export type InterpolateOptions = {
  /** 'bilinear' (default) or 'nearest'. */
  mode?: 'bilinear' | 'nearest'
}

const interpolateOptions = keysOf<InterpolateOptions>({ mode: oneOf(['bilinear', 'nearest']) })

/**
 * Resizes a plane to other numbers of rows and columns.
 *
 * When a plane becomes much smaller, only the cells nearest to the new ones count; `maxPool`, or means of blocks, use all.
 *
 * @param x `[b,h,w,c]`
 * @param size rows and columns, whole numbers > 0
 * @returns `[b, size[0], size[1], c]`
 * @throws where x is no such plane, or has no cells
 * @example interpolate(coarse, [64, 64])                          // from [b,32,32,c], for a rule that refines
 * @example interpolate(x, [2 * h, 2 * w], { mode: 'nearest' })    // every cell becomes four
 */
export function interpolate(x: Tensor, size: readonly [number, number], options: InterpolateOptions = {}): Tensor {
  floating('interpolate', 'x', x)
  checkOptions('interpolate', options, interpolateOptions)
  const fits = Array.isArray(size) && size.length === 2 && size.every(n => isWhole(n, 1))
  check(fits, 'interpolate', 'size', size, 'two whole numbers > 0, rows and columns')
  if (x.shape.length !== 4 || x.shape[1] * x.shape[2] === 0) refuse('interpolate', 'x must be [b,h,w,c] with at least one cell', { x })
  const { mode = 'bilinear' } = options
  return along(along(x, 1, size[0], mode), 2, size[1], mode)
}

function along(x: Tensor, axis: 1 | 2, size: number, mode: 'bilinear' | 'nearest'): Tensor {
  const n = x.shape[axis]
  const places = Array.from({ length: size }, (_, i) => (mode === 'nearest'
    ? Math.floor((i + 0.5) * n / size)
    : Math.min(Math.max((i + 0.5) * n / size - 0.5, 0), n - 1)))
  const weights = places.map(p => p - Math.floor(p))
  const before = gather(x, places.map(Math.floor), axis)
  if (weights.every(w => w === 0)) return before
  // Where the weight is 0, ⌈p⌉ = ⌊p⌋: nothing is read from the next cell, not even a NaN.
  const after = gather(x, places.map(Math.ceil), axis)
  const shape = axis === 1 ? [size, 1, 1] : [size, 1]
  const [first, second] = [weights.map(w => 1 - w), weights].map(list => tensor(list, { shape, dtype: x.dtype, backend: x.backend }))
  return add(mul(before, first), mul(after, second))
}
