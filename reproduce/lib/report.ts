/**
 * The report of a reproduction: its numbers, and the text around their table. With several seeds each number is
 *
 *   mean ± s        s = √(1/(n − 1) Σ (x − mean)²), the sample standard deviation
 *
 * over the seeds, with as many decimals as their numbers have; values that are the same for all seeds stay as they are.
 */
import type { Context, Row } from './context.ts'

export type Report = {
  /** The same rows and columns for every seed. */
  readonly rows: readonly Row[]
  /** The text in Markdown, around the table of the rows; it also gets the rows of all seeds as one list. */
  readonly text: (numbers: string, rows: readonly Row[]) => string
}

/** The text of several seeds' reports: that of the first seed, with the numbers of all. */
export function textOf(reports: readonly Report[], seeds: readonly number[]): string {
  const rows = together(reports.map(({ rows }) => rows)), numbers = table(rows)
  const [first] = seeds
  const note = `Mean ± standard deviation of ${inWords(seeds)}. Pictures, curves, and what else is said below are of seed ${first}.`
  return reports[0].text(seeds.length === 1 ? numbers : `${numbers}\n\n${note}`, rows)
}

/** Rows for a file; with several seeds, each row has its seed. */
export function rowsOf(reports: readonly Report[], seeds: readonly number[]): Row[] {
  return reports.flatMap(({ rows }, i) => rows.map(row => (seeds.length === 1 ? row : { seed: seeds[i], ...row })))
}

/** The rows of several seeds as one list, in which numbers that differ become mean ± deviation. */
export function together(several: readonly (readonly Row[])[]): Row[] {
  if (several.some(rows => rows.length !== several[0].length)) throw new Error('reproduce: the seeds do not have the same rows.')
  return several[0].map((row, i) => Object.fromEntries(Object.keys(row).map(column => [
    column, spread(several.map(rows => rows[i][column]), column),
  ])))
}

function spread(values: readonly (string | number)[], column: string): string | number {
  if (values.every(v => v === values[0])) return values[0]
  const numbers = values.map(Number), n = numbers.length
  if (numbers.some(Number.isNaN)) throw new Error(`reproduce: ${column} is ${values.join(', ')}, expected numbers or the same for every seed.`)
  const digits = Math.max(...values.map(v => String(v).split('.')[1]?.length ?? 0))
  const mean = numbers.reduce((a, b) => a + b) / n
  const deviation = Math.sqrt(numbers.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (n - 1))
  return `${mean.toFixed(digits)} ± ${deviation.toFixed(digits)}`
}

/** 'one seed (0)', 'seeds 0, 1 and 2' */
export function seedsInWords({ seeds }: Context): string {
  return seeds.length === 1 ? `one seed (${seeds[0]})` : inWords(seeds)
}

function inWords(seeds: readonly number[]): string {
  return `seeds ${seeds.slice(0, -1).join(', ')} and ${seeds.at(-1)}`
}

function table(rows: readonly Row[]): string {
  const columns = Object.keys(rows[0])
  const line = (cells: readonly unknown[]): string => `| ${cells.join(' | ')} |`
  return [line(columns), line(columns.map(() => '---')), ...rows.map(row => line(columns.map(c => row[c])))].join('\n')
}
