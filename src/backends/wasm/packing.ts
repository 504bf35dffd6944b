/**
 * Packing: between the arrays of a call and the arena.
 *
 * The kernels see each matrix in panels of 8 columns, twice: W for the forward pass and Wᵀ for the backward pass. This is
 * not made of operators, as the order of its rows is (src/nca/fused/arrange.ts): the two would be two inputs, and whose
 * gradient is wanted is one.
 */
import type { Program } from '../program.ts'
import { ceilTo } from './arena.ts'
import type { Layout, Product, Tap } from './layout.ts'

/** The inputs of a program by name. */
export type Parts = {
  readonly x: Float32Array
  readonly kernel: Float32Array | null
  readonly layers: readonly { readonly w: Float32Array; readonly bias: Float32Array | null }[]
}

export function partsOf(program: Program, [x, ...rest]: readonly Float32Array[]): Parts {
  const kernel = program.perception.type === 'filters' ? rest.shift()! : null
  const layers = program.layers.map(({ bias }) => ({ w: rest.shift()!, bias: bias ? rest.shift()! : null }))
  return { x, kernel, layers }
}

/** Taps in the order of the kernel's rows. Fixed filters do without taps of weight zero. */
export function filtersOf({ perception, channels }: Program, kernel: Float32Array | null): Tap[][] {
  const { size } = perception, r = Math.floor(size / 2)
  const cells = Array.from({ length: size * size }, (_, t) => ({ dy: Math.floor(t / size) - r, dx: t % size - r }))
  if (perception.type === 'window') {
    return perception.views.flatMap(({ taps }) => taps).map(t => [{ ...cells[t], weights: new Array<number>(channels).fill(1) }])
  }
  const { filters, learned } = perception
  const padded = ceilTo(channels, 4)
  return Array.from({ length: filters }, (_, f) => cells.map((at, t): Tap => ({
    ...at, weights: Array.from({ length: channels }, (__, c) => kernel![(t * filters + f) * padded + c]),
  })).filter(({ weights }) => learned || weights.some(w => w !== 0)))
}

/** The weights of the taps, channels padded with zeros. */
export function packFilters(floats: Float32Array, { tapWeights, cellBytes }: Layout, taps: readonly Tap[]): void {
  taps.forEach(({ weights }, i) => {
    const at = (tapWeights + i * cellBytes) / 4
    floats.fill(0, at, at + cellBytes / 4)
    floats.set(weights, at)
  })
}

/** Where W[i, j] stands in panels of 8 columns, for a matrix of `inner` rows. */
const inPanel = (inner: number, i: number, j: number): number => (j >> 3) * inner * 8 + i * 8 + (j & 7)

/** Visits the weights of all products: W[i, j], and its place in the caller's array for layer l. */
function eachWeight({ layers }: Layout, visit: (l: number, product: Product, i: number, j: number, at: number) => void): void {
  layers.forEach(({ outputs: width, products }, l) => {
    for (const product of products) {
      const { inputs, outputs, row, column } = product
      for (let i = 0; i < inputs; i++) {
        for (let j = 0; j < outputs; j++) visit(l, product, i, j, (row + i) * width + column + j)
      }
    }
  })
}

/** W and Wᵀ in panels, and the bias, of each layer. */
export function packLayers(floats: Float32Array, layout: Layout, layers: Parts['layers']): void {
  layout.layers.forEach(({ products }, l) => {
    for (const { inputs, outputs, columns, column, w, wt, bias } of products) {
      floats.fill(0, w / 4, w / 4 + inputs * columns)
      floats.fill(0, wt / 4, wt / 4 + outputs * ceilTo(inputs, 8))
      const given = layers[l].bias?.subarray(column, column + outputs)
      if (given) floats.fill(0, bias / 4, bias / 4 + columns).set(given, bias / 4)
    }
  })
  eachWeight(layout, (l, { inputs, outputs, w, wt }, i, j, at) => {
    const weight = layers[l].w[at]
    floats[w / 4 + inPanel(inputs, i, j)] = weight
    floats[wt / 4 + inPanel(outputs, j, i)] = weight
  })
}

/** Fire masks as planes of bits. */
export function packMasks(
  words: Uint32Array, layout: Layout, { batch, height, width }: Program, masks: readonly Uint32Array[],
): void {
  masks.forEach((mask, t) => {
    for (let b = 0, i = 0; b < batch; b++) {
      const plane = (layout.masks + (t * batch + b) * layout.maskBytes) / 4
      words.fill(0, plane, plane + layout.maskBytes / 4)
      for (let y = 0; y < height; y++) {
        const row = plane + y * layout.planeRow / 4
        for (let x = 0; x < width; x++, i++) if (mask[i] !== 0) words[row + (x >> 5)] |= 1 << (x & 31)
      }
    }
  })
}

/** The derivatives of kernel, weights and biases as the caller has them, those that are not null. */
export function unpackGradients(
  { perception, layers }: Program, layout: Layout, sums: Float64Array, gradients: readonly (Float32Array | null)[],
): void {
  const rest = [...gradients]
  if (perception.type === 'filters') {
    const kernel = rest.shift()
    const { filters, size } = perception, padded = layout.cellBytes / 4
    for (let i = 0; kernel && i < kernel.length; i++) {
      const c = i % padded, f = Math.floor(i / padded) % filters, t = Math.floor(i / padded / filters)
      kernel[i] = sums[(f * size * size + t) * padded + c]
    }
  }
  const given = layers.map(({ bias }) => ({ w: rest.shift(), bias: bias ? rest.shift() : null }))
  layout.layers.forEach(({ products }, l) => {
    for (const { outputs, column, gb } of products) given[l].bias?.set(sums.subarray(gb / 4, gb / 4 + outputs), column)
  })
  eachWeight(layout, (l, { columns, gw }, i, j, at) => {
    const { w } = given[l]
    if (w) w[at] = sums[gw / 4 + i * columns + j]
  })
}
