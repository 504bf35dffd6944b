/**
 * layerNorm and groupNorm: channels normalised to mean 0 and variance 1.
 *
 *   out = scale ⊙ (x − μ) / √(σ² + ε) + shift          ε = 10⁻⁵, as in PyTorch
 *
 * In layer norm the mean μ and the variance σ² are those of the channels of one cell (Ba, Kiros & Hinton, "Layer
 * normalization", 2016), or of each of several groups of them; in group norm, those of a group of channels over all cells of a
 * sample (Wu & He, "Group normalization", ECCV 2018). Layer norm looks at no other cell, so an automaton with it is still local;
 * group norm is for networks that see a whole picture, like a decoder.
 */
import { checkOptions, keysOf, wholeFrom } from '../../backends/options.ts'
import { floating, refuse, requireTensor, sameDtype } from '../op.ts'
import { sameShape } from '../shape.ts'
import { aTensor, type Tensor } from '../tensor.ts'
import { add, div, mul, sub } from './arithmetic.ts'
import { sqrt, square } from './functions.ts'
import { mean } from './reduce.ts'
import { reshape } from './reshape.ts'

export type LayerNormOptions = {
  /** The factor of each channel, `[c]`; default 1. */
  scale?: Tensor
  /** What is added to each channel, `[c]`; default 0. */
  shift?: Tensor
  /** Groups of neighbouring channels, each with its own mean and variance; must divide c; default 1, all channels together. */
  groups?: number
}

const layerNormOptions = keysOf<LayerNormOptions>({ scale: aTensor, shift: aTensor, groups: wholeFrom(1) })

/**
 * Layer norm: the channels of each cell, normalised to mean 0 and variance 1, then scaled and shifted. If all channels of a cell
 * are equal, all are 0 before the shift.
 *
 * @param x `[…,c]`
 * @returns a tensor of the shape of x
 * @throws where scale or shift are not `[c]`, or there are not whole groups of channels
 * @example layerNorm(x, { scale, shift })
 * @example layerNorm(x, { groups: 4 })   // four groups of the channels of each cell
 */
export function layerNorm(x: Tensor, options: LayerNormOptions = {}): Tensor {
  return normalised('layerNorm', x, options, rank => [rank - 1])
}

/**
 * Group norm: each group of channels over all cells of a sample, normalised to mean 0 and variance 1, then scaled and shifted.
 * With one group for every channel it is instance norm.
 *
 * @param x `[b,…,c]`
 * @returns a tensor of the shape of x
 * @throws where scale or shift are not `[c]`, or there are not whole groups of channels
 * @example silu(groupNorm(conv2d(x, kernel), { groups: 8, scale, shift }))
 */
export function groupNorm(x: Tensor, options: LayerNormOptions = {}): Tensor {
  return normalised('groupNorm', x, options, rank => Array.from({ length: rank - 1 }, (_, i) => i + 1).filter(i => i !== rank - 2))
}

/** Normalises x, its channels as `[…,groups,c/groups]`, over the axes that `over` returns for that rank. */
function normalised(op: string, x: Tensor, options: LayerNormOptions, over: (rank: number) => number[]): Tensor {
  checkOptions(op, options, layerNormOptions)
  requireTensor(op, 'x', x)
  floating(op, 'x', x)
  const { scale, shift, groups = 1 } = options
  sameDtype(op, { x, ...(scale && { scale }), ...(shift && { shift }) })
  const least = op === 'layerNorm' ? 1 : 2
  if (x.shape.length < least) refuse(op, `x must be ${least === 1 ? '[…,c]' : '[b,…,c]'}`, { x })
  const c = x.shape.at(-1)!
  if (c % groups !== 0) refuse(op, `there are no ${groups} equal groups of ${c} channels`, { x })
  for (const [name, t] of [['scale', scale], ['shift', shift]] as const) {
    if (t && !sameShape(t.shape, [c])) refuse(op, `the ${name} must be [c]`, { x, [name]: t })
  }
  const grouped = reshape(x, [...x.shape.slice(0, -1), groups, c / groups])
  const axes = over(grouped.shape.length)
  const centred = sub(grouped, mean(grouped, axes, { keepDims: true }))
  const variance = mean(square(centred), axes, { keepDims: true })
  const y = reshape(div(centred, sqrt(add(variance, 1e-5))), x.shape)
  const scaled = scale ? mul(y, scale) : y
  return shift ? add(scaled, shift) : scaled
}
