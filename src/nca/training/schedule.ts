/**
 * Schedules: the learning rate as a function of the iteration t = 0, 1, 2, …
 *
 * A schedule is a number (a constant rate) or frozen JSON, so that it is stored with a run and means the same when the
 * run is resumed: nothing is counted here, `rateAt(schedule, t)` depends on t alone.
 */

import { check, checkOptions, checkWord, isNumber, isObject, isWhole } from '../../tensor/options.ts'

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

/**
 * Multiplied by `factor` from each iteration in `at` onwards:
 *
 *   rate(t) = rate · factor^#{a ∈ at : a ≤ t}
 *
 * (Keras' PiecewiseConstantDecay, which Growing NCA was trained with, switches one iteration later.)
 *
 * @example stepDecay(2e-3, { at: [2000], factor: 0.1 })
 */
export function stepDecay(rate: number, options: { at: readonly number[]; factor: number }): Schedule {
  checkOptions('stepDecay', options, ['at', 'factor'])
  const { at, factor } = options
  checkNumbers('stepDecay', { rate, factor })
  check(Array.isArray(at) && at.every(t => isWhole(t)), 'stepDecay', 'at', at, 'a list of iterations')
  return Object.freeze({ type: 'step', rate, at: Object.freeze([...at]), factor })
}

/**
 * The same factor in every iteration: rate(t) = rate · factor^t.
 *
 * @example exponentialDecay(1.6e-3, { factor: 0.9999 })
 */
export function exponentialDecay(rate: number, options: { factor: number }): Schedule {
  checkOptions('exponentialDecay', options, ['factor'])
  const { factor } = options
  checkNumbers('exponentialDecay', { rate, factor })
  return Object.freeze({ type: 'exponential', rate, factor })
}

/**
 * Half a period of a cosine (Loshchilov & Hutter, "SGDR", 2017, equation 5), then constant:
 *
 *   rate(t) = final + (rate − final) · (1 + cos(π · min(t / length, 1))) / 2
 *
 * @throws where the length is not a number of iterations
 * @example warmUp(1000, cosineDecay(5e-4, { length: 99_000 }))
 */
export function cosineDecay(rate: number, options: { length: number; final?: number }): Schedule {
  checkOptions('cosineDecay', options, ['length', 'final'])
  const { length, final = 0 } = options
  checkNumbers('cosineDecay', { rate, final })
  checkIterations('cosineDecay', { length }, 1)
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
  checkIterations('warmUp', { length }, 1)
  checkSchedule('warmUp', 'schedule', schedule)
  return Object.freeze({ type: 'warmUp', length, schedule })
}

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
export function wsd(rate: number, phases: { warmUp: number; stable: number; decay: number; final?: number }): Schedule {
  checkOptions('wsd', phases, ['warmUp', 'stable', 'decay', 'final'])
  const { warmUp: rise, stable, decay, final = 0 } = phases
  checkNumbers('wsd', { rate, final })
  checkIterations('wsd', { warmUp: rise, stable, decay }, 0)
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

function checkNumbers(schedule: string, numbers: Record<string, number>): void {
  for (const [name, x] of Object.entries(numbers)) check(isNumber(x, 0), schedule, name, x, 'a number ≥ 0')
}

function checkIterations(schedule: string, lengths: Record<string, number>, least: number): void {
  for (const [name, n] of Object.entries(lengths)) {
    check(isWhole(n, least), schedule, name, n, `a whole number of iterations ≥ ${least}`)
  }
}
