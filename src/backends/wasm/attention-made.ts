/**
 * What attention makes from p, which its heads see, in the blocks of a sample: the outputs y and, with a network, its hidden layer
 * h. With N the norm of each cell's numbers,
 *
 *   y = p·M + m          h = σ(N(y)·W + b)
 *
 * are what the cells perceive, one after the other: the layer that reads the attention reads both (src/nca/fused/attention.ts).
 */
import { ceilTo } from '../ceil-to.ts'
import type { MadeBlock } from './attention-layout.ts'
import { denseOf } from './dense.ts'
import type { Kernels } from './kernels.ts'
import type { LayerLayout } from './layer-layout.ts'
import type { Layout } from './layout.ts'

export type Making = {
  /** From p of `count` cells to y and h, written into rows of what they perceive. */
  look(count: number, perceived: number): void
  /** From the cotangent of y and h (`owed`) to the derivative of the weights and the cotangent of p. */
  back(count: number, perceived: number, owed: number, gradient: number): void
}

/** Rows of p and of its cotangent have as many numbers as `sees` has inputs, padded to eights; those of y and N(y) its outputs. */
export function makingOf(
  k: Kernels, { yStride, none }: Layout, [sees, hidden]: readonly LayerLayout[], { p, gp, y, gy, n, gn }: MadeBlock,
): Making {
  const stride = 4 * sees.columns, makesY = denseOf(k, sees, 4 * ceilTo(sees.products[0].inputs, 8))
  const makesH = hidden && denseOf(k, hidden, stride, yStride)
  return {
    look(count, perceived) {
      makesY.forward(count, p, y)
      k.copyRows(perceived, yStride, y, stride, count, stride, stride, 0)
      if (!makesH) return
      const { columns, products: [{ activation, slope, inputs }] } = hidden, h = perceived + stride
      k.normalise(n, y, none, stride, 0, 1, count, inputs, 0, 0)
      makesH.forward(count, n, h)
      k.activate(activation, h, ceilTo(count, 4), 4 * columns, yStride, slope)
    },
    back(count, perceived, owed, gradient) {
      k.copyRows(gy, stride, owed, yStride, count, stride, stride, 0)
      if (makesH) {
        const { columns, products: [{ activation, slope, inputs }] } = hidden, h = perceived + stride, gh = owed + stride
        k.activateBack(activation, gh, h, ceilTo(count, 4), 4 * columns, yStride, slope)
        makesH.back(count, n, gh, gradient, gn)
        k.normalise(n, y, none, stride, 0, 1, count, inputs, gn, gy)
      }
      makesY.back(count, p, gy, gradient, gp)
    },
  }
}
