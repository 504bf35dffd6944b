/**
 * `cellgrad evaluate`: judges the model of a run, by the loss of its task and by metrics, over its own examples or others; by
 * its recovery from perturbations; or by how sure it is of each example.
 */
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { ArgsDef } from 'citty'
import type { Config } from '../../experiment/config/schema.ts'
import { word } from '../../experiment/flat.ts'
import { isGrowing } from '../../experiment/tasks/values.ts'
import { upscale } from '../../nca/files/image.ts'
import type { Model } from '../../nca/files/model-file.ts'
import { sheetOf } from '../../experiment/tasks/lesson.ts'
import { predict } from '../../nca/tasks/evaluate.ts'
import { writeFilmStrip } from '../../node/animation.ts'
import { writePng } from '../../node/pictures/png.ts'
import { key } from '../../tensor/key.ts'
import { scope } from '../../tensor/lifetime.ts'
import { loadRunConfig } from '../input/config-file.ts'
import { judgeRun, modelOf } from '../run/judge.ts'
import { stepsOf } from '../run/lesson.ts'
import { runFolders } from '../run/read-runs.ts'
import { hasParts } from '../run/repeats.ts'
import { files } from '../run/run-folder.ts'
import { comparedOf, uncertaintyOf } from '../run/uncertain.ts'
import { tableFormats, writeTable } from '../terminal/table.ts'
import { argument, command, flag, type Command } from '../input/command.ts'

const formats = [...tableFormats, 'json'] as const

const args: ArgsDef = {
  run: argument('The folder of a run', { required: true }),
  data: flag('name=value', 'Judges by other data than those of the run, by the names of its section data: images=folder; may be given several times (default: none)'),
  steps: flag('n', 'Steps after which it is judged (default: the mean of those trained)'),
  seeds: flag('n', 'Rollouts in which different cells fire, for the standard deviation (default: 3)'),
  runs: flag('n', 'Reports instead how sure it is of each example, by n runs: NQM, wrong cells, and the AUROC with which uncertainty finds them (default: none)'),
  last: flag('n', 'The same by the last n steps of one run (default: none)'),
  format: flag('name', `${formats.join(', ')} (default: text)`),
  out: flag('file.png', 'Writes what it makes of some examples, or grows (default: none)'),
}

export const evaluate: Command = command('evaluate', 'Judge the model of a run by the metrics of its task, and by how well it recovers', args, async given => {
  const { run: folder = '', out } = given.text
  const format = given.oneOf('format', formats, 'text')
  const file = join(folder, files.config)
  if (!existsSync(file)) return given.refuse(`${folder} holds no run: it has no ${files.config}${await runsIn(folder)}`)
  const set = given.data()
  const config = await loadRunConfig({ file, set, command: given.command })
  const model = await modelOf(folder)
  const steps = given.number('steps', stepsOf(config), { least: 0, most: 1e6 })
  const compared = comparedOf(given, steps)
  const by = given.text.runs === undefined ? '--last' : '--runs'
  if (compared && given.text.seeds !== undefined) return given.refuse(`--seeds does not go with ${by}`)
  const seeds = given.number('seeds', 3, { least: 1, most: 1000 })
  const isOther = Object.hasOwn(set, 'data')
  if (compared) {
    if (out !== undefined) return given.refuse(`--out does not go with ${by}; cellgrad predict writes maps`)
    const table = await uncertaintyOf(folder, config, model, { steps, compared, isOther })
    const named = table.rows.map(row => Object.fromEntries(table.columns.map((name, i) => [name, row[i] ?? null])))
    return format === 'json' ? writeJson(named) : writeTable(table, format)
  }
  const { table, ids, lesson } = await judgeRun(folder, config, model, { steps, seeds, isOther, perturbed: 2 ** 15 })
  if (format === 'json') writeJson(Object.fromEntries(table.rows.map(([name, mean, std]) => [word(name), typeof mean === 'number' ? { mean, std } : { mean: null, std: null, note: mean }])))
  else writeTable(table, format)
  if (out === undefined) return
  if (isGrowing(config)) await drawGrown(out, config, model, steps)
  if (!lesson) return
  const some = ids.slice(0, 8)
  const image = await sheetOf(lesson, scope(() => predict(model.rule, lesson.task, model.params, { steps, cascade: model.cascade, examples: some })), some, model.params)
  await writePng(out, upscale(image, Math.max(1, Math.round(384 / image.height))))
})

function writeJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}

/** The runs below a folder, as the end of a sentence. */
async function runsIn(folder: string): Promise<string> {
  const found = statSync(folder, { throwIfNoEntry: false })?.isDirectory() ? await runFolders(folder) : []
  if (found.length === 0) return ''
  const [some, more] = [found.slice(0, 12).join(', '), found.length - 12]
  const others = more > 0 ? ` and ${more} more` : ''
  const compared = hasParts(folder) && existsSync(join(folder, files.report)) ? ` (${join(folder, files.report)} compares them)` : ''
  return `; there ${found.length === 1 ? 'is a run' : `are ${found.length} runs`} in it, give one: ${some}${others}${compared}`
}

/** Draws what a model grows from its seed, at 0, 1, 2, 4 and 8 times the steps after which it is judged. */
async function drawGrown(path: string, { data: { size, padding } }: Config, { rule, params }: Model, steps: number): Promise<void> {
  const side = size + 2 * padding
  await writeFilmStrip(path, rule, params, { key: key(0), size: side, scale: Math.max(1, Math.round(128 / side)), at: [0, 1, 2, 4, 8].map(n => n * steps) })
}
