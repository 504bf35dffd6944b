/**
 * `cellgrad evaluate`: how good a run's model is, by the loss of its task and by metrics, over its examples or others.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ArgsDef, CommandDef } from 'citty'
import { quoted } from '../../backends/options.ts'
import { word } from '../../experiment/flat.ts'
import { toCsv, toMarkdown } from '../../experiment/runs.ts'
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
import { say } from '../terminal/output.ts'
import { files } from '../run/run-folder.ts'
import { alignedLines } from '../terminal/table.ts'
import { numberFlag, setValues, UsageError } from '../input/usage.ts'
import type { Command, Given } from '../input/usage.ts'

const formats = ['text', 'markdown', 'csv', 'json']

const args: ArgsDef = {
  run: { type: 'positional', required: true, description: 'The folder of a run' },
  set: { type: 'string', valueHint: 'path=value', description: 'Other data than the run has: data.images=folder; may be given several times (default: none)' },
  steps: { type: 'string', valueHint: 'n', description: 'Steps after which it is judged (default: the mean of those trained)' },
  seeds: { type: 'string', valueHint: 'n', description: 'Rollouts with other cells firing, for the standard deviation (default: 3)' },
  format: { type: 'string', valueHint: 'name', description: `${formats.join(', ')} (default: text)` },
  out: { type: 'string', valueHint: 'file.png', description: 'Writes what it makes of some examples (default: none)' },
}

const definition: CommandDef = {
  meta: { name: 'evaluate', description: 'Judge the model of a run by the metrics of its task' },
  args,
  async run({ args: parsed, rawArgs }) {
    const given = parsed as unknown as Given
    const { run: folder = '', format = 'text', out } = given
    if (!formats.includes(format)) throw new UsageError(`cellgrad evaluate: --format is ${quoted(format)}, expected ${formats.join(', ')}`)
    const file = join(folder, files.config)
    if (!existsSync(file)) throw new UsageError(`cellgrad evaluate: ${folder} holds no run: it has no ${files.config}`)
    const set = setValues('cellgrad evaluate', rawArgs)
    const config = await loadRunConfig({ file, set, command: 'cellgrad evaluate' })
    const best = join(folder, files.best)
    const model = await readModel(existsSync(best) ? best : join(folder, files.model))
    const steps = numberFlag('cellgrad evaluate', given, 'steps', stepsOf(config), { least: 0, most: 1e6 })
    const seeds = numberFlag('cellgrad evaluate', given, 'seeds', 3, { least: 1, most: 1000 })
    const { table, ids, lesson } = isGrowing(config)
      ? await judgeGrowing(folder, config, model, steps, seeds)
      : await judgeLesson(config, Object.hasOwn(set, 'data'), model, steps, seeds)
    if (format === 'csv') process.stdout.write(toCsv(table))
    else if (format === 'markdown') process.stdout.write(toMarkdown(table))
    else if (format === 'json') process.stdout.write(`${JSON.stringify(Object.fromEntries(table.rows.map(([name, mean, std]) => [word(name), { mean, std }])), null, 2)}\n`)
    else alignedLines(table).forEach(line => say(line))
    if (out === undefined || !lesson) return
    const some = ids.slice(0, 8)
    const image = await lesson.show(scope(() => predict(model.rule, lesson.task, model.params, { steps, examples: some })), some)
    await writePng(out, upscale(image, Math.max(1, Math.round(128 / image.height))))
  },
}

export const evaluate: Command = { definition }

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
