/**
 * Validation: from time to time a run is measured on examples that it does not learn from, and the best parameters so far are
 * kept.
 *
 * This happens after every multiple of `every` iterations, counted from the very first, so a run that is stopped and resumed
 * (with its best so far) is validated at the same iterations as an uninterrupted one, and keeps the same parameters.
 */
import { scope, supersede } from '../../tensor/lifetime.ts'
import { callable, check, checkOptions, keysOf, later, required, wholeFrom } from '../../backends/options.ts'
import { eachLeaf } from '../../tensor/tree.ts'
import { Tensor } from '../../tensor/tensor.ts'
import { shared } from './trainer.ts'

/** The parameters in a training state. */
export type ParamsIn<S> = S extends { readonly params: infer P } ? P : unknown

/** How a run is validated, and when. */
export type Validation<P> = {
  /** How many iterations lie between two validations, a whole number > 0. */
  every: number
  /** How bad these parameters are: less is better, and NaN is never better. It must not use the run's key. */
  measure: (params: P, iteration: number) => number | Promise<number>
  /**
   * Ends the run after this many validations in a row without a new best, a whole number > 0; default never. Until one is a number, there is
   * no best, and the run goes on.
   */
  patience?: number
}

/** The best parameters of a run so far. */
export type Best<P> = {
  /** The iteration that they are from. */
  readonly iteration: number
  /** What `measure` returned for them. */
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

/** Throws unless these are a validation and, if given, the best so far to go on from. */
export function checkValidation(validation: unknown, best: unknown): void {
  if (validation !== undefined) checkOptions('train: validation', validation, validationOptions)
  if (best === undefined || best === null) return
  checkOptions('train: best', best, bestParts)
  let tensors = 0
  eachLeaf((best as Best<unknown>).params, leaf => { if (leaf instanceof Tensor) tensors++ })
  check(tensors > 0, 'train: best', 'params', (best as Best<unknown>).params, 'parameters, a tree of tensors')
}

/**
 * Whether the patience of a run has run out. This follows from the iteration and the best alone, so that a resumed run ends where
 * an uninterrupted one does.
 */
export function isExhausted(
  { every, patience }: Pick<Validation<never>, 'every' | 'patience'>, iteration: number, best: Pick<Best<unknown>, 'iteration'> | null,
): boolean {
  return patience !== undefined && best !== null && iteration - best.iteration >= patience * every
}

/** Validates a state. If it is better, it becomes the new best, and the parameters of the old one are released. */
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
