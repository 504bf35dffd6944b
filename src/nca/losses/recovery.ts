/**
 * Recovery: how much of what a perturbation destroyed an automaton rebuilds, in percent.
 *
 *   100 (m_final − m_damaged) / (m_before − m_damaged)
 *
 * m is any measure of a state, an accuracy or a loss: whether high or low is good, its zero and its unit all cancel out. It
 * is taken right before the perturbation, right after it, and much later (the protocol of NCAtorch).
 */
import { div, mul, sub } from '../../tensor/ops/arithmetic.ts'
import { floating, refuse } from '../../tensor/op.ts'
import { sameShape } from '../../tensor/shape.ts'
import type { Tensor } from '../../tensor/tensor.ts'

/** The published protocol: the state after step `perturb` is perturbed, and the one after step `judge` is measured. */
export const recoveryProtocol: { readonly perturb: number; readonly judge: number } = Object.freeze({
  perturb: 149, judge: 449,
})

/**
 * Recovery in percent from a measure at three times: 100 if all came back, 0 if nothing did, negative if it became
 * worse than the damage, above 100 if it became better than it was. The ratio of means is not the mean of ratios: for
 * one number over many samples, whose damage may have been small, take the means of the measures first.
 *
 * @param before,damaged,final the measure before the perturbation, right after it and at the end: `[]` or `[b]`
 * @returns the shape of the three; infinite or NaN where the perturbation changed nothing
 * @throws where shapes differ
 * @example recovery(mse(x, target), mse(damaged, target), mse(final, target))
 */
export function recovery(before: Tensor, damaged: Tensor, final: Tensor): Tensor {
  for (const [name, m] of Object.entries({ before, damaged, final })) {
    floating('recovery', name, m)
    if (!sameShape(m.shape, before.shape)) refuse('recovery', 'shapes differ', { before, damaged, final })
  }
  return mul(100, div(sub(final, damaged), sub(before, damaged)))
}
