/**
 * slidingWindow: a large input is processed in overlapping windows, and the results are blended.
 *
 *   out[i] = Σ_w u_w(i) · f(window w of x)[i]          Σ_w u_w(i) = 1 in every cell i
 *
 * over the windows w that contain the cell (Isensee et al., "nnU-Net", Nature Methods 2021: half a window of overlap, and weights
 * that fall off towards a window's border like a Gaussian, since cells there see least of their surroundings). Weights are
 * products of one for each axis, so windows are blended axis by axis: windows to lines, lines to slabs, slabs to the whole. Memory
 * never holds more than a few arrays of the size of the result, however many windows there are.
 *
 * An automaton with a perception of radius r has a receptive field of radius r·t after t steps: cells further than that from the
 * cut of a window are not affected by it. So with a `margin` of r·t, deterministic rules return exactly what they return for the
 * whole. Often a rollout of the whole fits into memory anyway: without derivatives it keeps a single state.
 */
import { scope } from '../tensor/lifetime.ts'
import { floating, refuse, requireTensor } from '../tensor/op.ts'
import { check, checkFunction, checkOptions, isWhole, keysOf, oneOf, required, wholeFrom } from '../backends/options.ts'
import { mul } from '../tensor/ops/arithmetic.ts'
import { pad, slice } from '../tensor/ops/pad-slice.ts'
import { total } from '../tensor/ops/total.ts'
import { sameShape, showShape } from '../tensor/shape.ts'
import { tensor, Tensor } from '../tensor/tensor.ts'

export type SlidingWindowOptions = {
  /** Cells of a window along each axis, whole numbers > 0; along axes where the grid is smaller, the whole grid. */
  size: readonly number[]
  /** The share of a window that the next one overlaps, from 0 to less than 1; default 0.5. */
  overlap?: number
  /** How cells of a window are weighted: 'gaussian', most in its middle (default; σ is an eighth of the window), or 'even'. */
  blend?: 'gaussian' | 'even'
  /** How many cells along each cut of a window are discarded, a whole number ≥ 0; default 0. */
  margin?: number
}

const slidingWindowOptions = keysOf<SlidingWindowOptions>({
  size: required({ fits: x => Array.isArray(x) && x.every(n => isWhole(n, 1)), expected: 'a list of whole numbers > 0, one for each axis of the grid' }),
  overlap: { fits: x => typeof x === 'number' && x >= 0 && x < 1, expected: 'a number from 0 to less than 1' },
  blend: oneOf(['gaussian', 'even']),
  margin: wholeFrom(0),
})

/** A window along one axis: its start and length, and the range of its cells that are used, with their weights. */
type Span = { readonly start: number; readonly length: number; readonly from: number; readonly to: number; readonly weights: readonly number[] }

/**
 * Applies a function to windows of x, and blends the results.
 *
 * @param x `[b,w,c]`, `[b,h,w,c]` or `[b,d,h,w,c]`: states, or whatever the function takes
 * @param f from a window `[b,…size,c]`, and its number from 0, to numbers `[b,…size,m]`
 * @returns `[b,…,m]`, on the grid of x; where one window covers the whole grid, exactly f(x, 0)
 * @throws where the size is not one for each axis, a margin leaves nothing of a window, or f returns another grid
 * @example
 * const probabilities = slidingWindow(seeds, (window, i) => (
 *   sigmoid(takeRole(rule, rollout(rule, params, window, foldIn(key(0), i), { steps: 64 }), 'output'))), { size: [64, 64] })
 */
export function slidingWindow(x: Tensor, f: (window: Tensor, i: number) => Tensor, options: SlidingWindowOptions): Tensor {
  const where = 'slidingWindow'
  requireTensor(where, 'x', x)
  checkFunction(where, 'f', f)
  checkOptions(where, options, slidingWindowOptions)
  const { size } = options
  const [b, ...grid] = x.shape.slice(0, -1)
  if (grid.length < 1 || grid.length > 3 || grid.includes(0)) refuse(where, 'x must be [b,w,c], [b,h,w,c] or [b,d,h,w,c], with cells', { x })
  check(size.length === grid.length, where, 'size', size, `as many sizes as the grid has axes, ${grid.length}`)
  const spans = grid.map((cells, axis) => spansOf(cells, Math.min(size[axis], cells), options))
  let i = 0
  /** The blended result of the windows that have the chosen spans along the first axes, over all of the other axes. */
  const blended = (chosen: readonly Span[]): Tensor => {
    const axis = chosen.length
    if (axis === grid.length) {
      const shape = chosen.map(({ length }) => length)
      const y: unknown = f(slice(x, [0, ...chosen.map(({ start }) => start), 0], [b, ...shape, x.shape.at(-1)!]), i++)
      const fits = y instanceof Tensor && sameShape(y.shape.slice(0, -1), [b, ...shape])
      check(fits, where, 'what f returned', y, `a tensor ${showShape([b, ...shape]).replace(']', ',m]')}`)
      floating(where, 'what f returned', y as Tensor)
      return y as Tensor
    }
    if (spans[axis].length === 1) return blended([...chosen, spans[axis][0]])
    return total(spans[axis].length, i => scope(() => weighed(blended([...chosen, spans[axis][i]]), axis + 1, spans[axis][i], grid[axis])))
  }
  return scope(() => blended([]), 'slidingWindow()')
}

/** The used cells of a window along an axis, times their weights, in their place on an axis of `cells` cells. */
function weighed(y: Tensor, axis: number, { start, from, to, weights }: Span, cells: number): Tensor {
  const along = (own: number, other: (n: number) => number): number[] => y.shape.map((n, i) => (i === axis ? own : other(n)))
  const taken = slice(y, along(from, () => 0), along(to - from, n => n))
  const u = tensor(weights, { shape: along(to - from, () => 1), like: y })
  return pad(mul(taken, u), y.shape.map((_, i) => (i === axis ? [start + from, cells - start - to] : [0, 0])))
}

/** Evenly spaced windows along an axis of `cells` cells; their weights add up to 1 in every cell. */
function spansOf(cells: number, length: number, { overlap = 0.5, blend = 'gaussian', margin = 0 }: SlidingWindowOptions): Span[] {
  check(length === cells || length > 2 * margin, 'slidingWindow', 'margin', margin, `less than half of a window of ${length} cells`)
  const furthest = Math.max(1, Math.min(Math.floor(length * (1 - overlap)), length - 2 * margin))
  const count = Math.ceil((cells - length) / furthest) + 1
  const bell = Array.from({ length }, (_, k) => (blend === 'even' ? 1 : Math.exp(-0.5 * ((k - (length - 1) / 2) / (length / 8)) ** 2)))
  const windows = Array.from({ length: count }, (_, i) => {
    const start = Math.round(i * (cells - length) / Math.max(1, count - 1))
    return { start, length, from: start > 0 ? margin : 0, to: start + length < cells ? length - margin : length }
  })
  const sums = new Float64Array(cells)
  for (const { start, from, to } of windows) for (let k = from; k < to; k++) sums[start + k] += bell[k]
  return windows.map(window => (
    { ...window, weights: bell.slice(window.from, window.to).map((v, k) => v / sums[window.start + window.from + k]) }))
}
