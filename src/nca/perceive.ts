/**
 * perceive: what a cell sees of its neighbourhood.
 *
 * A perception is a list of fixed filters, learned filters and learned convolutions over a state s `[b,h,w,c]`. With N
 * the neighbourhood of a cell, F filters k of each channel in the order of the list, and convolutions K, K′, … :
 *
 *   y[c·F + f]       = Σ_(n ∈ N) k[n, c, f] · s[n, c]             every channel by itself
 *   y[c·F … + j]     = Σ_(n ∈ N) Σ_c K[n, c, j] · s[n, c]         after them, one convolution after the other
 *
 * All filters, fixed and learned, are one depthwise convolution, in which the smaller kernels are surrounded by zeros.
 */
import { filterKernel } from '../tensor/filters.ts'
import type { FilterName } from '../tensor/filters.ts'
import { check } from '../tensor/options.ts'
import { concat } from '../tensor/ops/concat.ts'
import { conv2d } from '../tensor/ops/conv2d.ts'
import { depthwiseConv } from '../tensor/ops/depthwise-conv.ts'
import { pad } from '../tensor/ops/pad-slice.ts'
import { sameShape, showShape } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { channelCount, kernelShapes } from './rule.ts'
import type { DataParams, DataRule } from './rule.ts'

/**
 * What each cell perceives, in the layout of `perceptionSize`.
 *
 * @param params where the kernels of learned parts are, in `params.perceive`
 * @param x `[b,h,w,c]`
 * @param options `angle` turns the fixed filters (in radians), `rows` is a mask `[b,h,w]` of the cells to compute; the
 *   others are 0
 * @returns `[b,h,w,perceptionSize(rule)]`
 * @throws where a kernel is missing or has not the shape that the rule gives it
 * @example update(rule, params, perceive(rule, params, x))
 */
export function perceive(
  rule: DataRule, params: DataParams, x: Tensor, { angle = 0, rows }: { angle?: number; rows?: Tensor } = {},
): Tensor {
  const { filters, convolutions } = perceptionKernels(rule, params, { angle, like: x })
  const how = { padding: rule.padding, rows }
  return joined([
    ...(filters ? [depthwiseConv(x, filters, how)] : []),
    ...convolutions.map(kernel => conv2d(x, kernel, how)),
  ])
}

/**
 * The kernels of a perception: that of all filters, `[size,size,c,F]`, or null where there is none, and those of the
 * convolutions, `[size,size,c,outputs]`.
 *
 * @param options `angle` turns the fixed filters; they are made `like` the state
 */
export function perceptionKernels(
  rule: DataRule, params: Pick<DataParams, 'perceive'>, { angle, like }: { angle: number; like: Tensor },
): { filters: Tensor | null; convolutions: Tensor[] } {
  const channels = channelCount(rule.channels)
  const learned = learnedKernels(rule, params)
  const filters: (FilterName[] | Tensor)[] = []
  const convolutions: Tensor[] = []
  for (const part of rule.perceive) {
    const last = filters.at(-1)
    if (typeof part !== 'string') (part.type === 'conv' ? convolutions : filters).push(learned.shift()!)
    else if (Array.isArray(last)) last.push(part)
    else filters.push([part])
  }
  const kernels = filters.map(f => (Array.isArray(f) ? filterKernel(f, channels, { angle, like }) : f))
  return { filters: kernels.length > 0 ? joined(sameSize(kernels)) : null, convolutions }
}

/** The kernels of the learned parts, in order, of the right shapes. */
function learnedKernels(rule: DataRule, params: Pick<DataParams, 'perceive'>): Tensor[] {
  return kernelShapes(rule).map((shape, i) => {
    const kernel = params.perceive?.[i]
    const fits = kernel instanceof Tensor && sameShape(kernel.shape, shape)
    check(fits, 'perceive', `params.perceive.${i}`, kernel, `a tensor ${showShape(shape)}`)
    return kernel!
  })
}

/** Kernels `[size,size,…]` of odd sizes, all made as large as the largest. */
export function sameSize(kernels: readonly Tensor[]): Tensor[] {
  const largest = Math.max(...kernels.map(k => k.shape[0]))
  return kernels.map(k => {
    const border = (largest - k.shape[0]) / 2
    return border === 0 ? k : pad(k, [[border, border], [border, border], [0, 0], [0, 0]])
  })
}

function joined(list: readonly Tensor[]): Tensor {
  return list.length === 1 ? list[0] : concat(list)
}
