/**
 * `cellgrad evaluate`: how good a run's model is, by the loss of its task and by metrics, over its examples or others.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ArgsDef } from 'citty'
import { word } from '../../experiment/flat.ts'
import type { RunTable } from '../../experiment/runs.ts'
import { meanAndStd } from '../../experiment/sweep/report.ts'
import type { Config } from '../../experiment/config/schema.ts'
import type { Experiment } from '../../experiment/tasks/experiment.ts'
import { lessonOf, splitOf } from '../../experiment/tasks/lesson.ts'
import type { Lesson } from '../../experiment/tasks/lesson.ts'
import { isGrowing } from '../../experiment/tasks/values.ts'
import { imageToTensor } from '../../nca/files/image-tensor.ts'
import { padImage, upscale } from '../../nca/files/image.ts'
import { recovery, recoveryProtocol } from '../../nca/losses/recovery.ts'
import { mse } from '../../nca/losses/loss.ts'
import { rgba } from '../../nca/state.ts'
import { rollout } from '../../nca/step.ts'
import { damageMask, erase } from '../../nca/training/damage.ts'
import { evaluate as judge, predict } from '../../nca/tasks/evaluate.ts'
import { growingTask } from '../../nca/tasks/growing.ts'
import type { Model } from '../../nca/files/model-file.ts'
import { readModel } from '../../node/model.ts'
import { readPng, writePng } from '../../node/pictures/png.ts'
import { readTaskData } from '../../node/data/task-data.ts'
import { foldIn, key } from '../../tensor/key.ts'
import { scope } from '../../tensor/lifetime.ts'
import { loadRunConfig } from '../input/config-file.ts'
import { stepsOf } from '../run/lesson.ts'
import { files } from '../run/run-folder.ts'
import { tableFormats, writeTable } from '../terminal/table.ts'
import { argument, command, flag } from '../input/command.ts'
import type { Command } from '../input/command.ts'

const formats = [...tableFormats, 'json'] as const

const args: ArgsDef = {
  run: argument('The folder of a run', { required: true }),
  set: flag('path=value', 'Other data than the run has: data.images=folder; may be given several times (default: none)'),
  steps: flag('n', 'Steps after which it is judged (default: the mean of those trained)'),
  seeds: flag('n', 'Rollouts with other cells firing, for the standard deviation (default: 3)'),
  format: flag('name', `${formats.join(', ')} (default: text)`),
  out: flag('file.png', 'Writes what it makes of some examples (default: none)'),
}

export const evaluate: Command = command('evaluate', 'Judge the model of a run by the metrics of its task', args, async given => {
  const { run: folder = '', out } = given.text
  const format = given.oneOf('format', formats, 'text')
  const file = join(folder, files.config)
  if (!existsSync(file)) return given.refuse(`${folder} holds no run: it has no ${files.config}`)
  const set = given.set()
  const config = await loadRunConfig({ file, set, command: given.command })
  const best = join(folder, files.best)
  const model = await readModel(existsSync(best) ? best : join(folder, files.model))
  const steps = given.number('steps', stepsOf(config), { least: 0, most: 1e6 })
  const seeds = given.number('seeds', 3, { least: 1, most: 1000 })
  const { table, ids, lesson } = isGrowing(config)
    ? await judgeGrowing(folder, config, model, steps, seeds)
    : await judgeLesson(config, Object.hasOwn(set, 'data'), model, steps, seeds)
  if (format === 'json') process.stdout.write(`${JSON.stringify(Object.fromEntries(table.rows.map(([name, mean, std]) => [word(name), { mean, std }])), null, 2)}\n`)
  else writeTable(table, format)
  if (out === undefined || !lesson) return
  const some = ids.slice(0, 8)
  const image = await lesson.show(scope(() => predict(model.rule, lesson.task, model.params, { steps, examples: some })), some)
  await writePng(out, upscale(image, Math.max(1, Math.round(128 / image.height))))
})

type Judged = { readonly table: RunTable; readonly ids: readonly number[]; readonly lesson?: Lesson }

const columns = ['metric', 'mean', 'std', 'examples']

/** A row: the mean over examples and seeds, and the standard deviation of the means of seeds. */
function row(name: string, bySeed: readonly (readonly number[])[]): (string | number)[] {
  const { mean, std } = meanAndStd(bySeed.map(values => values.reduce((a, b) => a + b, 0) / values.length))
  return [name, Number(mean.toPrecision(4)), Number(std.toPrecision(2)), bySeed[0].length]
}

/** By the examples that were held out, by all where there are none, and by all of other data. */
async function judgeLesson(experiment: Experiment, isOther: boolean, { rule, params }: Model, steps: number, seeds: number): Promise<Judged> {
  const lesson = lessonOf(experiment, await readTaskData(experiment, '.'))
  const split = splitOf(isOther ? { ...experiment, validate: null } : experiment, lesson)
  const ids = split.test.length > 0 ? split.test : split.train
  const measures = { loss: lesson.task.loss, ...lesson.measures }
  const rows = []
  for (const [name, measure] of Object.entries(measures)) {
    const values: number[][] = []
    for (let seed = 0; seed < seeds; seed++) values.push(await judge(rule, lesson.task, params, { steps, examples: ids, key: key(seed), measure }))
    rows.push(row(name, values))
  }
  return { table: { columns, rows }, ids, lesson }
}

/** By the loss, at the end of a rollout and after eight of them; and by how much of damage is repaired. */
async function judgeGrowing(folder: string, { data: { padding }, train: { damage } }: Config, { rule, params }: Model, steps: number, seeds: number): Promise<Judged> {
  const target = imageToTensor(padImage(await readPng(join(folder, files.target)), padding))
  const task = growingTask(rule, target)
  const keys = Array.from({ length: seeds }, (_, i) => key(i))
  const after = async (n: number): Promise<number[][]> => Promise.all(keys.map(k => judge(rule, task, params, { steps: n, key: k })))
  const rows = [row('loss', await after(steps)), row(`loss after ${8 * steps} steps`, await after(8 * steps))]
  const repaired = await Promise.all(keys.map(k => scope(() => {
    const { perturb, judge } = recoveryProtocol
    const before = rollout(rule, params, task.seeds([0]), k, { steps: perturb })
    const [, height, width] = before.shape
    const damaged = erase(before, damageMask(foldIn(k, perturb), damage, 1, height, width, before.backend))
    const final = rollout(rule, params, damaged, k, { steps: judge - perturb, from: perturb })
    const [a, b, c] = [before, damaged, final].map(x => mse(rgba(x), target))
    return { data: recovery(a, b, c).data() }
  }).data))
  return { table: { columns, rows: [...rows, row('recovery %', repaired.map(values => Array.from(values)))] }, ids: [] }
}
