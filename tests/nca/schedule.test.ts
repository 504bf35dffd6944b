import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cosineDecay, exponentialDecay, rateAt, stepDecay, warmUp, wsd, type Schedule } from '../../src/index.ts'

const at = (schedule: Schedule, ...iterations: number[]): number[] => iterations.map(t => rateAt(schedule, t))

/** The rates, to 12 digits. */
function expectRates(schedule: Schedule, expected: Record<number, number>): void {
  for (const [t, rate] of Object.entries(expected)) {
    expect(rateAt(schedule, Number(t)), `iteration ${t}`).toBeCloseTo(rate, 12)
  }
}

describe('schedules', () => {
  it('a number is a constant rate', () => {
    expect(at(2e-3, 0, 1, 1e6)).toEqual([2e-3, 2e-3, 2e-3])
  })

  it('stepDecay changes at each iteration it names', () => {
    expectRates(
      stepDecay(1e-3, { at: [1000, 2000], factor: 0.3 }),
      { 0: 1e-3, 999: 1e-3, 1000: 3e-4, 1999: 3e-4, 2000: 9e-5, 1e6: 9e-5 },
    )
  })

  it('exponentialDecay multiplies by the factor in every iteration', () => {
    expectRates(exponentialDecay(2, { factor: 0.5 }), { 0: 2, 1: 1, 3: 0.25 })
  })

  it('cosineDecay goes from the rate to the final rate, is half way at half time, and stays there', () => {
    expectRates(
      cosineDecay(1, { length: 100, final: 0.2 }),
      { 0: 1, 25: 0.6 + 0.4 * Math.SQRT1_2, 50: 0.6, 75: 0.6 - 0.4 * Math.SQRT1_2, 100: 0.2, 1000: 0.2 },
    )
    expectRates(cosineDecay(1, { length: 10 }), { 10: 0 })
  })

  it('warmUp rises to the first rate of the schedule that follows, which begins when it is done', () => {
    expectRates(
      warmUp(4, stepDecay(1, { at: [2], factor: 0.1 })),
      { 0: 0.25, 1: 0.5, 2: 0.75, 3: 1, 4: 1, 5: 1, 6: 0.1 },
    )
    expectRates(warmUp(2, warmUp(2, 8)), { 0: 2, 1: 4, 2: 4, 3: 8, 4: 8 })
  })

  it('wsd rises, stays, falls, and stays', () => {
    expectRates(
      wsd(1, { warmUp: 2, stable: 3, decay: 4, final: 0.2 }),
      { 0: 0.5, 1: 1, 2: 1, 4: 1, 5: 1, 6: 0.8, 7: 0.6, 8: 0.4, 9: 0.2, 100: 0.2 },
    )
    expectRates(
      wsd(1, { warmUp: 2, stable: 3, decay: 4, final: 0.2, fall: 'cosine' }),
      { 0: 0.5, 1: 1, 5: 1, 6: 0.6 + 0.4 * Math.SQRT1_2, 7: 0.6, 8: 0.6 - 0.4 * Math.SQRT1_2, 9: 0.2, 100: 0.2 },
    )
    expectRates(wsd(1, { warmUp: 0, stable: 0, decay: 2 }), { 0: 1, 1: 0.5, 2: 0 })
    expectRates(wsd(1, { warmUp: 0, stable: 1, decay: 0, final: 0.5 }), { 0: 1, 1: 0.5 })
  })

  it('are frozen JSON, and rates never leave [0, the highest one]', () => {
    const count = fc.integer({ min: 1, max: 50 })
    const schedule: fc.Arbitrary<Schedule> = fc.oneof(
      fc.constant(1),
      fc.tuple(fc.array(count), fc.double({ min: 0, max: 1, noNaN: true }))
        .map(([list, factor]) => stepDecay(1, { at: list, factor })),
      fc.double({ min: 0, max: 1, noNaN: true }).map(factor => exponentialDecay(1, { factor })),
      count.map(length => cosineDecay(1, { length })),
      fc.tuple(count, count, count, fc.constantFrom('linear' as const, 'cosine' as const))
        .map(([rise, stable, decay, fall]) => wsd(1, { warmUp: rise, stable, decay, fall })),
    ).chain(then => fc.option(count).map(length => (length === null ? then : warmUp(length, then))))
    fc.assert(fc.property(schedule, fc.nat({ max: 300 }), (s, t) => {
      expect(Object.isFrozen(s)).toBe(true)
      const rate = rateAt(s, t)
      expect(rate).toBeGreaterThanOrEqual(0)
      expect(rate).toBeLessThanOrEqual(1)
      expect(rateAt(JSON.parse(JSON.stringify(s)) as Schedule, t)).toBe(rate)
    }))
  })

  it('refuse wrong lengths', () => {
    expect(() => cosineDecay(1, { length: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[Error: cosineDecay: length is 0, expected a whole number > 0.]`,
    )
    expect(() => warmUp(1.5, 1)).toThrowErrorMatchingInlineSnapshot(
      `[Error: warmUp: length is 1.5, expected a whole number > 0.]`,
    )
    expect(() => wsd(1, { warmUp: 1, stable: -1, decay: 1 })).toThrowErrorMatchingInlineSnapshot(
      `[Error: wsd: stable is -1, expected a whole number ≥ 0.]`,
    )
  })
})
