/**
 * Deformable convolutions in the blocks of a sample: what listed cells see at places that they choose, and its derivative. A
 * cell chooses by its window, which it sees as that of a convolution; the kernels are in assembly/deformable.ts.
 *
 *   z = window·K + b             how far each tap is moved, in units of the reach, and by how much it is weighed
 *   tanh, σ                      of them, where they are bounded
 *   y = deform(aim(z), x)        before what its filters make
 */
import { ceilTo } from '../ceil-to.ts'
import type { Deformable, Program } from '../program.ts'
import type { DeformableBlock, DeformableLayout } from './deformable-layout.ts'
import { denseOf } from './dense.ts'
import { activations, type Kernels } from './kernels.ts'
import type { BlockLayout, Layout } from './layout.ts'

type Deforming = {
  /** What the cells of one block see at their places, written into rows of what they perceive. */
  look(x: number, cells: number, count: number, y: number): void
  /**
   * From what is owed to it, in rows of such: the derivative of the weights and, unless g is null, of the state, that by the
   * windows as what is owed to these, in the same rows.
   */
  back(x: number, count: number, y: number, owed: number, gradient: number, g: number | null): void
}

/** Each of those of a program. */
export function deformingOf(
  k: Kernels, { perception: { deformable } }: Program, layout: Layout, block: BlockLayout,
): Deforming[] {
  return deformable.map((part, i) => oneOf(k, part, layout, layout.deformable[i], block.deformable[i]))
}

function oneOf(
  k: Kernels, { size, reach, modulated }: Deformable, { cellBytes, yStride, windows }: Layout,
  { at, layer, plane }: DeformableLayout, { z, gz, links }: DeformableBlock,
): Deforming {
  const stride = 4 * layer.columns, window = windows + at, makesZ = denseOf(k, layer, yStride)
  const taps = size * size, group = 4 * ceilTo(taps, 4), m = modulated ? z + 2 * group : 0
  /** The functions behind what cells choose, or their derivatives. */
  function each(apply: (kind: number, from: number, bytes: number) => void): void {
    if (reach !== null) apply(activations.tanh, 0, 2 * group)
    if (modulated) apply(activations.sigmoid, 2 * group, group)
  }
  return {
    look(x, cells, count, y) {
      makesZ.forward(count, y + window, z)
      each((kind, from, bytes) => k.activate(kind, z + from, count, bytes, stride, 0))
      k.aim(cells, count, plane, z, stride, group, links)
      k.deform(x, count, taps, cellBytes, links, m, stride, y + at, yStride)
    },
    back(x, count, y, owed, gradient, g) {
      k.deformBack(x, count, taps, cellBytes, links, m, stride, owed + at, yStride, gz, group, reach ?? 1, g ?? 0)
      each((kind, from, bytes) => k.activateBack(kind, gz + from, z + from, count, bytes, stride, 0))
      makesZ.back(count, y + window, gz, gradient, g && owed + window, yStride)
    },
  }
}
