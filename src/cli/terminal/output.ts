/**
 * Words on the terminal: escaped, so that no name of a file or of a picture can steer it, and broken between words.
 *
 * A picture, a bar and a page of help are written as they are: they consist of nothing that a user has named.
 */
import { stripVTControlCharacters } from 'node:util'
import { inLine } from '../../backends/options.ts'

type Output = { readonly isTTY?: boolean; readonly columns?: number; write(text: string): unknown }

/** Says a line, or several where it is wider than the terminal. */
export function say(line: string, output: Output = process.stdout): void {
  output.write(`${wrap(printable(line), widthOf(output)).join('\n')}\n`)
}

/** Says what went wrong. */
export function complain(line: string): void {
  say(line, process.stderr)
}

/** Columns of a terminal; whatever else a line goes to has no end. */
export function widthOf({ isTTY, columns }: Output): number {
  return isTTY && columns ? columns : Infinity
}

/**
 * A text in which nothing moves the cursor, colours, breaks the line, or turns the direction of writing around.
 *
 * @example printable('a\x1b[2Jb')   // 'a\\u001b[2Jb'
 */
export function printable(text: string): string {
  return inLine(text, Infinity)
}

/**
 * A line as lines of at most `width` columns, broken at spaces; a longer word keeps a line of its own. Lines go on where
 * their text began: behind the indentation or, in a table, below the last column. A line that is indented and has no
 * columns is a command to be copied, and stays whole.
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

/** Columns that a text takes: emoji and East Asian characters take two, colours none. */
export function columnsOf(text: string): number {
  let columns = 0
  for (const { segment } of graphemes.segment(stripVTControlCharacters(text))) columns += wide.test(segment) ? 2 : 1
  return columns
}
