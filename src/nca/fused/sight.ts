/**
 * What the cells of a rule look at: filters of their neighbourhood, or, where a part of the perception is a convolution,
 * their whole window.
 */
import { filterSees } from '../../tensor/filters.ts'
import { leakySlope } from '../../tensor/ops/functions.ts'
import { programActivations, type Activation as ProgramActivation } from '../../backends/program.ts'
import type { Activation } from '../mlp.ts'
import type { WindowSum } from '../perceptions/kind.ts'
import { isLearned, kindOf } from '../perceptions/kinds.ts'
import type { DataRule, Perception } from '../rule/types.ts'

const filterSum: WindowSum = { size: [3, 3], dilation: 1, bias: false, activation: 'linear', slope: leakySlope }

/** A part of a perception as a sum over a window, or undefined where it is more. */
export function sumOf(part: Perception): WindowSum | undefined {
  return isLearned(part) ? kindOf(part).windowSum?.(part) : filterSum
}

/** All parts of a perception that can be fused. */
function sums({ perceive }: DataRule): WindowSum[] {
  return perceive.map(part => sumOf(part)!)
}

/** Whether a part sees all channels, as a convolution does and a filter does not. */
export function isConvolution(part: Perception): boolean {
  return isLearned(part) && kindOf(part).perceive !== undefined
}

/** Whether cells see their whole window, and not only what filters make of it. */
export function seesWindow(rule: DataRule): boolean {
  return rule.perceive.some(isConvolution)
}

/** What the parts of a perception apply to their sums. */
export function activationsOf(rule: DataRule): Activation[] {
  return sums(rule).map(({ activation }) => activation)
}

/** Whether the layers of a program can apply this. */
export function isProgramActivation(word: Activation): word is ProgramActivation {
  return programActivations.some(known => known === word)
}

/** Whether the perception is linear, and so can be multiplied with the first layer of the network. */
export function isLinear(rule: DataRule): boolean {
  return activationsOf(rule).every(activation => activation === 'linear')
}

/**
 * The places within the window of a rule, row·size + column, at which any of these parts of its perception looks; the
 * middle is one of them.
 */
export function tapsOf(rule: DataRule, angle: number, parts: readonly Perception[] = rule.perceive): number[] {
  const size = windowSize(rule), middle = (size - 1) / 2
  const sees = (part: Perception, dy: number, dx: number): boolean => {
    const { size: taps, dilation } = sumOf(part)!
    const inside = [dy, dx].every((d, axis) => d % dilation === 0 && Math.abs(d) <= dilation * (taps[axis] - 1) / 2)
    return inside && (isLearned(part) || filterSees(part, angle)[3 * (dy + 1) + dx + 1])
  }
  return Array.from({ length: size * size }, (_, t) => t).filter(t => {
    const [dy, dx] = [Math.floor(t / size) - middle, t % size - middle]
    return (dy === 0 && dx === 0) || parts.some(part => sees(part, dy, dx))
  })
}

/** The side of the smallest square in which the windows of a rule's cells lie. */
export function windowSize(rule: DataRule): number {
  return Math.max(...sums(rule).map(({ size, dilation }) => (Math.max(...size) - 1) * dilation + 1))
}
