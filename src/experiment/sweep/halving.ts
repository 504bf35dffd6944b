/**
 * Successive halving: many candidates are trained for a short time, the best third of them three times as long, and so on.
 *
 *   rung      0      1      2        iterations   least · factorʳ, the last `most`
 *   trained   27     9      3        candidates   the best 1/factor of the rung before
 *
 * (Jamieson & Talwalkar, "Non-stochastic Best Arm Identification", AISTATS 2016.) A rung waits for the whole rung before
 * it, so that the choice does not depend on which results arrive first. Without waiting this is ASHA (Li et al., "A System for
 * Massively Parallel Hyperparameter Tuning", MLSys 2020): a candidate is promoted as soon as it is among the best of the results
 * so far. Then no worker ever waits, but some candidates are promoted that would not have been.
 *
 * It is a state machine of pure functions over plain data: `next` returns a job, `tell` takes its result.
 */
import { check, checkOptions, flag, isNumber, keysOf, numberAbove, required, wholeFrom } from '../../backends/options.ts'

export type HalvingOptions = {
  /** How many candidates there are, a whole number > 0. */
  readonly candidates: number
  /** Iterations of the first rung, a whole number > 0. */
  readonly least: number
  /** The most iterations that any candidate is trained, a whole number ≥ `least`. */
  readonly most: number
  /** One in `factor` candidates is promoted, and is trained `factor` times as long; a number > 1, default 3. */
  readonly factor?: number
  /** Whether a rung waits for the one before it; default true. Without, the choice depends on the order of the results. */
  readonly wait?: boolean
  /**
   * The most iterations of all candidates together, a number > 0: no job is started that would exceed it. Default Infinity.
   */
  readonly budget?: number
}

/** A job: train a candidate, counted from 0, up to this number of iterations in all. */
export type HalvingJob = { readonly candidate: number; readonly rung: number; readonly iterations: number }

/** The candidates started in each rung, and their results: less is better, null for one that failed. */
export type HalvingState = {
  readonly started: readonly (readonly number[])[]
  readonly results: readonly Readonly<Record<number, number | null>>[]
}

export type Halving = {
  /** How many candidates there are. */
  readonly candidates: number
  /** Iterations of each rung, ascending. */
  readonly rungs: readonly number[]
  readonly start: HalvingState
  /** The next job, and the state after starting it; null if a result must come first, or everything is done. */
  next(state: HalvingState): { readonly job: HalvingJob; readonly state: HalvingState } | null
  /** The state with a job's result. */
  tell(state: HalvingState, job: HalvingJob, value: number | null): HalvingState
  /** Whether nothing is left to do, and no job is running. */
  isDone(state: HalvingState): boolean
  /** Whether the budget is the reason that no further job can start. */
  isSpent(state: HalvingState): boolean
}

const halvingOptions = keysOf<HalvingOptions>({
  candidates: required(wholeFrom(1)), least: required(wholeFrom(1)), most: required(wholeFrom(1)),
  factor: numberAbove(1), wait: flag, budget: { fits: x => typeof x === 'number' && x > 0, expected: 'a number > 0' },
})

/**
 * The state machine of successive halving.
 *
 * @example
 * const machine = halving({ candidates: 9, least: 100, most: 900 })
 * let state = machine.start
 * for (let given = machine.next(state); given; given = machine.next(state)) {
 *   state = machine.tell(given.state, given.job, await trained(given.job))
 * }
 */
export function halving(options: HalvingOptions): Halving {
  checkOptions('halving', options, halvingOptions)
  const { candidates, least, most, factor = 3, wait = true, budget = Infinity } = options
  check(least <= most, 'halving', 'least', least, `at most most, ${most}`)
  const rungs = [least]
  while (rungs.at(-1)! * factor < most) rungs.push(Math.max(rungs.at(-1)! + 1, Math.round(least * factor ** rungs.length)))
  if (rungs.at(-1)! < most) rungs.push(most)

  /** The candidates of a rung that have a result, the best first; ties in order of their number. */
  const ranked = ({ results }: HalvingState, rung: number): number[] => Object.entries(results[rung])
    .filter((entry): entry is [string, number] => isNumber(entry[1]))
    .sort(([a, x], [b, y]) => x - y || Number(a) - Number(b)).map(([candidate]) => Number(candidate))

  /** Whether no more candidates will enter a rung, and all that did have results. */
  const isComplete = (state: HalvingState, rung: number): boolean => {
    const all = rung === 0 ? state.started[0].length === candidates : isComplete(state, rung - 1) && promotable(state, rung - 1) === undefined
    return all && Object.keys(state.results[rung]).length === state.started[rung].length
  }

  /** A candidate of this rung that should be promoted to the next, if there is one. */
  const promotable = (state: HalvingState, rung: number): number | undefined => {
    const complete = isComplete(state, rung)
    if (wait && !complete) return undefined
    const count = Math.floor(Object.keys(state.results[rung]).length / factor)
    const best = ranked(state, rung).slice(0, Math.max(count, complete ? 1 : 0))
    return best.find(candidate => !state.started[rung + 1].includes(candidate))
  }

  const hand = (state: HalvingState, candidate: number, rung: number): { job: HalvingJob; state: HalvingState } => ({
    job: { candidate, rung, iterations: rungs[rung] },
    state: { ...state, started: state.started.map((list, r) => (r === rung ? [...list, candidate] : list)) },
  })

  /** The next job, whatever it costs. */
  const wanted = (state: HalvingState): ReturnType<Halving['next']> => {
    for (let rung = rungs.length - 2; rung >= 0; rung--) {
      const candidate = promotable(state, rung)
      if (candidate !== undefined) return hand(state, candidate, rung + 1)
    }
    const { length } = state.started[0]
    return length < candidates ? hand(state, length, 0) : null
  }

  /** The iterations of all started jobs; a promoted candidate only needs those that it has not had yet. */
  const cost = ({ started }: HalvingState): number => (
    started.reduce((sum, list, rung) => sum + list.length * (rungs[rung] - (rungs[rung - 1] ?? 0)), 0)
  )

  const next = (state: HalvingState): ReturnType<Halving['next']> => {
    const given = wanted(state)
    return given && cost(given.state) <= budget ? given : null
  }

  return {
    candidates, rungs,
    start: { started: rungs.map(() => []), results: rungs.map(() => ({})) },
    next,
    tell(state, { candidate, rung }, value) {
      const known = state.started[rung]?.includes(candidate) ?? false
      check(known, 'halving', 'the candidate', candidate, 'one that was handed out in this rung')
      return { ...state, results: state.results.map((r, i) => (i === rung ? { ...r, [candidate]: value } : r)) }
    },
    isSpent: state => next(state) === null && wanted(state) !== null,
    isDone: state => next(state) === null && state.started.every((list, rung) => list.length === Object.keys(state.results[rung]).length),
  }
}
