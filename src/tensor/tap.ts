/**
 * tap: looks at a value in the middle of a computation, inside any transform.
 */
import { concrete, tensor, type Tensor } from './tensor.ts'

/**
 * Prints a name and the value of `x`, and returns `x`. Inside `grad` it shows the value that is being differentiated;
 * inside `checkpoint` it shows it twice. On a GPU the line comes when the value has been read.
 *
 * @example const h = tap(relu(dense(y, w1)), 'hidden')
 */
// eslint-disable-next-line no-console -- printing is what it is for
export function tap(x: Tensor, name: string, print: (line: string) => void = console.log): Tensor {
  const t = concrete(x)
  if (t.backend.readSync) print(`${name}: ${t}`)
  else void t.data().then(data => print(`${name}: ${tensor(data, { shape: t.shape })}`))
  return x
}
