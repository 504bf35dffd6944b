/**
 * The sample pool: states that live on between iterations.
 *
 * Trained from the seed alone, a rule learns to reach its target but not to stay there. A pool starts as copies of the
 * seed; each iteration draws a batch from it, replaces the worst sample with a seed, and puts the grown states back, so that
 * the rule also sees states that are many steps old (Mordvintsev et al. 2020, experiment 2).
 *
 * Slots that were never drawn share one seed. On a backend that can be read synchronously (the CPU) a slot holds only its
 * cells that are not zero, on the host: for a grid of 72×72 cells and 16 channels 68 bytes for each such cell instead of
 * 332 KB. On a GPU a slot is a tensor `[h,w,c]`: packing would read values, which nothing else in a training iteration does,
 * and reading waits for everything that was enqueued.
 */
import { checkKey, drawChoice, type Key } from '../../tensor/key.ts'
import { refuse, requireTensor } from '../../tensor/op.ts'
import { check, isWhole } from '../../backends/options.ts'
import { stack, unstack } from '../../tensor/ops/concat.ts'
import { sameShape, showShape } from '../../tensor/shape.ts'
import { Tensor, valuesOf } from '../../tensor/tensor.ts'
import { packBatch, packState, unpackBatch, type SparseState } from './sparse-state.ts'

/** States `[h,w,c]`, or of lines and volumes. Read one with `slot.toArray()`. */
export type Pool = readonly (SparseState | Tensor)[]

/**
 * `size` slots that share one seed `[h,w,c]`.
 *
 * @throws where the seed has another rank
 * @example const pool = makePool(reshape(seed(rule, { height: 72, width: 72 }), [72, 72, 16]), 1024)
 */
export function makePool(seed: Tensor, size: number): Pool {
  requireTensor('makePool', 'the seed', seed)
  const rank = seed.shape.length
  if (rank < 2 || rank > 4) refuse('makePool', 'the seed is no state [w,c], [h,w,c] or [d,h,w,c]', { seed })
  check(isWhole(size), 'makePool', 'the size', size, 'a whole number of slots')
  const slot = seed.backend.readSync ? packed(seed) : seed
  return Array.from({ length: size }, () => slot)
}

/**
 * Draws `count` different slots.
 *
 * @returns the slots' numbers and their states `[count,h,w,c]`, bit for bit as they were written
 * @throws where the pool has fewer slots
 * @example const { slots, batch } = samplePool(pool, key(0), 8)
 */
export function samplePool(pool: Pool, k: Key, count: number): { slots: number[]; batch: Tensor } {
  checkKey('samplePool', k)
  const fits = isWhole(count, 1) && count <= pool.length
  check(fits, 'samplePool', 'the count', count, `a whole number from 1 to ${pool.length}, the slots of the pool`)
  const slots = drawChoice(k, pool.length, count)
  const drawn = slots.map(i => pool[i])
  const batch = drawn[0].backend.readSync
    ? unpackBatch('samplePool', drawn.map(slot => (slot instanceof Tensor ? packed(slot) : slot)))
    : stack(drawn as Tensor[])
  return { slots, batch }
}

/**
 * A new pool with the states of a batch `[count,h,w,c]` in these slots; the given one stays as it is. Packed slots are
 * constants to every transform.
 *
 * @throws where there is no such slot, and where number, shape or type of the states do not fit
 * @example pool = writeBack(pool, slots, rollout(rule, params, batch, key(1), { steps: 64 }))
 */
export function writeBack(pool: Pool, slots: readonly number[], batch: Tensor): Pool {
  requireTensor('writeBack', 'the batch', batch)
  if (batch.shape[0] !== slots.length) {
    refuse('writeBack', `${slots.length} slots for ${batch.shape[0] ?? 'no'} states`, { batch })
  }
  const given = batch.shape.slice(1)
  for (const i of slots) {
    check(isWhole(i) && i < pool.length, 'writeBack', 'a slot', i, `a whole number from 0 to ${pool.length - 1}`)
    const { shape, dtype } = pool[i]
    if (dtype === batch.dtype && sameShape(shape, given)) continue
    refuse('writeBack', `states are ${batch.dtype} ${showShape(given)}, but slot ${i} is ${dtype} ${showShape(shape)}`)
  }
  const next = [...pool]
  const states = batch.backend.readSync ? packBatch(batch) : unstack(batch)
  states.forEach((state, i) => { next[slots[i]] = state })
  return next
}

function packed(state: Tensor): SparseState {
  return packState(valuesOf(state), state.shape, state.backend)
}
