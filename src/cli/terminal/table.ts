/**
 * Tables on the terminal, or on the standard output for other programs.
 */
import { word } from '../../experiment/flat.ts'
import { toCsv, toMarkdown, type RunTable } from '../../experiment/runs.ts'
import { columnsOf, printable, say } from './output.ts'

export const tableFormats = ['text', 'markdown', 'csv'] as const

/** Writes a table as text for people, as Markdown, or as CSV. */
export function writeTable(table: RunTable, format: (typeof tableFormats)[number]): void {
  if (format === 'text') alignedLines(table).forEach(line => say(line))
  else process.stdout.write(format === 'csv' ? toCsv(table) : toMarkdown(table))
}

/** The lines of a table with aligned columns; columns of numbers are aligned to the right. */
function alignedLines({ columns, rows }: RunTable): string[] {
  const cells = [columns, ...rows.map(row => row.map(word))].map(row => row.map(cell => printable(cell)))
  const widths = columns.map((_, c) => Math.max(...cells.map(row => columnsOf(row[c]))))
  const right = columns.map((_, c) => rows.every(row => typeof row[c] === 'number' || row[c] === undefined))
  return cells.map(row => row.map((cell, c) => {
    const space = ' '.repeat(widths[c] - columnsOf(cell))
    return right[c] ? space + cell : cell + space
  }).join('  ').trimEnd())
}
