/**
 * Tasks, and the options of the trainer (`trainer.ts`), with their defaults and limits.
 */
import type { Key } from '../../tensor/key.ts'
import { checkData, either, list, orNull, range, record, type Expect, type Field, type Fields } from '../../backends/fields.ts'
import { flag, isObject, isWhole, numberAbove, numberFrom, oneOf, oneOfNames, show, wholeFrom } from '../../backends/options.ts'
import { add, mul } from '../../tensor/ops/arithmetic.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { cascadeField, type Stage } from '../cascade.ts'
import { rangesField, roleOverflow, type RoleRanges } from '../losses/loss.ts'
import { criticField, type Critic, type CriticOptions } from './critic.ts'
import { damageField, publishedCircles, type Damage } from './damage.ts'
import { optimiserField, type Optimiser } from './optimiser.ts'
import { paceField, type Leg } from './pace.ts'
import { dataRuleOf } from '../rule/define.ts'
import type { DataRule, Params, Rule } from '../rule/types.ts'
import { expectTrainable, trainableField, type Trainable } from './trainable.ts'

/**
 * What a rule should learn, over examples numbered from 0: targets to grow, images to classify, … For mutation, everything
 * that defines an example must be in frozen channels of its seed.
 */
export type Task = {
  readonly examples: number
  /**
   * The first states of examples, `[n,h,w,c]`. Randomness comes from the key; a trainer gives one, always a different one, for all
   * states that it learns from. Without a key they are the same every time.
   */
  readonly seeds: (examples: readonly number[], key?: Key) => Tensor
  /** The frozen role that `dropped` empties; absent: all frozen roles; null: none, as they hold no condition. */
  readonly condition?: string | null
  /**
   * The loss of states `[n,h,w,c]` of these examples, `[n]`. Randomness comes from the key, a different one in each iteration.
   * `readout` is the index of the state among the readouts of its rollout, from 0 (`TrainerOptions.readouts`); states of the pool
   * have none and are compared like the last one. `params` are those of the rule, for a loss on the output of its head
   * (`readHead`).
   */
  readonly loss: (x: Tensor, examples: readonly number[], key: Key, readout?: number, params?: unknown) => Tensor
  /**
   * The kind of an example, a number or a text: examples of one kind (===) have the same condition in the frozen channels of their
   * seeds, so a mutation turns none into another. Absent: each example is of its own kind.
   */
  readonly kind?: (example: number) => number | string
  /** How many readouts a rollout must have, for a task with a different target for each; absent: any number. */
  readonly readouts?: number
  /** The images for a critic (`TrainerOptions.critic`); a task without them cannot have a critic. */
  readonly images?: TaskImages
  /**
   * Turns states `[n,h,w,c]` of examples after their rollout into those that go into the pool, and says which examples they are
   * from then on: for tasks that go on, like a video. Without it, states and examples stay what they are.
   */
  readonly carry?: (x: Tensor, examples: readonly number[]) => { readonly x: Tensor; readonly examples: readonly number[] }
}

/** The kind of an example, by default its number. */
export function kindOf({ kind }: Task, example: number): number | string {
  return kind ? kind(example) : example
}

/** What a critic sees of a task: generated and real images with the same channels, and the condition of both. */
export type TaskImages = {
  /** The images that states show, `[n,h,w,m]`. */
  readonly made: (x: Tensor, examples: readonly number[]) => Tensor
  /** The images of examples, `[n,h,w,m]`. */
  readonly real: (examples: readonly number[]) => Tensor
  /** The condition in states of examples, `[n,h,w,k]`, like the edges from which a picture is made; absent: no condition. */
  readonly given?: (x: Tensor, examples: readonly number[]) => Tensor
}

/**
 * The probability that a sample comes from the pool: 0 for `delay` iterations, then linear from `from` to `to` over the next
 * `iterations`.
 */
export type PoolRatio = {
  /** The final probability, from 0 to 1. */
  readonly to: number
  /** The probability right after the delay, from 0 to 1; default `to`. */
  readonly from?: number
  /** Iterations in which all samples are fresh seeds, default 0. */
  readonly delay?: number
  /** Iterations from `from` to `to`, default 1. */
  readonly iterations?: number
}

/** A penalty for channels that leave their ranges (Spitznagel & Keuper 2026, equation 6). */
export type Overflow = {
  /** The factor of the penalty, a number > 0; default 1. */
  readonly weight?: number
  /** The range of the channels of each role, see `roleOverflow`. */
  readonly ranges: RoleRanges
}

/** The options of a training, whatever the task. */
export type TrainerOptions<R extends Rule = DataRule> = {
  /** The rule to train, from `defineRule` or `customRule`. */
  rule: R
  /** What it should learn, from `growingTask` and the like. */
  task: Task
  /** Samples per iteration, a whole number > 0. */
  batch: number
  /**
   * Rollout lengths are whole numbers from the first up to, not including, the second: [64, 96] is 64 … 95, as in Growing NCA.
   * (NCAtorch's ranges include both ends.)
   */
  steps: readonly [number, number]
  /**
   * How many states of a rollout the loss is taken of: the last one, and others drawn from step `steps[0]` on; default 1. Or a
   * list of numbers of steps, from 1 to `steps[0]`: then the states after exactly these steps.
   */
  readouts?: number | readonly number[]
  /** Slots of the sample pool; with 0, the default, every batch begins from seeds. */
  pool?: number
  /**
   * Where states go after a rollout: 'back' (default) to the slots that they came from, or 'fifo' to the slots that were
   * written longest ago.
   */
  write?: 'back' | 'fifo'
  /**
   * The probability that a sample comes from the pool instead of being a fresh seed, from 0 to 1, or how it changes over the
   * iterations; default 1. Fresh samples are neither damaged nor mutated, and come in addition to those of `reseed`.
   */
  fromPool?: number | PoolRatio
  /** How many samples of a batch from the pool are replaced by seeds; default 0. */
  reseed?: number
  /** How many samples of a batch from the pool are damaged; default 0. */
  damaged?: number
  /** How they are damaged, default `publishedCircles`. */
  damage?: Damage
  /**
   * 'loss' (default): seeds replace the samples with the greatest loss, and damage hits those with the least, as published.
   * 'none': samples are taken in random order, and seeds are those of newly drawn examples. Either way, mutated are random ones.
   */
  ranked?: 'loss' | 'none'
  /** How many samples of a batch from the pool get the frozen channels of an example of another kind (`Task.kind`); default 0. */
  mutated?: number
  /**
   * The probability that a sample has zeros in its frozen channels, or in those of the task's `condition`, for one iteration, from
   * 0 to 1; default 0. So a rule learns to work with and without its condition, and can be guided: see `guided`.
   */
  dropped?: number
  /** The first iteration in which samples are damaged or mutated; default 0. */
  perturbAfter?: number
  /**
   * A penalty for channels outside of their ranges, weight times `roleOverflow`. It is a part of the task's loss: of what is reported,
   * by which a pool ranks its samples, and which `lossWeight` of a critic weighs. Null, the default, for none. `textureTask` has one of
   * its own, to which this is added.
   */
  overflow?: Overflow | null
  /** The optimiser, like `adam({ rate: 2e-3 })`. */
  optimiser: Optimiser
  /** Divide each parameter's gradient by its norm; default false. */
  normalise?: boolean
  /** The largest norm that the whole gradient may have; null, the default, for no limit. */
  clip?: number | null
  /** Batches whose gradients are averaged before the optimiser takes a step; default 1. */
  accumulate?: number
  /** Parameters that learn, see `trainablePaths`: 'all', the default, 'update', 'last', or the beginnings of their paths. */
  trainable?: Trainable
  /** Initial parameters to use instead of `init(rule)`: a model to fine-tune. */
  params?: Params<R>
  /**
   * Rollout lengths that grow linearly from these to `steps` over the first iterations: a remedy for runs that blow up
   * early. Null, the default, uses `steps` from the start.
   */
  warmUp?: { readonly iterations: number; readonly from: readonly [number, number] } | null
  /**
   * A critic, a network that learns to distinguish the images of the rule from real ones, while the rule learns to deceive it
   * (WGAN-GP, see `critic.ts`), for tasks that have images. Null, the default, for none. The reported loss is the task's own.
   */
  critic?: CriticOptions | null
  /**
   * Stages on coarse grids with which every rollout begins, the coarsest first (`cascade`), for a rule of `defineRule`; together
   * fewer than the steps of the shortest rollout. Null, the default, for none.
   */
  cascade?: readonly Stage[] | null
  /**
   * How fast the run goes through everything that changes over the iterations (learning rate, `fromPool`, `perturbAfter`,
   * `warmUp`). At iteration `at`, a whole number ≥ 0, it is at iteration `plan` of the plan, a number ≥ 0, and advances by
   * `per`, a number > 0, in each iteration from there on. Without legs, the default, run and plan coincide. `--minutes` sets it
   * where the time differs from what was planned.
   */
  pace?: readonly Leg[]
}

/** The options, completed by their defaults. */
export type Complete<R extends Rule> = Required<Omit<TrainerOptions<R>, 'params' | 'critic'>> & Pick<TrainerOptions<R>, 'params'>
  & { readonly critic: Critic | null }

const lengths: Field<readonly [number, number]> = range(wholeFrom(1, 1_000_000), true)

/** The options of a training that a configuration file can give: those that are data, except the rule. */
export const trainingFields: Fields<Omit<Complete<Rule>, 'rule' | 'task' | 'params'>> = {
  batch: { ...wholeFrom(1, 65_536), about: 'Samples per iteration' },
  steps: { ...lengths, about: 'Steps of a rollout: drawn from the first up to, not including, the second' },
  readouts: {
    ...either<number | readonly number[]>(wholeFrom(1, 1_000_000), list(wholeFrom(1, 1_000_000), 'numbers of steps', 1)), default: 1,
    about: 'States of a rollout in the loss: their number, the last one and random others; or the steps after which they are taken',
  },
  pool: { ...wholeFrom(0, 1_000_000), default: 0, about: 'Slots of the sample pool; 0 grows every sample from the seed' },
  write: {
    ...oneOf(['back', 'fifo']), default: 'back',
    about: 'Where states go after a rollout: back to their slots, or to those that were written longest ago',
  },
  fromPool: {
    ...either<number | PoolRatio>(numberFrom(0, 1), record<PoolRatio>({
      fields: {
        to: { ...numberFrom(0, 1), about: 'Last value' },
        from: { ...numberFrom(0, 1), default: ({ to }: PoolRatio) => to, about: 'First value, after the delay' },
        delay: { ...wholeFrom(0), default: 0, about: 'Iterations in which all samples are seeds' },
        iterations: { ...wholeFrom(1), default: 1, about: 'Iterations from the first value to the last' },
      },
    })),
    default: 1,
    about: 'Probability that a sample comes from the pool, and not from a seed, or how it changes over the iterations',
  },
  reseed: { ...wholeFrom(0), default: 0, about: 'Samples of a batch replaced by seeds, the worst if ranked' },
  damaged: { ...wholeFrom(0), default: 0, about: 'Samples of a batch damaged, the best if ranked' },
  damage: { ...damageField, default: publishedCircles },
  ranked: {
    ...oneOf(['loss', 'none']), default: 'loss',
    about: 'Whether samples are reseeded and damaged by their loss, or in the order in which they are drawn',
  },
  mutated: { ...wholeFrom(0), default: 0, about: 'Samples of a batch that get another condition: the frozen channels of another example' },
  dropped: { ...numberFrom(0, 1), default: 0, about: 'Probability that a sample has zeros in its frozen channels, to learn without them (classifier-free guidance)' },
  perturbAfter: { ...wholeFrom(0), default: 0, about: 'Iterations before samples are damaged or mutated' },
  overflow: {
    ...orNull(record<Overflow>({
      fields: {
        weight: { ...numberAbove(0), default: 1, about: 'Factor of this penalty' },
        ranges: { ...rangesField, about: 'Range of the channels of each role' },
      },
    })),
    default: null, about: 'Penalty in the loss of any task: the mean distance of channels from their ranges; null: none',
  },
  optimiser: optimiserField,
  normalise: { ...flag, default: false, about: 'Divide the gradient of each parameter by its norm' },
  clip: { ...orNull(numberAbove(0)), default: null, about: 'Largest norm of the whole gradient, which is scaled down to it; null: no limit' },
  accumulate: { ...wholeFrom(1), default: 1, about: 'Batches whose gradients are averaged before a step' },
  trainable: trainableField,
  warmUp: {
    ...orNull(record<NonNullable<TrainerOptions['warmUp']>>({
      fields: {
        iterations: { ...wholeFrom(1), about: 'Iterations until they are as long as in steps' },
        from: { ...lengths, about: 'Steps of the first rollouts' },
      },
    })),
    default: null,
    about: 'Shorter rollouts at the start, for runs that would diverge early',
  },
  cascade: cascadeField,
  critic: { ...orNull(criticField), default: null, about: 'A network that judges the images which the rule makes (WGAN-GP); null: none' },
  pace: {
    ...paceField, default: [],
    about: 'How the run goes through its schedules, as --minutes has set it',
  },
}

/** The options of a training that are not data in a file, and are taken as they are. */
export const givenFields: Fields<Pick<TrainerOptions<Rule>, 'rule' | 'params'>> = {
  rule: { fits: isObject, expected: 'a rule' },
  params: { fits: isObject, expected: 'parameters, as init makes them', default: undefined },
}

const isTask = (x: unknown): boolean =>
  isObject(x) && isWhole(x.examples, 1) && typeof x.seeds === 'function' && typeof x.loss === 'function'

const trainerField = record<Complete<Rule>>({
  fields: { ...givenFields, ...trainingFields, task: { fits: isTask, expected: 'a task: examples, seeds and loss' } },
  together(options, expect) {
    const { rule, pool, ranked, write, mutated, dropped, readouts, critic, task } = options
    const { examples, readouts: wanted, images, carry, condition } = task
    const judged = typeof readouts === 'number' ? readouts : readouts.length
    const isInOrder = judged === wanted && (wanted === 1 || typeof readouts !== 'number')
    expect(wanted === undefined || isInOrder, ['readouts'], readouts, `a list of ${wanted} steps, as the task has`)
    expect(pool === 0 || wanted === undefined || carry !== undefined, ['pool'], pool, '0 beside readouts')
    expectTraining(options, expect)
    expect(
      pool === 0 || ranked === 'none' || pool >= examples, ['pool'], pool,
      `a slot for each of the ${examples} examples, since each slot keeps its own; or ranked: 'none'`,
    )
    expect(
      pool === 0 || write === 'back' || ranked === 'none' || examples === 1, ['write'], write,
      "'back', or ranked: 'none'",
    )
    expect(pool > 0 || carry === undefined, ['pool'], pool, 'at least batch, as the task carries samples on')
    const isOther = (_: unknown, i: number): boolean => kindOf(task, i) !== kindOf(task, 0)
    expect(mutated === 0 || Array.from({ length: examples }).some(isOther), ['mutated'], mutated, '0, or a task of more than one kind of example')
    expect(dropped === 0 || condition !== null, ['dropped'], dropped, '0, or a condition')
    expect(critic === null || images !== undefined, ['critic'], critic, 'null, or a task that has images, like imageToImageTask')
    expect(critic === null || rule.grid === 2, ['critic'], critic, 'null, or a rule on a grid of two dimensions')
    expectPool(options, expect)
  },
})

/** Expects the options of a training to fit together. */
export function expectTraining(options: Omit<Complete<Rule>, 'task' | 'params'>, expect: Expect): void {
  const { rule, batch, pool, reseed, damaged, mutated, dropped, overflow, critic, readouts, steps, warmUp, cascade } = options
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
  const hasInputs = Boolean(dataRuleOf(rule)?.frozen.length)
  expect(mutated === 0 || hasInputs, ['mutated'], mutated, '0, or a rule with frozen channels')
  expect(dropped === 0 || hasInputs, ['dropped'], dropped, '0, or a rule with frozen channels')
  expect(damaged === 0 || rule.grid === 2, ['damaged'], damaged, '0, or a rule on a grid of two dimensions')
  expect(overflow === null || critic?.lossWeight !== 0, ['overflow'], overflow, 'null, or a critic with a lossWeight above 0')
  for (const role of Object.keys(overflow?.ranges ?? {})) {
    const roles = oneOfNames(Object.keys(rule.channels))
    expect(roles.fits(role), ['overflow', 'ranges'], role, roles.expected, 'a role of overflow.ranges')
  }
  expectTrainable(options, expect)
  if (cascade === null) return
  const coarse = cascade.reduce((sum, stage) => sum + stage.steps, 0)
  expect(rule.type === 'data', ['cascade'], cascade, 'null, for a rule that is code')
  expect(coarse < least, ['cascade'], coarse, `fewer than the shortest rollout has, ${least}`, 'the number of steps in cascade')
}

/** What options of the sample pool must be without one; all samples are seeds then, so that `reseed` changes nothing. */
const withoutPool = { damaged: 0, mutated: 0, write: 'back', fromPool: 1 } as const

/** Expects options of the sample pool to have one. */
export function expectPool(given: Pick<Complete<Rule>, 'pool' | keyof typeof withoutPool>, expect: Expect): void {
  for (const [name, none] of Object.entries(withoutPool)) {
    const got = given[name as keyof typeof withoutPool]
    expect(given.pool > 0 || got === none, [name], got, `${show(none)}, or a pool`)
  }
}

/** Options without the further fields of presets, which are for whoever runs them. */
export function withoutRun<T>(given: T): T {
  if (!isObject(given)) return given
  const { size: _size, padding: _padding, iterations: _iterations, ...options } = given
  return options as T
}

/**
 * The options, completed by their defaults, and a task whose loss has the penalty for overflow. Throws a sentence where they do not
 * fit together.
 */
export function complete<R extends Rule>(where: string, given: TrainerOptions<R>): Complete<R> {
  const options = checkData(where, trainerField, withoutRun(given)) as Complete<R>
  const { rule, task, overflow } = options
  if (overflow === null) return options
  const { weight = 1, ranges } = overflow
  const loss: Task['loss'] = (x, ...rest) => add(task.loss(x, ...rest), mul(weight, roleOverflow(rule, x, ranges)))
  return { ...options, task: { ...task, loss } }
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
