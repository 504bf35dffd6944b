// Views of states, and the names of the numbers that a cell perceives.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { attention, channelNames, channelView, conv, customRule, defineRule, depthwise, filter, gridView, growingRule, init, key, mlp, normal, perceive, perceptionNames, perceptionSize, takeChannels, tensor, tensorToImage, viewOf } from '../../src/index.ts'
import { filterNames } from '../../src/tensor/filters.ts'
import { list } from '../tensor/values.ts'
import { rules } from './random-rule.ts'

const white = [1, 1, 1, 1]

describe('a view', () => {
  it('of one channel is white at 0, red above, blue below, and full from the range on', async () => {
    const values = [0, 0.25, 0.5, 9, -0.25, -0.5, -9, NaN]
    const { data, width, height } = await channelView(1, { range: 0.5 })(tensor(values.flatMap(v => [7, v]), { shape: [1, 2, 4, 2] }))
    expect([width, height]).toEqual([4, 2])
    const [zero, half, full, beyond, minusHalf, minusFull, below, none] = values.map((_, i) => [...data.subarray(4 * i, 4 * i + 4)])
    expect(zero).toEqual(white)
    expect(beyond).toEqual(full)
    expect(below).toEqual(minusFull)
    expect(none).toEqual([1, 0, 1, 1])
    for (const [ends, middles] of [[full, half], [minusFull, minusHalf]]) {
      middles.forEach((v, c) => expect(v).toBeCloseTo((1 + ends[c]) / 2, 6))
    }
    expect(full[0]).toBeGreaterThan(full[2]) // red
    expect(minusFull[2]).toBeGreaterThan(minusFull[0]) // blue
  })

  it('of a grid holds the map of every channel', async () => {
    const side = fc.integer({ min: 1, max: 3 })
    await fc.assert(fc.asyncProperty(side, side, fc.integer({ min: 1, max: 7 }), fc.option(side), async (height, width, channels, columns) => {
      const x = normal(key(channels), [2, height, width, channels])
      const grid = await gridView({ range: 2, columns: columns ?? undefined })(x)
      const row = Math.min(columns ?? Math.ceil(Math.sqrt(channels)), channels)
      expect([grid.width, grid.height]).toEqual([row * (width + 1) - 1, Math.ceil(channels / row) * (height + 1) - 1])
      for (let c = 0; c < channels; c++) {
        const { data } = await channelView(c, { range: 2 })(x)
        const [left, top] = [(c % row) * (width + 1), Math.floor(c / row) * (height + 1)]
        for (let y = 0; y < height; y++) {
          const at = 4 * ((top + y) * grid.width + left)
          expect(grid.data.subarray(at, at + 4 * width)).toEqual(data.subarray(4 * y * width, 4 * (y + 1) * width))
        }
      }
    }))
    const x = normal(key(0), [2, 2, 3])
    expect(await gridView({ channels: [2, 0] })(x)).toEqual(await gridView()(tensor(list(x).flatMap((_, i, all) => (i % 3 === 0 ? [all[i + 2], all[i]] : [])), { shape: [2, 2, 2] })))
  })

  it('of a rule follows its roles: rgba, rgb, or all channels', async () => {
    const x = normal(key(3), [1, 3, 2, 7], { std: 0.5 })
    const channels = (roles: Record<string, number>) => ({ channels: roles })
    expect(await viewOf(channels({ rgba: 4, hidden: 3 }))(x)).toEqual(await tensorToImage(x))
    expect(await viewOf(channels({ goal: 2, rgba: 4, hidden: 1 }))(x)).toEqual(await tensorToImage(takeChannels(x, 2, 6)))
    const { data } = await viewOf(channels({ a: 1, rgb: 3, hidden: 3 }))(x)
    const clamped = list(x).map(v => Math.min(Math.max(v, 0), 1))
    for (let i = 0; i < 6; i++) expect([...data.subarray(4 * i, 4 * i + 4)]).toEqual([...clamped.slice(7 * i + 1, 7 * i + 4), 1])
    expect(await viewOf(channels({ cells: 7 }))(x)).toEqual(await gridView()(x))
    const pair = customRule({ channels: { u: 1, v: 1 }, init: () => ({}), step: (_, y) => y })
    expect(await viewOf(pair)(takeChannels(x, 0, 2))).toMatchObject({ width: 5, height: 3 })
  })

  it('refuses what cannot be shown', async () => {
    expect(() => channelView(-1)).toThrow('channelView: channel is -1, expected a whole number ≥ 0.')
    expect(() => channelView(0, { range: 0 })).toThrow('channelView: range is 0, expected a number > 0.')
    expect(() => gridView({ channels: [] })).toThrow('gridView: channels is []')
    expect(() => gridView({ columns: 0 })).toThrow('gridView: columns is 0')
    await expect(channelView(2)(normal(key(0), [1, 2, 2, 2]))).rejects.toThrow('there are no channels from 2')
    await expect(gridView({ channels: [2] })(normal(key(0), [1, 2, 2, 2]))).rejects.toThrow('gridView: a channel is 2')
    await expect(gridView()(normal(key(0), [1, 2, 2, 2, 2]))).rejects.toThrow('give a view of your own')
  })
})

describe('channelNames', () => {
  it('has a name for each channel, by its role', () => {
    expect(channelNames({ rgba: 4, hidden: 2 })).toEqual(['r', 'g', 'b', 'a', 'hidden.0', 'hidden.1'])
    expect(channelNames({ rgb: 3, image: 1, none: 0, rgba: 2 })).toEqual(['r', 'g', 'b', 'image', 'rgba.0', 'rgba.1'])
    expect(channelNames({ image: 1, classes: 2 }, { classes: ['cat', 'dog'] })).toEqual(['image', 'cat', 'dog'])
    expect(channelNames({ image: 1, classes: 3 }, { classes: ['cat', 'dog'] })).toEqual(['image', 'classes.0', 'classes.1', 'classes.2'])
  })
})

describe('perceptionNames', () => {
  it('names what the published rule perceives', () => {
    const names = perceptionNames(growingRule)
    expect(names.slice(0, 4)).toEqual(['r·identity', 'r·sobelX', 'r·sobelY', 'g·identity'])
    expect(names.slice(9, 13)).toEqual(['a·identity', 'a·sobelX', 'a·sobelY', 'hidden.0·identity'])
    expect(names.at(-1)).toBe('hidden.11·sobelY')
  })

  it('numbers learned parts if there are several of a type', () => {
    const rule = { channels: { rgb: 3, age: 1 }, perceive: [conv(2), depthwise(2), attention(2, { heads: 1 }), conv(1), { name: 'laplacian', factor: 16 }] } as const
    expect(perceptionNames({ ...rule, perceive: [...rule.perceive] }).slice(-8)).toEqual([
      'age·depthwise.0', 'age·depthwise.1', 'age·laplacian', 'conv.0·0', 'conv.0·1', 'attention·0', 'attention·1', 'conv.1·0',
    ])
  })

  // The law: the number called `channel·filter` is that filter of that channel.
  it('names every number, in the layout of perceive', () => {
    fc.assert(fc.property(rules, rule => {
      const names = perceptionNames(rule)
      expect(names).toHaveLength(perceptionSize(rule))
      const x = normal(key(5), [1, 3, 4, Object.values(rule.channels).reduce((a, b) => a + b)], { dtype: 'float64' })
      const seen = perceive(rule, init(rule, key(1), { like: x }), x)
      const channels = [...new Set(names.filter(name => /·(identity|sobelX)$/.test(name)).map(name => name.split('·')[0]))]
      names.forEach((name, i) => {
        const [channel, what] = name.split('·')
        const isScaled = rule.perceive.some(part => typeof part === 'object' && 'name' in part && part.name === what)
        if (!filterNames.includes(what as 'mean') || isScaled || !channels.includes(channel)) return
        const expected = filter(takeChannels(x, channels.indexOf(channel), channels.indexOf(channel) + 1), what as 'mean', { padding: rule.padding })
        list(takeChannels(seen, i, i + 1)).forEach((v, at) => expect(v).toBeCloseTo(list(expected)[at], 9))
      })
    }))
  })
})

it('the default view takes a rule made by defineRule', async () => {
  const rule = defineRule({ channels: { u: 1, v: 1 }, perceive: ['identity'], update: mlp(2), living: null })
  expect(await viewOf(rule)(normal(key(0), [1, 2, 2, 2]))).toMatchObject({ width: 5, height: 2 })
})
