/**
 * customVjp: a function with a derivative of your own.
 *
 * `forward` computes the output and whatever the derivative will need; `backward` returns the cotangents. The innermost
 * transform uses the custom rule; transforms around it differentiate the code of `forward` and `backward`, as in JAX.
 */
import { activeFrames, resolve, withFrames, type Frame } from '../tensor/frame.ts'
import { refusePromise, scope } from '../tensor/lifetime.ts'
import { checkFunction } from '../backends/options.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { below, innermostTape, nextTapeId } from '../tensor/trace.ts'
import { mapTree } from '../tensor/tree.ts'

/**
 * A function of tensors with its own derivative.
 *
 * @param forward maps tensors to the output and the values that `backward` needs
 * @param backward maps those values and g = ∂L/∂out to one cotangent per argument, null for none
 * @throws where `forward` uses a traced tensor that is not an argument: its gradient would be lost
 * @example
 * // A step function with the gradient of the identity ("straight through").
 * const round = customVjp((x: Tensor) => [floor(add(x, 0.5)), []], (_, g) => [g])
 */
export function customVjp<A extends Tensor[], S extends readonly Tensor[]>(
  forward: (...args: A) => readonly [Tensor, S],
  backward: (saved: S, g: Tensor) => readonly (Tensor | null)[],
): (...args: A) => Tensor {
  checkFunction('customVjp', 'forward', forward)
  checkFunction('customVjp', 'backward', backward)
  return (...args) => scope(() => {
    const seen = args.map(resolve)
    const tape = innermostTape(seen)
    const outermost = tape?.id ?? 0
    const born = nextTapeId()
    const noCaptures: Frame = {
      resolve(t) {
        if (t.traced && t.traced.tape.id >= outermost && t.traced.tape.id < born) {
          throw new Error(
            `customVjp: the forward function uses ${t.name()}, which is being differentiated but is `
              + 'not an argument; pass it in.',
          )
        }
        return t
      },
    }
    const values = seen.map(t => (tape ? below(t, tape) : t)) as A
    const [out, saved] = withFrames([...activeFrames(), noCaptures], () =>
      mapTree(refusePromise(forward(...values), 'customVjp()'), t => resolve(t as Tensor)))
    if (!tape) return out
    const [traced] = tape.record({
      op: 'customVjp',
      parents: seen.map(t => (t.traced?.tape === tape ? t.traced.output : null)),
      saved: [...saved],
      pullback: ([g]) => {
        const found = g ? backward(saved, g) : seen.map(() => null)
        if (found.length === seen.length) return found
        throw new Error(
          `customVjp: backward returned ${found.length} cotangents for ${seen.length} arguments; null stands for none.`,
        )
      },
    }, [out])
    return traced
  }, 'customVjp()')
}
