/**
 * Max pooling: the greatest value of each channel in a cell's window, wherever in it that is.
 *
 *   y[c] = max_(t ∈ window) s[t, c]
 *
 * Nothing of it is learned, but what it feeds is (Riesenhuber & Poggio, "Hierarchical models of object recognition in
 * cortex", Nature Neuroscience 1999).
 */
import { dataOf } from '../../backends/fields.ts'
import { maxPool } from '../../tensor/ops/max-pool.ts'
import { oddSize } from '../rule/limits.ts'
import { windowInWords } from './depthwise.ts'
import type { PartKind } from './kind.ts'

/** The greatest value of each channel in a window. */
export type MaxPooling = {
  readonly type: 'maxPooling'
  /** Cells along each axis, an odd number; default 3. */
  readonly size: number
}

/**
 * Max pooling for a rule's `perceive`; it has no parameters.
 *
 * @throws where the size is not odd
 * @example defineRule({ channels: { rgb: 3 }, perceive: ['identity', maxPooling({ size: 5 })], update: mlp(32) })
 */
export function maxPooling(options: Partial<Pick<MaxPooling, 'size'>> = {}): MaxPooling {
  return dataOf('maxPooling', maxPoolingKind, {}, options)
}

export const maxPoolingKind: PartKind<MaxPooling> = {
  type: 'maxPooling',
  planar: true,
  fields: { size: { ...oddSize, default: 3, about: 'Cells along each axis' } },
  outputs: (_, channels) => channels,
  params: () => ({}),
  perceive: ({ size }, _, x, { padding }) => maxPool(x, size, { padding }),
  words: ({ size }, grid) => `the greatest value of each channel in ${windowInWords(size, grid)} cells`,
}
