import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { add, checkGrad, grad, hvp, scope, sum, type Tensor } from '../../src/index.ts'
import { programs, run, vector, type Instruction } from './program.ts'

/** The sum of everything a program computes from x and y, as a function of both. */
function total(program: readonly Instruction[], plainly: boolean): (p: { x: Tensor; y: Tensor }) => Tensor {
  return ({ x, y }) => run(program, [x, y], plainly).slice(2).map(v => sum(v)).reduce((a, b) => add(a, b))
}

function expectClose(a: Tensor, b: Tensor): void {
  const [x, y] = [a.toArray(), b.toArray()]
  x.forEach((v, i) => expect(Math.abs(v - y[i])).toBeLessThanOrEqual(1e-9 * (1 + Math.abs(y[i]))))
}

describe('random programs', () => {
  it('have right gradients to second order', () => {
    fc.assert(fc.property(programs, program => scope(() => {
      checkGrad(total(program, false), { x: vector(0), y: vector(1) }, { tolerance: 1e-4 })
    })))
  })

  it('have the same gradients and Hessian-vector products with and without checkpoint, scan and scope', () => {
    fc.assert(fc.property(programs, program => scope(() => {
      const at = { x: vector(0), y: vector(1) }
      const v = { x: vector(2), y: vector(3) }
      const [with_, without] = [total(program, false), total(program, true)]
      for (const key of ['x', 'y'] as const) {
        expectClose(grad(with_)(at)[key], grad(without)(at)[key])
        expectClose(hvp(with_, at, v)[key], hvp(without, at, v)[key])
      }
    })))
  })
})
