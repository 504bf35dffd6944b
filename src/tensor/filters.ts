/**
 * Fixed filters of 3 cells along each axis: what a cell can sense of its neighbours without learning. They are
 * constants, not operators.
 *
 * Each is a product of weights along the axes: the difference d = [−1 0 1] / 2, the binomial blur b = [1 2 1] / 4 or
 * Scharr's c = [3 10 3] / 16. In the plane, with rows running down (y) and columns to the right (x):
 *
 *   sobelX      bᵀd = [1 2 1]ᵀ[−1 0 1] / 8      ∂/∂x, exact for ramps (Sobel & Feldman 1968)
 *   scharrX     cᵀd = [3 10 3]ᵀ[−1 0 1] / 32    ∂/∂x, with a more exact direction (Scharr 2000)
 *   gaussian    bᵀb = [1 2 1]ᵀ[1 2 1] / 16      a binomial blur of variance ½ along each axis
 *   laplacian   gaussian − identity             ¼∇², exact for parabolas: [1 2 1; 2 −12 2; 1 2 1] / 16
 *   mean        ones / 9
 *
 * sobelY and scharrY are the transposes. On a line there is one axis, so sobelX is d; in a volume there are three, with
 * derivatives along the third, z, too. The notes on the right hold in every dimension. The divisors make
 * derivatives exact and keep filtered values about as large as the state (Mordvintsev et al., "Growing Neural Cellular
 * Automata", Distill 2020). Texture automata use the integers without divisors (Niklasson et al., "Self-Organising Textures",
 * Distill 2021): `{ name: 'laplacian', factor: 16 }`.
 *
 * A cell that is rotated by an angle α (in a volume about the axis z) senses, instead of the derivatives dx along x and
 * dy along y,
 *
 *   dx' = cos α · dx − sin α · dy          dy' = sin α · dx + cos α · dy
 *
 * which costs nothing, since a sum of filters is a filter. The other filters look the same from every side.
 */
import { refuse, requireTensor } from './op.ts'
import { check, checkKind, checkOptions, isWhole, keysOf, numberFrom, oneOfNames } from '../backends/options.ts'
import { depthwiseOn } from './ops/grid.ts'
import { windowKinds } from './ops/window.ts'
import type { Padding } from '../backends/window.ts'
import { aTensor, placementKinds, tensor, type Placement, type Tensor } from './tensor.ts'

/** How many dimensions a grid has: a line, a plane or a volume. */
export type Dimensions = 1 | 2 | 3

/** A filter in the plane. */
type PlaneFilterName = 'identity' | 'sobelX' | 'sobelY' | 'laplacian' | 'scharrX' | 'scharrY' | 'gaussian' | 'mean'

/** A filter on a grid of some dimension, see `filterNamesOn`. */
export type FilterName = PlaneFilterName | 'sobelZ' | 'scharrZ'

/** A filter, plain or multiplied by a factor. */
export type Filter = FilterName | { readonly name: FilterName; readonly factor: number }

/** Weights along one axis: whole numbers and their divisor. */
type Along = { readonly weights: readonly number[]; readonly divisor: number }

const centre: Along = { weights: [0, 1, 0], divisor: 1 }
const difference: Along = { weights: [-1, 0, 1], divisor: 2 }
const blur: Along = { weights: [1, 2, 1], divisor: 4 }
const scharrBlur: Along = { weights: [3, 10, 3], divisor: 16 }
const average: Along = { weights: [1, 1, 1], divisor: 3 }

/** The weights of a product, the last axis fastest. There is only one division, so that there is only one rounding. */
function product(axes: readonly Along[]): number[] {
  const divisor = axes.reduce((all, axis) => all * axis.divisor, 1)
  const whole = axes.reduce((all, { weights }) => all.flatMap(a => weights.map(v => a * v)), [1])
  return whole.map(v => v / divisor)
}

type Table = Readonly<Record<string, readonly number[]>>

/** The filters of a grid, by name. */
function tableOf(grid: Dimensions): Table {
  const everywhere = (along: Along): Along[] => new Array<Along>(grid).fill(along)
  const [identity, gaussian] = [product(everywhere(centre)), product(everywhere(blur))]
  const derivatives = (name: string, smooth: Along): Table => Object.fromEntries(
    ['X', 'Y', 'Z'].slice(0, grid).map((axis, i) =>
      [name + axis, product(everywhere(smooth).with(grid - 1 - i, difference))]),
  )
  return {
    identity,
    ...derivatives('sobel', blur),
    laplacian: gaussian.map((v, i) => v - identity[i]),
    ...derivatives('scharr', scharrBlur),
    gaussian,
    mean: product(everywhere(average)),
  }
}

const tables = { 1: tableOf(1), 2: tableOf(2), 3: tableOf(3) }

/** The nine weights of each filter in the plane, row by row. */
export const filters: Readonly<Record<PlaneFilterName, readonly number[]>> = tables[2] as typeof filters

const namesOn = (grid: Dimensions): readonly FilterName[] => Object.keys(tables[grid]) as FilterName[]

/** The names of the filters of each grid, in the order of this file. */
export const filterNamesOn: Readonly<Record<Dimensions, readonly FilterName[]>> = {
  1: namesOn(1), 2: namesOn(2), 3: namesOn(3),
}

/** The names of the filters in the plane. */
export const filterNames: readonly FilterName[] = filterNamesOn[2]

/** Derivatives along x and along y, which a rotation turns into each other. */
const gradients = [['sobelX', 'sobelY'], ['scharrX', 'scharrY']] as const

/** The weights of a filter as a rotated cell applies it. */
function weights(grid: Dimensions, filter: Filter, angle: number): number[] {
  const { name, factor } = typeof filter === 'object' && filter !== null ? filter : { name: filter, factor: 1 }
  const names = filterNamesOn[grid]
  const place = grid === 2 ? '' : ` on a grid of ${grid} dimension${grid === 1 ? '' : 's'}`
  checkKind('filterKernel', `a filter${place}`, name, oneOfNames(names))
  const pair = gradients.find(([dx, dy]) => name === dx || name === dy)
  if (!pair || grid === 1) return tables[grid][name].map(v => factor * v)
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
  const [a, b] = name === pair[0] ? [cos, -sin] : [sin, cos]
  const [dx, dy] = pair.map(each => tables[grid][each])
  return dx.map((v, i) => factor * (a * v + b * dy[i]))
}

export type FilterKernelOptions = Placement & {
  /** Rotation of the cells in radians, default 0: turns derivatives along x and y into each other. */
  angle?: number
}

const filterKernelOptions = keysOf<FilterKernelOptions>({ ...placementKinds, angle: numberFrom() })

/** For each cell of the window, the last axis fastest, whether the filter looks at it: whether its weight is not 0. */
export function filterSees(grid: Dimensions, filter: Filter, angle: number): boolean[] {
  return weights(grid, filter, angle).map(v => Math.fround(v) !== 0)
}

/**
 * Filters as a kernel for `depthwiseConv`, the same for every channel.
 *
 * @returns `[3,3,channels,list.length]`, float32 on the default backend unless `placement` says otherwise
 * @throws where there is no filter of a name
 * @example filterKernel(['identity', 'sobelX', 'sobelY'], 16, { angle: Math.PI / 4, like: x })
 */
export function filterKernel(
  list: readonly Filter[], channels: number, options: FilterKernelOptions = {},
): Tensor {
  return filterKernelOn(2, list, channels, options)
}

/**
 * Filters as a kernel for a line, a plane or a volume, see `depthwiseOn`.
 *
 * @param options the angle as for `filterKernel`; in a volume it turns about the axis z, on a line it must be 0
 * @returns `[3,channels,n]`, `[3,3,channels,n]` or `[3,3,3,channels,n]` for a list of n filters
 * @throws where there is no filter of a name, or an angle on a line
 * @example filterKernelOn(3, ['identity', 'sobelX', 'sobelY', 'sobelZ'], 16, { like: x })
 */
export function filterKernelOn(
  grid: Dimensions, list: readonly Filter[], channels: number,
  options: FilterKernelOptions = {},
): Tensor {
  checkOptions('filterKernel', options, filterKernelOptions)
  const { angle = 0, ...placement } = options
  check(Array.isArray(list), 'filterKernel', 'the list', list, 'a list of filters')
  check(isWhole(channels, 1), 'filterKernel', 'channels', channels, 'a whole number > 0')
  check([1, 2, 3].includes(grid), 'filterKernel', 'the grid', grid, '1, 2 or 3')
  check(grid > 1 || angle === 0, 'filterKernel', 'the angle', angle, '0 on a line, where nothing can turn')
  const each = list.map(filter => weights(grid, filter, angle))
  const n = list.length
  const values = Array.from({ length: 3 ** grid * channels * n }, (_, i) => each[i % n][Math.floor(i / n / channels)])
  return tensor(values, { shape: [...new Array<number>(grid).fill(3), channels, n], ...placement })
}

export type FilterOptions = {
  /** What lies outside the grid, default 'zero'. */
  padding?: Padding
  /** Rotation of the cells in radians, default 0; in a volume about the axis z; must be 0 on a line. */
  angle?: number
  /** Cells to compute, a mask of the shape of x without channels; the others are 0. */
  mask?: Tensor
}

const filterOptions = keysOf<FilterOptions>({ padding: windowKinds.padding, angle: numberFrom(), mask: aTensor })

/**
 * Applies one fixed filter or several to every channel.
 *
 * @param x `[b,w,c]`, `[b,h,w,c]` or `[b,d,h,w,c]`: a line, a plane or a volume
 * @returns `[b,h,w,c]` as x, or for n filters `[b,h,w,c·n]`, interleaved per channel: c0·f0, c0·f1, …, c1·f0, …
 * @throws where there is no filter of a name on such a grid, x is no grid, or the mask does not fit
 * @example filter(x, 'laplacian', { padding: 'circular' })
 */
export function filter(x: Tensor, which: Filter | readonly Filter[], options: FilterOptions = {}): Tensor {
  checkOptions('filter', options, filterOptions)
  const { angle, padding, mask } = options
  requireTensor('filter', 'x', x)
  const grid = x.shape.length - 2
  if (grid < 1 || grid > 3) refuse('filter', 'x must be [b,w,c], [b,h,w,c] or [b,d,h,w,c]', { x })
  const list = Array.isArray(which) ? which as readonly Filter[] : [which as Filter]
  return depthwiseOn(x, filterKernelOn(grid as Dimensions, list, x.shape.at(-1)!, { angle, like: x }), { padding, mask })
}
