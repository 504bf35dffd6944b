/**
 * A learned convolution: each output sees all channels of the window.
 *
 *   y[j] = σ( Σ_(t ∈ window) Σ_c k[t, c, j] · s[d·t, c] + bias[j] )          d the dilation
 *
 * Linear and without bias, it is one more matrix before that of the network's first layer; with bias and activation it is a
 * layer of its own, as in the self-classifying digits (Randazzo et al., Distill 2020) and in NCAtorch.
 */
import { dataOf } from '../../backends/fields.ts'
import { flag, oneOf, wholeFrom } from '../../backends/options.ts'
import { add } from '../../tensor/ops/arithmetic.ts'
import { convOn } from '../../tensor/ops/grid.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import { where } from '../../tensor/ops/compare.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { activate, activationInWords, activations, slopeField, type Activation } from '../mlp.ts'
import { expectDilation, oddSizes, units } from '../rule/limits.ts'
import { windowInWords, windowOn, type PartKind, type WindowSize } from './kind.ts'

/** A learned convolution from all channels to `outputs` numbers. */
export type Conv = {
  readonly type: 'conv'
  readonly outputs: number
  /** Taps along the axes, odd: a number, or a list of one for each axis, like `[1, 5]` (5 across); default 3. */
  readonly size: WindowSize
  /** Cells from one tap to the next, default 1. */
  readonly dilation: number
  /** Whether each output has a bias, default false. */
  readonly bias: boolean
  /** The activation, default 'linear'. */
  readonly activation: Activation
  /** Slope of leaky ReLUs below 0, from 0 to 1; default 0.2. */
  readonly slope: number
}

export type ConvOptions = Partial<Omit<Conv, 'type' | 'outputs'>>

/**
 * A learned convolution for a rule's `perceive`: each output sees all channels, `[kh,kw,channels,outputs]`.
 *
 * @param outputs a whole number > 0
 * @throws where there are no outputs, the size is not odd, or the dilation is no whole number > 0
 * @example defineRule({ channels: { rgb: 3 }, perceive: ['identity', conv(16)], update: mlp(32) })
 * @example conv(80, { bias: true, activation: 'leakyRelu' })
 * @example conv(16, { size: [1, 7] })   // a row of 7 cells
 */
export function conv(outputs: number, options: ConvOptions = {}): Conv {
  return dataOf('conv', convKind, { outputs }, options)
}

/** @internal */
export const convKind: PartKind<Conv> = {
  type: 'conv',
  fields: {
    outputs: { ...units, about: 'Number of its outputs' },
    size: { ...oddSizes, default: 3, about: 'Taps along each axis: a number, or a list like [1, 5]' },
    dilation: { ...wholeFrom(1), default: 1, about: 'Cells from one tap to the next' },
    bias: { ...flag, default: false, about: 'Whether each output has a bias' },
    activation: { ...oneOf(activations), default: 'linear', about: 'Activation function of the outputs' },
    slope: slopeField,
  },
  together: expectDilation,
  outputs: ({ outputs }) => outputs,
  params({ outputs, size, bias }, channels, grid) {
    const window = windowOn(grid, size)
    const taps = sizeOf(window)
    return {
      kernel: { shape: [...window, channels, outputs], init: { glorot: [taps * channels, taps * outputs] } },
      ...(bias ? { bias: { shape: [outputs], init: 'zeros' } } : {}),
    }
  },
  perceive({ dilation, activation, slope }, { kernel, bias }, x, how) {
    const y = convOn(x, kernel, { ...how, dilation })
    if (!bias) return activate(activation, y, slope)
    // Cells outside the mask get no bias: if it were NaN, the derivative of the activation there would be NaN too.
    const { mask } = how
    return activate(activation, add(y, mask ? where(reshape(mask, [...mask.shape, 1]), bias, 0) : bias), slope)
  },
  words({ outputs, size, dilation, activation, slope }, grid) {
    const apart = dilation === 1 ? '' : `, taps ${dilation} apart,`
    const then = activation === 'linear' ? '' : ` ${activationInWords(activation, slope)}`
    return `a learned ${windowInWords(size, grid)} convolution${apart} to ${outputs}${then}`
  },
  windowSum: part => part,
}
