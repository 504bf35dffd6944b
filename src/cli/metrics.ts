/**
 * metrics.jsonl: one JSON object per iteration, in order, each iteration once.
 *
 * Lines are appended as they come and synced before a checkpoint is written, so the file is never behind the
 * checkpoint. It may be ahead of it, or end in half a line, if the process was killed: opening it again cuts it back to
 * where the checkpoint stands.
 */
import { open, readFile } from 'node:fs/promises'
import type { Progress } from '../nca/training/train.ts'

export type Metric = {
  readonly iteration: number
  readonly loss: number
  readonly log10Loss: number
  readonly gradNorm: number
  /** Steps of the rollout, and the learning rate. */
  readonly steps: number
  readonly rate: number
  /** Seconds spent in training, interruptions not counted. */
  readonly seconds: number
}

export type MetricsLog = {
  /** All there is in the file. */
  readonly metrics: readonly Metric[]
  append(progress: Omit<Progress<unknown>, 'state'>): Promise<void>
  /** Forces what was appended to the disk. */
  sync(): Promise<void>
  close(): Promise<void>
}

/** Opens the log of a run that stands at `iteration`. */
export async function openMetrics(path: string, iteration: number): Promise<MetricsLog> {
  const { metrics, bytes } = parseUpTo(iteration, await readFile(path).catch(() => Buffer.alloc(0)))
  const file = await open(path, 'a')
  await file.truncate(bytes)
  const before = metrics.at(-1)?.seconds ?? 0
  return {
    metrics,
    async append({ iteration, loss, gradNorm, steps, rate, seconds }) {
      const metric = { iteration, loss, log10Loss: Math.log10(loss), gradNorm, steps, rate, seconds: before + seconds }
      metrics.push(metric)
      await file.appendFile(`${JSON.stringify(metric)}\n`)
    },
    sync: () => file.sync(),
    close: () => file.close(),
  }
}

/** The whole lines up to an iteration, and how many bytes they take. */
function parseUpTo(iteration: number, content: Buffer): { metrics: Metric[]; bytes: number } {
  const metrics: Metric[] = []
  let bytes = 0
  for (let end = content.indexOf('\n'); end >= 0; end = content.indexOf('\n', bytes)) {
    const metric = JSON.parse(content.toString('utf8', bytes, end)) as Metric
    if (metric.iteration > iteration) break
    metrics.push(metric)
    bytes = end + 1
  }
  return { metrics, bytes }
}

/** The mean loss of the last hundred iterations, which hops less than the last one. */
export function recentLoss(metrics: readonly Metric[]): number {
  const recent = metrics.slice(-100)
  return recent.reduce((sum, { loss }) => sum + loss, 0) / recent.length
}
