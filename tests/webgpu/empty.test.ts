// Arrays without elements: every operator, its derivatives and whole rollouts give the same on a GPU as on the CPU,
// or are refused with the same sentence.

import { describe, expect, it } from 'vitest'
import {
  add, cpu, defineRule, growingRule, init, key, memory, mlp, rollout, scope, sum, tensor, valueAndGrad, vjp, zeros,
  type Backend, type DataParams, type Tensor,
} from '../../src/index.ts'
import { emptyCalls, withPlacement, type Call } from '../operators/case.ts'
import { cases } from '../operators/cases.ts'
import { long } from '../long.ts'
import { sharedGpu } from './gpu.ts'

const gpu = await sharedGpu()

type Outcome = { shapes: (readonly number[])[]; values: number[][] } | string

/** Value and derivatives of a call, or the sentence with which it is refused. */
async function outcome(make: () => Call, backend: Backend): Promise<Outcome> {
  try {
    const results = scope(() => withPlacement({ backend, dtype: 'float32' }, () => {
      const { f, at } = make()
      const [y, pullback] = vjp((xs: Tensor[]) => f(...xs), at)
      const [gs, again] = vjp((xs: Tensor[]) => vjp((inner: Tensor[]) => f(...inner), xs)[1](y), at)
      return [y, ...pullback(y), ...again(gs)]
    }))
    const values = await Promise.all(results.map(x => x.data()))
    return { shapes: results.map(x => x.shape), values: values.map(list => [...list]) }
  } catch (error) {
    return (error as Error).message.replace(/#\d+/g, '#').replaceAll('webgpu', 'cpu')
  }
}

/** Replaces numbers by the expected ones where they differ only by rounding. */
function rounded(got: Outcome, wanted: Outcome): Outcome {
  if (typeof got === 'string' || typeof wanted === 'string') return got
  const near = (a: number, b: number | undefined, size: number): boolean => Math.abs(a - b!) <= 1e-5 * size
  return { ...got, values: got.values.map((list, i) => {
    const size = Math.max(1, ...list.map(Math.abs))
    return list.map((v, j) => (near(v, wanted.values[i]?.[j], size) ? wanted.values[i][j] : v))
  }) }
}

const found = cases.flatMap((c, i) => {
  const calls = emptyCalls(c, long ? 12 : 4, i)
  return calls.length > 0 ? [[`${c.op.name} (${i})`, calls] as const] : []
})

describe('if a size is 0, WebGPU is like the CPU:', () => {
  it('in every case of an operator', () => {
    expect(found.length).toBe(cases.length)
  })

  it.each(found)('%s', async (_, calls) => {
    for (const make of calls) {
      const wanted = await outcome(make, cpu())
      expect(rounded(await outcome(make, gpu), wanted)).toEqual(wanted)
    }
    expect(await scope(() => add(tensor([1], { backend: gpu }), 1)).data()).toEqual(Float32Array.of(2))
  })

  it.each([[[0, 5, 5, 16]], [[1, 0, 5, 16]], [[0, 0, 0, 16]]])('rollouts from %s, and their gradients', async shape => {
    const rule = defineRule({ ...growingRule, update: mlp(8) })
    const run = (backend: Backend): Promise<unknown> => {
      const { all } = scope(() => {
        const loss = (p: DataParams): Tensor => sum(rollout(rule, p, zeros(shape, { backend }), key(1), { steps: 3 }))
        const [value, gradient] = valueAndGrad(loss)(init(rule, key(0), { backend }))
        return { all: [value, gradient.update.w1, add(value, 1)].map(t => t.data()) }
      })
      return Promise.all(all)
    }
    const before = memory(gpu).buffers
    expect(await run(gpu)).toEqual(await run(cpu()))
    expect(memory(gpu).buffers).toBe(before)
  })
})
