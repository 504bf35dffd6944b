/**
 * The report of a sweep: the candidates ranked by their results, the importance of each field, and what failed.
 */
import { digits, word, type Json } from '../flat.ts'
import { toMarkdown, type RunTable } from '../runs.ts'
import type { Point } from './fields.ts'
import { importanceOf } from './importance.ts'

/** A trained candidate: its iterations, and a result for each seed; null for a run that failed. */
export type Candidate = {
  readonly point: Point
  readonly iterations: number
  readonly values: readonly (number | null)[]
}

/** A candidate with the mean and the standard deviation of its results over seeds; null if a run has failed. */
export type Judged = Candidate & { readonly mean: number | null; readonly std: number | null }

/**
 * The mean of some numbers and their sample standard deviation (n − 1), 0 for a single number.
 *
 * @example meanAndStd([1, 3])   // { mean: 2, std: 1.414… }
 */
export function meanAndStd(values: readonly number[]): { mean: number; std: number } {
  const mean = values.reduce((a, b) => a + b, 0) / values.length
  const squares = values.reduce((sum, x) => sum + (x - mean) ** 2, 0)
  return { mean, std: values.some(x => x !== values[0]) ? Math.sqrt(squares / (values.length - 1)) : 0 }
}

/**
 * Candidates from best to worst: those that were trained longest come first, then lower results; those that failed come last.
 */
export function ranked(candidates: readonly Candidate[]): Judged[] {
  const judged = candidates.map((candidate): Judged => {
    const values = candidate.values.filter(x => x !== null)
    const failed = values.length < candidate.values.length || values.length === 0
    return { ...candidate, ...(failed ? { mean: null, std: null } : meanAndStd(values)) }
  })
  return judged.sort((a, b) => (
    Number(a.mean === null) - Number(b.mean === null) || b.iterations - a.iterations || (a.mean ?? 0) - (b.mean ?? 0)
  ))
}

/**
 * Positions of results on a logarithmic scale. Results that are not above 0, perfect ones, are put at a tenth of the least
 * positive one.
 *
 * @example onLogScale([0.5, 0, 0.1])(0)   // 0.01
 */
export function onLogScale(results: readonly number[]): (x: number) => number {
  const floor = results.filter(x => x > 0).reduce((a, b) => Math.min(a, b), Infinity) / 10
  return x => (x > 0 ? x : Number.isFinite(floor) ? floor : 1)
}

/** How much of the variance of the logarithms of all results, one for each seed, each field explains, see `importanceOf`. */
export function importanceIn(judged: readonly Judged[]): Record<string, number> {
  const results = judged.filter(({ mean }) => mean !== null).flatMap(({ point, values }) => values.map(value => ({ point, value: value! })))
  const place = onLogScale(results.map(({ value }) => value))
  return importanceOf(results.map(({ point, value }) => ({ point, value: Math.log10(place(value)) })))
}

/**
 * The candidates as a table: their fields, iterations, mean ± standard deviation.
 *
 * @param measure the name of the results
 */
export function sweepTable(judged: readonly Judged[], measure: string = 'loss'): RunTable {
  const paths = [...new Set(judged.flatMap(({ point }) => Object.keys(point)))]
  return {
    columns: [...paths, 'iterations', measure],
    rows: judged.map(({ point, iterations, mean, std, values }): (Json | undefined)[] => [
      ...paths.map(path => digits(point[path], 4)), iterations,
      mean === null ? 'failed' : `${word(digits(mean, 3))}${values.length > 1 ? ` ± ${word(digits(std!, 3))}` : ''}`,
    ]),
  }
}

/**
 * A sweep's report as Markdown; pictures are linked as files beside it.
 *
 * @param failures the messages of failed runs, by their names
 * @param notes sentences on why the sweep is incomplete: a spent budget, a sweep that was stopped
 * @param measure the name of the results
 */
export function sweepReport(
  title: string, judged: readonly Judged[], failures: Readonly<Record<string, string>>, pictures: readonly string[], notes: readonly string[] = [],
  measure: string = 'loss',
): string {
  const importance = Object.entries(importanceIn(judged))
  const best = judged.find(({ mean }) => mean !== null)
  const lines = [
    `# ${title}`, '',
    ...(best ? [`Best: ${inWords(best.point)}, ${measure} ${word(digits(best.mean!, 3))}.`, ''] : []),
    ...notes.flatMap(note => [note, '']),
    toMarkdown(sweepTable(judged, measure)),
    ...(importance.length > 0 ? [
      `How much of the variance of the logarithm of ${measure} each field explains by itself:`, '',
      toMarkdown({ columns: ['field', 'share'], rows: importance.map(([path, share]) => [path, `${Math.round(100 * share)} %`]) }),
    ] : []),
    ...pictures.flatMap(name => [`![${name}](${name})`, '']),
    ...Object.entries(failures).map(([name, why]) => `- ${name} failed: ${why}`),
  ]
  return `${lines.join('\n').trimEnd()}\n`
}

/** A point in words, with four digits: `train.batch 8, train.rate 0.003162`. */
export function inWords(point: Point): string {
  return Object.entries(point).map(([path, value]) => `${path} ${word(digits(value, 4))}`).join(', ')
}
