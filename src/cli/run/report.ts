/**
 * report.md in a run's folder: the metrics of its model, and its pictures.
 */import { existsSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { toMarkdown } from '../../experiment/runs.ts'
import { checkKind, oneOfNames } from '../../backends/options.ts'
import { upscale, type Image } from '../../nca/files/image.ts'
import { writeFileAtomic } from '../../node/atomic-file.ts'
import type { Lesson } from '../../experiment/tasks/lesson.ts'
import type { RunConfig } from '../../experiment/tasks/values.ts'
import { writePng } from '../../node/pictures/png.ts'
import { judgeRun, metricsOf, modelOf } from './judge.ts'
import { stepsOf } from './lesson.ts'
import { files, type Run } from './run-folder.ts'

/** The seeds of a report, for the standard deviation, and its most examples; `cellgrad evaluate` takes all examples. */
const seeds = 3, most = 256

/** Throws if the configuration asks for a metric that this run does not have. */
export function checkReport(config: RunConfig, lesson?: Lesson): void {
  const known = metricsOf(config, lesson)
  const none = config.report.metrics?.find(name => !known.includes(name))
  if (none !== undefined) checkKind('report', 'metrics', none, oneOfNames(known))
}

/** Judges a run's model, and writes the report. */
export async function writeReport({ folder, config, name }: Pick<Run, 'folder' | 'config' | 'name'>): Promise<void> {
  const model = await modelOf(folder)
  const { table } = await judgeRun(folder, config, model, { steps: stepsOf(config), seeds, most, metrics: config.report.metrics })
  const { iterations, validation } = model.provenance
  const kept = await readdir(join(folder, files.pictures)).catch(() => [])
  const pictures = [...[files.made, files.growth, files.animation, files.regeneration, files.chart].filter(file => existsSync(join(folder, file))), ...kept.sort().map(file => `${files.pictures}/${file}`)]
  await writeFileAtomic(join(folder, files.report), [
    `# ${name}`, '',
    `The model after ${iterations} iterations${validation === undefined ? '' : `, the best by validation, ${Number(Number(validation).toPrecision(4))}`}; mean and standard deviation over ${seeds} seeds.`, '',
    toMarkdown(table),
    ...pictures.map(file => `![${file}](${file})\n`),
  ].join('\n'))
}

/** Keeps a picture of what a run makes after an iteration. */
export async function keepPicture(folder: string, iteration: number, image: Image): Promise<void> {
  await mkdir(join(folder, files.pictures), { recursive: true })
  const scale = Math.max(1, Math.round(128 / image.height))
  await writePng(join(folder, files.pictures, `${String(iteration).padStart(7, '0')}.png`), upscale(image, scale))
}
