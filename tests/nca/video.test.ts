// Videos: the inputs and targets of a window, and how a sample of the pool is carried from window to window.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  adam, decodeCheckpoint, defineRule, encodeCheckpoint, examplesOf, key, l1, mlp, takeRole, taskTrainer, tensor, train,
  uniform, videoTask, type DataRule, type Examples, type Task, type Tensor, type TrainerOptions,
} from '../../src/index.ts'
import { drawBatch } from '../../src/nca/training/batch.ts'
import { makePool } from '../../src/nca/training/pool.ts'
import { complete } from '../../src/nca/training/trainer-options.ts'
import { sentence } from '../tensor/values.ts'

const upTo = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max })
const scenes = fc.record({ videos: upTo(3), k: upTo(2), more: fc.nat(4), h: upTo(3), w: upTo(3), n: fc.nat(2 ** 31) })

function ruleOf(k: number, hidden = 1): DataRule {
  return defineRule({
    channels: { input: k, output: k, hidden }, frozen: ['input'], perceive: ['identity', 'sobelX'], fireRate: 0.5,
    update: mlp(6, { activation: 'tanh', lastStd: 0.2 }),
  })
}

/** Videos of random numbers, all different. */
function film(n: number, videos: number, length: number, h: number, w: number): Examples {
  return examplesOf(uniform(key(n), [videos, length, h, w], { low: -1, high: 1 }).toArray(), [length, h, w])
}

/** Frames of a video as channels `[h,w,k]`, by a loop. */
function framesOf({ of, shape: [, h, w] }: Examples, video: number, first: number, k: number): number[] {
  const numbers = of(video), cells = h * w
  return Array.from({ length: cells * k }, (_, i) => numbers[(first + (i % k)) * cells + Math.floor(i / k)])
}

/** A task that records its targets. */
function listening(rule: DataRule, videos: Examples, k: number, carry: boolean): { task: Task; wanted: Tensor[] } {
  const wanted: Tensor[] = []
  const task = videoTask(rule, videos, k, {
    carry,
    loss(output, want) {
      wanted.push(want)
      return l1(output, want)
    },
  })
  return { task, wanted }
}

it('k frames of each window are the inputs, and the next k the targets', () => {
  fc.assert(fc.property(scenes, ({ videos, k, more, h, w, n }) => {
    const length = 2 * k + more
    const frames = film(n, videos, length, h, w), rule = ruleOf(k, 0)
    const { task, wanted } = listening(rule, frames, k, false)
    const windows = Array.from({ length: videos * (more + 1) }, (_, id) => [Math.floor(id / (more + 1)), id % (more + 1)])
    expect([task.examples, task.carry]).toEqual([windows.length, undefined])
    const ids = windows.map((_, i) => i).reverse()
    const shown = task.seeds(ids)
    expect(shown.shape).toEqual([ids.length, h, w, 2 * k])
    task.loss(shown, ids, key(0))
    ids.forEach((id, i) => {
      const [video, start] = windows[id], size = h * w * k
      expect([...takeRole(rule, shown, 'input').toArray().subarray(i * size, (i + 1) * size)]).toEqual(framesOf(frames, video, start, k))
      expect([...wanted[0].toArray().subarray(i * size, (i + 1) * size)]).toEqual(framesOf(frames, video, start + k, k))
    })
    expect(takeRole(rule, shown, 'output').toArray().every(x => x === 0)).toBe(true)
  }))
})

describe('a sample that is carried on', () => {
  it('is given the frames that it made, with the following ones as targets, until its video ends and it begins anew', () => {
    fc.assert(fc.property(scenes, ({ videos, k, more, h, w, n }) => {
      const length = 3 * k + more, each = length - 2 * k + 1, size = h * w * k
      const frames = film(n, videos, length, h, w), rule = ruleOf(k)
      const { task, wanted } = listening(rule, frames, k, true)
      let ids: readonly number[] = Array.from({ length: task.examples }, (_, id) => id)
      let places = ids.map(id => ({ video: Math.floor(id / each), start: id % each }))
      for (let round = 0; round < length / k; round++) {
        const x = uniform(key(n + round), [ids.length, h, w, 2 * k + 1])
        const { x: next, examples } = task.carry!(x, ids)
        const seeds = task.seeds(examples)
        const now = places.map(({ video, start }) => ({ video, start: start + k + 2 * k <= length ? start + k : start % k }))
        task.loss(next, examples, key(0))
        const role = (y: Tensor, name: string, i: number): number[] => (
          [...takeRole(rule, y, name).toArray()].slice(i * h * w * rule.channels[name], (i + 1) * h * w * rule.channels[name]))
        now.forEach(({ video, start }, i) => {
          const goesOn = places[i].start + 3 * k <= length
          expect(role(next, 'input', i)).toEqual(goesOn ? role(x, 'output', i) : framesOf(frames, video, start, k))
          for (const name of ['output', 'hidden']) expect(role(next, name, i)).toEqual(role(goesOn ? x : seeds, name, i))
          expect([...wanted.at(-1)!.toArray()].slice(i * size, (i + 1) * size)).toEqual(framesOf(frames, video, start + k, k))
        });
        [ids, places] = [examples, now]
      }
    }), { numRuns: 30 })
  })

  const k = 2, length = 9, frames = film(5, 2, length, 3, 4), rule = ruleOf(k)
  const options = (more: Partial<TrainerOptions> = {}): TrainerOptions => ({
    rule, task: videoTask(rule, frames, k, { carry: true }), batch: 3, steps: [2, 4], pool: 12, ranked: 'none',
    optimiser: adam({ rate: 1e-2 }), ...more,
  })

  it('goes back to its slot with its place in the video, where the next draw of the slot begins', () => {
    const trainer = taskTrainer(options())
    let state = trainer.init(key(3))
    for (let i = 0; i < 12; i++) {
      const { state: next, metrics } = trainer.step(state)
      const drawn = metrics.drawn!.slots
      next.examples.forEach((id, slot) => {
        const before = state.examples[slot], start = before % 6
        expect(id).toBe(!drawn.includes(slot) ? before : start < 4 ? before + 2 : before - start + start % 2)
        const x = tensor(next.pool[slot].toArray(), { shape: [1, 3, 4, 5] })
        const [input, output] = ['input', 'output'].map(role => [...takeRole(rule, x, role).toArray()])
        const isSeed = !drawn.includes(slot) ? null : start >= 4
        if (isSeed !== null) expect(input).toEqual(isSeed ? framesOf(frames, Math.floor(id / 6), id % 6, k) : output)
      })
      state = next
    }
  })

  it('continues with the same bits after a checkpoint', async () => {
    const trainer = taskTrainer(options({ reseed: 1, mutated: 1, dropped: 0.2 }))
    let state = trainer.init(key(4))
    for (let i = 0; i < 5; i++) ({ state } = trainer.step(state))
    let again = (await decodeCheckpoint(await encodeCheckpoint(state), 'c', { trainer })).state
    for (let i = 0; i < 6; i++) [state, again] = [trainer.step(state).state, trainer.step(again).state]
    expect(await encodeCheckpoint(again)).toEqual(await encodeCheckpoint(state))
  })

  it('keeps the frames that it made if conditions are dropped', () => {
    const all = complete('test', options({ dropped: 0.5 }))
    const made = uniform(key(1), [3, 4, 5], { low: 1, high: 2 })
    const pool = makePool(made, 12), own = [...takeRole(rule, tensor(made.toArray(), { shape: [1, 3, 4, 5] }), 'input').toArray()]
    const seen = Array.from({ length: 8 }, (_, i) => {
      const { x } = drawBatch(all, { pool, examples: new Array<number>(12).fill(0), iteration: 0 }, { slots: key(i), damage: key(0), loss: key(0) })
      const input = [...takeRole(rule, x, 'input').toArray()]
      return [0, 1, 2].map(b => input.slice(24 * b, 24 * (b + 1)))
    }).flat()
    for (const input of seen) expect([own, own.map(() => 0)]).toContainEqual(input)
    expect(new Set(seen.map(String)).size).toBe(2)
  })

  it('needs a pool, and videos that are long enough', () => {
    expect([
      () => taskTrainer(options({ pool: 0 })),
      () => videoTask(ruleOf(1), film(1, 1, 2, 2, 2), 1, { carry: true }),
      () => videoTask(ruleOf(1), film(1, 1, 9, 2, 2), 1, { carry: 1 as never }),
    ].map(sentence)).toMatchInlineSnapshot(`
      [
        "trainer: pool is 0, expected at least batch, as the task carries samples on.",
        "videoTask: the number of frames is 2, expected at least 3, for samples to be carried on.",
        "videoTask: carry is 1, expected true or false.",
      ]
    `)
  })

  it('learns', async () => {
    const losses: number[] = []
    for await (const { loss } of train(taskTrainer(options({ steps: [4, 6], reseed: 1 })), { iterations: 60, seed: 1 })) losses.push(loss)
    expect(losses.slice(-8).reduce((a, b) => a + b)).toBeLessThan(losses.slice(0, 8).reduce((a, b) => a + b))
  })
})
