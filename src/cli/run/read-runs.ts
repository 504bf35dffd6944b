/**
 * Runs as their folders tell them, from which `cellgrad runs` makes tables and `cellgrad studio` pictures. Nothing is written.
 */
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { arranged } from '../../experiment/config/sections.ts'
import type { JsonObject } from '../../experiment/flat.ts'
import type { RunRecord } from '../../experiment/runs.ts'
import { parseMetrics, recentLoss, type Metric } from './metrics.ts'
import { files } from './run-folder.ts'
import { readYaml } from '../input/yaml.ts'

export type FoundRun = RunRecord & { readonly folder: string; readonly metrics: readonly Metric[] }

const deepest = 6

/** The folders of runs below a folder, itself included, in the order of their names. */
export async function runFolders(folder: string, depth: number = 0): Promise<string[]> {
  if (existsSync(join(folder, files.config))) return [folder]
  if (depth === deepest) return []
  const entries = (await readdir(folder, { withFileTypes: true })).filter(entry => entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules')
  const names = entries.map(({ name }) => name).sort(new Intl.Collator('en', { numeric: true }).compare)
  return (await Promise.all(names.map(name => runFolders(join(folder, name), depth + 1)))).flat()
}

/** What a run's folder says of it. Results are those of its last iterations. */
export async function readRun(folder: string): Promise<FoundRun> {
  const { values } = await readYaml(join(folder, files.config))
  const metrics = parseMetrics(await readFile(join(folder, files.metrics), 'utf8').catch(() => ''))
  const last = metrics.at(-1)
  const results: RunRecord['results'] = last
    ? { iteration: last.iteration, loss: Number(recentLoss(metrics).toPrecision(4)), seconds: Math.round(last.seconds) }
    : { iteration: 0 }
  return { name: folder, folder, config: arranged(values) as JsonObject, results, metrics }
}
