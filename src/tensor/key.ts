/**
 * Keys: randomness as a pure function.
 *
 * A key is an immutable value of two 32-bit words. There is no hidden state and no "next" number: every number is
 * threefry2x32-20 (Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011) of a key and a
 * counter. So draws can be repeated, made in any order, and are the same on every backend. The counters are those of
 * JAX (its "partitionable" layout, the default), so keys and random tensors have JAX's numbers:
 *
 *   key(seed)         = (high, low word of the seed)
 *   split(key, n)_i   = threefry(key, (0, i))                  both words
 *   foldIn(key, d)    = threefry(key, (0, d))
 *   bits(key)_i       = x ⊕ y, (x, y) = threefry(key, (0, i))  32 bits
 *
 * `split`, `foldIn` and draws read the same counters, so use a key only once: split it, or fold into it, or draw from it.
 *
 * This file is the host's part: keys, and `drawInteger`, `drawPermutation` and `drawChoice`, small draws that control a
 * program. These return JavaScript numbers and lists, and not the numbers that JAX draws. `random.ts` draws tensors.
 */

import { check, isWhole, show } from '../backends/options.ts'

/** An immutable random key: two unsigned 32-bit words. */
export type Key = readonly [number, number]

/** Throws unless this is a key: a seed passed by mistake would give the same numbers again and again. */
export function checkKey(where: string, k: Key): void {
  if (Array.isArray(k) && k.length === 2 && k[0] >>> 0 === k[0] && k[1] >>> 0 === k[1]) return
  throw new Error(`${where}: the key is ${show(k)}, expected a key; make one with key(0).`)
}

const rotations = [[13, 15, 26, 6], [17, 29, 16, 24]]

/**
 * threefry2x32 with 20 rounds: an encryption of the counter (c0, c1) under the key, all unsigned 32-bit words.
 * Every four rounds a word of the key schedule (k0, k1, k0 ⊕ k1 ⊕ 0x1bd11bda) is added.
 */
export function threefry(k0: number, k1: number, c0: number, c1: number): [number, number] {
  const schedule = [k0, k1, k0 ^ k1 ^ 0x1bd11bda]
  let x = (c0 + k0) | 0
  let y = (c1 + k1) | 0
  for (let group = 0; group < 5; group++) {
    const turns = rotations[group & 1]
    for (let i = 0; i < 4; i++) {
      x = (x + y) | 0
      y = (y << turns[i]) | (y >>> (32 - turns[i]))
      y ^= x
    }
    x = (x + schedule[(group + 1) % 3]) | 0
    y = (y + schedule[(group + 2) % 3] + group + 1) | 0
  }
  return [x >>> 0, y >>> 0]
}

/**
 * The key of a seed, a whole number from 0 to 2^53 − 1. Its low 32 bits are the second word, as in JAX (which drops the
 * others unless 64-bit types are enabled).
 *
 * @throws for any other number
 * @example key(42)   // [0, 42]
 */
export function key(seed: number): Key {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new Error(`key: a seed is a whole number from 0 to 2^53 − 1, got ${seed}.`)
  }
  return Object.freeze([Math.floor(seed / 2 ** 32), seed >>> 0] as const)
}

/**
 * `n` independent keys. The first ones do not depend on `n`.
 *
 * @example const [kInit, kFire] = split(key(0))
 */
export function split(k: Key, n = 2): Key[] {
  checkKey('split', k)
  check(isWhole(n), 'split', 'n', n, 'a whole number ≥ 0')
  return Array.from({ length: n }, (_, i) => foldIn(k, i))
}

/**
 * The key for datum `d` (a step, an index) under `k`.
 *
 * @param d a whole number from 0 to 2^32 − 1
 * @throws for any other number, which would share its key with a whole one
 * @example const kStep = foldIn(k, t)
 */
export function foldIn(k: Key, d: number): Key {
  checkKey('foldIn', k)
  if (d >>> 0 !== d) throw new Error(`foldIn: needs a whole number from 0 to 2^32 − 1, got ${d}.`)
  return Object.freeze(threefry(k[0], k[1], 0, d))
}

/** 32 random bits: the draw at counter (high, low). */
export function bitsAt(k: Key, high: number, low: number): number {
  checkKey('bitsAt', k)
  return wordAt(k[0], k[1], high, low)
}

/** `bitsAt` for kernels, which have the words of the key and draw many numbers. */
export function wordAt(k0: number, k1: number, high: number, low: number): number {
  const [x, y] = threefry(k0, k1, high, low)
  return (x ^ y) >>> 0
}

/** A uniform number in [0, 1) with 52 random bits: the draw at counter (0, i). */
export function uniformAt(k: Key, i: number): number {
  checkKey('uniformAt', k)
  const [x, y] = threefry(k[0], k[1], 0, i)
  return (x * 2 ** 20 + (y >>> 12)) / 2 ** 52
}

/**
 * A whole number in [low, high), all equally likely up to 2^−52.
 *
 * @throws for fractions and for an empty range
 * @example const steps = drawInteger(k, 64, 96)
 */
export function drawInteger(k: Key, low: number, high: number): number {
  checkKey('drawInteger', k)
  if (!(Number.isInteger(low) && Number.isInteger(high) && low < high)) {
    throw new Error(`drawInteger: needs whole numbers low < high, got [${low}, ${high}).`)
  }
  return low + Math.floor(uniformAt(k, 0) * (high - low))
}

/** 0 … n − 1 in random order (Fisher and Yates). */
export function drawPermutation(k: Key, n: number): number[] {
  checkKey('drawPermutation', k)
  check(isWhole(n), 'drawPermutation', 'n', n, 'a whole number ≥ 0')
  return drawChoice(k, n, n)
}

/**
 * `count` distinct numbers out of 0 … n − 1, in random order: a draw without replacement.
 *
 * @throws where count > n, and for fractions and negative numbers
 * @example const slots = drawChoice(k, pool.length, 8)
 */
export function drawChoice(k: Key, n: number, count: number): number[] {
  checkKey('drawChoice', k)
  if (!(Number.isInteger(n) && Number.isInteger(count) && count >= 0 && count <= n)) {
    throw new Error(`drawChoice: cannot draw ${count} out of ${n} without replacement.`)
  }
  const list = Array.from({ length: n }, (_, i) => i)
  for (let i = 0; i < count; i++) {
    const j = i + Math.floor(uniformAt(k, i) * (n - i))
    const x = list[i]
    list[i] = list[j]
    list[j] = x
  }
  return list.slice(0, count)
}
