/**
 * The `inputs` that a rollout writes before each step, as one tensor for a program, so that derivatives reach them.
 */
import type { Program } from '../../backends/program.ts'
import { concat, splitAxis, stack, unstack } from '../../tensor/ops/concat.ts'
import { broadcastTo } from '../../tensor/ops/broadcast.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { roleChannels } from '../rule/channels.ts'
import type { DataRule } from '../rule/types.ts'
import { fitted } from '../state.ts'

/** Tensors by role for each step. */
export type Inputs = (t: number) => Readonly<Record<string, Tensor>>

/**
 * The inputs of `steps` steps from step `from` on: `values` `[steps,b,…,n]`, for each cell or the same for all, and a
 * function that turns such a tensor into inputs again. Null where the roles differ between steps, or where the inputs are not
 * tensors like the state x.
 */
export function givenOf(
  rule: DataRule, x: Tensor, inputs: Inputs, { steps, from }: { steps: number; from: number },
): { program: NonNullable<Program['given']>; values: Tensor; inputsOf: (values: Tensor) => Inputs } | null {
  const all = Array.from({ length: steps }, (_, t) => fitted('setChannels', rule, x, inputs(from + t)))
  const roles = Object.keys(rule.channels).filter(role => all[0][role])
  const alike = all.every(values => `${Object.keys(rule.channels).filter(role => values[role])}` === `${roles}`)
  const tensors = all.flatMap(values => Object.values(values))
  if (!alike || roles.length === 0 || tensors.some(t => t.dtype !== x.dtype || t.backend !== x.backend)) return null
  const perCell = tensors.some(t => t.shape.slice(1, -1).some(n => n !== 1))
  const [batch, ...cells] = x.shape.slice(0, -1)
  const places = [batch, ...cells.map(n => (perCell ? n : 1))]
  const sizes = roles.map(role => rule.channels[role])
  const values = stack(all.map(values => concat(roles.map((role, i) => broadcastTo(values[role], [...places, sizes[i]])))))
  const channels = roles.flatMap(role => {
    const [first, end] = roleChannels(rule.channels, role)
    return Array.from({ length: end - first }, (_, i) => first + i)
  })
  return {
    program: { channels, perCell }, values,
    inputsOf: values => t => Object.fromEntries(splitAxis(unstack(values)[t - from], sizes).map((value, i) =>
      [roles[i], perCell ? value : reshape(value, [batch, sizes[i]])])),
  }
}
