/**
 * What the cells of a rule look at: filters of their neighbourhood, or, where a part of the perception is a convolution,
 * their whole window.
 */
import { filterSees } from '../../tensor/filters.ts'
import type { Activation } from '../mlp.ts'
import type { Conv } from '../perceptions/conv.ts'
import { isLearned } from '../perceptions/kinds.ts'
import type { DataRule, Perception } from '../rule/types.ts'

/** The learned convolutions of a perception. */
export function convolutions({ perceive }: DataRule): Conv[] {
  return perceive.filter((part): part is Conv => isLearned(part) && part.type === 'conv')
}

/** Whether cells see their whole window, and not only what filters make of it. */
export function seesWindow(rule: DataRule): boolean {
  return convolutions(rule).length > 0
}

/** What the parts of a perception apply to their sums. */
export function activationsOf(rule: DataRule): Activation[] {
  return rule.perceive.map(part => (isLearned(part) && part.type === 'conv' ? part.activation : 'linear'))
}

/** The slopes of its leaky ReLUs. */
export function slopesOf(rule: DataRule): number[] {
  return [rule.update, ...convolutions(rule)].filter(layer => layer.activation === 'leakyRelu').map(({ slope }) => slope)
}

/** Whether the perception is linear, and so can be multiplied with the first layer of the network. */
export function isLinear(rule: DataRule): boolean {
  return activationsOf(rule).every(activation => activation === 'linear')
}

/** Whether the perception has a bias. */
export function hasBias(rule: DataRule): boolean {
  return convolutions(rule).some(part => part.bias)
}

/** The places within the window, row·size + column, at which any part of a perception looks; the middle is one of them. */
export function tapsOf(rule: DataRule, angle: number): number[] {
  const size = windowSize(rule), middle = (size - 1) / 2
  const inLine = ({ size: taps, dilation }: Conv, d: number): boolean =>
    d % dilation === 0 && Math.abs(d) <= dilation * (taps - 1) / 2
  const sees = (part: Perception, dy: number, dx: number): boolean => {
    if (isLearned(part)) return [dy, dx].every(d => inLine({ dilation: 1, ...part } as Conv, d))
    return Math.max(Math.abs(dy), Math.abs(dx)) <= 1 && filterSees(part, angle)[3 * (dy + 1) + dx + 1]
  }
  return Array.from({ length: size * size }, (_, t) => t).filter(t => {
    const [dy, dx] = [Math.floor(t / size) - middle, t % size - middle]
    return (dy === 0 && dx === 0) || rule.perceive.some(part => sees(part, dy, dx))
  })
}

/** The side of the largest window that a rule's cells look at. */
export function windowSize({ perceive }: DataRule): number {
  return Math.max(...perceive.map(part => {
    if (!isLearned(part)) return 3
    return part.type === 'conv' ? (part.size - 1) * part.dilation + 1 : part.size
  }))
}
