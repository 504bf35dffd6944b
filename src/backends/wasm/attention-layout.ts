/**
 * Where the data of attention lie in the arena (layout.ts).
 */
import { ceilTo } from '../ceil-to.ts'
import type { Attention, Layer } from '../program.ts'
import type { LayerLayout } from './layer-layout.ts'

/** One attention in memory. */
export type AttentionLayout = {
  /** Its offset within a row of what a cell perceives, in bytes. */
  readonly at: number
  /** Its layers, see `attentionLayers`. */
  readonly layers: readonly LayerLayout[]
  /** Addresses of the tables of its taps and of r; and the offset of the derivative of r in a gradient. */
  readonly taps: number
  readonly places: number
  readonly gr: number
}

/** In a thread's block, for each of its cells: u and ∂u, the softmax weights a of all taps and heads, ∂n, and what is `made`. */
export type AttentionBlock = {
  readonly u: number
  readonly gu: number
  readonly a: number
  readonly change: number
  readonly made: MadeBlock | null
}

/** p, y and N(y) of attention-made.ts, and their cotangents. */
export type MadeBlock = Readonly<Record<'p' | 'gp' | 'y' | 'gy' | 'n' | 'gn', number>>

/** The layer that makes u, from `padded` channels, a multiple of four; and, with `made`, the layers of M and W. */
export function attentionLayers({ heads, made }: Attention, padded: number): (Layer & { readonly inputs: number })[] {
  const layer = (inputs: number, outputs: number): Layer & { readonly inputs: number } =>
    ({ inputs, outputs, columns: ceilTo(outputs, 8), copied: 0, first: 0, groups: 0, activation: 'linear', slope: 1 })
  const seen = heads * padded, asks = layer(padded, seen)
  if (!made) return [asks]
  const { outputs, hidden, activation, slope } = made
  return [asks, layer(seen, outputs), ...(hidden > 0 ? [{ ...layer(outputs, hidden), activation, slope }] : [])]
}

/** The bytes of a for one cell. */
export const partBytes = ({ heads, taps }: Attention): number => 4 * heads * ceilTo(taps.length, 4)

/** Allocates the block of one attention. */
export function blockOf(attention: Attention, padded: number, rows: number, take: (bytes: number) => number): AttentionBlock {
  const numbers = (n: number): number => take(4 * rows * n)
  const [{ columns: asked }, sees] = attentionLayers(attention, padded)
  return {
    u: numbers(asked), gu: numbers(asked), a: take(rows * partBytes(attention)), change: numbers(ceilTo(padded, 8)),
    made: sees ? {
      p: numbers(asked), gp: numbers(asked), y: numbers(sees.columns), gy: numbers(sees.columns), n: numbers(sees.columns), gn: numbers(sees.columns),
    } : null,
  }
}
