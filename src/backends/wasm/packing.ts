/**
 * Packing: copying between the arrays of a call and the arena.
 *
 * The kernels read each matrix in panels of 8 columns, twice: W for the forward pass and Wᵀ for the backward pass. Unlike the
 * rest of the arrangement (src/nca/fused/arrange.ts) this is not done by operators, since W and Wᵀ would be two inputs, but there
 * is one gradient.
 */
import { ceilTo } from '../ceil-to.ts'
import { placesOf, type Program } from '../program.ts'
import type { Layout, Tap } from './layout.ts'
import { packPanels } from './simd/rows.ts'

/** The inputs of a program by name. */
export type Parts = {
  readonly x: Float32Array
  readonly kernel: Float32Array | null
  readonly w1: Float32Array
  readonly rest: Float32Array
  readonly given: Float32Array | undefined
}

export function partsOf({ perception }: Program, [x, ...others]: readonly Float32Array[]): Parts {
  const kernel = perception.filters > 0 ? others.shift()! : null
  const [w1, rest, given] = others
  return { x, kernel, w1, rest, given }
}

/**
 * The taps of each filter, then those of each view and of the windows of deformable convolutions, each as a filter. Fixed filters
 * omit taps of weight zero.
 */
export function filtersOf({ perception, channels }: Program, kernel: Float32Array | null): Tap[][] {
  const { window, filters, learned, views, deformable } = perception
  const padded = ceilTo(channels, 4)
  const places = window[0] * window[1] * window[2]
  const own = Array.from({ length: filters }, (_, f) => Array.from({ length: places }, (_, place): Tap => {
    const from = (f * places + place) * padded
    return { place, weights: kernel!.subarray(from, from + padded) }
  }).filter(({ weights }) => learned || weights.some(w => w !== 0)))
  const within = deformable.flatMap(({ size }) =>
    placesOf(window).flatMap(([, y, x], place) => (2 * Math.max(Math.abs(y), Math.abs(x)) < size ? [place] : [])))
  const seen = [...views.flatMap(({ taps }) => taps), ...within].map(place => [{ place, weights: new Float32Array(padded).fill(1) }])
  return [...own, ...seen]
}

/** The weights of the taps. */
export function packFilters(floats: Float32Array, { tapWeights, cellBytes }: Layout, taps: readonly Tap[]): void {
  taps.forEach(({ weights }, i) => floats.set(weights, (tapWeights + i * cellBytes) / 4))
}

/** Packs W and Wᵀ in panels, and the bias, of each layer, including deformable convolutions and attention; and r of attention. */
export function packLayers(
  floats: Float32Array, { perception: { attention } }: Program, { layers, deformable, attention: laid }: Layout, { w1, rest }: Parts,
): void {
  const [{ gb: start }] = layers
  laid.forEach(({ gr, places }, i) => {
    const from = (gr - start) / 4
    floats.set(rest.subarray(from, from + attention[i].heads * attention[i].taps.length), places / 4)
  });
  [...layers, ...deformable.map(({ layer }) => layer), ...laid.flatMap(part => part.layers)].forEach(({ columns: pitch, gw, gb, products, norm }, l) => {
    for (const [from, to] of norm ? [[norm.gScale, norm.scale], [norm.gShift, norm.shift]] : []) {
      floats.set(rest.subarray((from - start) / 4, (from - start) / 4 + pitch), to / 4)
    }
    for (const { inputs, outputs, columns, row, column, w, wt, bias } of products) {
      const matrix = (l === 0 ? w1 : rest.subarray((gw - start) / 4)).subarray(row * pitch + column)
      packPanels(floats, w / 4, matrix, inputs, columns, pitch, 1)
      packPanels(floats, wt / 4, matrix, outputs, inputs, 1, pitch)
      const from = (gb - start) / 4 + column
      floats.set(rest.subarray(from, from + columns), bias / 4)
    }
  })
}

/** Fire masks as planes of bits. */
export function packMasks(
  words: Uint32Array, layout: Layout, { batch, depth, height, width }: Program, masks: readonly Uint32Array[],
): void {
  masks.forEach((mask, t) => {
    for (let b = 0, i = 0; b < batch; b++) {
      const plane = (layout.masks + (t * batch + b) * layout.maskBytes) / 4
      words.fill(0, plane, plane + layout.maskBytes / 4)
      for (let y = 0; y < depth * height; y++) {
        const row = plane + y * layout.planeRow / 4
        for (let x = 0; x < width; x++, i++) if (mask[i] !== 0) words[row + (x >> 5)] |= 1 << (x & 31)
      }
    }
  })
}

/** Unpacks the derivatives of kernel, first weights, rest and inputs (from `owed`) into the gradients that are not null. */
export function unpackGradients(
  { perception, given }: Program, { layers: [{ gw, gb }], bands }: Layout, { sums, owed }: { sums: Float64Array; owed: Float32Array },
  gradients: readonly (Float32Array | null)[],
): void {
  const rest = [...gradients]
  if (given) unpackOwed(rest.pop()!, owed, given.perCell ? 1 : bands.length, given.channels.length)
  if (perception.filters > 0) {
    const kernel = rest.shift()
    if (perception.learned) kernel?.set(sums.subarray(0, kernel.length))
    else kernel?.fill(0) // fixed filters have no gradient
  }
  rest.forEach((gradient, i) => {
    const from = (i === 0 ? gw : gb) / 4
    gradient?.set(sums.subarray(from, from + gradient.length))
  })
}

/** The cotangents of inputs: n numbers, each summed over `places` places in order. */
function unpackOwed(gradient: Float32Array | null, owed: Float32Array, places: number, n: number): void {
  gradient?.forEach((_, i) => {
    const from = Math.floor(i / n) * places * n + i % n
    let sum = 0
    for (let place = 0; place < places; place++) sum += owed[from + place * n]
    gradient[i] = sum
  })
}
