/**
 * TensorBoard event files on disk: `tensorboard --logdir FOLDER` shows what is appended to them while a program runs.
 */
import { mkdir, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeTensorboard, type Summary, type TensorboardEvent } from '../experiment/tensorboard/events.ts'
import { cannotWrite } from './atomic-file.ts'
import { check, isWhole } from '../backends/options.ts'

/** An event file that is open. Every call appends to it at once. */
export type TensorboardFile = {
  /** Writes the summaries of a step. */
  write(step: number, summaries: readonly Summary[]): Promise<void>
  /** Writes the hyperparameters, and the tags of the scalars by which the run is judged; once, before the first step. */
  hyperparameters(values: Readonly<Record<string, number | string | boolean>>, metrics: readonly string[]): Promise<void>
  /** Records that the run has finished. */
  end(): Promise<void>
  close(): Promise<void>
}

/**
 * Begins an event file in a folder, which is created if it does not exist. Earlier files of the same run stay unchanged, but
 * their steps after `from` are declared void, so that the curves of a run resumed at `from` continue properly.
 *
 * @param from iterations already done; default 0
 * @throws if the file cannot be created
 * @example
 * const log = await openTensorboard('out/lizard-1/tensorboard')
 * for await (const { iteration, loss } of train(trainer, { iterations: 2000 })) {
 *   await log.write(iteration, [{ tag: 'loss', scalar: loss }])
 * }
 * await log.close()
 */
export async function openTensorboard(folder: string, from: number = 0): Promise<TensorboardFile> {
  check(isWhole(from), 'openTensorboard', 'from', from, 'a whole number ≥ 0')
  const now = (): number => Date.now() / 1000
  await mkdir(folder, { recursive: true }).catch(cannotWrite(folder))
  // TensorBoard reads the files of a folder in the order of their names, which must be right even if the clock was set back.
  const times = (await readdir(folder)).map(name => Number(/^events\.out\.tfevents\.(\d+\.\d+)\./.exec(name)?.[1] ?? 0))
  const time = Math.max(now(), ...times.map(before => before + 0.001))
  const path = join(folder, `events.out.tfevents.${time.toFixed(3)}.cellgrad.${process.pid}`)
  const file = await open(path, 'a').catch(cannotWrite(path))
  const append = async (event: TensorboardEvent): Promise<void> => {
    await file.appendFile(encodeTensorboard(event)).catch(cannotWrite(path))
  }
  await append({ type: 'file', time: now() })
  if (from > 0) await append({ type: 'restart', time: now(), step: from + 1 })
  return {
    write: (step, summaries) => append({ type: 'summaries', time: now(), step, summaries }),
    hyperparameters: (values, metrics) => append({ type: 'hyperparameters', time: now(), values, metrics }),
    end: () => append({ type: 'end', time: now() }),
    close: () => file.close(),
  }
}
