// The backward pass over a tape, step by step: cotangents add up to the gradient, and nothing is left behind.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { add, checkpoint, exp, grad, memory, mul, scope, sum, tensor, traceGrad, traceOf, type Tensor } from '../../src/index.ts'
import { programs, run, vector } from './program.ts'

const numbers = (t: Tensor | null): number[] | null => t && Array.from(t.toArray())

describe('traceGrad', () => {
  it('has for each row its cotangents and those that it gives', () => {
    const x = tensor([1, 2, 3])
    const { trace, steps, grads } = traceGrad((x: Tensor) => sum(mul(x, x)), x)
    expect(trace).toEqual(traceOf((x: Tensor) => sum(mul(x, x)), x))
    expect(steps.map(({ row, cotangents, gives }) => [trace.rows[row].operator, cotangents.map(numbers), gives.map(numbers)])).toEqual([
      ['reshape', [[1]], [[1]]],
      ['sum', [[1]], [[1, 1, 1]]],
      ['mul', [[1, 1, 1]], [[1, 2, 3], [1, 2, 3]]],
    ])
    expect(numbers(grads)).toEqual([2, 4, 6])
  })

  it('differentiates the sum of everything returned, and skips rows without a cotangent', () => {
    const { trace, steps, grads } = traceGrad((x: Tensor) => { exp(x); return { a: mul(x, 2), b: [mul(x, x), 7, tensor([1])] } }, tensor([3]))
    expect(numbers(grads)).toEqual([8])
    expect(steps.map(({ row }) => trace.rows[row].operator)).toEqual(['mul', 'mul'])
    expect(trace.outputs).toEqual([2, 3, null])
  })

  it('has one step for a checkpoint', () => {
    const block = checkpoint((z: Tensor) => exp(mul(z, z)))
    const { trace, steps } = traceGrad((x: Tensor) => sum(block(x)), tensor([0, 1]))
    const step = steps.find(({ row }) => trace.rows[row].operator === 'checkpoint')!
    expect(step.gives.map(numbers)).toEqual([[0, 2 * Math.fround(Math.E)]])
  })

  // The law of the backward pass: a cotangent is the sum of what later rows have given, and that of an argument is the gradient.
  it('adds up to the gradient, bit by bit', () => {
    fc.assert(fc.property(programs, program => {
      const list = [vector(1), vector(2)]
      const f = (given: Tensor[]): Tensor => sum(run(program, given, false).at(-1)!)
      const { trace, steps, grads } = traceGrad(f, list)
      expect(grads.map(numbers)).toEqual(grad(f)(list).map(numbers))
      const given = new Map<number, Tensor>()
      for (const { row, cotangents, gives } of steps) {
        if (!trace.outputs.includes(row) && cotangents.length === 1) expect(numbers(cotangents[0])).toEqual(numbers(given.get(row)!))
        trace.rows[row].inputs.forEach((from, i) => {
          const [before, g] = [given.get(from ?? -1), gives[i]]
          expect(from !== null || g === null).toBe(true)
          if (g && trace.rows[from!].outputs.length === 1) given.set(from!, before ? add(before, g) : g)
        })
      }
      expect(steps.map(({ row }) => row)).toEqual(steps.map(({ row }) => row).toSorted((a, b) => b - a))
      list.forEach((_, i) => { if (given.has(i)) expect(numbers(given.get(i)!)).toEqual(numbers(grads[i])) })
    }))
  })

  it('leaves nothing behind, also if a derivative fails', () => {
    const x = tensor([1, 2])
    const before = memory().buffers
    scope(() => { traceGrad((y: Tensor) => sum(exp(y)), x) })
    let turn = 0
    const fickle = checkpoint((z: Tensor) => (turn++ === 0 ? exp(z) : sum(z)))
    expect(() => traceGrad((y: Tensor) => sum(mul(exp(fickle(y)), 2)), x)).toThrow('run again')
    expect(memory().buffers).toBe(before)
    expect(() => traceGrad(() => 1, 'x')).toThrow('traceGrad(): argument 0 is string')
  })
})
