/**
 * Runs of all tasks except growing one picture: their data, their progress display and their files.
 */
import { join } from 'node:path'
import type { Backend } from '../../backends/backend.ts'
import { trainingOf } from '../../experiment/config/trainer.ts'
import type { Experiment } from '../../experiment/tasks/experiment.ts'
import { errorBy, metricInWords } from '../../experiment/tasks/errors.ts'
import { autoencoderTrainingOf } from '../../experiment/tasks/latent-data.ts'
import { lessonOf, sheetOf, type Lesson, type TaskData } from '../../experiment/tasks/lesson.ts'
import { splitOf, taskOn } from '../../experiment/tasks/split.ts'
import type { RunConfig } from '../../experiment/tasks/values.ts'
import { upscale, type Image } from '../../nca/files/image.ts'
import type { Codec } from '../../nca/latent/autoencoder.ts'
import { autoencoderTrainer } from '../../nca/latent/autoencoder-trainer.ts'
import { checkParams } from '../../nca/rule/check-params.ts'
import type { DataParams } from '../../nca/rule/types.ts'
import { evaluate, predict } from '../../nca/tasks/evaluate.ts'
import type { Split } from '../../nca/tasks/folds.ts'
import { taskTrainer } from '../../nca/training/trainer.ts'
import { readModel } from '../../node/model.ts'
import { writePng } from '../../node/pictures/png.ts'
import { pathsNamed } from '../../node/data/named.ts'
import { readSplits } from '../../node/data/data-sets.ts'
import { readGroups } from '../../node/data/groups.ts'
import { readAutoencoderImages, readTaskData } from '../../node/data/task-data.ts'
import { scope } from '../../tensor/lifetime.ts'
import { quoted } from '../input/invocation.ts'
import { trainedCodec } from './autoencoder.ts'
import { files, type Run } from './run-folder.ts'
import { isRow } from '../terminal/progress.ts'
import { isLive } from '../terminal/screen.ts'
import { drawLoss, writtenByAll, type Subject } from './subject.ts'

/** An experiment with its data: its lesson, its split into training and held-out examples, and the examples that are shown. */
export type Prepared = {
  readonly lesson: Lesson
  readonly split: Split
  readonly shown: readonly number[]
  /** The parameters of a model from which the run begins. */
  readonly params?: DataParams
  /** The autoencoder in whose latents the rule lives, once it is trained. */
  readonly codec?: Codec
  /** Trains the autoencoder in the folder of the run, or reads it from there; null if that was interrupted. */
  first?(run: Run): Promise<Prepared | null>
}

/** Reads the data of an experiment, and checks that they fit its rule; for a new run also the model from which it begins. */
export async function prepare(experiment: Experiment, backend: Backend, isNew: boolean): Promise<Prepared> {
  const data = await readTaskData(experiment, '.')
  const lesson = lessonOf(experiment, data, { backend })
  const split = await heldOut(experiment, lesson)
  const params = await firstParams(experiment, backend, isNew)
  const prepared = { lesson, split, ...(params && { params }), shown: (split.test.length > 0 ? split.test : split.train).slice(0, experiment.report.examples) }
  return experiment.task === 'latent' ? inLatents(experiment, data as TaskData['latent'], prepared, backend) : prepared
}

/** An experiment in latents, whose autoencoder is trained first. */
async function inLatents(experiment: Experiment<'latent'>, data: TaskData['latent'], prepared: Prepared, backend: Backend): Promise<Prepared> {
  const images = await readAutoencoderImages(experiment, data, prepared.split.train, '.')
  const trainer = autoencoderTrainer({ ...autoencoderTrainingOf(experiment), images, backend })
  return {
    ...prepared,
    async first(run) {
      const codec = await trainedCodec(run, experiment, { trainer, images, backend })
      return codec && { ...prepared, codec, lesson: lessonOf(experiment, { ...data, codec }, { backend }) }
    },
  }
}

/** The parameters of the model from which a new run begins, if it names one. */
export async function firstParams({ rule, train: { from } }: RunConfig, backend: Backend, isNew: boolean): Promise<DataParams | undefined> {
  if (from === null || !isNew) return undefined
  const { params, codec } = await readModel(from, { backend })
  if (codec) throw new Error(`train: ${from} lives in the latents of an autoencoder, and this task does not`)
  checkParams(`train: ${from}`, rule, params)
  return params
}

/** The split into training and held-out examples: of a file of splits, or drawn; examples of a group, by the file of groups, stay together. */
export async function heldOut(experiment: Pick<Experiment, 'validate' | 'seed'>, lesson: Lesson): Promise<Split> {
  const { groups, splits } = experiment.validate ?? {}
  const cut = splits ? await readSplits(splits, [...new Set(lesson.cases)]) : undefined
  return splitOf(experiment, lesson, groups ? await readGroups(groups) : undefined, cut)
}

/** The number of steps after which results are judged: the middle of the trained range. */
export function stepsOf({ train: { steps: [least, end] } }: RunConfig): number {
  return Math.round((least + end - 1) / 2)
}

/** The experiment as a subject of a run. */
export function lessonSubject(run: Run & { readonly config: Experiment }, prepared: Prepared): Subject {
  const { lesson, split, shown, params, codec } = prepared
  const { folder, config } = run
  const { rule, validate, train: { cascade } } = config
  const how = { steps: stepsOf(config), cascade }
  const metric = validate?.metric ?? 'loss'
  const judged = errorBy(lesson, metric)
  const preview = async (params: DataParams): Promise<Image> => {
    const x = scope(() => predict(rule, lesson.task, params, { ...how, examples: shown }))
    return lesson.show(x, shown, params)
  }
  const [, ...axes] = scope(() => lesson.task.seeds([0]).shape.slice(0, -1))
  const size = axes.toReversed().join('×')
  return {
    trainer: taskTrainer({ ...trainingOf(config), ...(params && { params }), rule, task: taskOn(lesson.task, split.train) }),
    ...(codec && { codec }),
    ...(prepared.first && { first: async () => {
      const ready = await prepared.first!(run)
      return ready && lessonSubject(run, ready)
    } }),
    target: run.target,
    cells: axes.reduce((a, b) => a * b, 1),
    title: `Learning ${config.task} from ${split.train.length} ${split.train.length === 1 ? 'example' : 'examples'} of ${size} cells`
      + (validate ? `, judged by ${split.test.length} others` : ''),
    hints: isLive(process.stdout) ? [`${isRow(run.target) ? 'Above: what it should make. Below' : 'Left: what it should make. Right'}: what it makes now.`] : [],
    ...(validate && {
      validation: {
        every: validate.every, ...(validate.patience !== null && { patience: validate.patience }),
        measure: async (params: DataParams) => mean(await evaluate(rule, lesson.task, params, { ...how, examples: split.test, measure: judged })),
      },
    }),
    inWords: error => metricInWords(metric, error),
    preview,
    async draw(params, metrics) {
      const x = scope(() => predict(rule, lesson.task, params, { ...how, examples: shown }))
      await writePng(join(folder, files.made), upscale(await sheetOf(lesson, x, shown, params), Math.max(1, Math.round(128 / axes.at(-2)!))))
      await drawLoss(join(folder, files.chart), metrics, run.name)
    },
    data: pathsOf(config),
    written: [
      ['the trained rule', files.model],
      ...(codec ? [['the autoencoder in whose latents it lives, from which its training can go on', files.autoencoder] as const] : []),
      ...(validate ? [['the best by validation', files.best] as const] : []),
      ['inputs, targets, and what it makes', files.made],
      ['what it should make', files.target],
      ...writtenByAll,
    ],
    provenance: {
      task: config.task, data: JSON.stringify(config.data), ...(axes.length === 2 && axes[0] === axes[1] && { grid: String(axes[0]) }),
      ...(lesson.classes && { classes: classesOf(lesson) }),
    },
    next: ['Judge it', `evaluate ${quoted(folder)}`],
  }
}

/** The names of a lesson's classes, as in a model file; '' if they have none. */
export function classesOf({ classes = [] }: Lesson): string {
  return classes.map(name => name.replaceAll(/\s+/g, '_')).join(' ')
}

/** The files and folders that an experiment names, if they exist; emoji are not files. */
export function pathsOf({ data, train: { from }, validate }: Experiment): string[] {
  return [...textsIn(data), ...textsIn({ from, groups: validate?.groups, splits: validate?.splits })].flatMap(pathsNamed)
}

/** All texts in data, at any depth; the paths that the data name are among them. */
export function textsIn(data: object): string[] {
  return Object.values(data).flatMap((value: unknown) => (
    typeof value === 'string' ? [value] : typeof value === 'object' && value !== null ? textsIn(value) : []))
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length
}
