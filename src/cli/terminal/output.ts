/**
 * Text on the terminal: escaped, so that the name of a file or a picture cannot control the terminal, and wrapped between words.
 *
 * Pictures, progress bars and help pages are not escaped: they contain no names from users.
 */
import { stripVTControlCharacters } from 'node:util'
import { inLine } from '../../backends/options.ts'

type Output = { readonly isTTY?: boolean; readonly columns?: number; write(text: string): unknown }

/** Prints a line, wrapped if it is wider than the terminal. */
export function say(line: string, output: Output = process.stdout): void {
  output.write(`${wrap(printable(line), widthOf(output)).join('\n')}\n`)
}

/** Prints an error. */
export function complain(line: string): void {
  say(line, process.stderr)
}

/** The columns of a terminal; Infinity for any other output. */
export function widthOf({ isTTY, columns }: Output): number {
  return isTTY && columns ? columns : Infinity
}

/**
 * A text with its control characters escaped: nothing in it can move the cursor, set colours, break the line, or reverse the
 * direction of writing.
 *
 * @example printable('a\x1b[2Jb')   // 'a\\u001b[2Jb'
 */
export function printable(text: string): string {
  return inLine(text, Infinity)
}

/**
 * Wraps a line at spaces into lines of at most `width` columns; a longer word gets a line of its own. In a table, further lines
 * are indented to its last column. An indented line that is not part of a table is a command to copy, and is not wrapped.
 */
export function wrap(line: string, width: number): string[] {
  if (columnsOf(line) <= width) return [line]
  const table = /^\s*\S.*\s{2,}(?=\S)/.exec(line)?.[0]
  if (table === undefined && line.startsWith(' ')) return [line]
  const head = table !== undefined && columnsOf(table) < width / 2 ? table : ''
  const indent = ' '.repeat(columnsOf(head))
  const lines: string[] = []
  let last = ''
  for (const word of line.slice(head.length).split(' ')) {
    const longer = last === '' ? word : `${last} ${word}`
    if (last !== '' && indent.length + columnsOf(longer) > width) {
      lines.push(last)
      last = word
    } else last = longer
  }
  return [...lines, last].map((text, i) => (i === 0 ? head : indent) + text)
}

const graphemes = new Intl.Segmenter()
const wide = /\p{Emoji_Presentation}|\ufe0f|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/u

/** The columns that a text takes: emoji and East Asian characters take two, colour codes none. */
export function columnsOf(text: string): number {
  let columns = 0
  for (const { segment } of graphemes.segment(stripVTControlCharacters(text))) columns += wide.test(segment) ? 2 : 1
  return columns
}
