/**
 * The loop of a sweep: it asks the plan's state machine what to train, has it trained by an executor, and tells the machine the
 * results. An executor trains runs in processes of this computer (processes.ts) or on many computers (queue.ts).
 */
import type { HalvingJob } from '../../experiment/sweep/halving.ts'
import type { Plan, PlannedRun } from '../../experiment/sweep/plan.ts'
import type { Candidate } from '../../experiment/sweep/report.ts'

/** The outcome of a run: its result, of which less is better; why it failed; or that it was stopped and can be resumed. */
export type Outcome = { readonly value: number } | { readonly failed: string } | { readonly stopped: true }

/** Trains runs. */
export type Executor = {
  /** The number of candidates that it is given at once. */
  readonly slots: number
  /** The flags that choose it, for a command line that the user can copy. */
  readonly flags: string
  /**
   * Trains a run up to so many iterations, from its last checkpoint. Finished training is not repeated.
   *
   * @throws if the run cannot be trained through no fault of its own: a full disk, a folder that is gone
   */
  train(run: PlannedRun, iterations: number, signal: AbortSignal): Promise<Outcome>
  close(): Promise<void>
}

/** The result of a sweep. */
export type SweepResult = {
  readonly candidates: readonly Candidate[]
  /** Why runs failed, by their names. */
  readonly failures: Readonly<Record<string, string>>
  /** Whether nothing is left to do. */
  readonly isDone: boolean
  /** Whether more would have been done with a greater budget of iterations. */
  readonly isSpent: boolean
}

/** A candidate that has just been trained, with the outcomes of its runs. */
export type Standing = { readonly job: HalvingJob; readonly outcomes: readonly Outcome[] }

/**
 * Trains what the plan asks for until everything is done or the signal aborts; `told` is called after each candidate.
 *
 * @throws the error of an executor, after all other runs have stopped
 */
export async function drive(
  { points, runs, machine }: Plan, executor: Executor, signal: AbortSignal, told: (standing: Standing) => void,
): Promise<SweepResult> {
  let state = machine.start
  const candidates = new Map<number, Candidate>()
  const failures: Record<string, string> = {}
  const underWay = new Set<Promise<void>>()
  const broken = new AbortController()
  const stop = AbortSignal.any([signal, broken.signal])

  async function train(job: HalvingJob): Promise<void> {
    const own = runs[job.candidate]
    const outcomes = await Promise.all(own.map(run => executor.train(run, job.iterations, stop)))
    if (outcomes.some(outcome => 'stopped' in outcome)) return // the machine is not told, so it starts nothing that depends on this candidate
    outcomes.forEach((outcome, i) => { if ('failed' in outcome) failures[own[i].id] = outcome.failed })
    const values = outcomes.map(outcome => ('value' in outcome ? outcome.value : null))
    candidates.set(job.candidate, { point: points[job.candidate], iterations: job.iterations, values })
    const known = values.filter(value => value !== null)
    const mean = known.length < values.length ? null : known.reduce((a, b) => a + b, 0) / known.length
    state = machine.tell(state, job, mean)
    told({ job, outcomes })
  }

  for (;;) {
    while (underWay.size < executor.slots && !stop.aborted) {
      const given = machine.next(state)
      if (!given) break
      state = given.state
      const work: Promise<void> = train(given.job).catch(error => broken.abort(error)).finally(() => underWay.delete(work))
      underWay.add(work)
    }
    if (underWay.size === 0) break
    await Promise.race(underWay)
  }
  broken.signal.throwIfAborted()
  return {
    candidates: [...candidates].sort(([a], [b]) => a - b).map(([, candidate]) => candidate), failures,
    isDone: machine.isDone(state), isSpent: machine.isSpent(state),
  }
}
