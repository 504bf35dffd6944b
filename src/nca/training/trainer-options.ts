/**
 * Tasks, and what steers a training: the options of the trainer (`trainer.ts`), their defaults and their limits.
 */
import type { Key } from '../../tensor/key.ts'
import {
  check, checkOptions, flag, isNumber, isObject, isWhole, keysOf, later, oneOf, required, wholeFrom,
} from '../../backends/options.ts'
import type { Kinds } from '../../backends/options.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { checkDamage, publishedCircles } from './damage.ts'
import type { Damage } from './damage.ts'
import { checkOptimiser } from './optimiser.ts'
import type { Optimiser } from './optimiser.ts'
import { paramShapes } from '../rule/parameters.ts'
import type { DataRule, Params, Rule } from '../rule/types.ts'

/**
 * What a rule is to learn, over examples that are numbered from 0: targets to grow, images to classify, … What belongs
 * to an example must be in frozen channels of its seed, if samples are to be mutated.
 */
export type Task = {
  readonly examples: number
  /** The first states of examples, `[n,h,w,c]`. */
  readonly seeds: (examples: readonly number[]) => Tensor
  /**
   * How far states `[n,h,w,c]` are from what these examples should become, `[n]`. What is random in it comes from the
   * key, which is another one in each iteration.
   */
  readonly loss: (x: Tensor, examples: readonly number[], key: Key) => Tensor
}

/** What steers the training, whatever the task. */
export type TrainerOptions<R extends Rule = DataRule> = {
  /** What learns: a rule of `defineRule` or `customRule`. */
  rule: R
  /** What it is to learn, as `growingTask` and the like make it. */
  task: Task
  /** Samples per iteration, a whole number > 0. */
  batch: number
  /** Rollout lengths are whole numbers from the first up to, not including, the second. */
  steps: readonly [number, number]
  /** How many states of a rollout are judged, the last and others from `steps[0]` on; default 1. */
  readouts?: number
  /** Slots of the sample pool; 0, the default, begins every batch from seeds. */
  pool?: number
  /**
   * Where states go after a rollout: 'back' (default) to the slots that they came from, or 'fifo' to those that were
   * written the longest time ago.
   */
  write?: 'back' | 'fifo'
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
  /** How many samples get the frozen channels of another example; default 0. */
  mutated?: number
  /** How parameters follow their gradients, like `adam({ rate: 2e-3 })`. */
  optimiser: Optimiser
  /** Divide each parameter's gradient by its norm; default false. */
  normalize?: boolean
  /** The most that the norm of the whole gradient may be; null, the default, for any. */
  clip?: number | null
  /** Batches whose gradients are averaged before the optimiser takes a step; default 1. */
  accumulate?: number
  /** Parameters that learn, by the beginnings of their paths (`['update.w2']`); null, the default, for all. */
  trainable?: readonly string[] | null
  /** Where to begin, instead of `init(rule)`: a model to fine-tune. */
  params?: Params<R>
  /**
   * Rollout lengths that grow linearly from these to `steps` over the first iterations: a remedy for runs that blow up
   * early. Null, the default, uses `steps` from the start.
   */
  warmUp?: { readonly iterations: number; readonly from: readonly [number, number] } | null
}

/** All of them, with their defaults. */
export type Complete<R extends Rule> = Required<Omit<TrainerOptions<R>, 'params'>> & Pick<TrainerOptions<R>, 'params'>

const defaults = {
  readouts: 1, pool: 0, write: 'back', reseed: 0, damaged: 0, damage: publishedCircles, ranked: 'loss', mutated: 0,
  normalize: false, clip: null, accumulate: 1, trainable: null, warmUp: null,
} as const

/** Those that hang together are judged by `complete`. */
export const trainerKinds: Kinds<TrainerOptions<Rule>> = {
  rule: later, task: later, steps: later, damage: later, optimiser: later, clip: later, trainable: later,
  params: { fits: x => typeof x === 'object' && x !== null, expected: 'parameters, as init makes them' },
  warmUp: later,
  batch: required(wholeFrom(1)),
  readouts: wholeFrom(1),
  accumulate: wholeFrom(1),
  pool: wholeFrom(0),
  reseed: wholeFrom(0),
  damaged: wholeFrom(0),
  mutated: wholeFrom(0),
  write: oneOf(['back', 'fifo']),
  ranked: oneOf(['loss', 'none']),
  normalize: flag,
}
const trainerOptions = keysOf<TrainerOptions<Rule>>(trainerKinds)

/** Names that presets have besides, for whoever runs them. */
export const presetNames: readonly string[] = ['size', 'padding', 'iterations']

/** The options with their defaults. Throws a sentence where they do not fit together. */
export function complete<R extends Rule>(where: string, given: TrainerOptions<R>): Complete<R> {
  checkOptions(where, given, trainerOptions, presetNames)
  const options: Complete<R> = { ...defaults, ...given }
  const { rule, task, batch, steps, pool, reseed, damaged, ranked, mutated, damage } = options
  check(isObject(rule), where, 'rule', rule, 'a rule')
  const isTask = isObject(task) && isWhole(task.examples, 1)
    && typeof task.seeds === 'function' && typeof task.loss === 'function'
  check(isTask, where, 'task', task, 'a task: examples, seeds and loss')
  checkLengths(where, 'steps', steps)
  const fits = (ok: boolean, sentence: string): void => { if (!ok) throw new Error(`${where}: ${sentence}`) }
  fits(pool === 0 || pool >= batch, `a pool of ${pool} slots cannot fill a batch of ${batch}.`)
  const changed = [`${reseed} reseeded`, `${damaged} damaged`, ...(mutated > 0 ? [`${mutated} mutated`] : [])]
  fits(
    reseed + damaged + mutated <= batch,
    `${changed.slice(0, -1).join(', ')} and ${changed.at(-1)} samples do not fit into a batch of ${batch}.`,
  )
  const hasInputs = rule.type === 'data' && rule.frozen.length > 0
  fits(mutated === 0 || hasInputs, 'samples can only be mutated where a rule has frozen channels.')
  fits(
    pool === 0 || ranked === 'none' || pool >= task.examples,
    `a pool of ${pool} slots, each of which keeps its example, would never meet the others of ${task.examples}; `
      + "take a larger pool or ranked: 'none'.",
  )
  fits(damaged === 0 || rule.grid === 2, 'only grids of two dimensions can be damaged.')
  checkDamage(where, damage)
  checkOptimiser(where, options.optimiser)
  checkGradient(where, options)
  if (options.warmUp === null) return options
  const { warmUp } = options
  check(isObject(warmUp) && isWhole(warmUp.iterations, 1), where, 'warmUp', warmUp, 'null or { iterations, from }')
  checkLengths(where, 'warmUp.from', warmUp.from)
  return options
}

function checkGradient<R extends Rule>(
  where: string, { rule, clip, trainable }: Complete<R>,
): void {
  check(clip === null || (isNumber(clip) && clip > 0), where, 'clip', clip, 'null or a number > 0')
  if (trainable === null) return
  check(Array.isArray(trainable) && trainable.length > 0, where, 'trainable', trainable, 'null or a list of paths')
  if (rule.type === 'custom') return
  const paths = Object.keys(paramShapes(rule))
  trainable.forEach((start, i) => {
    const known = paths.some(path => path === start || path.startsWith(`${start}.`))
    check(known, where, `trainable[${i}]`, start, `the beginning of a path: ${paths.join(', ')}`)
  })
}

function checkLengths(where: string, name: string, range: readonly [number, number]): void {
  const ok = Array.isArray(range) && range.length === 2 && range.every(n => isWhole(n, 1)) && range[0] < range[1]
  check(ok, where, name, range, 'two whole numbers > 0, the first below the second')
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
