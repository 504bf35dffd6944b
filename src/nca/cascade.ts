/**
 * A cascade: one rule on a coarse grid first and on finer ones after, so that information from far away arrives in few steps
 * (Kalkhof, González & Mukhopadhyay, "Med-NCA", IPMI 2023, whose scales have rules of their own; with one rule for all, NCALab).
 *
 *   at scale k   c = mean of each k×k block of the state          c ← step(c)          state ← each cell of c, k×k times
 *
 * Frozen channels keep their full resolution: a coarse cell gets their mean. The mean of a repeated cell is the cell itself, so
 * the steps at one scale are a rollout on the coarse grid, and run as one; each costs 1/k² of a step on the fine one.
 */
import { list, judged, orNull, record, checkData, type Field } from '../backends/fields.ts'
import { check, isObject, wholeFrom } from '../backends/options.ts'
import { scope } from '../tensor/lifetime.ts'
import { any } from '../tensor/ops/any-all.ts'
import { add, sub } from '../tensor/ops/arithmetic.ts'
import { greater, where } from '../tensor/ops/compare.ts'
import { mean } from '../tensor/ops/reduce.ts'
import { reshape } from '../tensor/ops/reshape.ts'
import type { Key } from '../tensor/key.ts'
import { valuesOf, type Tensor } from '../tensor/tensor.ts'
import { customRule, dataRuleOf } from './rule/define.ts'
import { init } from './rule/parameters.ts'
import type { CustomRule, DataParams, DataRule, Rule, WholeOptions } from './rule/types.ts'
import { takeChannels } from './state.ts'
import { frozenChannels, rollout, step } from './step.ts'

/** A scale of a cascade, like `{ scale: 4, steps: 8 }`. */
export type Stage = {
  /** Fine cells along each side of a coarse cell, a whole number > 1, less than in the stage before. */
  readonly scale: number
  /** Steps at this scale, a whole number > 0. */
  readonly steps: number
}

const stageField = record<Stage>({
  fields: {
    scale: { ...wholeFrom(2, 4096), about: 'Side of a coarse cell in cells of the grid, less than in the stage before' },
    steps: { ...wholeFrom(1), about: 'Steps at this scale' },
  },
})

const stagesField: Field<readonly Stage[]> = judged(list<Stage>(stageField, 'stages', 1), (stages, expect) => (
  stages.forEach(({ scale }, i) => expect(
    i === 0 || scale < stages[i - 1].scale, [i, 'scale'], scale, `less than in the stage before, ${stages[i - 1]?.scale}`,
  ))))

/** Stages as a training and a model file give them, null for none. */
export const cascadeField: Field<readonly Stage[] | null> = {
  ...orNull<readonly Stage[]>(stagesField), default: null,
  about: 'Stages on coarse grids before all other steps, the coarsest first; null: none',
}

/**
 * A rule whose first steps are on coarse grids, stage after stage, and all others on the grid itself. It has the parameters of
 * the given rule, is trained and run like any other, and its stages run fused if the given rule does; only rollouts with `inputs` or
 * `masks` run composed. A model file (`encodeModel`) holds the given rule and beside it the stages, from which its reader makes the
 * cascade again.
 *
 * @param stages from the coarsest on; the sides of the grid must be multiples of the scales
 * @throws where the rule is code, except that of `guided`, or the scales do not decrease; a step throws where a side is no multiple of the scale, where
 *   a mask is given on a coarse grid, or (not on a GPU) where nothing lives in the mean of the blocks of a first state with living cells (in a rollout)
 * @example taskTrainer({ rule, task, cascade: [{ scale: 4, steps: 8 }], ...rest })     // trains it, and `predict` takes it too
 * @example
 * const coarse = cascade(rule, [{ scale: 4, steps: 8 }, { scale: 2, steps: 8 }])
 * const task = imageToImageTask(rule, { inputs, outputs })                  // the task is given the rule itself
 * taskTrainer({ rule: coarse, task, steps: [24, 32], ...rest })             // 8 to 15 of the steps on the grid itself
 * rollout(coarse, params, task.seeds([0]), key(0), { steps: 28 })
 */
export function cascade(rule: DataRule | CustomRule<DataParams>, stages: readonly Stage[]): CustomRule<DataParams> {
  const told = isObject(rule) && !('whole' in rule) ? dataRuleOf(rule) : undefined
  check(told !== undefined, 'cascade', 'the rule', rule, 'one of defineRule, or of guided')
  const whole = checkData('cascade', record<{ stages: readonly Stage[] }>({ fields: { stages: stagesField } }), { stages }).stages
  const { grid, channels } = rule
  const ends = whole.map((_, i) => whole.slice(0, i + 1).reduce((sum, { steps }) => sum + steps, 0))
  const stageOf = (t: number): number => ends.findIndex(end => t < end)
  /** Runs the state x on the grid of stage i, or for −1 on the fine grid; the states that `run` returns are put on the fine grid. */
  function on(i: number, x: Tensor, run: (x: Tensor) => Tensor[]): Tensor[] {
    if (i < 0) return run(x)
    const { scale } = whole[i], [b, ...cells] = x.shape.slice(0, -1), c = x.shape.at(-1)!
    const fits = cells.every(n => n % scale === 0)
    check(fits, 'cascade', 'the size of the grid', cells.join('×'), `sides that are multiples of ${scale}, the scale of a stage`)
    const inBlocks = (t: Tensor, side: number): Tensor => reshape(t, [b, ...cells.flatMap(n => [n / scale, side]), c])
    const blocks = inBlocks(x, scale), sides = cells.map((_, axis) => 2 + 2 * axis)
    // The mean distance of the cells from their rounded mean corrects it, so that the mean of equal cells has exactly their bits.
    const near = mean(blocks, sides, { keepDims: true }), rest = mean(sub(blocks, near), sides)
    return run(add(reshape(near, rest.shape), rest)).map(coarse => reshape(where(frozenChannels(told!, x), blocks, inBlocks(coarse, 1)), x.shape))
  }
  /** Throws where something lives in a first state x, and nothing on its coarsest grid: one cell is little in the mean of a block. */
  function checkLife(x: Tensor): void {
    const { living } = told!, [{ scale }] = whole
    if (living === null || !x.backend.readSync) return
    const { channel, above } = living
    const lives = (state: Tensor): boolean => valuesOf(any(greater(takeChannels(state, channel, channel + 1), above)))[0] > 0
    const isLost = scope(() => lives(x) && !lives(on(0, x, coarse => [coarse])[0]))
    check(!isLost, 'cascade', 'scale', scale, 'one where cells live')
  }
  const code = customRule<DataParams>({
    grid, channels,
    init: (k, placement) => init(rule, k, placement),
    step: (params, x, context) => {
      const i = stageOf(context.t)
      check(i < 0 || context.mask === undefined, 'cascade', 'mask', context.mask, 'none on a coarse grid')
      return on(i, x, x => [step(rule, params, x, context)])[0]
    },
  })
  /** One rollout for each stage, then one on the fine grid. */
  function states(params: DataParams, x: Tensor, k: Key, { steps, readouts, from, ...how }: WholeOptions): Tensor[] {
    const i = stageOf(from), end = Math.min(steps, (ends[i] ?? Infinity) - from)
    if (from === 0) checkLife(x)
    const seen = on(i, x, x => rollout(rule, params, x, k, { ...how, steps: end, readouts: [...readouts.filter(n => n <= end), end], from }))
    const next = seen.pop()!, later = readouts.filter(n => n > end).map(n => n - end)
    return end === steps ? seen : [...seen, ...states(params, next, k, { ...how, steps: steps - end, readouts: later, from: from + end })]
  }
  return Object.freeze({ ...code, of: rule, whole: states })
}

/** The rule that runs: the given one or, where there are stages, its cascade, which has the same parameters. */
export function inStages<R extends Rule>(rule: R, stages: readonly Stage[] | null = null): R {
  return stages === null ? rule : cascade(rule as DataRule, stages) as Rule as R
}
