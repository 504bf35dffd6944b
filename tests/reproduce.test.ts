// The reproductions run, and write the promised files. Whether they reproduce a claim takes longer than a test.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { distributionDistance, edgesMet, gradients } from '../reproduce/lib/sharpness.ts'
import { learn } from '../reproduce/lib/learn.ts'
import { judgeModel } from '../reproduce/lib/models.ts'
import { edge, solidsOf } from '../reproduce/lib/solids.ts'
import { byBrightness } from '../reproduce/lib/brightness.ts'
import { windowsOf } from '../reproduce/lib/windows.ts'
import { depthOf, disparities, inputs, madeScenes } from '../reproduce/lib/stereo.ts'
import { centred, digit, frameOf, side, videoOf } from '../reproduce/lib/moving-digit.ts'
import { adam, conv, defineRule, examplesOf, imageToImageTask, init, key, mlp, sum, taskTrainer, uniform, type Model } from '../src/index.ts'
import { readModel } from '../src/node/index.ts'
import { together } from '../reproduce/lib/report.ts'
import { long } from './long.ts'

const run = promisify(execFile)
const out = await mkdtemp(join(tmpdir(), 'cellgrad-reproduce-'))
afterAll(() => rm(out, { recursive: true }))

const reproduce = (...args: string[]): Promise<{ stdout: string; stderr: string }> =>
  run(process.execPath, ['--import', 'tsx', 'reproduce/run.ts', ...args])

it.runIf(long)('a claim is tried, continued, and reported', async () => {
  const { stdout } = await reproduce('pool', '--quick', '--out', out)
  expect(stdout).toContain('iteration 20/20')
  const again = await reproduce('pool', '--quick', '--out', out)
  expect(again.stdout).toContain('from 20 on')
  const all = await readdir(out), files = all.filter(name => name.startsWith('reproduce-pool')).sort()
  for (const model of ['pool-conv3-no-pool', 'pool-conv3'].map(name => `${name}.safetensors`)) {
    expect(all).toContain(model)
    expect((await readModel(join(out, model))).provenance).toMatchObject({ conditions: 'lizard eye', grid: '20', iterations: '20', seed: '0' })
    expect(await readFile(join(out, 'reproduce-pool.md'), 'utf8')).toContain(`\`cellgrad grow ${join(out, model)}\``)
  }
  expect(files).toEqual([
    'reproduce-pool-error.svg', 'reproduce-pool-with.png', 'reproduce-pool-without.png', 'reproduce-pool.csv',
    'reproduce-pool.md',
  ])
  expect(await readFile(join(out, 'reproduce-pool.csv'), 'utf8')).toMatch(/^optimiser,pool,.*\nAdam,without(,-?[\d.]+){7}\nAdam,with(,-?[\d.]+){7}\nMuon,without(,-?[\d.]+){7}\nMuon,with(,-?[\d.]+){7}\n$/)
}, 120_000)

it.runIf(long)('a claim is tried with several seeds, each of which can be resumed', async () => {
  const folder = join(out, 'seeds')
  await reproduce('pool', '--quick', '--out', folder, '--seed', '4')
  const { stdout } = await reproduce('pool', '--quick', '--out', folder, '--seed', '4', '--seeds', '2')
  expect(stdout.match(/from 20 on/g)).toHaveLength(4) // without and with a pool, by two optimisers, of the first seed
  expect(await readFile(join(folder, 'reproduce-pool.csv'), 'utf8'))
    .toMatch(/^seed,optimiser,pool,.*(\n[45],(Adam|Muon),with(out)?(,-?[\d.]+){7}){8}\n$/)
  expect(await readFile(join(folder, 'reproduce-pool.md'), 'utf8')).toMatch(/\| Adam \| without \| -?[\d.]+ ± [\d.]+ \|[^]*of seeds 4 and 5\./)
  expect((await readdir(join(folder, 'runs', 'pool', 'seed-5'))).length).toBeGreaterThan(0)
}, 240_000)

it('a longer training continues the longest shorter one of the same part and seed', async () => {
  vi.spyOn(console, 'log').mockImplementation(() => {})
  vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  const rule = defineRule({ channels: { input: 1, output: 1 }, frozen: ['input'], perceive: [conv(2)], update: mlp(2) })
  const dots = examplesOf(new Float32Array(4).fill(1), [2, 2, 1])
  const trainer = taskTrainer({ rule, task: imageToImageTask(rule, { inputs: dots, outputs: dots }), batch: 1, steps: [1, 2], optimiser: adam({ rate: 1e-3 }) })
  const image = { width: 1, height: 1, data: new Float32Array(4) }
  const context = { name: 'longer', out, work: out, models: null, seed: 0, seeds: [0, 1], data: '', quick: true, iterations: null }
  const seconds = new Map<number, number>(), shorter = new Map<number, readonly number[] | undefined>()
  const lossesOf = async (iterations: number, seed = 0, part = 'dots'): Promise<readonly number[]> => {
    const learned = await learn({ ...context, seed }, part, trainer, { iterations, target: image, paint: async () => image })
    seconds.set(iterations, learned.seconds)
    shorter.set(iterations, learned.shorter)
    return learned.losses
  }
  const short = await lossesOf(3), long = await lossesOf(5)
  expect(long.slice(0, 3)).toEqual(short)
  expect(seconds.get(5)).toBeGreaterThan(seconds.get(3)!) // the time of both together
  expect(await lossesOf(4)).toEqual(long.slice(0, 4)) // from the one of 3, not from that of 5
  expect((await lossesOf(2)).length).toBe(2)
  await lossesOf(2, 1)
  await lossesOf(2, 0, 'dots-0')
  expect((await readdir(join(out, 'longer'))).sort()).toEqual([
    'dots-0-0-2.safetensors', 'dots-0-2.safetensors', 'dots-0-3.safetensors', 'dots-0-4.safetensors', 'dots-0-5.safetensors', 'dots-1-2.safetensors',
  ])
  expect(await lossesOf(3)).toEqual(short)
  expect(await lossesOf(5)).toEqual(long)
  expect(shorter).toEqual(new Map([[2, []], [3, []], [4, [3]], [5, [3]]]))
  vi.restoreAllMocks()
})

describe('the model of a claim', () => {
  const rule = defineRule({ channels: { a: 2 }, perceive: ['identity'], update: mlp(4, { lastStd: 0.3 }) })
  const learned = { params: init(rule, key(1)), losses: [1, 3] }
  const context = { name: 'some', out, work: out, models: join(out, 'models'), seed: 0, seeds: [0, 1], data: '', quick: true, iterations: null }
  const path = join(out, 'models', 'some-part.safetensors')
  const described = { rule, data: { set: 'nothing', loss: 'mse' as const }, steps: [3, 5] as const, grid: 9, starts: { a: uniform(key(2), [2, 2]) } }
  const of = (digits: number) => ({
    measure: async ({ params }: Model) => ({ sum: sum(params.update.w1).toArray()[0] }), shown: ({ sum }: { sum: number }) => sum.toFixed(digits),
  })

  it('is written in half precision where that changes nothing that is shown, else as it is', async () => {
    const size = async (digits: number): Promise<number> => {
      const { measured, file } = await judgeModel(context, 'part', learned, described, of(digits))
      expect(measured.sum).toBe(sum(learned.params.update.w1).toArray()[0]) // of what was trained, and not of halves
      expect(file).toBe(`\`some-part.safetensors\` (2 KB in ${digits === 0 ? 'half' : 'single'} precision): \`cellgrad grow ${path}\``)
      const { provenance, starts } = await readModel(path)
      expect(provenance).toEqual({
        claim: 'some-part', data: '{"set":"nothing","loss":"mse"}', grid: '9', steps: '3 to 5', iterations: '2', loss: '2.00', seed: '0',
      })
      expect(starts!.a.shape).toEqual([2, 2])
      return (await readFile(path)).length
    }
    const [half, single] = [await size(0), await size(9)]
    expect(single - half).toBe(2 * (2 * 4 + 4 + 4 * 2 + 2 + 4))
  })

  it('is not written for other seeds than the first', async () => {
    await rm(path, { force: true })
    const { file } = await judgeModel({ ...context, models: null, seed: 1 }, 'part', learned, described, of(0))
    expect([file, existsSync(path)]).toEqual([null, false])
  })
})

describe('numbers of several seeds', () => {
  it('are reported as mean and sample standard deviation, if they differ', () => {
    const row = fc.record({ a: fc.double({ min: -9, max: 9, noNaN: true }), b: fc.integer({ min: -9, max: 9 }) })
    fc.assert(fc.property(fc.array(row, { minLength: 2, maxLength: 5 }), list => {
      const reports = list.map(({ a, b }) => [{ name: 'x', a: a.toFixed(3), b }])
      const [got] = together(reports)
      expect(got.name).toBe('x')
      for (const [column, digits] of [['a', 3], ['b', 0]] as const) {
        const values = reports.map(([one]) => Number(one[column])), mean = values.reduce((x, y) => x + y) / values.length
        if (new Set(reports.map(([one]) => one[column])).size === 1) {
          expect(got[column]).toBe(reports[0][0][column])
          continue
        }
        const [middle, deviation] = String(got[column]).split(' ± ').map(Number)
        expect(Math.abs(middle - mean)).toBeLessThanOrEqual(0.5001 * 10 ** -digits)
        const squares = values.reduce((sum, v) => sum + (v - mean) ** 2, 0)
        expect(Math.abs(deviation - Math.sqrt(squares / (values.length - 1)))).toBeLessThanOrEqual(0.5001 * 10 ** -digits)
      }
    }))
  })

  it('must have the same rows, and be numbers', () => {
    expect(() => together([[{ a: 1 }], []])).toThrow('reproduce: the seeds do not have the same rows.')
    expect(() => together([[{ a: 'x' }], [{ a: 'y' }]])).toThrow('reproduce: a is x, y, expected numbers or the same for every seed.')
  })
})

describe('sharpness', () => {
  const side = 8
  const noise = (n: number): fc.Arbitrary<Float32Array> => fc.integer().map(seed =>
    Float32Array.from(uniform(key(Math.abs(seed)), [n * side * side]).toArray()))
  const distance = (made: Float32Array, real: Float32Array): number =>
    distributionDistance(gradients(made, side, 1), gradients(real, side, 1))
  const blocks = (n: number): Float32Array => Float32Array.from({ length: n * side * side }, (_, i) =>
    +((Math.floor(i / side / side) + Math.floor(i % side / 3) + Math.floor(i / side / 3)) % 2 === 0))
  const blurred = (x: Float32Array): Float32Array => x.map((v, i) => (
    (v + (x[i + 1] ?? v) + (x[i - 1] ?? v) + (x[i + side] ?? v) + (x[i - side] ?? v)) / 5))

  it('is lost by blurring and by noise, but not by painting other pictures of the same kind', () => {
    fc.assert(fc.property(noise(3), fc.constantFrom(0.1, 0.3), (grain, much) => {
      const real = blocks(3), other = Float32Array.from([...real.slice(side * side), ...real.slice(0, side * side)])
      expect(distance(other, real)).toBe(0)
      expect(distance(blurred(real), real)).toBeGreaterThan(0.05)
      expect(distance(blurred(blurred(real)), real)).toBeGreaterThan(distance(blurred(real), real))
      expect(distance(real.map((v, i) => v + much * grain[i]), real)).toBeGreaterThan(0.2 * much)
    }))
  })

  it('is a mean of distances of sorted gradients, checked by hand', () => {
    expect([...gradients([0, 3, 4, 9], 2, 1)]).toEqual([5])
    expect([...gradients([0, 0, 3, 3, 1, 7, 9, 9], 2, 2)]).toEqual([5])
    expect(distributionDistance(Float32Array.of(3, 1), Float32Array.of(2, 6))).toBe(2)
  })

  it('accepts edges that have another one within a cell', () => {
    const real = gradients(blocks(2), side, 1)
    expect(edgesMet(real, real, side, 0.1)).toBe(1)
    expect(edgesMet(real, real.map(() => 0), side, 0.1)).toBe(0)
    const step = (at: number): Float32Array =>
      gradients(Float32Array.from({ length: side * side }, (_, i) => +(i % side >= at)), side, 1)
    expect(edgesMet(step(3), step(4), side, 0.1)).toBe(1)
    expect(edgesMet(step(3), step(5), side, 0.1)).toBe(0)
  })
})

describe('the baselines of a segmentation', () => {
  it('are windows with the values around a cell, and 0 beyond the border, in images and in volumes', () => {
    expect([...windowsOf(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3], 3, [0])]).toEqual([0, 0, 0, 0, 1, 2, 0, 4, 5])
    fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }), fc.nat(999), (grid, draw) => {
      const size = grid.reduce((a, b) => a * b, 1), images = Float32Array.from({ length: 2 * size }, (_, i) => i + 1)
      const cell = draw % (2 * size), window = windowsOf(images, grid, 3, [cell]), middle = (window.length - 1) / 2
      expect(window[middle]).toBe(cell + 1)
      expect(window[middle + 1]).toBe(cell % grid.at(-1)! === grid.at(-1)! - 1 ? 0 : cell + 2) // the next along the last axis
      const stride = size / grid[0], above = Math.floor(cell % size / stride) === 0
      expect(window[middle - 3 ** (grid.length - 1)]).toBe(above ? 0 : cell + 1 - stride)
      expect(windowsOf(images, grid, 1, [cell])).toEqual(Float32Array.of(cell + 1))
    }))
  })

  it('are brightness, with classes that no thresholds can improve', () => {
    const sample = fc.array(fc.tuple(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 2 })), { minLength: 1, maxLength: 30 })
    fc.assert(fc.property(sample, fc.nat(100), fc.nat(100), (list, a, b) => {
      const [values, classes] = [list.map(([v]) => v / 100), list.map(([, c]) => c)]
      const right = (guess: (v: number) => number): number => values.filter((v, i) => guess(v) === classes[i]).length
      const [low, high] = [Math.min(a, b) / 100, Math.max(a, b) / 100]
      expect(right(byBrightness(values, classes, 3))).toBeGreaterThanOrEqual(right(v => +(v > low) + +(v > high)))
    }))
  })
})

describe('solid digits', () => {
  it('keep their size however they are turned, and are as bright as the balls, which do not touch them', () => {
    const square = Float32Array.from({ length: 196 }, (_, i) => +(i % 14 >= 3 && i % 14 < 11 && i >= 3 * 14 && i < 11 * 14))
    fc.assert(fc.property(fc.integer({ min: 0, max: 1000 }), seed => {
      const { images, labels } = solidsOf(key(seed), square), on = [...labels.keys()].filter(p => labels[p] === 1)
      expect(on.length / 64).toBeGreaterThan(2.5) // 8×8 pixels, 3 to 5 voxels thick
      expect(on.length / 64).toBeLessThan(5.5)
      const mean = (list: readonly number[]): number => list.reduce((sum, p) => sum + images[p], 0) / list.length
      expect(mean(on)).toBeCloseTo(1, 0.5)
      const beside = [...labels.keys()].filter(p => labels[p] === 0 && [1, edge, edge ** 2].some(by => labels[p - by] === 1))
      expect(Math.abs(mean(beside))).toBeLessThan(0.25)
    }), { numRuns: 10 })
  })
})

describe('scenes with two pictures', () => {
  it('have costs that are low at the true disparity, except for cells that are visible in only one picture', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 1000 }), seed => {
      const { given, depth } = madeScenes(key(seed), 6, 24, 40)
      let right = 0, wrong = 0
      for (let p = 0; p < depth.length; p++) {
        const tried = disparities.findIndex(d => Math.abs(depthOf(d) / depth[p] - 1) < 0.01)
        if (tried < 0) continue
        disparities.forEach((_, i) => {
          if (i === tried) right += given[p * inputs + i]
          else wrong += given[p * inputs + i] / (disparities.length - 1)
        })
      }
      expect(right / wrong).toBeLessThan(0.85)
    }), { numRuns: 5 })
  })

  it('have depths that fall with the disparity, and are those of the real cameras', () => {
    expect(depthOf(0)).toBeCloseTo(6.177, 3)
    expect(depthOf(7.5)).toBeCloseTo(2.108, 3)
  })
})

describe('a moving digit', () => {
  const pictures = Float32Array.from({ length: 3 * 28 * 28 }, (_, i) => {
    const [which, y, x] = [Math.floor(i / 784), Math.floor(i % 784 / 28), i % 28]
    return y > 4 && y < 23 && x > 6 + which && x < 20 ? ((3 * y + 7 * x) % 11) / 10 : 0
  })
  const digits = { images: pictures, labels: Uint8Array.of(4, 5, 6), n: 3 }

  it('is the same one, and complete, in every frame of its video', () => {
    fc.assert(fc.property(fc.nat(999), fc.nat(999), (seed, id) => {
      const video = videoOf(digits, key(seed), id, 9)
      expect(videoOf(digits, key(seed), id, 4).frames).toEqual(video.frames.slice(0, 4 * side * side))
      const picture = pictures.subarray(784 * (video.label - 4), 784 * (video.label - 3))
      const sum = (list: Float32Array): number => list.reduce((a, b) => a + b, 0)
      for (let t = 0; t < 9; t++) expect(sum(frameOf(video, t))).toBeCloseTo(sum(picture) / 4, 2)
    }), { numRuns: 20 })
  })

  it('is found wherever it is, also behind a veil', () => {
    const shape = Float32Array.from({ length: 64 }, (_, i) => (i * 37 % 10 + 1) / 11)
    const at = (top: number, left: number, veil: number): Float32Array => Float32Array.from({ length: side * side }, (_, i) => {
      const [y, x] = [Math.floor(i / side) - top, i % side - left]
      return y >= 0 && y < 8 && x >= 0 && x < 8 ? shape[8 * y + x] : veil
    })
    const place = fc.integer({ min: 0, max: side - 8 })
    const whole = centred(at(10, 10, 0))
    expect(whole.length).toBe(digit * digit)
    fc.assert(fc.property(place, place, (top, left) => {
      expect(centred(at(top, left, 0))).toEqual(whole)
      const seen = centred(at(top, left, 0.02)).filter(v => v > 0.05)
      expect(seen).toEqual(whole.filter(v => v > 0.05))
    }))
  })
})

it('an unknown claim, a wrong number of seeds, and half an iteration are refused', async () => {
  const refused: [string[], string][] = [
    [['pull'], 'there is no claim pull'],
    [['pool', '--seeds', '0'], '--seeds is 0, expected a whole number > 0.'],
    [['pool', '--iterations', '0.5'], '--iterations is 0.5, expected a whole number > 0.'],
  ]
  await Promise.all(refused.map(async ([args, sentence]) => {
    const error = await reproduce(...args).catch((e: unknown) => e) as { code: number; stderr: string }
    expect(error).toMatchObject({ code: 2, stderr: expect.stringContaining(sentence) as string })
  }))
})
