// A model in an address: what is decoded, how accurate it is, and that nothing broken is taken for a model.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeLink, encodeLink, type LinkOptions } from '../../src/exchange/link/link.ts'
import { mlp } from '../../src/nca/mlp.ts'
import { customRule, defineRule } from '../../src/nca/rule/define.ts'
import { init, paramShapes } from '../../src/nca/rule/parameters.ts'
import type { DataParams } from '../../src/nca/rule/types.ts'
import { growingRule } from '../../src/nca/training/presets.ts'
import { key } from '../../src/tensor/key.ts'
import { cast } from '../../src/tensor/ops/cast.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { mapTree } from '../../src/tensor/tree.ts'
import { scenes } from '../nca/random-rule.ts'

const models = scenes.map(({ rule, params }) => (
  { rule, params: mapTree(params, leaf => cast(leaf as Tensor, 'float32')) as DataParams }
))
const settings = fc.dictionary(fc.string({ maxLength: 4 }), fc.string({ unit: 'grapheme', maxLength: 5 }), { maxKeys: 3 })
const bits = fc.integer({ min: 2, max: 16 })

const valuesOf = (params: DataParams, path: string): number[] => (
  [...(path.split('.').reduce<unknown>((node, name) => (node as Record<string, unknown>)[name], params) as Tensor).toArray()]
)

describe('a model in an address', () => {
  it('is decoded: rule and settings as they were, each weight within half a step, and unchanged when encoded again', async () => {
    await fc.assert(fc.asyncProperty(models, settings, bits, async (model, settings, bits) => {
      const text = await encodeLink(model, { bits, settings })
      expect(text).toMatch(/^[\w-]+$/)
      const back = decodeLink(text)
      expect(back.rule).toEqual(model.rule)
      expect({ ...back.settings }).toEqual({ ...settings })
      for (const [path, shape] of Object.entries(paramShapes(model.rule))) {
        const [before, after] = [valuesOf(model.params, path), valuesOf(back.params, path)]
        const columns = shape.length > 1 ? shape.at(-1)! : 1
        const scales = Array.from({ length: columns }, (_, c) => (
          Math.max(...before.filter((_, i) => i % columns === c).map(Math.abs))
        ))
        before.forEach((w, i) => {
          expect(Math.abs(after[i] - w)).toBeLessThanOrEqual(scales[i % columns] * (1 / (2 ** bits - 2) + 2 ** -23)) // and float32 rounds
        })
      }
      expect(await encodeLink(back, { bits, settings })).toBe(text)
    }))
  })

  it('is refused if a character is wrong, or some are missing', async () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const rule = defineRule({ channels: { rgba: 4 }, perceive: ['identity'], update: mlp(3) })
    const text = await encodeLink({ rule, params: init(rule, key(0)) })
    fc.assert(fc.property(fc.nat(text.length - 2), fc.constantFrom(...alphabet), fc.boolean(), (at, other, cut) => {
      const broken = cut ? text.slice(0, at) : text.slice(0, at) + other + text.slice(at + 1)
      if (broken !== text) expect(() => decodeLink(broken)).toThrow(/^the address: [^\n]+\.$/)
    }), { numRuns: 200 })
  })

  it('has 12,511 characters for the published rule', async () => {
    const text = await encodeLink({ rule: growingRule, params: init(growingRule, key(0)) })
    expect(text).toHaveLength(12_511)
  })

  it.each(['', 'play', 'a b', '%%%', 'A'.repeat(200)])('%j is no model', text => {
    expect(() => decodeLink(text, 'this link')).toThrow(/^this link: [^\n]+\.$/)
  })

  const rule = defineRule({ channels: { rgba: 4 }, perceive: ['identity'], update: mlp(3) })
  it.each([
    [rule, { bits: 1 }, 'encodeLink: bits is 1, expected a whole number from 2 to 16.'],
    [rule, { settings: { size: 72 } }, 'encodeLink: settings is {size: 72}, expected text by name.'],
    [growingRule, {}, 'encodeLink: params.update.w1 is a tensor [4,3] float32'],
    [customRule({ channels: { a: 1 }, init: () => ({}), step: (_, x) => x }), {}, 'encodeLink: the rule is not data'],
  ])('is not made of what has none: %#', async (other, options, sentence) => {
    const model = { rule: other, params: init(rule, key(0)) } as Parameters<typeof encodeLink>[0]
    await expect(encodeLink(model, options as LinkOptions)).rejects.toThrow(sentence)
  })
})
