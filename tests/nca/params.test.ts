// Parameters checked against their rule: anything missing, superfluous, or of another shape, type or backend is refused by
// its path, in the same words by every function with parameters.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cpu } from '../../src/backends/cpu.ts'
import { explain } from '../../src/nca/explain.ts'
import { mlp } from '../../src/nca/mlp.ts'
import { checkParams } from '../../src/nca/rule/check-params.ts'
import { depthwise } from '../../src/nca/perceptions/depthwise.ts'
import { conv } from '../../src/nca/perceptions/conv.ts'
import { customRule, defineRule } from '../../src/nca/rule/define.ts'
import { init, paramShapes } from '../../src/nca/rule/parameters.ts'
import type { DataParams } from '../../src/nca/rule/types.ts'
import { rollout, step } from '../../src/nca/step.ts'
import { growingRule } from '../../src/nca/training/presets.ts'
import { key } from '../../src/tensor/key.ts'
import { cast } from '../../src/tensor/ops/cast.ts'
import { full, ones, zeros } from '../../src/tensor/ops/create.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { eachLeaf, mapTree } from '../../src/tensor/tree.ts'
import { sentence } from '../tensor/values.ts'
import { scenes } from './random-rule.ts'

type Tree = Record<string, unknown>

/** A tree with the leaf at a path replaced by the result of a function; undefined removes it. */
function changedAt(tree: DataParams, at: string, change: (leaf: Tensor) => unknown): DataParams {
  return mapTree(tree, (leaf, path) => (path === at ? change(leaf as Tensor) : leaf))
}

describe('checkParams', () => {
  it('accepts the parameters of `init`, and none that were changed', () => {
    fc.assert(fc.property(scenes, fc.nat(), fc.nat(4), ({ rule, params, x }, n, how) => {
      expect(() => checkParams('here', rule, params)).not.toThrow()
      expect(() => checkParams('here', rule, params, { like: x })).not.toThrow()
      const paths = Object.keys(paramShapes(rule))
      const path = paths[n % paths.length]
      const changes = [
        () => undefined, () => 1, (t: Tensor) => cast(t, 'float32'), (t: Tensor) => zeros([...t.shape, 1], { like: t }),
        (t: Tensor) => zeros(t.shape, { dtype: 'float64', backend: cpu({ simd: false }) }),
      ]
      const changed = changedAt(params, path, changes[how])
      const expected = `here: params.${path} is `
      for (const options of [{ like: x }, { like: x, part: path.startsWith('update') ? 'update' : 'perceive' } as const]) {
        expect(sentence(() => checkParams('here', rule, changed, options)).slice(0, expected.length)).toBe(expected)
      }
    }))
  })

  it('recognises a misspelt name, wherever it is', () => {
    fc.assert(fc.property(scenes, fc.nat(), ({ rule, params }, n) => {
      const paths = Object.keys(paramShapes(rule))
      const path = paths[n % paths.length]
      const misspelt = mapTree<unknown>(params, leaf => leaf)
      const [branch, last] = [path.split('.').slice(0, -1), path.split('.').at(-1)!]
      const holder = branch.reduce((node, name) => (node as Tree)[name], misspelt) as Tree
      holder[last.toUpperCase()] = holder[last]
      delete holder[last]
      const expected = `here: there is no params.${[...branch, last.toUpperCase()].join('.')}; did you mean params.${path}?`
      expect(sentence(() => checkParams('here', rule, misspelt))).toBe(expected)
    }))
  })

  it('names parameters that do not belong to the rule', () => {
    const params = init(growingRule, key(0))
    const { update } = params
    const noBias = defineRule({ ...growingRule, update: mlp(128, { lastBias: false }) })
    const said = (given: unknown, rule = growingRule): string => sentence(() => checkParams('rollout', rule, given))
    expect({
      misspelt: said({ update: { w1: update.w1, b1: update.b1, w2: update.w2, B2: update.b2 } }),
      noBranch: said(update),
      misspeltBranch: said({ updates: update }),
      note: said({ update: { ...update, note: 'x' } }),
      bias: said(params, noBias),
      perceive: said({ ...params, perceive: [{ kernel: ones([3]) }] }),
      missing: said({ update: { b1: update.b1, w2: update.w2, b2: update.b2 } }),
      none: said(undefined),
      tensor: said(update.w1),
      promise: said(Promise.resolve(params)),
      optimiser: said({ params, momentum: 0 }),
    }).toMatchInlineSnapshot(`
      {
        "bias": "rollout: there is no params.update.b2; the rule has update.w1, update.b1, update.w2.",
        "missing": "rollout: params.update.w1 is missing; the rule has update.w1, update.b1, update.w2, update.b2.",
        "misspelt": "rollout: there is no params.update.B2; did you mean params.update.b2?",
        "misspeltBranch": "rollout: there is no params.updates.w1; did you mean params.update.w1?",
        "noBranch": "rollout: there is no params.w1; did you mean params.update.w1?",
        "none": "rollout: params is undefined, expected a tree of tensors, like those of init(rule, key).",
        "note": "rollout: there is no params.update.note; the rule has update.w1, update.b1, update.w2, update.b2.",
        "optimiser": "rollout: there is no params.params.update.w1; did you mean params.update.w1?",
        "perceive": "rollout: there is no params.perceive.0.kernel; the rule has update.w1, update.b1, update.w2, update.b2.",
        "promise": "rollout: params is Promise, expected a tree of tensors, like those of init(rule, key).",
        "tensor": "rollout: params is a tensor [48,128] float32, expected a tree of tensors, like those of init(rule, key).",
      }
    `)
  })

  it('takes undefined values as absent, and does not check the parameters of rules that are code', () => {
    const noBias = defineRule({ ...growingRule, update: mlp(8, { lastBias: false }) })
    const { update } = init(noBias, key(0))
    expect(() => checkParams('here', noBias, { perceive: undefined, update: { ...update, b2: undefined } })).not.toThrow()
    const code = customRule({ channels: { a: 1 }, init: () => ({}), step: (_: object, x) => x })
    expect(() => checkParams('here', code, 'anything')).not.toThrow()
  })

  it('is called by step, rollout and explain', () => {
    const rule = defineRule({ channels: { a: 2 }, perceive: ['identity', depthwise(1)], update: mlp(3) })
    const { update, perceive } = init(rule, key(0))
    const x = zeros([1, 4, 4, 2])
    const wrong = { perceive, update: { w1: update.w1, b1: update.b1, w2: update.w2, bias2: update.b2 } } as DataParams
    const tail = ': params.update.b2 is missing; the rule has perceive.0.kernel, update.w1, update.b1, update.w2, update.b2.'
    expect(sentence(() => step(rule, wrong, x, { key: key(0), t: 0 }))).toBe(`step${tail}`)
    expect(sentence(() => rollout(rule, wrong, x, key(0), { steps: 1 }))).toBe(`rollout${tail}`)
    expect(sentence(() => explain(rule, wrong, x))).toBe(`explain${tail}`)
  })
})

describe('explain of a rollout', () => {
  it('says which path it takes, and why', () => {
    const x = zeros([1, 4, 4, 16])
    const why = (rule: typeof growingRule, like: Tensor): string => {
      const params = init(rule, key(0), { dtype: like.dtype, backend: like.backend })
      return explain(rule, params, like).split(': ')[0]
    }
    expect(why(growingRule, x)).toBe('fused')
    expect(why(growingRule, cast(x, 'float64'))).toBe('composed of operators, because its state is float64')
    expect(why(growingRule, full([1, 4, 4, 16], 0, { backend: cpu({ simd: false }) })))
      .toBe('composed of operators, because cpu has no fused rollouts here')
    const mirrors = defineRule({ ...growingRule, padding: 'reflect' })
    expect(why(mirrors, zeros([1, 1, 4, 16]))).toBe('composed of operators, because its grid is too small to mirror 1 cells')
    const clamped = (low: number): typeof growingRule => defineRule({ ...growingRule, bound: { type: 'clamp', low, high: 1 } })
    expect(why(clamped(0), x)).toBe('fused')
    expect(why(clamped(0.1), x)).toBe('fused')
    const { runner, ...rest } = cpu()
    expect(explain(clamped(0.1), { ...rest, name: 'other', runner: { ...runner!, features: [] } }))
      .toContain('because other runs no bounds that exclude 0 as a whole')
    const beside = defineRule({ ...growingRule, perceive: ['identity', conv(4, { activation: 'tanh' })] })
    expect(explain(beside)).toMatch(/^fused: /)
    expect(explain(beside, { ...rest, name: 'other', runner: { ...runner!, features: [] } }))
      .toContain('because other runs no filters beside a convolution with a function as a whole')
    const params = init(growingRule, key(0), { dtype: 'float64' })
    let count = 0
    eachLeaf(params, leaf => { count += +(leaf instanceof Tensor) })
    expect(count).toBe(4)
    expect(sentence(() => explain(growingRule, params, x)))
      .toBe('explain: params.update.w1 is a tensor [48,128] float64, expected a tensor [48,128] float32.')
  })
})
