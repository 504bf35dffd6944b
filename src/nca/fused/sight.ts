/**
 * What the cells of a rule look at: filters of their neighbourhood, or, where a part of the perception is a convolution,
 * their whole window.
 */
import { filterSees } from '../../tensor/filters.ts'
import { leakySlope } from '../../tensor/ops/functions.ts'
import { placesOf, type Activation, type Box } from '../../backends/program.ts'
import { windowOn, type WindowSum } from '../perceptions/kind.ts'
import type { Attention } from '../perceptions/attention.ts'
import type { Deformable } from '../perceptions/deformable.ts'
import { isLearned, kindOf } from '../perceptions/kinds.ts'
import type { DataRule, Perception } from '../rule/types.ts'

const filterSum: WindowSum = { size: 3, dilation: 1, bias: false, activation: 'linear', slope: leakySlope }

/** A part of a perception as a sum over a window, or undefined where it is more. */
export function sumOf(part: Perception): WindowSum | undefined {
  return isLearned(part) ? kindOf(part).windowSum?.(part) : filterSum
}

/** Whether a part is attention. */
export function isAttention(part: Perception): part is Attention {
  return isLearned(part) && part.type === 'attention'
}

/** Whether a part is a deformable convolution. */
export function isDeformable(part: Perception): part is Deformable {
  return isLearned(part) && part.type === 'deformable'
}

/** The window that a part can see, including how far its taps can be moved, and the spacing of the taps. */
function seenBy(part: Perception): Pick<WindowSum, 'size' | 'dilation'> {
  if (isDeformable(part)) return { size: part.size + 2 * (part.reach ?? 0), dilation: 1 }
  return isAttention(part) ? { size: part.size, dilation: 1 } : sumOf(part)!
}

/** Whether cells choose where to look, or which neighbours to weight: such a part is no fixed sum over a window. */
export function choosesWhere(part: Perception): part is Attention | Deformable {
  return isAttention(part) || isDeformable(part)
}

/** Whether a part sees all channels, as a convolution does and a filter does not. */
export function isConvolution(part: Perception): boolean {
  return isLearned(part) && sumOf(part) !== undefined && kindOf(part).perceive !== undefined
}

/** Whether cells see their whole window, and not only what filters make of it. */
export function seesWindow(rule: DataRule): boolean {
  return rule.perceive.some(isConvolution)
}

/** The activations of the parts of a perception. */
export function activationsOf({ perceive }: DataRule): Activation[] {
  return perceive.map(part => sumOf(part)?.activation ?? 'linear')
}

/** Whether the perception is linear, and so can be multiplied with the first layer of the network. */
export function isLinear(rule: DataRule): boolean {
  return activationsOf(rule).every(activation => activation === 'linear')
}

/** Sizes along the axes of a grid, extended to three axes: a line has one row, a plane one slice. */
export function inThree(numbers: readonly number[]): Box {
  return [...new Array<number>(3 - numbers.length).fill(1), ...numbers] as unknown as Box
}

/** The smallest window that contains those of all parts of a rule's perception. */
export function windowOf({ grid, perceive }: DataRule): Box {
  const windows = perceive.map(part => {
    const { size, dilation } = seenBy(part)
    return inThree(windowOn(grid, size)).map(taps => (taps - 1) * dilation + 1)
  })
  return windows.reduce((a, b) => a.map((n, axis) => Math.max(n, b[axis]))) as unknown as Box
}

/** For each place of a window, the index of the tap that a kernel in its middle has there, or −1. */
export function tapsWithin(window: Box, size: Box, dilation: number): number[] {
  return placesOf(window).map(place => {
    const at = place.map((d, axis) => d / dilation + (size[axis] - 1) / 2)
    const inside = at.every((i, axis) => Number.isInteger(i) && i >= 0 && i < size[axis])
    return inside ? (at[0] * size[1] + at[1]) * size[2] + at[2] : -1
  })
}

/**
 * The indices of the places in the window of a rule at which any of the given parts of its perception looks; the middle is
 * always among them.
 */
export function tapsOf(rule: DataRule, angle: number, parts: readonly Perception[] = rule.perceive): number[] {
  const window = windowOf(rule)
  const taps = parts.map(part => {
    const { size, dilation } = seenBy(part)
    const sees = isLearned(part) ? null : filterSees(rule.grid, part, angle)
    return tapsWithin(window, inThree(windowOn(rule.grid, size)), dilation).map(tap => tap >= 0 && (!sees || sees[tap]))
  })
  return placesOf(window).flatMap((place, t) => (place.every(d => d === 0) || taps.some(seen => seen[t]) ? [t] : []))
}
