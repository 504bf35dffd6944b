// Derivatives where none is defined: at kinks, ties and NaN they are those that the docstrings promise.

import { describe, expect, it } from 'vitest'
import { abs, clamp, grad, leakyRelu, maximum, minimum, relu, sum, tensor, type Tensor } from '../../src/index.ts'
import { list } from './values.ts'

describe('the gradient', () => {
  it('of the greater and the smaller of two goes to one of them, on a tie to the first, and with a NaN to neither', () => {
    const [a, b] = [tensor([1, 2, 2, NaN, 1, 0]), tensor([2, 1, 2, 1, NaN, -0])]
    const both = (f: typeof maximum): number[][] => [
      list(grad((x: Tensor) => sum(f(x, b)))(a)), list(grad((y: Tensor) => sum(f(a, y)))(b)),
    ]
    expect(both(maximum)).toEqual([[0, 1, 1, 0, 0, 1], [1, 0, 0, 0, 0, 0]])
    expect(both(minimum)).toEqual([[1, 0, 1, 0, 0, 1], [0, 1, 0, 0, 0, 0]])
  })

  it('of functions with a kink is the documented one', () => {
    const at = (f: (x: Tensor) => Tensor): number[] => list(grad((x: Tensor) => sum(f(x)))(tensor([-1, 0, 1, 2])))
    expect(at(relu)).toEqual([0, 0, 1, 1])
    expect(at(x => leakyRelu(x, 0.5))).toEqual([0.5, 0.5, 1, 1])
    expect(at(abs)).toEqual([-1, 0, 1, 1])
    expect(at(x => clamp(x, 0, 1))).toEqual([0, 1, 1, 0])
  })
})
