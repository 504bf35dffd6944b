// Cascades: steps on coarse grids are those of rollouts there, frozen channels stay as fine as they are, and what is far away is
// learnt of in few steps.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  adam, cascade, checkGrad, conv, decodeCheckpoint, defineRule, encodeCheckpoint, examplesOf, imageToImageTask, init, key, mean, mlp,
  rollout, square, taskTrainer, tensor, train, uniform, type DataParams, type DataRule, type Tensor, type TrainerState,
} from '../../src/index.ts'
import { frozenChannels } from '../../src/nca/step.ts'
import { runs } from '../long.ts'
import { sentence } from '../tensor/values.ts'
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

it('learns in few steps of what is far away, and goes on from a checkpoint as if it had not been interrupted', async () => {
  // All cells of 16×16 are to be as bright as the left upper quarter of the image: 5 steps reach 5 cells, on the coarse grid all.
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
  // Of the 256 cells a rule that sees 5 cells far knows at most 13²; the others are best 0: a loss of 0.81 · (256 − 169)/256.
  expect((await go(60, end.state)).loss).toBeLessThan(0.81 * (256 - 169) / 256 / 4)
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
  const masks = [tensor(new Uint32Array(36), { shape: [1, 6, 6] })]
  expect(sentence(() => rollout(cascade(rule, [{ scale: 2, steps: 1 }]), params, x, key(0), { steps: 1, masks }))).toContain('cascade: mask is a tensor [1,6,6] uint32, expected none')
})
