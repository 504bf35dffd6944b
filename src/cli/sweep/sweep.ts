/**
 * `cellgrad sweep`: trains many runs described by one file, and compares them.
 */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, extname, join } from 'node:path'
import type { ArgsDef } from 'citty'
import { checkData } from '../../backends/fields.ts'
import { valueAt, word, type JsonObject } from '../../experiment/flat.ts'
import { placeOf } from '../../experiment/config/sections.ts'
import { toCsv } from '../../experiment/runs.ts'
import { planOf, sweepField, type Plan, type Sweep } from '../../experiment/sweep/plan.ts'
import { importanceIn, inWords, ranked, sweepReport, sweepTable } from '../../experiment/sweep/report.ts'
import { errorName } from '../../experiment/tasks/errors.ts'
import { partsOf } from '../../experiment/tasks/parts.ts'
import { isGrowing, runConfigOf, runYaml } from '../../experiment/tasks/values.ts'
import { writeFileAtomic } from '../../node/atomic-file.ts'
import { importanceSvg, meanAndStdSvg, parallelCoordinatesSvg } from '../../node/charts/sweep-chart.ts'
import { besides, readValues } from '../input/config-file.ts'
import { untilInterrupted, type Interruption } from '../terminal/interrupt.ts'
import { invocation, quoted } from '../input/invocation.ts'
import { takeFolder } from '../run/run-folder.ts'
import { complain, say } from '../terminal/output.ts'
import { argument, command, flag, type Command } from '../input/command.ts'
import { Failure, UsageError } from '../input/usage.ts'
import { readYaml } from '../input/yaml.ts'
import { drive, type Executor, type Standing, type SweepResult } from './driver.ts'
import { comparing, makeFolders, processes } from './processes.ts'
import { queued } from './queue.ts'
import { holdData } from './surroundings.ts'

const args: ArgsDef = {
  file: argument('The file of the sweep, see docs/experiments.md', { required: true }),
  out: flag('folder', 'Folder of the sweep; a sweep that exists is continued (default: out/<file>)'),
  queue: flag('url', 'Leaves the training to cellgrad worker, on any computer: the address of Redis, redis://host:port (default: none)'),
  workers: flag('n', 'Runs at once, each in a process of its own (default: one for two cores); with --queue, runs in the queue at once (default: 64)'),
}

export const sweep: Command = command('sweep', 'Train many runs out of one file, and compare them', args, async given => {
  const { file = '', queue } = given.text
  const workers = given.number('workers', queue ? 64 : Math.max(1, availableParallelism() >> 1), { least: 1, most: 256 })
  const { sweep, plan } = await readSweep(file)
  if (queue !== undefined && plan.runs.flat().some(({ config }) => config.backend === 'auto')) {
    return given.refuse('--queue does not go with backend: auto, by which each computer would decide what rounds; say cpu or webgpu')
  }
  const folder = given.text.out ?? join('out', basename(file, extname(file)))
  const release = await takeFolder(folder)
  try {
    await makeFolders(folder)
    await holdData(folder, plan.configs)
    const compared = [...new Set([...plan.points.flatMap(point => Object.keys(point)).map(placeOf), 'seed', ...foldsIn(plan)])]
    const executor = queue === undefined ? processes(folder, workers, comparing(compared), sweep.retries) : await queued(folder, queue, workers, compared, sweep.retries)
    await runSweep(file, folder, sweep, plan, executor).finally(() => executor.close())
  } finally {
    release()
  }
})

/** The field that tells the folds of a candidate apart, if each fold is held out in turn. */
function foldsIn({ runs }: Plan): string[] {
  const folds = new Set(runs[0].map(({ config }) => word(valueAt(config, 'validate.fold'))))
  return folds.size > 1 ? ['validate.fold'] : []
}

/** The name of the measure by which the candidates are judged. */
function measureIn({ configs: [first] }: Plan): string {
  const made = runConfigOf(first)
  return 'config' in made && !isGrowing(made.config) && made.config.validate ? errorName(made.config.validate.metric) : 'loss'
}

/**
 * Reads a sweep's file and makes its plan. All configurations are checked before the first is trained.
 *
 * @throws UsageError with a line for each mistake
 */
async function readSweep(file: string): Promise<{ sweep: Sweep; plan: Plan }> {
  const yaml = await readYaml(file)
  const sweep = told(() => checkData(file, sweepField, yaml.values))
  const base = typeof sweep.base === 'string' ? await readValues(await besides(file, sweep.base, `${file}: base`)) as JsonObject : sweep.base
  const whole = runConfigOf(base)
  const plan = told(() => planOf(sweep, base, 'config' in whole ? whole.config.train.iterations : 1), `${file}: `)
  const wrong = plan.runs.flatMap(([{ candidate, config }]) => {
    const checked = runConfigOf(config)
    if ('config' in checked) {
      const isOne = partsOf(checked.config).length === 1
      return isOne ? [] : [`${file}: the base has several runs, by seeds, expected one; the sweep has seeds`]
    }
    return checked.mistakes.map(({ key, says, unknown }) => `${file}: with ${inWords(plan.points[candidate])}: ${unknown === undefined ? `${key} ` : ''}${says}`)
  })
  if (wrong.length > 0) throw new UsageError(...wrong.slice(0, 10), ...(wrong.length > 10 ? [`${file}: there are ${wrong.length - 10} more mistakes`] : []))
  return { sweep, plan }
}

/** What `make` returns; its error becomes a UsageError. */
function told<T>(make: () => T, where: string = ''): T {
  try {
    return make()
  } catch (error) {
    throw new UsageError(`${where}${(error as Error).message}`)
  }
}

async function runSweep(file: string, folder: string, { budget }: Sweep, plan: Plan, executor: Executor): Promise<void> {
  const { points, machine } = plan
  const longest = machine.rungs.at(-1)!
  const measure = measureIn(plan)
  const [{ length: each }] = plan.runs
  say(`${machine.candidates} ${machine.candidates === 1 ? 'candidate' : 'candidates'}${each > 1 ? ` with ${each} runs each` : ''}, up to ${longest} iterations, in ${folder}`)
  const own = new Set(plan.runs.flat().map(({ id }) => id))
  const others = (await readdir(join(folder, 'runs'))).filter(name => !own.has(name)).length
  if (others > 0) say(`${folder} has ${others} more ${others === 1 ? 'run' : 'runs'}, of other values; what is written there compares those of this sweep alone`)
  const interrupt = untilInterrupted(() => say('Stopping; runs that are under way are saved (Ctrl-C again to stop at once)'))
  const late = new AbortController()
  const timer = budget.minutes === null ? undefined : setTimeout(() => late.abort(), 60_000 * budget.minutes)
  const again = `  ${invocation()} sweep ${quoted(file)} --out ${quoted(folder)}${executor.flags}`
  let done = 0
  const tell = ({ job, outcomes }: Standing): void => {
    done++
    const results = outcomes.map(outcome => ('value' in outcome ? Number(outcome.value.toPrecision(3)) : 'failed')).join(', ')
    say(`${done}: ${inWords(points[job.candidate])}: ${job.iterations} iterations, ${measure} ${results}`)
  }
  const result = await drive(plan, executor, AbortSignal.any([interrupt.signal, late.signal]), tell).catch((cause: Error) => {
    if (!existsSync(folder)) throw new Error(`sweep: the folder ${folder} is gone, with what was saved in it`, { cause })
    throw new Failure([cause.message, `Stopped with ${done} results; runs that were under way are as they were last saved. Go on with:`, again], { cause })
  }).finally(() => {
    clearTimeout(timer)
    interrupt.end()
  })
  const far = `with ${result.candidates.length} of ${points.length} candidates trained`
  const isLate = late.signal.aborted && !interrupt.signal.aborted
  const spent = [
    ...(result.isDone && machine.candidates < points.length ? [`${budget.runs} runs`] : []), ...(result.isSpent ? [`${budget.iterations} iterations`] : []),
    ...(!result.isDone && isLate ? [`${budget.minutes} minutes`] : []),
  ].map(what => `The budget of ${what} is spent, ${far}.`)
  await writeReport(file, folder, plan, result, [...spent, ...result.isDone || isLate ? [] : [`The sweep was stopped, ${far}.`]])
  spent.forEach(note => say(note))
  if (result.isDone) return
  const stopped = interrupt.signal.reason as Interruption | undefined
  if (stopped) process.exitCode = stopped.status
  const words = stopped?.name === 'output' ? complain : say
  words(`Stopped ${far}${stopped?.why ?? ''}. Go on with:`)
  words(again)
}

/** Writes report.md with its pictures, the table as CSV, and the best configuration as a file to train. */
async function writeReport(file: string, folder: string, plan: Plan, { candidates, failures }: SweepResult, notes: readonly string[]): Promise<void> {
  const { points, configs } = plan
  const measure = measureIn(plan)
  const judged = ranked(candidates)
  const [best] = judged.filter(({ mean }) => mean !== null)
  const pictures: string[] = []
  if (best) {
    pictures.push('parallel.svg', 'loss.svg')
    const importance = importanceIn(judged)
    if (Object.keys(importance).length > 0) {
      pictures.push('importance.svg')
      await writeFileAtomic(join(folder, 'importance.svg'), await importanceSvg(importance, measure))
    }
    await writeFileAtomic(join(folder, 'parallel.svg'), await parallelCoordinatesSvg(judged, measure))
    await writeFileAtomic(join(folder, 'loss.svg'), await meanAndStdSvg(judged, measure))
    const checked = runConfigOf(configs[points.indexOf(best.point)])
    if ('config' in checked) await writeFileAtomic(join(folder, 'best.yaml'), runYaml(checked.config))
  }
  await writeFileAtomic(join(folder, 'runs.csv'), toCsv(sweepTable(judged, measure)))
  await writeFileAtomic(join(folder, 'report.md'), sweepReport(basename(file), judged, failures, pictures, notes, measure))
  const failing = Object.keys(failures).length
  if (failing > 0) say(`${failing} ${failing === 1 ? 'run' : 'runs'} failed, see ${join(folder, 'report.md')}`)
  if (!best) return
  say(`Best: ${inWords(best.point)}, ${measure} ${Number(best.mean!.toPrecision(3))}`)
  for (const [name, what] of [['report.md', 'all of them, compared'], ['best.yaml', 'the best configuration']]) {
    if (existsSync(join(folder, name))) say(`${join(folder, name)}  ${what}`)
  }
}
