/**
 * Blocks: listed cells go through perception and layers in blocks of at most `blockRows`, so that all of their data
 * stay in cache. With a_0 = y the perception, a_l the output of layer l and z the sums before its activation σ:
 *
 *   forward    z_l = a_(l−1) W_l + b_l              a_l = σ_l(z_l)
 *   backward   ∂W_l = a_(l−1)ᵀ ∂z_l    ∂b_l = Σ ∂z_l    ∂z_(l−1) = (∂z_l W_lᵀ) ⊙ σ'_(l−1)
 *
 * For each hidden layer the input of σ' is kept: a_l or, with functions like GELU and with norms, which come before σ, z_l, from
 * which a_l is computed again each time. The outputs of the last layer, times the step size, are the changes of the cells.
 */
import type { Attending } from './attention.ts'
import type { Program } from '../program.ts'
import { deformingOf } from './deformable.ts'
import { activations, isBySums, type Kernels } from './kernels.ts'
import { ceilTo } from '../ceil-to.ts'
import { blockRows, type BlockLayout, type Layout } from './layout.ts'

export type Blocks = {
  /** The bytes that are kept of the hidden layers of `count` cells, and the block's own place for them. */
  hiddenBytes(count: number): number
  readonly hidden: number
  /** The changes of listed cells of the state x, a row each. `place` returns the address for the hidden layers of a block. */
  changes(x: number, cells: number, count: number, rows: number, place: (size: number) => number): void
  /** What the cells of one block perceive, and their hidden layers, written to `hidden` unless it is null. */
  look(x: number, cells: number, count: number, hidden: number | null): void
  /**
   * From the derivative with respect to the changes of one block, whose perception and hidden layers have been computed, those
   * with respect to the weights (added to `gradient`) and, unless `g` is null, to the state (added to the cotangent g).
   */
  back(
    x: number, cells: number, count: number, hidden: number, change: number, gradient: number, g: number | null,
  ): void
}

/** Linear layers and ReLUs need no further kernel: products apply ReLUs and their derivative. */
const { linear, relu, scaled } = activations

export function blocksOf(
  k: Kernels, program: Program, layout: Layout, block: BlockLayout, attending: Attending | null,
): Blocks {
  const { layers, filters, counts, taps, tapWeights, cellBytes, yStride, changeStride, chosen } = layout
  const { perception: { learned, filters: own }, stepSize } = program
  const deforming = deformingOf(k, program, layout, block)
  const top = layers.length - 1
  const isLinear = layers[top].products[0].activation === linear

  // There are many blocks, so the code below allocates no objects: the garbage collector would stop all threads too often.

  // The bytes of a row of each layer's input, and of a row of all hidden layers before it.
  const strides = layers.map((_, l) => (l === 0 ? yStride : layers[l - 1].columns * 4))
  const before = Array.from({ length: top + 2 }, (_, l) => strides.slice(1, l).reduce((sum, stride) => sum + stride, 0))

  /** The address of what is kept of the input of layer l: the perception, or the hidden layer before it. */
  function keptOf(l: number, count: number, hidden: number): number {
    return l === 0 ? block.y : hidden + ceilTo(count, 4) * before[l]
  }

  function copy(kept: number, count: number, stride: number): void {
    k.copyRows(block.made, stride, kept, stride, ceilTo(count, 4), stride, stride, 0)
  }

  /** The input of layer l. */
  function inputOf(l: number, count: number, hidden: number): number {
    const kept = keptOf(l, count, hidden)
    if (l === 0 || !layers[l - 1].bySums) return kept
    copy(kept, count, strides[l])
    finish(l - 1, block.made, count, strides[l])
    return block.made
  }

  /** Computes what is kept of layer l from its input: its outputs or, in columns with norms and some functions, its sums. */
  function through(l: number, from: number, count: number, to: number, stride: number): void {
    const { copied, products, norm } = layers[l]
    if (copied) k.copyRows(to, stride, from, strides[l], count, copied, products[0].column * 4, 0)
    for (const { activation, slope, inputs, columns, row, column, w, bias } of products) {
      const floor = activation === relu && !norm ? 0 : -Infinity
      k.product(count, inputs, columns, from + 4 * row, strides[l], w, bias, to + 4 * column, stride, floor, 0)
      if (activation === relu || norm || isBySums(activation)) continue
      k.activate(activation, to + 4 * column, ceilTo(count, 4), columns * 4, stride, slope)
    }
  }

  /** Completes what is kept of layer l to its outputs, in place. */
  function finish(l: number, at: number, count: number, stride: number): void {
    const { products, norm } = layers[l]
    normalise(l, at, count, stride)
    for (const { activation, slope, column, columns } of products) {
      if (norm || isBySums(activation)) k.activate(activation, at + 4 * column, ceilTo(count, 4), columns * 4, stride, slope)
    }
  }

  /** The norm of layer l, if it has one: of its sums x, in place; or, with a cotangent g (not 0), its derivative from x to g. */
  function normalise(l: number, x: number, count: number, stride: number, g = 0, gradient = 0): void {
    const { products: [{ column }], norm } = layers[l], at = 4 * column
    if (!norm) return
    const { groups, bytes, scale, shift, gScale, gShift } = norm
    k.norm(count, groups, bytes, x + at, g && g + at, stride, scale + at, shift + at, gradient + gScale + at, gradient + gShift + at)
  }

  // If all activations of a layer are ReLUs, the product that computes its cotangent also applies their derivative.
  const gated = layers.map(({ copied, products, norm }) => !copied && !norm && products.every(({ activation }) => activation === relu))

  /** g ← g ⊙ the derivative of layer l, from what is kept of it. */
  function applyBack(l: number, g: number, kept: number, count: number, stride: number, gradient: number): void {
    const { products, norm } = layers[l]
    for (const { activation, slope, column, columns } of products) {
      if (norm && isBySums(activation)) {
        copy(kept, count, stride)
        normalise(l, block.made, count, stride)
      }
      const of = norm ? block.made : kept
      k.activateBack(activation, g + 4 * column, of + 4 * column, ceilTo(count, 4), columns * 4, stride, slope)
    }
    normalise(l, kept, count, stride, g, gradient)
  }

  function look(x: number, cells: number, count: number, hidden: number | null): void {
    k.perceive(x, cells, count, filters, counts, taps, tapWeights, cellBytes, block.y + chosen, yStride)
    attending?.look(cells, count, block.y)
    for (const part of deforming) part.look(x, cells, count, block.y)
    for (let l = 0; hidden !== null && l < top; l++) {
      through(l, inputOf(l, count, hidden), count, keptOf(l + 1, count, hidden), strides[l + 1])
    }
  }

  return {
    hidden: block.hidden,
    hiddenBytes: count => ceilTo(count, 4) * before[top + 1],
    look,
    changes(x, cells, count, rows, place) {
      for (let i = 0; i < count; i += blockRows) {
        const size = Math.min(blockRows, count - i)
        const hidden = place(size)
        look(x, cells + 4 * i, size, hidden)
        const to = rows + i * changeStride
        through(top, inputOf(top, size, hidden), size, to, changeStride)
        finish(top, to, size, changeStride)
        if (!isLinear) k.activate(scaled, to, ceilTo(size, 4), changeStride, changeStride, stepSize)
      }
    },
    back(x, cells, count, hidden, change, gradient, g) {
      const wanted = g !== null || learned || attending !== null || deforming.length > 0
      if (!isLinear) {
        const last = block.g[(top + 1) % 2] // nothing of the last layer has been kept
        through(top, inputOf(top, count, hidden), count, last, changeStride)
        k.activate(scaled, change, ceilTo(count, 4), changeStride, changeStride, stepSize)
        applyBack(top, change, last, count, changeStride, gradient)
      }
      let from = change, stride = changeStride
      for (let l = top; l >= 0; l--) {
        const a = inputOf(l, count, hidden), aStride = strides[l]
        const to = block.g[l % 2]
        const { gw, gb, columns: pitch, products, copied } = layers[l]
        const gate = l > 0 && gated[l - 1] && !copied ? a : 0
        k.sumRows(count, pitch, from, stride, gradient + gb)
        for (const { inputs, outputs, columns, row, column, wt } of products) {
          const read = a + 4 * row, owed = from + 4 * column, sum = gradient + gw + 4 * (row * pitch + column)
          k.productTN(count, ceilTo(inputs, 4), columns, read, aStride, owed, stride, sum, pitch * 4)
          if (l > 0 || wanted) k.product(count, outputs, ceilTo(inputs, 8), owed, stride, wt, 0, to + 4 * row, aStride, -Infinity, gate)
        }
        // A copied number gets the cotangent of its copy; if the product reads it too, in addition to that of the product.
        if (copied) k.copyRows(to, aStride, from, stride, count, copied, copied, +(products[0].row === 0))
        if (l > 0 && !gate) applyBack(l - 1, to, keptOf(l, count, hidden), count, aStride, gradient)
        from = to
        stride = aStride
      }
      if (learned) k.perceiveWeights(x, cells, count, own, counts, taps, gradient, cellBytes, from + chosen, stride)
      attending?.back(cells, count, block.y, from, gradient, g)
      for (const part of deforming) part.back(x, count, block.y, from, gradient, g)
      if (g !== null) k.perceiveBack(g, cells, count, filters, counts, taps, tapWeights, cellBytes, from + chosen, stride)
    },
  }
}
