/**
 * Fixed 3×3 filters: what a cell can sense of its neighbours without learning how. They are constants, not operators.
 *
 * With the smoothing [1 2 1] and the difference [−1 0 1], rows running down (y) and columns to the right (x):
 *
 *   sobelX      [1 2 1]ᵀ[−1 0 1] / 8         ∂/∂x, exact for ramps (Sobel & Feldman 1968)
 *   scharrX     [3 10 3]ᵀ[−1 0 1] / 32       ∂/∂x, its direction more nearly exact (Scharr 2000)
 *   gaussian    [1 2 1]ᵀ[1 2 1] / 16         a binomial blur of variance ½ along each axis
 *   laplacian   gaussian − identity          ¼∇², exact for parabolas: [1 2 1; 2 −12 2; 1 2 1] / 16
 *   mean        ones / 9
 *
 * sobelY and scharrY are the transposes. The divisors make derivatives exact and keep what is sensed about as large as
 * the state (Mordvintsev et al., "Growing Neural Cellular Automata", Distill 2020). Texture automata take the integers
 * as they stand (Niklasson et al., "Self-Organising Textures", Distill 2021): `{ name: 'laplacian', factor: 16 }`.
 *
 * A cell that is rotated by an angle α senses, in the place of the derivatives along x and y,
 *
 *   dx' = cos α · dx − sin α · dy          dy' = sin α · dx + cos α · dy
 *
 * which costs nothing, since a sum of filters is a filter. The other filters look the same from every side.
 */
import { refuse, requireTensor } from './op.ts'
import { check, isWhole, show } from './options.ts'
import { depthwiseConv } from './ops/depthwise-conv.ts'
import type { Padding } from './ops/window.ts'
import { tensor } from './tensor.ts'
import type { Placement, Tensor } from './tensor.ts'

export type FilterName = 'identity' | 'sobelX' | 'sobelY' | 'laplacian' | 'scharrX' | 'scharrY' | 'gaussian' | 'mean'

/** A filter, as it stands or multiplied by a factor. */
export type Filter = FilterName | { readonly name: FilterName; readonly factor: number }

/** The nine weights of each filter, row by row. */
export const filters: Readonly<Record<FilterName, readonly number[]>> = {
  identity: [0, 0, 0, 0, 1, 0, 0, 0, 0],
  sobelX: [-1, 0, 1, -2, 0, 2, -1, 0, 1].map(v => v / 8),
  sobelY: [-1, -2, -1, 0, 0, 0, 1, 2, 1].map(v => v / 8),
  laplacian: [1, 2, 1, 2, -12, 2, 1, 2, 1].map(v => v / 16),
  scharrX: [-3, 0, 3, -10, 0, 10, -3, 0, 3].map(v => v / 32),
  scharrY: [-3, -10, -3, 0, 0, 0, 3, 10, 3].map(v => v / 32),
  gaussian: [1, 2, 1, 2, 4, 2, 1, 2, 1].map(v => v / 16),
  mean: new Array<number>(9).fill(1 / 9),
}

/** All names, in the order of this file. */
export const filterNames: readonly FilterName[] = Object.keys(filters) as FilterName[]

/** Derivatives along x and along y, which turn together. */
const gradients = [['sobelX', 'sobelY'], ['scharrX', 'scharrY']] as const

/** The weights of a filter as a rotated cell applies it. */
function weights(filter: Filter, angle: number): number[] {
  const { name, factor } = typeof filter === 'object' && filter !== null ? filter : { name: filter, factor: 1 }
  if (!filterNames.includes(name)) {
    const given = typeof name === 'string' ? `'${name}'` : show(name)
    refuse('filterKernel', `there is no filter ${given}, expected one of ${filterNames.join(', ')}`)
  }
  const [x, y] = gradients.find(([dx, dy]) => name === dx || name === dy) ?? [name, name]
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
  const [a, b] = x === y ? [1, 0] : name === x ? [cos, -sin] : [sin, cos]
  return filters[x].map((v, i) => factor * (a * v + b * filters[y][i]))
}

/**
 * Filters as a kernel for `depthwiseConv`, the same for every channel.
 *
 * @param angle rotation of the cells in radians, default 0: turns derivatives along x and y into each other
 * @returns `[3,3,channels,list.length]`, float32 on the default backend unless `placement` says otherwise
 * @throws where there is no filter of a name
 * @example filterKernel(['identity', 'sobelX', 'sobelY'], 16, { angle: Math.PI / 4, like: x })
 */
export function filterKernel(
  list: readonly Filter[], channels: number, { angle = 0, ...placement }: Placement & { angle?: number } = {},
): Tensor {
  check(Array.isArray(list), 'filterKernel', 'the list', list, 'a list of filters')
  check(isWhole(channels, 1), 'filterKernel', 'channels', channels, 'a whole number > 0')
  const each = list.map(filter => weights(filter, angle))
  const n = list.length
  const values = Array.from({ length: 9 * channels * n }, (_, i) => each[i % n][Math.floor(i / n / channels)])
  return tensor(values, { shape: [3, 3, channels, n], ...placement })
}

export type FilterOptions = {
  /** What lies outside the grid, default 'zero'. */
  padding?: Padding
  /** Rotation of the cells in radians, default 0. */
  angle?: number
  /** Cells to compute, a mask `[b,h,w]`; the others are 0. */
  rows?: Tensor
}

/**
 * Applies one fixed filter or several to every channel.
 *
 * @param x `[b,h,w,c]`
 * @returns `[b,h,w,c]`, or for n filters `[b,h,w,c·n]`, interleaved per channel: c0·f0, c0·f1, …, c1·f0, …
 * @throws where there is no filter of a name, x is no image, or the mask does not fit
 * @example filter(x, 'laplacian', { padding: 'circular' })
 */
export function filter(x: Tensor, which: Filter | readonly Filter[], options: FilterOptions = {}): Tensor {
  const { angle, padding, rows } = options
  requireTensor('filter', 'x', x)
  if (x.shape.length !== 4) refuse('filter', 'x must be an image [b,h,w,c]', { x })
  const list = Array.isArray(which) ? which as readonly Filter[] : [which as Filter]
  return depthwiseConv(x, filterKernel(list, x.shape[3], { angle, like: x }), { padding, rows })
}
