/**
 * Where the data of deformable convolutions lie in the arena (layout.ts).
 */
import { ceilTo } from '../ceil-to.ts'
import type { Deformable, Layer, Program } from '../program.ts'
import { paddings } from '../window.ts'
import type { Arena } from './arena.ts'
import { offsetIn, type GridMemory } from './borders.ts'
import type { LayerLayout } from './layer-layout.ts'

/** One deformable convolution in memory. */
export type DeformableLayout = {
  /** Its offset within a row of what a cell perceives, and that of its window from `Layout.windows`, in bytes. */
  readonly at: number
  /** The layer that computes what cells choose from their window. */
  readonly layer: LayerLayout
  /** The table of the plane (assembly/deformable.ts). */
  readonly plane: number
}

/** In a thread's block, for each of its cells: z and ∂z, and the links of its taps (assembly/deformable.ts). */
export type DeformableBlock = Readonly<Record<'z' | 'gz' | 'links', number>>

/**
 * Whether taps can be moved to any cell. Then a sample is a single band, since a halo could not hold the cotangents of cells far
 * away, and nothing is known about where its cotangent is zero.
 */
export const roams = ({ perception: { deformable } }: Program): boolean => deformable.some(({ reach }) => reach === null)

/** The layer that computes what cells choose from their windows, with `padded` channels, a multiple of four. */
export function movingLayer({ size, modulated }: Deformable, padded: number): Layer & { readonly inputs: number } {
  const columns = ceilTo((modulated ? 3 : 2) * ceilTo(size * size, 4), 8)
  return { inputs: size * size * padded, outputs: columns, columns, copied: 0, first: 0, groups: 0, activation: 'linear', slope: 1 }
}

/** The table of the plane (assembly/deformable.ts). */
export function planeTable(arena: Arena, { size, reach }: Deformable, grid: GridMemory): number {
  const { size: [, height, width], padding, strides: [, rowBytes, cellBytes] } = grid
  return arena.table([rowBytes, cellBytes, offsetIn(grid, [0, 0, 0]), height, width, paddings.indexOf(padding), size, reach ?? 0])
}

/** Allocates the block of one deformable convolution. */
export function roomOf(deformable: Deformable, padded: number, rows: number, take: (bytes: number) => number): DeformableBlock {
  const numbers = (n: number): number => take(4 * rows * n), { columns } = movingLayer(deformable, padded)
  return { z: numbers(columns), gz: numbers(columns), links: numbers(36 * deformable.size ** 2) }
}
