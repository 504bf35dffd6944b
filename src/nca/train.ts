/**
 * The driver: runs a trainer, reads its loss, and hands out progress.
 *
 * It is an async generator, so that whoever consumes it decides what to show and when to save, and a training run can
 * be stopped between two iterations. Between iterations it lets the event loop turn, for signals, timers and pictures.
 */
import { key } from '../tensor/key.ts'
import { supersede } from '../tensor/lifetime.ts'
import type { Metrics, Trainer } from './growing.ts'

export type TrainOptions<S> = {
  /** Iterations in all; a state that has as many already ends the run before its first yield. */
  iterations: number
  /** Where to go on from, by default the trainer's first state for `seed`. It is used up: its successor releases it. */
  state?: S
  /** Seed of the first state, default 0. */
  seed?: number
  /** Yield every so many iterations, and after the last; default 1. */
  every?: number
  /** Stops the run after the iteration in progress: a last yield if there was one, then the end. */
  signal?: AbortSignal
}

/**
 * What the driver yields. `state` is valid until the generator is asked to go on; `encodeModel` what you want to keep.
 */
export type Progress<S> = {
  /** Iterations done. */
  iteration: number
  loss: number
  gradNorm: number
  /** Steps of the last rollout, and the learning rate. */
  steps: number
  rate: number
  /** Seconds since the driver began. */
  seconds: number
  state: S
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
 * Trains until `iterations` are done or the signal aborts.
 *
 * @throws NonFiniteError where the loss or the gradient of an iteration is not finite; that iteration is not taken
 * @example
 * for await (const { iteration, loss, state } of train(trainer, { iterations: 2000, every: 50, signal })) {
 *   console.log(iteration, Math.log10(loss))
 * }
 */
export async function* train<S extends { readonly iteration: number }>(
  trainer: Trainer<S>, options: TrainOptions<S>,
): AsyncGenerator<Progress<S>, void, void> {
  const { iterations, seed = 0, every = 1, signal } = options
  let state = options.state ?? trainer.init(key(seed))
  const began = performance.now()
  while (state.iteration < iterations && !signal?.aborted) {
    const { state: next, metrics } = trainer.step(state)
    const { loss, gradNorm } = await read(metrics)
    const bad = !Number.isFinite(loss)
      ? { what: 'loss', value: loss }
      : !Number.isFinite(gradNorm) ? { what: 'gradient norm', value: gradNorm } : null
    if (bad) {
      supersede(next, state, 'belonged to an iteration that was not taken')
      throw new NonFiniteError(bad.what, bad.value, next.iteration, state)
    }
    supersede(state, next, 'was superseded by the next iteration; copy what you need before going on')
    state = next
    await turn()
    if (state.iteration % every === 0 || state.iteration >= iterations || signal?.aborted) {
      yield {
        iteration: state.iteration,
        loss,
        gradNorm,
        steps: metrics.steps,
        rate: metrics.rate,
        seconds: (performance.now() - began) / 1000,
        state,
      }
    }
  }
}

async function read({ loss, gradNorm }: Metrics): Promise<{ loss: number; gradNorm: number }> {
  const values = { loss: await loss.item(), gradNorm: await gradNorm.item() }
  supersede([loss, gradNorm], null, 'was read and released by the driver')
  return values
}

/** Lets timers, signals and finalisers run. */
function turn(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, 0))
}
