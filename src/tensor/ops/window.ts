/**
 * Windows of operators: what a convolution or a pooling reads, and by whom each cell is read.
 *
 * With the geometry of src/backends/window.ts an operator is a list of links (o, t, i) per axis: output cell o reads cell
 * i through tap t. Read by o, it says what each output cell reads; read by i, it says by whom each input cell is read,
 * which is all that the adjoint needs, whatever the padding. Either way the order is fixed and every result has one
 * writer: sums have the same bits in every run, and nothing needs atomics.
 *
 * A cell mask takes the links away from the output cells that it marks with 0. Their sums are empty, in both directions.
 *
 * Beyond a border of zeros lies a cell like any that is dead: it is zero, and what reads it multiplies that zero. No link
 * leads there, since 0·k adds nothing, unless k is NaN or infinite: `eachZero` visits those terms then.
 */
import type { Data } from '../../backends/backend.ts'
import { border, cellsAlong, outputSize, paddings } from '../../backends/window.ts'
import type { Padding, Windows } from '../../backends/window.ts'
import { refuse, requireTensor } from '../op.ts'
import { oneOf, wholeFrom } from '../../backends/options.ts'
import type { Kinds } from '../../backends/options.ts'
import { sameShape, showShape } from '../shape.ts'
import type { Shape } from '../shape.ts'
import type { Tensor } from '../tensor.ts'

/** How windows are placed. */
export type WindowOptions = {
  /** What lies outside of the grid, default 'zero'. */
  padding?: Padding
  /**
   * Distance between the windows of neighbouring output cells, a whole number > 0, default 1. Windows lie as
   * TensorFlow's SAME has it: what must be padded is split between both ends, the odd one behind. So with stride 2 and
   * 3 taps, window o begins at cell 2·o where the size is even, but at 2·o − 1, centred on cell 2·o, where it is odd.
   * PyTorch's `padding=1` begins at 2·o − 1 for both; a kernel with a row and a column of zeros behind, which make 4
   * taps, does so here for even sizes.
   */
  stride?: number
  /** Distance between neighbouring taps, a whole number > 0, default 1. */
  dilation?: number
}

/** The kinds of these options, to be spread among those of an operator. */
export const windowKinds: Kinds<WindowOptions> = {
  padding: oneOf(paddings), stride: wholeFrom(1), dilation: wholeFrom(1),
}

/**
 * The windows of a kernel `[kh,kw,…]` on the image x `[b,h,w,c]`. Throws where x is no image, a size is not a positive
 * integer, or a mirror image would need more cells than there are.
 */
export function windows(op: string, x: Tensor, [kh, kw]: readonly number[], options: WindowOptions): Windows {
  const { padding = 'zero', stride = 1, dilation = 1 } = options
  requireTensor(op, 'x', x)
  if (x.shape.length !== 4) refuse(op, 'x must be an image [b,h,w,c]', { x })
  for (const [name, n] of Object.entries({ 'window height': kh, 'window width': kw })) {
    if (!Number.isInteger(n) || n < 1) refuse(op, `the ${name} must be a positive integer, got ${n}`)
  }
  const win: Windows = { size: [x.shape[1], x.shape[2]], kernel: [kh, kw], padding, stride, dilation }
  for (const axis of [0, 1] as const) {
    const { total, before } = border(win, axis)
    if (padding === 'reflect' && total - before >= win.size[axis]) {
      const name = axis === 0 ? 'height' : 'width'
      refuse(op, `padding 'reflect' mirrors ${total - before} cells and needs a ${name} above that`, { x })
    }
  }
  return win
}

/** Throws unless the cell mask, where there is one, is a mask of these cells. */
export function checkMask(op: string, mask: Tensor | undefined, cells: Shape): void {
  if (mask === undefined) return
  requireTensor(op, 'the cell mask', mask)
  if (mask.dtype !== 'uint32') {
    refuse(op, `the cell mask is ${mask.dtype}, but must be uint32, 0 or 1`, {}, 'Comparisons make one: greater(x, 0).')
  }
  if (!sameShape(mask.shape, cells)) refuse(op, `the cell mask must be ${showShape(cells)}`, { mask })
}

/**
 * The masks of an operator, as its last inputs: none; `mask`, of what is computed; or it and that of the derivatives.
 * Throws unless they are masks of these cells.
 */
export function maskInputs(
  op: string, mask: Tensor | undefined, gradMask: Tensor | undefined, cells: Shape,
): Tensor[] {
  checkMask(op, mask, cells)
  checkMask(op, gradMask, cells)
  if (gradMask && !mask) refuse(op, 'gradMask has some cells of mask, which is missing', { gradMask })
  return [mask, gradMask].filter(given => given !== undefined)
}

/** A link seen from one of its cells: the cell at the other end, and the tap. */
type Link = readonly [cell: number, tap: number]

/** For each output cell of an axis, what it reads. */
function readsAlong(win: Windows, axis: 0 | 1): Link[][] {
  const cells = cellsAlong(win, axis)
  const taps = Array.from({ length: win.kernel[axis] }, (_, t) => t)
  return Array.from({ length: outputSize(win)[axis] }, (_, o) => taps
    .map(t => [cells[o * win.stride + t * win.dilation], t] as const)
    .filter(([i]) => i >= 0))
}

/** For each input cell of an axis, by whom it is read. */
function readersAlong(win: Windows, axis: 0 | 1): Link[][] {
  const readers: Link[][] = Array.from({ length: win.size[axis] }, () => [])
  readsAlong(win, axis).forEach((links, o) => links.forEach(([i, t]) => readers[i].push([o, t])))
  return readers
}

/**
 * The links of one cell at a time. `at(r)` counts those of row r = (sample·height + y)·width + x and puts them into two
 * lists: link i leads to the cell whose numbers begin at `cells[i]`, through the tap whose numbers begin at `taps[i]`.
 */
export type Links = { at(r: number): number; readonly cells: Int32Array; readonly taps: Int32Array }

/**
 * What each output cell reads, in the scan order of its taps.
 *
 * @param cellSize how many numbers the flat image has for each input cell
 * @param tapSize how many numbers the flat kernel has for each tap
 * @param mask mask of the output cells
 */
export function reads(win: Windows, cellSize: number, tapSize: number, mask?: Data): Links {
  const [ys, xs] = [readsAlong(win, 0), readsAlong(win, 1)]
  const links = crossed(ys, xs, win.size, win.kernel[1], cellSize, tapSize)
  return mask ? { ...links, at: r => (mask[r] === 0 ? 0 : links.at(r)) } : links
}

/** By whom each input cell is read, in the scan order of the output cells; these have `cellSize` numbers each. */
export function readers(win: Windows, cellSize: number, tapSize: number, mask?: Data): Links {
  const [ys, xs] = [readersAlong(win, 0), readersAlong(win, 1)]
  return crossed(ys, xs, outputSize(win), win.kernel[1], cellSize, tapSize, mask)
}

/** Links in two dimensions: each link along y with each along x. `others` are the sizes of the grid they lead to. */
function crossed(
  yLinks: Link[][], xLinks: Link[][], others: readonly [number, number],
  kernelWidth: number, cellSize: number, tapSize: number, otherRows?: Data,
): Links {
  const [ys, xs] = [packed(yLinks), packed(xLinks)]
  const [height, width] = [yLinks.length, xLinks.length]
  const cells = new Int32Array(ys.most * xs.most), taps = new Int32Array(ys.most * xs.most)
  const at = (r: number): number => {
    const x = r % width
    const line = (r - x) / width
    const y = line % height
    const sample = (line - y) / height
    let n = 0
    for (let a = ys.start[y]; a < ys.start[y + 1]; a++) {
      const otherLine = (sample * others[0] + ys.cell[a]) * others[1]
      const tapLine = ys.tap[a] * kernelWidth
      for (let b = xs.start[x]; b < xs.start[x + 1]; b++) {
        const other = otherLine + xs.cell[b]
        if (otherRows && otherRows[other] === 0) continue
        cells[n] = other * cellSize
        taps[n++] = (tapLine + xs.tap[b]) * tapSize
      }
    }
    return n
  }
  return { at, cells, taps }
}

/**
 * Visits the zeros beyond the border, each output row r with each tap t that reads one, where it matters: where `factor`,
 * by which they are multiplied, has a NaN or an infinity.
 */
export function eachZero(
  win: Windows, mask: Data | undefined, factor: Data, count: number, visit: (r: number, t: number) => void,
): void {
  if (win.padding !== 'zero' || factor.every(Number.isFinite)) return
  const taps = win.kernel[0] * win.kernel[1]
  const { at, taps: inside } = reads(win, 1, 1, mask)
  for (let r = 0; r < count; r++) {
    if (mask && mask[r] === 0) continue
    const linked = new Set(inside.subarray(0, at(r)))
    for (let t = 0; t < taps; t++) if (!linked.has(t)) visit(r, t)
  }
}

/** The lists behind one another: the links of cell i stand at start[i] … start[i + 1] − 1, and are `most` at most. */
function packed(lists: Link[][]): { start: Int32Array; cell: Int32Array; tap: Int32Array; most: number } {
  const start = new Int32Array(lists.length + 1)
  lists.forEach((links, i) => { start[i + 1] = start[i] + links.length })
  const all = lists.flat()
  return {
    start,
    cell: Int32Array.from(all, ([cell]) => cell),
    tap: Int32Array.from(all, ([, tap]) => tap),
    most: lists.reduce((most, links) => Math.max(most, links.length), 0),
  }
}
