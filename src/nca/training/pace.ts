/**
 * Pace: how far a run has come in its plan.
 *
 * Schedules are functions of the iterations of a plan. A run with less or more time than planned still goes through the whole
 * plan, only faster or slower from some iteration on. Its iteration t is the plan's iteration
 *
 *   plan(t) = t                                  before the first leg
 *           = leg.plan + (t − leg.at) · leg.per  from a leg's first iteration to that of the next leg
 *
 * Legs are data that record what a clock has decided, so that a run can be repeated or resumed without a clock.
 */
import { judged, list, record, type Field } from '../../backends/fields.ts'
import { numberAbove, numberFrom, wholeFrom } from '../../backends/options.ts'

/** A leg: its first iteration, the plan's iteration there, and the plan's iterations for each one of the run. */
export type Leg = { readonly at: number; readonly plan: number; readonly per: number }

/** Legs of a run, each after the one before. */
export const paceField: Field<readonly Leg[]> = judged(
  list<Leg>(record<Leg>({
    fields: {
      at: { ...wholeFrom(0), about: 'The first iteration of the leg' },
      plan: { ...numberFrom(0), about: 'The iteration of the plan to which it corresponds' },
      per: { ...numberAbove(0), about: 'Iterations of the plan for each of the run' },
    },
  }), 'legs'),
  (legs, expect) => legs.forEach(({ at }, i) => expect(i === 0 || at > legs[i - 1].at, [i, 'at'], at, 'more than that of the leg before')),
)

/** The iteration of the plan that corresponds to iteration t of a run. */
export function plannedAt(pace: readonly Leg[], t: number): number {
  const leg = pace.findLast(({ at }) => at <= t)
  return leg ? leg.plan + (t - leg.at) * leg.per : t
}
