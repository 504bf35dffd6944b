/**
 * The runs below a folder, served for Studio:
 *
 *   /runs.json                       all runs: configuration, results, a curve of the loss
 *   /runs/lizard-1/growth.png        a picture of a run, or its model
 *
 * The folders are read again for every answer, so runs appear while they train, whichever process trains them. A requested path
 * is only compared with the existing ones, never used to open a file; links are not followed.
 */
import { lstat, readFile } from 'node:fs/promises'
import { basename, join, relative, resolve, sep } from 'node:path'
import type { ServedRun, ServedRuns } from '../../experiment/runs.ts'
import type { Answers } from '../../node/page-server.ts'
import type { Metric } from './metrics.ts'
import { isTraining } from './lock.ts'
import { readMetrics, readRun, runFolders, type FoundRun } from './read-runs.ts'
import { files } from './run-folder.ts'

/** The files of a run that are served. */
const served = [files.model, files.best, files.target, files.growth, files.made] as const

/** The most points of a curve; each is the mean over several iterations. */
const points = 300

/** The answers of a page server about the runs below a folder. */
export function servedRuns(folder: string): Answers {
  const known = new Map<string, { readonly stamp: string; readonly run: FoundRun; readonly curve: ServedRun['curve'] }>()

  /** A run, read again only if one of its files has changed. */
  async function read(path: string): Promise<{ run: FoundRun; curve: ServedRun['curve']; changed: number }> {
    const times = await Promise.all([files.config, files.metrics, ...served].map(name => stampOf(join(path, name))))
    const stamp = times.map(found => (found ? `${found.mtimeMs}/${found.size}` : '')).join()
    const before = known.get(path)
    const now = before?.stamp === stamp ? before : { stamp, run: await readRun(path), curve: curveOf(await readMetrics(path)) }
    known.set(path, now)
    return { run: now.run, curve: now.curve, changed: Math.max(...times.map(found => found?.mtimeMs ?? 0)) }
  }

  const nameOf = (path: string): string => relative(folder, path).split(sep).join('/') || basename(resolve(folder))

  async function list(): Promise<ServedRuns> {
    const leftOut: string[] = []
    const runs = await Promise.all((await runFolders(folder)).map(async (path): Promise<ServedRun | null> => {
      try {
        const { run: { config, results }, curve, changed } = await read(path)
        const there = await Promise.all(served.map(async name => ((await stampOf(join(path, name))) ? [name] : [])))
        return { name: nameOf(path), config, results, curve, files: there.flat(), changed, training: await isTraining(path) }
      } catch (error) {
        leftOut.push((error as Error).message)
        return null
      }
    }))
    return { folder, runs: runs.filter(run => run !== null), leftOut }
  }

  return async path => {
    if (path === '/runs.json') return { ending: '.json', bytes: Buffer.from(JSON.stringify(await list())) }
    if (!path.startsWith('/runs/')) return null
    for (const run of await runFolders(folder)) {
      for (const name of served) {
        if (path === `/runs/${nameOf(run)}/${name}` && await stampOf(join(run, name))) {
          return { ending: name.slice(name.lastIndexOf('.')), bytes: await readFile(join(run, name)) }
        }
      }
    }
    return null
  }
}

/** The time of a file's last change, and its size; null if there is none, or it is not a file. */
async function stampOf(path: string): Promise<{ mtimeMs: number; size: number } | null> {
  const found = await lstat(path).catch(() => null)
  return found?.isFile() ? found : null
}

function curveOf(metrics: readonly Metric[]): ServedRun['curve'] {
  const each = Math.max(1, Math.ceil(metrics.length / points))
  const groups = Array.from({ length: Math.ceil(metrics.length / each) }, (_, i) => metrics.slice(i * each, (i + 1) * each))
  return {
    iterations: groups.map(group => group.at(-1)!.iteration),
    losses: groups.map(group => group.reduce((sum, { loss }) => sum + loss, 0) / group.length),
  }
}
