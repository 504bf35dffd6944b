/**
 * The training loop: runs a trainer, reads its loss, and yields progress.
 *
 * It is an async generator, so that its caller decides what to show and when to save, and can stop a run between two
 * iterations. Between iterations it lets the event loop run, for signals, timers and pictures.
 *
 * A GPU would idle in every iteration if it waited until the loss is read. So iteration i + 1 is enqueued, from the state
 * after i, before the loss of i has arrived. The state before i is released only when that loss is known to be finite. If
 * it is not, i + 1 is discarded together with i, and the state before them is intact:
 *
 *   begun   1  2     3     4
 *   read          1     2     3     one iteration late
 *   kept    0  0  1  1  2  2  3     the last state that is known to be good
 */
import { key } from '../../tensor/key.ts'
import { supersede } from '../../tensor/lifetime.ts'
import { callable, check, checkOptions, isNumber, isObject, isWhole, keysOf, later, wholeFrom } from '../../backends/options.ts'
import type { Drawn } from './batch.ts'
import type { Metrics, Trainer } from './trainer.ts'
import { checkValidation, isExhausted, judge, type Best, type ParamsIn, type Validation } from './validation.ts'

export type TrainOptions<S> = {
  /** Iterations in all, a whole number ≥ 0; with a state that has as many already, the run ends without a yield. */
  iterations: number
  /** The state to start from, by default the trainer's first one for `seed`. It is consumed: its successor releases it. */
  state?: S
  /** Seed of the first state, a whole number from 0 to 2^53 − 1; default 0. */
  seed?: number
  /** How many iterations lie between two yields, a whole number > 0; default 1. The last iteration always yields. */
  every?: number
  /** Stops the run after the iteration in progress, which is still yielded, if there is one. */
  signal?: AbortSignal
  /**
   * Early stopping: ends the run as soon as the mean loss of the last n iterations is not below (1 − `least`) times that of
   * the n before them.
   */
  patience?: {
    /** n > 0. */
    readonly iterations: number
    /** The fraction by which the loss must fall, in [0, 1). */
    readonly least: number
    /** The losses before this call, the latest last; default none. With its last 2n, a resumed run ends where it would have. */
    readonly before?: readonly number[]
  }
  /** How the run is validated, to keep the best parameters; default not at all. */
  validation?: Validation<ParamsIn<S>>
  /**
   * Called with the numbers of every iteration, whatever `every` is, and awaited: the place for your own tracker. An error
   * that it throws ends the run.
   */
  onMetrics?: (numbers: IterationMetrics) => void | Promise<void>
  /** The best parameters of the run that is resumed. They are consumed, like `state`. */
  best?: Best<ParamsIn<S>> | null
}

/** The numbers of an iteration. */
export type IterationMetrics = {
  /** Iterations done. */
  readonly iteration: number
  readonly loss: number
  /** Norm of the whole gradient, before it is normalised or clipped. */
  readonly gradNorm: number
  /** The critic's distance between real and generated images, if there is a critic (`TrainerOptions.critic`). */
  readonly distance?: number
  /** Steps of the rollout, and the learning rate. */
  readonly steps: number
  readonly rate: number
  /** Seconds since `train` began. */
  readonly seconds: number
  /** The result of the last validation of this call; null before the first. */
  readonly validation: number | null
}

const trainOptions = keysOf<TrainOptions<unknown>>({
  iterations: later,
  state: later,
  seed: wholeFrom(0),
  every: wholeFrom(1),
  onMetrics: callable,
  signal: { fits: x => isObject(x) && typeof x.aborted === 'boolean', expected: 'an AbortSignal' },
  patience: { fits: isObject, expected: '{ iterations, least }' },
  validation: later,
  best: { fits: x => x === null || isObject(x), expected: 'null or { iteration, value, params }' },
})
const patienceOptions = keysOf<NonNullable<TrainOptions<unknown>['patience']>>({ iterations: later, least: later, before: later })

/**
 * What `train` yields. `state` is valid until the generator is resumed; `encodeModel` what you want to keep.
 */
export type Progress<S> = IterationMetrics & {
  /** In the first yield, why the run is slower than it could be, if it is; null in all others. */
  note: string | null
  state: S
  /** The gradient of the last iteration, see `Metrics`; valid as long as `state`. Null if the trainer reports none. */
  grads: unknown
  /** The last batch that was drawn from the pool, see `Metrics`; valid as long as `state`. Null where there is none. */
  drawn: Drawn | null
  /** The best parameters so far, yours to keep when the run ends; null before the first validation. */
  best: Best<ParamsIn<S>> | null
}

/** A training run met a loss or a gradient that is not a number. `state` is the one before that iteration. */
export class NonFiniteError<S> extends Error {
  override readonly name = 'NonFiniteError'
  readonly iteration: number
  readonly state: S
  constructor(what: string, value: number, iteration: number, state: S) {
    super(`training: the ${what} of iteration ${iteration} is ${value}. The state before it is kept. `
      + 'Lower the learning rate, warm the rollout length up (warmUp), or change the seed.')
    this.iteration = iteration
    this.state = state
  }
}

/**
 * Trains until `iterations` are done, the signal aborts, or patience (`patience`, or that of `validation`) runs out.
 *
 * @throws NonFiniteError if the loss or the gradient of an iteration is not finite; that iteration is discarded
 * @example
 * for await (const { iteration, loss, state } of train(trainer, { iterations: 2000, every: 50, signal })) {
 *   console.log(iteration, Math.log10(loss))
 * }
 * @example
 * const validation = { every: 100, measure: async params => {
 *   const losses = await evaluate(rule, unseen, params, { steps: 64 })
 *   return losses.reduce((a, b) => a + b) / losses.length
 * } }
 * for await (const { best } of train(trainer, { iterations: 2000, validation })) if (best) kept = best.params
 */
export async function* train<S extends { readonly iteration: number }>(
  trainer: Trainer<S>, options: TrainOptions<S>,
): AsyncGenerator<Progress<S>, void, void> {
  checkOptions('train', options, trainOptions)
  const { iterations, seed = 0, every = 1, signal, patience, validation, onMetrics } = options
  check(isWhole(iterations), 'train', 'iterations', iterations, 'a whole number ≥ 0')
  checkValidation(validation, options.best)
  let judged: { value: number | null; best: Best<ParamsIn<S>> | null } = { value: null, best: options.best ?? null }
  const n = patience ? checkPatience(patience) : 0
  /** With a patience, the last 2n. */
  const losses = patience?.before?.slice(-2 * n) ?? []
  if (options.state !== undefined) checkGiven(trainer, options.state)
  let state = options.state ?? trainer.init(key(seed))
  let grads: unknown = null
  let drawn: Drawn | null = null
  const began = performance.now()
  let note = trainer.note?.() ?? null
  const isOver = ({ iteration }: S): boolean => (validation !== undefined && isExhausted(validation, iteration, judged.best))
    || (patience !== undefined && losses.length === 2 * n && stands(losses, patience.least))
  const goesOn = (given: S): boolean => given.iteration < iterations && !signal?.aborted && !isOver(given)
  /** Iterations in flight, from `state` on: one or, on a GPU, two, the second from the state of the first. */
  const underWay: Iteration<S>[] = goesOn(state) ? [begin(trainer, state)] : []
  try {
    while (underWay.length > 0) {
      const [{ state: next, metrics: { grads: newGrads = null, drawn: newDrawn = null, ...metrics }, values }] = underWay
      if (!metrics.loss.backend.readSync && goesOn(next)) underWay.push(begin(trainer, next))
      const [loss, gradNorm, distance] = await values
      checkFinite('loss', loss, next.iteration, state)
      checkFinite('gradient norm', gradNorm, next.iteration, state)
      supersede([metrics, grads, drawn, state], next, 'was superseded by the next iteration; copy what you need before going on')
      state = next
      grads = newGrads
      drawn = newDrawn
      underWay.shift()
      await turn()
      if (validation && state.iteration % validation.every === 0) judged = await judge(validation, state, judged.best)
      const numbers: IterationMetrics = {
        iteration: state.iteration,
        loss,
        gradNorm,
        ...(distance !== undefined && { distance }),
        steps: metrics.steps,
        rate: metrics.rate,
        seconds: (performance.now() - began) / 1000,
        validation: judged.value,
      }
      await onMetrics?.(numbers)
      if (patience) losses.push(loss)
      if (losses.length > 2 * n) losses.shift()
      const still = isOver(state)
      if (state.iteration % every === 0 || state.iteration >= iterations || signal?.aborted || still) {
        yield { ...numbers, note, state, grads, drawn, best: judged.best }
        note = null
      }
      if (signal?.aborted || still) return
      if (underWay.length === 0 && goesOn(state)) underWay.push(begin(trainer, state))
    }
  } finally {
    supersede([grads, drawn], state, 'was of an iteration that is past')
    for (const { state: next, metrics } of underWay) {
      supersede([metrics, next], state, 'belonged to an iteration that was not taken')
    }
  }
}

/** Throws unless a run can go on from a state. */
function checkGiven<S extends { readonly iteration: number }>(trainer: Trainer<S>, state: S): void {
  const hint = state instanceof Promise ? '; await it' : ''
  const counts = isObject(state) && isWhole(state.iteration)
  check(counts, 'train', 'state', state, `a state of the trainer, which counts its iterations${hint}`)
  trainer.check?.(state, 'train: state')
}

/** An iteration whose loss and gradient norm are still being read. */
type Iteration<S> = { readonly state: S; readonly metrics: Metrics; readonly values: Promise<[number, number, number | undefined]> }

function begin<S>(trainer: Trainer<S>, from: S): Iteration<S> {
  const { state, metrics } = trainer.step(from)
  const values = Promise.all([metrics.loss.item(), metrics.gradNorm.item(), metrics.distance?.item()])
  values.catch(() => {}) // reported where it is awaited, unless the iteration before it has failed already
  return { state, metrics, values }
}

function checkFinite<S>(what: string, value: number, iteration: number, before: S): void {
  if (!Number.isFinite(value)) throw new NonFiniteError(what, value, iteration, before)
}

/** The number of iterations of a patience. Throws where it is invalid. */
function checkPatience(patience: NonNullable<TrainOptions<unknown>['patience']>): number {
  checkOptions('train', patience, patienceOptions)
  const { iterations, least, before = [] } = patience
  check(isWhole(iterations, 1), 'train', 'patience.iterations', iterations, 'a whole number > 0')
  check(isNumber(least, 0) && least < 1, 'train', 'patience.least', least, 'a number from 0 up to, not including, 1')
  check(Array.isArray(before) && before.every(loss => isNumber(loss)), 'train', 'patience.before', before, 'a list of numbers')
  return iterations
}

/** Whether the second half of the losses is not lower than the first by this fraction. */
function stands(losses: readonly number[], least: number): boolean {
  const n = losses.length / 2
  const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b)
  return sum(losses.slice(n)) >= (1 - least) * sum(losses.slice(0, n))
}

/** Lets timers, signals and finalisers run. */
function turn(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, 0))
}
