// The charts of sweeps and of several runs are labelled, and their texts lie within them.

import fc from 'fast-check'
import { parseHTML } from 'linkedom'
import { expect, it } from 'vitest'
import { importanceIn, ranked, type Candidate } from '../../src/experiment/index.ts'
import { learningCurvesSvg } from '../../src/node/charts/chart.ts'
import { importanceSvg, meanAndStdSvg, parallelCoordinatesSvg } from '../../src/node/charts/sweep-chart.ts'

type Word = { readonly text: string; readonly x: number; readonly y: number; readonly anchor: string }

/** The texts of a chart with their places, and its width. */
function words(svg: string): { all: Word[]; width: number; height: number } {
  const { document } = parseHTML(svg)
  const [width, height] = document.querySelector('svg')!.getAttribute('viewBox')!.split(' ').slice(2).map(Number)
  const shift = (element: Element): [number, number] => {
    const [, x = 0, y = 0] = /translate\(([-\d.]+),([-\d.]+)\)/.exec(element.getAttribute('transform') ?? '') ?? []
    const outer = element.parentElement && element.tagName !== 'svg' ? shift(element.parentElement) : [0, 0]
    return [Number(x) + outer[0], Number(y) + outer[1]]
  }
  const anchorOf = (element: Element): string => element.getAttribute('text-anchor') ?? (element.parentElement ? anchorOf(element.parentElement) : 'start')
  const all = [...document.querySelectorAll('text')].map(element => {
    const [x, y] = shift(element)
    return { text: element.textContent!, x, y, anchor: anchorOf(element) }
  })
  return { all, width, height }
}

/** The most pixels that a letter takes at a size of 12; names here consist of digits and small letters. */
const letter = 6.6

function expectWithin(svg: string): void {
  const { all, width, height } = words(svg)
  for (const { text, x, y, anchor } of all) {
    const length = letter * text.length
    const left = { start: x, middle: x - length / 2, end: x - length }[anchor]!
    expect(left, text).toBeGreaterThanOrEqual(-1)
    expect(left + length, text).toBeLessThanOrEqual(width + 40) // wide letters are rare
    expect(y, text).toBeGreaterThanOrEqual(8)
    expect(y, text).toBeLessThanOrEqual(height)
  }
}

const candidates: fc.Arbitrary<Candidate[]> = fc.array(fc.record({
  point: fc.record({ 'train.optimiser.rate': fc.double({ min: 1e-4, max: 1e-2, noNaN: true }), 'train.batch': fc.constantFrom(4, 8), 'rule.perceive': fc.constantFrom(['identity', 'sobelX'], ['laplacian']) }),
  iterations: fc.constantFrom(30, 90), values: fc.array(fc.double({ min: 1e-5, max: 1, noNaN: true }), { minLength: 2, maxLength: 2 }),
}), { minLength: 1, maxLength: 6 })

it('a sweep: each candidate by its fields, each field by its shortest name', async () => {
  await fc.assert(fc.asyncProperty(candidates, async list => {
    const judged = ranked(list)
    const [parallel, loss] = [await parallelCoordinatesSvg(judged), await meanAndStdSvg(judged)]
    for (const svg of [parallel, loss]) expectWithin(svg)
    const texts = (svg: string): string[] => words(svg).all.map(({ text }) => text)
    expect(texts(parallel)).toEqual(expect.arrayContaining(['rate', 'batch', 'perceive', 'loss']))
    expect(texts(loss).filter(text => /rate .*, batch [48], perceive (identity sobelX|laplacian)$/.test(text))).toHaveLength(list.length)
    expect(texts(loss)).toContain('loss: mean ± standard deviation over runs, log scale')
  }), { numRuns: 10 })
})

it('fields and losses are in numeric order, on a logarithmic scale if far apart; a field that does not apply is at the top', async () => {
  const judged = ranked([16, 4, 8, 32, 2, 64, 128, 1].map((size, i) => ({
    point: { size, hidden: [[16], [4], [8, 8]][i % 3], rate: 10 ** (-i / 2 - 1.25), ...(i % 2 === 0 && { damaged: i % 4 }) }, iterations: 1, values: [(i + 3) / 100],
  })))
  const { all } = words(await parallelCoordinatesSvg(judged))
  const column = (name: string): string[] => {
    const { x } = all.find(({ text }) => text === name)!
    return all.filter(word => word.x > x && word.x < x + 20 && word.text !== name).sort((a, b) => b.y - a.y).map(({ text }) => text)
  }
  expect(column('hidden')).toEqual(['4', '8,8', '16'])
  expect(column('damaged')).toEqual(['0', '2', 'none'])
  expect(column('rate')).toEqual(['0.0000178', '0.0001', '0.001', '0.01', '0.0562'])
  expect(column('size')).toEqual(['1', '10', '100', '128'].filter(text => text !== '100')) // which stands too near to the end
  expect(column('loss')).toEqual(['0.03', '0.1'])
  expect(words(await meanAndStdSvg(judged)).all.map(({ text }) => text)).toEqual(expect.arrayContaining(['0.02', '0.05', '0.1']))
})

/** The longest name of a metric. */
const longest = '1 − accuracyOfImages'

it('a perfect candidate, with error 0, is the best on a logarithmic scale, and explained by its fields', async () => {
  const judged = ranked([0.1, 0, 0.2, 0, 0.1, 0.2].map((value, i) => ({ point: { a: [1, 2, 3, 2, 1, 3][i], b: i % 2 }, iterations: 1, values: [value, value] })))
  const texts = async (svg: Promise<string>): Promise<string[]> => words(await svg).all.map(({ text }) => text)
  expect(await texts(parallelCoordinatesSvg(judged, '1 − dice'))).toEqual(expect.arrayContaining(['1 − dice', '0', '0.1', '0.2', 'A line is a candidate: the darker, the lower its 1 − dice.']))
  expect(await texts(meanAndStdSvg(judged, '1 − dice'))).toEqual(expect.arrayContaining(['a 2, b 1', '0.01', '1 − dice: mean ± standard deviation over runs, log scale; 0 at the left']))
  expect(importanceIn(judged).a).toBeCloseTo(1, 9)
  for (const svg of [parallelCoordinatesSvg(judged, longest), meanAndStdSvg(judged, longest), importanceSvg({ a: 1 }, longest)]) expectWithin(await svg)
  const none = ranked([1, 2].map(a => ({ point: { a }, iterations: 1, values: [0] })))
  for (const svg of [parallelCoordinatesSvg(none), meanAndStdSvg(none)]) expectWithin(await svg)
  expect(importanceIn(none)).toEqual({ a: 0 })
})

it('fields of the same name are told apart by the paths before it', async () => {
  const judged = ranked([1, 2].map(x => ({ point: { 'a.rate': x, 'b.rate': 1 }, iterations: 1, values: [x] })))
  expect(words(await parallelCoordinatesSvg(judged)).all.map(({ text }) => text)).toEqual(expect.arrayContaining(['a.rate', 'b.rate']))
})

it('the importance of fields in per cent', async () => {
  const svg = await importanceSvg({ 'train.optimiser.rate': 0.625, 'train.batch': 0 })
  expectWithin(svg)
  expect(words(svg).all.map(({ text }) => text)).toEqual(expect.arrayContaining(['train.optimiser.rate', '63 %', 'train.batch', '0 %']))
})

it('several runs: their names are above the curves, side by side, in narrow and wide charts', async () => {
  const name = fc.string({ unit: fc.constantFrom('a', 'e', '1', '-'), minLength: 1, maxLength: 60 })
  await fc.assert(fc.asyncProperty(fc.array(name, { minLength: 1, maxLength: 20 }), fc.constantFrom(360, 720, 1400), async (names, width) => {
    const svg = await learningCurvesSvg({ curves: names.map(text => ({ name: text, iterations: [1, 2], losses: [1, 0.1] })), width, height: 500 })
    expectWithin(svg)
    const { all } = words(svg)
    const axis = all.find(({ text }) => text === 'loss, log scale')!
    const legend = all.filter(({ y, text }) => y < axis.y && /^[ae1…-]+$/.test(text))
    expect(legend).toHaveLength(names.length)
    for (const [i, a] of legend.entries()) {
      for (const b of legend.slice(i + 1)) if (a.y === b.y) expect(Math.abs(a.x - b.x)).toBeGreaterThan(letter * (a.x < b.x ? a : b).text.length)
    }
  }), { numRuns: 15 })
})
