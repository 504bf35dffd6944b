/**
 * A training run, from its first iteration or its checkpoint to its final pictures.
 *
 * However it ends, nothing learned is lost: the run is saved at every checkpoint, when it is interrupted, and when the loss is
 * no longer finite. If a GPU is lost, the last checkpoint remains. A new run that fails before
 * its first iteration has learned nothing, and its folder is removed.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Backend } from '../../backends/backend.ts'
import { inStages } from '../../nca/cascade.ts'
import { explain } from '../../nca/explain.ts'
import type { Image } from '../../nca/files/image.ts'
import type { TrainerState } from '../../nca/training/trainer.ts'
import { channelCount } from '../../nca/rule/channels.ts'
import type { DataParams } from '../../nca/rule/types.ts'
import { NonFiniteError, train, type IterationMetrics } from '../../nca/training/train.ts'
import { isExhausted, type Best } from '../../nca/training/validation.ts'
import { key } from '../../tensor/key.ts'
import { version } from '../../node/assets.ts'
import { writeFileAtomic } from '../../node/atomic-file.ts'
import { readCheckpoint, readModel, saveCheckpoint, saveModel } from '../../node/model.ts'
import { noteAbout } from './about.ts'
import type { Computer } from '../input/computer.ts'
import { untilInterrupted, type Interruption } from '../terminal/interrupt.ts'
import { invocation, quoted } from '../input/invocation.ts'
import { openMetrics, recentLoss } from './metrics.ts'
import type { Replanning } from './minutes.ts'
import { complain, say } from '../terminal/output.ts'
import { duration, errorOf, showProgress } from '../terminal/progress.ts'
import { keepPicture, writeReport } from './report.ts'
import { discardRun, files, saveConfig, type Run } from './run-folder.ts'
import { isLive, pictureLines } from '../terminal/screen.ts'
import type { Subject } from './subject.ts'
import { Failure } from '../input/usage.ts'
import { watchByTensorboard, type OnMetrics } from './watch.ts'

type State = TrainerState<DataParams>

/** Options of a run that are not part of its configuration. */
export type RunOptions = {
  /** The folder of a new run, by default out/<name>-<n>. */
  readonly out?: string
  /** Trains as many iterations as fit into these minutes, see minutes.ts. */
  readonly minutes?: number
  /** Describes the rule. */
  readonly verbose?: boolean
  /** Writes event files for TensorBoard; a resumed run that has some continues them anyway. */
  readonly tensorboard?: boolean
  /** The fields in TensorBoard's table of hyperparameters, by their paths; default all. */
  readonly hyperparameters?: readonly string[]
  /** Draws no pictures when it ends. */
  readonly plain?: boolean
  /** Called with the numbers of every iteration. */
  readonly onMetrics?: OnMetrics
}

/** The replanning of a run that must end in time: see minutes.ts. */
type Anew = Replanning<{ readonly run: Run; readonly trainer: Subject['trainer'] }>

/** Trains, saves and draws. Sets the exit status if the run did not reach its end. */
export async function runTraining(
  first: Run, subject: Subject, computer: Computer, { verbose, tensorboard, hyperparameters, onMetrics, plain }: RunOptions,
  anew: Anew | null = null,
): Promise<void> {
  const { backend, fma } = computer
  const { folder, config } = first
  const { rule, report, train: { steps, cascade } } = config
  const { validation, codec } = subject
  const own = { rule, ...(codec && { codec }), ...(cascade && { cascade }) }
  let run = first
  let { trainer } = subject
  let { iterations } = config.train
  const checkpoint = join(folder, files.checkpoint)
  const maxBytes = 2 ** 29 + 4 * config.train.pool * subject.cells * channelCount(rule.channels) // if every cell of the pool is stored
  const found = existsSync(checkpoint) ? await readCheckpoint(checkpoint, { backend, trainer, maxBytes }) : null
  let state = found?.state ?? trainer.init(key(config.seed))
  const from = state.iteration
  let saved = from
  const log = await openMetrics(join(folder, files.metrics), from)
  const watcher = await watchByTensorboard(run, { wanted: tensorboard || report.tensorboard, hyperparameters, from })
  let best = validation ? await readBest(folder, backend) : null
  let bestSaved = best?.iteration ?? 0
  say(from === 0
    ? `${subject.title}, ${iterations} iterations, in ${folder}`
    : `Going on with ${folder} from iteration ${from} of ${iterations}`)
  say(`Computing on: ${computer.name}`)
  await noteAbout(folder, computer.name, subject.data)
  if (config.fma === 'on' && fma === 'off') say('This engine has no fused multiply-add, which fma: on asks for (Node 22 has).')
  if (found?.metadata.fma && fma && found.metadata.fma !== fma) {
    say(`Up to iteration ${from}, fused multiply-add was ${found.metadata.fma}; from here on it is ${fma}: the last bits will `
      + 'not be those of a run that was left alone.')
  }
  const how = explain(inStages(rule, cascade), backend)
  if (verbose || !how.startsWith('fused')) say(`Rollouts run ${how}`)
  subject.hints.forEach(hint => say(hint))
  if (log.unreadable.length > 0) {
    say(`Left out of ${files.metrics}: ${log.unreadable.length} lines that cannot be read, the first is line ${log.unreadable[0]}`)
  }

  async function save(): Promise<void> {
    await log.sync()
    const provenanceAt = (iteration: number): Readonly<Record<string, string>> => ({
      ...subject.provenance, cellgrad: version, seed: String(config.seed), steps: steps.join(' to '),
      iterations: String(iteration), loss: String(recentLoss(log.metrics.filter(metric => metric.iteration <= iteration))),
    })
    if (best && best.iteration !== bestSaved) { // saved before the checkpoint, so that it is never behind it
      const judged = { ...provenanceAt(best.iteration), validation: String(best.value) }
      await saveModel(join(folder, files.best), { ...own, params: best.params, provenance: judged })
      bestSaved = best.iteration
    }
    await saveCheckpoint(checkpoint, state, fma ? { fma } : {})
    saved = state.iteration
    await saveModel(join(folder, files.model), { ...own, params: state.params, provenance: provenanceAt(state.iteration) })
  }

  const display = showProgress(process.stdout, iterations, from, subject.target)
  const interrupt = untilInterrupted(({ name }) => {
    display.end()
    if (name !== 'output') say('Stopping after this iteration (Ctrl-C again to stop at once)')
  })
  const preview = (): Promise<Image> => subject.preview(state.params)
  const draw = (): Promise<void> => (plain ? Promise.resolve() : subject.draw(state.params, log.metrics))
  /** Seconds of training in this process: so far, and up to the last replanning, from which the driver counts anew. */
  let [passed, before] = [0, 0]
  /** The numbers of an iteration, as if nothing had interrupted the run: its driver does not know what was before it. */
  const inAll = <T extends IterationMetrics>(numbers: T): T => ({
    ...numbers, seconds: before + numbers.seconds, validation: numbers.validation ?? log.metrics.at(-1)?.validation ?? null,
  })
  const told = onMetrics && ((metrics: IterationMetrics) => onMetrics(inAll(metrics), { folder, config: run.config }))

  const isImpatient = (): boolean => validation !== undefined && isExhausted(validation, state.iteration, best)
  const isOver = (): boolean => state.iteration >= iterations || isImpatient()

  /** Replans the rest of the run. It saves first, so that the checkpoint is never behind a decision. */
  async function replan(left: number): Promise<void> {
    before = passed
    await save();
    ({ run, trainer } = anew!.planned(state.iteration, left))
    await saveConfig(run);
    ({ iterations } = run.config.train)
    display.replan(iterations)
  }

  /** Trains to the end, an interruption, or the next replanning; then it returns the number of iterations left, else null. */
  async function trainOn(): Promise<number | null> {
    for await (const given of train(trainer, {
      iterations, state, signal: interrupt.signal, onMetrics: told, validation, best,
    })) {
      const progress = inAll(given);
      ({ state, best, seconds: passed } = progress)
      await log.append(progress)
      await watcher?.iteration(progress)
      if (state.iteration % config.saveEvery === 0) {
        await save()
        await watcher?.saved(progress, preview)
      }
      if (report.every !== null && !plain && state.iteration % report.every === 0) await keepPicture(folder, state.iteration, await preview())
      if (interrupt.signal.aborted) break
      const { validation: value } = progress
      display.update({ ...progress, ...(typeof value === 'number' && subject.inWords && { judged: subject.inWords(value) }) })
      await display.picture(preview)
      const left = isOver() ? null : anew?.left(state.iteration) ?? null
      if (left !== null) return left
    }
    return null
  }

  /** Trains to the end or an interruption, and saves. Returns the error if the loss or the gradient was no longer finite. */
  async function learn(): Promise<NonFiniteError<State> | null> {
    let failure: NonFiniteError<State> | null = null
    try {
      await display.picture(preview)
      for (let left = await trainOn(); left !== null; left = await trainOn()) await replan(left)
    } catch (error) {
      if (!(error instanceof NonFiniteError)) throw error
      failure = error // `state` is still the one before
    } finally {
      display.end()
      interrupt.end()
    }
    await save()
    await log.close()
    if (isOver()) await watcher?.end()
    await watcher?.close()
    return failure
  }

  const again = `${invocation()} train --resume ${quoted(folder)}`
  const failure = await learn().catch(async (cause: Error) => {
    if (run.found && state.iteration === 0 && !codec) { // a trained autoencoder is kept
      await log.close()
      await watcher?.close()
      await discardRun(run)
      throw cause
    }
    if (!existsSync(join(folder, files.config))) throw new Error(`train: the folder ${folder} is gone, with what was saved in it`, { cause })
    const how = backend.name === 'cpu' ? 'Go on with' : 'Go on with this, or with --backend cpu besides'
    const where = `Saved after iteration ${saved} of ${iterations}. ${how}:`
    throw new Failure([cause.message, where, `  ${again}`], { cause })
  })
  if (failure) {
    await draw()
    throw new Error(`${failure.message} (saved in ${folder})`, { cause: failure })
  }
  if (!isOver()) {
    const { name, why, status } = interrupt.signal.reason as Interruption
    process.exitCode = status
    const tell = name === 'output' ? complain : say
    tell(`Stopped and saved after iteration ${state.iteration} of ${iterations}${why}. Go on with:`)
    tell(`  ${again}`)
    // A shutdown or a closed terminal does not wait for pictures.
    if (name === 'SIGINT' || name === 'output') await draw()
    return
  }

  if (isImpatient()) {
    const why = `Ended after iteration ${state.iteration} of ${iterations}: ${validation!.patience} validations were not better than that of iteration ${best!.iteration}.`
    await writeFileAtomic(join(folder, files.ended), `${why}\n`)
    say(why)
  }
  const time = duration(log.metrics.at(-1)?.seconds ?? 0)
  const error = errorOf(recentLoss(log.metrics))
  say(`Trained ${state.iteration} iterations in ${time}, error ${error} (mean of the last 100)`)
  await draw()
  if (!plain) await writeReport(run)
  say('')
  const width = join(folder, files.checkpoint).length
  const there = subject.written.filter(([, file]) => existsSync(join(folder, file)))
  for (const [what, file] of there) say(`${join(folder, file).padEnd(width)}  ${what}`)
  say('')
  say(`${subject.next[0]}: ${invocation()} ${subject.next[1]}`)
  if (isLive(process.stdout)) process.stdout.write(`\n${pictureLines(await preview(), process.stdout).join('\n')}\n`)
}

/** The best parameters of a resumed run, if it has been validated. */
async function readBest(folder: string, backend: Backend): Promise<Best<DataParams> | null> {
  const file = join(folder, files.best)
  if (!existsSync(file)) return null
  const { params, provenance } = await readModel(file, { backend })
  return { iteration: Number(provenance.iterations), value: Number(provenance.validation), params }
}
