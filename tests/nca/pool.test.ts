// The sample pool: packed slots, on backends that can be read at once and on others, and in files.

import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cpu } from '../../src/backends/cpu.ts'
import type { Backend, Data } from '../../src/backends/backend.ts'
import { growingTrainer } from '../../src/nca/tasks/growing.ts'
import type { TrainerState } from '../../src/nca/training/trainer.ts'
import { decodeCheckpoint, encodeCheckpoint } from '../../src/nca/files/checkpoint-file.ts'
import { makePool, samplePool, writeBack, type Pool } from '../../src/nca/training/pool.ts'
import { growingRule, presets } from '../../src/nca/training/presets.ts'
import { mlp } from '../../src/nca/mlp.ts'
import { defineRule } from '../../src/nca/rule/define.ts'
import type { DataParams } from '../../src/nca/rule/types.ts'
import { decodeSafetensors, encodeSafetensors } from '../../src/nca/files/safetensors.ts'
import { packBatch, SparseState, unpackBatch } from '../../src/nca/training/sparse-state.ts'
import { train } from '../../src/nca/training/train.ts'
import { key } from '../../src/tensor/key.ts'
import { full, zeros } from '../../src/tensor/ops/create.ts'
import { memory, Tensor, tensor } from '../../src/tensor/tensor.ts'

/** Bits: two arrays of equal numbers may differ in the sign of a zero and in their NaNs. */
function bits(data: Data): number[] {
  return [...new Uint32Array(data.buffer, data.byteOffset, data.byteLength / 4)]
}

function ofBits(dtype: 'float32' | 'float64' | 'int32', words: readonly number[]): Data {
  const { buffer } = Uint32Array.from(words)
  return dtype === 'float32' ? new Float32Array(buffer)
    : dtype === 'float64' ? new Float64Array(buffer) : new Int32Array(buffer)
}

/** The live cells of a state `[h,w,c]`, by its bits. */
function occupied(data: Data, channels: number): number[] {
  return Array.from({ length: data.length / channels }, (_, i) => i)
    .filter(i => bits(data.slice(i * channels, (i + 1) * channels)).some(word => word !== 0))
}

const mostlyZero = (word: fc.Arbitrary<number>): fc.Arbitrary<number> =>
  fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: word })

// −0, quiet NaNs of both widths with payloads, the smallest number, 1.
const quietWord = mostlyZero(fc.constantFrom(0x80000000, 0x7fc00123, 0x7ff80001, 1, 0x3f800000))

// Signalling NaNs besides, and anything.
const anyWord = mostlyZero(fc.oneof(fc.constantFrom(0x80000000, 0x7f800001), fc.integer({ min: 0, max: 2 ** 32 - 1 })))

/** A batch of mostly empty states. */
const batches = fc.record({
  dtype: fc.constantFrom('float32' as const, 'float64' as const, 'int32' as const),
  b: fc.integer({ min: 1, max: 3 }), h: fc.integer({ min: 1, max: 5 }), w: fc.integer({ min: 1, max: 5 }),
  c: fc.integer({ min: 1, max: 4 }),
}).chain(({ dtype, b, h, w, c }) => {
  const length = b * h * w * c * (dtype === 'float64' ? 2 : 1)
  return fc.array(anyWord, { minLength: length, maxLength: length })
    .map(words => ({ data: ofBits(dtype, words), shape: [b, h, w, c] }))
})

describe('packing', () => {
  it('unpacks bit for bit, and has only the cells that are not zero', () => {
    fc.assert(fc.property(batches, ({ data, shape }) => {
      const batch = tensor(data, { shape })
      const states = packBatch(batch)
      const back = unpackBatch('here', states)
      expect([back.shape, back.dtype]).toEqual([shape, batch.dtype])
      expect(bits(back.toArray())).toEqual(bits(data))
      states.forEach((state, i) => {
        const values = data.slice(i * data.length / shape[0], (i + 1) * data.length / shape[0])
        expect(bits(state.toArray())).toEqual(bits(values))
        expect([...state.at]).toEqual(occupied(values, shape[3]))
        expect(state.cells).toHaveLength(state.at.length * shape[3])
      })
    }))
  })

  it('copies all cells, none and one', () => {
    for (const cells of [[1, 2, 3, 4], [0, 0, 0, 0], [0, 0, 7, 0], [5, 0, 0, 6]]) {
      const [state] = packBatch(tensor(cells, { shape: [1, 2, 2, 1] }))
      expect([...state.toArray()]).toEqual(cells)
      expect([...state.cells]).toEqual(cells.filter(v => v !== 0))
    }
  })
})

/** A CPU whose values cannot be read at once, as with a GPU. */
function unreadable(): Backend {
  const { readSync: _, ...rest } = cpu()
  return rest
}

describe('a pool', () => {
  it('shares one seed until slots are written, and stays as it is', () => {
    const pool = makePool(zeros([3, 3, 8]), 10)
    expect(new Set(pool).size).toBe(1)
    const { slots, batch } = samplePool(pool, key(5), 4)
    expect(batch.shape).toEqual([4, 3, 3, 8])
    expect(new Set(slots).size).toBe(4)
    const written = writeBack(pool, slots, full(batch.shape, 7))
    expect(written.map(slot => slot.toArray()[0])).toEqual(pool.map((_, i) => (slots.includes(i) ? 7 : 0)))
    expect(new Set(pool).size).toBe(1)
  })

  it('gives every state back as it was last written, on both kinds of backend', async () => {
    const size = 6
    const run = fc.record({
      seed: fc.nat(2 ** 31),
      dtype: fc.constantFrom('float32' as const, 'float64' as const),
      readable: fc.boolean(),
      rounds: fc.array(fc.array(quietWord, { minLength: 96, maxLength: 96 }), { maxLength: 5 }),
    })
    await fc.assert(fc.asyncProperty(run, async ({ seed, dtype, readable, rounds }) => {
      const backend = readable ? cpu() : unreadable()
      const values = (words: readonly number[]): Data => ofBits(dtype, words.slice(0, dtype === 'float64' ? 96 : 48))
      const empty = zeros([2, 3, 2], { dtype, backend })
      let pool = makePool(empty, size)
      const model = Array.from({ length: size }, () => Array<number>(dtype === 'float64' ? 24 : 12).fill(0))
      for (const [round, words] of rounds.entries()) {
        const { slots, batch } = samplePool(pool, key(seed + round), 4)
        expect(bits(await batch.data())).toEqual(slots.flatMap(i => model[i]))
        expect(batch.backend).toBe(backend)
        pool = writeBack(pool, slots, tensor(values(words), { shape: [4, 2, 3, 2], backend }))
        slots.forEach((slot, i) => { model[slot] = bits(values(words).slice(i * 12, (i + 1) * 12)) })
        expect(pool.every(slot => slot instanceof (readable ? SparseState : Tensor))).toBe(true)
      }
      const { slots, batch } = samplePool(pool, key(seed), size)
      expect(bits(await batch.data())).toEqual(slots.flatMap(i => model[i]))
    }))
  })

  it('uses memory only for cells that are not 0, and none of the backend', () => {
    const backend = cpu()
    const live = [3, 0, 10, 1]
    const data = new Float32Array(4 * 30 * 30 * 16)
    live.forEach((n, i) => data.fill(1, i * 14400, i * 14400 + n * 16))
    const seed = zeros([30, 30, 16], { backend })
    const batch = tensor(data, { shape: [4, 30, 30, 16], backend })
    const before = memory(backend)
    let pool = makePool(seed, 50)
    for (let i = 0; i < 40; i += 4) pool = writeBack(pool, [i, i + 1, i + 2, i + 3], batch)
    expect(memory(backend)).toEqual(before)
    // Whole buffers are counted: a view of the batch would keep all of it.
    const held = [...new Set(pool)].map(slot => slot as SparseState)
      .reduce((bytes, { at, cells }) => bytes + at.buffer.byteLength + cells.buffer.byteLength, 0)
    expect(held).toBe(10 * (3 + 0 + 10 + 1) * (16 + 1) * 4)
  })

  it('takes dense states too, and says which do not fit', () => {
    const pool: Pool = [full([1, 2, 1], 1), ...makePool(full([1, 2, 1], 2), 1)]
    const { slots, batch } = samplePool(pool, key(1), 2)
    expect([...batch.toArray()]).toEqual(slots.flatMap(i => [i + 1, i + 1]))
    expect(() => makePool(zeros([4]), 3)).toThrowErrorMatchingInlineSnapshot(
      `[Error: makePool: the seed is no state [w,c], [h,w,c] or [d,h,w,c]; seed [4].]`,
    )
    expect(() => writeBack(pool, [2], zeros([1, 1, 2, 1]))).toThrowErrorMatchingInlineSnapshot(
      `[Error: writeBack: a slot is 2, expected a whole number from 0 to 1.]`,
    )
    expect(() => writeBack(pool, [1], zeros([1, 2, 1, 1]))).toThrowErrorMatchingInlineSnapshot(
      `[Error: writeBack: states are float32 [2,1,1], but slot 1 is float32 [1,2,1].]`,
    )
    expect(() => writeBack(pool, [1], zeros([1, 1, 2, 1], { dtype: 'float64' }))).toThrowErrorMatchingInlineSnapshot(
      `[Error: writeBack: states are float64 [1,2,1], but slot 1 is float32 [1,2,1].]`,
    )
    expect(() => samplePool([...pool, zeros([2, 1, 1])], key(1), 3)).toThrowErrorMatchingInlineSnapshot(
      `[Error: samplePool: states differ: float32 [1,2,1] and float32 [2,1,1].]`,
    )
  })
})

describe('training', () => {
  const rule = defineRule({ ...growingRule, channels: { rgba: 4, hidden: 4 }, update: mlp(8) })
  const trainerOn = (backend: Backend): ReturnType<typeof growingTrainer<typeof rule>> => {
    const target = tensor(Array.from({ length: 7 * 6 * 4 }, (_, i) => (i % 3) / 3), { shape: [7, 6, 4], backend })
    return growingTrainer({ ...presets.regenerating, rule, target, batch: 4, steps: [3, 5], pool: 9, damaged: 1 })
  }
  const after = async (
    backend: Backend, iterations: number, state?: TrainerState<DataParams>,
  ): Promise<TrainerState<DataParams>> => {
    let last = state
    for await (const progress of train(trainerOn(backend), { iterations, seed: 2, state })) last = progress.state
    return last!
  }

  it('depends neither on how slots are stored, nor on a checkpoint in between', async () => {
    const [packed, dense] = [cpu(), unreadable()]
    const whole = await encodeCheckpoint(await after(packed, 8))
    expect(await encodeCheckpoint(await after(dense, 8))).toEqual(whole)
    const half = await encodeCheckpoint(await after(packed, 4))
    for (const backend of [packed, dense]) {
      const { state } = decodeCheckpoint(half, 'half', { backend })
      expect(state.pool[0]).toBeInstanceOf(backend === packed ? SparseState : Tensor)
      expect(state.pool[0].backend).toBe(backend)
      expect(await encodeCheckpoint(state)).toEqual(half)
      expect(await encodeCheckpoint(await after(backend, 8, state))).toEqual(whole)
    }
  })

  it('releases slots that are overwritten', async () => {
    for (const backend of [cpu(), unreadable()]) {
      const held: number[] = []
      for await (const { state, iteration } of train(trainerOn(backend), { iterations: 61, seed: 2 })) {
        if (iteration === 61) continue // it alone has no successor under way
        held.push(memory(backend).buffers - new Set(state.pool).size * (backend.readSync ? 0 : 1))
      }
      expect(new Set(held).size, held.join()).toBe(1)
    }
  })
})

describe('a checkpoint', () => {
  // Written by the first version, which held dense slots: a seed, −0 and NaN, the seed again, and an empty state.
  const old = new Uint8Array(readFileSync(new URL('checkpoint-1.safetensors', import.meta.url)))
  const expected = [
    [0, 0, 0x3f800000, 0x3e99999a, 0, 0, 0, 0, 0, 0, 0, 0],
    [0, 0x80000000, 0, 0, 0x7fc00123, 0xff800000, 1, 0, 0, 0, 0xbf000000, 0],
    [0, 0, 0x3f800000, 0x3e99999a, 0, 0, 0, 0, 0, 0, 0, 0],
    Array<number>(12).fill(0),
  ]

  it('of the first layout loads, and is written again byte for byte', async () => {
    for (const backend of [cpu(), unreadable()]) {
      const { state, metadata } = decodeCheckpoint<{ w: Tensor }>(old, 'old', { backend })
      expect([metadata, state.iteration, state.key]).toEqual([{ config: 'x' }, 7, [5, 6]])
      expect(await state.params.w.data()).toEqual(new Float32Array([1, 2, 3, 4]))
      expect(state.pool[2]).toBe(state.pool[0])
      for (const [i, slot] of state.pool.entries()) {
        expect(slot.shape).toEqual([2, 3, 2])
        expect(bits(slot instanceof Tensor ? await slot.data() : slot.toArray())).toEqual(expected[i])
      }
      expect(await encodeCheckpoint(state, metadata)).toEqual(old)
    }
  })

  it('keeps nothing of its file, and leaves nothing behind', () => {
    const backend = cpu()
    const before = memory().buffers
    const { pool } = decodeCheckpoint(old, 'old', { backend }).state
    expect(memory().buffers).toBe(before)
    expect(memory(backend).buffers).toBe(1)
    const { at, cells } = pool[1] as SparseState
    expect([at.buffer.byteLength, cells.buffer.byteLength]).toEqual([4 * 4, 4 * 4 * 2])
  })

  it('is refused if its pool does not fit together', () => {
    const { entries, metadata } = decodeSafetensors(old)
    const broken = {
      cells: Uint32Array.of(1, 0, 2, 3, 6), slots: Uint32Array.of(0, 1, 3, 2), ends: Uint32Array.of(6, 5, 5),
      values: new Float32Array(8),
    }
    for (const [part, data] of Object.entries(broken)) {
      const entry = { ...entries[`pool.${part}`], shape: [data.length], data }
      const bytes = encodeSafetensors({ ...entries, [`pool.${part}`]: entry }, metadata)
      expect(() => decodeCheckpoint(bytes, 'a file'), part)
        .toThrow('a file: the parts of its sample pool do not fit together.')
    }
    const float = { dtype: 'float32' as const, shape: [4], data: new Float32Array(4) }
    expect(() => decodeCheckpoint(encodeSafetensors({ ...entries, 'pool.slots': float }, metadata)))
      .toThrow('input: the parts of its sample pool do not fit together.')
  })
})
