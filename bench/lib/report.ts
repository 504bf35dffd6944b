/**
 * Results: a table is a list of objects, one per row, and is written as Markdown, CSV and JSON.
 */
import { writeFileAtomic } from '../../src/node/atomic-file.ts'
import { machine } from './machine.ts'

export type Row = Readonly<Record<string, string | number>>

export type Table = {
  /** Name of the files: cpu-NAME.md and so on, or webgpu-NAME.md. */
  readonly name: string
  /** The GPU that it was measured on; absent for the CPU. */
  readonly adapter?: string
  readonly title: string
  readonly rows: readonly Row[]
  /** Notes for the reader. */
  readonly notes: readonly string[]
  /** The single measurements from which the rows are computed; only in the JSON file. */
  readonly rounds?: readonly unknown[]
}

export async function writeTable(folder: string, table: Table): Promise<void> {
  const { title, rows, notes, rounds, adapter } = table
  const name = `${adapter === undefined ? 'cpu' : 'webgpu'}-${table.name}`
  const where = adapter === undefined ? machine : `GPU: ${adapter}. Machine: ${machine}`
  const columns = [...new Set(rows.flatMap(row => Object.keys(row)))]
  const cells = (show: (value: string | number) => string): string[][] =>
    rows.map(row => columns.map(column => show(row[column] ?? '')))
  const line = (values: readonly string[]): string => `| ${values.join(' | ')} |`
  const markdown = [
    `# ${title}`, '', where + '.', '', line(columns), line(columns.map(() => '---')), ...cells(short).map(line), '',
    ...notes.map(note => `- ${note}`),
  ]
  const csv = [columns, ...cells(value => String(rounded('', value)))].map(values => values.map(quoted).join(','))
  await writeFileAtomic(`${folder}/${name}.md`, markdown.join('\n') + '\n')
  await writeFileAtomic(`${folder}/${name}.csv`, csv.join('\n') + '\n')
  const json = JSON.stringify({ title, adapter, machine, notes, rows, rounds }, rounded, 2)
  await writeFileAtomic(`${folder}/${name}.json`, json + '\n')
  console.log(`\n${markdown.join('\n')}\n`)
}

/** A number with three digits, more than a timing is worth. */
function short(value: string | number): string {
  if (typeof value === 'string') return value
  if (Number.isNaN(value)) return 'not measured'
  if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential(1)
  return Number(Math.abs(value) < 1000 ? value.toPrecision(3) : Math.round(value)).toLocaleString('en-US')
}

/** A number with six digits, in files for programs. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(6)) : value
}

function quoted(value: string): string {
  return /[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value
}

/** '19.6 %' */
export function percent(fraction: number): string {
  return `${Number((100 * fraction).toPrecision(3))} %`
}
