/**
 * `cellgrad evaluate`: how good a run's model is, by the loss of its task and by metrics, over its examples or others.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ArgsDef } from 'citty'
import { word } from '../../experiment/flat.ts'
import { upscale } from '../../nca/files/image.ts'
import { sheetOf } from '../../experiment/tasks/lesson.ts'
import { predict } from '../../nca/tasks/evaluate.ts'
import { writePng } from '../../node/pictures/png.ts'
import { scope } from '../../tensor/lifetime.ts'
import { loadRunConfig } from '../input/config-file.ts'
import { judgeRun, modelOf } from '../run/judge.ts'
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
  const model = await modelOf(folder)
  const steps = given.number('steps', stepsOf(config), { least: 0, most: 1e6 })
  const seeds = given.number('seeds', 3, { least: 1, most: 1000 })
  const { table, ids, lesson } = await judgeRun(folder, config, model, { steps, seeds, isOther: Object.hasOwn(set, 'data') })
  if (format === 'json') process.stdout.write(`${JSON.stringify(Object.fromEntries(table.rows.map(([name, mean, std]) => [word(name), { mean, std }])), null, 2)}\n`)
  else writeTable(table, format)
  if (out === undefined || !lesson) return
  const some = ids.slice(0, 8)
  const image = await sheetOf(lesson, scope(() => predict(model.rule, lesson.task, model.params, { steps, examples: some })), some)
  await writePng(out, upscale(image, Math.max(1, Math.round(384 / image.height))))
})
