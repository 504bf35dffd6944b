/**
 * A dense layer outside of the network, for rows of a block: y = x·W + b, and its derivative.
 */
import { ceilTo } from '../ceil-to.ts'
import type { Kernels } from './kernels.ts'
import type { LayerLayout } from './layer-layout.ts'

export type Dense = {
  /** From rows x to rows y. */
  forward(count: number, x: number, y: number): void
  /**
   * From the cotangent of y: adds the derivatives of W and b to `gradient` and, unless gx is null, writes the cotangent of x, in
   * rows of a multiple of eight numbers, `gxStride` bytes apart, by default without gaps.
   */
  back(count: number, x: number, gy: number, gradient: number, gx: number | null, gxStride?: number): void
}

/** The layer; rows of x and y are `xStride` and `yStride` bytes apart. */
export function denseOf(
  k: Kernels, { columns, gw, gb, products: [{ w, wt, bias, inputs, outputs }] }: LayerLayout, xStride: number, yStride: number = 4 * columns,
): Dense {
  const wide = ceilTo(inputs, 8)
  return {
    forward: (count, x, y) => k.product(count, inputs, columns, x, xStride, w, bias, y, yStride, -Infinity, 0),
    back(count, x, gy, gradient, gx, gxStride = 4 * wide) {
      k.productTN(count, ceilTo(inputs, 4), columns, x, xStride, gy, yStride, gradient + gw, 4 * columns)
      k.sumRows(count, columns, gy, yStride, gradient + gb)
      if (gx !== null) k.product(count, outputs, wide, gy, yStride, wt, 0, gx, gxStride, -Infinity, 0)
    },
  }
}
