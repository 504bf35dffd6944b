// Products of matrices, many at once, compared with their definition as sums.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { cpu, key, matmul, normal, transpose } from '../../src/index.ts'
import { build, entries, expectClose } from './arrays.ts'

const few = fc.integer({ min: 1, max: 4 })

it('each sample has its own product, whatever the axes before the last two', () => {
  fc.assert(fc.property(fc.array(few, { maxLength: 3 }), few, few, few, fc.nat(), (lead, n, k, m, seed) => {
    const [a, b] = [[...lead, n, k], [...lead, k, m]].map((shape, i) => normal(key(seed + i), shape, { dtype: 'float64' }))
    const [left, right] = [entries(a), entries(b)]
    const expected = build([...lead, n, m], index => {
      const [s, i, j] = [index.slice(0, -2), ...index.slice(-2)] as [number[], number, number]
      return Array.from({ length: k }, (_, c) => left([...s, i, c]) * right([...s, c, j])).reduce((x, y) => x + y)
    })
    expectClose(matmul(a, b), expected)
    const swap = [...lead.map((_, i) => i), lead.length + 1, lead.length]
    expectClose(matmul(transpose(b, swap), transpose(a, swap)), transpose(matmul(a, b), swap)) // (ab)ᵀ = bᵀaᵀ
  }))
})

it('is the same with and without kernels in WebAssembly, and empty for no rows', () => {
  for (const simd of [true, false]) {
    const backend = cpu({ simd })
    const [a, b] = [[3, 40, 24], [3, 24, 17]].map((shape, i) => normal(key(i), shape, { backend }))
    const [x, y] = [a, b].map(t => normal(key(0), t.shape, { dtype: 'float64', backend }))
    expect(matmul(x, y).shape).toEqual([3, 40, 17])
    const got = matmul(a, b).toArray(), rows = a.toArray(), columns = b.toArray()
    for (const [s, i, j] of [[0, 0, 0], [1, 39, 16], [2, 7, 11]]) {
      let sum = 0
      for (let c = 0; c < 24; c++) sum += rows[(s * 40 + i) * 24 + c] * columns[(s * 24 + c) * 17 + j]
      expect(got[(s * 40 + i) * 17 + j]).toBeCloseTo(sum, 4)
    }
    expect(matmul(normal(key(0), [2, 0, 3], { backend }), normal(key(0), [2, 3, 4], { backend })).shape).toEqual([2, 0, 4])
  }
})
