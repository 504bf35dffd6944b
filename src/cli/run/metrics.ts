/**
 * metrics.jsonl: one JSON object for each iteration, in order, each iteration once.
 *
 * Lines are appended as they come and synced before a checkpoint is written, so the file is never behind the
 * checkpoint. If the process was killed, it may be ahead of the checkpoint, or end in half a line: opening it again cuts it back
 * to the iteration of the checkpoint. Lines that are otherwise damaged are left out; each costs one point of the curve.
 */
import { open, readFile } from 'node:fs/promises'
import { isNumber, isObject, isWhole } from '../../backends/options.ts'
import { cannotWrite, writeFileAtomic } from '../../node/atomic-file.ts'

export type Metric = {
  readonly iteration: number
  readonly loss: number
  readonly log10Loss: number
  readonly gradNorm: number
  /** The critic's estimate of the distance between real and made images, if there is a critic. */
  readonly distance?: number
  /** Steps of the rollout, and the learning rate. */
  readonly steps: number
  readonly rate: number
  /** Seconds spent in training, without interruptions. */
  readonly seconds: number
  /** The result of the last validation, if there was one. */
  readonly validation?: number
}

export type MetricsLog = {
  /** Everything in the file. */
  readonly metrics: readonly Metric[]
  /** The lines that could not be read when it was opened, counted from 1. They are not in the file any more. */
  readonly unreadable: readonly number[]
  append(progress: Omit<Metric, 'log10Loss' | 'validation'> & { readonly validation?: number | null }): Promise<void>
  /** Forces what was appended to the disk. */
  sync(): Promise<void>
  close(): Promise<void>
}

/** Opens the log of a run whose checkpoint is at `iteration`. */
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

/** All iterations of a file, which may be growing at this moment. */
export function parseMetrics(content: string): readonly Metric[] {
  return parseUpTo(Infinity, content).metrics
}

/** The complete lines up to an iteration, each iteration once. */
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

/** The result of a run, of which less is better: the best of its validations or, if there were none, its recent loss. */
export function resultOf(metrics: readonly Metric[]): number {
  const judged = metrics.flatMap(({ validation }) => validation ?? [])
  return judged.length > 0 ? judged.reduce((a, b) => Math.min(a, b)) : recentLoss(metrics)
}

/** The number of last iterations over which the loss of a run is averaged. */
export const recent = 100

/** The mean loss of the last hundred iterations, which is less noisy than that of the last one. */
export function recentLoss(metrics: readonly Metric[]): number {
  const last = metrics.slice(-recent)
  return last.reduce((sum, { loss }) => sum + loss, 0) / last.length
}
