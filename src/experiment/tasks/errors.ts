/**
 * Metrics as errors, where less is better, so that the best of a run, of a sweep or of a recovery is the least.
 */
import { checkKind, oneOfNames } from '../../backends/options.ts'
import { sub } from '../../tensor/ops/arithmetic.ts'
import type { Lesson, Measure } from './lesson.ts'

/** Metrics for which more is better, from 0 to 1. */
const scores: readonly string[] = ['accuracyOfCells', 'accuracyOfImages', 'totalAgreement', 'dice', 'iou', 'ssim', 'delta1']

/**
 * A metric of a lesson as an error, where less is better: 1 − a score, all others as they are.
 *
 * @throws where the lesson has no such metric
 */
export function errorBy({ task, measures }: Lesson, metric: string): Measure {
  const all: Lesson['measures'] = { loss: task.loss, ...measures }
  checkKind('validate', 'metric', metric, oneOfNames(Object.keys(all)))
  const measure = all[metric]
  return scores.includes(metric) ? (...given) => sub(1, measure(...given)) : measure
}

/** The name of a metric as `errorBy` returns it: `1 − dice`. */
export function errorName(metric: string): string {
  return scores.includes(metric) ? `1 − ${metric}` : metric
}

/** A value of `errorBy` as the metric itself, in words: `dice 0.93`. */
export function metricInWords(metric: string, error: number): string {
  return `${metric} ${Number((scores.includes(metric) ? 1 - error : error).toPrecision(3))}`
}
