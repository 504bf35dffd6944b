import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { expect, it, vi } from 'vitest'
import { loadConfig } from '../../src/cli/input/config-file.ts'
import { estimates, iterationsIn, paced, stretched, stretchedRate } from '../../src/cli/run/minutes.ts'
import { cosineDecay, cpu, exponentialDecay, stepDecay, warmUp, wsd } from '../../src/index.ts'
import { plannedAt } from '../../src/nca/training/pace.ts'
import { rateAt } from '../../src/nca/training/schedule.ts'
import { asModule, run, temporaryFolder, writeConfig } from './run.ts'

const folder = temporaryFolder()
const length = fc.integer({ min: 1, max: 50 })
const schedule = fc.oneof(
  fc.constant(0.5),
  fc.array(length, { maxLength: 3 }).map(at => stepDecay(1, { at, factor: 0.5 })),
  fc.double({ min: 0.8, max: 1, noNaN: true }).map(factor => exponentialDecay(1, { factor })),
  length.map(n => cosineDecay(1, { length: n, final: 0.25 })),
  fc.tuple(length, length).map(([stable, decay]) => wsd(1, { warmUp: 0, stable, decay })),
)

it('a stretched schedule has at k·t the rate that the schedule had at t', () => {
  fc.assert(fc.property(schedule, fc.nat(120), fc.integer({ min: 1, max: 9 }), (rate, t, k) => {
    expect(rateAt(stretchedRate(rate, k), k * t)).toBeCloseTo(rateAt(rate, t), 10)
  }))
})

it('a stretched warm-up ends at k·t, before what follows it', () => {
  fc.assert(fc.property(schedule, length, fc.nat(120), fc.integer({ min: 1, max: 9 }), (rate, n, t, k) => {
    const before = warmUp(n, rate)
    expect(rateAt(stretchedRate(before, k), k * n - 1)).toBeCloseTo(rateAt(rate, 0), 10)
    expect(rateAt(stretchedRate(before, k), k * (n + t))).toBeCloseTo(rateAt(before, n + t), 10)
    const rise = wsd(1, { warmUp: n, stable: 3, decay: 5 })
    expect(rateAt(stretchedRate(rise, k), k * (n + t))).toBeCloseTo(rateAt(rise, n + t), 10)
  }))
})

it('a configuration is stretched as a whole, and shrunk to one that can be read', async () => {
  const config = await loadConfig({ flags: { warmUp: { iterations: 1000, from: [3, 5] } } })
  expect(stretched(config, 2 * 8001)).toEqual({
    ...config,
    train: {
      ...config.train,
      iterations: 2 * 8001,
      warmUp: { iterations: 2000, from: [3, 5] },
      optimiser: { ...config.train.optimiser, rate: { type: 'step', rate: 2e-3, at: [4002], factor: 0.1 } },
    },
  })
  await fc.assert(fc.asyncProperty(fc.oneof(schedule, schedule.map(rate => warmUp(7, rate))), length, async (rate, n) => {
    const some = { ...config, train: { ...config.train, optimiser: { ...config.train.optimiser, rate } } }
    const flags = stretched(some, n) as never
    expect(await loadConfig({ flags })).toEqual(flags)
  }))
})

it('samples that grow from one cell take three quarters of the time of grown ones', async () => {
  const small = { size: 4, padding: 1, batch: 4, steps: [2, 3] as [number, number] }
  const target = { width: 6, height: 6, data: new Float32Array(144).fill(1) }
  // A clock that moves by half a second whenever it is read: the time of an iteration.
  let now = 0
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 500))
  const fit = async (flags: Record<string, unknown>): Promise<number> => (
    iterationsIn(1, await loadConfig({ flags: { ...small, ...flags } }), target, cpu({ threads: 1 }))
  )
  try {
    expect(await fit({ pool: 16, reseed: 0 })).toBe(120)
    expect(await fit({ pool: 16, reseed: 1 })).toBe(128)
    expect(await fit({ pool: 0 })).toBe(160)
  } finally {
    clock.mockRestore()
  }
})

it('a run ends in time on a machine that becomes busy, or free, and goes through its whole plan', async () => {
  const config = await loadConfig({ flags: { iterations: 1000 } })
  const speeds = fc.array(fc.record({ until: fc.double({ min: 0, max: 1, noNaN: true }), slower: fc.double({ min: 0.25, max: 4, noNaN: true }) }), { maxLength: 4 })
  let now = 0
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now)
  try {
    fc.assert(fc.property(speeds, fc.integer({ min: 200, max: 5000 }), (phases, first) => {
      now = 1000
      let run = stretched(config, first), done = 0
      const total = 120_000
      const left = estimates(total / 60_000, now, run.train)
      const each = (): number => (phases.find(({ until }) => now - 1000 < until * total)?.slower ?? 1) * (0.9 * total / first)
      while (done < run.train.iterations) {
        now += each()
        done++
        const more = done < run.train.iterations ? left(done) : null
        if (more !== null) run = paced(run, done, more)
      }
      now += each() * 100 / run.train.batch // the pictures
      expect(Math.abs(now - 1000 - total)).toBeLessThan(0.1 * total)
      const plans = Array.from({ length: done + 1 }, (_, t) => plannedAt(run.train.pace, t))
      expect(plans.every((plan, t) => t === 0 || plan > plans[t - 1] - 1e-9)).toBe(true)
      if (run.train.pace.length > 3) expect(plans[done]).toBeGreaterThan(0.8 * first)
    }))
  } finally {
    clock.mockRestore()
  }
})

it('--minutes makes a run with as many iterations as fit, and writes them into its configuration', async () => {
  const config = await writeConfig(folder('run.yaml'), 'iterations: 1000000\n')
  const { status, out, err } = await run(['train', 'fish', '--config', config, '--minutes', '0.01', '--out', folder('short')])
  expect([status, err]).toEqual([0, ''])
  const planned = Number(/^(\d+) iterations fit into 0\.01 minutes here\.\n/.exec(out)?.[1])
  const count = Number(/^Trained (\d+) iterations in /m.exec(out)?.[1])
  const written = await readFile(folder('short', 'config.yaml'), 'utf8')
  expect(written).toContain(`\n  iterations: ${count}\n`)
  expect(Number(/ at: \[(\d+)\]/.exec(written)?.[1])).toBe(Math.round((2001 * planned) / 1e6))
})

it('its decisions on the way are in the configuration, which repeats the run without a clock', async () => {
  const config = await writeConfig(
    folder('slow.yaml'), 'optimiser: { type: adam, rate: { type: cosine, rate: 0.002, length: 1000 } }\niterations: 1000\n',
  )
  // A clock that moves by 10 ms whenever it is read: a run reads it more often than the measurement does, so it takes longer.
  const clock = asModule('let now = 0; performance.now = () => now += 10')
  const timed = await run(['train', 'fish', '--config', config, '--minutes', '0.05', '--out', folder('timed')], { imports: [clock] })
  expect([timed.status, timed.err]).toEqual([0, ''])
  const planned = Number(/^(\d+) iterations fit/.exec(timed.out)?.[1])
  const done = Number(/Trained (\d+) iterations in/.exec(timed.out)?.[1])
  expect(done).toBeLessThan(planned)
  const written = await readFile(folder('timed', 'config.yaml'), 'utf8')
  expect(written).toMatch(new RegExp(`iterations: ${done}\n[^]*pace: \\[ *\\{|iterations: ${done}\n[^]*pace:\n`))
  const again = await run(['train', '--config', folder('timed', 'config.yaml'), '--out', folder('again')])
  expect([again.status, again.err]).toEqual([0, ''])
  const model = (name: string): Promise<Buffer> => readFile(folder(name, 'model.safetensors'))
  expect((await model('again')).equals(await model('timed'))).toBe(true)
})
