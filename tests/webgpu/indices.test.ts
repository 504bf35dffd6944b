// Indices outside their axis, which only the GPU knows: the next read of a value that they have spoilt says so, with the
// operator, as the call itself does on the CPU; everything else keeps working.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  add, crossEntropy, cpu, putAlong, scope, sum, takeAlong, tensor, vjp, webgpu, type Backend, type Tensor,
} from '../../src/index.ts'
import { sharedGpu } from './gpu.ts'

const gpu = await sharedGpu()

const whole = (values: number[], backend: Backend = gpu): Tensor => (
  tensor(Int32Array.from(values), { shape: [values.length], backend }))

/** The result of a function, or the sentence with which it is refused. */
async function outcome(f: (backend: Backend) => Tensor, backend: Backend): Promise<unknown> {
  try {
    return [...await scope(() => f(backend)).data()]
  } catch (error) {
    return (error as Error).message
  }
}

it('are reported by the next read, unlike valid indices', async () => {
  const indices = fc.array(fc.integer({ min: -1, max: 100 }), { minLength: 1, maxLength: 200 })
  await fc.assert(fc.asyncProperty(indices, fc.integer({ min: 99, max: 101 }), async (list, n) => {
    const take = (backend: Backend): Tensor => (
      takeAlong(tensor(new Float32Array(n).fill(1), { backend }), whole(list, backend), 0))
    const put = (backend: Backend): Tensor => (
      putAlong(tensor(new Float32Array(list.length).fill(1), { backend }), whole(list, backend), 0, n))
    for (const [name, f] of Object.entries({ takeAlong: take, putAlong: put })) {
      const wanted = await outcome(f, cpu())
      const got = await outcome(f, gpu)
      if (typeof wanted === 'string') expect(got).toMatch(new RegExp(`^${name}: index (-1|${n}|${n + 1}) is outside of an axis of size ${n}\\.$`))
      else expect(got).toEqual(wanted)
    }
  }))
})

it('spoil the values computed with them, and nothing else', async () => {
  const x = tensor([1, 2, 3], { backend: gpu })
  const before = add(x, 1)
  await before.data()
  const [y, pullback] = vjp((v: Tensor) => sum(takeAlong(v, whole([0, 7]), 0)), x)
  const gradient = pullback(tensor(1, { backend: gpu }))
  const message = /^(take|put)Along: index 7 is outside of an axis of size 3\.$/
  await expect(y.data()).rejects.toThrow(message)
  await expect(gradient.data()).rejects.toThrow(message)
  expect(() => add(gradient, 1)).toThrow(message)
  expect(await before.data()).toEqual(Float32Array.of(2, 3, 4))
  expect(await takeAlong(before, whole([2, 0]), 0).data()).toEqual(Float32Array.of(4, 2))
  await expect(takeAlong(before, whole([-3]), 0).data()).rejects.toThrow('takeAlong: index -3 is outside of an axis')
})

it('are found among the labels of a loss', async () => {
  const logits = tensor([[1, 2, 3], [4, 5, 6]], { backend: gpu })
  await expect(crossEntropy(logits, whole([1, 7])).data()).rejects.toThrow('index 7 is outside of an axis of size 3.')
  await expect(crossEntropy(logits, whole([-1, 2])).data()).rejects.toThrow('index -1 is outside of an axis of size 3.')
  expect(await crossEntropy(logits, whole([1, 2])).data()).toHaveLength(2)
})

it('are reported by close, if nothing has been read', async () => {
  const untold = await webgpu()
  takeAlong(tensor([1, 2], { backend: untold }), whole([5], untold), 0)
  await expect(untold.close()).rejects.toThrow('takeAlong: index 5 is outside of an axis of size 2.')
})
