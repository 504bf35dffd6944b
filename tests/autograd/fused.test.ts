// The primitive behind fused rollouts: one node, kernels where possible, and the composition everywhere else.
// The function is y = x ⊙ x ⊙ w, with a second output z = sum of x, in kernels that count their calls.

import { beforeEach, describe, expect, it } from 'vitest'
import { checkGrad } from '../../src/autograd/tools/check-grad.ts'
import { checkpoint } from '../../src/autograd/checkpoint.ts'
import { fused } from '../../src/autograd/fused.ts'
import { grad, hvp } from '../../src/autograd/grad.ts'
import { vjp } from '../../src/autograd/vjp.ts'
import { scope, type Held } from '../../src/tensor/lifetime.ts'
import { add, mul } from '../../src/tensor/ops/arithmetic.ts'
import { cast } from '../../src/tensor/ops/cast.ts'
import { broadcastTo } from '../../src/tensor/ops/broadcast.ts'
import { sum } from '../../src/tensor/ops/sum.ts'
import { tensor, type Tensor } from '../../src/tensor/tensor.ts'

const calls = { forward: 0, kept: 0, backward: 0, composed: 0, dropped: 0 }
let asked: { wanted: readonly boolean[]; given: boolean[] } | null = null
beforeEach(() => { Object.assign(calls, { forward: 0, kept: 0, backward: 0, composed: 0, dropped: 0 }) })

class Counted implements Held {
  drop(): void {
    calls.dropped++
  }
}

const composedOf = (x: Tensor, w: Tensor): [Tensor, Tensor] => [mul(mul(x, x), w), sum(x)]

/** x²w and Σx by "kernels", which see concrete tensors only. */
function squares(x: Tensor, w: Tensor, constants: readonly Tensor[] = []): Tensor[] {
  const plain = (list: readonly (Tensor | null)[]): void => {
    expect(list.filter(t => t?.traced)).toEqual([])
  }
  return fused({
    name: 'squares',
    constants,
    forward(values, keep) {
      plain(values)
      calls.forward++
      calls.kept += +keep
      constants.forEach(c => c.toArray())
      return { outputs: composedOf(values[0], values[1]), history: keep ? new Counted() : null }
    },
    backward(values, history, cotangents, wanted) {
      plain([...values, ...cotangents])
      expect(history).toBeInstanceOf(Counted)
      constants.forEach(c => c.toArray())
      calls.backward++
      asked = { wanted, given: cotangents.map(g => g !== null) }
      const [[x, w], [gy, gz]] = [values, cotangents]
      const byX = [...(gy ? [mul(gy, mul(2, mul(x, w)))] : []), ...(gz ? [broadcastTo(gz, x.shape)] : [])]
      return [wanted[0] ? byX.reduce((a, b) => add(a, b)) : null, wanted[1] && gy ? mul(gy, mul(x, x)) : null]
    },
    composed(inputs) {
      calls.composed++
      return composedOf(inputs[0], inputs[1])
    },
  }, [x, w])
}

const x = (): Tensor => tensor([1, -2, 3], { dtype: 'float64' })
const w = (): Tensor => tensor([2, 0.5, -1], { dtype: 'float64' })
const loss = (x: Tensor, w: Tensor): Tensor => {
  const [y, z] = squares(x, w)
  return add(sum(mul(y, y)), mul(z, z))
}
const plainLoss = (x: Tensor, w: Tensor): Tensor => {
  const [y, z] = composedOf(x, w)
  return add(sum(mul(y, y)), mul(z, z))
}
const values = (t: Tensor): number[] => [...t.toArray()]

describe('a fused function', () => {
  it('keeps nothing if nothing is differentiated', () => {
    expect(values(squares(x(), w())[0])).toEqual([2, 2, -9])
    expect(calls).toEqual({ forward: 1, kept: 0, backward: 0, composed: 0, dropped: 0 })
  })

  it('is differentiated by its kernel, once for each cotangent, and then releases its history', () => {
    expect(values(grad((x: Tensor) => loss(x, w()))(x()))).toEqual(values(grad((x: Tensor) => plainLoss(x, w()))(x())))
    expect(calls).toEqual({ forward: 1, kept: 1, backward: 1, composed: 0, dropped: 1 })
    scope(() => {
      const [[y, z], pullback] = vjp((x: Tensor) => squares(x, w()), x())
      expect(values(pullback([y, null]))).toEqual(values(pullback([y, null])))
      expect(values(pullback([null, z]))).toEqual([2, 2, 2])
      expect(calls).toMatchObject({ backward: 4, dropped: 1 })
      expect(values(pullback([null, null])), 'nothing to do').toEqual([0, 0, 0])
      expect(calls).toMatchObject({ backward: 4 })
    })
    expect(calls.dropped).toBe(2)
  })

  it('tells the kernel which gradients are wanted and which cotangents are given', () => {
    const both = { x: x(), w: w() }
    grad(({ x, w }: typeof both) => sum(squares(x, w)[0]))(both)
    expect(asked).toEqual({ wanted: [true, true], given: [true, false] })
    grad((w: Tensor) => sum(squares(both.x, w)[0]))(both.w)
    expect(asked).toEqual({ wanted: [false, true], given: [true, false] })
    grad((x: Tensor) => squares(x, both.w)[1])(both.x)
    expect(asked).toEqual({ wanted: [true, false], given: [false, true] })
  })

  it('has right derivatives of first, second and third order', () => {
    const both = { x: x(), w: w() }
    checkGrad(({ x, w }: typeof both) => squares(x, w)[0], both, { order: 2 })
    const third = (f: typeof loss): number[] => {
      const v = tensor([0.3, 1, -2], { dtype: 'float64' })
      return values(grad((x: Tensor) => sum(mul(v, hvp((x: Tensor) => f(x, w()), x, v))))(x()))
    }
    expect(third(loss)).toEqual(third(plainLoss))
  })

  it('is composed if an outer transform differentiates it', () => {
    const at = x()
    grad((w: Tensor) => sum(grad((x: Tensor) => loss(x, w))(at)))(w())
    expect(calls).toEqual({ forward: 0, kept: 0, backward: 0, composed: 1, dropped: 0 })
    const second = (f: typeof loss): number[] => values(hvp((x: Tensor) => f(x, w()), at, at))
    expect(second(loss)).toEqual(second(plainLoss))
    expect(calls).toMatchObject({ forward: 0, composed: 2 })
  })

  it('is composed if its cotangent is differentiated', () => {
    scope(() => {
      const [[y], pullback] = vjp((x: Tensor) => squares(x, w()), x())
      const g = grad((c: Tensor) => sum(pullback([mul(c, c), null])))(y)
      // d/dc Σ 2 x w c² = 4 x w c
      expect(values(g)).toEqual([1, -2, 3].map((v, i) => 4 * v * [2, 0.5, -1][i] * [2, 2, -9][i]))
      expect(calls).toMatchObject({ forward: 1, backward: 0, composed: 1 })
    })
  })

  it('runs again within checkpoint', () => {
    expect(values(grad((x: Tensor) => checkpoint(loss)(x, w()))(x()))).toEqual(values(grad(plainLoss)(x(), w())))
    expect(calls).toEqual({ forward: 2, kept: 1, backward: 1, composed: 0, dropped: 1 })
    const again = (f: typeof loss): number[] => values(hvp((x: Tensor) => checkpoint(() => f(x, w()))(), x(), x()))
    const at = w()
    expect(values(hvp((x: Tensor) => checkpoint(loss)(x, at), x(), x()))).toEqual(again(plainLoss))
  })

  it('keeps its constants as long as its history', () => {
    scope(() => {
      const [y, pullback] = vjp((x: Tensor) => squares(x, w(), [cast(x, 'uint32')])[0], x())
      expect(values(pullback(y))).toEqual(values(pullback(y)))
    })
    const at = x(), by = w()
    const g = grad((x: Tensor) => sum(checkpoint((x: Tensor) => squares(x, by, [cast(at, 'uint32')])[0])(x)))(at)
    expect(values(g)).toEqual([4, -2, -6])
  })

  it('releases its history when something fails', () => {
    const fails = (x: Tensor): Tensor => {
      loss(x, w())
      throw new Error('on purpose')
    }
    expect(() => grad(fails)(x())).toThrow('on purpose')
    expect(calls).toMatchObject({ kept: 1, dropped: 1 })
  })

  it('refuses inputs that outlived their tape', () => {
    let escaped: Tensor | undefined
    grad((x: Tensor) => sum(escaped = x))(x())
    expect(() => squares(escaped!, w())).toThrow('squares: an input outlived the grad() that traced it')
    expect(calls).toMatchObject({ forward: 0 })
  })
})
