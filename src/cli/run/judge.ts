/**
 * Judges the model of a run: by the loss of its task, by metrics, and by its recovery from perturbations.
 */import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { check } from '../../backends/options.ts'
import type { RunTable } from '../../experiment/runs.ts'
import { meanAndStd } from '../../experiment/sweep/report.ts'
import type { Config } from '../../experiment/config/schema.ts'
import type { Experiment } from '../../experiment/tasks/experiment.ts'
import { errorBy } from '../../experiment/tasks/errors.ts'
import { lessonOf, type Lesson } from '../../experiment/tasks/lesson.ts'
import { perturbationsOf, type Perturbation } from '../../experiment/tasks/perturbations.ts'
import { isGrowing, type RunConfig } from '../../experiment/tasks/values.ts'
import { imageToTensor } from '../../nca/files/image-tensor.ts'
import { padImage } from '../../nca/files/image.ts'
import type { Codec } from '../../nca/latent/autoencoder.ts'
import type { Model } from '../../nca/files/model-file.ts'
import { evaluate } from '../../nca/tasks/evaluate.ts'
import { growingTask } from '../../nca/tasks/growing.ts'
import { recover } from '../../nca/tasks/recover.ts'
import type { Task } from '../../nca/training/trainer-options.ts'
import { readModel } from '../../node/model.ts'
import { readPng } from '../../node/pictures/png.ts'
import { readTaskData } from '../../node/data/task-data.ts'
import { key } from '../../tensor/key.ts'
import { scope } from '../../tensor/lifetime.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { classesOf, heldOut, stepsOf } from './lesson.ts'
import { files } from './run-folder.ts'

/** The metrics of a model, and, if its task has examples, those by which it was judged. */
export type Judged = { readonly table: RunTable; readonly ids: readonly number[]; readonly lesson?: Lesson }

/** How a model is judged. */
export type Judging = {
  readonly steps: number
  readonly seeds: number
  /** Whether the data are others than those of the run. */
  readonly isOther?: boolean
  /** The number of examples, from the first, by which it is judged; default all. */
  readonly most?: number
  /**
   * Recovery, which takes hundreds of steps, is judged by fewer examples, evenly spaced: as many as have this number of cells
   * together; default 2¹³, as for reports.
   */
  readonly perturbed?: number
  /** The names of the metrics that are wanted; null, the default: all. */
  readonly metrics?: readonly string[] | null
}

/** Judges the model of a run. */
export function judgeRun(folder: string, config: RunConfig, model: Model, judging: Judging): Promise<Judged> {
  return isGrowing(config) ? judgeGrowing(folder, config, model, judging) : judgeLesson(config, model, judging)
}

/** The names of the metrics by which a run is judged. */
export function metricsOf(config: RunConfig, lesson?: Lesson): string[] {
  const recoveries = perturbationsOf(config, lesson?.task.examples ?? 1).map(({ by }) => recoveryFrom(by))
  return [...(lesson ? ['loss', ...Object.keys(lesson.measures)] : ['loss', afterEight(stepsOf(config))]), ...recoveries]
}

const recoveryFrom = (by: Perturbation['by']): string => `recovery from ${by} %`
const afterEight = (steps: number): string => `loss after ${8 * steps} steps`

/** Whether a metric is wanted. */
function isWanted({ metrics = null }: Judging, name: string): boolean {
  return metrics === null || metrics.includes(name)
}

/** The best model of a run, or the last one if there was no validation. */
export async function modelOf(folder: string): Promise<Model> {
  const best = join(folder, files.best)
  return readModel(existsSync(best) ? best : join(folder, files.model))
}

const columns = ['metric', 'mean', 'std', 'examples']

type Cell = string | number | undefined

/** A row: the mean over examples and seeds, and the standard deviation of the means of seeds. */
function row(name: string, bySeed: readonly (readonly number[])[]): Cell[] {
  const { mean, std } = meanAndStd(bySeed.map(values => values.reduce((a, b) => a + b, 0) / values.length))
  return [name, Number(mean.toPrecision(4)), Number(std.toPrecision(2)), bySeed[0].length]
}

/**
 * The examples by which a run is judged: those that were held out; all, if none were, or if the data are others. With a
 * codec, the task is in its latents.
 */
export async function judgedBy(experiment: Experiment, isOther: boolean, codec?: Codec): Promise<{ lesson: Lesson; ids: readonly number[] }> {
  const data = await readTaskData(experiment, '.')
  const lesson = lessonOf(experiment, codec ? { ...data, codec } : data)
  const split = await heldOut(isOther ? { ...experiment, validate: null } : experiment, lesson)
  return { lesson, ids: split.test.length > 0 ? split.test : split.train }
}

/** The picture that a run of growing learns, with its padding. */
export async function targetOf(folder: string, { data: { padding } }: Config): Promise<Tensor> {
  return imageToTensor(padImage(await readPng(join(folder, files.target)), padding))
}

async function judgeLesson(experiment: Experiment, model: Model, judging: Judging): Promise<Judged> {
  const { rule, params, cascade } = model
  const { steps, seeds, isOther = false, most } = judging
  const { lesson, ids: all } = await judgedBy(experiment, isOther, model.codec)
  const [own = '', theirs] = [model.provenance.classes, classesOf(lesson)]
  if (own !== '' && theirs !== '') check(own === theirs, 'evaluate', 'the list of classes', theirs, `${own}, those of the model`)
  const ids = all.slice(0, most)
  const measures = { loss: lesson.task.loss, ...lesson.measures }
  const rows = []
  for (const [name, measure] of Object.entries(measures).filter(([name]) => isWanted(judging, name))) {
    const values: number[][] = []
    for (let seed = 0; seed < seeds; seed++) values.push(await evaluate(rule, lesson.task, params, { steps, cascade, examples: ids, key: key(seed), measure }))
    rows.push(row(name, values))
  }
  const [metric = 'loss'] = Object.keys(lesson.measures)
  const recoveries = await recoveryRows(experiment, model, lesson.task, ids, judging, errorBy(lesson, metric))
  return { table: { columns, rows: [...rows, ...recoveries] }, ids, lesson }
}

/** Judges growing by the loss at the end of a rollout and after eight rollouts, and by the recovery from damage. */
async function judgeGrowing(folder: string, config: Config, model: Model, judging: Judging): Promise<Judged> {
  const { rule, params } = model
  const { steps, seeds } = judging
  const task = growingTask(rule, await targetOf(folder, config))
  const keys = Array.from({ length: seeds }, (_, i) => key(i))
  const after = async (n: number): Promise<number[][]> => Promise.all(keys.map(k => evaluate(rule, task, params, { steps: n, key: k })))
  const rows: Cell[][] = []
  for (const [name, n] of [['loss', steps], [afterEight(steps), 8 * steps]] as const) if (isWanted(judging, name)) rows.push(row(name, await after(n)))
  return { table: { columns, rows: [...rows, ...await recoveryRows(config, model, task, [0], judging)] }, ids: [] }
}

/** If there are fewer examples, each is perturbed more than once, in different places: one sample says little. */
const fewSamples = 8

/** A row for each perturbation of a run's automata: the recovery, or words if it cannot be measured. */
async function recoveryRows(
  config: RunConfig, { rule, params, cascade }: Model, task: Task, ids: readonly number[], judging: Judging, measure: Task['loss'] = task.loss,
): Promise<Cell[][]> {
  const { seeds, perturbed = 2 ** 13 } = judging
  const cells = scope(() => task.seeds([ids[0]]).shape.slice(0, -1)).reduce((a, b) => a * b, 1)
  const n = Math.min(ids.length, Math.max(2, Math.floor(perturbed / cells)))
  const each = Math.max(1, Math.min(Math.ceil(fewSamples / n), Math.floor(perturbed / cells / n)))
  const examples = Array.from({ length: n * each }, (_, i) => ids[Math.floor((Math.floor(i / each) * ids.length) / n)])
  const rows: Cell[][] = []
  for (const perturbation of perturbationsOf(config, task.examples)) {
    const name = recoveryFrom(perturbation.by)
    if (!isWanted(judging, name)) continue
    const percents: number[] = []
    if (perturbation.by === 'damage' || n > 1) {
      for (let seed = 0; seed < seeds; seed++) {
        const { percent } = await recover(rule, task, params, { ...perturbation, cascade, examples, key: key(seed), measure })
        if (percent !== null) percents.push(percent)
      }
    }
    const why = n === 1 && perturbation.by === 'mutation' ? 'no other example' : percents.length === 0 ? 'nothing was damaged' : percents.every(Number.isFinite) ? null : 'not finite'
    const [, ...numbers] = why === null ? row(name, percents.map(percent => [percent])) : [name, why, undefined]
    rows.push([name, numbers[0], numbers[1], n])
  }
  return rows
}
