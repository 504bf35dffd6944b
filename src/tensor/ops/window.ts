/**
 * Windows of operators: which cells each output of a convolution or pooling reads, and which outputs read each cell.
 *
 * With the geometry of src/backends/window.ts an operator is a list of links (o, t, i): output cell o reads cell i through
 * tap t. The list says what each output cell reads, and also which output cells read each input cell, which is all that the
 * adjoint needs, whatever the padding. Its order is fixed, so sums have the same bits in every run. On a GPU every result
 * looks up its own links (src/backends/wgsl/window.ts), so that it has one writer and nothing needs atomics.
 *
 * A cell mask removes the links of the output cells where it is 0. Their sums are empty, in both directions.
 *
 * Beyond a border of zeros lies a cell like any dead one: it is zero, and is multiplied like any other, which adds nothing to
 * a sum unless the other factor is NaN or infinite.
 */
import type { Data } from '../../backends/backend.ts'
import { border, cellsAlong, outputSize, paddings, type Padding, type Windows } from '../../backends/window.ts'
import { refuse, requireTensor } from '../op.ts'
import { oneOf, wholeFrom, type Kinds } from '../../backends/options.ts'
import { sameShape, showShape, type Shape } from '../shape.ts'
import type { Tensor } from '../tensor.ts'

/** How windows are placed. */
export type WindowOptions = {
  /** What lies outside of the grid, default 'zero'. */
  padding?: Padding
  /**
   * Distance between the windows of neighbouring output cells, a whole number > 0, default 1. Windows lie as in
   * TensorFlow's SAME: the padding is split between both ends, with an odd cell at the far end. So with stride 2 and
   * 3 taps, window o begins at cell 2·o if the size is even, but at 2·o − 1, centred on cell 2·o, if it is odd.
   * PyTorch's `padding=1` begins at 2·o − 1 for both. To get that here for even sizes, append a row and a column of zeros
   * to the kernel, which make 4 taps.
   */
  stride?: number
  /** Distance between neighbouring taps, a whole number > 0, default 1. */
  dilation?: number
}

/** The kinds of these options, to be spread into those of an operator. */
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

/** Throws unless the cell mask, if there is one, is a mask of these cells. */
export function checkMask(op: string, mask: Tensor | undefined, cells: Shape): void {
  if (mask === undefined) return
  requireTensor(op, 'the cell mask', mask)
  if (mask.dtype !== 'uint32') {
    refuse(op, `the cell mask is ${mask.dtype}, but must be uint32, 0 or 1`, {}, 'Comparisons make one: greater(x, 0).')
  }
  if (!sameShape(mask.shape, cells)) refuse(op, `the cell mask must be ${showShape(cells)}`, { mask })
}

/**
 * The masks of an operator, as its last inputs: none; `mask`, the cells to compute; or `mask` and the mask for derivatives.
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

/**
 * Visits every link (o, t, i): output cell o, unless the mask leaves it out, reads cell i through tap t; i is −1 beyond a
 * border of zeros. Cells are numbered through the whole batch; output cells come in scan order, and so do the taps of each.
 */
export function eachLink(
  win: Windows, batch: number, mask: Data | undefined, visit: (o: number, t: number, i: number) => void,
): void {
  const { size, kernel, stride, dilation } = win, [height, width] = outputSize(win)
  const ys = cellsAlong(win, 0), xs = cellsAlong(win, 1)
  for (let sample = 0, o = 0; sample < batch; sample++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++, o++) {
        if (mask && mask[o] === 0) continue
        for (let ty = 0, t = 0; ty < kernel[0]; ty++) {
          const line = ys[y * stride + ty * dilation], from = (sample * size[0] + line) * size[1]
          for (let tx = 0; tx < kernel[1]; tx++, t++) {
            const cell = xs[x * stride + tx * dilation]
            visit(o, t, line < 0 || cell < 0 ? -1 : from + cell)
          }
        }
      }
    }
  }
}
