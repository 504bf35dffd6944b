/**
 * Tables on the terminal.
 */
import { word } from '../../experiment/flat.ts'
import type { RunTable } from '../../experiment/runs.ts'
import { columnsOf, printable } from './output.ts'

/** A table with its columns below one another; numbers stand at the right of theirs. */
export function alignedLines({ columns, rows }: RunTable): string[] {
  const cells = [columns, ...rows.map(row => row.map(word))].map(row => row.map(cell => printable(cell)))
  const widths = columns.map((_, c) => Math.max(...cells.map(row => columnsOf(row[c]))))
  const right = columns.map((_, c) => rows.every(row => typeof row[c] === 'number' || row[c] === undefined))
  return cells.map(row => row.map((cell, c) => {
    const space = ' '.repeat(widths[c] - columnsOf(cell))
    return right[c] ? space + cell : cell + space
  }).join('  ').trimEnd())
}
