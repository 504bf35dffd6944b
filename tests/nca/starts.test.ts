// Examples with which a model begins: what its first states are, cell by cell, and what is refused.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  cast, channelCount, decodeModel, decodeSafetensors, defineRule, encodeModel, encodeSafetensors, firstState, init, key, mlp, tensor, uniform, type DataRule, type Model,
  type Starts,
} from '../../src/index.ts'

const ruleOf = (grid: 1 | 2 | 3): DataRule => defineRule({
  channels: { rgba: 4, told: 2, seen: 1, hidden: 1 }, frozen: ['told', 'seen'], grid, perceive: ['identity'], update: mlp(3),
})
const modelOf = (rule: DataRule, starts?: Starts): Model => ({ rule, params: init(rule, key(0)), provenance: {}, ...(starts && { starts }) })
const size = fc.integer({ min: 1, max: 4 })
const scene = fc.record({ space: fc.tuple(size, size, size), grid: fc.constantFrom(1, 2, 3), count: fc.integer({ min: 1, max: 3 }), drawn: fc.nat(99), seed: fc.nat(99) })
  .map(({ space, grid, count, drawn, seed }) => ({ grid: grid as 1 | 2 | 3, count, seed, example: drawn % count, sizes: space.slice(0, grid) }))

describe('the first state', () => {
  it('of codes is a living cell with the seed\'s colour, and what is told everywhere', () => {
    fc.assert(fc.property(scene, ({ grid, count, seed, example, sizes }) => {
      const rule = ruleOf(grid), c = channelCount(rule.channels)
      const starts = { rgba: uniform(key(seed), [count, 4]), told: uniform(key(seed + 1), [count, 2]) }
      const x = firstState(modelOf(rule, starts), example, sizes)
      expect(x.shape).toEqual([1, ...sizes, c])
      const middle = sizes.reduce((at, n) => at * n + Math.floor(n / 2), 0)
      const [colour, told] = [starts.rgba, starts.told].map((t, i) => [...t.toArray()].slice(example * [4, 2][i], (example + 1) * [4, 2][i]))
      const wanted = Array.from({ length: sizes.reduce((a, b) => a * b, 1) }, (_, cell) => (
        cell === middle ? [...colour, ...told, 1, 1] : [0, 0, 0, 0, ...told, 0, 0]))
      expect([...x.toArray()]).toEqual(wanted.flat())
    }))
  })

  it('of maps is these, and nothing else but what is told; a map has its own grid', () => {
    fc.assert(fc.property(scene, ({ grid, count, seed, example, sizes }) => {
      const rule = ruleOf(grid), cells = sizes.reduce((a, b) => a * b, 1)
      const starts = { seen: uniform(key(seed), [count, ...sizes, 1]), told: uniform(key(seed + 1), [count, 2]) }
      const x = firstState(modelOf(rule, starts), example, [9, 9, 9])
      expect(x.shape).toEqual([1, ...sizes, 8])
      const [map, told] = [starts.seen.toArray(), starts.told.toArray()]
      expect([...x.toArray()]).toEqual(Array.from({ length: cells }, (_, cell) => (
        [0, 0, 0, 0, ...told.slice(2 * example, 2 * example + 2), map[example * cells + cell], 0])).flat())
    }))
  })

  it('of a model without examples is one living cell', () => {
    const x = firstState(modelOf(ruleOf(2)), 0, [3, 3])
    expect([...x.toArray()].filter(v => v === 1)).toHaveLength(5)
    expect(() => firstState(modelOf(ruleOf(2)), 1, [3, 3])).toThrow('firstState: example is 1, expected a whole number from 0 to 0.')
  })
})

describe('a model file', () => {
  const rule = ruleOf(2)
  const starts = (): Starts => ({ seen: uniform(key(1), [2, 3, 4, 1]), told: tensor([[1, 0], [0, 1]]) })

  it('brings them back', async () => {
    const back = decodeModel(await encodeModel(modelOf(rule, starts())))
    expect(Object.keys(back.starts!).sort()).toEqual(['seen', 'told'])
    expect(back.starts!.seen.shape).toEqual([2, 3, 4, 1])
    expect([...firstState(back, 1, []).toArray()]).toEqual([...firstState(modelOf(rule, starts()), 1, []).toArray()])
    expect(Object.keys(back.params).sort()).toEqual(['update'])
  })

  it('refuses what its rule cannot begin with, when it is written and when it is read', async () => {
    const wrong: [Starts, RegExp][] = [
      [{}, /starts is \{\}, expected tensors by role/],
      [{ sen: uniform(key(1), [2, 1]) }, /the role is "sen", expected one of .*; did you mean "seen"\?/],
      [{ seen: uniform(key(1), [2, 3, 1]) }, /starts is a tensor \[2,3,1\] float32, expected one with 2 axes of cells/],
      [{ seen: uniform(key(1), [2, 3, 4, 2]) }, /starts\.seen is a tensor \[2,3,4,2\]/],
      [{ ...starts(), told: uniform(key(1), [3, 2]) }, /starts\.told is a tensor \[3,2\] float32, expected a tensor \[2,2\] float32/],
      [{ ...starts(), told: uniform(key(1), [2, 4, 3, 2]) }, /starts\.told is a tensor \[2,4,3,2\]/],
      [{ seen: cast(uniform(key(1), [2, 1]), 'float64') }, /starts\.seen is a tensor \[2,1\] float64, expected a tensor \[2,1\] float32/],
    ]
    for (const [given, sentence] of wrong) await expect(encodeModel(modelOf(rule, given))).rejects.toThrow(sentence)
    const { entries, metadata } = decodeSafetensors(await encodeModel(modelOf(rule, starts())))
    const { data } = entries['starts.told']
    expect(() => decodeModel(encodeSafetensors({ ...entries, 'starts.told': { dtype: 'float32', shape: [4, 1], data } }, metadata), 'm'))
      .toThrow(/^m: starts\.told is a tensor \[4,1\] float32, expected a tensor \[2,2\]/)
    data[1] = NaN
    expect(() => decodeModel(encodeSafetensors(entries, metadata), 'm')).toThrow(/^m: params\.starts\.told is NaN at \[0, 1\]/)
  })
})
