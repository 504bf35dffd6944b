/**
 * The trainer of Growing NCA: a rule learns to grow an image from a seed, to keep it, and to repair it.
 *
 * One iteration (Mordvintsev et al. 2020; algorithm 1 of Spitznagel & Keuper 2026):
 *
 *   1. a batch: seeds, or a draw from the pool, where the sample with the greatest loss becomes a seed again and those
 *      with the least losses are damaged
 *   2. a rollout of a random number of steps
 *   3. the mean squared error of red, green, blue, alpha at its end, and its gradient through all steps
 *   4. each gradient divided by its norm, then Adam
 *   5. the grown states go back into the pool
 *
 * A trainer is pure: `init(key)` makes the first state, `step(state)` the next one. The state is one tree of values:
 * parameters, optimiser, pool, iteration, key. Everything random in an iteration follows from the key and its number.
 */
import { valueAndGradAux } from '../autograd/grad.ts'
import { checkKey, foldIn, randint, split } from '../tensor/key.ts'
import type { Key } from '../tensor/key.ts'
import { scope } from '../tensor/lifetime.ts'
import { requireTensor } from '../tensor/op.ts'
import { check, checkOptions, isObject, isWhole } from '../tensor/options.ts'
import { and, greaterEqual, less, where } from '../tensor/ops/compare.ts'
import { mean } from '../tensor/ops/reduce.ts'
import { argsort } from '../tensor/ops/sort.ts'
import { reshape } from '../tensor/ops/sum.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { checkDamage, damageMask, erase } from './damage.ts'
import type { Damage } from './damage.ts'
import { mse } from './loss.ts'
import { checkOptimiser, globalNorm, initOptimiser, normalizeGrads, updateParams } from './optimiser.ts'
import type { Optimiser, OptimiserState } from './optimiser.ts'
import { makePool, samplePool, writeBack } from './pool.ts'
import type { Pool } from './pool.ts'
import { init } from './rule.ts'
import { rateAt } from './schedule.ts'
import type { DataRule, Params, Rule } from './rule.ts'
import { rgba, seed } from './state.ts'
import { rollout } from './step.ts'

/** Everything that steers the training; all values of the published presets are in `presets.ts`. */
export type GrowingOptions<R extends Rule = DataRule> = {
  rule: R
  /** Premultiplied red, green, blue and alpha to grow, `[h,w,4]`; its size is that of the grid. */
  target: Tensor
  /** Samples per iteration. */
  batch: number
  /** Rollout lengths are whole numbers from the first up to, not including, the second. */
  steps: readonly [number, number]
  /** Slots of the sample pool; 0 grows every batch from the seed. */
  pool: number
  /** How many samples of a batch, those with the greatest loss, become seeds again. */
  reseed: number
  /** How many samples, those with the least loss, are damaged, and how. */
  damaged: number
  damage: Damage
  optimiser: Optimiser
  /** Divide each parameter's gradient by its norm. */
  normalize: boolean
  /**
   * Rollout lengths that grow linearly from these to `steps` over the first iterations: a remedy for runs that blow up
   * early. Null, as published, uses `steps` from the start.
   */
  warmUp: { readonly iterations: number; readonly from: readonly [number, number] } | null
}

/** All there is to a training run at one moment. */
export type GrowingState<P> = {
  readonly params: P
  readonly optimiser: OptimiserState<P>
  readonly pool: Pool
  /** Iterations done. */
  readonly iteration: number
  /** The run's key; iteration i draws from foldIn(key, i). */
  readonly key: Key
}

/** What an iteration reports: tensors of rank 0, to be read when they are wanted, and numbers. */
export type Metrics = {
  /** Mean loss of the batch at the end of its rollout. */
  readonly loss: Tensor
  /** Norm of the whole gradient, before it is normalized. */
  readonly gradNorm: Tensor
  readonly steps: number
  readonly rate: number
}

/** A training procedure as two pure functions. */
export type Trainer<S> = {
  init(key: Key): S
  step(state: S): { state: S; metrics: Metrics }
}

/**
 * The trainer for these options.
 *
 * @throws where the numbers do not fit together
 * @example
 * const trainer = growingTrainer({ ...presets.growing, rule, target })
 * for await (const { iteration, loss } of train(trainer, { iterations: 2000, every: 50 })) console.log(iteration, loss)
 */
export function growingTrainer<R extends Rule>(options: GrowingOptions<R>): Trainer<GrowingState<Params<R>>> {
  checkTrainer(options)
  const { rule, target, optimiser } = options
  const [height, width] = target.shape
  const place = { dtype: target.dtype, backend: target.backend }
  type State = GrowingState<Params<R>>

  function start(k: Key): State {
    checkKey('init', k)
    return scope(() => {
      const params = init(rule, split(k)[0], place)
      const pool = options.pool > 0
        ? makePool(reshape(seed(rule, { height, width, ...place }), [height, width, -1]), options.pool)
        : []
      return { params, optimiser: initOptimiser(optimiser, params), pool, iteration: 0, key: split(k)[1] }
    }, 'init()')
  }

  function next(state: State): { state: State; metrics: Metrics } {
    return scope(() => {
      const [kSlots, kDamage, kSteps, kFire] = split(foldIn(state.key, state.iteration), 4)
      const { x, slots } = drawBatch(options, state.pool, kSlots, kDamage)
      const steps = randint(kSteps, ...rolloutLengths(options, state.iteration))
      const [[loss, grown], grads] = valueAndGradAux((params: Params<R>) => {
        const y = rollout(rule, params, x, kFire, { steps })
        return [mean(mse(rgba(y), target)), y] as const
      })(state.params)
      const updated = updateParams(
        optimiser, state.optimiser, state.params, options.normalize ? normalizeGrads(grads) : grads,
      )
      return {
        state: {
          params: updated.params,
          optimiser: updated.state,
          pool: state.pool.length > 0 ? writeBack(state.pool, slots, grown) : state.pool,
          iteration: state.iteration + 1,
          key: state.key,
        },
        metrics: { loss, gradNorm: globalNorm(grads), steps, rate: rateAt(optimiser.rate, state.iteration) },
      }
    }, 'an iteration of the trainer')
  }

  return { init: start, step: next }
}

/**
 * A batch, and the slots that it comes from: seeds, or a draw from the pool with its worst samples begun anew and its
 * best ones damaged. Ranks stay on the backend.
 */
function drawBatch<R extends Rule>(
  options: GrowingOptions<R>, pool: Pool, kSlots: Key, kDamage: Key,
): { x: Tensor; slots: number[] } {
  const { rule, target, batch, reseed, damaged, damage } = options
  const [height, width] = target.shape
  const seeds = (batch: number): Tensor =>
    seed(rule, { height, width, batch, dtype: target.dtype, backend: target.backend })
  return scope(() => {
    if (pool.length === 0) return { x: seeds(batch), slots: [] }
    const { slots, batch: x } = samplePool(pool, kSlots, batch)
    if (reseed + damaged === 0) return { x, slots }
    const rank = reshape(argsort(argsort(mse(rgba(x), target), { descending: true })), [batch, 1, 1])
    const renewed = where(reshape(less(rank, reseed), [batch, 1, 1, 1]), seeds(1), x)
    if (damaged === 0) return { x: renewed, slots }
    const hit = and(damageMask(kDamage, damage, batch, height, width, x.backend), greaterEqual(rank, batch - damaged))
    return { x: erase(renewed, hit), slots }
  }, 'the drawing of a batch')
}

/** The range of rollout lengths at an iteration, see `warmUp`. */
export function rolloutLengths(
  { steps, warmUp }: Pick<GrowingOptions, 'steps' | 'warmUp'>, iteration: number,
): [number, number] {
  const done = warmUp ? Math.min(1, iteration / warmUp.iterations) : 1
  const from = warmUp?.from ?? steps
  return [Math.round(from[0] + (steps[0] - from[0]) * done), Math.round(from[1] + (steps[1] - from[1]) * done)]
}

const optionNames = [
  'rule', 'target', 'batch', 'steps', 'pool', 'reseed', 'damaged', 'damage', 'optimiser', 'normalize', 'warmUp',
]

/** What a preset says besides. */
const presetNames = ['size', 'padding', 'iterations']

function checkTrainer<R extends Rule>(options: GrowingOptions<R>): void {
  const where = 'growingTrainer'
  checkOptions(where, options, optionNames, presetNames)
  const { rule, target, batch, steps, pool, reseed, damaged, damage, optimiser, normalize, warmUp } = options
  check(isObject(rule), where, 'rule', rule, 'a rule')
  requireTensor(where, 'target', target)
  const fits = (ok: boolean, sentence: string): void => { if (!ok) throw new Error(`${where}: ${sentence}`) }
  fits(target.shape.length === 3 && target.shape[2] === 4, `target is [${target.shape.join(',')}], expected [h,w,4].`)
  check(isWhole(batch, 1), where, 'batch', batch, 'a whole number > 0')
  checkLengths('steps', steps)
  for (const [name, n] of Object.entries({ pool, reseed, damaged })) {
    check(isWhole(n), where, name, n, 'a whole number ≥ 0')
  }
  fits(pool === 0 || pool >= batch, `a pool of ${pool} slots cannot fill a batch of ${batch}.`)
  fits(
    reseed + damaged <= batch,
    `${reseed} reseeded and ${damaged} damaged samples do not fit into a batch of ${batch}.`,
  )
  checkDamage(where, damage)
  checkOptimiser(where, optimiser)
  check(typeof normalize === 'boolean', where, 'normalize', normalize, 'true or false')
  if (warmUp === null) return
  check(isObject(warmUp) && isWhole(warmUp.iterations, 1), where, 'warmUp', warmUp, 'null or { iterations, from }')
  checkLengths('warmUp.from', warmUp.from)
}

function checkLengths(name: string, range: readonly [number, number]): void {
  const ok = Array.isArray(range) && range.length === 2 && range.every(n => isWhole(n, 1)) && range[0] < range[1]
  check(ok, 'growingTrainer', name, range, 'two whole numbers > 0, the first below the second')
}
