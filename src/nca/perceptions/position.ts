/**
 * A position: where the cell is, as numbers that a rule learns to read.
 *
 *   y = Σ_(a ∈ axes) φ(u_a) · W_a          u_a = (2·i_a + 1) / n_a − 1, from −1 to 1 along an axis of n_a cells
 *   φ(u) = (u, sin πu, cos πu, sin 2πu, cos 2πu, …, sin 2^(k−1)πu, cos 2^(k−1)πu)
 *
 * Cells of an automaton do not know where they are; with this they do, like the patches of a transformer (Tesfaldet,
 * Nowrouzezahrai & Pal, "Attention-based Neural Cellular Automata", NeurIPS 2022). The sines and cosines let a network see fine
 * differences (Mildenhall et al., "NeRF", ECCV 2020, equation 4). W is a learned embedding that fits grids of every size. To give
 * cells plain coordinates instead, use channels of a frozen role, see `setChannels`.
 */
import { dataOf } from '../../backends/fields.ts'
import { wholeFrom } from '../../backends/options.ts'
import { add } from '../../tensor/ops/arithmetic.ts'
import { broadcastTo } from '../../tensor/ops/broadcast.ts'
import { unstack } from '../../tensor/ops/concat.ts'
import { dense } from '../../tensor/ops/dense.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import { tensor } from '../../tensor/tensor.ts'
import { units } from '../rule/limits.ts'
import type { PartKind } from './kind.ts'

/** An embedding of the cell's position in `outputs` numbers. */
export type Position = {
  readonly type: 'position'
  readonly outputs: number
  /** k, the number of frequencies along each axis, a whole number from 0 to 16, default 4. With 0 only the coordinates remain. */
  readonly bands: number
}

export type PositionOptions = Partial<Pick<Position, 'bands'>>

/**
 * The position of the cell for a rule's `perceive`. Its parameter is `weight` `[axes, 1 + 2·bands, outputs]`, the axis of rows
 * before that of columns.
 *
 * @param outputs a whole number > 0
 * @throws where there are no outputs, or the bands are no whole number from 0 to 16
 * @example defineRule({ channels: { rgb: 3 }, perceive: ['identity', conv(32), position(8)], update: mlp(64) })
 */
export function position(outputs: number, options: PositionOptions = {}): Position {
  return dataOf('position', positionKind, { outputs }, options)
}

/** @internal */
export const positionKind: PartKind<Position> = {
  type: 'position',
  fields: {
    outputs: { ...units, about: 'Number of its outputs' },
    bands: { ...wholeFrom(0, 16), default: 4, about: 'Waves along each axis' },
  },
  outputs: ({ outputs }) => outputs,
  params({ outputs, bands }, _, grid) {
    const numbers = 1 + 2 * bands
    return { weight: { shape: [grid, numbers, outputs], init: { glorot: [grid * numbers, outputs] } } }
  },
  perceive({ outputs, bands }, { weight }, x) {
    const cells = x.shape.slice(0, -1)
    const alongEach = unstack(weight).map((w, i) => {
      const n = cells[i + 1]
      const features = Array.from({ length: n }, (_, place) => featuresOf((2 * place + 1) / n - 1, bands))
      const shape = [...cells.map((_, axis) => (axis === i + 1 ? n : 1)), outputs]
      return reshape(dense(tensor(Float64Array.from(features.flat()), { like: x, shape: [n, features[0].length] }), w), shape)
    })
    return broadcastTo(alongEach.reduce(add), [...cells, outputs])
  },
  words: ({ outputs, bands }) => `the position of the cell, by ${bands} ${bands === 1 ? 'wave' : 'waves'} along each axis, to ${outputs}`,
}

/** φ(u) */
function featuresOf(u: number, bands: number): number[] {
  return [u, ...Array.from({ length: bands }, (_, j) => 2 ** j * Math.PI * u).flatMap(v => [Math.sin(v), Math.cos(v)])]
}
