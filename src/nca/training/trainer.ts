/**
 * The trainer: it trains a rule on any task.
 *
 * One iteration (algorithms 1 and 3 of Spitznagel & Keuper 2026; Mordvintsev et al. 2020 for growing, Randazzo et al.
 * 2020 for classification):
 *
 *   1. a batch: seeds of some examples, or a draw from the pool, of which some are reseeded, some are damaged, and some
 *      are mutated: they get the inputs of another example, which they should become from now on
 *   2. a rollout of a random number of steps
 *   3. the loss of the task at its end, or at several of its states, and its gradient through all steps
 *   4. the gradient normalised or clipped, then the optimiser
 *   5. the last states go back into the pool, carried on if the task goes on; states that are empty or not finite go back as seeds
 *
 * If there is a critic, it is trained on batches of its own before the rule (`critic.ts`).
 *
 * A trainer is pure: `init(key)` makes the first state, `step(state)` the next one. The state is one tree of values:
 * parameters, optimiser, pool, iteration, key. Everything random in an iteration follows from the key and its number.
 */
import { valueAndGradAux } from '../../autograd/grad.ts'
import { checkKey, drawInteger, foldIn, key, split, type Key } from '../../tensor/key.ts'
import { scope } from '../../tensor/lifetime.ts'
import { check } from '../../backends/options.ts'
import { add, div } from '../../tensor/ops/arithmetic.ts'
import { mean } from '../../tensor/ops/reduce.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import { Tensor } from '../../tensor/tensor.ts'
import { eachLeaf, mapTree, zipTrees } from '../../tensor/tree.ts'
import { inStages } from '../cascade.ts'
import { drawBatch, firstPool, soundOr, type Drawn } from './batch.ts'
import { checkState, checkStateFor, checkTensors, tensorsIn } from './check-state.ts'
import {
  clipByGlobalNorm, globalNorm, initOptimiser, momentCount, normaliseGrads, updateParams, type OptimiserState,
} from './optimiser.ts'
import { initCritic, learnCritic, lossWithCritic, type CriticState } from './critic.ts'
import { plannedAt } from './pace.ts'
import { writeBack, type Pool } from './pool.ts'
import { whyStateComposed } from '../fused/eligible.ts'
import { checkParams } from '../rule/check-params.ts'
import { init } from '../rule/parameters.ts'
import type { Params, Rule } from '../rule/types.ts'
import { rateAt } from './schedule.ts'
import { rollout } from '../step.ts'
import { complete, rolloutLengths, type TrainerOptions } from './trainer-options.ts'
import { learns, startsOf } from './trainable.ts'

/** The complete state of a training run. */
export type TrainerState<P> = {
  readonly params: P
  readonly optimiser: OptimiserState<unknown>
  readonly pool: Pool
  /** The example that each slot of the pool should become. */
  readonly examples: readonly number[]
  /** The critic, if there is one (`TrainerOptions.critic`). */
  readonly critic?: CriticState
  /** Iterations done. */
  readonly iteration: number
  /** The run's key; iteration i draws from foldIn(key, i). */
  readonly key: Key
}

/** What an iteration reports: tensors of rank 0, which can be read when they are wanted, and numbers. */
export type Metrics = {
  /** Mean loss of the samples; with a critic too, that of the task alone. */
  readonly loss: Tensor
  /** The critic's distance between real and generated images, on its last batch; only with a critic. */
  readonly distance?: Tensor
  /** Norm of the whole gradient, before it is normalised or clipped. */
  readonly gradNorm: Tensor
  /** The gradient of the parameters that learn, as a tree like theirs, before it is normalised or clipped. */
  readonly grads?: unknown
  /** The last batch that was drawn from the pool; null where there is none. */
  readonly drawn?: Drawn | null
  readonly steps: number
  readonly rate: number
}

/** A training procedure as two pure functions. */
export type Trainer<S> = {
  init(key: Key): S
  step(state: S): { state: S; metrics: Metrics }
  /**
   * Throws one sentence, which begins with `where`, unless the state is one that this trainer could have made. To be called
   * before going on from a state that comes from elsewhere, for instance from a file.
   */
  check?(state: S, where: string): void
  /** Why training is slower than it could be, and what would change that, as a sentence; null where it is not. */
  note?(): string | null
}

/**
 * The trainer of a task.
 *
 * @throws where the numbers do not fit together; `init` where `params` are not those of the rule
 * @example
 * const trainer = taskTrainer({
 *   rule, task: classificationTask(rule, digits), batch: 16, steps: [20, 21], optimiser: adam({ rate: 1e-3 }),
 *   normalise: true, pool: 160, reseed: 4, mutated: 4, ranked: 'none',
 * })
 * for await (const { iteration, loss } of train(trainer, { iterations: 2000, every: 50 })) console.log(iteration, loss)
 */
export function taskTrainer<R extends Rule>(given: TrainerOptions<R>): Trainer<TrainerState<Params<R>>> {
  const options = complete('trainer', given)
  const { rule, task, batch, optimiser, normalise, clip, accumulate, critic } = options
  const trainable = startsOf(rule, options.trainable)
  const runs = inStages(rule, options.cascade)
  type P = Params<R>
  type State = TrainerState<P>

  function start(k: Key): State {
    checkKey('init', k)
    return scope(() => {
      const first = task.seeds([0])
      const place = { dtype: first.dtype, backend: first.backend }
      if (options.params) checkParams('trainer', rule, options.params, { like: first })
      const params = options.params ? shared(options.params) : init(rule, split(k)[0], place)
      const own = chosen(params, trainable)
      let count = 0
      eachLeaf(own, () => { count++ })
      check(count > 0, 'trainer', 'trainable', options.trainable, 'the beginning of the path of a parameter')
      const examples = Array.from({ length: options.pool }, (_, slot) => slot % task.examples)
      return {
        params, optimiser: initOptimiser(optimiser, own), pool: firstPool(options, examples, foldIn(k, 3)),
        ...firstCritic(foldIn(k, 2)), examples, iteration: 0, key: split(k)[1],
      }
    }, 'init()')
  }

  /** The initial critic, if there is one. */
  function firstCritic(k: Key): { readonly critic?: CriticState } {
    if (!critic) return {}
    return { critic: initCritic(critic, shownOf(task.seeds([0]), [0]), k) }
  }

  /** What the critic sees in states of examples. */
  function shownOf(x: Tensor, examples: readonly number[]): { made: Tensor; given: Tensor | null } {
    const { made, given } = task.images!
    return { made: made(x, examples), given: given?.(x, examples) ?? null }
  }

  /** The beginning of an iteration, or of a part of it: a batch, and the length of its rollout. */
  function begin(state: State, k: Key) {
    const [slots, damage, kSteps, kFire] = split(k, 4)
    const kLoss = foldIn(k, 2 ** 31)
    const plan = plannedAt(options.pace, state.iteration)
    const drawn = drawBatch(options, { ...state, iteration: plan }, { slots, damage, loss: kLoss, seeds: foldIn(slots, 5) })
    const [least, end] = rolloutLengths(options, plan)
    return { drawn, kSteps, kFire, kLoss, kAnew: foldIn(k, 2 ** 31 - 1), least, steps: drawInteger(kSteps, least, end) }
  }

  /** The state with the critic after its training steps, and the distance from the last of them. */
  function sharpen(state: State): { state: State; distance?: Tensor } {
    if (!critic) return { state }
    const k = foldIn(state.key, state.iteration)
    const rate = rateAt(critic.optimiser.rate, plannedAt(options.pace, state.iteration))
    let now = state.critic!
    let distance: Tensor | undefined
    for (let i = 0; i < critic.steps; i++) {
      ({ critic: now, distance } = scope(() => {
        const { drawn: { x, examples }, kFire, kLoss, steps } = begin(state, foldIn(k, 2 ** 31 + 1 + i))
        const grown = rollout(runs, state.params, x, kFire, { steps })
        return learnCritic(critic, now, { ...shownOf(grown, examples), real: task.images!.real(examples) }, kLoss, rate)
      }))
    }
    return { state: { ...state, critic: now }, distance }
  }

  /** Learns from one batch: the state with the pool after it, its loss, and the gradient of the parameters that learn. */
  function learn(state: State, part: number): { state: State; loss: Tensor; grads: unknown; steps: number; drawn: Drawn | null } {
    return scope(() => {
      const k = foldIn(state.key, state.iteration)
      // the numbers 0 to 3 are those of `split`
      const { drawn, kSteps, kFire, kLoss, kAnew, least, steps } = begin(state, part === 0 ? k : foldIn(k, 3 + part))
      const { readouts } = options
      const others = typeof readouts === 'number'
        ? Array.from({ length: readouts - 1 }, (_, i) => drawInteger(foldIn(kSteps, i + 1), least, steps + 1))
        : readouts
      const judged = typeof readouts === 'number' ? [...others, steps] : readouts
      const [[, { loss, grown }], grads] = valueAndGradAux((own: unknown) => {
        const params = merged(state.params, own, trainable)
        const states = rollout(runs, params, drawn.x, kFire, { steps, readouts: [...others, steps] })
        const losses = judged.map((_, i) => mean(task.loss(states[i], drawn.examples, kLoss, i, params)))
        const loss = div(losses.reduce((a, b) => add(a, b)), losses.length), grown = states.at(-1)!
        const whole = critic ? lossWithCritic(critic, state.critic!.params, shownOf(grown, drawn.examples), loss) : loss
        return [whole, { loss, grown }] as const
      })(chosen(state.params, trainable))
      if (state.pool.length === 0) return { state, loss, grads, steps, drawn: null }
      const first = (state.iteration * accumulate + part) * batch
      const to = options.write === 'back' ? drawn.slots : drawn.slots.map((_, i) => (first + i) % state.pool.length)
      const { x, examples: becoming } = task.carry?.(grown, drawn.examples) ?? { ...drawn, x: grown }
      const examples = [...state.examples]
      to.forEach((slot, i) => { examples[slot] = becoming[i] })
      return {
        state: { ...state, pool: writeBack(state.pool, to, soundOr(rule, x, () => task.seeds(becoming, kAnew))), examples },
        loss, grads, steps,
        drawn: { slots: to, fates: drawn.fates! },
      }
    }, 'a batch of the trainer')
  }

  function next(before: State): { state: State; metrics: Metrics } {
    return scope(() => {
      const { state: sharpened, distance } = sharpen(before)
      let { state, loss, grads, steps, drawn } = learn(sharpened, 0)
      for (let part = 1; part < accumulate; part++) {
        const more = learn(state, part)
        state = more.state
        steps = more.steps
        drawn = more.drawn
        loss = add(loss, more.loss)
        grads = zipTrees(grads, [more.grads], (a, [b]) => (a instanceof Tensor ? add(a, b as Tensor) : a))
      }
      if (accumulate > 1) {
        loss = div(loss, accumulate)
        grads = mapTree(grads, g => (g instanceof Tensor ? div(g, accumulate) : g))
      }
      const gradNorm = globalNorm(grads)
      const normal = normalise ? normaliseGrads(grads) : grads
      const rate = rateAt(optimiser.rate, plannedAt(options.pace, before.iteration))
      const updated = updateParams(
        optimiser, before.optimiser, chosen(before.params, trainable),
        clip === null ? normal : clipByGlobalNorm(normal, clip), rate,
      )
      return {
        state: {
          ...state,
          params: merged(before.params, updated.params, trainable),
          optimiser: updated.state,
          iteration: before.iteration + 1,
        },
        metrics: { loss, gradNorm, grads, drawn, steps, rate, ...(distance && { distance }) },
      }
    }, 'an iteration of the trainer')
  }

  function hold(state: State, where: string): void {
    checkState(where, state)
    scope(() => {
      const seed = task.seeds([0])
      const made = (): unknown => given.params ?? init(rule, key(0), { dtype: seed.dtype, backend: seed.backend })
      checkStateFor(where, state, {
        seed,
        params: (at, params) => (rule.type === 'custom'
          ? checkTensors(at, 'params', params, tensorsIn(made()))
          : checkParams(at, rule, params, { like: seed })),
        learnt: params => chosen(params, trainable),
        moments: momentCount(optimiser),
        critic: firstCritic(key(0)).critic,
        slots: options.pool,
        examples: task.examples,
      })
    }, 'the check of a state')
  }

  function note(): string | null {
    const why = scope(() => whyStateComposed(runs, task.seeds([0])))
    return why && `Rollouts are composed of operators, because ${why}; without that they would be fused, and several `
      + 'times faster.'
  }

  return { init: start, step: next, note, check: hold }
}

/** The same parameters as new tensors, since `train` releases those that it has superseded. */
export function shared<P>(params: P): P {
  return mapTree(params, p => (p instanceof Tensor ? reshape(reshape(p, [1, ...p.shape]), p.shape) : p))
}

/** The parameters that learn: the whole tree, or those that `trainable` selects, by their paths. */
function chosen(params: unknown, trainable: readonly string[] | null): unknown {
  if (trainable === null) return params
  const own: Record<string, unknown> = {}
  eachLeaf(params, (leaf, path) => { if (leaf instanceof Tensor && learns(path, trainable)) own[path] = leaf })
  return own
}

/** All parameters, with those that learn taken from `own`. */
function merged<P>(params: P, own: unknown, trainable: readonly string[] | null): P {
  if (trainable === null) return own as P
  return mapTree(params, (leaf, path) => (learns(path, trainable) ? (own as Record<string, unknown>)[path] : leaf))
}
