/**
 * Experiments of several runs, one for each seed and fold. Each run has a folder of its own, below a folder with the experiment
 * and, at the end, a report that compares them all.
 *
 *   OUT/experiment.yaml   OUT/seed-0-fold-0/ …   OUT/report.md, OUT/report.csv   mean ± standard deviation over the runs
 *
 * The folders alone show what has been done, so an experiment can be resumed at any point.
 */
import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isNumber } from '../../backends/options.ts'
import { partsOf, type Part } from '../../experiment/tasks/parts.ts'
import { runYaml, type RunConfig } from '../../experiment/tasks/values.ts'
import { toCsv, toMarkdown, type RunTable } from '../../experiment/runs.ts'
import { word } from '../../experiment/flat.ts'
import { meanAndStd } from '../../experiment/sweep/report.ts'
import { cannotWrite, writeFileAtomic } from '../../node/atomic-file.ts'
import { loadRunConfig } from '../input/config-file.ts'
import { invocation, quoted } from '../input/invocation.ts'
import { say } from '../terminal/output.ts'
import { writeTable } from '../terminal/table.ts'
import { judgeRun, modelOf } from './judge.ts'
import { stepsOf } from './lesson.ts'
import { parseMetrics } from './metrics.ts'
import { files, newFolder } from './run-folder.ts'
import { resumeRun, startRun } from './begin.ts'
import type { RunOptions } from './training.ts'

const asked = 'experiment.yaml'

/** Whether a folder is that of an experiment of several runs. */
export function hasParts(folder: string): boolean {
  return existsSync(join(folder, asked))
}

/** Trains the runs of an experiment, and compares them. */
export async function startParts(config: RunConfig, { out, ...options }: RunOptions): Promise<void> {
  const folder = out ?? await newFolder(join('out', config.task))
  await mkdir(folder, { recursive: true }).catch(cannotWrite(folder))
  if (existsSync(join(folder, files.config)) || hasParts(folder)) {
    throw new Error(`train: ${folder} holds runs already; go on with them (--resume ${quoted(folder)}) or choose another folder`)
  }
  await writeFileAtomic(join(folder, asked), runYaml(config))
  await trainParts(folder, partsOf(config), options)
}

/** Resumes an experiment of several runs. */
export async function resumeParts(folder: string, options: RunOptions): Promise<void> {
  const config = await loadRunConfig({ file: join(folder, asked), command: 'cellgrad train' })
  await trainParts(folder, partsOf(config), options)
}

async function trainParts(folder: string, parts: readonly Part[], options: RunOptions): Promise<void> {
  for (const [i, { name, config }] of parts.entries()) {
    const own = join(folder, name)
    if (await isDone(own, config)) continue
    say(`Run ${i + 1} of ${parts.length}: ${name}`)
    if (existsSync(join(own, files.config))) await resumeRun(own, {}, options)
    else await startRun(config, { ...options, out: own })
    if (await isDone(own, config)) continue
    say(`Of ${parts.length} runs ${i} are done. Go on with:`)
    return say(`  ${invocation()} train --resume ${quoted(folder)}`)
  }
  const table = await compared(folder, parts)
  await writeFileAtomic(join(folder, 'report.csv'), toCsv(table))
  await writeFileAtomic(join(folder, files.report), `# ${parts.length} runs\n\n${toMarkdown(table)}`)
  say('')
  writeTable(table, 'text')
  say(`${join(folder, files.report)}  all of them, compared`)
}

/** Whether a run has reached its last iteration, or ended early because its validation no longer improved. */
async function isDone(folder: string, { train }: RunConfig): Promise<boolean> {
  if (existsSync(join(folder, files.ended))) return true
  const metrics = parseMetrics(await readFile(join(folder, files.metrics), 'utf8').catch(() => ''))
  return (metrics.at(-1)?.iteration ?? 0) >= train.iterations && existsSync(join(folder, files.model))
}

/** A row of metrics for each run, on its held-out examples, and rows with their mean and standard deviation. */
async function compared(folder: string, parts: readonly Part[]): Promise<RunTable> {
  const tables: RunTable[] = []
  for (const { name, config } of parts) {
    const own = join(folder, name)
    const { table } = await judgeRun(own, config, await modelOf(own), { steps: stepsOf(config), seeds: 1, metrics: config.report.metrics })
    tables.push(table)
  }
  const values = tables.map(({ rows }) => rows.map(([, mean]) => mean))
  const over = tables[0].rows.map((_, column) => {
    const known = values.map(row => row[column]).filter(x => isNumber(x)) // a recovery may be words
    return known.length === 0 ? null : meanAndStd(known)
  })
  const short = (x: number | undefined): number | undefined => (x === undefined ? x : Number(x.toPrecision(4)))
  return {
    columns: ['run', ...tables[0].rows.map(([name]) => word(name))],
    rows: [
      ...parts.map(({ name }, i) => [name, ...values[i]]),
      ['mean', ...over.map(of => short(of?.mean))], ['std', ...over.map(of => short(of?.std))],
    ],
  }
}
