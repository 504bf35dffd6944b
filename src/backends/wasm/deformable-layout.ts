/**
 * Where what deformable convolutions need lies in the arena (layout.ts).
 */
import { ceilTo } from '../ceil-to.ts'
import type { Deformable, Layer, Program } from '../program.ts'
import { paddings } from '../window.ts'
import type { Arena } from './arena.ts'
import { offsetIn, type GridMemory } from './borders.ts'
import type { LayerLayout } from './layer-layout.ts'

/** One deformable convolution in memory. */
export type DeformableLayout = {
  /** How far from where a row of what is perceived begins it stands, and from `Layout.windows` the window by which cells choose, in bytes. */
  readonly at: number
  /** The layer by which cells choose. */
  readonly layer: LayerLayout
  /** The table of the plane (assembly/deformable.ts). */
  readonly plane: number
}

/** In a thread's block, of each of its cells: z and ∂z, and by which cells its taps see. */
export type DeformableBlock = Readonly<Record<'z' | 'gz' | 'links', number>>

/**
 * Whether taps can be moved to any cell. Then a sample is one band, since what is owed to cells far away would be in no halo,
 * and nothing is known of where its cotangent is zero.
 */
export const roams = ({ perception: { deformable } }: Program): boolean => deformable.some(({ reach }) => reach === null)

/** The layer by which cells choose, from their windows, of so many channels in whole fours. */
export function movingLayer({ size, modulated }: Deformable, padded: number): Layer & { readonly inputs: number } {
  const columns = ceilTo((modulated ? 3 : 2) * ceilTo(size * size, 4), 8)
  return { inputs: size * size * padded, outputs: columns, columns, copied: 0, first: 0, groups: 0, activation: 'linear', slope: 1 }
}

/** That table. */
export function planeTable(arena: Arena, { size, reach }: Deformable, grid: GridMemory): number {
  const { size: [, height, width], padding, strides: [, rowBytes, cellBytes] } = grid
  return arena.table([rowBytes, cellBytes, offsetIn(grid, [0, 0, 0]), height, width, paddings.indexOf(padding), size, reach ?? 0])
}

/** Takes room for the block of one. */
export function roomOf(deformable: Deformable, padded: number, rows: number, take: (bytes: number) => number): DeformableBlock {
  const numbers = (n: number): number => take(4 * rows * n), { columns } = movingLayer(deformable, padded)
  return { z: numbers(columns), gz: numbers(columns), links: numbers(36 * deformable.size ** 2) }
}
