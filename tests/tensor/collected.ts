// A program without a scope around it, run by lifetime.test.ts with `node --expose-gc`: the garbage collector finds the tensors
// that it drops, and the finaliser frees them. Prints the number of live buffers at each point.

import { add, customVjp, memory, mul, reshape, tensor, vjp, type Tensor } from '../../src/index.ts'
import { supersede } from '../../src/tensor/lifetime.ts'

const report: Record<string, number | number[]> = {}
const vector = (...values: number[]): Tensor => tensor(new Float64Array(values))

/** Waits until the count of buffers has not changed for some turns of the event loop. */
async function settle(): Promise<number> {
  let before = -1
  for (let same = 0; same < 5;) {
    ;(globalThis as unknown as { gc(): void }).gc()
    await new Promise(resolve => setTimeout(resolve, 1))
    same = memory().buffers === before ? same + 1 : 0
    before = memory().buffers
  }
  return before
}

/** Tensors that the program holds; a property that is deleted is dropped. */
const held: Record<string, Tensor | ((g: Tensor) => Tensor)> = {}

function many(): void {
  let x = vector(1, 2, 3)
  for (let i = 0; i < 500; i++) x = add(x, 1)
}

function views(): void {
  const x = vector(1, 2, 3)
  held.a = reshape(x, [3, 1])
  held.b = reshape(x, [1, 3])
}

function pullback(): void {
  // The product is dropped; its derivative keeps the vector.
  held.pullback = vjp((x: Tensor) => mul(x, x), vector(1, 2, 3))[1]
}

function superseded(): void {
  const x = vector(5, 6, 7)
  held.view = reshape(x, [3, 1])
  // Its derivative is a saved tensor itself, which the program owned, dropped, and now receives again.
  const odd = customVjp((y: Tensor, saved: Tensor) => [mul(y, saved), [saved]], ([saved]) => [saved, null])
  const [, back] = vjp((y: Tensor) => odd(y, x), vector(1, 1, 1))
  supersede(x, null, 'was superseded')
  back(vector(1, 1, 1))
}

many()
report['a thousand tensors'] = await settle()
views()
delete held.a
report['two views of one buffer, one of them dropped'] = await settle()
report['and its values'] = [...(held.b as Tensor).toArray()]
delete held.b
report['both views dropped'] = await settle()
pullback()
report['a pullback and what it keeps'] = await settle()
delete held.pullback
report['the pullback dropped'] = await settle()
superseded()
report['superseded, then returned by a pullback, then dropped, with a view kept'] = await settle()
vector(0, 0, 0)
report['and the values of the view'] = [...(held.view as Tensor).toArray()]
delete held.view
report['all dropped'] = await settle()
process.stdout.write(JSON.stringify(report))
