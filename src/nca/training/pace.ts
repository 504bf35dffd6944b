/**
 * Pace: where a run stands in its plan.
 *
 * Schedules say what happens at an iteration of a plan. A run that has less time than was planned for, or more, goes through
 * the whole plan all the same, faster or slower from some iteration on. At its iteration t it stands at
 *
 *   plan(t) = t                                  before the first leg
 *           = leg.plan + (t − leg.at) · leg.per  from a leg's iteration to that of the next
 *
 * Legs are data: what a clock has decided stands in them, and a run that is done again, or goes on, needs no clock.
 */
import { judged, list, record, type Field } from '../../backends/fields.ts'
import { numberAbove, numberFrom, wholeFrom } from '../../backends/options.ts'

/** From an iteration on, where a run stands in its plan, and how far it comes with each iteration. */
export type Leg = { readonly at: number; readonly plan: number; readonly per: number }

/** Legs of a run, each after the one before. */
export const paceField: Field<readonly Leg[]> = judged(
  list<Leg>(record<Leg>({
    fields: {
      at: { ...wholeFrom(0), about: 'The first iteration of the leg' },
      plan: { ...numberFrom(0), about: 'The iteration of the plan at which the run stands then' },
      per: { ...numberAbove(0), about: 'Iterations of the plan for each of the run' },
    },
  }), 'legs'),
  (legs, expect) => legs.forEach(({ at }, i) => expect(i === 0 || at > legs[i - 1].at, [i, 'at'], at, 'more than that of the leg before')),
)

/** The iteration of the plan at which a run stands at its iteration t. */
export function plannedAt(pace: readonly Leg[], t: number): number {
  const leg = pace.findLast(({ at }) => at <= t)
  return leg ? leg.plan + (t - leg.at) * leg.per : t
}
