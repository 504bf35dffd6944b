/**
 * How sure the model of a run is of each example, from several runs in which different cells fire, or from the last steps of
 * one run. If the truth is known, also how well this uncertainty finds wrong cells: the area under the ROC curve, with the
 * deviations of cells as scores of errors, is 1 if every wrong cell is less sure than every right one, and ½ if uncertainty says
 * nothing about errors.
 */
import type { RunTable } from '../../experiment/runs.ts'
import type { Lesson } from '../../experiment/tasks/lesson.ts'
import { mapOf, wrongValues } from '../../experiment/tasks/told.ts'
import { isGrowing, type RunConfig } from '../../experiment/tasks/values.ts'
import type { Model } from '../../nca/files/model-file.ts'
import { auroc } from '../../nca/losses/metrics.ts'
import { rgba } from '../../nca/state.ts'
import { growingTask } from '../../nca/tasks/growing.ts'
import { uncertainty } from '../../nca/tasks/uncertainty.ts'
import { foldIn, key } from '../../tensor/key.ts'
import { scope } from '../../tensor/lifetime.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import { tensor } from '../../tensor/tensor.ts'
import type { Given } from '../input/command.ts'
import { judgedBy, targetOf } from './judge.ts'

type Subject = { readonly lesson: Pick<Lesson, 'task' | 'told' | 'wrong'>; readonly ids: readonly number[] }

/** The cells that count: for each, the deviation between runs, and whether their mean is wrong (1) or right (0). */
type Cells = { readonly deviations: number[]; readonly errors: number[] }

/** The states that are compared: of several runs, or after the last steps of one run. */
export type Compared = { readonly runs: number } | { readonly last: number }

/** The comparison that --runs or --last ask for, in runs of so many steps; null: none. */
export function comparedOf(given: Given, steps: number): Compared | null {
  const { runs, last } = given.text
  if (runs !== undefined && last !== undefined) return given.refuse('--last does not go with --runs')
  if (runs !== undefined) return { runs: given.number('runs', 0, { least: 2, most: 1000 }) }
  return last === undefined ? null : { last: given.number('last', 0, { least: 2, most: steps }) }
}

/** The most examples that are in memory together. */
const together = 32

/** A row for each example, and one for all: NQM, the share of wrong cells, and how well deviations find these. */
export async function uncertaintyOf(
  folder: string, config: RunConfig, { rule, params, cascade, codec }: Model, { steps, compared, isOther }: { readonly steps: number; readonly compared: Compared; readonly isOther: boolean },
): Promise<RunTable> {
  const { lesson, ids }: Subject = isGrowing(config) ? await growing(folder, config, rule) : await judgedBy(config, isOther, codec)
  const nqms: number[] = []
  const cells: Cells[] = []
  for (let i = 0; i < ids.length; i += together) {
    const some = ids.slice(i, i + together)
    const made = scope(() => {
      const { mean, std, nqm } = uncertainty(rule, lesson.task, params, { steps, cascade, ...compared, examples: some, key: foldIn(key(0), i), of: x => lesson.told(x, params) })
      return { nqm, map: reshape(mapOf(std), [-1]), wrong: lesson.wrong && reshape(lesson.wrong(mean, some), [-1]) }
    })
    nqms.push(...await made.nqm.data())
    const [map, wrong] = [await made.map.data(), await made.wrong?.data()]
    const each = map.length / some.length
    some.forEach((_, j) => cells.push(asked(map, wrong, j * each, (j + 1) * each)))
  }
  const rows = await Promise.all(ids.map(async (id, i) => [id, short(nqms[i]), ...await judged(cells[i])]))
  const whole = { deviations: cells.flatMap(one => one.deviations), errors: cells.flatMap(one => one.errors) }
  const mean = nqms.reduce((a, b) => a + b, 0) / nqms.length
  return { columns: ['example', 'nqm', 'wrong', 'auroc'], rows: [...rows, ['all', short(mean), ...await judged(whole)]] }
}

async function growing(folder: string, config: Parameters<typeof targetOf>[1], rule: Model['rule']): Promise<Subject> {
  const target = await targetOf(folder, config)
  return { lesson: { task: growingTask(rule, target), told: rgba, wrong: told => wrongValues(told, target) }, ids: [0] }
}

function asked(map: ArrayLike<number>, wrong: ArrayLike<number> | undefined, from: number, to: number): Cells {
  const cells: Cells = { deviations: [], errors: [] }
  if (!wrong) return cells
  for (let i = from; i < to; i++) {
    if (wrong[i] < 0) continue
    cells.deviations.push(map[i])
    cells.errors.push(wrong[i])
  }
  return cells
}

/** The share of wrong cells, and the area. Without a known truth there is neither; if all cells are right, or wrong, no area. */
async function judged({ deviations, errors }: Cells): Promise<(number | undefined)[]> {
  if (errors.length === 0) return [undefined, undefined]
  const [area] = await scope(() => auroc(tensor(Float32Array.from(deviations)), tensor(Uint32Array.from(errors)))).data()
  return [short(errors.reduce((a, b) => a + b, 0) / errors.length), Number.isNaN(area) ? undefined : short(area)]
}

function short(x: number): number {
  return Number(x.toPrecision(4))
}
