/**
 * Half of a grid, for damage: any half in training, a certain one when recovery is measured.
 */
import { tensor, type Damage, type Tensor } from '../../src/index.ts'

/** Half of the grid, at any side. */
export const anyHalf: Damage = { shape: 'rectangle', centre: [-1, 1], size: [0.6, 1.6] }

/** The right or the lower half of grids of `side` × `side` cells, `[n,side,side]`. */
export function halfOf(which: 'right' | 'lower', side: number, n: number = 1): Tensor {
  const along = (cell: number): number => (which === 'right' ? cell % side : Math.floor(cell / side) % side)
  return tensor(Uint32Array.from({ length: n * side * side }, (_, cell) => +(along(cell) >= side / 2)), { shape: [n, side, side] })
}
