/**
 * Windows of operators: what a convolution or a pooling reads, and by whom each cell is read.
 *
 * With the geometry of src/backends/window.ts an operator is a list of links (o, t, i) per axis: output cell o reads cell
 * i through tap t. Read by o, it says what each output cell reads; read by i, it says by whom each input cell is read,
 * which is all that the adjoint needs, whatever the padding. Either way the order is fixed and every result has one
 * writer: sums have the same bits in every run, and nothing needs atomics.
 *
 * A row mask takes the links away from the output cells that it marks with 0. Their sums are empty, in both directions.
 *
 * Beyond a border of zeros lies a cell like any that is dead: it is zero, and what reads it multiplies that zero. No link
 * leads there, since 0·k adds nothing, unless k is NaN or infinite: `eachZero` visits those terms then.
 */
import type { Data } from '../../backends/backend.ts'
import { wholeLiteral } from '../../backends/wgsl/literal.ts'
import { border, outputSize, paddings, wrap } from '../../backends/window.ts'
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

/** Throws unless the row mask, where there is one, is a mask of these cells. */
export function checkRows(op: string, rows: Tensor | undefined, cells: Shape): void {
  if (rows === undefined) return
  requireTensor(op, 'the row mask', rows)
  if (rows.dtype !== 'uint32') {
    refuse(op, `the row mask is ${rows.dtype}, but must be uint32, 0 or 1`, {}, 'Comparisons make one: greater(x, 0).')
  }
  if (!sameShape(rows.shape, cells)) refuse(op, `the row mask must be ${showShape(cells)}`, { rows })
}

/**
 * The masks of an operator, as its last inputs: none; `rows`, which are computed; or these and those of its derivatives.
 * Throws unless they are masks of these cells.
 */
export function maskInputs(
  op: string, rows: Tensor | undefined, gradRows: Tensor | undefined, cells: Shape,
): Tensor[] {
  checkRows(op, rows, cells)
  checkRows(op, gradRows, cells)
  if (gradRows && !rows) refuse(op, 'gradRows are some of rows, which are missing', { gradRows })
  return [rows, gradRows].filter(mask => mask !== undefined)
}

/** A link seen from one of its cells: the cell at the other end, and the tap. */
type Link = readonly [cell: number, tap: number]

/** For each output cell of an axis, what it reads. */
function readsAlong(win: Windows, axis: 0 | 1): Link[][] {
  const { before } = border(win, axis)
  const taps = Array.from({ length: win.kernel[axis] }, (_, t) => t)
  return Array.from({ length: outputSize(win)[axis] }, (_, o) => taps
    .map(t => [wrap(o * win.stride + t * win.dilation - before, win.size[axis], win.padding), t] as const)
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
 * @param rows mask of the output cells
 */
export function reads(win: Windows, cellSize: number, tapSize: number, rows?: Data): Links {
  const [ys, xs] = [readsAlong(win, 0), readsAlong(win, 1)]
  const links = crossed(ys, xs, win.size, win.kernel[1], cellSize, tapSize)
  return rows ? { ...links, at: r => (rows[r] === 0 ? 0 : links.at(r)) } : links
}

/** By whom each input cell is read, in the scan order of the output cells; these have `cellSize` numbers each. */
export function readers(win: Windows, cellSize: number, tapSize: number, rows?: Data): Links {
  const [ys, xs] = [readersAlong(win, 0), readersAlong(win, 1)]
  return crossed(ys, xs, outputSize(win), win.kernel[1], cellSize, tapSize, rows)
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
  win: Windows, rows: Data | undefined, factor: Data, count: number, visit: (r: number, t: number) => void,
): void {
  if (win.padding !== 'zero' || factor.every(Number.isFinite)) return
  const taps = win.kernel[0] * win.kernel[1]
  const { at, taps: inside } = reads(win, 1, 1, rows)
  for (let r = 0; r < count; r++) {
    if (rows && rows[r] === 0) continue
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

/**
 * The same links for a GPU, where every result looks up its own. The WGSL declares `place(r: u32) -> vec3u`, the
 * sample, y and x of cell r, and `linked(at: vec3u, e: u32) -> i32`: for each e below u.links, the cell of the other
 * grid that is linked with the cell at that place through tap e % taps, or −1 for none. `taps` is a constant there.
 *
 * An output cell reads one cell through each tap. An input cell is read through each tap once for every image of it,
 * that is for every position that `wrap` maps to it: itself, and outside of the grid its copies or its reflections. On
 * a torus with stride 1, only one of these has a reader.
 */
export function linksWgsl(direction: 'reads' | 'readers', win: Windows): { wgsl: string; u32: Record<string, number> } {
  const { padding, kernel } = win
  const [stride, dilation] = [wholeLiteral(win.stride), wholeLiteral(win.dilation)]
  const reading = direction === 'reads'
  const [own, other] = reading ? [outputSize(win), win.size] : [win.size, outputSize(win)]
  const pads = [border(win, 0), border(win, 1)]
  const turning = padding === 'circular' && win.stride === 1
  const images = pads.map(({ total, before }, axis) => {
    if (reading || padding === 'zero' || turning) return 1
    return padding === 'reflect' ? 3 : 1 + 2 * Math.ceil(Math.max(before, total - before) / win.size[axis])
  })
  const taps = kernel[0] * kernel[1]
  const found = {
    zero: '-1',
    circular: '(i % n + n) % n',
    reflect: 'select(2 * (n - 1) - i, -i, i < 0)',
  }
  const position = {
    zero: 'let p = i32(at);',
    circular: 'let p = i32(at) + (i32(image) - i32(images / 2)) * i32(own);',
    reflect: `
        let reflected = select(2 * (i32(own) - 1), 0, image == 1) - i32(at);
        if (image > 0 && reflected == i32(at)) { return -1; }
        let p = select(reflected, i32(at), image == 0);`,
  }
  const read = `
        let i = i32(at * ${stride} + tap * ${dilation}) - i32(before);
        if (i >= 0 && i < n) { return i; }
        return ${found[padding]};`
  const reader = turning ? `
        let i = i32(at + before) - i32(tap * ${dilation});
        return ${found.circular};` : `
        ${position[padding]}
        let i = p + i32(before) - i32(tap * ${dilation});
        return select(-1, i / ${stride}, i >= 0 && i % ${stride} == 0 && i / ${stride} < n);`
  return {
    u32: {
      links: taps * images[0] * images[1], imagesY: images[0], imagesX: images[1],
      ownY: own[0], ownX: own[1], otherY: other[0], otherX: other[1], beforeY: pads[0].before, beforeX: pads[1].before,
    },
    wgsl: `
      const taps = ${taps}u;
      fn link(at: u32, tap: u32, image: u32, images: u32, own: u32, other: u32, before: u32) -> i32 {
        let n = i32(other);
        ${reading ? read : reader}
      }
      fn place(r: u32) -> vec3u {
        let line = r / u.ownX;
        return vec3u(line / u.ownY, line % u.ownY, r % u.ownX);
      }
      fn linked(at: vec3u, e: u32) -> i32 {
        let tap = e % taps;
        let image = e / taps;
        let y = link(at.y, tap / ${kernel[1]}, image / u.imagesX, u.imagesY, u.ownY, u.otherY, u.beforeY);
        let x = link(at.z, tap % ${kernel[1]}, image % u.imagesX, u.imagesX, u.ownX, u.otherX, u.beforeX);
        return select((i32(at.x * u.otherY) + y) * i32(u.otherX) + x, -1, y < 0 || x < 0);
      }`,
  }
}
