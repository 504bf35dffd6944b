// The head of a rule: its outputs, by loops; its gradients, fused and composed; and that images
// can be classified by it although cells have no classes.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  accuracy, adam, cast, checkGrad, classificationTask, decodeLink, decodeModel, defineRule, encodeLink, encodeModel, evaluate,
  examplesOf, explain, exportHtml, init, key, mapTree, mean, mlp, paramShapes, readHead, rollout, taskTrainer, tensor, train, trainablePaths,
  uniform, valueAndGrad, type DataParams, type DataRule, type Tensor,
} from '../../src/index.ts'
import { runConfigOf, type Values } from '../../src/experiment/index.ts'

const rule = defineRule({
  channels: { image: 1, hidden: 6 }, frozen: ['image'], perceive: ['identity', 'sobelX', 'sobelY'], fireRate: 0.5,
  update: mlp(12, { lastStd: 0.1 }), head: { outputs: 2, network: mlp(8, { lastStd: 0.5 }) },
})

/** Ten pictures of horizontal lines, which are of class 0, and ten of vertical ones. */
const lines = (() => {
  const pictures = Array.from({ length: 20 }, (_, i) => Float32Array.from({ length: 64 }, (_, at) => (
    +((i < 10 ? Math.floor(at / 8) : at % 8) === i % 8)))).flatMap(picture => [...picture])
  return { ...examplesOf(Float32Array.from(pictures), [8, 8, 1]), labels: Array.from({ length: 20 }, (_, i) => +(i >= 10)) }
})()

describe('the head of a rule', () => {
  it('is a network applied to the mean of cells with an input, over the channels that change', () => {
    fc.assert(fc.property(fc.boolean(), fc.boolean(), fc.integer({ min: 1, max: 3 }), fc.nat(), (masked, frozen, b, n) => {
      const rule = defineRule({
        channels: { image: 1, hidden: 3 }, perceive: ['identity'], update: mlp(2), frozen: frozen ? ['image'] : [],
        inputMask: masked ? { channel: 0, above: 0 } : null, head: { outputs: 2, network: mlp(4, { activation: 'tanh', lastStd: 1 }) },
      })
      const params = init(rule, key(n), { dtype: 'float64' }), x = uniform(key(n + 1), [b, 2, 3, 4], { low: -1, high: 1, dtype: 'float64' })
      const { w1, b1, w2, b2 } = mapTree(params.head, p => (p as Tensor).toNested()) as unknown as { w1: number[][]; b1: number[]; w2: number[][]; b2: number[] }
      const dense = (h: number[], w: number[][], bias: number[]): number[] => bias.map((v, j) => h.reduce((sum, u, i) => sum + u * w[i][j], v))
      const expected = (x.toNested() as number[][][][]).map(sample => {
        const cells = sample.flat().filter(([input]) => !masked || input > 0)
        const moving = frozen ? [1, 2, 3] : [0, 1, 2, 3]
        const pooled = moving.map(c => cells.reduce((sum, cell) => sum + cell[c], 0) / Math.max(cells.length, 1))
        return dense(dense(pooled, w1, b1).map(Math.tanh), w2, b2)
      })
      const got = readHead(rule, params, x).toNested() as number[][]
      expected.forEach((row, i) => row.forEach((v, j) => expect(got[i][j]).toBeCloseTo(v, 12)))
    }))
  })

  it('has right gradients, to second order, through a rollout', () => {
    const small: DataRule = { ...rule, update: mlp(3, { activation: 'tanh', lastStd: 0.1 }), head: { outputs: 2, network: mlp(3, { activation: 'tanh', lastStd: 1 }) } }
    const task = classificationTask(small, lines, { loss: 'head', dtype: 'float64' })
    const x = task.seeds([0, 10])
    const loss = (p: DataParams): Tensor => mean(task.loss(rollout(small, p, x, key(1), { steps: 2 }), [0, 10], key(2), undefined, p))
    checkGrad(loss, init(small, key(0), { dtype: 'float64' }), { order: 2 })
  })

  it('is trained after fused rollouts as after composed ones', () => {
    expect(explain(rule)).toMatch(/^fused: .* A head of 8 units makes 2 numbers of the mean of the cells\./)
    const all = ['float32', 'float64'].map(dtype => {
      const params = mapTree(init(rule, key(0)), p => cast(p as Tensor, dtype as 'float32')) as DataParams
      const task = classificationTask(rule, lines, { loss: 'head', dtype: dtype as 'float32' })
      return valueAndGrad((p: DataParams) => (
        mean(task.loss(rollout(rule, p, task.seeds([1, 12]), key(1), { steps: 4 }), [1, 12], key(2), undefined, p))))(params)
    })
    const [fused, composed] = all.map(([loss, { update, head }]) => [loss, ...Object.values(update), ...Object.values(head!)].map(t => [...t.toArray()]))
    expect(composed.flat().filter(v => v !== 0).length).toBeGreaterThan(100)
    composed.flat().forEach((v, i) => expect(fused.flat()[i]).toBeCloseTo(v, 4))
  })

  it('classifies images although cells have no classes', async () => {
    const task = classificationTask(rule, lines, { loss: 'head' })
    const trainer = taskTrainer({ rule, task, batch: 10, steps: [4, 6], optimiser: adam({ rate: 5e-3 }), normalise: true })
    let params = init(rule, key(0))
    for await (const { state } of train(trainer, { iterations: 90 })) params = state.params
    const right = await evaluate(rule, task, params, {
      steps: 5, measure: (x, ids, _, __, p) => accuracy(readHead(rule, p as DataParams, x), tensor(Int32Array.from(ids, id => lines.labels[id]))),
    })
    expect(right.reduce((a, b) => a + b) / right.length).toBeGreaterThan(0.9)
  })

  it('is in files and in links', async () => {
    const params = init(rule, key(5))
    const model = decodeModel(await encodeModel({ rule, params, provenance: {} }), 'a file')
    const link = decodeLink(await encodeLink({ rule, params }, { bits: 16 }))
    for (const { rule: read, params: { head } } of [model, link]) {
      expect(read).toEqual(rule)
      Object.entries(params.head!).forEach(([name, p]) => p.toArray().forEach((v, i) => expect(head![name as 'w1'].toArray()[i]).toBeCloseTo(v, 3)))
    }
    expect(await exportHtml({ rule, params })).not.toContain('head.w1') // no step knows of it
    expect(Object.keys(paramShapes(rule)).filter(path => path.startsWith('head.'))).toEqual(['head.w1', 'head.b1', 'head.w2', 'head.b2'])
    expect(trainablePaths(rule, ['head'])).toHaveLength(4)
    expect(defineRule({ ...rule, head: null }).head).toBeNull()
  })

  it('does not change the first values of the other parameters', () => {
    const { head: _, ...rest } = init(rule, key(7))
    const plain = init({ ...rule, head: null }, key(7))
    expect(mapTree(rest, p => [...(p as Tensor).toArray()])).toEqual(mapTree(plain, p => [...(p as Tensor).toArray()]))
  })

  it('says what does not fit', () => {
    const plain = defineRule({ ...rule, head: null }), params = init(rule, key(0)), x = classificationTask(rule, lines, { loss: 'head' }).seeds([0])
    expect(() => readHead(plain, params, x)).toThrow('readHead: the rule has no head; give it one, like head: { outputs: 10, network: mlp(64) }.')
    expect(() => readHead(rule, init(plain, key(0)), x)).toThrow(/^readHead: params\.head\.w1 is missing/)
    expect(() => classificationTask(plain, lines, { loss: 'head' })).toThrow('classificationTask: loss is "head", expected another one, or a rule with a head.')
    expect(() => classificationTask({ ...rule, head: { ...rule.head!, outputs: 1 } }, lines, { loss: 'head' })).toThrow('classificationTask: a label is 1, expected a whole number from 0 to 0.')
    expect(() => defineRule({ ...rule, head: { outputs: 0, network: mlp(4) } })).toThrow(/^rule: head\.outputs is 0, expected a whole number from 1/)
    expect(() => defineRule({ ...rule, head: { outputs: 2, network: mlp(4, { norm: { on: 'perception', groups: 4 } }) } }))
      .toThrow('rule: head.network.norm.groups is 4, expected a divisor of 6, of how many channels change.')
  })

  it('belongs to an experiment with its loss, and to no other', () => {
    const head = { outputs: 2, network: { hidden: [8] } }
    const given = (task: Values, head: unknown): string[] => {
      const made = runConfigOf({ ...task, rule: { ...rule, head }, train: { iterations: 1, batch: 2, steps: [1, 2] } } as Values)
      return 'mistakes' in made ? made.mistakes.map(({ key, says }) => `${key} ${says}`) : []
    }
    const classes = (loss: string): Values => ({ task: 'classification', data: { images: 'a', loss } })
    expect(given(classes('head'), head)).toEqual([])
    expect(given(classes('head'), null)).toEqual([expect.stringMatching(/^rule\.head .*a head, of which data\.loss is/)])
    expect(given(classes('image'), head)).toContainEqual(expect.stringMatching(/^rule\.head .*null where no loss is one of the head/))
  })
})
