/**
 * Windows: which cells a convolution or a pooling reads. Everything that is spatial about them stands in this file.
 *
 * A window is a grid of k taps per axis. Along an axis of n cells, output cell o reads through its tap t the cell
 *
 *   i = wrap(o·stride + t·dilation − before)            o = 0 … ⌈n/stride⌉ − 1,  t = 0 … k − 1
 *
 *   before = ⌊total/2⌋,  total = max((⌈n/stride⌉ − 1)·stride + (k − 1)·dilation + 1 − n, 0)
 *
 * which is the padding that TensorFlow calls SAME: with stride 1, an odd window is centred and the size is kept. `wrap` says
 * what a window finds outside 0 … n − 1:
 *
 *   zero       nothing; such a tap has no cell
 *   circular   i mod n: the grid is a torus
 *   reflect    −i or 2(n − 1) − i: a mirror through the centre of the outermost cell, which is not repeated
 *
 * So an operator is a list of links (o, t, i), one list per axis. Read by o, it says what each output cell reads; read by
 * i, it says by whom each input cell is read, which is all that the adjoint needs, whatever the padding. Both directions
 * have a fixed order and one writer per result: sums are the same in every run, and nothing needs atomics.
 *
 * A row mask takes away all links of the output cells it names with 0. Their sums are then empty, in both directions.
 */
import type { Data } from '../../backends/backend.ts'
import { refuse } from '../op.ts'
import type { Tensor } from '../tensor.ts'

/** What lies outside the grid: zeros, the opposite side, or a mirror image without the edge. */
export type Padding = 'zero' | 'circular' | 'reflect'

/** The windows of one operator. */
export type Windows = {
  /** Height and width of the input. */
  readonly size: readonly [number, number]
  /** Taps along the height and the width. */
  readonly kernel: readonly [number, number]
  readonly padding: Padding
  readonly stride: number
  readonly dilation: number
}

/** How windows are placed; see `Windows`. */
export type WindowOptions = { padding?: Padding; stride?: number; dilation?: number }

/**
 * The windows of a kernel on the image x `[b,h,w,c]`. Throws where x is no image, a size is not a positive integer, or a
 * reflection would need more cells than there are.
 */
export function windows(op: string, x: Tensor, kernel: readonly number[], options: WindowOptions): Windows {
  const { padding = 'zero', stride = 1, dilation = 1 } = options
  if (x.shape.length !== 4) refuse(op, 'x must be an image [b,h,w,c]', { x })
  for (const [name, n] of [['kernel height', kernel[0]], ['kernel width', kernel[1]], ['stride', stride], ['dilation', dilation]] as const) {
    if (!Number.isInteger(n) || n < 1) refuse(op, `the ${name} must be a positive integer, got ${n}`)
  }
  const win: Windows = { size: [x.shape[1], x.shape[2]], kernel: [kernel[0], kernel[1]], padding, stride, dilation }
  for (const axis of [0, 1] as const) {
    const { total, before } = pad(win, axis)
    if (padding === 'reflect' && total - before >= win.size[axis]) {
      refuse(op, `reflect padding mirrors ${total - before} cells, so it needs more than that along the ${axis === 0 ? 'height' : 'width'}`, { x })
    }
  }
  return win
}

/** Height and width of the output, ⌈n/stride⌉. */
export function outputSize({ size, stride }: Windows): [number, number] {
  return [Math.ceil(size[0] / stride), Math.ceil(size[1] / stride)]
}

function pad(win: Windows, axis: 0 | 1): { total: number; before: number } {
  const span = (outputSize(win)[axis] - 1) * win.stride + (win.kernel[axis] - 1) * win.dilation + 1
  const total = Math.max(span - win.size[axis], 0)
  return { total, before: Math.floor(total / 2) }
}

/** The cell at position i of an axis of n cells, or −1 where there is none. */
function wrap(i: number, n: number, padding: Padding): number {
  if (i >= 0 && i < n) return i
  if (padding === 'zero') return -1
  if (padding === 'circular') return ((i % n) + n) % n
  return i < 0 ? -i : 2 * (n - 1) - i
}

/** Links of one cell with cells of the other grid: `[cell, tap]`. */
type AxisLinks = (readonly [number, number])[]

/** For each output cell of an axis, what it reads. */
function readsAlong(win: Windows, axis: 0 | 1): AxisLinks[] {
  const { before } = pad(win, axis)
  const taps = Array.from({ length: win.kernel[axis] }, (_, t) => t)
  return Array.from({ length: outputSize(win)[axis] }, (_, o) => taps
    .map(t => [wrap(o * win.stride + t * win.dilation - before, win.size[axis], win.padding), t] as const)
    .filter(([i]) => i >= 0))
}

/** For each input cell of an axis, by whom it is read. */
function readersAlong(win: Windows, axis: 0 | 1): AxisLinks[] {
  const readers: [number, number][][] = Array.from({ length: win.size[axis] }, () => [])
  readsAlong(win, axis).forEach((links, o) => links.forEach(([i, t]) => readers[i].push([o, t])))
  return readers
}

/**
 * The links of one cell at a time. `at(r)` counts those of row r = (sample·h + y)·w + x; the i-th of them is with the cell
 * whose numbers begin at `cells[i]`, through the tap whose numbers begin at `taps[i]`.
 */
export type Links = { at(r: number): number; readonly cells: Int32Array; readonly taps: Int32Array }

/**
 * What each output cell reads, in the scan order of its taps.
 *
 * @param cellSize numbers per input cell in the flat array that is read
 * @param tapSize numbers per tap in the flat kernel
 * @param rows mask of the output cells
 */
export function reads(win: Windows, cellSize: number, tapSize: number, rows?: Data): Links {
  const links = crossed(readsAlong(win, 0), readsAlong(win, 1), win.size, win.kernel[1], cellSize, tapSize)
  return rows ? { ...links, at: r => (rows[r] === 0 ? 0 : links.at(r)) } : links
}

/** By whom each input cell is read, in the scan order of the output cells, which have `cellSize` numbers each. */
export function readers(win: Windows, cellSize: number, tapSize: number, rows?: Data): Links {
  return crossed(readersAlong(win, 0), readersAlong(win, 1), outputSize(win), win.kernel[1], cellSize, tapSize, rows)
}

/** Joins the links of both axes: a cell is linked with every pair of its links along y and along x. */
function crossed(
  yLinks: AxisLinks[], xLinks: AxisLinks[], [otherHeight, otherWidth]: readonly [number, number],
  kernelWidth: number, cellSize: number, tapSize: number, otherRows?: Data,
): Links {
  const [ys, xs] = [packed(yLinks), packed(xLinks)]
  const height = yLinks.length, width = xLinks.length
  const cells = new Int32Array(ys.most * xs.most), taps = new Int32Array(ys.most * xs.most)
  const at = (r: number): number => {
    const x = r % width
    const line = (r - x) / width
    const y = line % height
    const first = (line - y) / height * otherHeight
    let n = 0
    for (let a = ys.start[y]; a < ys.start[y + 1]; a++) {
      const otherLine = (first + ys.cell[a]) * otherWidth
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

/** Lists of links behind one another: those of cell i are at start[i] … start[i + 1] − 1. */
function packed(lists: AxisLinks[]): { start: Int32Array; cell: Int32Array; tap: Int32Array; most: number } {
  const start = new Int32Array(lists.length + 1)
  lists.forEach((links, i) => { start[i + 1] = start[i] + links.length })
  const all = lists.flat()
  return {
    start,
    cell: Int32Array.from(all, ([cell]) => cell),
    tap: Int32Array.from(all, ([, tap]) => tap),
    most: Math.max(0, ...lists.map(links => links.length)),
  }
}
