// The exported page: its automaton computes the library's steps, over random rules; and the page loads nothing from elsewhere.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { paddings } from '../../src/backends/window.ts'
import { beyondPages } from '../../src/exchange/html/automaton.ts'
import { exportHtml, type HtmlOptions } from '../../src/exchange/html/export-html.ts'
import { attention } from '../../src/nca/perceptions/attention.ts'
import { conv } from '../../src/nca/perceptions/conv.ts'
import { depthwise } from '../../src/nca/perceptions/depthwise.ts'
import type { PartKind } from '../../src/nca/perceptions/kind.ts'
import { kinds } from '../../src/nca/perceptions/kinds.ts'
import { residualConv } from '../../src/nca/perceptions/residual-conv.ts'
import { activations, mlp } from '../../src/nca/mlp.ts'
import { channelCount } from '../../src/nca/rule/channels.ts'
import { customRule, defineRule } from '../../src/nca/rule/define.ts'
import { init } from '../../src/nca/rule/parameters.ts'
import type { DataParams, DataRule, Perception } from '../../src/nca/rule/types.ts'
import { growingRule } from '../../src/nca/training/presets.ts'
import { seed } from '../../src/nca/state.ts'
import { inspectStep } from '../../src/nca/step.ts'
import { foldIn, key } from '../../src/tensor/key.ts'
import { add } from '../../src/tensor/ops/arithmetic.ts'
import { cast } from '../../src/tensor/ops/cast.ts'
import { slice } from '../../src/tensor/ops/pad-slice.ts'
import { zeros } from '../../src/tensor/ops/create.ts'
import { normal, uniform } from '../../src/tensor/ops/random.ts'
import { tensor, type Tensor } from '../../src/tensor/tensor.ts'
import { mapTree } from '../../src/tensor/tree.ts'
import { scenes } from '../nca/random-rule.ts'
import { partsOf } from '../nca/perception-families.ts'

type World = { height: number; width: number; cells: Float32Array }
type Masks = { pre: Uint8Array | null; fires: Uint8Array | null; post: Uint8Array | null }
type Automaton = { step(world: World, key: readonly number[], angle: number): Masks & { cells: Float32Array } }

/** The automaton of a page, made from the text of the page. */
async function automatonOf(rule: DataRule, params: DataParams, start: Tensor): Promise<Automaton> {
  const html = await exportHtml({ rule, params }, { start })
  const [json, automaton] = [...html.matchAll(/<script[^>]*>\n([^]*?)\n<\/script>/g)].map(([, text]) => text)
  const { weights, filters, sums, ...model } = JSON.parse(json) as Record<'weights', Record<string, string>> & Record<'rule' | 'filters' | 'sums', object>
  const numbers = Object.entries(weights).map(([path, text]) => [path, new Float32Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer)])
  const make = new Function(`${automaton}; return makeAutomaton`)() as (...args: unknown[]) => Automaton
  return make(model.rule, Object.fromEntries(numbers), filters, sums)
}

const list = (t: Tensor | null): number[] | null => t && [...t.toArray()]

/** Compares steps with the library's: masks bit for bit, values within 1e-4. Returns how many could be compared. */
async function expectSameSteps(rule: DataRule, params: DataParams, start: Tensor, n: number, { angle = 0, steps = 3 } = {}): Promise<number> {
  const automaton = await automatonOf(rule, params, start)
  const k = key(n)
  let state = start
  for (let t = 0; t < steps; t++) {
    const [, height, width, channels] = state.shape
    const parts = inspectStep(rule, params, state, { key: foldIn(k, t), t, angle })
    const candidate = parts.candidate.toArray(), { living } = rule
    const near = living && candidate.some((v, i) => i % channels === living.channel && Math.abs(v - living.above) < 1e-4)
    if (near) return t // where rounding decides who lives, it may decide otherwise
    const got = automaton.step({ height, width, cells: Float32Array.from(state.toArray()) }, foldIn(k, t), angle)
    expect(got.pre && [...got.pre]).toEqual(list(parts.pre))
    expect(got.fires && [...got.fires]).toEqual(list(parts.fires))
    expect(got.post && [...got.post]).toEqual(list(parts.post))
    const scale = Math.max(1, ...candidate.map(Math.abs))
    const furthest = Array.from(parts.after.toArray()).reduce((most, v, i) => Math.max(most, Math.abs(got.cells[i] - v)), 0)
    expect(furthest).toBeLessThan(1e-4 * scale)
    state = parts.after
  }
  return steps
}

/** Scenes with one sample in float32, for rules that a page can run, on grids large enough for mirrored borders. */
const pageScenes = scenes
  .filter(({ rule, x }) => !beyondPages(rule) && (rule.padding !== 'reflect' || Math.min(...x.shape.slice(1, 3)) > 4))
  .map(({ rule, params, x, n }) => ({
    rule, n,
    params: mapTree(params, leaf => cast(leaf as Tensor, 'float32')) as DataParams,
    x: cast(slice(x, [0, 0, 0, 0], [1, ...x.shape.slice(1)]), 'float32'),
  }))

describe('the automaton of a page', () => {
  it('makes the steps of the library: masks bit for bit, values up to rounding', async () => {
    await fc.assert(fc.asyncProperty(pageScenes, fc.constantFrom(0, 0, 0.7, -2), async ({ rule, params, x, n }, angle) => {
      await expectSameSteps(rule, params, x, n, { angle })
    }), { numRuns: 3 * fc.readConfigureGlobal().numRuns! })
  })

  const plain = {
    channels: { rgba: 4, goal: 2, hidden: 3 }, perceive: ['identity', 'sobelX', 'sobelY'] as Perception[], update: mlp(8), fireRate: 0.5,
    living: { channel: 3, above: 0.1 }, frozen: ['goal'],
  }
  const all: readonly (readonly [string, object])[] = [
    ...activations.flatMap(activation => [
      [`${activation} in the network and on its change`, { update: mlp([8, 6], { activation, lastActivation: activation }) }],
      [`${activation} of convolutions`, { perceive: [conv(5, { activation, bias: true }), 'mean', residualConv(5, { activation, dilation: 2 })] }],
    ] as const),
    ['a slope of leaky ReLUs', { update: mlp(8, { activation: 'leakyRelu', slope: 0.4 }), perceive: [conv(6, { activation: 'leakyRelu', slope: 0.05 })] }],
    ['a residual network', { update: mlp([8, 8, 8], { residual: true }) }],
    ['layer norms of groups', { update: mlp([6, 9], { norm: { on: 'both', groups: 3 } }) }],
    ['learned filters of two sizes', { perceive: [depthwise(2, { size: 5 }), 'laplacian', depthwise(1)] }],
    ['noise on the state', { noise: { on: 'state', std: 0.1 } }],
    ['noise on the change', { noise: { on: 'change', std: 0.1 } }],
    ['a bound by tanh', { bound: { type: 'tanh' } }],
    ['a bound by a clamp', { bound: { type: 'clamp', low: -0.25, high: 0.5 } }],
    ['two frozen roles', { frozen: ['goal', 'hidden'] }],
    ['an input mask', { inputMask: { channel: 4, above: 0.4 } }],
    ['life after a step', { living: { channel: 3, above: 0.1, when: 'after' } }],
    ['no living mask, and a step size', { living: null, stepSize: 0.5 }],
    ...paddings.map(padding => [`a ${padding} border`, { padding, perceive: ['sobelX', conv(4, { size: 5 })] }] as const),
  ]
  it.each(all)('makes six steps with %s', async (_, special) => {
    const rule = defineRule({ ...plain, ...special } as Parameters<typeof defineRule>[0])
    let compared = 0
    for (let n = 0; n < 2; n++) {
      let i = 0
      const params = mapTree(init(rule, key(n)), leaf => { // the last layer begins at zero
        const p = leaf as Tensor
        return add(p, normal(foldIn(key(n), i++), p.shape, { std: 0.2 }))
      }) as DataParams
      const x = uniform(foldIn(key(n), 99), [1, 7, 9, channelCount(rule.channels)], { low: -1, high: 0.8 })
      compared += await expectSameSteps(rule, params, x, n, { steps: 6 })
    }
    expect(compared).toBeGreaterThan(3)
  })

  it.each(kinds.map(kind => [kind.type, kind] as const))('has the perception %s, or a page with it is refused by name', async (type, kind) => {
    await fc.assert(fc.asyncProperty(partsOf(kind as PartKind<Perception>, 5), fc.nat(1000), async (part, n) => {
      const rule = defineRule({ channels: { a: 2, b: 1 }, perceive: ['identity', part], update: mlp(4), padding: 'circular' })
      const params = mapTree(init(rule, key(n)), leaf => add(leaf as Tensor, 0.1)) as DataParams
      const x = uniform(key(n), [1, 5, 6, 3], { low: -1, high: 1 })
      if (beyondPages(rule)) await expect(exportHtml({ rule, params })).rejects.toThrow(`the rule perceives by ${type};`)
      else expect(await expectSameSteps(rule, params, x, n)).toBe(3)
    }), { numRuns: 10 })
  })
})

const small = defineRule({
  channels: { rgba: 4, hidden: 2 }, perceive: ['identity', 'laplacian'], update: mlp(4), living: { channel: 3, above: 0.1 },
})
const params = init(small, key(0))

describe('exportHtml', () => {
  it('is one file below 100 KB for a growing rule, and loads nothing', async () => {
    const html = await exportHtml({ rule: growingRule, params: init(growingRule, key(0)) }, { title: 'A & <b>' })
    expect(html.length).toBeLessThan(100_000)
    expect(html).toContain('<title>A &amp; &lt;b&gt;</title>')
    expect(html).not.toMatch(/\b(src|href)=|import\(|fetch\(|https?:/)
    for (const [, script] of html.matchAll(/<script>([^]*?)<\/script>/g)) {
      expect(() => new Function(script)).not.toThrow()
    }
  })

  it('holds the weights bit for bit', async () => {
    const html = await exportHtml({ rule: small, params })
    const { weights } = JSON.parse(/id="model">([^]*?)<\/script>/.exec(html)![1]) as { weights: Record<string, string> }
    const bytes = Uint8Array.from(Buffer.from(weights['update.w1'], 'base64'))
    expect([...new Float32Array(bytes.buffer)]).toEqual([...params.update.w1.toArray()])
  })

  it('names classes and conditions as the model does, if it names all of them', async () => {
    const rule = defineRule({ ...small, channels: { rgba: 4, classes: 2, condition: 2 }, frozen: ['condition'], perceive: ['laplacian'] })
    const model = { rule, params: init(rule, key(0)), provenance: { classes: 'cat dog', conditions: 'one two three' } }
    const html = await exportHtml(model)
    expect(JSON.parse(/id="model">([^]*?)<\/script>/.exec(html)![1])).toMatchObject({
      names: { classes: ['cat', 'dog'] }, channelNames: ['r', 'g', 'b', 'a', 'cat', 'dog', 'condition.0', 'condition.1'],
    })
  })

  it('starts from the first example of the model, where it has some', async () => {
    const starts = { rgba: tensor([[0.5, 0, 0, 1], [0, 0, 1, 1]]) }
    const html = await exportHtml({ rule: small, params, starts }, { size: 5 })
    const { start, started } = JSON.parse(/id="model">([^]*?)<\/script>/.exec(html)![1]) as { start: { at: number[]; values: string }; started: boolean }
    expect([start.at, started]).toEqual([[12], true])
    const values = new Float32Array(new Uint8Array(Buffer.from(start.values, 'base64')).buffer)
    expect(Array.from(values).slice(0, 4)).toEqual([0.5, 0, 0, 1])
  })

  it('starts from the given cells, none of whose texts can end the script', async () => {
    const start = seed(small, { height: 5, width: 7, at: [4, 6] })
    const html = await exportHtml({ rule: small, params }, { start })
    const model = JSON.parse(/id="model">([^]*?)<\/script>/.exec(html)![1]) as { start: object }
    expect(model.start).toMatchObject({ height: 5, width: 7, at: [34] })
  })

  it.each([
    ['attention', { rule: defineRule({ ...small, perceive: [attention(2)] }) }, 'the rule perceives by attention'],
    ['a line', { rule: defineRule({ ...small, grid: 1, perceive: ['identity'] }) }, "the rule's grid has 1 dimension;"],
    ['code', { rule: customRule({ channels: { a: 1 }, init: () => ({}), step: (_, x) => x }) }, 'the rule is not data'],
    ['other parameters', { rule: growingRule }, 'params.update.w1 is a tensor'],
  ])('refuses %s', async (_, model, why) => {
    await expect(exportHtml({ params, ...model } as Parameters<typeof exportHtml>[0])).rejects.toThrow(`exportHtml: ${why}`)
  })

  it.each([
    [{ size: 3, start: zeros([1, 3, 3, 6]) }, 'size is 3'],
    [{ start: zeros([2, 3, 3, 6]) }, 'the batch of start is 2'],
    [{ start: zeros([1, 3, 3, 5]) }, 'the state is [1,3,3,5]'],
    [{ sise: 3 }, 'there is no option "sise"; did you mean "size"?'],
  ])('refuses the options %j', async (options, why) => {
    await expect(exportHtml({ rule: small, params }, options as HtmlOptions)).rejects.toThrow(`exportHtml: ${why}`)
  })

  it('refuses a grid too small to be mirrored, for every kind of perception', async () => {
    const too = "exportHtml: the grid is too small for its mirrored border: "
    const rule = defineRule({ ...small, padding: 'reflect' })
    await expect(exportHtml({ rule, params }, { size: 1 })).rejects.toThrow(`${too}depthwiseConv: padding 'reflect' mirrors 1 cells`)
    const wide = defineRule({ ...rule, perceive: [residualConv(4, { size: 5, dilation: 2 })] })
    await expect(exportHtml({ rule: wide, params: init(wide, key(0)) }, { size: 4 })).rejects.toThrow(`${too}conv2d: padding 'reflect' mirrors 4 cells`)
    expect(await exportHtml({ rule: wide, params: init(wide, key(0)) }, { size: 5 })).toContain('residualConv')
  })
})
