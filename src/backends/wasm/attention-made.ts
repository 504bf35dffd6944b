/**
 * What is made of what the heads of an attention see, p, in the blocks of a sample: the outputs y and, where there is a network,
 * its hidden layer h. With N the norm of each cell's numbers,
 *
 *   y = p·M + m          h = σ(N(y)·W + b)
 *
 * are what the cells perceive, one behind the other: whatever reads the attention reads both (src/nca/fused/attention.ts).
 */
import { ceilTo } from '../ceil-to.ts'
import type { MadeBlock } from './attention-layout.ts'
import type { Kernels } from './kernels.ts'
import type { Layout, LayerLayout } from './layout.ts'

export type Making = {
  /** From p of so many cells to what they perceive, in rows of such. */
  look(count: number, perceived: number): void
  /** From what is owed to that to the derivative of the weights, and to what is owed to p. */
  back(count: number, perceived: number, owed: number, gradient: number): void
}

/** Rows of p and of what is owed to it are as far apart as `sees` has inputs, in whole eights; those of y and N(y), as outputs. */
export function makingOf(
  k: Kernels, { yStride, none }: Layout, [sees, hidden]: readonly LayerLayout[], { p, gp, y, gy, n, gn }: MadeBlock,
): Making {
  const { products: [one] } = sees, heads = ceilTo(one.inputs, 8), outputs = sees.columns
  const [pStride, stride] = [4 * heads, 4 * outputs]
  return {
    look(count, perceived) {
      k.product(count, one.inputs, outputs, p, pStride, one.w, one.bias, perceived, yStride, -Infinity, 0)
      if (!hidden) return
      const { columns: units, products: [two] } = hidden, h = perceived + stride
      k.copyRows(y, stride, perceived, yStride, count, stride, stride, 0)
      k.normalise(n, y, none, stride, 0, 1, count, two.inputs, 0, 0)
      k.product(count, two.inputs, units, n, stride, two.w, two.bias, h, yStride, -Infinity, 0)
      k.activate(two.activation, h, ceilTo(count, 4), 4 * units, yStride, two.slope)
    },
    back(count, perceived, owed, gradient) {
      k.copyRows(gy, stride, owed, yStride, count, stride, stride, 0)
      if (hidden) {
        const { columns: units, products: [two], gw, gb } = hidden, h = perceived + stride, gh = owed + stride
        k.activateBack(two.activation, gh, h, ceilTo(count, 4), 4 * units, yStride, two.slope)
        k.sumRows(count, units, gh, yStride, gradient + gb)
        k.productTN(count, ceilTo(two.inputs, 4), units, n, stride, gh, yStride, gradient + gw, 4 * units)
        k.product(count, two.outputs, outputs, gh, yStride, two.wt, 0, gn, stride, -Infinity, 0)
        k.normalise(n, y, none, stride, 0, 1, count, two.inputs, gn, gy)
      }
      k.sumRows(count, outputs, gy, stride, gradient + sees.gb)
      k.productTN(count, one.inputs, outputs, p, pStride, gy, stride, gradient + sees.gw, stride)
      k.product(count, one.outputs, heads, gy, stride, one.wt, 0, gp, pStride, -Infinity, 0)
    },
  }
}
