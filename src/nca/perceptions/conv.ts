/**
 * A learned convolution: each output sees all channels of the window.
 *
 *   y[j] = σ( Σ_(t ∈ window) Σ_c k[t, c, j] · s[d·t, c] + bias[j] )          d the dilation
 *
 * Linear and without bias, it is a matrix before the matrix of the network's first layer; with both it is a layer of
 * its own, as in the self-classifying digits (Randazzo et al., Distill 2020) and in NCAtorch.
 */
import { check, checkOptions, checkWord, keysOf, later } from '../../backends/options.ts'
import { add } from '../../tensor/ops/arithmetic.ts'
import { leakySlope } from '../../tensor/ops/functions.ts'
import { checkDilation, checkSize, checkUnits } from '../rule/limits.ts'
import { activate, activationInWords, activations, checkSlope } from '../mlp.ts'
import type { Activation } from '../mlp.ts'
import { windowInWords } from './filters.ts'
import { convOn } from '../../tensor/ops/grid.ts'
import type { PartKind } from './kind.ts'

/** A learned convolution from all channels to `outputs` numbers. */
export type Conv = {
  readonly type: 'conv'
  readonly outputs: number
  readonly size: number
  readonly dilation: number
  readonly bias: boolean
  readonly activation: Activation
  /** Of leaky ReLUs below 0. */
  readonly slope: number
}

export type ConvOptions = {
  /** Taps along each axis, an odd number; default 3. */
  size?: number
  /** Cells from one tap to the next, default 1. */
  dilation?: number
  /** Default false. */
  bias?: boolean
  /** Default 'linear'. */
  activation?: Activation
  /** Slope of leaky ReLUs below 0, from 0 to 1; default 0.2. */
  slope?: number
}

// Values are judged as those of a rule that was read from a file are.
const convOptions = keysOf<ConvOptions>({
  size: later, dilation: later, bias: later, activation: later, slope: later,
})

/**
 * A learned convolution for a rule's `perceive`: each output sees all channels, `[size,size,channels,outputs]`.
 *
 * @param outputs a whole number > 0
 * @throws where there are no outputs, the size is not odd, or the dilation is no whole number > 0
 * @example defineRule({ channels: { rgb: 3 }, perceive: ['identity', conv(16)], update: mlp(32) })
 * @example conv(80, { bias: true, activation: 'leakyRelu' })
 */
export function conv(outputs: number, options: ConvOptions = {}): Conv {
  checkOptions('conv', options, convOptions)
  const part = wholeConv({ type: 'conv', outputs, size: 3, ...options })
  convKind.check('conv', '', part)
  return part
}

/** A convolution from its description, in which what was not yet a choice when it was written may be missing. */
export function wholeConv(part: Pick<Conv, 'type' | 'outputs' | 'size'> & ConvOptions): Conv {
  return { dilation: 1, bias: false, activation: 'linear', slope: leakySlope, ...part }
}

export const convKind: PartKind<Conv> = {
  fields: keysOf<Conv>({
    type: later, outputs: later, size: later, dilation: later, bias: later, activation: later, slope: later,
  }),
  check(where, path, { outputs, size, dilation, bias, activation, slope }) {
    checkUnits(where, `${path}outputs`, outputs)
    checkSize(where, path, size)
    checkDilation(where, path, size, dilation)
    check(typeof bias === 'boolean', where, `${path}bias`, bias, 'true or false')
    checkWord(where, `${path}activation`, activation, activations)
    checkSlope(where, path, slope)
  },
  outputs: ({ outputs }) => outputs,
  params({ outputs, size, bias }, channels, grid) {
    const window = new Array<number>(grid).fill(size)
    const taps = size ** grid
    return {
      kernel: { shape: [...window, channels, outputs], init: { glorot: [taps * channels, taps * outputs] } },
      ...(bias ? { bias: { shape: [outputs], init: 'zeros' } } : {}),
    }
  },
  perceive({ dilation, activation, slope }, { kernel, bias }, x, { padding, rows }) {
    const y = convOn(x, kernel, { padding, rows, dilation })
    return activate(activation, bias ? add(y, bias) : y, slope)
  },
  words({ outputs, size, dilation, activation, slope }, grid) {
    const apart = dilation === 1 ? '' : `, taps ${dilation} apart,`
    const then = activation === 'linear' ? '' : ` ${activationInWords(activation, slope)}`
    return `a learned ${windowInWords(size, grid)} convolution${apart} to ${outputs}${then}`
  },
}
