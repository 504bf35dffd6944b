/**
 * perceive: what a cell sees of its neighbourhood.
 *
 * A perception is a list of fixed filters, learned filters and other learned parts (`perceptions/`) over a state s
 * `[b,h,w,c]`. With N the neighbourhood of a cell, and F filters k of each channel in the order of the list:
 *
 *   y[c·F + f]   = Σ_(n ∈ N) k[n, c, f] · s[n, c]             every channel by itself
 *   y[C·F …]     = the outputs of the other parts             after the filters of all C channels, one part after the other
 *
 * All filters, fixed and learned, are one depthwise convolution, in which smaller kernels are padded with zeros.
 */
import { filterKernelOn, type Filter } from '../tensor/filters.ts'
import { checkOptions, keysOf, numberFrom } from '../backends/options.ts'
import { concat } from '../tensor/ops/concat.ts'
import { pad } from '../tensor/ops/pad-slice.ts'
import { aTensor, type Tensor } from '../tensor/tensor.ts'
import { depthwiseOn } from '../tensor/ops/grid.ts'
import { isLearned, kindOf } from './perceptions/kinds.ts'
import { checkParams } from './rule/check-params.ts'
import { channelCount } from './rule/channels.ts'
import type { DataParams, DataRule } from './rule/types.ts'

export type PerceiveOptions = {
  /** Turns the fixed filters, in radians; default 0. */
  angle?: number
  /** The cells to compute, a mask `[b,h,w]`; the others hold arbitrary finite numbers. */
  mask?: Tensor
  /** The cells among them through which derivatives of filters and convolutions go; see `dense`. */
  gradMask?: Tensor
}

const perceiveOptions = keysOf<PerceiveOptions>({ angle: numberFrom(), mask: aTensor, gradMask: aTensor })

/**
 * What each cell perceives, in the layout of `perceptionSize`.
 *
 * @param params those of learned parts are in `params.perceive`
 * @param x `[b,h,w,c]`
 * @returns `[b,h,w,perceptionSize(rule)]`
 * @throws where the parameters of learned parts are not those of the rule
 * @example update(rule, params, perceive(rule, params, x))
 */
export function perceive(
  rule: DataRule, params: DataParams, x: Tensor, options: PerceiveOptions = {},
): Tensor {
  checkOptions('perceive', options, perceiveOptions)
  const { angle = 0, mask, gradMask } = options
  checkParams('perceive', rule, params, { like: x, part: 'perceive' })
  const how = { padding: rule.padding, mask, gradMask }
  const filters = filtersKernel(rule, params, { angle, like: x })
  const others = rule.perceive.filter(isLearned).flatMap((part, i) =>
    kindOf(part).perceive?.(part, params.perceive![i], x, how) ?? [])
  return joined([...(filters ? [depthwiseOn(x, filters, how)] : []), ...others])
}

/**
 * The kernel of all filters, fixed and learned, `[kh,kw,c,F]`, or null where a rule has none.
 *
 * @param options `angle` turns the fixed filters; they are made `like` the state
 */
export function filtersKernel(
  rule: DataRule, params: Pick<DataParams, 'perceive'>, { angle, like }: { angle: number; like: Tensor },
): Tensor | null {
  const channels = channelCount(rule.channels)
  const learned = [...params.perceive ?? []]
  const list: (Filter[] | Tensor)[] = []
  for (const part of rule.perceive) {
    const last = list.at(-1)
    if (isLearned(part)) {
      const { kernel } = learned.shift()!
      if (!kindOf(part).perceive) list.push(kernel)
    } else if (Array.isArray(last)) last.push(part)
    else list.push([part])
  }
  const kernels = list.map(f => (Array.isArray(f) ? filterKernelOn(rule.grid, f, channels, { angle, like }) : f))
  return kernels.length > 0 ? joined(sameSize(kernels)) : null
}

/** Kernels of odd sizes, all padded to the largest size along each axis. */
function sameSize(kernels: readonly Tensor[]): Tensor[] {
  const window = kernels[0].shape.slice(0, -2).map((_, axis) => Math.max(...kernels.map(({ shape }) => shape[axis])))
  return kernels.map(kernel => within(window, kernel))
}

/** A kernel of odd sizes in the middle of a window, zeros around it. */
export function within(window: readonly number[], kernel: Tensor): Tensor {
  const borders = kernel.shape.map((n, axis) => (axis < window.length ? (window[axis] - n) / 2 : 0))
  return borders.every(n => n === 0) ? kernel : pad(kernel, borders.map(n => [n, n]))
}

/** Tensors joined along the last axis. */
export function joined(list: readonly Tensor[]): Tensor {
  return list.length === 1 ? list[0] : concat(list)
}
