/**
 * Packing: between the arrays of a call and the arena.
 *
 * The kernels see each matrix in panels of 8 columns, twice: W for the forward pass and Wᵀ for the backward pass. Rows
 * and columns that are channels are padded, and perceptions come filter by filter; what the caller has is interleaved.
 */
import type { Program } from '../program.ts'
import { ceilTo } from './arena.ts'
import type { Layout, Tap } from './layout.ts'

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
    return perception.taps.map(t => [{ ...cells[t], weights: new Array<number>(channels).fill(1) }])
  }
  const { filters, learned } = perception
  return Array.from({ length: filters }, (_, f) => cells.map((at, t): Tap => ({
    ...at, weights: Array.from({ length: channels }, (__, c) => kernel![(t * channels + c) * filters + f]),
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

/**
 * For each row of W as the caller has it, its row as the kernels see it (channels are padded; filters come first, then
 * channels), and for each column likewise (the last layer's are channels).
 */
function layerMaps(
  program: Program, { cellBytes, filters }: Layout, l: number,
): { rows: number[]; columns: number[] } {
  const { channels, perception, layers, updated } = program
  const padded = cellBytes / 4
  const seen = Array.from({ length: filters * channels }, (_, i) => (perception.type === 'filters'
    ? (i % filters) * padded + Math.floor(i / filters)
    : Math.floor(i / channels) * padded + i % channels))
  const rows = l === 0 ? seen : Array.from({ length: layers[l - 1].outputs }, (_, i) => i)
  const columns = l === layers.length - 1 ? [...updated] : Array.from({ length: layers[l].outputs }, (_, j) => j)
  return { rows, columns }
}

/** Where W[i, j] stands in panels of 8 columns, for a matrix of `inner` rows. */
const inPanel = (inner: number, i: number, j: number): number => (j >> 3) * inner * 8 + i * 8 + (j & 7)

/** W and Wᵀ in panels, and the bias, of each layer. */
export function packLayers(floats: Float32Array, layout: Layout, program: Program, layers: Parts['layers']): void {
  layout.layers.forEach((layer, l) => {
    const { inputs, outputs, columns } = layer
    const { w, bias } = layers[l]
    const map = layerMaps(program, layout, l)
    const at = layer.w / 4, transposed = layer.wt / 4
    floats.fill(0, at, at + inputs * columns)
    floats.fill(0, transposed, transposed + outputs * ceilTo(inputs, 8))
    for (let i = 0, n = map.columns.length; i < map.rows.length; i++) {
      for (let j = 0; j < n; j++) {
        floats[at + inPanel(inputs, map.rows[i], map.columns[j])] = w[i * n + j]
        floats[transposed + inPanel(outputs, map.columns[j], map.rows[i])] = w[i * n + j]
      }
    }
    if (!bias) return
    floats.fill(0, layer.bias / 4, layer.bias / 4 + columns)
    map.columns.forEach((column, j) => { floats[layer.bias / 4 + column] = bias[j] })
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
  program: Program, layout: Layout, sums: Float64Array, gradients: readonly (Float32Array | null)[],
): void {
  const { perception, channels } = program
  const rest = [...gradients]
  if (perception.type === 'filters') {
    const kernel = rest.shift()
    const { filters, size } = perception
    for (let i = 0; kernel && i < kernel.length; i++) {
      const f = i % filters, c = Math.floor(i / filters) % channels, t = Math.floor(i / filters / channels)
      kernel[i] = sums[(f * size * size + t) * layout.cellBytes / 4 + c]
    }
  }
  layout.layers.forEach(({ columns, gw, gb }, l) => {
    const map = layerMaps(program, layout, l)
    const n = map.columns.length
    const w = rest.shift(), bias = program.layers[l].bias ? rest.shift() : null
    if (w) {
      for (let i = 0; i < map.rows.length; i++) {
        for (let j = 0; j < n; j++) w[i * n + j] = sums[gw / 4 + map.rows[i] * columns + map.columns[j]]
      }
    }
    if (bias) map.columns.forEach((column, j) => { bias[j] = sums[gb / 4 + column] })
  })
}
