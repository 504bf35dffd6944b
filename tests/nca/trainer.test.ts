// The trainer with every option: gradients, what learns, batches and the pool behind them.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  adamW, add, conv, cosineDecay, customRule, decodeCheckpoint, defineRule, eachLeaf, encodeCheckpoint, foldIn, full, init, key,
  mean, mlp, mul, muon, paramShapes, rateAt, rollout, sgd, square, sub, takeChannels, taskTrainer, Tensor, tensor, train,
  trainablePaths, uniformAt, unstack, valueAndGrad, zeros, type DataParams, type DataRule, type Key, type Overflow, type Task, type Trainable,
  type Trainer, type TrainerOptions, type TrainerState,
} from '../../src/index.ts'
import { drawBatch, firstPool } from '../../src/nca/training/batch.ts'
import { makePool } from '../../src/nca/training/pool.ts'
import { perSample } from '../../src/nca/losses/loss.ts'
import { SparseState } from '../../src/nca/training/sparse-state.ts'
import { complete } from '../../src/nca/training/trainer-options.ts'
import { uniform } from '../../src/tensor/ops/random.ts'
import { sentence } from '../tensor/values.ts'
import { runs } from '../long.ts'

const [h, w, c] = [3, 4, 7]
const rule = defineRule({
  channels: { rgba: 4, code: 2, hidden: 1 }, frozen: ['code'], perceive: ['identity', conv(3)],
  update: mlp(5, { activation: 'tanh', lastStd: 0.3 }), fireRate: 0.5,
})
/** A rule that changes nothing. */
const still = defineRule({ ...rule, update: mlp(2) })

/** All cells of example i have codes (i, i²), and the rest of its seed is noise. */
function seedOf(i: number): number[] {
  return Array.from(uniform(key(100 + i), [h, w, c]).toArray(), (v, j) => (j % c === 4 ? i : j % c === 5 ? i * i : v))
}

type Asked = { ids: readonly number[]; key: Key }

/** A task of n such examples, which should become grey i/10; `asked` records the calls of its loss. */
function taskOf(n: number, asked: Asked[] = []): Task {
  return {
    examples: n,
    seeds: ids => tensor(ids.flatMap(seedOf), { shape: [ids.length, h, w, c] }),
    loss(x, ids, key) {
      asked.push({ ids, key })
      const grey = tensor(ids.map(i => i / 10), { shape: [ids.length, 1, 1, 1] })
      return perSample(square(sub(takeChannels(x, 0, 3), grey)))
    },
  }
}

type Some = Partial<TrainerOptions<DataRule>>

function options(more: Some = {}): TrainerOptions<DataRule> {
  return { rule, task: taskOf(3), batch: 4, steps: [2, 4], optimiser: sgd({ rate: 1 }), ...more }
}

type State = TrainerState<DataParams>

/** Everything in a tree by its path. */
function contents(tree: unknown): Record<string, number[]> {
  const found: Record<string, number[]> = {}
  eachLeaf(tree, (leaf, path) => {
    found[path] = leaf instanceof Tensor || leaf instanceof SparseState ? [...leaf.toArray()] : [Number(leaf)]
  })
  return found
}

function run(trainer: Trainer<State>, iterations: number, state: State = trainer.init(key(1))): State {
  for (let i = 0; i < iterations; i++) ({ state } = trainer.step(state))
  return state
}

/** Numbers by path, each list of them changed. */
function each(
  lists: Record<string, number[]>, change: (list: number[], path: string) => number[],
): Record<string, number[]> {
  return Object.fromEntries(Object.entries(lists).map(([path, list]) => [path, change(list, path)]))
}

function norm(values: Iterable<number>): number {
  return Math.sqrt([...values].reduce((sum, v) => sum + v * v, 0))
}

/** By how much each parameter falls in the first iteration, by its path. */
function fall(trainer: Trainer<State>): { fallen: Record<string, number[]>; loss: number; gradNorm: number } {
  const before = trainer.init(key(1))
  const { state, metrics: { loss, gradNorm } } = trainer.step(before)
  const after = contents(state.params)
  const fallen = each(contents(before.params), (list, path) => list.map((v, i) => v - after[path][i]))
  return { fallen, loss: loss.toArray()[0], gradNorm: gradNorm.toArray()[0] }
}

function expectNear(got: Record<string, number[]>, expected: Record<string, number[]>, within = 1e-5): void {
  expect(Object.keys(got)).toEqual(Object.keys(expected))
  for (const [path, values] of Object.entries(expected)) {
    expect(norm(values.map((v, i) => v - got[path][i])), path).toBeLessThan(within * Math.max(1, norm(values)))
  }
}

describe('the gradient', () => {
  it('of accumulated batches is the mean of theirs, and so is the loss', () => {
    // All cells fire for the same number of steps, so a part depends only on its examples.
    const busy = defineRule({ ...rule, fireRate: 1 })
    fc.assert(fc.property(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 3 }), (n, batch) => {
      const asked: Asked[] = []
      const task = taskOf(20, asked)
      const trainer = taskTrainer(options({ rule: busy, task, batch, accumulate: n, steps: [2, 3] }))
      const { fallen, loss, gradNorm } = fall(trainer)
      expect(asked.map(({ ids }) => ids.length)).toEqual(new Array(n).fill(batch))
      expect(new Set(asked.map(({ key }) => key.join())).size).toBe(n)
      const params = trainer.init(key(1)).params
      const parts = [...asked].map(({ ids, key: k }) => valueAndGrad((p: DataParams) =>
        mean(task.loss(rollout(busy, p, task.seeds(ids), key(0), { steps: 2 }), ids, k)))(params))
      const all = parts.map(([, grads]) => contents(grads))
      const average = each(all[0], (list, path) => list.map((_, i) => all.reduce((sum, g) => sum + g[path][i], 0) / n))
      expectNear(fallen, average)
      expect(loss / (parts.reduce((sum, [v]) => sum + v.toArray()[0], 0) / n)).toBeCloseTo(1, 5)
      expect(gradNorm / norm(Object.values(average).flat())).toBeCloseTo(1, 4)
      // Parts are different draws.
      if (n > 1) expect(new Set(asked.slice(0, n).map(({ ids }) => ids.join())).size).toBeGreaterThan(1)
    }), runs(15))
  })

  it('is clipped to a length, all parameters by one factor', () => {
    const plain = fall(taskTrainer(options()))
    fc.assert(fc.property(fc.double({ min: 0.05, max: 3, noNaN: true }), share => {
      const clip = share * plain.gradNorm
      const { fallen, gradNorm } = fall(taskTrainer(options({ clip })))
      const factor = Math.min(1, share)
      expect(gradNorm).toBe(plain.gradNorm)
      expectNear(fallen, each(plain.fallen, g => g.map(v => v * factor)))
      expect(norm(Object.values(fallen).flat())).toBeLessThanOrEqual(clip * (1 + 1e-5))
      if (share > 1) expect(fallen).toEqual(plain.fallen)
    }), runs(10))
  })

  it('is normalised parameter by parameter, and then clipped', () => {
    const plain = fall(taskTrainer(options()))
    const { fallen, gradNorm } = fall(taskTrainer(options({ normalise: true })))
    expect(gradNorm).toBe(plain.gradNorm)
    expectNear(fallen, each(plain.fallen, g => g.map(v => v / norm(g))))
    const clipped = fall(taskTrainer(options({ normalise: true, clip: 0.5 }))).fallen
    for (const g of Object.values(clipped)) expect(norm(g)).toBeCloseTo(0.5 / Math.sqrt(Object.keys(clipped).length), 5)
  })
})

describe('parameters that learn', () => {
  const paths = Object.keys(paramShapes(rule))
  const optimisers = [sgd({ rate: 0.1, momentum: 0.9 }), adamW({ rate: 0.01, decay: 0.1 }), muon({ rate: 0.01 })]

  it('change, and the others do not by a bit', async () => {
    const some = fc.oneof(fc.subarray(paths, { minLength: 1 }), fc.constantFrom<Trainable>('update', 'last'))
    await fc.assert(fc.asyncProperty(some, fc.constantFrom(...optimisers), async (given, optimiser) => {
      const trainable = trainablePaths(rule, given)
      const trainer = taskTrainer(options({ trainable: given, optimiser, pool: 6, clip: 1 }))
      const first = trainer.init(key(1))
      const state = run(trainer, 4, first)
      const [before, after] = [contents(first.params), contents(state.params)]
      for (const path of paths) {
        if (trainable.includes(path)) expect(after[path]).not.toEqual(before[path])
        else expect(after[path]).toEqual(before[path])
      }
      // The optimiser has moments only for these.
      expect(state.optimiser.moments).toHaveLength(optimiser.type === 'sgd' ? 1 : 2)
      for (const moment of state.optimiser.moments) {
        expect(Object.keys(moment as object).sort()).toEqual([...trainable].sort())
      }
      const back = decodeCheckpoint<DataParams>(await encodeCheckpoint(state)).state
      expect(contents(back)).toEqual(contents(state))
      expect(contents(run(trainer, 2, back))).toEqual(contents(run(trainer, 2, state)))
    }), runs(10))
  })

  it('are named by the beginnings of their paths', () => {
    const learning = (trainable: string[], of: DataRule): string[] => {
      const trainer = taskTrainer(options({ rule: of, trainable, optimiser: sgd({ momentum: 0.5 }) }))
      return Object.keys(trainer.init(key(1)).optimiser.moments[0] as object)
    }
    expect(learning(['update'], rule)).toEqual(['update.w1', 'update.b1', 'update.w2', 'update.b2'])
    expect(learning(['perceive'], rule)).toEqual(['perceive.0.kernel'])
    expect(learning(['perceive.0', 'update.b2'], rule)).toEqual(['perceive.0.kernel', 'update.b2'])
    // Words are for the parts of the network: its last layer, whether it has a bias or not.
    expect(trainablePaths(rule, 'last')).toEqual(['update.w2', 'update.b2'])
    expect(trainablePaths(defineRule({ ...rule, update: mlp([3, 4], { lastBias: false }) }), 'last')).toEqual(['update.w3'])
    expect(trainablePaths(rule, 'update')).toEqual(paths.filter(path => path !== 'perceive.0.kernel'))
    expect(trainablePaths(rule, 'all')).toEqual(paths)
    expect(() => trainablePaths(rule, ['update.w2', 'updat'])).toThrow('trainablePaths: a path is "updat", expected the beginning of one of perceive.0.kernel, ')
    // w1 does not select w10.
    const deep = defineRule({ ...rule, update: mlp(new Array<number>(10).fill(1)) })
    expect(learning(['update.w1'], deep)).toEqual(['update.w1'])
    expect(trainablePaths(deep, 'last')).toEqual(['update.w11', 'update.b11'])
  })

  it('that learn alone learn as they do beside others, if the gradient is neither normalised nor clipped', () => {
    const all = fall(taskTrainer(options())).fallen
    const { fallen, gradNorm } = fall(taskTrainer(options({ trainable: ['update.w1'] })))
    expect(fallen['update.w1']).toEqual(all['update.w1'])
    expect(gradNorm).toBeCloseTo(norm(all['update.w1']), 5)
  })

  it('may begin as those of a model, which is not changed', async () => {
    const params = init(rule, key(77))
    const before = contents(params)
    for (const trainable of ['all', ['update.w2']] as const) {
      const trainer = taskTrainer(options({ params, trainable }))
      expect(contents(trainer.init(key(1)).params)).toEqual(before)
      expect(contents(trainer.init(key(2)).params)).toEqual(before)
      for await (const { state } of train(trainer, { iterations: 3 })) {
        expect(contents(state.params)).not.toEqual(before)
      }
      expect(contents(params)).toEqual(before)
    }
  })
})

/** The numbers of a sample, cell by cell. */
function samples(x: Tensor): number[][] {
  const size = h * w * c
  return Array.from({ length: x.shape[0] }, (_, i) => [...x.toArray().subarray(i * size, (i + 1) * size)])
}

const isCode = (j: number): boolean => j % c === 4 || j % c === 5

/** How many of four samples are changed in each way, and how they are chosen. */
const changes = fc.record({
  counts: fc.tuple(fc.nat(4), fc.nat(4), fc.nat(4)).filter(counts => counts.reduce((a, b) => a + b) <= 4),
  ranked: fc.constantFrom('loss' as const, 'none' as const),
  write: fc.constantFrom('back' as const, 'fifo' as const),
  accumulate: fc.integer({ min: 1, max: 3 }),
  n: fc.nat(2 ** 31),
})
  .filter(({ ranked, write }) => ranked === 'none' || write === 'back')
  .map(({ counts: [reseed, damaged, mutated], ...rest }) => ({ reseed, damaged, mutated, ...rest }))

describe('a batch from the pool', () => {
  const everywhere = { shape: 'circle', centre: [0, 0], radius: [3, 3] } as const

  it('has the drawn samples, except those that begin anew, are damaged, or mutated', () => {
    const met = { anew: new Set<number>(), mutated: new Set<number>() }
    let different = 0
    fc.assert(fc.property(changes, ({ n, write: _write, accumulate: _accumulate, ...counts }) => {
      const { reseed, damaged, mutated, ranked } = counts
      const task = taskOf(5)
      const all = complete('test', options({ task, pool: 9, damage: everywhere, ...counts }))
      const examples = Array.from({ length: 9 }, (_, slot) => (slot * 3 + n) % 5)
      const grown = Array.from({ length: 9 }, (_, slot) => {
        const noise = uniform(key(n + slot), [h, w, c]).toArray()
        return seedOf(examples[slot]).map((v, j) => (isCode(j) ? v : noise[j]))
      })
      const pool = grown.flatMap(state => makePool(tensor(state, { shape: [h, w, c] }), 1))
      const keys = { slots: key(n + 1), damage: key(n + 2), loss: key(n + 3) }
      const batch = drawBatch(all, { pool, examples, iteration: 0 }, keys)
      const { slots, examples: ids } = batch
      expect(new Set(slots).size).toBe(4)
      different += +(new Set(ids.slice(4 - mutated)).size > 1)
      const before = slots.map(slot => examples[slot])
      const drawn = slots.map(slot => [...pool[slot].toArray()])
      const losses = task.loss(tensor(drawn.flat(), { shape: [4, h, w, c] }), before, key(0)).toArray()
      const rank = ranked === 'none' ? [0, 1, 2, 3] : Array.from(losses, v => losses.filter(other => other > v).length)
      const last = ranked === 'none' ? 4 - mutated : 4
      samples(batch.x).forEach((got, i) => {
        const seed = [...Float32Array.from(seedOf(ids[i]))]
        const another = i >= 4 - mutated
        const anew = rank[i] < reseed
        const hurt = rank[i] >= last - damaged && rank[i] < last
        expect(batch.fates!.toArray()[i]).toBe(anew ? 1 : hurt ? 2 : another ? 3 : 0)
        if (!another && !(anew && ranked === 'none')) expect(ids[i]).toBe(before[i])
        // The number of examples by which it was moved.
        else met[another ? 'mutated' : 'anew'].add((ids[i] - before[i] + 5) % 5)
        const turned = drawn[i].map((v, j) => (another && isCode(j) ? seed[j] : v))
        const renewed = anew ? seed : turned
        expect(got).toEqual(renewed.map((v, j) => (hurt && !isCode(j) ? 0 : v)))
      })
    }), { numRuns: 100 })
    expect(different).toBeGreaterThan(3)
    expect([...met.anew].sort()).toEqual([0, 1, 2, 3, 4])
    expect([...met.mutated].sort()).toEqual([1, 2, 3, 4])
  })

  it('mutates only into examples of other kinds, where some are of one kind, and into each of those', () => {
    for (const kinds of [[0, 1, 0, 2, 1, 1], ['a', 'b', 'b', 'b', 'b', 'b']]) {
      const met = kinds.map(() => new Set<number>())
      const task = { ...taskOf(6), kind: (id: number) => kinds[id] }
      const all = complete('test', options({ task, pool: 6, mutated: 4 }))
      const examples = [0, 1, 2, 3, 4, 5], pool = firstPool(all, examples, key(0))
      fc.assert(fc.property(fc.nat(2 ** 31), n => {
        const { slots, examples: ids, x } = drawBatch(all, { pool, examples, iteration: 0 }, { slots: key(n), damage: key(1), loss: key(2) })
        slots.forEach((id, i) => {
          expect(kinds[ids[i]]).not.toBe(kinds[id])
          met[id].add(ids[i])
          expect(samples(x)[i].filter((_, j) => isCode(j))).toEqual(seedOf(ids[i]).filter((_, j) => isCode(j)))
        })
      }), { numRuns: 100 })
      met.forEach((ids, id) => expect([...ids].sort()).toEqual(examples.filter(other => kinds[other] !== kinds[id])))
    }
  })

  it('replaces and damages as many samples from the pool beside fresh ones, whatever the rank of those', () => {
    let both = 0
    fc.assert(fc.property(fc.nat(2 ** 31), fc.constantFrom('loss' as const, 'none' as const), (n, ranked) => {
      const given = { batch: 8, pool: 16, fromPool: 0.5, reseed: 2, damaged: 2, mutated: 1, ranked, damage: everywhere }
      const all = complete('test', options({ task: taskOf(5), ...given }))
      const examples = Array.from({ length: 16 }, (_, slot) => slot % 5), pool = firstPool(all, examples, key(0))
      const keys = { slots: key(n), damage: key(1), loss: key(2) }
      const { fates } = drawBatch(all, { pool, examples, iteration: 0 }, keys)
      const old = Array.from({ length: 8 }, (_, i) => uniformAt(foldIn(keys.slots, 3), i)).filter(v => v < 0.5).length
      const count = (fate: number): number => fates!.toArray().filter(own => own === fate).length
      expect(count(1)).toBe(8 - old + Math.min(2, old))
      if (ranked === 'none' || old >= 5) both += count(2)
      if (ranked === 'none') expect([count(2), count(3)]).toEqual([Math.max(0, Math.min(2, old - 3)), +(old > 2)])
      else expect(count(2)).toBe(Math.max(0, Math.min(2, old - 2)))
    }), { numRuns: 100 })
    expect(both).toBeGreaterThan(0)
  })

  it('takes a sample with the loss NaN as the worst: it begins anew and is not damaged', () => {
    fc.assert(fc.property(fc.nat(2 ** 31), fc.integer({ min: 0, max: 3 }), (n, at) => {
      const task = { ...taskOf(1), loss: (x: Tensor) => perSample(x) }
      const given = { task, pool: 4, damage: everywhere, reseed: 1, damaged: 3 }
      const states = Array.from({ length: 4 }, (_, slot) => (
        uniform(key(n + slot), [h, w, c]).toArray().fill(slot === at ? NaN : -1 - slot, 0, 1)))
      const pool = states.flatMap(state => makePool(tensor(state, { shape: [h, w, c] }), 1))
      const keys = { slots: key(n), damage: key(n), loss: key(n) }
      const { x, slots } = drawBatch(complete('test', options(given)), { pool, examples: [0, 0, 0, 0], iteration: 0 }, keys)
      const begun = samples(x).map(sample => sample.every((v, j) => v === Math.fround(seedOf(0)[j])))
      expect(begun).toEqual(slots.map(slot => slot === at))
    }))
  })

  it('of fresh seeds has random examples, and the loss gets the same ones', () => {
    const asked: Asked[] = []
    const seeded: (readonly number[])[] = []
    const task = taskOf(4, asked)
    const trainer = taskTrainer(options({
      task: { ...task, seeds: ids => (seeded.push(ids), task.seeds(ids)) }, optimiser: sgd({ rate: 0 }),
    }))
    run(trainer, 12)
    expect(seeded.slice(1)).toEqual(asked.map(({ ids }) => ids))
    const counts = [0, 1, 2, 3].map(i => asked.flatMap(({ ids }) => ids).filter(id => id === i).length)
    counts.forEach(count => expect(count).toBeGreaterThan(4))
    expect(asked.filter(({ ids }) => new Set(ids).size > 1).length).toBeGreaterThan(6)
    expect(new Set(asked.map(({ key }) => key.join())).size).toBe(12)
  })

  it('damages as the damage says, each sample in a different place', () => {
    const all = complete('test', options({ task: taskOf(1), pool: 8, batch: 8, damaged: 8, ranked: 'none' }))
    const pool = makePool(full([12, 12, c], 1), 8)
    const keys = { slots: key(1), damage: key(2), loss: key(3) }
    const { x } = drawBatch(all, { pool, examples: new Array(8).fill(0), iteration: 0 }, keys)
    const holes = unstack(takeChannels(x, 0, 1)).map(hole => hole.toArray().join(''))
    expect(new Set(holes).size).toBe(8)
    x.toArray().forEach((v, j) => { if (isCode(j)) expect(v).toBe(1) })
  })
})

describe('the pool', () => {
  it('starts with the seed of each slot, in memory once for each example', () => {
    for (const [examples, pool] of [[100, 130], [100, 70], [65, 65], [1, 5]]) {
      const order = Array.from({ length: pool }, (_, slot) => slot % examples)
      const slots = firstPool(complete('test', options({ task: taskOf(examples), pool, ranked: 'none' })), order, key(0))
      slots.forEach((slot, i) => expect([...slot.toArray()]).toEqual([...Float32Array.from(seedOf(order[i]))]))
      expect(new Set(slots).size).toBe(Math.min(examples, pool))
      const state = taskTrainer(options({ task: taskOf(examples), pool, ranked: 'none' })).init(key(0))
      expect(state.examples).toEqual(order)
      expect(contents(state.pool)).toEqual(contents(slots))
    }
  })

  it('keeps the example that each slot should become', () => {
    fc.assert(fc.property(changes, ({ n, ...more }) => {
      const trainer = taskTrainer(options({ task: taskOf(5), pool: 9, ...more }))
      let state = trainer.init(key(n))
      for (let i = 0; i < 4; i++) {
        state = run(trainer, 1, state)
        state.pool.forEach((slot, s) => {
          const codes = [...slot.toArray()].filter((_, j) => isCode(j))
          expect(codes).toEqual(seedOf(state.examples[s]).filter((_, j) => isCode(j)))
        })
      }
    }), runs(20))
  })

  it('is written to the slots that were read, or from the oldest slot on', () => {
    fc.assert(fc.property(changes, fc.integer({ min: 3, max: 15 }), ({ n, write, accumulate }, pool) => {
      const trainer = taskTrainer(options({
        rule: still, task: taskOf(pool), pool, batch: 3, ranked: 'none', write, accumulate, optimiser: sgd({ rate: 0 }),
      }))
      let state = trainer.init(key(n))
      const written = state.pool.map((_, slot) => slot - pool) // when
      for (let i = 0, now = 0; i < 5; i++) {
        const before = state
        state = run(trainer, 1, state)
        const fresh = state.pool.flatMap((slot, s) => (slot === before.pool[s] ? [] : [s]))
        if (write === 'back') {
          // Nothing changes here, so each is where it was.
          expect(contents(state.pool)).toEqual(contents(before.pool))
          expect(state.examples).toEqual(before.examples)
          expect(fresh.length).toBeGreaterThanOrEqual(3)
          expect(fresh.length).toBeLessThanOrEqual(3 * accumulate)
        } else {
          const due = new Set<number>()
          for (let j = 0; j < 3 * accumulate; j++) {
            const oldest = written.indexOf(Math.min(...written))
            written[oldest] = now++
            due.add(oldest)
          }
          expect(fresh).toEqual([...due].sort((a, b) => a - b))
        }
      }
    }), runs(20))
  })

  it.each([1, 3] as const)('keeps states of grids of %i dimensions, in checkpoints too', async grid => {
    const grown = defineRule({ ...rule, grid, perceive: ['identity', 'laplacian'] })
    const size = grid === 1 ? [5] : [2, 3, 4]
    const seeds = (ids: readonly number[]): Tensor => tensor(
      ids.flatMap(id => [...uniform(key(id), [...size, c]).toArray()]), { shape: [ids.length, ...size, c] },
    )
    const task: Task = { examples: 2, seeds, loss: x => perSample(square(x)) }
    const trainer = taskTrainer(options({ rule: grown, task, pool: 6, batch: 3, reseed: 1 }))
    const state = run(trainer, 3)
    expect(new Set(state.pool.map(slot => slot.shape.join()))).toEqual(new Set([[...size, c].join()]))
    const { state: back } = decodeCheckpoint<DataParams>(await encodeCheckpoint(state))
    expect(contents(run(trainer, 2, back))).toEqual(contents(run(trainer, 5)))
  })

  it('is the same when a run was interrupted', async () => {
    await fc.assert(fc.asyncProperty(changes, async ({ n, ...more }) => {
      const trainer = taskTrainer(options({ task: taskOf(5), pool: 9, optimiser: adamW({ rate: 0.01 }), ...more }))
      const half = run(trainer, 2, trainer.init(key(n)))
      const { state: resumed } = decodeCheckpoint<DataParams>(await encodeCheckpoint(half))
      expect(resumed.examples).toEqual(half.examples)
      expect(contents(run(trainer, 2, resumed))).toEqual(contents(run(trainer, 4, trainer.init(key(n)))))
    }), runs(12))
  })
})

describe('states that are judged', () => {
  /** Counts steps: a cell is the number of steps that it has seen, and the parameter is 0. */
  const counting = customRule({
    channels: { count: 1 },
    init: (_, placement) => ({ drift: zeros([1], placement) }),
    step: ({ drift }: { drift: Tensor }, x) => add(add(x, 1), mul(0, drift)),
  })
  const trainerOf = (
    readouts: number, power: (x: Tensor) => Tensor, pool = 0,
  ): Trainer<TrainerState<{ drift: Tensor }>> =>
    taskTrainer({
      rule: counting, batch: 2, steps: [3, 8], readouts, pool, optimiser: sgd({ rate: 0 }),
      task: { examples: 1, seeds: ids => zeros([ids.length, 1, 1, 1]), loss: x => perSample(power(x)) },
    })

  it('are the last one and others after at least the minimum of steps, and the loss is their mean', () => {
    const met = new Set<string>()
    let apart = 0
    const [first, second] = [trainerOf(3, x => x), trainerOf(3, square)]
    let state = first.init(key(1))
    for (let i = 0; i < 150; i++) {
      const { state: next, metrics } = first.step(state)
      const [sum, squares] = [metrics.loss.toArray()[0], second.step(state).metrics.loss.toArray()[0]].map(v => 3 * v)
      // The sum of two numbers and of their squares tells which they are.
      const [s, q] = [sum - metrics.steps, squares - metrics.steps ** 2]
      const gap = Math.sqrt(Math.max(0, Math.round(2 * q - s * s)))
      const [a, b] = [(s - gap) / 2, (s + gap) / 2]
      for (const n of [a, b]) {
        expect(n).toBeCloseTo(Math.round(n), 3)
        expect(Math.round(n)).toBeGreaterThanOrEqual(3)
        expect(Math.round(n)).toBeLessThanOrEqual(metrics.steps)
      }
      apart += +(gap > 0)
      if (metrics.steps === 7) met.add(Math.round(a).toString()).add(Math.round(b).toString())
      state = next
    }
    expect([...met].sort()).toEqual(['3', '4', '5', '6', '7'])
    expect(apart).toBeGreaterThan(20)
  })

  it('go back into the pool only if they are the last', () => {
    const trainer = trainerOf(3, x => x, 2)
    let state = trainer.init(key(1))
    for (let i = 0, age = 0; i < 10; i++) {
      const { state: next, metrics } = trainer.step(state)
      age += metrics.steps
      for (const slot of next.pool) expect([...slot.toArray()]).toEqual([age])
      state = next
    }
  })

  it('is only the last one by default, after any number of steps in the range', () => {
    const trainer = trainerOf(1, x => x)
    let state = trainer.init(key(1))
    const met = new Set<number>()
    for (let i = 0; i < 60; i++) {
      const { state: next, metrics } = trainer.step(state)
      expect(metrics.loss.toArray()[0]).toBe(metrics.steps)
      met.add(metrics.steps)
      state = next
    }
    expect([...met].sort()).toEqual([3, 4, 5, 6, 7])
  })
})

describe('overflow', () => {
  it('adds the weighted mean distance from the range of each role to the loss of every readout, with its gradient', () => {
    const wide = customRule({
      channels: { rgba: 4, code: 2, hidden: 1 }, init: () => ({ k: full([1], 2) }), step: (p: { k: Tensor }, x) => mul(x, p.k),
    })
    const bounds = fc.tuple(fc.double({ min: -2, max: 2, noNaN: true }), fc.double({ min: 0, max: 3, noNaN: true }))
      .map(([low, size]) => [low, low + size] as const)
    const weights = fc.option(fc.double({ min: 0.1, max: 5, noNaN: true }), { nil: undefined })
    fc.assert(fc.property(weights, bounds, fc.option(bounds), fc.nat(2 ** 31), (weight, rgba, hidden, n) => {
      const ranges = { rgba, ...(hidden && { hidden }) }
      const run = (more: { task: Task; overflow?: Overflow }): number[] => {
        const trainer = taskTrainer({ rule: wide, readouts: [1, 2], batch: 4, steps: [2, 4], optimiser: sgd({ rate: 1 }), ...more })
        const { metrics: { loss, grads } } = trainer.step(trainer.init(key(n)))
        return [loss, (grads as { k: Tensor }).k].map(one => one.toArray()[0])
      }
      const seeded: number[][] = []
      const task = taskOf(3)
      const [plain, with_] = [{}, { overflow: { ...(weight !== undefined && { weight }), ranges } }].map(more => run({
        ...more, task: { ...task, seeds: (ids: readonly number[]) => (seeded.push([...ids]), task.seeds(ids)) },
      }))
      // The states are 2 and 4 times the seeds, as the parameter k is 2; their derivatives by it are 1 and 4 times the seeds.
      const [penalty, slope] = [0, 1].map(order => seeded.at(-1)!.flatMap(id => Object.entries(ranges).map(([role, [low, high]]) => {
        const own = [...Float32Array.from(seedOf(id))].filter((_, j) => (role === 'rgba' ? j % c < 4 : j % c === 6))
        const far = own.flatMap(v => [1, 2].map(steps => {
          const at = v * 2 ** steps, sign = at > high ? 1 : at < low ? -1 : 0
          return sign * (order === 0 ? at - (sign > 0 ? high : low) : v * steps * 2 ** (steps - 1))
        }))
        return far.reduce((a, b) => a + b, 0) / far.length
      })).reduce((a, b) => a + b, 0) / 4)
      expect(with_[0] - plain[0]).toBeCloseTo((weight ?? 1) * penalty, 3)
      expect(with_[1] - plain[1]).toBeCloseTo((weight ?? 1) * slope, 3)
    }), runs(30))
  })

  it('counts where samples are ranked: of equal ones, that with the greatest overflow begins anew', () => {
    const given = { task: { ...taskOf(1), loss: (x: Tensor) => mul(perSample(x), 0) }, pool: 4, reseed: 1, overflow: { ranges: { hidden: [-1, 1] } } } as const
    for (const worst of [0, 1, 2, 3]) {
      const pool = [0, 1, 2, 3].flatMap(slot => makePool(full([h, w, c], slot === worst ? 2 : 1), 1))
      const keys = { slots: key(worst), damage: key(1), loss: key(2) }
      const { slots, fates } = drawBatch(complete('test', options(given)), { pool, examples: [0, 0, 0, 0], iteration: 0 }, keys)
      expect([...fates!.toArray()]).toEqual(slots.map(slot => +(slot === worst)))
    }
  })
})

it('says what does not fit together', () => {
  const lib = taskTrainer as unknown as (given: unknown) => Trainer<State>
  const said = (cases: Record<string, object>): Record<string, string> => Object.fromEntries(
    Object.entries(cases).map(([name, more]) => [name, sentence(() => lib({ ...options(), ...more }))]),
  )
  const line = defineRule({ channels: { a: 4 }, grid: 1, perceive: ['identity'], update: mlp(2) })
  const code = customRule({ channels: { a: 4 }, init: () => ({ a: zeros([1]) }), step: (_: { a: Tensor }, x) => x })
  expect(said({
    rule: { rule: 'growing' },
    noTask: { task: undefined },
    examples: { task: { ...taskOf(1), examples: 0 } },
    noLoss: { task: { examples: 1, seeds: () => zeros([1]) } },
    batch: { batch: 0 },
    readouts: { readouts: 0 },
    stepsNumber: { steps: 8 },
    stepsZero: { steps: [0, 4] },
    stepsEqual: { steps: [4, 4] },
    pool: { pool: -1 },
    reseed: { reseed: 0.5 },
    damaged: { damaged: '1' },
    mutated: { mutated: -1 },
    write: { write: 'random' },
    ranked: { ranked: true },
    smallPool: { pool: 3 },
    tooMany: { reseed: 3, damaged: 2 },
    tooManyMutated: { reseed: 1, damaged: 2, mutated: 2 },
    nothingToMutate: { rule: defineRule({ ...rule, frozen: [] }), mutated: 1 },
    oneExample: { mutated: 1, task: taskOf(1) },
    codeToMutate: { rule: code, mutated: 1 },
    lineDamaged: { rule: line, damaged: 1 },
    damage: { damage: { shape: 'star' } },
    optimiser: { optimiser: { type: 'lion' } },
    normalise: { normalise: 1 },
    clip: { clip: 0 },
    clipText: { clip: '1' },
    oneKind: { mutated: 1, task: { ...taskOf(3), kind: () => 'a' } },
    overflow: { overflow: true },
    overflowWeight: { overflow: { weight: 0, ranges: { rgba: [0, 1] } } },
    noRanges: { overflow: {} },
    emptyRanges: { overflow: { ranges: {} } },
    wrongRange: { overflow: { ranges: { rgba: [1, 0] } } },
    wrongRole: { overflow: { ranges: { rgb: [0, 1] } } },
    noWeight: { overflow: { ranges: { rgba: [0, 1] } }, critic: {}, task: { ...taskOf(1), images: {} } },
    accumulate: { accumulate: 0 },
    trainable: { trainable: 'updte' },
    noneTrainable: { trainable: [] },
    unknownTrainable: { trainable: ['update.w2', 'update.w'] },
    warmUp: { warmUp: { iterations: 0, from: [1, 2] } },
    warmUpFrom: { warmUp: { iterations: 5, from: [2, 2] } },
    option: { batchSize: 8 },
    readoutsOfTask: { readouts: 2, task: { ...taskOf(1), readouts: 2 } },
    poolOfReadouts: { readouts: [1, 2], steps: [2, 3], pool: 8, task: { ...taskOf(1), readouts: 2 } },
    lostExamples: { task: taskOf(3), pool: 8, write: 'fifo' },
    damagedWithoutPool: { damaged: 1 },
    writeWithoutPool: { write: 'fifo' },
    fromNoPool: { fromPool: 0.5 },
    nothingToDrop: { dropped: 0.5, task: { ...taskOf(1), condition: null } },
  })).toMatchInlineSnapshot(`
    {
      "accumulate": "trainer: accumulate is 0, expected a whole number > 0.",
      "batch": "trainer: batch is 0, expected a whole number from 1 to 65536.",
      "clip": "trainer: clip is 0, expected null, or a number > 0.",
      "clipText": "trainer: clip is "1", expected null, or a number > 0.",
      "codeToMutate": "trainer: mutated is 1, expected 0, or a rule with frozen channels.",
      "damage": "trainer: damage.shape is "star", expected 'circle', 'rectangle' or 'halfPlane'.",
      "damaged": "trainer: damaged is "1", expected a whole number ≥ 0.",
      "damagedWithoutPool": "trainer: damaged is 1, expected 0, or a pool.",
      "emptyRanges": "trainer: overflow.ranges is {}, expected a range for each of some roles, like { rgb: [0, 1] }.",
      "examples": "trainer: task is {examples: 0, seeds: a function, loss: a function}, expected a task: examples, seeds and loss.",
      "fromNoPool": "trainer: fromPool is 0.5, expected 1, or a pool.",
      "lineDamaged": "trainer: damaged is 1, expected 0, or a rule on a grid of two dimensions.",
      "lostExamples": "trainer: write is "fifo", expected 'back', or ranked: 'none'.",
      "mutated": "trainer: mutated is -1, expected a whole number ≥ 0.",
      "noLoss": "trainer: task is {examples: 1, seeds: a function}, expected a task: examples, seeds and loss.",
      "noRanges": "trainer: overflow.ranges is undefined, expected a range for each of some roles, like { rgb: [0, 1] }.",
      "noTask": "trainer: task is undefined, expected a task: examples, seeds and loss.",
      "noWeight": "trainer: overflow is {weight: 1, ranges: {…}}, expected null, or a critic with a lossWeight above 0.",
      "noneTrainable": "trainer: trainable is [], expected 'all', 'update' or 'last', or a list of paths, at least 1.",
      "normalise": "trainer: normalise is 1, expected true or false.",
      "nothingToDrop": "trainer: dropped is 0.5, expected 0, or a condition.",
      "nothingToMutate": "trainer: mutated is 1, expected 0, or a rule with frozen channels.",
      "oneExample": "trainer: mutated is 1, expected 0, or a task of more than one kind of example.",
      "oneKind": "trainer: mutated is 1, expected 0, or a task of more than one kind of example.",
      "optimiser": "trainer: optimiser.type is "lion", expected 'adam', 'muon' or 'sgd'.",
      "option": "trainer: there is no option "batchSize"; there are rule, params, batch, steps, readouts, pool, write, fromPool, reseed, damaged, damage, ranked, mutated, dropped, perturbAfter, overflow, optimiser, normalise, clip, accumulate, trainable, warmUp, cascade, critic, pace, task.",
      "overflow": "trainer: overflow is true, expected null, or an object with weight, ranges.",
      "overflowWeight": "trainer: overflow.weight is 0, expected a number > 0.",
      "pool": "trainer: pool is -1, expected a whole number from 0 to 1000000.",
      "poolOfReadouts": "trainer: pool is 8, expected 0 beside readouts.",
      "ranked": "trainer: ranked is true, expected 'loss' or 'none'.",
      "readouts": "trainer: readouts is 0, expected a whole number from 1 to 1000000, or a list of numbers of steps, at least 1.",
      "readoutsOfTask": "trainer: readouts is 2, expected a list of 2 steps, as the task has.",
      "reseed": "trainer: reseed is 0.5, expected a whole number ≥ 0.",
      "rule": "trainer: rule is "growing", expected a rule.",
      "smallPool": "trainer: pool is 3, expected 0, or at least batch (4).",
      "stepsEqual": "trainer: steps is [4, 4], expected two whole numbers from 1 to 1000000, the first below the second.",
      "stepsNumber": "trainer: steps is 8, expected two whole numbers from 1 to 1000000, the first below the second.",
      "stepsZero": "trainer: steps is [0, 4], expected two whole numbers from 1 to 1000000, the first below the second.",
      "tooMany": "trainer: damaged is 2, expected at most batch − reseed (1).",
      "tooManyMutated": "trainer: mutated is 2, expected at most batch − reseed − damaged (1).",
      "trainable": "trainer: trainable is "updte", expected 'all', 'update' or 'last', or a list of paths, at least 1; did you mean "update"?",
      "unknownTrainable": "trainer: trainable[1] is "update.w", expected the beginning of a path: perceive.0.kernel, update.w1, update.b1, update.w2, update.b2; did you mean "update.w1"?",
      "warmUp": "trainer: warmUp.iterations is 0, expected a whole number > 0.",
      "warmUpFrom": "trainer: warmUp.from is [2, 2], expected two whole numbers from 1 to 1000000, the first below the second.",
      "write": "trainer: write is "random", expected 'back' or 'fifo'.",
      "writeWithoutPool": "trainer: write is "fifo", expected "back", or a pool.",
      "wrongRange": "trainer: overflow.ranges.rgba is [1, 0], expected two numbers, the first at most the second.",
      "wrongRole": "trainer: a role of overflow.ranges is "rgb", expected one of rgba, code, hidden.",
    }
  `)
  const none = taskTrainer({ ...options(), rule: code, trainable: ['b'] } as unknown as TrainerOptions<typeof code>)
  expect(sentence(() => none.init(key(0)))).toMatchInlineSnapshot(`"trainer: trainable is ["b"], expected the beginning of the path of a parameter."`)
  expect(sentence(() => taskTrainer(options()).init(3 as never))).toMatchInlineSnapshot(`"init: the key is 3, expected a key; make one with key(0)."`)
})

describe('a pace', () => {
  const schedule = cosineDecay(0.1, { length: 12 })
  const planned: Some = {
    optimiser: sgd({ rate: schedule }), warmUp: { iterations: 8, from: [1, 2] }, steps: [20, 21], pool: 9,
    fromPool: { to: 1, from: 0, delay: 4 }, perturbAfter: 4, damaged: 1,
  }
  const pace = [{ at: 2, plan: 2, per: 3 }, { at: 4, plan: 8, per: 0.5 }]

  it('gives the position of a run in its plan: for its rates, and lengths of rollouts', () => {
    const trainer = taskTrainer(options({ ...planned, pace }))
    let state = trainer.init(key(1))
    const seen = [0, 1, 2, 5, 8, 8.5, 9].map(plan => {
      const next = trainer.step(state)
      state = next.state
      expect(next.metrics.rate).toBe(rateAt(schedule, plan))
      expect(next.metrics.steps).toBe(Math.round(1 + 19 * Math.min(1, plan / 8)))
      return Array.from(next.metrics.drawn!.fates.toArray())
    })
    // All samples begin anew until the plan is at 4, and one is damaged from there on.
    expect(seen.map(fates => fates.every(fate => fate === 1))).toEqual([true, true, true, false, false, false, false])
  })

  it('has legs in order', () => {
    expect(() => taskTrainer(options({ pace: [{ at: 5, plan: 5, per: 1 }, { at: 5, plan: 6, per: 1 }] })))
      .toThrow('trainer: pace[1].at is 5, expected more than that of the leg before.')
    expect(() => taskTrainer(options({ pace: [{ at: 5, plan: 5, per: 0 }] }))).toThrow('pace')
  })
})
