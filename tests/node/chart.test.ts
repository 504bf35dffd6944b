import { parseHTML } from 'linkedom'
import { describe, expect, it } from 'vitest'
import { lossCurveSvg } from '../../src/node/charts/chart.ts'

/** All points of the paths of an SVG text, path by path. */
function paths(svg: string): [number, number][][] {
  return [...svg.matchAll(/ d="(M[^"]*)"/g)].map(([, d]) =>
    [...d!.matchAll(/[ML](-?[\d.]+),(-?[\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)] as [number, number]))
}

function texts(svg: string): string[] {
  const elements = [...parseHTML(svg).document.querySelectorAll('text')]
  return elements.map(({ textContent }) => textContent ?? '').filter(text => text !== '')
}

const iterations = Array.from({ length: 101 }, (_, i) => i * 10)
const losses = iterations.map(i => 10 ** (-i / 250)) // from 1 to 1e-4

describe('lossCurveSvg', () => {
  it('is a stand-alone SVG file with title, axes and a white sheet', async () => {
    const svg = await lossCurveSvg({ iterations, losses, title: 'lizard' })
    expect(svg).toMatch(/^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/)
    expect(svg).toMatch(/<\/svg>$/)
    const sheet = parseHTML(svg).document.querySelector('svg > rect:nth-child(2)')! // behind all but the style sheet
    expect(['width', 'height', 'fill'].map(name => sheet.getAttribute(name))).toEqual(['720', '400', 'white'])
    expect(texts(svg)).toEqual(expect.arrayContaining(
      ['lizard', 'loss, log scale', 'iteration', '1', '0.1', '0.01', '0.001', '0.0001', '0', '200', '1,000']))
  })

  it('labels every tick', async () => {
    const svg = await lossCurveSvg({ iterations: [0, 1000, 2000], losses: [0.05, 0.003, 0.0012], title: 'fish' })
    expect(texts(svg)).toEqual(expect.arrayContaining(['0.05', '0.02', '0.01', '0.005', '0.002', '0.001']))
    expect(svg).not.toMatch(/<text[^>]*\/>|<text[^>]*><\/text>/)
  })

  it('labels only powers of ten when the range is wide', async () => {
    expect(texts(await lossCurveSvg({ iterations, losses }))).not.toContain('0.02')
  })

  it('draws equal ratios of loss as equal heights', async () => {
    const svg = await lossCurveSvg({ iterations: [0, 1, 2], losses: [1, 0.1, 0.01] })
    const dots = paths(svg).find(path => path.length === 3)!
    expect(dots[1]![1] - dots[0]![1]).toBeCloseTo(dots[2]![1] - dots[1]![1], 0)
    expect(dots[1]![0] - dots[0]![0]).toBeCloseTo(dots[2]![0] - dots[1]![0], 0)
    expect(dots[2]![1]).toBeGreaterThan(dots[0]![1]) // down is less
  })

  it('draws every point, and a median that a spike does not move', async () => {
    const spiked = losses.with(50, 1e3)
    const [dots, median] = paths(await lossCurveSvg({ iterations, losses: spiked })).filter(path => path.length === 101)
    const jump = (path: [number, number][] | undefined): number => Math.abs(path![50]![1] - path![49]![1])
    expect(jump(dots)).toBeGreaterThan(100)
    expect(jump(median)).toBeLessThan(5)
  })

  it('stays small for long runs', async () => {
    const long = Array.from({ length: 20000 }, (_, i) => i)
    const svg = await lossCurveSvg({ iterations: long, losses: long.map(i => 1 / (i + 1)) })
    expect(svg.length).toBeLessThan(20 * long.length)
    const [dots] = paths(svg).filter(path => path.length === long.length)
    expect(dots![0]![0]).toBeLessThan(dots!.at(-1)![0])
  })

  it('leaves out losses without a logarithm', async () => {
    const svg = await lossCurveSvg({ iterations: [0, 1, 2, 3, 4], losses: [1, 0, NaN, Infinity, 0.1] })
    expect(svg).not.toMatch(/NaN|Infinity/)
    expect(paths(svg).some(path => path.length === 2)).toBe(true)
  })

  it('draws a single point and a narrow range', async () => {
    const single = await lossCurveSvg({ iterations: [7], losses: [0.013] })
    expect(texts(single)).toEqual(expect.arrayContaining(['0.01', '0.02', '7']))
    const narrow = await lossCurveSvg({ iterations: [0, 1], losses: [0.011, 0.04] })
    expect(texts(narrow)).toEqual(expect.arrayContaining(['0.01', '0.02', '0.05']))
  })

  it('escapes the title', async () => {
    const svg = await lossCurveSvg({ iterations, losses, title: '<b> & "c"' })
    expect(svg).toContain('&lt;b&gt; &amp; ')
    expect(texts(svg)).toContain('<b> & "c"')
  })

  it('follows width and height', async () => {
    expect(await lossCurveSvg({ iterations, losses, width: 300, height: 200 })).toContain('viewBox="0 0 300 200"')
  })

  it('refuses different lengths, and empty curves', async () => {
    await expect(lossCurveSvg({ iterations: [0, 1], losses: [1] })).rejects
      .toThrow('chart: got 2 iterations but 1 losses')
    await expect(lossCurveSvg({ iterations: [0, 1], losses: [0, NaN] })).rejects
      .toThrow('chart: none of the 2 losses is positive and finite')
    for (const width of [0, 99, NaN, 1e9]) {
      await expect(lossCurveSvg({ iterations, losses, width })).rejects
        .toThrow(`chart: width is ${width}, expected a number from 100 to 10000.`)
    }
  })
})
