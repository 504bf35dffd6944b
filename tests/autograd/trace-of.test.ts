// What a tape records and keeps, as data.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  add, apply, checkpoint, concat, defineOp, dense, exp, grad, greater, growingRule, init, key, max, memory, mse, mul,
  printTape, relu, reshape, rollout, seed, sum, tanh, tensor, traceOf, vjp, where, zeros, type Tensor,
} from '../../src/index.ts'
import { supersede } from '../../src/tensor/lifetime.ts'
import { programs, run, vector } from './program.ts'

describe('traceOf', () => {
  it('has every recorded row with its inputs, and what is kept for which derivative', () => {
    const c = tensor([1, 2, 3])
    const trace = traceOf((w: Tensor) => sum(exp(mul(w, c))), tensor([0, 1, 2]))
    expect(printTape(trace)).toBe([
      '#  operator    of   shape  keeps                 bytes',
      '0  argument 0       [3]                              0',
      '1  mul         0 –  [3]    a constant [3] → ∂#0     12',
      '2  exp         1    [3]    #2 → ∂#1                 12',
      '3  sum         2    [1]                              0',
      '4  reshape     3    []                               0',
      '                                                    24',
    ].join('\n'))
    expect(trace.outputs).toEqual([4])
    expect(trace.rows[2]).toEqual({
      number: 2, operator: 'exp', path: null, inputs: [1], outputs: [{ shape: [3], dtype: 'float32' }], used: true, bytes: 12,
      keeps: [{ of: 2, for: [1], shape: [3], dtype: 'float32', bytes: 12 }],
    })
  })

  it('names arguments by their paths, and lists what each derivative reads', () => {
    const params = { w: zeros([2, 4]), b: [zeros([4])] }
    const { rows } = traceOf((p: typeof params, x: Tensor) => relu(dense(x, p.w, { bias: p.b[0] })), params, zeros([5, 2]))
    expect(rows.slice(0, 2).map(row => row.path)).toEqual(['w', 'b.0'])
    const layer = rows.find(row => row.operator === 'dense')!
    expect(layer.inputs).toEqual([null, 0, 1])
    expect(layer.keeps[0]).toEqual({ of: null, for: [0], shape: [5, 2], dtype: 'float32', bytes: 40 })
  })

  it('distinguishes readers if optional inputs are not given', () => {
    const op = defineOp<null>({
      name: 'pair', infer: ([x]) => x, cpu: ([x], out) => { out.set(x) },
      vjp: [{ uses: [0, 2], grad: g => g }, { uses: ['out'], grad: g => g }, null],
    })
    const { rows } = traceOf(([a, b]: Tensor[]) => apply(op, [a, b], null), [zeros([2]), zeros([2])])
    expect(rows[2].keeps.map(({ of, for: readers }) => [of, readers])).toEqual([[0, [0]], [2, [1]]])
  })

  it('marks rows on which no output depends, whose values are no longer kept', () => {
    const { rows, outputs } = traceOf((x: Tensor) => { exp(x); return [tanh(x), 7, zeros([2])] as const }, zeros([2]))
    expect(rows.map(({ operator, used, bytes }) => [operator, used, bytes])).toEqual([['input', true, 0], ['exp', false, 0], ['tanh', true, 8]])
    expect(outputs).toEqual([2, null])
    expect(printTape({ rows, outputs, bytes: 8 })).toContain('(1)')
  })

  it('is plain data, and leaves nothing behind', () => {
    const x = zeros([3])
    const before = memory().buffers
    const trace = traceOf(grad((y: Tensor) => sum(checkpoint((z: Tensor) => exp(mul(z, z)))(y))), x)
    expect(JSON.parse(JSON.stringify(trace))).toEqual(trace)
    expect(memory().buffers).toBe(before)
    expect(trace.rows.map(row => row.operator)).toContain('mul')
  })

  it('counts a fused rollout as one row with a history of its own', () => {
    const params = init(growingRule, key(0))
    const x = seed(growingRule, { height: 6, width: 6 })
    const trace = traceOf((p: typeof params) => mse(rollout(growingRule, p, x, key(1), { steps: 2 }), x), params)
    const row = trace.rows.find(({ operator }) => operator === 'rollout')!
    expect(row.inputs).toEqual([null, 0, 1, 2, 3])
    expect(row.keeps.at(-1)).toMatchObject({ of: null, shape: null, bytes: null, for: [0, 1, 2, 3] })
    expect(printTape(trace)).toContain('a history → ∂#0 ∂#1 ∂#2 ∂#3')
  })

  it('throws as vjp does', () => {
    expect(() => traceOf(() => 1, 'x')).toThrow('traceOf(): argument 0 is string')
  })

  it('is required by printTape, which refuses a function', () => {
    expect(() => printTape(exp as never)).toThrow('printTape: the trace is a function, expected what traceOf returns.')
  })

  // The law that makes the table true: the bytes of its rows add up to those that the backend holds for the pullback.
  it('accounts for every byte that a pullback holds', () => {
    const bytesHeld = (f: (list: Tensor[]) => unknown, list: Tensor[]): number => {
      const before = memory().bytes
      const [y, pullback] = vjp(f, list)
      supersede(y, null, 'was not wanted')
      const held = memory().bytes - before
      supersede(pullback, null, 'was not wanted')
      return held
    }
    fc.assert(fc.property(programs, program => {
      const list = [vector(1), vector(2)]
      const f = (given: Tensor[]): Tensor => add(run(program, given, true).at(-1)!, 0) // whose value is no argument
      expect(traceOf(f, list).bytes).toBe(bytesHeld(f, list))
    }))
    const x = zeros([2, 3])
    const f = ([a]: Tensor[]): Tensor => {
      const b = reshape(mul(a, 2), [3, 2])
      return add(max(where(greater(b, 0), mul(b, b), b)), sum(concat([b, reshape(b, [3, 2])])))
    }
    expect(traceOf(f, [x]).bytes).toBe(bytesHeld(f, [x]))
  })
})
