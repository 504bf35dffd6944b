/**
 * Reads runs from their folders, for the tables of `cellgrad runs` and the pages of `cellgrad studio`. Nothing is written.
 */
import { existsSync } from 'node:fs'
import { open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import pLimit from 'p-limit'
import { arranged } from '../../experiment/config/sections.ts'
import type { JsonObject } from '../../experiment/flat.ts'
import type { RunRecord } from '../../experiment/runs.ts'
import { parseMetrics, recent, recentLoss, type Metric } from './metrics.ts'
import { files } from './run-folder.ts'
import { readYaml } from '../input/yaml.ts'

export type FoundRun = RunRecord & { readonly folder: string }

/** Limits how many files are open at a time, however many runs there are: systems allow a process about a thousand. */
const atOnce = pLimit(32)

const deepest = 6

/** The folders of runs below a folder, itself included, in the order of their names. */
export async function runFolders(folder: string, depth: number = 0): Promise<string[]> {
  if (existsSync(join(folder, files.config))) return [folder]
  if (depth === deepest) return []
  const entries = (await readdir(folder, { withFileTypes: true })).filter(entry => entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules')
  const names = entries.map(({ name }) => name).sort(new Intl.Collator('en', { numeric: true }).compare)
  return (await Promise.all(names.map(name => runFolders(join(folder, name), depth + 1)))).flat()
}

/** Reads a run from its folder. Its results are those of its last iterations. */
export function readRun(folder: string): Promise<FoundRun> {
  return atOnce(async () => {
    const { values } = await readYaml(join(folder, files.config))
    const metrics = await lastMetrics(join(folder, files.metrics))
    const last = metrics.at(-1)
    const results: RunRecord['results'] = last
      ? { iteration: last.iteration, loss: Number(recentLoss(metrics).toPrecision(4)), seconds: Math.round(last.seconds) }
      : { iteration: 0 }
    return { name: folder, folder, config: arranged(values) as JsonObject, results }
  })
}

/** All iterations of a run; none if it has not begun. */
export function readMetrics(folder: string): Promise<readonly Metric[]> {
  return atOnce(async () => parseMetrics(await readFile(join(folder, files.metrics), 'utf8').catch(noneYet)))
}

/** The number of bytes that is read from the end of a file: normally more than the last hundred lines. */
const endOfFile = 1 << 16

/** The last iterations of a run, at least as many as `recentLoss` needs: the whole file of a long run would be megabytes. */
async function lastMetrics(path: string): Promise<readonly Metric[]> {
  const file = await open(path).catch(noneYet)
  if (file === '') return []
  try {
    const { size } = await file.stat()
    const { buffer, bytesRead } = await file.read(Buffer.alloc(endOfFile), 0, endOfFile, Math.max(0, size - endOfFile))
    const metrics = parseMetrics(buffer.toString('utf8', 0, bytesRead))
    return metrics.length >= recent || size <= endOfFile ? metrics : parseMetrics(await file.readFile('utf8'))
  } finally {
    await file.close()
  }
}

/** A file that does not exist yet counts as empty. */
function noneYet(error: NodeJS.ErrnoException): '' {
  if (error.code === 'ENOENT') return ''
  throw error
}
