/**
 * The start of a training run, new or resumed: its backend, its folder and its subject. training.ts then trains it.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isGrowing, type RunConfig } from '../../experiment/tasks/values.ts'
import { padImage } from '../../nca/files/image.ts'
import { decodePng, encodePng } from '../../node/pictures/png.ts'
import { computing, type Computer } from '../input/computer.ts'
import { growing } from './growing.ts'
import { firstParams, lessonSubject, prepare } from './lesson.ts'
import { iterationsIn, replanning, stretched, type Replanning } from './minutes.ts'
import { say } from '../terminal/output.ts'
import { checkReport } from './report.ts'
import { createRun, discardRun, files, loadTarget, openRun, saveConfig, type Run } from './run-folder.ts'
import type { Subject } from './subject.ts'
import { UsageError } from '../input/usage.ts'
import { runTraining, type RunOptions } from './training.ts'

/** Makes a new run and trains it. */
export async function startRun(config: RunConfig, { out, minutes, ...options }: RunOptions): Promise<void> {
  const began = performance.now()
  await computing(config, async computer => {
    // If `fma` is left to the machine, the run records the machine's choice, so that resuming it elsewhere rounds alike.
    const fma = config.fma === 'auto' ? computer.fma ?? 'auto' : config.fma
    if (!isGrowing(config)) {
      if (minutes !== undefined) throw new UsageError('cellgrad train: --minutes is only for growing a picture; set iterations')
      const prepared = await prepare(config, computer.backend, true)
      checkReport(config, prepared.lesson)
      const picture = { name: config.task, png: encodePng(await prepared.lesson.wanted(prepared.shown)) }
      return holding(await createRun({ ...config, fma }, picture, out), run => begin(run, run => lessonSubject(run, prepared), computer, options))
    }
    checkReport(config)
    const params = await firstParams(config, computer.backend, true)
    const picture = await loadTarget(config)
    let whole = config
    if (minutes !== undefined) {
      const target = padImage(decodePng(picture.png), config.data.padding)
      whole = stretched(config, await iterationsIn(minutes, config, target, computer.backend))
      say(`${whole.train.iterations} iterations fit into ${minutes} ${minutes === 1 ? 'minute' : 'minutes'} here.`)
    }
    return holding(await createRun({ ...whole, fma }, picture, out), first => (
      begin(first, run => growing(run, computer.backend, params), computer, options, minutes ? replanning(minutes, began, first) : null)))
  })
}

/** Trains a new run. If its configuration does not fit its data, its folder is removed again. */
async function begin<R extends Run>(
  run: R, subject: (run: R) => Subject, computer: Computer, options: RunOptions, anew: Replanning<R> | null = null,
): Promise<void> {
  let made: Subject
  try {
    made = subject(run)
  } catch (error) {
    await discardRun(run)
    throw error
  }
  const ready = await readied(made)
  if (ready) await runTraining(run, ready, computer, options, anew && {
    left: anew.left,
    planned(iteration, left) {
      const run = anew.planned(iteration, left)
      return { run, trainer: subject(run).trainer }
    },
  })
}

/** A subject after the training that comes before its rule's, if there is one; null if that was interrupted. */
function readied(subject: Subject): Promise<Subject | null> | Subject {
  return subject.first ? subject.first() : subject
}

/** Resumes a run, with flags that override its configuration. */
export async function resumeRun(
  folder: string, flags: Readonly<Record<string, unknown>>, options: RunOptions,
): Promise<void> {
  await holding(await openRun(folder, flags), run => computing(run.config, async computer => {
    if (Object.keys(flags).length > 0) await saveConfig(run)
    const { config } = run
    const isNew = !existsSync(join(folder, files.checkpoint))
    const subject = isGrowing(config)
      ? growing({ ...run, config }, computer.backend, await firstParams(config, computer.backend, isNew))
      : lessonSubject({ ...run, config }, await prepare(config, computer.backend, isNew))
    const ready = await readied(subject)
    if (ready) await runTraining(run, ready, computer, options)
  }))
}

/** Runs `work`, then releases the run's folder. */
async function holding<R extends Run>(run: R, work: (run: R) => Promise<void>): Promise<void> {
  try {
    await work(run)
  } finally {
    run.release()
  }
}
