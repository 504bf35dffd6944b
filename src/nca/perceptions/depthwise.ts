/**
 * Learned filters: each channel is seen through n filters of its own.
 *
 *   y[c·n + f] = Σ_(t ∈ window) k[t, c, f] · s[t, c]
 *
 * In a rule they stand beside fixed filters, and all are applied as one depthwise convolution (`perceive.ts`).
 */
import { dataOf } from '../../backends/fields.ts'
import { leakySlope } from '../../tensor/ops/functions.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { oddSizes, units } from '../rule/limits.ts'
import { windowInWords, windowOn, type PartKind, type WindowSize } from './kind.ts'

/** Learned filters, `filters` of their own for each channel. */
export type Depthwise = {
  readonly type: 'depthwise'
  readonly filters: number
  /** Taps along the axes, odd: a number, or a list of one for each axis, like `[1, 5]` (5 across); default 3. */
  readonly size: WindowSize
}

export type DepthwiseOptions = Partial<Pick<Depthwise, 'size'>>

/**
 * Learned filters for a rule's `perceive`: each channel is seen through n filters of its own, `[kh,kw,channels,n]`.
 *
 * @param filters n, a whole number > 0
 * @throws where n is none, or the size, 3 by default, is not odd
 * @example defineRule({ channels: { rgb: 3 }, perceive: ['identity', depthwise(4, { size: 5 })], update: mlp(32) })
 */
export function depthwise(filters: number, options: DepthwiseOptions = {}): Depthwise {
  return dataOf('depthwise', depthwiseKind, { filters }, options)
}

/** @internal */
export const depthwiseKind: PartKind<Depthwise> = {
  type: 'depthwise',
  fields: {
    filters: { ...units, about: 'Learned filters of each channel' },
    size: { ...oddSizes, default: 3, about: 'Taps along each axis: a number, or a list like [1, 5]' },
  },
  outputs: ({ filters }, channels) => filters * channels,
  params({ filters, size }, channels, grid) {
    const window = windowOn(grid, size)
    const taps = sizeOf(window)
    return { kernel: { shape: [...window, channels, filters], init: { glorot: [taps, taps * filters] } } }
  },
  words: ({ filters, size }, grid) =>
    `${filters} learned ${windowInWords(size, grid)} ${filters === 1 ? 'filter' : 'filters'} per channel`,
  windowSum: ({ size }) => ({ size, dilation: 1, bias: false, activation: 'linear', slope: leakySlope }),
}
