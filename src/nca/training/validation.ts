/**
 * Validation: now and then a run is judged by what it does not learn from, and the best parameters so far are kept.
 *
 * It happens after whole multiples of `every` iterations, counted from the first of all, so a run that is stopped and
 * resumed (with the best that it had) is judged at the same places as one that was left alone, and keeps the same.
 */
import { scope, supersede } from '../../tensor/lifetime.ts'
import { callable, check, checkOptions, keysOf, later, required, wholeFrom } from '../../backends/options.ts'
import { eachLeaf } from '../../tensor/tree.ts'
import { Tensor } from '../../tensor/tensor.ts'
import { shared } from './trainer.ts'

/** The parameters in a training state. */
export type ParamsIn<S> = S extends { readonly params: infer P } ? P : unknown

/** How a run is judged, and when. */
export type Validation<P> = {
  /** After every so many iterations, a whole number > 0. */
  every: number
  /** How bad these parameters are: less is better, and NaN is never better. It must not draw on the run's key. */
  measure: (params: P, iteration: number) => number | Promise<number>
  /** Ends the run when so many validations, a whole number > 0, were no better than the best; default never. */
  patience?: number
}

/** The best parameters of a run so far. */
export type Best<P> = {
  /** The iteration that they are from. */
  readonly iteration: number
  /** What `measure` said of them. */
  readonly value: number
  readonly params: P
}

const validationOptions = keysOf<Validation<unknown>>({
  every: required(wholeFrom(1)), measure: required(callable), patience: wholeFrom(1),
})
const bestParts = keysOf<Best<unknown>>({
  iteration: required(wholeFrom(0)),
  value: required({ fits: x => typeof x === 'number' && !Number.isNaN(x), expected: 'a number' }),
  params: later,
})

/** Throws unless this is a validation, and a best to go on from if there is one. */
export function checkValidation(validation: unknown, best: unknown): void {
  if (validation !== undefined) checkOptions('train: validation', validation, validationOptions)
  if (best === undefined || best === null) return
  checkOptions('train: best', best, bestParts)
  let tensors = 0
  eachLeaf((best as Best<unknown>).params, leaf => { if (leaf instanceof Tensor) tensors++ })
  check(tensors > 0, 'train: best', 'params', (best as Best<unknown>).params, 'parameters, a tree of tensors')
}

/**
 * Whether a run has come to the end of its patience: it follows from the iteration and the best alone, so that a run that is
 * resumed ends where one ends that was left alone.
 */
export function isExhausted(
  { every, patience }: Pick<Validation<never>, 'every' | 'patience'>, iteration: number, best: Pick<Best<unknown>, 'iteration'> | null,
): boolean {
  return patience !== undefined && best !== null && iteration - best.iteration >= patience * every
}

/** Judges a state; the best so far becomes this one, and its parameters are let go, where this one is better. */
export async function judge<S extends { readonly iteration: number }>(
  { measure }: Validation<ParamsIn<S>>, state: S, best: Best<ParamsIn<S>> | null,
): Promise<{ value: number; best: Best<ParamsIn<S>> | null }> {
  const { params } = state as unknown as { params: ParamsIn<S> }
  const value: unknown = await measure(params, state.iteration)
  check(typeof value === 'number', 'train', 'what validation.measure returned', value, 'a number')
  const found = value as number
  if (!(best ? found < best.value : found === found)) return { value: found, best } // NaN is not equal to itself
  const kept = scope(() => shared(params), 'train()')
  if (best) supersede(best.params, kept, 'was superseded by better parameters')
  return { value: found, best: { iteration: state.iteration, value: found, params: kept } }
}
