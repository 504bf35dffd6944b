/**
 * Metrics on disk: a line for each row of numbers, as JSON (.jsonl) or as CSV (.csv), which spreadsheets, pandas and
 * plotters read. A line is appended at once, so a file is whole up to its last line whatever happens to the program.
 */
import { open } from 'node:fs/promises'
import { extname } from 'node:path'
import { check, isObject } from '../backends/options.ts'
import { csvLine } from '../experiment/runs.ts'

/** A row: text, numbers and truths by name; null for what there is not. */
export type MetricRow = Readonly<Record<string, number | string | boolean | null>>

/**
 * Appends a row to a file, which is made if it is not there. A CSV file begins with the names of its columns, which are
 * those of the first row; numbers that JSON lacks (NaN, ∞) are null there and words in CSV.
 *
 * @throws where the name ends with neither .jsonl nor .csv, a row has other columns than the file, or it cannot be written
 * @example
 * for await (const { iteration, loss, validation } of train(trainer, { iterations: 2000 })) {
 *   await appendMetrics('run.csv', { iteration, loss, validation })
 * }
 */
export async function appendMetrics(path: string, row: MetricRow): Promise<void> {
  const kind = extname(path)
  check(kind === '.jsonl' || kind === '.csv', 'appendMetrics', 'path', path, 'a name that ends with .jsonl or .csv')
  check(isObject(row) && Object.keys(row).length > 0, 'appendMetrics', 'row', row, 'numbers and words by name')
  for (const [name, value] of Object.entries(row)) {
    const fits = value === null || ['number', 'string', 'boolean'].includes(typeof value)
    check(fits, 'appendMetrics', name, value, 'a number, a text, true, false or null; read a tensor with await x.item()')
  }
  const file = await open(path, 'a+').catch((cause: Error) => {
    throw new Error(`metrics: cannot write ${path} (${cause.message})`, { cause })
  })
  try {
    await file.appendFile(kind === '.jsonl' ? `${JSON.stringify(row)}\n` : await csvLines(file, path, row))
  } finally {
    await file.close()
  }
}

/** The row as CSV (RFC 4180), after the names of the columns where the file is empty. */
async function csvLines(file: Awaited<ReturnType<typeof open>>, path: string, row: MetricRow): Promise<string> {
  const names = csvLine(Object.keys(row))
  const { buffer, bytesRead } = await file.read(Buffer.alloc(Buffer.byteLength(names)), { position: 0 })
  if (bytesRead > 0 && buffer.toString('utf8', 0, bytesRead) !== names) {
    throw new Error(`metrics: ${path} has other columns than this row, which has ${Object.keys(row).join(', ')}.`)
  }
  return (bytesRead > 0 ? '' : names) + csvLine(Object.values(row).map(value => String(value ?? '')))
}
