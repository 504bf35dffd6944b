/**
 * Successive halving: many candidates are trained a little, the better third of them three times as long, and so on.
 *
 *   rung      0      1      2        iterations   least · factorʳ, the last `most`
 *   trained   27     9      3        candidates   the best 1/factor of the rung before
 *
 * (Jamieson & Talwalkar, "Non-stochastic Best Arm Identification", AISTATS 2016.) A rung waits for all of the one before
 * it, so that who goes on does not depend on who was quick. Without waiting this is ASHA (Li et al., "A System for
 * Massively Parallel Hyperparameter Tuning", MLSys 2020): a candidate goes on as soon as it is among the best of those
 * that have arrived, no worker ever waits, and some go on that would not have.
 *
 * It is a machine of pure functions over a state that is plain data: `next` hands out a job, `tell` takes its result.
 */
import { check, checkOptions, flag, isNumber, keysOf, numberAbove, required, wholeFrom } from '../../backends/options.ts'

export type HalvingOptions = {
  /** How many candidates there are, a whole number > 0. */
  readonly candidates: number
  /** Iterations of the first rung, a whole number > 0. */
  readonly least: number
  /** The most iterations that any candidate is trained, a whole number ≥ `least`. */
  readonly most: number
  /** One in so many goes on, and is trained so many times as long; a number > 1, default 3. */
  readonly factor?: number
  /** Whether rungs wait for one another; default true. Without, what is chosen depends on the order of the results. */
  readonly wait?: boolean
  /**
   * Iterations that all candidates have together, a number > 0: no job is handed out that would need more. Default
   * Infinity.
   */
  readonly budget?: number
}

/** To be done: train a candidate, counted from 0, up to so many iterations in all. */
export type HalvingJob = { readonly candidate: number; readonly rung: number; readonly iterations: number }

/** What was handed out in each rung, and the results by candidate: less is better, null for one that failed. */
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
  /** The next job, and the state in which it is handed out; null where a result must come first, or all is done. */
  next(state: HalvingState): { readonly job: HalvingJob; readonly state: HalvingState } | null
  /** The state with a job's result. */
  tell(state: HalvingState, job: HalvingJob, value: number | null): HalvingState
  /** Whether nothing is left to do, and nothing under way. */
  isDone(state: HalvingState): boolean
  /** Whether it is the budget that lets no further job begin. */
  isSpent(state: HalvingState): boolean
}

const halvingOptions = keysOf<HalvingOptions>({
  candidates: required(wholeFrom(1)), least: required(wholeFrom(1)), most: required(wholeFrom(1)),
  factor: numberAbove(1), wait: flag, budget: { fits: x => typeof x === 'number' && x > 0, expected: 'a number > 0' },
})

/**
 * A machine of successive halving.
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

  /** Those of a rung that have a number, the best first; of equals the one that is counted first. */
  const ranked = ({ results }: HalvingState, rung: number): number[] => Object.entries(results[rung])
    .filter((entry): entry is [string, number] => isNumber(entry[1]))
    .sort(([a, x], [b, y]) => x - y || Number(a) - Number(b)).map(([candidate]) => Number(candidate))

  /** Whether nobody else will come into a rung, and all who did have arrived. */
  const isComplete = (state: HalvingState, rung: number): boolean => {
    const all = rung === 0 ? state.started[0].length === candidates : isComplete(state, rung - 1) && promotable(state, rung - 1) === undefined
    return all && Object.keys(state.results[rung]).length === state.started[rung].length
  }

  /** A candidate of this rung that is to go on into the next. */
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

  /** Iterations of all that was handed out; who goes on into a rung needs only what it has not had. */
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
