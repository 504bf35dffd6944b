/**
 * Where the dense layers of a program lie in the arena (layout.ts), and their derivatives in a gradient.
 */
import { ceilTo } from '../ceil-to.ts'
import { chosenBy, type Layer, type Program } from '../program.ts'
import type { Arena } from './arena.ts'
import { attentionLayers } from './attention-layout.ts'
import { movingLayer } from './deformable-layout.ts'
import { activations, isBySums } from './kernels.ts'

/**
 * One dense layer in memory: a product, or several side by side if it is a first layer with several views. Before their
 * outputs come `copied` bytes of its input.
 */
export type LayerLayout = {
  readonly copied: number
  readonly columns: number
  /** The offsets of the derivatives of W and of the bias in a gradient, which is laid out like the caller's inputs. */
  readonly gw: number
  readonly gb: number
  readonly products: readonly Product[]
  /** If the sums of its one product go through a norm: the groups, the bytes of each, scale and shift and their derivatives. */
  readonly norm: Readonly<Record<'groups' | 'bytes' | 'scale' | 'shift' | 'gScale' | 'gShift', number>> | null
  /** Whether some of what is kept of it are sums, from which its outputs are computed again. */
  readonly bySums: boolean
}

/** A product of a layer and the activation of its sums; sizes in numbers, the rest in bytes. */
export type Product = {
  readonly activation: number
  readonly slope: number
  /** The number of rows of W that it reads, and of its outputs, without and with padding. */
  readonly inputs: number
  readonly outputs: number
  readonly columns: number
  /** Its first row and column in the caller's W: the first number that it reads of a cell, and the first that it writes. */
  readonly row: number
  readonly column: number
  /** Addresses of W and Wᵀ in panels, and of the bias. */
  readonly w: number
  readonly wt: number
  readonly bias: number
}

/**
 * Lays out the layers of the network, the first of which reads `perceived` numbers, and those of each deformable convolution and
 * attention. In a gradient, their derivatives come after `filterBytes`, followed by those of each r.
 */
export function layLayers(
  arena: Arena, { layers, channels, perception }: Program, perceived: number, filterBytes: number,
): { layers: LayerLayout[]; moving: LayerLayout[]; attending: LayerLayout[][]; gr: number[]; gradientBytes: number } {
  let gradientBytes = filterBytes
  const grown = (bytes: number): number => (gradientBytes += bytes) - bytes
  const { views, filters, attention, deformable } = perception, padded = ceilTo(channels, 4)
  const all: readonly (Layer & { readonly inputs?: number })[] = [
    ...layers, ...deformable.map(part => movingLayer(part, padded)), ...attention.flatMap(part => attentionLayers(part, padded)),
  ]
  const laid = all.map((layer, l): LayerLayout => {
    const { columns, copied, first, groups } = layer
    const inputs = layer.inputs ?? (l === 0 ? perceived : layers[l - 1].outputs)
    const viewed = l === 0 && views.length > 0
    const parts = viewed ? views.map(view => ({ ...view, inputs: view.taps.length * padded }))
      : [{ ...layer, inputs, outputs: layer.outputs - first, columns: columns - first }]
    let row = viewed ? chosenBy(perception, padded) + filters * padded : 0, column = first
    const products = parts.map(({ inputs, outputs, columns, activation, slope }): Product => {
      const product = {
        activation: activations[activation], slope, inputs, outputs, columns, row, column,
        w: arena.take(inputs * columns * 4),
        wt: arena.take(outputs * ceilTo(inputs, 8) * 4),
        bias: arena.take(columns * 4),
      }
      row += inputs
      column += columns
      return product
    })
    const rows = layer.inputs ? ceilTo(layer.inputs, 4) : l === 0 ? perceived : layers[l - 1].columns
    const gw = grown(rows * columns * 4), gb = grown(columns * 4), bytes = columns * 4
    const norm = groups === 0 ? null : {
      groups, bytes: 4 * (layer.outputs - first) / groups, scale: arena.take(bytes), shift: arena.take(bytes),
      gScale: grown(bytes), gShift: grown(bytes),
    }
    const bySums = norm !== null || products.some(({ activation }) => isBySums(activation))
    return { copied: 4 * copied, columns, products, gw, gb, norm, bySums }
  })
  const gr = attention.map(({ heads, taps }) => grown(ceilTo(4 * heads * taps.length, 32)))
  const moving = laid.slice(layers.length, layers.length + deformable.length)
  let at = layers.length + deformable.length
  const attending = attention.map(part => laid.slice(at, at += attentionLayers(part, padded).length))
  return { layers: laid.slice(0, layers.length), moving, attending, gr, gradientBytes }
}
