/**
 * Attention in the blocks of a sample: what listed cells see by it, and its derivative. The kernels (assembly/attention.ts)
 * read the normalised state n, which is kept beside the state, with the same width and the same ring around it.
 *
 *   u = n·A + a          the queries of each cell, head by head
 *   y = attend(u, n)     in a row, before what filters make; attention-made.ts may process it further
 *
 * Backward, n has a cotangent of its own, band by band with a halo like that of the state. Once all cells have added to it, it is
 * taken through the norm and added to the cotangent of the state.
 */
import { ceilTo } from '../ceil-to.ts'
import type { Attention, Program } from '../program.ts'
import type { AttentionBlock, AttentionLayout } from './attention-layout.ts'
import { makingOf } from './attention-made.ts'
import { denseOf } from './dense.ts'
import type { Kernels } from './kernels.ts'
import type { Band, BlockLayout, Layout, TeamLayout } from './layout.ts'

export type Attending = Looking & {
  /** Updates n in a band. */
  normalise(band: Band): void
  /** Adds the cotangent of n in a band, through the norm, to that of the state. */
  normaliseBack(band: Band): void
}

type Looking = {
  /** Writes what the cells of one block see by it into rows of what they perceive. */
  look(cells: number, count: number, y: number): void
  /** From the cotangent of these rows (`owed`): the derivative of its weights and, unless g is null, of n. */
  back(cells: number, count: number, y: number, owed: number, gradient: number, g: number | null): void
}

export function attendingOf(
  k: Kernels, { width, perception: { attention, normalised } }: Program, layout: Layout, block: BlockLayout,
  { x, n, g, gn }: TeamLayout,
): Attending | null {
  if (attention.length === 0) return null
  const { rowsAt, cellBytes, none } = layout
  const all = attention.map((part, i) => lookingOf(k, part, layout, layout.attention[i], block.n, block.attention[i], n))
  return {
    look(cells, count, y) {
      k.gather(n, cells, count, cellBytes, block.n, cellBytes, none)
      for (const part of all) part.look(cells, count, y)
    },
    back(cells, count, y, owed, gradient, to) {
      const other = to === null ? null : to - g + gn
      for (const part of all) part.back(cells, count, y, owed, gradient, other)
    },
    normalise: ({ first, last }) => k.normalise(n, x, rowsAt, cellBytes, first, last, width, normalised, 0, 0),
    normaliseBack: ({ first, last, shift }) =>
      k.normalise(n, x, rowsAt, cellBytes, first, last, width, normalised, gn + shift, g + shift),
  }
}

/** One attention. `own` is n of the cells of a block; `back` adds to the cotangent of n. */
function lookingOf(
  k: Kernels, { heads, taps: { length: taps } }: Attention, layout: Layout,
  { at, layers: [asks, ...others], taps: offsets, places, gr }: AttentionLayout,
  own: number, { u, gu, a, change, made }: AttentionBlock, n: number,
): Looking {
  const { cellBytes, yStride, none } = layout, makesU = denseOf(k, asks, cellBytes), stride = 4 * asks.columns
  const making = made && makingOf(k, layout, others, made), pStride = made ? stride : yStride
  return {
    look(cells, count, y) {
      makesU.forward(count, own, u)
      k.attend(n, cells, count, heads, taps, offsets, cellBytes, u, stride, places, a, made?.p ?? y + at, pStride)
      making?.look(count, y + at)
    },
    back(cells, count, y, owed, gradient, gn) {
      making?.back(count, y + at, owed + at, gradient)
      k.attendBack(n, cells, count, heads, taps, offsets, cellBytes, u, stride, gradient + gr, a, made?.p ?? y + at, pStride,
        made?.gp ?? owed + at, pStride, gu, gn ?? 0)
      makesU.back(count, own, gu, gradient, gn === null ? null : change)
      if (gn !== null) k.addWindows(gn, cells, count, 1, none, cellBytes, change, 4 * ceilTo(cellBytes / 4, 8))
    },
  }
}
