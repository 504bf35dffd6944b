/**
 * A residual convolution: a linear function of the cell itself, plus two layers over its window.
 *
 *   y = P·s + K₂·σ(K₁ ∗ s + b₁) + b₂
 *
 * K₁ is a convolution, K₂ and P are matrices applied to each cell (1×1 convolutions). So the part can express as much as a
 * convolution with an activation, and is linear where that suffices (He et al., "Deep Residual Learning for Image
 * Recognition", CVPR 2016; the residual perception of Spitznagel & Keuper 2026).
 */
import { dataOf } from '../../backends/fields.ts'
import { oneOf, wholeFrom } from '../../backends/options.ts'
import { add } from '../../tensor/ops/arithmetic.ts'
import { dense } from '../../tensor/ops/dense.ts'
import { convOn } from '../../tensor/ops/grid.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { activate, activations, type Activation } from '../mlp.ts'
import { expectDilation, oddSizes, units } from '../rule/limits.ts'
import { windowInWords, windowOn, type PartKind, type WindowSize } from './kind.ts'

/** A residual convolution from all channels to `outputs` numbers. */
export type ResidualConv = {
  readonly type: 'residualConv'
  readonly outputs: number
  /** Taps along the axes, odd: a number, or a list of one for each axis, like `[1, 5]` (5 across); default 3. */
  readonly size: WindowSize
  /** Cells from one tap to the next, default 1. */
  readonly dilation: number
  /** σ, default 'leakyRelu' (of slope 0.2). */
  readonly activation: Activation
}

export type ResidualConvOptions = Partial<Omit<ResidualConv, 'type' | 'outputs'>>

/**
 * A residual convolution for a rule's `perceive`. Its parameters are `k1` `[kh,kw,channels,outputs]`, `b1`, `k2`
 * `[outputs,outputs]`, `b2`, and `skip` `[channels,outputs]`.
 *
 * @param outputs a whole number > 0
 * @throws where there are no outputs, the size is not odd, or the dilation is no whole number > 0
 * @example defineRule({ channels: { rgb: 3 }, perceive: ['identity', residualConv(32, { size: 5 })], update: mlp(32) })
 */
export function residualConv(outputs: number, options: ResidualConvOptions = {}): ResidualConv {
  return dataOf('residualConv', residualConvKind, { outputs }, options)
}

/** @internal */
export const residualConvKind: PartKind<ResidualConv> = {
  type: 'residualConv',
  fields: {
    outputs: { ...units, about: 'Number of its outputs' },
    size: { ...oddSizes, default: 3, about: 'Taps along each axis: a number, or a list like [1, 5]' },
    dilation: { ...wholeFrom(1), default: 1, about: 'Cells from one tap to the next' },
    activation: { ...oneOf(activations), default: 'leakyRelu', about: 'Activation function between its two layers' },
  },
  together: expectDilation,
  outputs: ({ outputs }) => outputs,
  params({ outputs, size }, channels, grid) {
    const window = windowOn(grid, size)
    const taps = sizeOf(window)
    return {
      k1: {
        shape: [...window, channels, outputs],
        init: { glorot: [taps * channels, taps * outputs] },
      },
      b1: { shape: [outputs], init: 'zeros' },
      k2: { shape: [outputs, outputs], init: { glorot: [outputs, outputs] } },
      b2: { shape: [outputs], init: 'zeros' },
      skip: { shape: [channels, outputs], init: { glorot: [channels, outputs] } },
    }
  },
  perceive({ dilation, activation }, { k1, b1, k2, b2, skip }, x, { padding, mask }) {
    const hidden = activate(activation, add(convOn(x, k1, { padding, dilation, mask }), b1))
    return add(dense(x, skip, { mask }), dense(hidden, k2, { bias: b2, mask }))
  },
  words({ outputs, size, dilation }, grid) {
    const apart = dilation === 1 ? '' : `, taps ${dilation} apart,`
    return `a learned ${windowInWords(size, grid)} residual convolution${apart} to ${outputs}`
  },
}
