/**
 * Schedules: the learning rate as a function of the iteration t = 0, 1, 2, …
 *
 * A schedule is a number (a constant rate) or frozen JSON, so that it is stored with a run and means the same when the
 * run is resumed: nothing is counted here, `rateAt(schedule, t)` depends on t alone.
 */

import {
  check, checkOptions, checkWord, isNumber, isObject, isWhole, keysOf, numberFrom, required,
} from '../../backends/options.ts'
import type { Kind } from '../../backends/options.ts'

export type Schedule =
  | number
  | { readonly type: 'step'; readonly rate: number; readonly at: readonly number[]; readonly factor: number }
  | { readonly type: 'exponential'; readonly rate: number; readonly factor: number }
  | { readonly type: 'cosine'; readonly rate: number; readonly length: number; readonly final: number }
  | { readonly type: 'warmUp'; readonly length: number; readonly schedule: Schedule }
  | {
      readonly type: 'wsd'
      readonly rate: number
      readonly warmUp: number
      readonly stable: number
      readonly decay: number
      readonly final: number
    }

function iterations(least: number): Kind {
  return { fits: n => isWhole(n, least), expected: `a whole number of iterations ≥ ${least}` }
}

export type StepDecayOptions = {
  /** The iterations, whole numbers ≥ 0, from which on the rate is multiplied once more. */
  at: readonly number[]
  /** What it is multiplied by, a number ≥ 0. */
  factor: number
}

const stepOptions = keysOf<StepDecayOptions>({
  at: required({ fits: at => Array.isArray(at) && at.every(t => isWhole(t)), expected: 'a list of iterations' }),
  factor: required(numberFrom(0)),
})

/**
 * Multiplied by `factor` from each iteration in `at` onwards:
 *
 *   rate(t) = rate · factor^#{a ∈ at : a ≤ t}
 *
 * (Keras' PiecewiseConstantDecay, which Growing NCA was trained with, switches one iteration later.)
 *
 * @example stepDecay(2e-3, { at: [2000], factor: 0.1 })
 */
export function stepDecay(rate: number, options: StepDecayOptions): Schedule {
  checkOptions('stepDecay', options, stepOptions)
  const { at, factor } = options
  checkRate('stepDecay', rate)
  return Object.freeze({ type: 'step', rate, at: Object.freeze([...at]), factor })
}

export type ExponentialDecayOptions = {
  /** What the rate is multiplied by in every iteration, a number ≥ 0. */
  factor: number
}

const exponentialOptions = keysOf<ExponentialDecayOptions>({ factor: required(numberFrom(0)) })

/**
 * The same factor in every iteration: rate(t) = rate · factor^t.
 *
 * @example exponentialDecay(1.6e-3, { factor: 0.9999 })
 */
export function exponentialDecay(rate: number, options: ExponentialDecayOptions): Schedule {
  checkOptions('exponentialDecay', options, exponentialOptions)
  const { factor } = options
  checkRate('exponentialDecay', rate)
  return Object.freeze({ type: 'exponential', rate, factor })
}

export type CosineDecayOptions = {
  /** Iterations of the half period, a whole number > 0. */
  length: number
  /** The rate at its end and afterwards, a number ≥ 0; default 0. */
  final?: number
}

const cosineOptions = keysOf<CosineDecayOptions>({ length: required(iterations(1)), final: numberFrom(0) })

/**
 * Half a period of a cosine (Loshchilov & Hutter, "SGDR", 2017, equation 5), then constant:
 *
 *   rate(t) = final + (rate − final) · (1 + cos(π · min(t / length, 1))) / 2
 *
 * @throws where the length is not a number of iterations
 * @example warmUp(1000, cosineDecay(5e-4, { length: 99_000 }))
 */
export function cosineDecay(rate: number, options: CosineDecayOptions): Schedule {
  checkOptions('cosineDecay', options, cosineOptions)
  const { length, final = 0 } = options
  checkRate('cosineDecay', rate)
  return Object.freeze({ type: 'cosine', rate, length, final })
}

/**
 * A linear rise to the first rate of another schedule, which follows:
 *
 *   rate(t) = schedule(0) · (t + 1) / length    for t < length
 *           = schedule(t − length)              from there on
 *
 * @throws where the length is not a number of iterations
 * @example warmUp(1000, 5e-4)
 */
export function warmUp(length: number, schedule: Schedule): Schedule {
  const lengths = iterations(1)
  check(lengths.fits(length), 'warmUp', 'length', length, lengths.expected)
  checkSchedule('warmUp', 'schedule', schedule)
  return Object.freeze({ type: 'warmUp', length, schedule })
}

export type WsdOptions = {
  /** Iterations of the rise, a whole number ≥ 0. */
  warmUp: number
  /** Iterations at the full rate, a whole number ≥ 0. */
  stable: number
  /** Iterations of the fall, a whole number ≥ 0. */
  decay: number
  /** The rate at its end and afterwards, a number ≥ 0; default 0. */
  final?: number
}

const wsdOptions = keysOf<WsdOptions>({
  warmUp: required(iterations(0)), stable: required(iterations(0)), decay: required(iterations(0)), final: numberFrom(0),
})

/**
 * Warm-up, stable, decay (Hu et al., "MiniCPM", 2024), with a linear decay as in Hägele et al. 2024. With W, S and D
 * the lengths of the three phases:
 *
 *   rate(t) = rate · (t + 1) / W                         for t < W
 *           = rate                                       for t < W + S
 *           = rate + (final − rate) · (t − W − S) / D    for t < W + S + D
 *           = final                                      from there on
 *
 * @throws where a phase is not a number of iterations
 * @example wsd(1e-3, { warmUp: 500, stable: 8000, decay: 1500 })
 */
export function wsd(rate: number, phases: WsdOptions): Schedule {
  checkOptions('wsd', phases, wsdOptions)
  const { warmUp: rise, stable, decay, final = 0 } = phases
  checkRate('wsd', rate)
  return Object.freeze({ type: 'wsd', rate, warmUp: rise, stable, decay, final })
}

/**
 * The learning rate of iteration t, counted from 0.
 *
 * @example rateAt(stepDecay(2e-3, { at: [2000], factor: 0.1 }), 2000)   // 2e-4
 */
export function rateAt(schedule: Schedule, t: number): number {
  if (typeof schedule === 'number') return schedule
  switch (schedule.type) {
    case 'step': return schedule.rate * schedule.factor ** schedule.at.filter(a => a <= t).length
    case 'exponential': return schedule.rate * schedule.factor ** t
    case 'cosine': {
      const { rate, length, final } = schedule
      return final + (rate - final) * (1 + Math.cos(Math.PI * Math.min(t / length, 1))) / 2
    }
    case 'warmUp': {
      const { length, schedule: next } = schedule
      return t < length ? rateAt(next, 0) * (t + 1) / length : rateAt(next, t - length)
    }
    case 'wsd': {
      const { rate, warmUp: rise, stable, decay, final } = schedule
      if (t < rise) return rate * (t + 1) / rise
      const done = t - rise - stable
      if (done < 0) return rate
      return done < decay ? rate + (final - rate) * done / decay : final
    }
  }
}

/** Throws unless this is a rate, or a schedule as the functions above make them. */
export function checkSchedule(where: string, name: string, schedule: Schedule): void {
  check(
    isNumber(schedule, 0) || isObject(schedule), where, name, schedule,
    'a number ≥ 0 or a schedule, like stepDecay(1e-3, …)',
  )
  if (typeof schedule !== 'number') {
    checkWord(where, `${name}.type`, schedule.type, ['step', 'exponential', 'cosine', 'warmUp', 'wsd'])
  }
}

function checkRate(schedule: string, rate: number): void {
  check(isNumber(rate, 0), schedule, 'rate', rate, 'a number ≥ 0')
}
