/**
 * The sample pool: states that go on living between iterations.
 *
 * Trained from the seed alone, a rule learns to reach its target and not to stay there. A pool starts as copies of the
 * seed; each iteration draws a batch from it, lets the worst sample begin anew, and puts the grown states back, so that
 * the rule meets its own old age (Mordvintsev et al. 2020, experiment 2).
 *
 * Slots are separate tensors `[h,w,c]`. Untouched ones are the same tensor, so a pool of 1,024 seeds takes the memory
 * of one.
 */
import { checkKey, choice } from '../tensor/key.ts'
import type { Key } from '../tensor/key.ts'
import { refuse, requireTensor } from '../tensor/op.ts'
import { check, isWhole } from '../tensor/options.ts'
import { stack, unstack } from '../tensor/ops/concat.ts'
import type { Tensor } from '../tensor/tensor.ts'

export type Pool = readonly Tensor[]

/** `size` slots that share one seed `[h,w,c]`. */
export function makePool(seed: Tensor, size: number): Pool {
  requireTensor('makePool', 'the seed', seed)
  check(isWhole(size), 'makePool', 'the size', size, 'a whole number of slots')
  return Array.from({ length: size }, () => seed)
}

/**
 * Draws `count` different slots.
 *
 * @returns the slots' numbers and their states `[count,h,w,c]`
 * @throws where the pool has fewer slots
 */
export function samplePool(pool: Pool, k: Key, count: number): { slots: number[]; batch: Tensor } {
  checkKey('samplePool', k)
  const fits = isWhole(count, 1) && count <= pool.length
  check(fits, 'samplePool', 'the count', count, `a whole number from 1 to ${pool.length}, the slots of the pool`)
  const slots = choice(k, pool.length, count)
  return { slots, batch: stack(slots.map(i => pool[i])) }
}

/** The pool with the states of a batch `[count,h,w,c]` in these slots. */
export function writeBack(pool: Pool, slots: readonly number[], batch: Tensor): Pool {
  requireTensor('writeBack', 'the batch', batch)
  if (batch.shape[0] !== slots.length) {
    refuse('writeBack', `${slots.length} slots for ${batch.shape[0] ?? 'no'} states`, { batch })
  }
  const next = [...pool]
  unstack(batch).forEach((state, i) => { next[slots[i]] = state })
  return next
}
