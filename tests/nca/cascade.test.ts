// Cascades: steps on coarse grids are those of rollouts there, frozen channels keep their resolution, and distant information is
// available in few steps.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  adam, cascade, checkGrad, concat, conditionalTask, conv, cpu, customRule, decodeCheckpoint, decodeModel, decodeSafetensors, defineRule, encodeCheckpoint, encodeLink,
  encodeModel, encodeSafetensors, evaluate, examplesOf, explain, exportHtml, foldIn, guided, imageToImageTask, init, key, mean, mlp, predict, recover, rollout,
  samplePool, setChannels, square, step, takeRole, taskTrainer, tensor, train, uncertainty, uniform, valueAndGrad, type Backend, type DataParams, type DataRule, type Tensor,
  type Trainer, type TrainerState,
} from '../../src/index.ts'
import type { Data } from '../../src/backends/backend.ts'
import { frozenChannels } from '../../src/nca/step.ts'
import { inside } from '../../studio/src/rooms/inside/commands.ts'
import { play } from '../../studio/src/rooms/play/commands.ts'
import { runs } from '../long.ts'
import { sentence } from '../tensor/values.ts'
import { distance } from './fused-scenes.ts'
import { scenes } from './random-rule.ts'

/** Means of blocks, and cells repeated, worked out cell by cell. */
function coarser(x: Tensor, scale: number): Tensor {
  const [b, h, w, c] = x.shape, data = x.toArray(), size = [b, h / scale, w / scale, c]
  const out = Array.from({ length: size.reduce((a, n) => a * n) }, (_, i) => {
    const [k, col, row, n] = [i % c, Math.floor(i / c) % size[2], Math.floor(i / c / size[2]) % size[1], Math.floor(i / c / size[2] / size[1])]
    let sum = 0
    for (let y = 0; y < scale; y++) for (let z = 0; z < scale; z++) sum += data[((n * h + row * scale + y) * w + col * scale + z) * c + k]
    return sum / scale ** 2
  })
  return tensor(out, { shape: size, dtype: x.dtype })
}

function finer(x: Tensor, scale: number, rule: DataRule, before: Tensor): Tensor {
  const [, h, w, c] = x.shape, data = x.toArray(), fine = before.toArray()
  const frozen = frozenChannels(rule, before).toArray()
  return tensor(Array.from(fine, (v, i) => {
    if (frozen[i % c]) return v
    const [col, row, n] = [Math.floor(i / c) % (w * scale), Math.floor(i / c / w / scale) % (h * scale), Math.floor(i / c / w / h / scale ** 2)]
    return data[((n * h + Math.floor(row / scale)) * w + Math.floor(col / scale)) * c + i % c]
  }), { shape: before.shape, dtype: before.dtype })
}

it('is rollouts on coarse grids, the coarsest first, and then one on the grid itself', () => {
  const steps = fc.integer({ min: 1, max: 3 })
  fc.assert(fc.property(scenes, steps, steps, fc.nat(2), ({ rule, params, x: some, n }, first, second, third) => {
    const x = uniform(key(n), [some.shape[0], 12, 12, some.shape[3]], { low: -0.5, high: 0.8, dtype: 'float64' })
    const stages = [{ scale: 4, steps: first }, { scale: 2, steps: second }]
    const got = rollout(cascade(rule, stages), params, x, key(n), { steps: first + second + third })
    const coarse = finer(rollout(rule, params, coarser(x, 4), key(n), { steps: first }), 4, rule, x)
    const middle = finer(rollout(rule, params, coarser(coarse, 2), key(n), { steps: second, from: first }), 2, rule, x)
    const expected = rollout(rule, params, middle, key(n), { steps: third, from: first + second })
    const [a, b] = [got.toArray(), expected.toArray()]
    a.forEach((v, i) => expect(Math.abs(v - b[i])).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(b[i]))))
  }), runs(30))
})

it('equals step after step bit for bit, with any readouts and wherever it is interrupted', () => {
  fc.assert(fc.property(scenes, fc.nat(2), fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }), ({ rule, params, x: some, n }, from, steps, at) => {
    const x = uniform(key(n), [some.shape[0], 12, 12, some.shape[3]], { low: -0.5, high: 0.8, dtype: 'float64' })
    const far = cascade(rule, [{ scale: 4, steps: 2 }, { scale: 3, steps: 3 }])
    const expected: Data[] = []
    let now = x
    for (let t = from; t < from + steps; t++) {
      now = step(far, params, now, { key: foldIn(key(n), t), t })
      expected.push(now.toArray())
    }
    const readouts = [at, steps, 1].filter(n => n <= steps)
    expect(rollout(far, params, x, key(n), { steps, readouts, from }).map(y => y.toArray())).toEqual(readouts.map(n => expected[n - 1]))
    const first = rollout(far, params, x, key(n), { steps: at, from })
    expect(rollout(far, params, first, key(n), { steps, from: from + at }).toArray()).toEqual(rollout(far, params, x, key(n), { steps: at + steps, from }).toArray())
  }), runs(15))
})

it('is made of a guided rule too: stage after stage, and step after step, of that rule', () => {
  fc.assert(fc.property(scenes.filter(({ rule }) => rule.frozen.length > 0), ({ rule, params, x: some, n }) => {
    const x = uniform(key(n), [some.shape[0], 12, 12, some.shape[3]], { low: -0.5, high: 0.8, dtype: 'float64' })
    const told = guided(rule, 2.5), stages = [{ scale: 4, steps: 2 }], far = cascade(told, stages)
    const got = rollout(far, params, x, key(n), { steps: 3 })
    const coarse = finer(rollout(told, params, coarser(x, 4), key(n), { steps: 2 }), 4, rule, x)
    const [a, b] = [got, rollout(told, params, coarse, key(n), { steps: 1, from: 2 })].map(y => y.toArray())
    a.forEach((v, i) => expect(Math.abs(v - b[i])).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(b[i]))))
    let now = x
    for (let t = 0; t < 3; t++) now = step(far, params, now, { key: foldIn(key(n), t), t })
    expect(a).toEqual(now.toArray())
    const [plain, same] = [rule, guided(rule, 1)].map(one => rollout(cascade(one, stages), params, x, key(n), { steps: 3 }))
    expect(same.toArray()).toEqual(plain.toArray())
  }), runs(15))
})

const rule = defineRule({
  channels: { input: 1, output: 1, hidden: 3 }, frozen: ['input'], perceive: ['identity', conv(8, { activation: 'tanh', bias: true })],
  update: mlp(12, { activation: 'tanh', lastStd: 0.1 }), fireRate: 1,
})

it('has derivatives by parameters', () => {
  const params = init(rule, key(2), { dtype: 'float64' })
  const x = uniform(key(3), [1, 4, 4, 5], { dtype: 'float64' })
  const loss = (p: DataParams): Tensor => mean(square(rollout(cascade(rule, [{ scale: 2, steps: 2 }]), p, x, key(1), { steps: 3 })))
  checkGrad(loss, params)
})

it('runs each of its stages fused if the rule does, with the same values and gradients', () => {
  const far = cascade(rule, [{ scale: 4, steps: 3 }, { scale: 2, steps: 2 }])
  const run = (backend: Backend): Data[] => {
    const x = uniform(key(3), [2, 8, 12, 5], { backend }), params = init(rule, key(2), { backend })
    const [y, grads] = valueAndGrad(({ params, x }: { params: DataParams; x: Tensor }) => mean(square(
      concat(rollout(far, params, x, key(1), { steps: 9, readouts: [2, 4, 5, 9] })))))({ params, x })
    return [y, grads.x, ...Object.values(grads.params.update), grads.params.perceive![0].kernel].map(t => t.toArray())
  }
  const own = cpu(), calls = { forward: 0, backward: 0 }
  const counted: Backend = {
    ...own,
    runner: {
      ...own.runner!,
      forward(...args) {
        calls.forward++
        return own.runner!.forward(...args)
      },
      backward(...args) {
        calls.backward++
        own.runner!.backward(...args)
      },
    },
  }
  const [got, expected] = [run(counted), run(cpu({ simd: false }))]
  got.forEach((values, i) => expect(distance(values, expected[i])).toBeLessThan(1e-4))
  expect(calls).toEqual({ forward: 3, backward: 3 })
  expect(explain(far)).toBe(explain(rule))
  expect(explain(far)).toMatch(/^fused: /)
  expect(explain(cascade(guided(rule, 2), [{ scale: 4, steps: 3 }]))).toMatch(/^composed of operators, because it is code: /)
})

it('writes inputs before each step, on coarse grids too', () => {
  const on = { dtype: 'float64' } as const
  const params = init(rule, key(2), on), x = uniform(key(3), [1, 4, 4, 5], on), wind = uniform(key(4), [1, 4, 4, 1], on)
  const far = cascade(rule, [{ scale: 2, steps: 1 }])
  const got = rollout(far, params, x, key(1), { steps: 2, inputs: () => ({ input: wind }) })
  expect(got.toArray()).toEqual(rollout(far, params, setChannels(rule, x, { input: wind }), key(1), { steps: 2 }).toArray())
})

it('learns about distant cells in few steps, and resumes from a checkpoint as if it had not been interrupted', async () => {
  // All 16×16 cells should become as bright as the upper left quarter of the image: 5 steps reach 5 cells, on the coarse grid all.
  const bright = [0.9, -0.9]
  const pictures = (value: (example: number, i: number) => number) =>
    examplesOf(Float32Array.from({ length: 2 * 256 }, (_, i) => value(Math.floor(i / 256), i % 256)), [16, 16, 1])
  const task = imageToImageTask(rule, {
    inputs: pictures((n, i) => (i % 16 < 8 && i < 128 ? bright[n] : 0)), outputs: pictures(n => bright[n]),
  })
  const far = cascade(rule, [{ scale: 4, steps: 4 }])
  const trainer = taskTrainer({ rule: far, task, batch: 4, steps: [5, 6], optimiser: adam({ rate: 1e-2 }), normalise: true })
  const go = async (iterations: number, from?: TrainerState<DataParams>): Promise<{ state: TrainerState<DataParams>; loss: number }> => {
    let last: { state: TrainerState<DataParams>; loss: number }
    for await (const { state, loss } of train(trainer, { iterations, state: from })) last = { state, loss }
    return last!
  }
  const half = decodeCheckpoint<DataParams>(await encodeCheckpoint((await go(5)).state), 'file', { trainer }).state
  const end = await go(10, half)
  expect(await encodeCheckpoint(end.state)).toEqual(await encodeCheckpoint((await go(10)).state))
  // A rule that sees 5 cells far knows at most 13² of the 256 cells; the others are best 0: a loss of 0.81 · (256 − 169)/256.
  expect((await go(60, end.state)).loss).toBeLessThan(0.81 * (256 - 169) / 256 / 4)
})

describe('a training that begins on coarse grids', () => {
  const stages = [{ scale: 4, steps: 2 }, { scale: 2, steps: 1 }]
  const pictures = (n: number) => examplesOf(uniform(key(n), [6, 8, 8, 1]).toArray(), [8, 8, 1])
  const task = imageToImageTask(rule, { inputs: pictures(1), outputs: pictures(2) })
  const base = { task, batch: 3, steps: [5, 7], pool: 6, reseed: 1, optimiser: adam({ rate: 1e-2 }) } as const
  const trained = (trainer: Trainer<TrainerState<DataParams>>): TrainerState<DataParams> => (
    [0, 1, 2].reduce(state => trainer.step(state).state, trainer.init(key(5))))
  const params = init(rule, key(7))

  it('is that of the cascade, which is a rule by itself', async () => {
    const [own, other] = [taskTrainer({ ...base, rule, cascade: stages }), taskTrainer({ ...base, rule: cascade(rule, stages) })]
    expect(await encodeCheckpoint(trained(own))).toEqual(await encodeCheckpoint(trained(other)))
    expect(await encodeCheckpoint(trained(own))).not.toEqual(await encodeCheckpoint(trained(taskTrainer({ ...base, rule }))))
    expect(own.note!()).toBe(null)
  })

  it('can change or drop the conditions of samples, and train only a part of the rule', async () => {
    const state = trained(taskTrainer({ ...base, rule, cascade: stages, mutated: 1, dropped: 0.3, trainable: 'last' }))
    expect([...state.params.update.w1.toArray()]).toEqual([...trained(taskTrainer({ ...base, rule, trainable: 'last' })).params.update.w1.toArray()])
    const changed = { ...base, mutated: 1, dropped: 0.3, damaged: 1 }
    const [own, other] = [taskTrainer({ ...changed, rule, cascade: stages }), taskTrainer({ ...changed, rule: cascade(rule, stages) })]
    expect(await encodeCheckpoint(trained(own))).toEqual(await encodeCheckpoint(trained(other)))
  })

  it('does not erase frozen channels when it damages samples, of whichever rule', () => {
    const ones = examplesOf(new Float32Array(6 * 64).fill(1), [8, 8, 1])
    const whole = { shape: 'circle', centre: [0, 0], radius: [3, 3] } as const
    for (const own of [rule, cascade(rule, stages), guided(rule, 2)]) {
      const trainer = taskTrainer({ ...base, rule: own, task: imageToImageTask(rule, { inputs: ones, outputs: pictures(2) }), damaged: 2, damage: whole })
      const { batch } = samplePool(trained(trainer).pool, key(0), 6)
      expect(takeRole(rule, batch, 'input').toArray().every(v => v === 1)).toBe(true)
    }
  })

  it('is refused where nothing lives in the mean of cells', () => {
    const living = defineRule({ channels: { rgba: 4, hidden: 2 }, perceive: ['identity'], update: mlp(4), living: { channel: 3, above: 0.1 }, padding: 'circular' })
    const growing = conditionalTask(living, uniform(key(1), [2, 8, 8, 4]), { role: 'hidden', cells: 'seed' })
    const trainer = taskTrainer({ rule: living, task: growing, batch: 2, steps: [4, 5], optimiser: adam(), cascade: [{ scale: 4, steps: 2 }] })
    expect(sentence(() => trainer.step(trainer.init(key(0))))).toBe(
      'cascade: scale is 4, expected one where cells live.')
    const wide = taskTrainer({ rule: living, task: growing, batch: 2, steps: [4, 5], optimiser: adam(), cascade: [{ scale: 2, steps: 2 }] })
    expect(Number.isFinite(wide.step(wide.init(key(0))).metrics.loss.toArray()[0])).toBe(true)
  })

  it('is judged, applied, perturbed and compared in the same stages as in training', async () => {
    const far = cascade(rule, stages), how = { steps: 6, key: key(3), batch: 4 }
    expect(predict(rule, task, params, { ...how, cascade: stages }).toArray()).toEqual(predict(far, task, params, how).toArray())
    expect(await evaluate(rule, task, params, { ...how, cascade: stages })).toEqual(await evaluate(far, task, params, how))
    expect(predict(rule, task, params, { ...how, cascade: stages }).toArray()).not.toEqual(predict(rule, task, params, how).toArray())
    const strong = predict(guided(rule, 2), task, params, { ...how, cascade: stages }).toArray()
    expect(strong).toEqual(predict(cascade(guided(rule, 2), stages), task, params, how).toArray())
    expect(strong).not.toEqual(predict(rule, task, params, { ...how, cascade: stages }).toArray())
    for (const compared of [{ runs: 2 }, { last: 2 }]) {
      expect(uncertainty(rule, task, params, { ...how, ...compared, cascade: stages }).std.toArray()).toEqual(uncertainty(far, task, params, { ...how, ...compared }).std.toArray())
    }
    const hurt = { by: 'mutation', perturb: 4, judge: 6, key: key(2) } as const
    const { before } = await recover(rule, task, params, { ...hurt, cascade: stages })
    const errors = await evaluate(far, task, params, { steps: 4, key: key(2) })
    expect(before).toBeCloseTo(errors.reduce((a, b) => a + b, 0) / errors.length, 6)
  })

  it('is recorded in the model file, which is refused by everything that has only one grid', async () => {
    const model = { rule, params, provenance: { grid: '8' }, cascade: stages }
    const bytes = await encodeModel(model), read = decodeModel(bytes, 'file')
    expect([read.cascade, read.provenance]).toEqual([stages, model.provenance])
    expect(await encodeModel(read)).toEqual(bytes)
    expect('cascade' in decodeModel(await encodeModel({ rule, params, provenance: {} }))).toBe(false)
    const { entries, metadata } = decodeSafetensors(bytes)
    for (const [text, says] of [['[{"scale":1,"steps":2}]', 'scale is 1'], ['[]', 'is []'], ['[', 'cascade']]) {
      expect(sentence(() => decodeModel(encodeSafetensors(entries, { ...metadata, cascade: text }), 'file'))).toMatch(new RegExp(`^file: .*${says.replaceAll(/[[\]]/g, String.raw`\$&`)}`))
    }
    await expect(encodeModel({ ...model, cascade: [{ scale: 0, steps: 1 }] })).rejects.toThrow('encodeModel: cascade')
    await expect(exportHtml(model)).rejects.toThrow('none: the cells of a page are on one grid.')
    await expect(encodeLink(model)).rejects.toThrow('none: what an address opens runs on one grid.')
    const engine = { backend: cpu(), tell: () => {}, isGone: () => false }
    expect(sentence(() => play.look(engine, { name: 'coarse', bytes })))
      .toBe('coarse: this rule begins on coarse grids (a cascade), and Play shows one grid; cellgrad grow plays it.')
    expect(sentence(() => inside.check(engine, { name: 'coarse', bytes })))
      .toBe('coarse: this rule begins on coarse grids (a cascade), and Look inside shows one grid; cellgrad grow plays it.')
  })

  it('is refused if no step is left on the grid itself, and for rules that are code', () => {
    expect([
      () => taskTrainer({ ...base, rule, cascade: stages, steps: [3, 9] }),
      () => taskTrainer({ ...base, rule, cascade: stages, warmUp: { iterations: 4, from: [2, 4] } }),
      () => taskTrainer({ ...base, rule: cascade(rule, stages), cascade: stages }),
      () => taskTrainer({ ...base, rule, cascade: [{ scale: 2, steps: 1 }, { scale: 2, steps: 1 }] }),
      () => predict(rule, task, params, { steps: 4, cascade: [{ scale: 3, steps: 1 }] }),
    ].map(sentence)).toMatchInlineSnapshot(`
      [
        "trainer: the number of steps in cascade is 3, expected fewer than the shortest rollout has, 3.",
        "trainer: the number of steps in cascade is 3, expected fewer than the shortest rollout has, 2.",
        "trainer: cascade is [{…}, {…}], expected null, for a rule that is code.",
        "trainer: cascade[1].scale is 2, expected less than in the stage before, 2.",
        "cascade: the size of the grid is "8×8", expected sides that are multiples of 3, the scale of a stage.",
      ]
    `)
  })
})

it('refuses scales that do not fall, grids that they do not divide, and masks of a coarse grid', () => {
  const params = init(rule, key(0)), x = uniform(key(1), [1, 6, 6, 5])
  const wrong = (...stages: unknown[]): string => sentence(() => cascade(rule, stages as never))
  expect(wrong()).toBe('cascade: stages is [], expected a list of stages, at least 1.')
  expect(wrong({ scale: 2, steps: 1 }, { scale: 4, steps: 1 })).toBe('cascade: stages[1].scale is 4, expected less than in the stage before, 2.')
  expect(wrong({ scale: 1, steps: 1 })).toBe('cascade: stages[0].scale is 1, expected a whole number from 2 to 4096.')
  expect(wrong({ by: 2, steps: 1 })).toContain('cascade.stages[0]: there is no option "by"')
  expect(sentence(() => rollout(cascade(rule, [{ scale: 4, steps: 1 }]), params, x, key(0), { steps: 1 })))
    .toBe('cascade: the size of the grid is "6×6", expected sides that are multiples of 4, the scale of a stage.')
  for (const one of [cascade(rule, [{ scale: 2, steps: 1 }]), customRule({ channels: { rgb: 3 }, init: () => ({}), step: (_, x) => x })]) {
    expect(sentence(() => cascade(one as never, [{ scale: 2, steps: 1 }]))).toMatch(/^cascade: the rule is .*, expected one of defineRule, or of guided\.$/)
  }
  const masks = [tensor(new Uint32Array(36), { shape: [1, 6, 6] })]
  expect(sentence(() => rollout(cascade(rule, [{ scale: 2, steps: 1 }]), params, x, key(0), { steps: 1, masks }))).toContain('cascade: mask is a tensor [1,6,6] uint32, expected none')
})
