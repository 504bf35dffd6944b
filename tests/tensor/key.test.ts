import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bitsAt, drawChoice, foldIn, key, drawPermutation, drawInteger, split, threefry, uniformAt } from '../../src/index.ts'

const word = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const anyKey = fc.tuple(word, word)
const draws = 20_000

describe('threefry', () => {
  it('gives the known answers of Random123 (kat_vectors, threefry2x32 with 20 rounds)', () => {
    expect(threefry(0, 0, 0, 0)).toEqual([0x6b200159, 0x99ba4efe])
    expect(threefry(0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff)).toEqual([0x1cb996fc, 0xbb002be7])
    expect(threefry(0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3)).toEqual([0xc4923a9c, 0x483df7a0])
  })

  it('gives unsigned words that change by half of their bits with any bit of key or counter', () => {
    const ones = (x: number): number => x.toString(2).replaceAll('0', '').length
    let changed = 0
    for (let bit = 0; bit < 128; bit++) {
      const words: [number, number, number, number] = [1, 2, 3, 4]
      const [x, y] = threefry(...words)
      words[bit >> 5] = (words[bit >> 5] ^ (1 << (bit & 31))) >>> 0
      const [p, q] = threefry(...words)
      changed += ones((x ^ p) >>> 0) + ones((y ^ q) >>> 0)
    }
    expect(changed / 128).toBeGreaterThan(31)
    expect(changed / 128).toBeLessThan(33)
    fc.assert(fc.property(anyKey, anyKey, (k, c) => {
      for (const x of threefry(...k, ...c)) expect(x >>> 0).toBe(x)
    }))
  })
})

describe('keys', () => {
  it('hold the high and the low word of the seed, as in JAX', () => {
    expect(key(0)).toEqual([0, 0])
    expect(key(42)).toEqual([0, 42])
    expect(key(2 ** 32 - 1)).toEqual([0, 0xffffffff])
    expect(key(2 ** 40 + 5)).toEqual([256, 5])
    expect(key(Number.MAX_SAFE_INTEGER)).toEqual([2 ** 21 - 1, 0xffffffff])
  })

  it('are split and folded as in JAX (0.10.2, partitionable threefry)', () => {
    expect(split(key(0))).toEqual([[1797259609, 2579123966], [928981903, 3453687069]])
    expect(split(key(42), 3)).toEqual([[1832780943, 270669613], [64467757, 2916123636], [2465931498, 255383827]])
    expect(foldIn(key(42), 7)).toEqual([2547012911, 1371500959])
    expect(foldIn(key(42), 2 ** 32 - 1)).toEqual([2398536845, 3890976714])
  })

  it('are immutable', () => {
    for (const k of [key(1), ...split(key(1)), foldIn(key(1), 1)]) expect(Object.isFrozen(k)).toBe(true)
  })

  it('are distinct, and do not depend on how many are split off', () => {
    const many = split(key(3), 1000)
    expect(new Set(many.map(String)).size).toBe(1000)
    expect(split(key(3), 10)).toEqual(many.slice(0, 10))
    expect(split(key(3), 0)).toEqual([])
  })

  it('refuse seeds and data that would be truncated', () => {
    expect(() => key(-1)).toThrowErrorMatchingInlineSnapshot(`[Error: key: a seed is a whole number from 0 to 2^53 − 1, got -1.]`)
    expect(() => key(1.5)).toThrowErrorMatchingInlineSnapshot(`[Error: key: a seed is a whole number from 0 to 2^53 − 1, got 1.5.]`)
    expect(() => key(2 ** 53)).toThrowErrorMatchingInlineSnapshot(`[Error: key: a seed is a whole number from 0 to 2^53 − 1, got 9007199254740992.]`)
    expect(() => foldIn(key(0), 0.5)).toThrowErrorMatchingInlineSnapshot(`[Error: foldIn: needs a whole number from 0 to 2^32 − 1, got 0.5.]`)
    expect(() => foldIn(key(0), -1)).toThrowErrorMatchingInlineSnapshot(`[Error: foldIn: needs a whole number from 0 to 2^32 − 1, got -1.]`)
    expect(() => foldIn(key(0), 2 ** 32)).toThrowErrorMatchingInlineSnapshot(`[Error: foldIn: needs a whole number from 0 to 2^32 − 1, got 4294967296.]`)
  })
})

describe('draws on the host', () => {
  it('bitsAt joins both words', () => {
    expect([0, 1, 2, 3].map(i => bitsAt(key(42), 0, i))).toEqual([2098992034, 2919706841, 2646866425, 2409546199])
    expect(bitsAt(key(0), 0, 0)).toBe((0x6b200159 ^ 0x99ba4efe) >>> 0)
    expect(bitsAt(key(0), 1, 0)).not.toBe(bitsAt(key(0), 0, 1))
  })

  it('uniformAt is in [0, 1), even, and has 52 bits', () => {
    expect([0, 1, 2].map(i => uniformAt(key(42), i))).toEqual([0.4267275666499091, 0.015010069515314584, 0.5741444178995352])
    const list = Array.from({ length: draws }, (_, i) => uniformAt(key(1), i))
    expect(Math.min(...list)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...list)).toBeLessThan(1)
    // Within 4 standard errors: σ of the mean is √(1/12n), of the mean square √(4/45n).
    expect(Math.abs(list.reduce((a, b) => a + b) / draws - 1 / 2)).toBeLessThan(4 * Math.sqrt(1 / 12 / draws))
    expect(Math.abs(list.reduce((a, b) => a + b * b, 0) / draws - 1 / 3)).toBeLessThan(4 * Math.sqrt(4 / 45 / draws))
    expect(list.some(u => u * 2 ** 32 % 1 !== 0)).toBe(true)
  })

  it('drawInteger is in range, reaches both ends, and is even', () => {
    const counts = new Map<number, number>()
    for (let i = 0; i < draws; i++) {
      const n = drawInteger(foldIn(key(2), i), -2, 3)
      counts.set(n, (counts.get(n) ?? 0) + 1)
    }
    expect([...counts.keys()].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2])
    for (const count of counts.values()) expect(Math.abs(count / draws - 0.2)).toBeLessThan(4 * Math.sqrt(0.2 * 0.8 / draws))
    expect(drawInteger(key(0), 7, 8)).toBe(7)
    fc.assert(fc.property(anyKey, k => {
      expect(drawInteger(k, 0, 2 ** 53)).toBeLessThan(2 ** 53)
    }))
  })

  it('permutation is a permutation, and uniform', () => {
    fc.assert(fc.property(anyKey, fc.integer({ min: 0, max: 50 }), (k, n) => {
      expect(drawPermutation(k, n).sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i))
    }))
    const counts = new Map<string, number>()
    for (let i = 0; i < draws; i++) {
      const order = drawPermutation(foldIn(key(4), i), 4).join('')
      counts.set(order, (counts.get(order) ?? 0) + 1)
    }
    expect(counts.size).toBe(24)
    for (const count of counts.values()) expect(Math.abs(count / draws - 1 / 24)).toBeLessThan(5 * Math.sqrt(1 / 24 / draws))
  })

  it('choice draws distinct numbers: the beginning of a permutation', () => {
    fc.assert(fc.property(anyKey, fc.integer({ min: 0, max: 50 }), fc.nat(50), (k, n, count) => {
      fc.pre(count <= n)
      const drawn = drawChoice(k, n, count)
      expect(drawn).toEqual(drawPermutation(k, n).slice(0, count))
      expect(new Set(drawn).size).toBe(count)
    }))
  })

  it('are pure: equal keys, equal draws; other keys, other draws', () => {
    expect(drawPermutation(key(5), 100)).toEqual(drawPermutation(key(5), 100))
    expect(drawPermutation(key(5), 100)).not.toEqual(drawPermutation(key(6), 100))
  })

  it('refuse what cannot be drawn', () => {
    expect(() => drawInteger(key(0), 3, 3)).toThrowErrorMatchingInlineSnapshot(`[Error: drawInteger: needs whole numbers low < high, got [3, 3).]`)
    expect(() => drawInteger(key(0), 0.5, 3)).toThrowErrorMatchingInlineSnapshot(`[Error: drawInteger: needs whole numbers low < high, got [0.5, 3).]`)
    expect(() => drawChoice(key(0), 3, 4)).toThrowErrorMatchingInlineSnapshot(`[Error: drawChoice: cannot draw 4 out of 3 without replacement.]`)
    expect(() => drawChoice(key(0), 3, -1)).toThrowErrorMatchingInlineSnapshot(`[Error: drawChoice: cannot draw -1 out of 3 without replacement.]`)
    expect(() => drawChoice(key(0), 3, 1.5)).toThrowErrorMatchingInlineSnapshot(`[Error: drawChoice: cannot draw 1.5 out of 3 without replacement.]`)
    expect(() => drawPermutation(key(0), NaN)).toThrowErrorMatchingInlineSnapshot(`[Error: drawPermutation: n is NaN, expected a whole number ≥ 0.]`)
  })
})
