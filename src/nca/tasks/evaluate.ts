/**
 * How good a rule is at a task: it runs from the seed of each example, and the last states are measured (`evaluate`) or
 * returned (`predict`). Examples run in batches, so that memory does not grow with their number.
 */
import { concat } from '../../tensor/ops/concat.ts'
import { checkKey, foldIn, key as keyOf, type Key } from '../../tensor/key.ts'
import { scope } from '../../tensor/lifetime.ts'
import {
  callable, check, checkOptions, isObject, isWhole, keysOf, later, required, wholeFrom, type Kinds,
} from '../../backends/options.ts'
import { sameShape, showShape } from '../../tensor/shape.ts'
import { Tensor } from '../../tensor/tensor.ts'
import { inStages, type Stage } from '../cascade.ts'
import type { Params, Rule } from '../rule/types.ts'
import { rollout } from '../step.ts'
import type { Task } from '../training/trainer-options.ts'

export type PredictOptions = {
  /** Steps of the rollouts from the seeds. */
  steps: number
  /** Which examples, in this order; default all of the task. */
  examples?: readonly number[]
  /** Draws the fire masks and whatever is random in the task; default key(0). Each batch has its own fire masks. */
  key?: Key
  /** Examples that run together, default 32. */
  batch?: number
  /** Stages on coarse grids with which rollouts begin, as in training (`TrainerOptions.cascade`); default none. */
  cascade?: readonly Stage[] | null
}

export type EvaluateOptions = PredictOptions & {
  /** From states `[n,h,w,c]` and their examples to `[n]`: a metric to use instead of the task's loss. */
  measure?: Task['loss']
}

/** The kinds of the options of `predict`, and of other functions that run a task's examples. */
export const predictOptions: Kinds<PredictOptions> = {
  steps: required(wholeFrom(0)), examples: later, key: later, batch: wholeFrom(1), cascade: later,
}
const predictKeys = keysOf<PredictOptions>(predictOptions)
const evaluateKeys = keysOf<EvaluateOptions>({ ...predictOptions, measure: callable })

/**
 * The loss of each example, by the task's loss or another measure.
 *
 * @returns a number for each example, in the order of `examples`
 * @throws where the task has no such example, or the measure does not return `[n]`
 * @example
 * const losses = await evaluate(rule, task, params, { steps: 64 })
 * const right = await evaluate(rule, task, params, { steps: 20, measure: (x, ids) =>
 *   accuracy(takeRole(rule, x, 'classes'), tensor(Int32Array.from(ids, id => labels[id])), { mask: seenCells(rule, x), per: 'image' }) })
 */
export async function evaluate<R extends Rule>(
  rule: R, task: Task, params: Params<R>, options: EvaluateOptions,
): Promise<number[]> {
  checkOptions('evaluate', options, evaluateKeys)
  const { measure = task.loss } = options
  const values: number[] = []
  for (const run of batches('evaluate', rule, task, params, options)) {
    const judged = scope(() => {
      const { x, ids, k } = run()
      const value = measure(x, ids, k, undefined, params)
      const fits = value instanceof Tensor && sameShape(value.shape, [ids.length])
      check(fits, 'evaluate', 'what measure returned', value, `a tensor ${showShape([ids.length])}, a number for each example`)
      return { data: value.data() }
    })
    values.push(...await judged.data)
  }
  return values
}

/**
 * The last states of all examples, in one tensor.
 *
 * @returns `[n,h,w,c]`
 * @throws where the task has no such example
 * @example const classes = vote(takeRole(rule, predict(rule, task, params, { steps: 20, examples: [0, 7] }), 'classes'))
 */
export function predict<R extends Rule>(rule: R, task: Task, params: Params<R>, options: PredictOptions): Tensor {
  checkOptions('predict', options, predictKeys)
  return scope(() => concat(batches('predict', rule, task, params, options).map(run => scope(() => run().x)), 0), 'predict()')
}

/** The rollouts of a task, one for each batch, to be run inside a scope. */
export function batches<R extends Rule>(
  where: string, rule: R, task: Task, params: Params<R>, options: PredictOptions,
): (() => { x: Tensor; ids: readonly number[]; k: Key })[] {
  check(isObject(task) && isWhole(task.examples, 1), where, 'task', task, 'a task: examples, seeds and loss')
  const runs = inStages(rule, options.cascade)
  const { steps, key = keyOf(0), batch = 32, examples: ids = Array.from({ length: task.examples }, (_, i) => i) } = options
  checkKey(where, key)
  const fits = Array.isArray(ids) && ids.length > 0 && ids.every(id => isWhole(id) && id < task.examples)
  check(fits, where, 'examples', ids, `a list of whole numbers from 0 to ${task.examples - 1}`)
  return Array.from({ length: Math.ceil(ids.length / batch) }, (_, i) => () => {
    const some = ids.slice(i * batch, (i + 1) * batch)
    const k = foldIn(key, i)
    const seeds = task.seeds(some, foldIn(k, 2 ** 32 - 1)) // the other keys under k are those of steps
    return { x: rollout(runs, params, seeds, k, { steps }), ids: some, k }
  })
}
