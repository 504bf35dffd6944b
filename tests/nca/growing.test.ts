// The trainer, its pool and its damage, and the driver.

import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Backend } from '../../src/backends/backend.ts'
import { cpu } from '../../src/backends/cpu.ts'
import { damageMask, erase, publishedCircles, type Damage } from '../../src/nca/training/damage.ts'
import { growingTask, growingTrainer, type GrowingOptions } from '../../src/nca/tasks/growing.ts'
import { rolloutLengths } from '../../src/nca/training/trainer-options.ts'
import type { Trainer, TrainerState } from '../../src/nca/training/trainer.ts'
import { mse } from '../../src/nca/losses/loss.ts'
import { decodeCheckpoint, encodeCheckpoint } from '../../src/nca/files/checkpoint-file.ts'
import { decodeModel, encodeModel, type Model } from '../../src/nca/files/model-file.ts'
import { adam } from '../../src/nca/training/optimiser.ts'
import type { Pool } from '../../src/nca/training/pool.ts'
import { growingRule, presets } from '../../src/nca/training/presets.ts'
import { mlp } from '../../src/nca/mlp.ts'
import { channelCount } from '../../src/nca/rule/channels.ts'
import { customRule, defineRule } from '../../src/nca/rule/define.ts'
import { init } from '../../src/nca/rule/parameters.ts'
import type { DataParams } from '../../src/nca/rule/types.ts'
import { decodeSafetensors, encodeSafetensors } from '../../src/nca/files/safetensors.ts'
import { SparseState } from '../../src/nca/training/sparse-state.ts'
import { seed } from '../../src/nca/state.ts'
import { NonFiniteError, train, type Progress } from '../../src/nca/training/train.ts'
import { foldIn, key, uniformAt } from '../../src/tensor/key.ts'
import { supersede } from '../../src/tensor/lifetime.ts'
import { full, zeros } from '../../src/tensor/ops/create.ts'
import { uniform } from '../../src/tensor/ops/random.ts'
import { defaultBackend, memory, Tensor, tensor, to } from '../../src/tensor/tensor.ts'
import { eachLeaf, mapTree } from '../../src/tensor/tree.ts'
import { runs } from '../long.ts'

const rule = defineRule({ ...growingRule, channels: { rgba: 4, hidden: 4 }, update: mlp(8) })

/** A 7 × 6 disc to grow. */
function disc(backend = defaultBackend): Tensor {
  const values = Array.from({ length: 42 }, (_, i) =>
    ((Math.floor(i / 6) - 3) ** 2 + ((i % 6) - 3) ** 2 < 6 ? [0.8, 0.4, 0.1, 1] : [0, 0, 0, 0]))
  return tensor(values.flat(), { shape: [7, 6, 4], backend })
}

function options(more: Partial<GrowingOptions> = {}): GrowingOptions {
  return { ...presets.regenerating, rule, target: disc(), batch: 4, steps: [6, 9], pool: 12, damaged: 1, ...more }
}

/** All numbers of a state, in order. */
function numbers(tree: unknown): number[] {
  const all: number[] = []
  eachLeaf(tree, leaf => {
    if (leaf instanceof Tensor || leaf instanceof SparseState) all.push(...leaf.toArray())
    else all.push(Number(leaf))
  })
  return all
}

function run(
  trainer: Trainer<TrainerState<DataParams>>, iterations: number, state = trainer.init(key(1)),
): TrainerState<DataParams> {
  for (let i = 0; i < iterations; i++) state = trainer.step(state).state
  return state
}

describe('presets', () => {
  it('are the published ones', () => {
    expect(channelCount(growingRule.channels)).toBe(16)
    let parameters = 0
    eachLeaf(init(growingRule, key(0)), leaf => { parameters += (leaf as Tensor).toArray().length })
    expect(parameters).toBe(8336)
    expect(presets.growing).toMatchInlineSnapshot(`
      {
        "batch": 8,
        "damage": {
          "centre": [
            -0.5,
            0.5,
          ],
          "radius": [
            0.1,
            0.4,
          ],
          "shape": "circle",
        },
        "damaged": 0,
        "iterations": 8001,
        "normalise": true,
        "optimiser": {
          "beta1": 0.9,
          "beta2": 0.999,
          "decay": 0,
          "epsilon": 1e-7,
          "epsilonHat": true,
          "rate": {
            "at": [
              2001,
            ],
            "factor": 0.1,
            "rate": 0.002,
            "type": "step",
          },
          "type": "adam",
        },
        "padding": 16,
        "pool": 0,
        "reseed": 1,
        "rule": {
          "bound": null,
          "channels": {
            "hidden": 12,
            "rgba": 4,
          },
          "fireRate": 0.5,
          "frozen": [],
          "grid": 2,
          "head": null,
          "inputMask": null,
          "living": {
            "above": 0.1,
            "channel": 3,
            "when": "both",
          },
          "noise": null,
          "padding": "zero",
          "perceive": [
            "identity",
            "sobelX",
            "sobelY",
          ],
          "stepSize": 1,
          "type": "data",
          "update": {
            "activation": "relu",
            "hidden": [
              128,
            ],
            "init": "keras",
            "lastActivation": "linear",
            "lastBias": true,
            "lastStd": 0,
            "norm": null,
            "residual": false,
            "slope": 0.2,
            "type": "mlp",
          },
        },
        "size": 40,
        "steps": [
          64,
          96,
        ],
        "warmUp": null,
      }
    `)
    expect(presets.persistent).toEqual({ ...presets.growing, pool: 1024 })
    expect(presets.regenerating).toEqual({ ...presets.growing, pool: 1024, damaged: 3 })
  })

  it('start with Glorot-uniform weights', () => {
    const w1 = init(growingRule, key(3)).update.w1.toArray()
    const limit = Math.sqrt(6 / (48 + 128))
    expect(Math.max(...w1)).toBeLessThan(limit)
    expect(Math.max(...w1)).toBeGreaterThan(0.98 * limit)
    expect(Array.from(w1).reduce((a, v) => a + v * v, 0) / w1.length).toBeCloseTo(limit ** 2 / 3, 3)
  })
})

describe('the trainer', () => {
  it('is pure: the same state gives the same successor, and stays as it is', () => {
    const trainer = growingTrainer(options())
    const state = run(trainer, 3)
    const before = numbers(state)
    const [first, second] = [trainer.step(state), trainer.step(state)]
    expect(numbers(first.state)).toEqual(numbers(second.state))
    expect(numbers(state)).toEqual(before)
    expect(first.state.iteration).toBe(4)
  })

  it('reseeds the worst and damages the best samples of the pool', () => {
    const trainer = growingTrainer(options({ pool: 4, steps: [1, 2], optimiser: adam({ rate: 0 }) }))
    const start = trainer.init(key(1))
    // Slots that are worse and worse: with a rule that changes nothing, the slots show what the trainer did.
    const target = disc()
    const slots = [0, 0.2, 0.4, 2].map(error => {
      const state = zeros([7, 6, 8]).toArray()
      target.toArray().forEach((v, i) => {
        state[Math.floor(i / 4) * 8 + (i % 4)] = i % 4 === 3 ? v : v + error * (target.toArray()[i - (i % 4) + 3])
      })
      return tensor(state, { shape: [7, 6, 8] })
    })
    const { pool } = trainer.step({ ...start, pool: slots }).state
    const one = seed(rule, { height: 7, width: 6 }).toArray()
    expect(pool[3].toArray()).toEqual(one)
    expect(pool[1].toArray()).toEqual(slots[1].toArray())
    expect(pool[2].toArray()).toEqual(slots[2].toArray())
    const alphas = (x: Pool[number]): number => Array.from(x.toArray()).filter((v, i) => i % 8 === 3 && v > 0).length
    expect(alphas(pool[0])).toBeLessThan(alphas(slots[0]))
  })

  it('learns', async () => {
    const losses: number[] = []
    const trainer = growingTrainer(options({ pool: 0, damaged: 0, rule: defineRule({ ...rule, update: mlp(16) }) }))
    for await (const { loss } of train(trainer, { iterations: 120, seed: 3 })) losses.push(loss)
    const mean = (list: number[]): number => list.reduce((a, b) => a + b) / list.length
    expect(mean(losses.slice(-10))).toBeLessThan(0.35 * mean(losses.slice(0, 10)))
  })

  it('refuses options that do not fit together', () => {
    expect(() => growingTrainer(options({ pool: 3 }))).toThrowErrorMatchingInlineSnapshot(
      `[Error: trainer: pool is 3, expected 0, or at least batch (4).]`,
    )
    expect(() => growingTrainer(options({ steps: [9, 9] }))).toThrowErrorMatchingInlineSnapshot(
      `[Error: growingTrainer: steps is [9, 9], expected two whole numbers from 1 to 1000000, the first below the second.]`,
    )
    expect(() => growingTrainer(options({ reseed: 2, damaged: 3 }))).toThrowErrorMatchingInlineSnapshot(
      `[Error: trainer: damaged is 3, expected at most batch − reseed (2).]`,
    )
    expect(() => growingTrainer(options({ target: zeros([4, 4, 3]) }))).toThrowErrorMatchingInlineSnapshot(
      `[Error: growingTrainer: target is [4,4,3], expected [h,w,4].]`,
    )
    for (const make of [(target: Tensor) => growingTrainer(options({ target })), (target: Tensor) => growingTask(growingRule, target)]) {
      expect(() => make(zeros([4, 4, 4]))).toThrow(/^growing(Trainer|Task): target is fully transparent, expected an image with something to grow\.$/)
    }
  })

  it('warms rollout lengths up', () => {
    const warm = { steps: [64, 96] as const, warmUp: { iterations: 100, from: [8, 16] as const } }
    expect([0, 50, 100, 1000].map(i => rolloutLengths(warm, i))).toEqual([[8, 16], [36, 56], [64, 96], [64, 96]])
    expect(rolloutLengths({ steps: [64, 96], warmUp: null }, 0)).toEqual([64, 96])
  })
})

/** A backend whose values arrive some time after they were requested, as with a GPU. */
function lateBackend(): Backend {
  const { readSync: _, read, ...rest } = cpu()
  return { ...rest, read: (...args) => read(...args).then(data => sleep(1, data)) }
}

describe.each([['at once', () => defaultBackend], ['late', lateBackend]])('the driver of what is read %s', (_, open) => {
  let backend: Backend
  let trainer: Trainer<TrainerState<DataParams>>

  beforeEach(() => {
    backend = open()
    trainer = growingTrainer(options({ target: disc(backend) }))
  })

  /** All numbers of a state on any backend. */
  const read = async (state: TrainerState<DataParams>): Promise<number[]> => numbers(await to(defaultBackend, state))

  it('yields every iteration with its state', async () => {
    const expected = [1, 2, 3, 4].map(n => numbers(run(growingTrainer(options()), n)))
    let seen = 0
    for await (const { iteration, loss, state } of train(trainer, { iterations: 4, seed: 1 })) {
      expect([iteration, state.iteration]).toEqual([++seen, seen])
      expect(loss).toBeGreaterThan(0)
      expect(await read(state)).toEqual(expected[seen - 1])
    }
    expect(seen).toBe(4)
    seen = 0
    for await (const { iteration } of train(trainer, { iterations: 8, seed: 1, every: 3 })) seen = 10 * seen + iteration
    expect(seen).toBe(368)
  })

  it('stops on a loss that is not finite and keeps the state before', async () => {
    // From iteration 3 on, a parameter is infinite; the trainer that meets it must not take the step.
    const failing: typeof trainer = {
      init: trainer.init,
      step: state => trainer.step(state.iteration < 2
        ? state
        : { ...state, params: mapTree(state.params, p => full((p as Tensor).shape, Infinity, { backend })) }),
    }
    const seen: number[] = []
    const end = async (): Promise<void> => {
      for await (const { iteration } of train(failing, { iterations: 9, seed: 1 })) seen.push(iteration)
    }
    const error = await end().catch((e: unknown) => e) as NonFiniteError<TrainerState<DataParams>>
    expect(error).toBeInstanceOf(NonFiniteError)
    expect(error.message).toBe('training: the gradient norm of iteration 3 is NaN. The state before it is kept. '
      + 'Lower the learning rate, warm the rollout length up (warmUp), or change the seed.')
    expect(seen).toEqual([1, 2])
    expect([error.iteration, error.state.iteration]).toEqual([3, 2])
    expect(await read(error.state)).toEqual(await read(run(trainer, 2)))
    // And training can go on from there.
    for await (const { state } of train(trainer, { iterations: 4, state: error.state })) {
      if (state.iteration === 4) expect(await read(state)).toEqual(await read(run(trainer, 4)))
    }
  })

  it('does not take a step if only its gradient is not finite', async () => {
    const failing: typeof trainer = {
      init: trainer.init,
      step: state => {
        const next = trainer.step(state)
        return { ...next, metrics: { ...next.metrics, gradNorm: tensor(NaN, { backend }) } }
      },
    }
    await expect(train(failing, { iterations: 1 }).next())
      .rejects.toThrow('training: the gradient norm of iteration 1 is NaN.')
  })

  it('ends after the iteration in which it is aborted, and resumes from its state', async () => {
    const stop = new AbortController()
    let last: Progress<TrainerState<DataParams>> | undefined
    for await (const progress of train(trainer, { iterations: 50, seed: 1, signal: stop.signal })) {
      last = progress
      if (progress.iteration === 3) stop.abort()
    }
    expect(last!.iteration).toBe(3)
    for await (const progress of train(trainer, { iterations: 5, state: last!.state })) last = progress
    expect(await read(last!.state)).toEqual(await read(run(trainer, 5)))
  })

  it('yields the iteration in progress when it is aborted meanwhile', async () => {
    const stop = new AbortController()
    const aborting: typeof trainer = {
      init: trainer.init,
      step: state => {
        if (state.iteration === 3) stop.abort()
        return trainer.step(state)
      },
    }
    const seen: number[] = []
    for await (const { iteration } of train(aborting, { iterations: 50, every: 100, signal: stop.signal })) {
      seen.push(iteration)
    }
    expect(seen).toEqual([backend.readSync ? 4 : 3])
  })

  it('ends when it is out of patience, and only then', async () => {
    /** A trainer whose losses are these, and then 0. */
    const saying = (losses: readonly number[]): typeof trainer => ({
      init: trainer.init,
      step: state => {
        const { state: next, metrics } = trainer.step(state)
        supersede(metrics.loss, null, 'was replaced')
        return { state: next, metrics: { ...metrics, loss: tensor(losses[state.iteration] ?? 0, { backend }) } }
      },
    })
    const list = fc.array(fc.double({ min: 0.5, max: 1, noNaN: true }).map(Math.fround), { minLength: 7, maxLength: 7 })
    const share = fc.constantFrom(0, 0.1, 0.3)
    await fc.assert(fc.asyncProperty(list, fc.integer({ min: 1, max: 3 }), share, async (losses, n, least) => {
      const total = (from: number): number => losses.slice(from, from + n).reduce((a, b) => a + b)
      const over = losses.findIndex((_, i) =>
        i + 1 >= 2 * n && total(i + 1 - n) >= (1 - least) * total(i + 1 - 2 * n))
      const last = over < 0 ? losses.length : over + 1
      const seen: number[] = []
      const before = memory(backend).buffers
      let end: TrainerState<DataParams> | undefined
      const patience = { iterations: n, least }
      for await (const { iteration, state } of train(saying(losses), { iterations: 7, seed: 1, every: 100, patience })) {
        seen.push(iteration)
        end = state
      }
      expect(seen).toEqual([last])
      // The iteration in progress is released, and the state is that of the last iteration.
      const tensors = new Set<unknown>()
      eachLeaf(end, leaf => { if (leaf instanceof Tensor) tensors.add(leaf) })
      expect(memory(backend).buffers - before).toBe(tensors.size)
      expect(await read(end!)).toEqual(await read(run(trainer, last)))
    }), runs(10))
  })

  it('that is resumed with its losses ends where its patience would have ended it', async () => {
    const endOf = async (given: { iterations: number; state?: TrainerState<DataParams>; before?: readonly number[] }) => {
      const { before, ...options } = given
      const losses = [...before ?? []]
      let state = options.state
      const patience = { iterations: 2, least: 0.9, ...(before && { before }) }
      for await (const progress of train(trainer, { seed: 1, ...options, patience })) {
        losses.push(progress.loss)
        state = progress.state
      }
      return { losses, state: state! }
    }
    const whole = await endOf({ iterations: 9 })
    expect(whole.losses).toHaveLength(4)
    for (let at = 1; at <= 4; at++) {
      const { losses, state } = await endOf({ iterations: at })
      const resumed = await endOf({ iterations: 9, state, before: losses })
      expect([resumed.losses, await read(resumed.state)]).toEqual([whole.losses, await read(whole.state)])
    }
  })

  it('refuses a wrong patience', async () => {
    for (const [patience, sentence] of [
      [{ iterations: 5, least: 0, before: [1, '2'] }, 'train: patience.before is [1, "2"], expected a list of numbers.'],
      [5, 'train: patience is 5, expected { iterations, least }.'],
      [{ iterations: 0, least: 0 }, 'train: patience.iterations is 0, expected a whole number > 0.'],
      [{ iterations: 5 }, 'train: patience.least is undefined, expected a number from 0 up to, not including, 1.'],
      [{ iterations: 5, least: 1 }, 'train: patience.least is 1, expected a number from 0 up to, not including, 1.'],
    ] as const) {
      await expect(train(trainer, { iterations: 3, patience: patience as never }).next()).rejects.toThrow(sentence)
    }
  })

  it('holds no more memory after many iterations, and only the last state in the end', async () => {
    const held: number[] = []
    const pooled: number[] = []
    const before = memory(backend).buffers
    let last: TrainerState<DataParams> | undefined
    for await (const { iteration, state } of train(trainer, { iterations: 80, seed: 2 })) {
      last = state
      if (iteration % 20 !== 0) continue
      held.push(memory(backend).buffers)
      pooled.push(memory(backend).pooledBytes)
      if (iteration === 60) break
    }
    // Pooled memory is reused: rollouts of 6 to 8 steps differ by less than one step's arrays.
    expect(pooled[2]).toBeLessThan(1.1 * pooled[0])
    expect(held[2]).toBe(held[0])
    expect(held[2]).toBeLessThan(80)
    const tensors = new Set<unknown>()
    eachLeaf(last, leaf => { if (leaf instanceof Tensor) tensors.add(leaf) })
    expect(memory(backend).buffers - before).toBe(tensors.size)
  })

  it('throws what the trainer and the backend throw, and holds nothing for them', async () => {
    const broken: Backend = { ...backend, read: () => Promise.reject(new Error('unplugged')) }
    const unreadable = growingTrainer(options({ target: disc(broken) }))
    const state = unreadable.init(key(1))
    const held = memory(broken).buffers
    await expect(train(unreadable, { iterations: 5, state }).next()).rejects.toThrow('unplugged')
    expect(memory(broken).buffers).toBe(held)
    const failing: typeof trainer = {
      init: trainer.init,
      step: from => {
        if (from.iteration === 2) throw new Error('full')
        return trainer.step(from)
      },
    }
    const generator = train(failing, { iterations: 5, state: trainer.init(key(1)) })
    const tensors = memory(backend).buffers
    await expect(generator.next().then(() => generator.next()).then(() => generator.next())).rejects.toThrow('full')
    expect(memory(backend).buffers).toBe(tensors + (backend.readSync ? 0 : 4)) // slots that were written
  })
})

it('starts the next iteration before it waits for this one, on a backend with asynchronous reads', async () => {
  const backend = lateBackend()
  const events: string[] = []
  const trainer = growingTrainer(options({ target: disc(backend) }))
  const told: typeof trainer = {
    init: trainer.init,
    step: state => {
      events.push(`begin ${state.iteration + 1}`)
      return trainer.step(state)
    },
  }
  for await (const { iteration } of train(told, { iterations: 4 })) events.push(`end ${iteration}`)
  expect(events).toEqual(['begin 1', 'begin 2', 'end 1', 'begin 3', 'end 2', 'begin 4', 'end 3', 'end 4'])
})

describe('damage', () => {
  it('is where its numbers say, the same for each sample whatever their number', () => {
    const size = fc.integer({ min: 1, max: 9 })
    const shapes = fc.constantFrom<Damage>(
      publishedCircles, { shape: 'rectangle', centre: [-0.5, 0.5], size: [0.2, 1], angle: [0, 1] },
      { shape: 'halfPlane', angle: [0, 7], offset: [-0.5, 0.5] },
    )
    fc.assert(fc.property(fc.nat(2 ** 31), size, size, shapes, (n, h, w, damage) => {
      const three = damageMask(key(n), damage, 3, h, w).toArray()
      expect(damageMask(key(n), damage, 2, h, w).toArray()).toEqual(three.slice(0, 2 * h * w))
    }))
    const centre: Damage = { shape: 'circle', centre: [0, 0], radius: [0.5, 0.5] }
    expect([...damageMask(key(0), centre, 1, 5, 5).toArray()]).toEqual([
      0, 0, 0, 0, 0,
      0, 0, 0, 0, 0,
      0, 0, 1, 0, 0,
      0, 0, 0, 0, 0,
      0, 0, 0, 0, 0,
    ])
    const wide: Damage = { shape: 'rectangle', centre: [0, 0], size: [1.1, 1.1] }
    expect(damageMask(key(0), wide, 1, 5, 5).toArray().filter(v => v === 1)).toHaveLength(9)
  })

  it('takes a half of the grid, in any direction', () => {
    const half = (angle: number, offset = 0): number[] =>
      [...damageMask(key(0), { shape: 'halfPlane', angle: [angle, angle], offset: [offset, offset] }, 1, 4, 4).toArray()]
    const where = (hit: (i: number, j: number) => boolean): number[] =>
      Array.from({ length: 16 }, (_, n) => +hit(Math.floor(n / 4), n % 4))
    expect(half(0)).toEqual(where((_, j) => j >= 2))
    expect(half(Math.PI)).toEqual(where((_, j) => j < 2))
    expect(half(Math.PI / 2)).toEqual(where(i => i >= 2))
    expect(half(0, 0.5)).toEqual(where((_, j) => j === 3))
  })

  it('turns a rectangle: a point is hit if, turned back, it lies in the upright one', () => {
    const at = (i: number): number => 2 * i / 8 - 1
    fc.assert(fc.property(fc.double({ min: -4, max: 4, noNaN: true }), fc.nat(99), (angle, n) => {
      const given: Damage = { shape: 'rectangle', centre: [-0.3, 0.3], size: [0.5, 1.5] }
      const mask = damageMask(key(n), { ...given, angle: [angle, angle] }, 1, 9, 9).toArray()
      const [cx, cy, width, height] = [0, 1, 2, 3].map(i => uniformAt(foldIn(key(n), 0), i))
        .map((u, i) => (i < 2 ? -0.3 + 0.6 * u : 0.5 + u))
      mask.forEach((hit, cell) => {
        const dx = at(cell % 9) - cx, dy = at(Math.floor(cell / 9)) - cy
        const length = Math.hypot(dx, dy), direction = Math.atan2(dy, dx) - angle
        const u = Math.abs(length * Math.cos(direction)) - width / 2, v = Math.abs(length * Math.sin(direction)) - height / 2
        if (Math.min(Math.abs(u), Math.abs(v)) > 1e-9) expect(hit).toBe(+(u < 0 && v < 0))
      })
      expect(damageMask(key(n), { ...given, angle: [0, 0] }, 1, 9, 9).toArray())
        .toEqual(damageMask(key(n), given, 1, 9, 9).toArray())
    }), { numRuns: 30 })
  })

  it('erases all channels of a cell', () => {
    const mask = tensor(new Uint32Array([1, 0]), { shape: [1, 1, 2] })
    expect([...erase(full([1, 1, 2, 3], 5), mask).toArray()]).toEqual([0, 0, 0, 5, 5, 5])
  })

  it('has a separate loss in each sample', () => {
    expect([...mse(tensor([[[[1, 3]]], [[[0, 0]]]]), tensor([[[0, 0]]])).toArray()]).toEqual([5, 0])
  })
})

describe('files', () => {
  it('bring a training state back bit for bit', async () => {
    const trainer = growingTrainer(options())
    const state = run(trainer, 4)
    const { state: back, metadata } = decodeCheckpoint(await encodeCheckpoint(state, { config: 'x' }))
    expect(metadata).toEqual({ config: 'x' })
    expect(numbers(back)).toEqual(numbers(state))
    expect(new Set(back.pool).size).toBe(new Set(state.pool).size)
    expect(numbers(trainer.step(back).state)).toEqual(numbers(trainer.step(state).state))
  })

  it('bring a model back', async () => {
    const params = mapTree(init(rule, key(1)), p => uniform(key(2), (p as Tensor).shape))
    const model = { rule, params, provenance: { target: '🦎' } }
    const back = decodeModel(await encodeModel(model))
    expect(back.rule).toEqual(rule)
    expect(back.provenance).toEqual(model.provenance)
    expect(numbers(back.params)).toEqual(numbers(params))
    expect(Object.keys(back.params.update)).toEqual(['w1', 'b1', 'w2', 'b2'])
  })

  it('are not written if they could not be read', async () => {
    const params = init(rule, key(1))
    const message = (model: unknown): Promise<string> =>
      encodeModel(model as Model).then(() => 'written', (e: Error) => e.message)
    const custom = customRule({ channels: { a: 1 }, init: () => null, step: (_, x) => x })
    expect(await message({ rule: custom, params: null, provenance: {} })).toMatchInlineSnapshot(
      `"encodeModel: the rule is not data (defineRule), and only data can be stored; keep the params of other rules with encodeCheckpoint or encodeSafetensors."`,
    )
    expect(await message({ rule: { ...rule, update: mlp(5) }, params, provenance: {} })).toMatchInlineSnapshot(
      `"encodeModel: params.update.w1 is a tensor [24,8] float32, expected a tensor [24,5] float32."`,
    )
    expect(await message({ rule, params, provenance: { rule: 'mine' } })).toMatchInlineSnapshot(
      `"encodeModel: provenance cannot be called rule, which the file uses itself."`,
    )
    expect(await message({ rule, params, provenance: { loss: 0.3 } })).toMatchInlineSnapshot(
      `"encodeModel: provenance.loss is 0.3, expected text."`,
    )
    expect(await message({ rule, params })).toMatchInlineSnapshot(
      `"encodeModel: provenance is undefined, expected an object of texts."`,
    )
  })

  it('name the file whose parts do not fit together', async () => {
    const state = run(growingTrainer(options()), 1)
    const { entries, metadata } = decodeSafetensors(await encodeCheckpoint(state))
    for (const [part, data] of [['cells', 42], ['slots', 99], ['ends', 1]] as const) {
      const broken = { ...entries[`pool.${part}`], data: entries[`pool.${part}`].data.map(() => data) }
      const bytes = encodeSafetensors({ ...entries, [`pool.${part}`]: broken }, metadata)
      expect(() => decodeCheckpoint(bytes, 'a.safetensors'), part)
        .toThrow('a.safetensors: the parts of its sample pool do not fit together.')
    }
    const model = decodeSafetensors(await encodeModel({ rule, params: init(rule, key(1)), provenance: {} }))
    const wrong = { ...model.metadata, rule: JSON.stringify({ ...rule, fireRate: 2 }) }
    expect(() => decodeModel(encodeSafetensors(model.entries, wrong), 'a.safetensors'))
      .toThrow('a.safetensors: rule: fireRate is 2, expected a number > 0, at most 1.')
  })

  it('say in one sentence what is wrong', async () => {
    const bytes = await encodeModel({ rule, params: init(rule, key(1)), provenance: {} })
    expect(() => decodeModel(bytes.slice(0, 50), 'a.safetensors')).toThrowErrorMatchingInlineSnapshot(
      `[Error: safetensors: a.safetensors: header of 992 bytes does not fit into 50 bytes]`,
    )
    expect(() => decodeCheckpoint(bytes, 'a.safetensors')).toThrowErrorMatchingInlineSnapshot(
      `[Error: a.safetensors is not a cellgrad checkpoint: its metadata says format "cellgrad model 1", expected "cellgrad checkpoint 1".]`,
    )
    const { entries, metadata } = decodeSafetensors(bytes)
    const narrow = encodeSafetensors(entries, { ...metadata, rule: JSON.stringify({ ...rule, update: mlp(5) }) })
    expect(() => decodeModel(narrow, 'a.safetensors')).toThrowErrorMatchingInlineSnapshot(
      `[Error: a.safetensors: params.update.w1 is a tensor [24,8] float32, expected a tensor [24,5] float32.]`,
    )
  })
})
