// The exported page: its automaton is the library's, step by step, over random rules; and nothing in it is from elsewhere.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { automatonSource } from '../../src/exchange/html/automaton.ts'
import { exportHtml } from '../../src/exchange/html/export-html.ts'
import type { HtmlOptions } from '../../src/exchange/html/export-html.ts'
import { attention } from '../../src/nca/perceptions/attention.ts'
import { isLearned } from '../../src/nca/perceptions/kinds.ts'
import { mlp } from '../../src/nca/mlp.ts'
import { customRule, defineRule } from '../../src/nca/rule/define.ts'
import { init } from '../../src/nca/rule/parameters.ts'
import type { DataParams, DataRule } from '../../src/nca/rule/types.ts'
import { growingRule } from '../../src/nca/training/presets.ts'
import { seed } from '../../src/nca/state.ts'
import { inspectStep } from '../../src/nca/step.ts'
import { filters } from '../../src/tensor/filters.ts'
import { foldIn, key } from '../../src/tensor/key.ts'
import { cast } from '../../src/tensor/ops/cast.ts'
import { slice } from '../../src/tensor/ops/pad-slice.ts'
import { zeros } from '../../src/tensor/ops/create.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { eachLeaf, mapTree } from '../../src/tensor/tree.ts'
import { scenes } from '../nca/random-rule.ts'

type World = { height: number; width: number; cells: Float32Array }
type Masks = { pre: Uint8Array | null; fires: Uint8Array | null; post: Uint8Array | null }
type Automaton = { step(world: World, key: readonly number[], angle: number): Masks & { cells: Float32Array } }

/** The automaton of a page, out of its text. */
const makeAutomaton = new Function(`${automatonSource}; return makeAutomaton`)() as
  (rule: DataRule, weights: Record<string, Float32Array>, names: typeof filters) => Automaton

function automatonOf(rule: DataRule, params: DataParams): Automaton {
  const weights: Record<string, Float32Array> = {}
  eachLeaf(params, (leaf, path) => { weights[path] = Float32Array.from((leaf as Tensor).toArray()) })
  return makeAutomaton(rule, weights, filters)
}

const isPlain = ({ perceive }: DataRule): boolean =>
  !perceive.some(part => isLearned(part) && ['attention', 'deformable'].includes(part.type))

/** Scenes of one sample in float32, of rules that a page can run, whose windows do not reach beyond a mirror. */
const pageScenes = scenes
  .filter(({ rule, x }) => isPlain(rule) && (rule.padding !== 'reflect' || Math.min(...x.shape.slice(1, 3)) > 4))
  .map(({ rule, params, x, n }) => ({
    rule, n,
    params: mapTree(params, leaf => cast(leaf as Tensor, 'float32')) as DataParams,
    x: cast(slice(x, [0, 0, 0, 0], [1, ...x.shape.slice(1)]), 'float32'),
  }))

const list = (t: Tensor | null): number[] | null => t && [...t.toArray()]

describe('the automaton of a page', () => {
  it('makes the steps of the library: masks bit for bit, values up to rounding', () => {
    fc.assert(fc.property(pageScenes, fc.constantFrom(0, 0, 0.7, -2), ({ rule, params, x, n }, angle) => {
      const automaton = automatonOf(rule, params)
      const k = key(n)
      let state = x
      for (let t = 0; t < 3; t++) {
        const [, height, width] = state.shape
        const parts = inspectStep(rule, params, state, { key: foldIn(k, t), t, angle })
        const candidate = parts.candidate.toArray(), { living } = rule
        const near = living && candidate.some((v, i) => i % state.shape[3] === living.channel && Math.abs(v - living.above) < 1e-4)
        if (near) return // where rounding decides who lives, it may decide otherwise
        const got = automaton.step({ height, width, cells: Float32Array.from(state.toArray()) }, foldIn(k, t), angle)
        expect(got.pre && [...got.pre]).toEqual(list(parts.pre))
        expect(got.fires && [...got.fires]).toEqual(list(parts.fires))
        expect(got.post && [...got.post]).toEqual(list(parts.post))
        const scale = Math.max(1, ...candidate.map(Math.abs))
        parts.after.toArray().forEach((v, i) => expect(Math.abs(got.cells[i] - v)).toBeLessThan(1e-4 * scale))
        state = parts.after
      }
    }), { numRuns: 3 * fc.readConfigureGlobal().numRuns! })
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

  it('starts from the cells that it is given, none of which ends the script', async () => {
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

  it('refuses a grid too small to be mirrored', async () => {
    const rule = defineRule({ ...small, padding: 'reflect' })
    await expect(exportHtml({ rule, params }, { size: 1 })).rejects.toThrow('size is 1, expected a number > 1')
  })
})
