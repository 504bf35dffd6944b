/**
 * How good the model of a run is: by the loss of its task, and by metrics.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { word } from '../../experiment/flat.ts'
import type { RunTable } from '../../experiment/runs.ts'
import { meanAndStd } from '../../experiment/sweep/report.ts'
import type { Config } from '../../experiment/config/schema.ts'
import type { Experiment } from '../../experiment/tasks/experiment.ts'
import { lessonOf, type Lesson } from '../../experiment/tasks/lesson.ts'
import { isGrowing, type RunConfig } from '../../experiment/tasks/values.ts'
import { imageToTensor } from '../../nca/files/image-tensor.ts'
import { padImage } from '../../nca/files/image.ts'
import type { Model } from '../../nca/files/model-file.ts'
import { recovery, recoveryProtocol } from '../../nca/losses/recovery.ts'
import { mse } from '../../nca/losses/loss.ts'
import { rgba } from '../../nca/state.ts'
import { rollout } from '../../nca/step.ts'
import { damageMask, erase } from '../../nca/training/damage.ts'
import { evaluate } from '../../nca/tasks/evaluate.ts'
import { growingTask } from '../../nca/tasks/growing.ts'
import { readModel } from '../../node/model.ts'
import { readPng } from '../../node/pictures/png.ts'
import { readTaskData } from '../../node/data/task-data.ts'
import { foldIn, key } from '../../tensor/key.ts'
import { scope } from '../../tensor/lifetime.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { heldOut, stepsOf } from './lesson.ts'
import { files } from './run-folder.ts'

/** The metrics of a model, and, where its task has examples, by which it was judged. */
export type Judged = { readonly table: RunTable; readonly ids: readonly number[]; readonly lesson?: Lesson }

/** How a model is judged. */
export type Judging = {
  readonly steps: number
  readonly seeds: number
  /** Whether the data are others than those of the run. */
  readonly isOther?: boolean
  /** Judges by the first so many examples; default by all. */
  readonly most?: number
}

/** Judges the model of a run. */
export function judgeRun(folder: string, config: RunConfig, model: Model, judging: Judging): Promise<Judged> {
  return isGrowing(config) ? judgeGrowing(folder, config, model, judging) : judgeLesson(config, model, judging)
}

/** The names of the metrics by which a run is judged. */
export function metricsOf(config: RunConfig, lesson?: Lesson): string[] {
  return lesson ? ['loss', ...Object.keys(lesson.measures)] : ['loss', afterEight(stepsOf(config)), 'recovery %']
}

const afterEight = (steps: number): string => `loss after ${8 * steps} steps`

/** The rows of the metrics that a configuration asks for; all where it names none. */
export function chosen(table: RunTable, metrics: readonly string[] | null): RunTable {
  return metrics === null ? table : { ...table, rows: table.rows.filter(([name]) => metrics.includes(word(name))) }
}

/** The best model of a run, or the last, where it was not validated. */
export async function modelOf(folder: string): Promise<Model> {
  const best = join(folder, files.best)
  return readModel(existsSync(best) ? best : join(folder, files.model))
}

const columns = ['metric', 'mean', 'std', 'examples']

/** A row: the mean over examples and seeds, and the standard deviation of the means of seeds. */
function row(name: string, bySeed: readonly (readonly number[])[]): (string | number)[] {
  const { mean, std } = meanAndStd(bySeed.map(values => values.reduce((a, b) => a + b, 0) / values.length))
  return [name, Number(mean.toPrecision(4)), Number(std.toPrecision(2)), bySeed[0].length]
}

/** The examples by which a run is judged: those that were held out, all where there are none, and all of other data. */
export async function judgedBy(experiment: Experiment, isOther: boolean): Promise<{ lesson: Lesson; ids: readonly number[] }> {
  const lesson = lessonOf(experiment, await readTaskData(experiment, '.'))
  const split = await heldOut(isOther ? { ...experiment, validate: null } : experiment, lesson)
  return { lesson, ids: split.test.length > 0 ? split.test : split.train }
}

/** The picture that a run of growing learns, with its padding. */
export async function targetOf(folder: string, { data: { padding } }: Config): Promise<Tensor> {
  return imageToTensor(padImage(await readPng(join(folder, files.target)), padding))
}

async function judgeLesson(experiment: Experiment, { rule, params }: Model, { steps, seeds, isOther = false, most }: Judging): Promise<Judged> {
  const { lesson, ids: all } = await judgedBy(experiment, isOther)
  const ids = all.slice(0, most)
  const measures = { loss: lesson.task.loss, ...lesson.measures }
  const rows = []
  for (const [name, measure] of Object.entries(measures)) {
    const values: number[][] = []
    for (let seed = 0; seed < seeds; seed++) values.push(await evaluate(rule, lesson.task, params, { steps, examples: ids, key: key(seed), measure }))
    rows.push(row(name, values))
  }
  return { table: { columns, rows }, ids, lesson }
}

/** By the loss, at the end of a rollout and after eight of them; and by how much of damage is repaired. */
async function judgeGrowing(folder: string, config: Config, { rule, params }: Model, { steps, seeds }: Judging): Promise<Judged> {
  const target = await targetOf(folder, config)
  const task = growingTask(rule, target)
  const keys = Array.from({ length: seeds }, (_, i) => key(i))
  const after = async (n: number): Promise<number[][]> => Promise.all(keys.map(k => evaluate(rule, task, params, { steps: n, key: k })))
  const rows = [row('loss', await after(steps)), row(afterEight(steps), await after(8 * steps))]
  const repaired = await Promise.all(keys.map(k => scope(() => {
    const { perturb, judge } = recoveryProtocol
    const before = rollout(rule, params, task.seeds([0]), k, { steps: perturb })
    const [, height, width] = before.shape
    const damaged = erase(before, damageMask(foldIn(k, perturb), config.train.damage, 1, height, width, before.backend))
    const final = rollout(rule, params, damaged, k, { steps: judge - perturb, from: perturb })
    const [a, b, c] = [before, damaged, final].map(x => mse(rgba(x), target))
    return { data: recovery(a, b, c).data() }
  }).data))
  return { table: { columns, rows: [...rows, row('recovery %', repaired.map(values => Array.from(values)))] }, ids: [] }
}
