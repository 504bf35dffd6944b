// The loop of a sweep, with functions in place of runs: whatever order they end in, each is trained once, with the same result.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { checkData } from '../../src/backends/fields.ts'
import { drive, type Executor, type Outcome } from '../../src/cli/sweep/driver.ts'
import { planOf, sweepField, type JsonObject, type Plan } from '../../src/experiment/index.ts'

const plan = (seeds: readonly number[], halving: object | null, budget: number | null = null): Plan => planOf(
  checkData('sweep', sweepField, { base: {}, fields: { 'train.batch': [1, 2, 3, 4, 5, 6, 7] }, seeds: [...seeds], halving, budget: { iterations: budget } }),
  { train: { iterations: 90 } }, 1,
)
const batchOf = (config: JsonObject): number => (config.train as { batch: number }).batch

/** An executor whose runs take as many turns as drawn, and end as `outcome` says. */
function toy(slots: number, turns: readonly number[], outcome: (batch: number, seed: number, iterations: number) => Outcome): Executor & { readonly trained: string[] } {
  const trained: string[] = []
  return {
    slots, flags: '', trained,
    async train({ id, config, seed }, iterations, signal) {
      const count = turns[trained.push(`${id}-${iterations}`) % turns.length]
      for (let i = 0; i < count && !signal.aborted; i++) await Promise.resolve()
      return signal.aborted ? { stopped: true } : outcome(batchOf(config), seed, iterations)
    },
    close: async () => {},
  }
}

const turns = fc.array(fc.nat(9), { minLength: 1, maxLength: 10 })
const seeds = fc.constantFrom([0], [0, 1])
const losses = fc.array(fc.option(fc.integer({ min: 1, max: 9 }), { freq: 5 }), { minLength: 8, maxLength: 8 })
const never = new AbortController().signal
const outcomeBy = (loss: readonly (number | null)[]) => (batch: number, seed: number): Outcome => {
  const value = loss[batch]
  return value === null ? { failed: 'no memory' } : { value: value + seed / 10 }
}

it('has the same result for any number of slots and any order, with every run trained once', async () => {
  await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 9 }), turns, seeds, losses, fc.constantFrom(null, { least: 10 }, { least: 30, factor: 2 }), fc.option(fc.integer({ min: 200, max: 900 })), async (slots, drawn, list, loss, halving, budget) => {
    const made = plan(list, halving, budget)
    const [one, many] = [toy(1, [0], outcomeBy(loss)), toy(slots, drawn, outcomeBy(loss))]
    const told: string[] = []
    const found = await drive(made, many, never, ({ job }) => { told.push(`${job.candidate}-${job.iterations}`) })
    expect(found).toEqual(await drive(made, one, never, () => {}))
    expect(found.isDone).toBe(true)
    expect(new Set(many.trained).size).toBe(many.trained.length)
    expect([...many.trained].sort()).toEqual([...one.trained].sort())
    expect(new Set(told).size).toBe(told.length)
    expect(Object.keys(found.failures).length).toBe(list.length * found.candidates.filter(({ values }) => values.includes(null)).length)
  }))
})

it('ASHA trains every candidate, the best of the first third to the end, and no failed one any further', async () => {
  await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 9 }), turns, losses, async (slots, drawn, loss) => {
    const executor = toy(slots, drawn, outcomeBy(loss))
    const { candidates, isDone } = await drive(plan([0], { least: 10, wait: false }), executor, never, () => {})
    expect(isDone).toBe(true)
    expect(candidates).toHaveLength(7)
    expect(new Set(executor.trained).size).toBe(executor.trained.length)
    for (const { values, iterations } of candidates) if (values.includes(null)) expect(iterations).toBe(10)
    const best = Math.min(...loss.slice(1).filter(x => x !== null))
    const top = candidates.filter(({ iterations }) => iterations === 90)
    if (best < Infinity) expect(top.map(({ values }) => values[0])).toContain(best)
  }))
})

it('keeps what was trained when it is interrupted, and continues to the same result', async () => {
  await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 4 }), turns, fc.nat(12), losses, async (slots, drawn, after, loss) => {
    const made = plan([0, 1], { least: 10 })
    const controller = new AbortController()
    let count = 0
    const first = await drive(made, toy(slots, drawn, outcomeBy(loss)), controller.signal, () => { if (count++ === after) controller.abort() })
    const whole = await drive(made, toy(1, [0], outcomeBy(loss)), never, () => {})
    expect(await drive(made, toy(slots, drawn, outcomeBy(loss)), never, () => {})).toEqual(whole)
    if (!first.isDone) expect(first.candidates.length).toBeLessThanOrEqual(whole.candidates.length)
    for (const { values } of first.candidates) expect(values).toHaveLength(2)
  }))
})

it('stops all runs if the computer of one fails, and then says why', async () => {
  await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 5 }), turns, fc.integer({ min: 1, max: 7 }), async (slots, drawn, bad) => {
    let running = 0
    const executor = toy(slots, drawn, batch => {
      if (batch === bad) throw new Error('the disk is full')
      return { value: batch }
    })
    const counted: Executor = { ...executor, train: (...args) => { running++; return executor.train(...args).finally(() => { running-- }) } }
    await expect(drive(plan([0], null), counted, never, () => {})).rejects.toThrow('the disk is full')
    expect(running).toBe(0)
  }))
})
