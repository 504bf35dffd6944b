/**
 * Tasks, and what steers a training: the options of the trainer (`trainer.ts`), their defaults and their limits.
 */
import type { Key } from '../../tensor/key.ts'
import { checkData, either, list, orNull, range, record, type Expect, type Field, type Fields } from '../../backends/fields.ts'
import { flag, isObject, isWhole, numberAbove, numberFrom, oneOf, wholeFrom } from '../../backends/options.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { cascadeField, type Stage } from '../cascade.ts'
import { criticField, type Critic, type CriticOptions } from './critic.ts'
import { damageField, publishedCircles, type Damage } from './damage.ts'
import { optimiserField, type Optimiser } from './optimiser.ts'
import { paceField, type Leg } from './pace.ts'
import type { DataRule, Params, Rule } from '../rule/types.ts'
import { expectTrainable, trainableField, type Trainable } from './trainable.ts'

/**
 * What a rule is to learn, over examples that are numbered from 0: targets to grow, images to classify, … What belongs
 * to an example must be in frozen channels of its seed, if samples are to be mutated.
 */
export type Task = {
  readonly examples: number
  /**
   * The first states of examples, `[n,h,w,c]`. What is random in them comes from the key, another one in each iteration; without
   * one, where only their shape matters, they are any.
   */
  readonly seeds: (examples: readonly number[], key?: Key) => Tensor
  /**
   * How far states `[n,h,w,c]` are from what these examples should become, `[n]`. What is random in it comes from the
   * key, which is another one in each iteration. `readout` is the number of the state among those of its rollout that are
   * judged, from 0 (`TrainerOptions.readouts`); a state of the pool has none, and is judged as the last. `params` are those of
   * the rule, for a loss of what its head makes (`readHead`).
   */
  readonly loss: (x: Tensor, examples: readonly number[], key: Key, readout?: number, params?: unknown) => Tensor
  /** How many states of a rollout are judged, for a task that wants something else of each; without it, any number. */
  readonly readouts?: number
  /** What a critic sees (`TrainerOptions.critic`); without it, the task has none. */
  readonly images?: TaskImages
  /**
   * States `[n,h,w,c]` of examples after their rollout, as they go into the pool, and the examples that they are from then on: for
   * tasks that go on, like a video. Without it, states and examples stay what they are.
   */
  readonly carry?: (x: Tensor, examples: readonly number[]) => { readonly x: Tensor; readonly examples: readonly number[] }
}

/** What a critic sees of a task: images of the same channels, made and real, and what both stand beside. */
export type TaskImages = {
  /** The images that states show, `[n,h,w,m]`. */
  readonly made: (x: Tensor, examples: readonly number[]) => Tensor
  /** The images of examples, `[n,h,w,m]`. */
  readonly real: (examples: readonly number[]) => Tensor
  /** What is given in states of examples, `[n,h,w,k]`, like the edges of which a picture is to be made; without it, nothing is. */
  readonly given?: (x: Tensor, examples: readonly number[]) => Tensor
}

/**
 * The probability that a sample comes from the pool: none for `delay` iterations, then from `from` to `to` along a line, over
 * `iterations` more.
 */
export type PoolRatio = {
  /** At the end, from 0 to 1. */
  readonly to: number
  /** When the delay is over, from 0 to 1; default that at the end. */
  readonly from?: number
  /** Iterations in which all samples begin anew, default 0. */
  readonly delay?: number
  /** Iterations from `from` to `to`, default 1. */
  readonly iterations?: number
}

/** What steers the training, whatever the task. */
export type TrainerOptions<R extends Rule = DataRule> = {
  /** What learns: a rule of `defineRule` or `customRule`. */
  rule: R
  /** What it is to learn, as `growingTask` and the like make it. */
  task: Task
  /** Samples per iteration, a whole number > 0. */
  batch: number
  /**
   * Rollout lengths are whole numbers from the first up to, not including, the second: [64, 96] is 64 … 95, as in Growing NCA.
   * (NCAtorch's ranges include both ends.)
   */
  steps: readonly [number, number]
  /**
   * How many states of a rollout are judged, the last and others from `steps[0]` on, which are drawn; default 1. Or a list of
   * numbers of steps, from 1 to `steps[0]`: then the states after just those many steps are judged.
   */
  readouts?: number | readonly number[]
  /** Slots of the sample pool; 0, the default, begins every batch from seeds. */
  pool?: number
  /**
   * Where states go after a rollout: 'back' (default) to the slots that they came from, or 'fifo' to those that were
   * written the longest time ago.
   */
  write?: 'back' | 'fifo'
  /**
   * The probability that a sample comes from the pool and does not begin anew, from 0 to 1, or how it changes over the
   * iterations; default 1. The others are neither damaged nor mutated, and count beside those of `reseed`.
   */
  fromPool?: number | PoolRatio
  /** How many samples of a batch become seeds again; default 0. */
  reseed?: number
  /** How many samples of a batch are damaged; default 0. */
  damaged?: number
  /** How they are damaged, default `publishedCircles`. */
  damage?: Damage
  /**
   * 'loss' (default): seeds take the place of the samples with the greatest loss, damage that of those with the least,
   * as published. 'none': samples are taken as they come, and seeds are those of examples drawn anew.
   */
  ranked?: 'loss' | 'none'
  /** How many samples get the frozen channels of another example, never those of their own; default 0. */
  mutated?: number
  /**
   * The probability that a sample has nothing but zeros in its frozen channels for an iteration, from 0 to 1; default 0. So a rule
   * learns to do with and without what it is told, and can be guided: see `guided`.
   */
  dropped?: number
  /** Iterations before the first in which samples are damaged or mutated; default 0. */
  perturbAfter?: number
  /** How parameters follow their gradients, like `adam({ rate: 2e-3 })`. */
  optimiser: Optimiser
  /** Divide each parameter's gradient by its norm; default false. */
  normalise?: boolean
  /** The most that the norm of the whole gradient may be; null, the default, for any. */
  clip?: number | null
  /** Batches whose gradients are averaged before the optimiser takes a step; default 1. */
  accumulate?: number
  /** Parameters that learn, see `trainablePaths`: 'all', the default, 'update', 'last', or the beginnings of their paths. */
  trainable?: Trainable
  /** Where to begin, instead of `init(rule)`: a model to fine-tune. */
  params?: Params<R>
  /**
   * Rollout lengths that grow linearly from these to `steps` over the first iterations: a remedy for runs that blow up
   * early. Null, the default, uses `steps` from the start.
   */
  warmUp?: { readonly iterations: number; readonly from: readonly [number, number] } | null
  /**
   * A network that learns to tell the images that the rule makes from real ones, while the rule learns to deceive it (WGAN-GP):
   * what `critic.ts` says, for tasks that have images. Null, the default, for none. The loss that is reported is the task's own.
   */
  critic?: CriticOptions | null
  /**
   * Stages on coarse grids with which every rollout begins, the coarsest first (`cascade`), for a rule of `defineRule`; together
   * fewer than the steps of the shortest rollout. Null, the default, for none.
   */
  cascade?: readonly Stage[] | null
  /**
   * Where all that changes over the iterations (the learning rate, `fromPool`, `perturbAfter`, `warmUp`) stands at which: from
   * iteration `at` on, a whole number ≥ 0, at `plan`, a number ≥ 0, and with each iteration `per` further, a number > 0. None,
   * the default, is at the iterations themselves. `--minutes` writes it where a run has other time than was planned for.
   */
  pace?: readonly Leg[]
}

/** All of them, with their defaults. */
export type Complete<R extends Rule> = Required<Omit<TrainerOptions<R>, 'params' | 'critic'>> & Pick<TrainerOptions<R>, 'params'>
  & { readonly critic: Critic | null }

const lengths: Field<readonly [number, number]> = range(wholeFrom(1, 1_000_000), true)

/** What can be said of a training in a file: all that is data, but the rule. */
export const trainingFields: Fields<Omit<Complete<Rule>, 'rule' | 'task' | 'params'>> = {
  batch: { ...wholeFrom(1, 65_536), about: 'Samples per iteration' },
  steps: { ...lengths, about: 'Steps of a rollout: drawn from the first up to, not including, the second' },
  readouts: {
    ...either<number | readonly number[]>(wholeFrom(1, 1_000_000), list(wholeFrom(1, 1_000_000), 'numbers of steps', 1)), default: 1,
    about: 'States of a rollout that are judged: how many, the last and others that are drawn; or a list, after how many steps',
  },
  pool: { ...wholeFrom(0, 1_000_000), default: 0, about: 'Slots of the sample pool; 0 grows every sample from the seed' },
  write: {
    ...oneOf(['back', 'fifo']), default: 'back',
    about: 'Where states go after a rollout: back to their slots, or to those written the longest time ago',
  },
  fromPool: {
    ...either<number | PoolRatio>(numberFrom(0, 1), record<PoolRatio>({
      fields: {
        to: { ...numberFrom(0, 1), about: 'At the end' },
        from: { ...numberFrom(0, 1), default: ({ to }: PoolRatio) => to, about: 'When the delay is over' },
        delay: { ...wholeFrom(0), default: 0, about: 'Iterations in which all samples begin anew' },
        iterations: { ...wholeFrom(1), default: 1, about: 'Iterations from one to the other' },
      },
    })),
    default: 1,
    about: 'Probability that a sample comes from the pool and does not begin anew, or how it changes',
  },
  reseed: { ...wholeFrom(0), default: 0, about: 'Samples of a batch, those with the greatest loss, that begin anew' },
  damaged: { ...wholeFrom(0), default: 0, about: 'Samples of a batch, those with the least loss, that are damaged' },
  damage: { ...damageField, default: publishedCircles },
  ranked: {
    ...oneOf(['loss', 'none']), default: 'loss',
    about: 'Whether samples are reseeded and damaged by their loss, or as they come',
  },
  mutated: { ...wholeFrom(0), default: 0, about: 'Samples of a batch that get the frozen channels of another example' },
  dropped: { ...numberFrom(0, 1), default: 0, about: 'Probability that a sample has zeros in its frozen channels, to learn without them (classifier-free guidance)' },
  perturbAfter: { ...wholeFrom(0), default: 0, about: 'Iterations before the first in which samples are damaged or mutated' },
  optimiser: optimiserField,
  normalise: { ...flag, default: false, about: 'Divide the gradient of each parameter by its norm' },
  clip: { ...orNull(numberAbove(0)), default: null, about: 'The most that the norm of the whole gradient may be; null: any' },
  accumulate: { ...wholeFrom(1), default: 1, about: 'Batches whose gradients are averaged before a step' },
  trainable: trainableField,
  warmUp: {
    ...orNull(record<NonNullable<TrainerOptions['warmUp']>>({
      fields: {
        iterations: { ...wholeFrom(1), about: 'Iterations after which they have grown to steps' },
        from: { ...lengths, about: 'Steps of the first rollouts' },
      },
    })),
    default: null,
    about: 'Rollouts that start shorter and grow, for runs that blow up early',
  },
  cascade: cascadeField,
  critic: { ...orNull(criticField), default: null, about: 'A network that judges the images which the rule makes (WGAN-GP); null: none' },
  pace: {
    ...paceField, default: [],
    about: 'Where all that changes over the iterations stands at which, as --minutes has decided it',
  },
}

/** The fields of a training that is no data: what is taken as it is. */
export const givenFields: Fields<Pick<TrainerOptions<Rule>, 'rule' | 'params'>> = {
  rule: { fits: isObject, expected: 'a rule' },
  params: { fits: isObject, expected: 'parameters, as init makes them', default: undefined },
}

const isTask = (x: unknown): boolean =>
  isObject(x) && isWhole(x.examples, 1) && typeof x.seeds === 'function' && typeof x.loss === 'function'

const trainerField = record<Complete<Rule>>({
  fields: { ...givenFields, ...trainingFields, task: { fits: isTask, expected: 'a task: examples, seeds and loss' } },
  together(options, expect) {
    const { rule, pool, ranked, mutated, readouts, critic, task: { examples, readouts: wanted, images, carry } } = options
    const judged = typeof readouts === 'number' ? readouts : readouts.length
    expect(wanted === undefined || judged === wanted, ['readouts'], readouts, `a list of ${wanted} numbers of steps, as the task has`)
    expectTraining(options, expect)
    expect(
      pool === 0 || ranked === 'none' || pool >= examples, ['pool'], pool,
      `a slot for each of the ${examples} examples, since each slot keeps its own; or ranked: 'none'`,
    )
    expect(pool > 0 || carry === undefined, ['pool'], pool, 'at least batch, as the task carries samples on')
    expect(mutated === 0 || examples > 1, ['mutated'], mutated, '0, or a task of more than one example')
    expect(critic === null || images !== undefined, ['critic'], critic, 'null, or a task that has images, like imageToImageTask')
    expect(critic === null || rule.grid === 2, ['critic'], critic, 'null, or a rule on a grid of two dimensions')
  },
})

/** Expects what a training consists of to go together. */
export function expectTraining(options: Omit<Complete<Rule>, 'task' | 'params'>, expect: Expect): void {
  const { rule, batch, pool, reseed, damaged, mutated, dropped, readouts, steps, warmUp, cascade } = options
  const least = Math.min(steps[0], warmUp?.from[0] ?? steps[0])
  if (typeof readouts !== 'number') {
    readouts.forEach((n, i) => expect(n <= least, ['readouts', i], n, `at most ${least}, the least number of steps`))
  }
  expect(pool === 0 || pool >= batch, ['pool'], pool, `0, or at least batch (${batch})`)
  let room = batch, rest = 'batch'
  for (const [name, samples] of Object.entries({ reseed, damaged, mutated })) {
    expect(room < 0 || samples <= room, [name], samples, `at most ${rest} (${room})`)
    room -= samples
    rest += ` − ${name}`
  }
  const hasInputs = rule.type === 'data' && rule.frozen.length > 0
  expect(mutated === 0 || hasInputs, ['mutated'], mutated, '0, or a rule with frozen channels')
  expect(dropped === 0 || hasInputs, ['dropped'], dropped, '0, or a rule with frozen channels')
  expect(damaged === 0 || rule.grid === 2, ['damaged'], damaged, '0, or a rule on a grid of two dimensions')
  expectTrainable(options, expect)
  if (cascade === null) return
  const coarse = cascade.reduce((sum, stage) => sum + stage.steps, 0)
  expect(rule.type === 'data', ['cascade'], cascade, 'null, for a rule that is code')
  expect(coarse < least, ['cascade'], coarse, `fewer than the shortest rollout has, ${least}`, 'the number of steps in cascade')
}

/** Options without the names that presets have besides, for whoever runs them. */
export function withoutRun<T>(given: T): T {
  if (!isObject(given)) return given
  const { size: _size, padding: _padding, iterations: _iterations, ...options } = given
  return options as T
}

/** The options with their defaults. Throws a sentence where they do not fit together. */
export function complete<R extends Rule>(where: string, given: TrainerOptions<R>): Complete<R> {
  return checkData(where, trainerField, withoutRun(given)) as Complete<R>
}

/** The probability that a sample comes from the pool at an iteration, see `PoolRatio`. */
export function poolRatioAt(ratio: number | PoolRatio, iteration: number): number {
  if (typeof ratio === 'number') return ratio
  const { to, from = to, delay = 0, iterations = 1 } = ratio
  return iteration < delay ? 0 : from + (to - from) * Math.min(1, (iteration - delay) / iterations)
}

/** The range of rollout lengths at an iteration, see `warmUp`. */
export function rolloutLengths(
  { steps, warmUp }: { steps: readonly [number, number]; warmUp: NonNullable<TrainerOptions['warmUp']> | null },
  iteration: number,
): [number, number] {
  const done = warmUp ? Math.min(1, iteration / warmUp.iterations) : 1
  const from = warmUp?.from ?? steps
  return [Math.round(from[0] + (steps[0] - from[0]) * done), Math.round(from[1] + (steps[1] - from[1]) * done)]
}
