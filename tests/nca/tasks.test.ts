// Tasks: their seeds and losses, worked out by loops; that their gradients are right; and that
// rules learn them.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  adam, add, checkGrad, classificationTask, colours, conditionalTask, conv, defineRule, examplesOf, eye, gather, grad, growingTask, growingTrainer,
  imageToImageTask, init, key, l1, mapTree, mlp, patchTransport, rollout, splitExamples, sum, taskTrainer, tensor,
  textureTask, train, trajectoryTask, uniform, videoTask, zeros, type DataRule, type Examples, type Task, type Tensor,
  type TrainerOptions,
} from '../../src/index.ts'
import { drawBatch, firstPool } from '../../src/nca/training/batch.ts'
import { complete } from '../../src/nca/training/trainer-options.ts'
import { foldIn } from '../../src/tensor/key.ts'
import { normal } from '../../src/tensor/ops/random.ts'
import { sentence } from '../tensor/values.ts'

const upTo = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max })
const perceive = ['identity', 'sobelX', 'sobelY'] as const
const update = mlp(12, { activation: 'tanh', lastStd: 0.05 })

/** Numbers from −1 to 1. */
function draw(n: number, shape: readonly number[]): Tensor {
  return uniform(key(n), shape, { low: -1, high: 1, dtype: 'float64' })
}

/** The numbers of an array `[…]` by their indices. */
function reader(t: Tensor): (...at: number[]) => number {
  const data = t.toArray()
  return (...at) => data[at.reduce((sum, i, axis) => sum * t.shape[axis] + i, 0)]
}

/** All indices of a box, in order. */
function places(...box: number[]): number[][] {
  return box.reduce<number[][]>((list, n) => list.flatMap(at => Array.from({ length: n }, (_, i) => [...at, i])), [[]])
}

const total = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0)
const mean = (list: readonly number[]): number => total(list) / list.length

function expectNear(got: Tensor, expected: readonly number[]): void {
  expect(got.shape).toEqual([expected.length])
  expected.forEach((v, i) => expect(got.toArray()[i]).toBeCloseTo(v, 10))
}

/** Asserts that a task begins with states of these numbers. */
function expectSeeds(task: Task, ids: number[], shape: number[], value: (...at: number[]) => number): void {
  const seeds = task.seeds(ids)
  expect(seeds.shape).toEqual([ids.length, ...shape])
  expect([...seeds.toArray()]).toEqual(places(ids.length, ...shape).map(at => value(...at)))
}

const someIds = (n: number): fc.Arbitrary<number[]> => fc.array(fc.nat(n - 1), { minLength: 1, maxLength: 4 })
const sizes = fc.record({ k: upTo(3), h: upTo(4), w: upTo(4), n: fc.nat(2 ** 31) })
  .chain(rest => someIds(rest.k).map(ids => ({ ...rest, ids })))

describe('growing', () => {
  it('starts from one living cell; its loss is the mean squared error of colours and alpha', () => {
    fc.assert(fc.property(sizes, ({ h, w, n, ids }) => {
      const rule = defineRule({ channels: { rgba: 4, hidden: 2 }, perceive, update })
      const target = draw(n, [h, w, 4])
      const task = growingTask(rule, target)
      expect(task.examples).toBe(1)
      expectSeeds(task, ids, [h, w, 6], (_, i, j, c) => +(i === h >> 1 && j === w >> 1 && c >= 3))
      const x = draw(n + 1, [2, h, w, 6])
      const [at, want] = [reader(x), reader(target)]
      expectNear(task.loss(x, [0, 0], key(0)), [0, 1].map(b =>
        mean(places(h, w, 4).map(([i, j, c]) => (at(b, i, j, c) - want(i, j, c)) ** 2))))
    }))
  })
})

describe('tasks that grow from living cells', () => {
  const rule = defineRule({ channels: { rgba: 4, hidden: 1, goal: 2 }, frozen: ['goal'], perceive, update })
  const makers = {
    growingTask: (h: number, w: number, options: object) => growingTask(rule, draw(1, [h, w, 4]), options),
    trajectoryTask: (h: number, w: number, options: object) => trajectoryTask(rule, draw(1, [3, h, w, 4]), options),
    conditionalTask: (h: number, w: number, options: object) => conditionalTask(rule, draw(1, [2, h, w, 4]), { role: 'goal', ...options }),
  }

  it.each(Object.entries(makers))('%s begins with these, one or several', (name, make) => {
    const scenes = fc.tuple(upTo(4), upTo(5)).chain(([h, w]) => fc.record({
      h: fc.constant(h), w: fc.constant(w), cells: fc.array(fc.tuple(fc.nat(h - 1), fc.nat(w - 1)), { minLength: 1, maxLength: 3 }),
    }))
    fc.assert(fc.property(scenes, fc.boolean(), ({ h, w, cells }, several) => {
      const living = several ? cells : cells.slice(0, 1), ids = [0, 0]
      expectSeeds(make(h, w, { at: several ? cells : cells[0] }), ids, [h, w, 7], (_b, i, j, c) => {
        if (name === 'conditionalTask' && c >= 5) return +(c === 5)
        return +(c >= 3 && living.some(([y, x]) => y === i && x === j))
      })
    }))
  })

  it.each(Object.entries(makers))('%s refuses cells outside of its grid, and misspelt options, at once', (name, make) => {
    expect(sentence(() => make(3, 4, { at: [3, 0] }))).toBe('seed: cell (3, 0) is outside of a grid of 3×4 cells.')
    expect(sentence(() => make(3, 4, { at: [[1, 2], [1]] }))).toBe('seed: at[1] is [1], expected two whole numbers, [row, column].')
    expect(sentence(() => make(3, 4, { living: [1, 2] }))).toContain(`${name}: there is no option "living"; `)
  })

  it('growingTrainer takes them too', () => {
    const options = { rule, target: tensor(new Float32Array(24).fill(1), { shape: [2, 3, 4] }), batch: 1, steps: [1, 2], optimiser: adam(), pool: 1 } as const
    const [slot] = growingTrainer({ ...options, at: [[0, 0], [1, 2]] }).init(key(0)).pool
    expect([...slot.toArray()].filter((_, i) => i % 7 === 3)).toEqual([1, 0, 0, 0, 0, 1])
    expect(sentence(() => growingTrainer({ ...options, at: [2, 0] }))).toBe('seed: cell (2, 0) is outside of a grid of 2×3 cells.')
  })
})

describe('conditional growing', () => {
  it('says which targets share a condition, so that a mutation always changes it', () => {
    const rule = defineRule({ channels: { rgba: 4, hidden: 1, condition: 3 }, frozen: ['condition'], perceive, update })
    const labelled = fc.array(fc.nat(2), { minLength: 4, maxLength: 9 }).filter(labels => new Set(labels).size > 1)
    fc.assert(fc.property(labelled, fc.nat(2 ** 31), (labels, n) => {
      const codes = gather(eye(3), labels, 0), k = labels.length
      const task = conditionalTask(rule, zeros([k, 2, 2, 4]), { codes })
      labels.forEach((label, i) => expect(task.kind!(i) === task.kind!(0)).toBe(label === labels[0]))
      const all = complete('test', { rule, task, batch: 4, steps: [1, 2], optimiser: adam(), pool: k, mutated: 4 })
      const examples = labels.map((_, i) => i)
      const { x, slots } = drawBatch(all, { pool: firstPool(all, examples, key(0)), examples, iteration: 0 }, { slots: key(n), damage: key(1), loss: key(2) })
      const at = reader(x)
      slots.forEach((slot, i) => expect(at(i, 1, 0, 5 + labels[slot])).toBe(0))
    }))
    expect(conditionalTask(rule, zeros([3, 2, 2, 4])).kind).toBeUndefined()
  })

  it('has the condition in all cells of the seed, and is compared with its target', () => {
    fc.assert(fc.property(sizes, fc.boolean(), ({ k, h, w, n, ids }, own) => {
      // A role of another name, among the others, with codes of their own; or unit vectors.
      const rule = own
        ? defineRule({ channels: { rgba: 4, goal: 2, hidden: 1 }, frozen: ['goal'], perceive, update })
        : defineRule({ channels: { rgba: 4, hidden: 1, condition: k }, frozen: ['condition'], perceive, update })
      const targets = draw(n, [k, h, w, 4])
      const codes = draw(n + 1, [k, 2])
      const task = conditionalTask(rule, targets, own ? { role: 'goal', codes } : {})
      expect(task.examples).toBe(k)
      const first = own ? 4 : 5, count = own ? 2 : k, code = reader(codes)
      expectSeeds(task, ids, [h, w, 5 + count], (b, i, j, c) => {
        const q = c - first
        if (q >= 0 && q < count) return own ? code(ids[b], q) : +(q === ids[b])
        return +(i === h >> 1 && j === w >> 1 && c >= 3)
      })
      const x = draw(n + 2, [ids.length, h, w, 5 + count])
      const [at, want] = [reader(x), reader(targets)]
      expectNear(task.loss(x, ids, key(0)), ids.map((id, b) =>
        mean(places(h, w, 4).map(([i, j, c]) => (at(b, i, j, c) - want(id, i, j, c)) ** 2))))
    }))
  })

  it('has the condition only in the seed, if that is to be a coloured seed', () => {
    const rule = defineRule({ channels: { rgba: 4, hidden: 3 }, perceive, update })
    fc.assert(fc.property(sizes, ({ k, h, w, n, ids }) => {
      const codes = draw(n, [k, 3]), code = reader(codes)
      const task = conditionalTask(rule, draw(n + 1, [k, h, w, 4]), { role: 'hidden', cells: 'seed', codes })
      expectSeeds(task, ids, [h, w, 7], (b, i, j, c) => {
        if (i !== h >> 1 || j !== w >> 1) return 0
        return c < 4 ? +(c === 3) : code(ids[b], c - 4)
      })
    }))
  })

  it('says what does not fit', () => {
    const rule = defineRule({ channels: { rgba: 4, condition: 2 }, frozen: ['condition'], perceive, update })
    const targets = zeros([2, 3, 3, 4])
    const lib = conditionalTask as unknown as (...args: unknown[]) => Task
    expect([
      () => lib(rule, [targets]),
      () => lib(rule, zeros([3, 3, 4])),
      () => lib(rule, zeros([3, 3, 3, 4])),
      () => lib(rule, targets, { codes: [[1, 0], [0, 1]] }),
      () => lib(rule, targets, { codes: zeros([2, 3]) }),
      () => lib(rule, targets, { code: zeros([2, 2]) }),
      () => lib(rule, targets, { role: 'goal' }),
      () => lib(defineRule({ ...rule, frozen: [] }), targets),
      () => lib(rule, targets, { cells: 'seed' }),
      () => lib(rule, targets, { cells: 'some' }),
    ].map(sentence)).toMatchInlineSnapshot(`
      [
        "conditionalTask: targets is a Array, expected a tensor.",
        "conditionalTask: targets must be [k,h,w,4]; targets [3,3,4].",
        "conditionalTask: channels.condition is 2, expected 3, one for each example.",
        "conditionalTask: codes is [[…], […]], expected a tensor.",
        "conditionalTask: codes is a tensor [2,3] float32, expected a tensor [2,2].",
        "conditionalTask: there is no option "code"; did you mean "codes"?",
        "rule: the role is "goal", expected one of rgba, condition.",
        "conditionalTask: the role condition must be frozen in the rule; add it to frozen.",
        "conditionalTask: cells is "seed", expected 'all' for the frozen role condition.",
        "conditionalTask: cells is "some", expected 'all' or 'seed'.",
      ]
    `)
  })
})

/** log Σ exp of some numbers. */
const logSum = (list: readonly number[]): number => Math.log(total(list.map(Math.exp)))

describe('classification', () => {
  const scenes = fc.record({
    sizes, m: upTo(2), classes: upTo(3), masked: fc.constantFrom(null, 0, 1),
    loss: fc.constantFrom('mse', 'mean', 'cells', 'image', undefined),
  })

  it('shows the image, and judges the cells where there is something to see', () => {
    fc.assert(fc.property(scenes, ({ sizes: { k, h, w, n, ids }, m, classes, masked, loss }) => {
      const inputMask = masked === null ? null : { channel: 1 + masked % m, above: 0.1 }
      const rule = defineRule({
        channels: { hidden: 1, image: m, classes }, frozen: ['image'], inputMask, perceive, update,
      })
      const images = draw(n, [k, h, w, m])
      const labels = Uint8Array.from({ length: k }, (_, i) => (n + i) % classes)
      const data = { ...examplesOf(images.toArray(), [h, w, m]), labels }
      const task = classificationTask(rule, data, { dtype: 'float64', ...(loss ? { loss } : {}) })
      expect(task.examples).toBe(k)
      const [pixel, channels] = [reader(images), 1 + m + classes]
      expectSeeds(task, ids, [h, w, channels], (b, i, j, c) => (c >= 1 && c <= m ? pixel(ids[b], i, j, c - 1) : 0))
      const x = draw(n + 1, [ids.length, h, w, channels])
      const at = reader(x)
      expectNear(task.loss(x, ids, key(0)), ids.map((id, b) => {
        if (loss === 'mean') {
          return mean(places(h, w, classes).map(([i, j, q]) => (at(b, i, j, 1 + m + q) - +(q === labels[id])) ** 2))
        }
        const seen = places(h, w).filter(([i, j]) => !inputMask || at(b, i, j, inputMask.channel) > 0.1)
        const scores = seen.map(([i, j]) => Array.from({ length: classes }, (_, q) => at(b, i, j, 1 + m + q)))
        if (loss === 'mse') return total(scores.flatMap(y => y.map((v, q) => (v - +(q === labels[id])) ** 2 / 2)))
        if (seen.length === 0) return 0
        const votes = Array.from({ length: classes }, (_, q) => mean(scores.map(y => y[q])))
        const asked = loss === 'image' ? [votes] : scores
        return mean(asked.map(y => logSum(y) - y[labels[id]]))
      }))
    }), { numRuns: 60 })
  })

  it('judges a state with NaN, except in cells that do not count, which have no gradient', () => {
    const data = { ...examplesOf(new Float32Array([1, 0]), [1, 2, 1]), labels: [1] }
    for (const loss of ['mse', 'mean', 'cells', 'image'] as const) {
      const all = defineRule({ channels: { image: 1, classes: 2 }, frozen: ['image'], perceive, update })
      const state = (seen: number): Tensor => tensor([seen, 1, 2, 0, NaN, NaN], { shape: [1, 1, 2, 3] })
      const worth = (rule: DataRule, x: Tensor): Tensor => classificationTask(rule, data, { loss }).loss(x, [0], key(0))
      expect(worth(all, state(1)).toArray()[0]).toBeNaN()
      expect(worth(all, state(NaN)).toArray()[0]).toBeNaN()
      const some = defineRule({ ...all, inputMask: { channel: 0, above: 0.1 } })
      const hidden = [...grad((x: Tensor) => sum(worth(some, x)))(state(1)).toArray()].slice(3)
      // Equation 7 has no mask: all cells count, even those that see nothing.
      if (loss === 'mean') expect([worth(some, state(1)).toArray()[0], ...hidden]).toEqual([NaN, 0, NaN, NaN])
      else {
        expect(worth(some, state(1)).toArray()[0]).toBeLessThan(3)
        expect(hidden).toEqual([0, 0, 0])
      }
    }
  })

  it('may have other names for its roles', () => {
    const rule = defineRule({ channels: { kind: 2, photo: 1 }, frozen: ['photo'], perceive, update })
    const data = { ...examplesOf(new Float32Array([1, 2]), [1, 2, 1]), labels: [1] }
    const task = classificationTask(rule, data, { image: 'photo', classes: 'kind' })
    expect([...task.seeds([0]).toArray()]).toEqual([0, 0, 1, 0, 0, 2])
    expect(task.loss(task.seeds([0]), [0], key(0)).toArray()[0]).toBeCloseTo(Math.log(2), 6)
  })

  it('says what does not fit', () => {
    const rule = defineRule({ channels: { image: 1, classes: 2 }, frozen: ['image'], perceive, update })
    const lib = classificationTask as unknown as (...args: unknown[]) => Task
    const data = { ...examplesOf(new Float32Array(8), [2, 2, 1]), labels: [0, 1] }
    expect([
      () => lib(rule, { ...data, labels: [0] }),
      () => lib(rule, { ...data, labels: [0, 2] }),
      () => lib(rule, { ...data, labels: [0, 0.5] }),
      () => lib(rule, { ...data, shape: [2, 2] }),
      () => lib(rule, { ...data, n: 0 }),
      () => lib(rule, { ...data, of: [1] }),
      () => lib(rule, data, { loss: 'hinge' }),
      () => lib(rule, data, { classes: 'digits' }),
      () => lib(rule, data, { losses: 'mse' }),
      () => lib(defineRule({ ...rule, frozen: [] }), data),
      () => lib(rule, { ...examplesOf(new Float32Array(16), [2, 2, 2]), labels: [0, 1] }),
    ].map(sentence)).toMatchInlineSnapshot(`
      [
        "classificationTask: the number of labels is 1, expected 2, that of the images.",
        "classificationTask: a label is 2, expected a whole number from 0 to 1.",
        "classificationTask: a label is 0.5, expected a whole number from 0 to 1.",
        "classificationTask: images.shape is [2, 2], expected 3 whole numbers > 0.",
        "classificationTask: images.n is 0, expected a whole number > 0.",
        "classificationTask: images.of is [1], expected a function; make one with examplesOf(data, shape).",
        "classificationTask: loss is "hinge", expected 'mse', 'mean', 'cells', 'image' or 'head'.",
        "rule: the role is "digits", expected one of image, classes.",
        "classificationTask: there is no option "losses"; did you mean "loss"?",
        "classificationTask: the role image must be frozen in the rule; add it to frozen.",
        "classificationTask: channels of the images is 2, expected 1, as image.",
      ]
    `)
  })
})

describe('image to image', () => {
  it('shows the input, and compares the output with the target', () => {
    fc.assert(fc.property(sizes, upTo(2), upTo(2), fc.boolean(), ({ k, h, w, n, ids }, m, o, own) => {
      const rule = own
        ? defineRule({ channels: { depth: o, hidden: 1, photo: m }, frozen: ['photo'], perceive, update })
        : defineRule({ channels: { output: o, hidden: 1, input: m }, frozen: ['input'], perceive, update })
      const [from, to] = [draw(n, [k, h, w, m]), draw(n + 1, [k, h, w, o])]
      const pairs = { inputs: examplesOf(from.toArray(), [h, w, m]), outputs: examplesOf(to.toArray(), [h, w, o]) }
      const task = imageToImageTask(rule, pairs, {
        dtype: 'float64', ...(own ? { input: 'photo', output: 'depth', loss: l1 } : {}),
      })
      expect(task.examples).toBe(k)
      const [pixel, want] = [reader(from), reader(to)]
      expectSeeds(task, ids, [h, w, m + o + 1], (b, i, j, c) => (c > o ? pixel(ids[b], i, j, c - o - 1) : 0))
      const x = draw(n + 2, [ids.length, h, w, m + o + 1])
      const at = reader(x)
      expectNear(task.loss(x, ids, key(0)), ids.map((id, b) => mean(places(h, w, o).map(([i, j, q]) => {
        const gap = at(b, i, j, q) - want(id, i, j, q)
        return own ? Math.abs(gap) : gap ** 2
      }))))
    }))
  })

  it('says what does not fit', () => {
    const rule = defineRule({ channels: { input: 1, output: 2 }, frozen: ['input'], perceive, update })
    const lib = imageToImageTask as unknown as (...args: unknown[]) => Task
    const of = (n: number, ...shape: number[]): Examples => 
      examplesOf(new Float32Array(shape.reduce((a, b) => a * b, n)), shape)
    const inputs = of(3, 2, 2, 1), outputs = of(3, 2, 2, 2)
    expect([
      () => lib(rule, { inputs: outputs, outputs }),
      () => lib(rule, { inputs, outputs: inputs }),
      () => lib(rule, { inputs, outputs: of(2, 2, 2, 2) }),
      () => lib(rule, { inputs, outputs: of(3, 2, 3, 2) }),
      () => lib(rule, { inputs, outputs }, { input: 'output' }),
      () => lib(rule, { inputs, outputs }, { inputs: 'input' }),
      () => examplesOf(new Float32Array(7), [2, 2, 1]),
      () => videoTask(rule, of(1, 5, 2, 2), 0),
      () => videoTask(rule, of(1, 3, 2, 2), 2),
      () => videoTask(rule, of(1, 4, 2, 2), 1),
    ].map(sentence)).toMatchInlineSnapshot(`
      [
        "imageToImageTask: channels of the inputs is 2, expected 1, as input.",
        "imageToImageTask: channels of the outputs is 1, expected 2, as output.",
        "imageToImageTask: the outputs are 2 of 2×2, expected 3 of 2×2, as the inputs.",
        "imageToImageTask: the outputs are 3 of 2×3, expected 3 of 2×2, as the inputs.",
        "imageToImageTask: the role output must be frozen in the rule; add it to frozen.",
        "imageToImageTask: there is no option "inputs"; did you mean "input"?",
        "examplesOf: the length of data is 7, expected a multiple of 4, 2×2×1.",
        "videoTask: k is 0, expected a whole number > 0.",
        "videoTask: the number of frames is 3, expected at least 4.",
        "imageToImageTask: channels of the outputs is 1, expected 2, as output.",
      ]
    `)
  })
})

describe('texture', () => {
  it('begins with zeros, and compares patches and overflow beyond [−1, 1]', () => {
    const side = fc.integer({ min: 4, max: 6 })
    const scenes = fc.record({ h: side, w: side, n: fc.nat(2 ** 31), own: fc.boolean() })
    fc.assert(fc.property(scenes, ({ h, w, n, own }) => {
      const rule = defineRule({ channels: { rgb: 3, hidden: 2 }, perceive, update })
      const texture = draw(n, [6, 5, 3])
      const how = { size: 2, levels: 2, projections: 4 }
      const task = textureTask(rule, texture, { ...how, ...(own ? { grid: [h, w] } : {}) })
      const grid = own ? [h, w] : [6, 5]
      expect(task.examples).toBe(1)
      expectSeeds(task, [0, 0], [...grid, 5], () => 0)
      const x = uniform(key(n + 1), [2, ...grid, 5], { low: -2, high: 2, dtype: 'float64' })
      const at = reader(x)
      const shown = tensor(Float64Array.from(places(2, ...grid, 3), at3 => at(...at3) + 0.5), { shape: [2, ...grid, 3] })
      expect([...colours(x).toArray()]).toEqual([...shown.toArray()])
      const gaps = patchTransport(shown, texture, key(n + 2), how).toArray()
      expectNear(task.loss(x, [0, 0], key(n + 2)), [0, 1].map(b =>
        gaps[b] + mean(places(...grid, 5).map(at4 => Math.max(0, Math.abs(at(b, ...at4)) - 1)))))
      expect(task.loss(x, [0, 0], key(n + 3)).toArray()).not.toEqual(task.loss(x, [0, 0], key(n + 2)).toArray())
    }))
  })

  it('has a range for each role, if there are any', () => {
    const rule = defineRule({ channels: { rgb: 3, hidden: 2 }, perceive, update })
    const how = { size: 2, levels: 1, projections: 4 }
    fc.assert(fc.property(fc.nat(2 ** 31), fc.double({ min: -1, max: 1, noNaN: true }), (n, low) => {
      const texture = draw(n, [4, 4, 3]), x = uniform(key(n + 1), [1, 4, 4, 5], { low: -2, high: 2, dtype: 'float64' })
      const of = (options: object): number => textureTask(rule, texture, { ...how, ...options }).loss(x, [0], key(2)).toArray()[0]
      const at = reader(x), gap = patchTransport(colours(x), texture, key(2), how).toArray()[0]
      const beyond = (from: number, to: number, a: number, b: number): number => mean(places(4, 4, to - from).map(
        ([i, j, c]) => Math.max(0, a - at(0, i, j, from + c), at(0, i, j, from + c) - b)))
      expect(of({ ranges: { hidden: [low, 1.5] } })).toBeCloseTo(gap + beyond(3, 5, low, 1.5), 10)
      expect(of({ ranges: { hidden: [low, 1.5], rgb: [-0.5, 0.5] } })).toBeCloseTo(gap + beyond(3, 5, low, 1.5) + beyond(0, 3, -0.5, 0.5), 10)
    }))
  })

  it('says what does not fit', () => {
    const rule = defineRule({ channels: { rgb: 3, hidden: 2 }, perceive, update })
    const lib = textureTask as unknown as (...args: unknown[]) => Task
    expect([
      () => lib(rule, zeros([8, 8, 4])),
      () => lib(rule, zeros([8, 8, 3]), { grid: 8 }),
      () => lib(rule, zeros([8, 8, 3]), { grid: [8, 0] }),
      () => lib(rule, zeros([8, 8, 3]), { patches: 5 }),
      () => lib(rule, zeros([8, 8, 3]), { ranges: {} }),
      () => lib(rule, zeros([8, 8, 3]), { ranges: { rgb: [1, 0] } }),
      () => lib(rule, zeros([8, 8, 3]), { ranges: { rgba: [0, 1] } }),
    ].map(sentence)).toMatchInlineSnapshot(`
      [
        "textureTask: the texture must be [h,w,3]; texture [8,8,4]. takeChannels(image, 0, 3) leaves alpha out.",
        "textureTask: grid is 8, expected two whole numbers > 0, rows and columns.",
        "textureTask: grid is [8, 0], expected two whole numbers > 0, rows and columns.",
        "textureTask: there is no option "patches"; there are ranges, grid, projections, size, levels.",
        "textureTask: ranges is {}, expected a range for each of some roles, like { rgb: [0, 1] }.",
        "textureTask: ranges.rgb is [1, 0], expected two numbers, the first at most the second.",
        "rule: the role is "rgba", expected one of rgb, hidden; did you mean "rgb"?",
      ]
    `)
  })
})

describe('the split of examples', () => {
  it('has each once, in the given share', () => {
    fc.assert(fc.property(upTo(50), fc.double({ min: 0.01, max: 0.99, noNaN: true }), fc.nat(), (n, share, k) => {
      const { train, test } = splitExamples(key(k), n, share)
      expect(test).toHaveLength(Math.round(n * share))
      expect([...train, ...test].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i))
    }))
    fc.assert(fc.property(fc.array(fc.nat(3), { minLength: 4, maxLength: 60 }), fc.double({ min: 0.1, max: 0.9, noNaN: true }), fc.nat(), (labels, share, k) => {
      const n = labels.length
      const { train, test } = splitExamples(key(k), n, share, { labels })
      expect([...train, ...test].sort((a, b) => a - b)).toEqual(labels.map((_, i) => i))
      expect(test.length).toBe(Math.round(n * share))
      for (const label of new Set(labels)) {
        const wanted = (labels.filter(l => l === label).length * test.length) / n
        expect(Math.abs(test.filter(id => labels[id] === label).length - wanted)).toBeLessThanOrEqual(1)
      }
    }))
    expect(splitExamples(key(1), 50, 0.5)).not.toEqual(splitExamples(key(2), 50, 0.5))
    expect(() => splitExamples(key(0), 10, 20)).toThrow('splitExamples: share is 20, expected a number from 0 to 1.')
  })
})

// Small tasks that can be learned in a moment, on grids of 6×6.

const side = 6
/** Numbers of k images of `channels` numbers a cell. */
function pictures(k: number, channels: number, value: (...at: number[]) => number): Float32Array {
  return Float32Array.from(places(k, side, side, channels), at => value(...at))
}

const conditional = (dtype: 'float32' | 'float64'): [DataRule, Task] => {
  const rule = defineRule({
    channels: { rgba: 4, hidden: 4, condition: 2 }, frozen: ['condition'], perceive, update, fireRate: 0.5,
  })
  // The left half red, or the right half green.
  const targets = pictures(2, 4, (k, _, j, c) => +((k === 0 ? j < 3 : j >= 3) && (c === k || c === 3)))
  return [rule, conditionalTask(rule, tensor(targets, { shape: [2, side, side, 4], dtype }))]
}

const classes = (dtype: 'float32' | 'float64'): [DataRule, Task] => {
  const rule = defineRule({
    channels: { image: 1, classes: 2, hidden: 4 }, frozen: ['image'], inputMask: { channel: 0, above: 0.1 },
    perceive: [conv(12, { bias: true, activation: 'tanh' })], update, fireRate: 0.5,
  })
  // A bar across, or down, in each of the places.
  const images = pictures(2 * side, 1, (k, i, j) => +(k < side ? i === k : j === k - side))
  const labels = Array.from({ length: 2 * side }, (_, k) => +(k >= side))
  return [rule, classificationTask(rule, { ...examplesOf(images, [side, side, 1]), labels }, { dtype })]
}

const shifted = (dtype: 'float32' | 'float64'): [DataRule, Task] => {
  const rule = defineRule({ channels: { input: 1, output: 1, hidden: 3 }, frozen: ['input'], perceive, update })
  // What lies to the left of each cell.
  const noise = uniform(key(5), [8, side, side + 1]).toArray()
  const from = pictures(8, 1, (k, i, j) => noise[(k * side + i) * (side + 1) + j + 1])
  const to = pictures(8, 1, (k, i, j) => noise[(k * side + i) * (side + 1) + j])
  const pairs = { inputs: examplesOf(from, [side, side, 1]), outputs: examplesOf(to, [side, side, 1]) }
  return [rule, imageToImageTask(rule, pairs, { dtype })]
}

const moving = (dtype: 'float32' | 'float64'): [DataRule, Task] => {
  const rule = defineRule({
    channels: { input: 2, output: 2, hidden: 2 }, frozen: ['input'], perceive, update, padding: 'circular',
  })
  // A bar that moves by a cell in each frame.
  const frames = Float32Array.from(places(6, side, side), ([t, , j]) => +(j === t % side))
  return [rule, videoTask(rule, examplesOf(frames, [6, side, side]), 2, { dtype })]
}

const stripes = (dtype: 'float32' | 'float64'): [DataRule, Task] => {
  const rule = defineRule({ channels: { rgb: 3, hidden: 5 }, perceive, update, noise: { on: 'change', std: 0.02 } })
  const texture = Float32Array.from(places(8, 8, 3), ([, j, c]) => (c === 0 ? 1 : +(j % 4 < 2)))
  const how = { size: 3, levels: 1, projections: 16, grid: [8, 8] } as const
  return [rule, textureTask(rule, tensor(texture, { shape: [8, 8, 3], dtype }), how)]
}

const all = { conditional, classes, shifted, moving, stripes }

it.each(Object.entries(all))('%s has a right gradient', (_, make) => {
  const [rule, task] = make('float64')
  let i = 0
  const params = mapTree(init(rule, key(1), { dtype: 'float64' }), p =>
    add(p as Tensor, normal(foldIn(key(2), i++), (p as Tensor).shape, { std: 0.2, like: p as Tensor })))
  const ids = [0, task.examples - 1]
  const loss = (p: typeof params): Tensor =>
    task.loss(rollout(rule, p, task.seeds(ids), key(3), { steps: 2 }), ids, key(4))
  const [{ computed }] = checkGrad(loss, params, { order: 1, epsilon: 1e-5, tolerance: 1e-5 })
  expect(computed).not.toBe(0)
})

const lessons: [keyof typeof all, number, number, Partial<TrainerOptions>][] = [
  ['conditional', 120, 0.4, { pool: 16, mutated: 1, reseed: 1, damaged: 1 }],
  ['classes', 60, 0.1, {}],
  ['shifted', 100, 0.4, { steps: [3, 4] }],
  ['moving', 60, 0.1, { steps: [3, 4] }],
  ['stripes', 40, 0.4, { steps: [8, 12], batch: 2, pool: 8, ranked: 'none', reseed: 1 }],
]

it.each(lessons)('%s is learned', async (name, iterations, share, more) => {
  const [rule, task] = all[name]('float32')
  const trainer = taskTrainer({
    rule, task, batch: 4, steps: [6, 9], optimiser: adam({ rate: 1e-2 }), normalise: true, ...more,
  })
  const losses: number[] = []
  for await (const { loss } of train(trainer, { iterations, seed: 1 })) losses.push(loss)
  expect(mean(losses.slice(-10)) / mean(losses.slice(0, 5))).toBeLessThan(share)
})
