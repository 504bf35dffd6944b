/**
 * Schedules: the learning rate as a function of the iteration t = 0, 1, 2, …
 *
 * A schedule is a number (a constant rate) or frozen JSON, so that it can be stored with a run and means the same when the
 * run is resumed: `rateAt(schedule, t)` depends on t alone, there is no counter.
 */

import { choice, dataOf, either, list, type Field, type Table } from '../../backends/fields.ts'
import { numberFrom, oneOf, wholeFrom } from '../../backends/options.ts'

/** A learning rate over iterations, as plain data: a number for a constant one, or the result of a function of this file. */
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
      readonly fall: 'linear' | 'cosine'
    }

type Of<Type> = Extract<Schedule, { readonly type: Type }>

const rate: Field<number> = { ...numberFrom(0), about: 'First rate' }
const factor: Field<number> = { ...numberFrom(0), about: 'The factor of the rate' }
const final: Field<number> = { ...numberFrom(0), default: 0, about: 'The rate at the end and afterwards' }
const iterations = (least: 0 | 1, about: string): Field<number> => ({ ...wholeFrom(least), about })

const stepTable: Table<Of<'step'>> = {
  type: 'step',
  fields: { rate, at: { ...list(wholeFrom(0), 'iterations'), about: 'Iterations at which it is multiplied' }, factor },
}
const exponentialTable: Table<Of<'exponential'>> = { type: 'exponential', fields: { rate, factor } }
const cosineTable: Table<Of<'cosine'>> = {
  type: 'cosine', fields: { rate, length: iterations(1, 'Iterations of the half period'), final },
}
const wsdTable: Table<Of<'wsd'>> = {
  type: 'wsd',
  fields: {
    rate,
    warmUp: iterations(0, 'Iterations of the rise'),
    stable: iterations(0, 'Iterations at the full rate'),
    decay: iterations(0, 'Iterations of the fall'),
    final,
    fall: { ...oneOf(['linear', 'cosine']), default: 'linear', about: 'How it falls: linearly, or along half a period of a cosine' },
  },
}
const steady = [stepTable, exponentialTable, cosineTable, wsdTable]
const scheduleOf = (tables: readonly Table[]): Field<Schedule> => either(numberFrom(0), choice(tables))
const warmUpTable: Table<Of<'warmUp'>> = {
  type: 'warmUp',
  fields: {
    length: iterations(1, 'Iterations of the rise'),
    // Another warm-up may follow, too, so the whole field of schedules reads what follows.
    schedule: { ...scheduleOf(steady), read: (x, path, wrong) => scheduleField.read!(x, path, wrong), about: 'What follows' },
  },
}

/** A learning rate as a field of data. */
export const scheduleField: Field<Schedule> = {
  ...scheduleOf([...steady, warmUpTable]), about: 'Learning rate: a number, or a schedule',
}

export type StepDecayOptions = {
  /** The iterations, whole numbers ≥ 0, at each of which the rate is multiplied once more. */
  at: readonly number[]
  /** The factor, a number ≥ 0. */
  factor: number
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
export function stepDecay(rate: number, options: StepDecayOptions): Schedule {
  return dataOf('stepDecay', stepTable, { rate }, options)
}

export type ExponentialDecayOptions = {
  /** The factor of every iteration, a number ≥ 0. */
  factor: number
}

/**
 * The same factor in every iteration: rate(t) = rate · factor^t.
 *
 * @example exponentialDecay(1.6e-3, { factor: 0.9999 })
 */
export function exponentialDecay(rate: number, options: ExponentialDecayOptions): Schedule {
  return dataOf('exponentialDecay', exponentialTable, { rate }, options)
}

export type CosineDecayOptions = {
  /** Iterations of the half period, a whole number > 0. */
  length: number
  /** The rate at its end and afterwards, a number ≥ 0; default 0. */
  final?: number
}

/**
 * Half a period of a cosine (Loshchilov & Hutter, "SGDR", 2017, equation 5), then constant:
 *
 *   rate(t) = final + (rate − final) · (1 + cos(π · min(t / length, 1))) / 2
 *
 * @throws where the length is not a number of iterations
 * @example warmUp(1000, cosineDecay(5e-4, { length: 99_000 }))
 */
export function cosineDecay(rate: number, options: CosineDecayOptions): Schedule {
  return dataOf('cosineDecay', cosineTable, { rate }, options)
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
  return dataOf('warmUp', warmUpTable, { length, schedule }, {})
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
  /** How it falls: 'linear' (default), or 'cosine', half a period of one, as in NCAtorch. */
  fall?: 'linear' | 'cosine'
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
 * With a cosine, (1 − cos(π (t − W − S) / D)) / 2 takes the place of (t − W − S) / D.
 *
 * @throws where a phase is not a number of iterations
 * @example wsd(1e-3, { warmUp: 500, stable: 8000, decay: 1500, fall: 'cosine' })
 */
export function wsd(rate: number, phases: WsdOptions): Schedule {
  return dataOf('wsd', wsdTable, { rate }, phases)
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
      return cosineFrom(rate, final, Math.min(t / length, 1))
    }
    case 'warmUp': {
      const { length, schedule: next } = schedule
      return t < length ? rateAt(next, 0) * (t + 1) / length : rateAt(next, t - length)
    }
    case 'wsd': {
      const { rate, warmUp: rise, stable, decay, final, fall } = schedule
      if (t < rise) return rate * (t + 1) / rise
      const done = t - rise - stable
      if (done < 0) return rate
      if (done >= decay) return final
      if (fall === 'cosine') return cosineFrom(rate, final, done / decay)
      return rate + (final - rate) * done / decay
    }
  }
}

/** From one rate to another along half a period of a cosine; `done`, from 0 to 1, is how much of it has passed. */
function cosineFrom(rate: number, final: number, done: number): number {
  return final + (rate - final) * (1 + Math.cos(Math.PI * done)) / 2
}
