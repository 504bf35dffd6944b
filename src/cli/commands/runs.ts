/**
 * `cellgrad runs`: the runs below a folder in a table, a comparison of some of them, and pictures of their curves and patterns.
 */
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { ArgsDef } from 'citty'
import { compareRuns, conditionsIn, filterRuns, labelsOf, sortRuns, tableOfRuns } from '../../experiment/runs.ts'
import { writeFileAtomic } from '../../node/atomic-file.ts'
import { learningCurvesSvg } from '../../node/charts/chart.ts'
import { complain } from '../terminal/output.ts'
import { readMetrics, readRun, runFolders, type FoundRun } from '../run/read-runs.ts'
import { files } from '../run/run-folder.ts'
import { stripsOfRuns } from '../run/strips.ts'
import { tableFormats, writeTable } from '../terminal/table.ts'
import { argument, command, flag, type Command } from '../input/command.ts'

/** Reads the runs below folders; a run that cannot be read is reported and left out. */
async function readRuns(folders: readonly string[]): Promise<FoundRun[]> {
  const found = (await Promise.all(folders.map(folder => runFolders(folder)))).flat()
  const read = await Promise.all(found.map(folder => readRun(folder).catch((error: Error) => {
    complain(`left out: ${error.message}`)
    return null
  })))
  return read.filter(run => run !== null)
}

const args: ArgsDef = {
  folder: argument('Where to look, in folders below too (default: out)'),
  other: argument('Another folder: shows in what the runs of both differ (default: none)'),
  sort: flag('field', 'Sorts by a field, smallest first; -field: largest first (default: by name)'),
  where: flag('conditions', 'Only runs that fulfil all conditions: loss<0.01,batch=8 (default: none)'),
  columns: flag('fields', 'Which fields: name,loss,rule.fireRate (default: results and what differs)'),
  format: flag('name', `${tableFormats.join(', ')} (default: text)`),
  curves: flag('file.svg', 'Writes the loss curves of the runs, in one picture (default: none)'),
  strips: flag('file.svg', 'Writes what their models make of an example, step by step, a row for each (default: none)'),
}

export const runs: Command = command('runs', 'Show runs in a table, compare them', args, async given => {
  const { folder = 'out', other, sort, where, columns, curves, strips } = given.text
  const format = given.oneOf('format', tableFormats, 'text')
  const folders = other === undefined ? [folder] : [folder, other]
  const missing = folders.find(path => !statSync(path, { throwIfNoEntry: false })?.isDirectory())
  if (missing !== undefined) given.refuse(`there is no folder ${missing}`)
  const all = await readRuns(folders)
  if (all.length === 0) given.refuse(`there is no run in ${folder}; cellgrad train makes some`)
  const left = filterRuns(all, where === undefined ? [] : conditionsIn(where))
  const runs = sort === undefined ? left : sortRuns(left, sort)
  const table = other === undefined ? tableOfRuns(runs, columns?.split(',')) : compareRuns(runs)
  writeTable(table, format)
  if (runs.length === 0) return complain(`none of ${all.length} runs fulfils these conditions`)
  if (curves !== undefined) await writeCurves(curves, runs)
  if (strips !== undefined) await writeStrips(strips, runs)
})

/** No picture could show more runs distinctly. */
const mostPictured = 20

/** The first runs, as many as a picture can show; if there are more, a line says so. */
function pictured(path: string, runs: readonly FoundRun[]): readonly FoundRun[] {
  if (runs.length > mostPictured) complain(`left out of ${path}: all but the first ${mostPictured} of ${runs.length} runs; --sort and --where choose them`)
  return runs.slice(0, mostPictured)
}

async function writeCurves(path: string, runs: readonly FoundRun[]): Promise<void> {
  const begun = pictured(path, runs.filter(({ results }) => results.iteration !== 0))
  if (begun.length === 0) throw new Error('runs: none of the runs has a loss yet')
  const names = labelsOf(begun)
  const curves = await Promise.all(begun.map(async ({ folder }, i) => {
    const metrics = await readMetrics(folder)
    return { name: names[i], iterations: metrics.map(({ iteration }) => iteration), losses: metrics.map(({ loss }) => loss) }
  }))
  await writeFileAtomic(path, await learningCurvesSvg({ curves }))
}

/** Draws what the models of runs make, step by step. */
async function writeStrips(path: string, runs: readonly FoundRun[]): Promise<void> {
  const trained = pictured(path, runs.filter(({ folder }) => existsSync(join(folder, files.model))))
  if (trained.length === 0) throw new Error('runs: none of the runs has a model yet')
  const names = labelsOf(trained)
  await writeFileAtomic(path, await stripsOfRuns(trained.map(({ folder }, i) => ({ name: names[i], folder }))))
}
