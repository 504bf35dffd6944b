/**
 * Metrics on disk: a line for each row of numbers, as JSON (.jsonl) or as CSV (.csv), for spreadsheets, pandas and
 * plotters. Each line is appended at once, so a file is complete up to its last line whatever happens to the program.
 */
import { open } from 'node:fs/promises'
import { extname } from 'node:path'
import { check, isObject } from '../backends/options.ts'
import { csvLine } from '../experiment/runs.ts'

/** A row: texts, numbers and booleans by name; null for a missing value. */
export type MetricRow = Readonly<Record<string, number | string | boolean | null>>

/**
 * Appends a row to a file, which is created if it does not exist. A CSV file begins with the names of its columns, which are
 * those of the first row. Numbers that JSON lacks (NaN, ∞) are null in JSON and words in CSV.
 *
 * @throws if the name ends with neither .jsonl nor .csv, a row has other columns than the file, or the file cannot be written
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

/** The row as CSV (RFC 4180); if the file is empty, after a line with the names of the columns. */
async function csvLines(file: Awaited<ReturnType<typeof open>>, path: string, row: MetricRow): Promise<string> {
  const names = csvLine(Object.keys(row))
  const { buffer, bytesRead } = await file.read(Buffer.alloc(Buffer.byteLength(names)), { position: 0 })
  if (bytesRead > 0 && buffer.toString('utf8', 0, bytesRead) !== names) {
    throw new Error(`metrics: ${path} has other columns than this row, which has ${Object.keys(row).join(', ')}.`)
  }
  return (bytesRead > 0 ? '' : names) + csvLine(Object.values(row).map(value => String(value ?? '')))
}
