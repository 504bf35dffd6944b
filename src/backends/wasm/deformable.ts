/**
 * Deformable convolutions in the blocks of a sample: what listed cells see at places that they choose, and its derivative. A
 * cell chooses from its window, like a convolution; the kernels are in assembly/deformable.ts.
 *
 *   z = window·K + b             how far each tap is moved, in units of the reach, and its weight
 *   tanh, σ                      applied to them if they are bounded
 *   y = deform(aim(z), x)        in a row, before what filters make
 */
import { ceilTo } from '../ceil-to.ts'
import type { Deformable, Program } from '../program.ts'
import type { DeformableBlock, DeformableLayout } from './deformable-layout.ts'
import { denseOf } from './dense.ts'
import { activations, type Kernels } from './kernels.ts'
import type { BlockLayout, Layout } from './layout.ts'

type Deforming = {
  /** Writes what the cells of one block see at their places into rows of what they perceive. */
  look(x: number, cells: number, count: number, y: number): void
  /**
   * From the cotangent of these rows (`owed`): the derivative of the weights and, unless g is null, that of the state. The part
   * through the windows is written as the cotangent of the windows, into the same rows.
   */
  back(x: number, count: number, y: number, owed: number, gradient: number, g: number | null): void
}

/** The deformable convolutions of a program. */
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
  /** Applies tanh and σ to what cells choose, or their derivatives. */
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
