/**
 * What drives a sweep: it asks the plan's machine what to train, has it trained, and tells the machine what came of it.
 * Where and by whom is an executor's affair: processes of this computer (processes.ts) or of many (queue.ts).
 */
import type { HalvingJob } from '../../experiment/sweep/halving.ts'
import type { Plan, PlannedRun } from '../../experiment/sweep/plan.ts'
import type { Candidate } from '../../experiment/sweep/report.ts'

/** What has come of a run: a result, less is better; why it failed; or that it was stopped and may go on. */
export type Outcome = { readonly value: number } | { readonly failed: string } | { readonly stopped: true }

/** Trains runs. */
export type Executor = {
  /** How many candidates are given to it at once. */
  readonly slots: number
  /** The flags that ask for it, for a command line to be copied. */
  readonly flags: string
  /**
   * Trains a run up to so many iterations, from where it is. What was done before is not done again.
   *
   * @throws where that is not the run's fault: a disk that is full, a folder that is gone
   */
  train(run: PlannedRun, iterations: number, signal: AbortSignal): Promise<Outcome>
  close(): Promise<void>
}

/** What a sweep has come to. */
export type SweepResult = {
  readonly candidates: readonly Candidate[]
  /** Why runs failed, by their names. */
  readonly failures: Readonly<Record<string, string>>
  /** Whether nothing is left to do. */
  readonly isDone: boolean
  /** Whether more would have been done with a greater budget of iterations. */
  readonly isSpent: boolean
}

/** How far a sweep is: candidates trained in the last rung that was begun, and the best of those so far. */
export type Standing = { readonly job: HalvingJob; readonly outcomes: readonly Outcome[] }

/**
 * Trains what the plan asks for until all is done or the signal aborts; `told` hears of each candidate.
 *
 * @throws what an executor has thrown, after all other runs have stopped
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
    if (outcomes.some(outcome => 'stopped' in outcome)) return // the machine waits for it for ever
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
