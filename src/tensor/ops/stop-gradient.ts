/**
 * stopGradient: the same values, constant to every transform.
 */
import { defineOp, type Op } from '../op.ts'
import { Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'
import { mapTree } from '../tree.ts'

export const stopGradientOp: Op<null> = defineOp<null>({
  name: 'stopGradient',
  view: true,
  infer: ([x]) => x,
  cpu: ([x], out) => { out.set(x) },
  vjp: null,
})

/**
 * The tree with its tensors as constants: no gradient flows into what they were computed from.
 *
 * @example grad((x: Tensor) => sum(mul(x, stopGradient(x))))(x)   // x, not 2x
 */
export function stopGradient<T>(tree: T): T {
  return mapTree(tree, leaf => (leaf instanceof Tensor ? apply(stopGradientOp, [leaf], null) : leaf))
}
