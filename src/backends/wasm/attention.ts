/**
 * Attention in the blocks of a sample: what listed cells see by it, and its derivative. The kernels (assembly/attention.ts)
 * read the normalised state n, which is kept beside the state, as wide as that, and with the same ring around it.
 *
 *   u = n·A + a          what each cell asks, head by head
 *   y = attend(u, n)     behind what its filters make
 *
 * Backward, what is owed to n gathers in a cotangent of its own, band by band with a halo like that of the state; once
 * everybody has added to it, it becomes part of what is owed to the state.
 */
import { ceilTo } from '../ceil-to.ts'
import type { Program } from '../program.ts'
import type { Kernels } from './kernels.ts'
import type { Band, BlockLayout, Layout, TeamLayout } from './layout.ts'

export type Attending = {
  /** What the cells of one block see by it, written into rows of what they perceive. */
  look(cells: number, count: number, y: number): void
  /** From what is owed to it, in rows of such: the derivative of its weights and, unless g is null, of n. */
  back(cells: number, count: number, y: number, owed: number, gradient: number, g: number | null): void
  /** Brings n up to date in a band. */
  normalise(band: Band): void
  /** From what is owed to n in a band to what is owed to its state. */
  normaliseBack(band: Band): void
}

export function attendingOf(
  k: Kernels, { width, channels, perception: { attention, filters } }: Program,
  { asks, attended, places, gr, cellBytes, yStride, rowsAt, none }: Layout,
  { attention: [own, u, gu, a, change] }: BlockLayout, { x, n, g, gn }: TeamLayout,
): Attending | null {
  if (!attention || !asks) return null
  const { heads, taps: { length: taps } } = attention, { columns, gw, gb, products: [{ w, wt, bias }] } = asks
  const stride = columns * 4, inputs = cellBytes / 4, wide = ceilTo(inputs, 8), behind = filters * cellBytes
  return {
    look(cells, count, y) {
      k.gather(n, cells, count, cellBytes, own, cellBytes, none)
      k.product(count, inputs, columns, own, cellBytes, w, bias, u, stride, -Infinity, 0)
      k.attend(n, cells, count, heads, taps, attended, cellBytes, u, stride, places, a, y + behind, yStride)
    },
    back(cells, count, y, owed, gradient, to) {
      const other = to === null ? 0 : to - g + gn
      k.attendBack(n, cells, count, heads, taps, attended, cellBytes, u, stride, gradient + gr, a, y + behind, yStride,
        owed + behind, yStride, gu, other)
      k.productTN(count, inputs, columns, own, cellBytes, gu, stride, gradient + gw, stride)
      k.sumRows(count, columns, gu, stride, gradient + gb)
      if (!other) return
      k.product(count, columns, wide, gu, stride, wt, 0, change, wide * 4, -Infinity, 0)
      k.addWindows(other, cells, count, 1, none, cellBytes, change, wide * 4)
    },
    normalise: ({ first, last }) => k.normalise(n, x, rowsAt, cellBytes, first, last, width, channels, 0, 0),
    normaliseBack: ({ first, last, shift }) =>
      k.normalise(n, x, rowsAt, cellBytes, first, last, width, channels, gn + shift, g + shift),
  }
}
