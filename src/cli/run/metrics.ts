/**
 * metrics.jsonl: one JSON object per iteration, in order, each iteration once.
 *
 * Lines are appended as they come and synced before a checkpoint is written, so the file is never behind the
 * checkpoint. It may be ahead of it, or end in half a line, if the process was killed: opening it again cuts it back to
 * where the checkpoint stands. Lines that something else has spoilt are left out; what is lost is a point of the curve.
 */
import { open, readFile } from 'node:fs/promises'
import { isNumber, isObject, isWhole } from '../../backends/options.ts'
import { cannotWrite, writeFileAtomic } from '../../node/atomic-file.ts'

export type Metric = {
  readonly iteration: number
  readonly loss: number
  readonly log10Loss: number
  readonly gradNorm: number
  /** How far the critic finds real and made images apart, where there is one. */
  readonly distance?: number
  /** Steps of the rollout, and the learning rate. */
  readonly steps: number
  readonly rate: number
  /** Seconds spent in training, interruptions not counted. */
  readonly seconds: number
  /** What the last validation said, where there was one. */
  readonly validation?: number
}

export type MetricsLog = {
  /** All there is in the file. */
  readonly metrics: readonly Metric[]
  /** The lines that could not be read when it was opened, counted from 1. They are not in the file any more. */
  readonly unreadable: readonly number[]
  append(progress: Omit<Metric, 'log10Loss' | 'validation'> & { readonly validation?: number | null }): Promise<void>
  /** Forces what was appended to the disk. */
  sync(): Promise<void>
  close(): Promise<void>
}

/** Opens the log of a run that stands at `iteration`. */
export async function openMetrics(path: string, iteration: number): Promise<MetricsLog> {
  const content = await readFile(path, 'utf8').catch(() => '')
  const { metrics, unreadable, text } = parseUpTo(iteration, content)
  if (text !== content) await writeFileAtomic(path, text)
  const file = await open(path, 'a').catch(cannotWrite(path))
  const before = metrics.at(-1)?.seconds ?? 0
  return {
    metrics,
    unreadable,
    async append({ iteration, loss, gradNorm, distance, steps, rate, seconds, validation }) {
      const judged = validation === null || validation === undefined ? {} : { validation }
      const apart = distance === undefined ? {} : { distance }
      const metric = { iteration, loss, log10Loss: Math.log10(loss), gradNorm, ...apart, steps, rate, seconds: before + seconds, ...judged }
      metrics.push(metric)
      await file.appendFile(`${JSON.stringify(metric)}\n`).catch(cannotWrite(path))
    },
    sync: () => file.sync().catch(cannotWrite(path)),
    close: () => file.close(),
  }
}

/** All iterations of a file that may still be written. */
export function parseMetrics(content: string): readonly Metric[] {
  return parseUpTo(Infinity, content).metrics
}

/** The whole lines up to an iteration, each iteration once. */
function parseUpTo(
  iteration: number, content: string,
): { metrics: Metric[]; unreadable: number[]; text: string } {
  const metrics: Metric[] = []
  const unreadable: number[] = []
  const lines = content.split('\n').slice(0, -1)
  let text = ''
  for (const [i, line] of lines.entries()) {
    const metric = parseMetric(line)
    if (metric && metric.iteration > iteration) break
    if (metric && metric.iteration > (metrics.at(-1)?.iteration ?? 0)) {
      metrics.push(metric)
      text += `${line}\n`
    } else unreadable.push(i + 1)
  }
  return { metrics, unreadable, text }
}

function parseMetric(line: string): Metric | null {
  try {
    const x: unknown = JSON.parse(line)
    return isObject(x) && isWhole(x.iteration, 1) && isNumber(x.loss) && isNumber(x.seconds) ? x as Metric : null
  } catch {
    return null
  }
}

/** How good a run is: by the best of its validations, or, where there were none, by its recent loss. Less is better. */
export function resultOf(metrics: readonly Metric[]): number {
  const judged = metrics.flatMap(({ validation }) => validation ?? [])
  return judged.length > 0 ? judged.reduce((a, b) => Math.min(a, b)) : recentLoss(metrics)
}

/** So many of the last iterations say what the loss of a run is. */
export const recent = 100

/** The mean loss of the last hundred iterations, which hops less than the last one. */
export function recentLoss(metrics: readonly Metric[]): number {
  const last = metrics.slice(-recent)
  return last.reduce((sum, { loss }) => sum + loss, 0) / last.length
}
