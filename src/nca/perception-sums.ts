/**
 * The terms of a number that a cell perceives, to be shown, drawn or written down.
 *
 *   y_i = σ( Σ_(taps) weight · s[y + dy, x + dx, channel] + bias )
 *
 * Filters are such sums over one channel, convolutions over all of them. A part of the perception whose weights depend on the
 * neighbours (attention), or that has two layers (a residual convolution), is no such sum.
 */
import { check, isWhole } from '../backends/options.ts'
import { scope } from '../tensor/lifetime.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Activation } from './mlp.ts'
import { filtersKernel } from './perceive.ts'
import { isLearned, kindOf } from './perceptions/kinds.ts'
import { channelCount } from './rule/channels.ts'
import { checkParams } from './rule/check-params.ts'
import { perceptionSize } from './rule/parameters.ts'
import type { DataParams, DataRule } from './rule/types.ts'

/** A term: the weight of a channel of the neighbour `dy` cells below and `dx` to the right. */
export type Tap = { readonly dy: number; readonly dx: number; readonly channel: number; readonly weight: number }

/** A sum over the neighbours of a cell, and its activation. */
export type PerceivedSum = {
  /** All taps of the window, row by row, those of weight 0 too. */
  readonly taps: readonly Tap[]
  readonly bias: number
  readonly activation: Activation
  /** The slope of leaky ReLUs below 0. */
  readonly slope: number
}

/**
 * Number i of a cell's perception as a sum, or null where its part of the perception is no sum over a window.
 *
 * @param params those of learned parts are in `params.perceive`
 * @param i from 0, in the layout of `perceptionSize`
 * @throws where the rule does not live on a plane, the parameters are not those of the rule, or a cell perceives no number i
 * @example const { taps } = (await perceivedSum(growingRule, params, 1))!   // sobelX of red: nine taps of channel 0
 */
export async function perceivedSum(rule: DataRule, params: DataParams, i: number): Promise<PerceivedSum | null> {
  const where = 'perceivedSum'
  check(rule?.type === 'data' && rule.grid === 2, where, 'the rule', rule, 'a plane (defineRule)')
  checkParams(where, rule, params)
  const size = perceptionSize(rule)
  check(isWhole(i) && i < size, where, 'i', i, `a whole number from 0 to ${size - 1}`)
  const channels = channelCount(rule.channels)
  const filters = scope(() => filtersKernel(rule, params, { angle: 0, like: params.update.w1 }))
  const n = filters?.shape[3] ?? 0
  if (i < channels * n) {
    const taps = await tapsOf(filters!, [Math.floor(i / n)], i % n)
    return { taps, bias: 0, activation: 'linear', slope: 0 }
  }
  let output = i - channels * n
  for (const [at, part] of rule.perceive.filter(isLearned).entries()) {
    const kind = kindOf(part)
    if (!kind.perceive) continue
    const outputs = kind.outputs(part, channels)
    if (output >= outputs) {
      output -= outputs
      continue
    }
    const sum = kind.windowSum?.(part)
    if (!sum) return null
    const { kernel, bias } = params.perceive![at]
    const taps = await tapsOf(kernel, Array.from({ length: channels }, (_, c) => c), output, sum.dilation)
    return { taps, bias: sum.bias ? (await bias.data())[output] : 0, activation: sum.activation, slope: sum.slope }
  }
  return null
}

/** The taps of one output of a kernel `[kh,kw,channels,outputs]` whose channels are those listed in `from`. */
async function tapsOf(kernel: Tensor, from: readonly number[], output: number, dilation = 1): Promise<Tap[]> {
  const [height, width, channels, outputs] = kernel.shape
  const weights = await kernel.data()
  return Array.from({ length: height * width }, (_, tap) => tap).flatMap(tap => from.map(channel => ({
    dy: dilation * (Math.floor(tap / width) - (height - 1) / 2),
    dx: dilation * (tap % width - (width - 1) / 2),
    channel,
    weight: weights[(tap * channels + channel) * outputs + output],
  })))
}
