/**
 * Parts of command lines that the user can copy: the way this program was called, and words quoted for a shell.
 */
import { relative } from 'node:path'
import { printable } from '../terminal/output.ts'

/** The beginning of a command line that calls this program in the same way again. */
export function invocation(): string {
  const script = process.argv[1]
  if (script.endsWith('.ts')) return `node --import tsx ${quoted(relative('', script))}`
  if (script.includes('node_modules')) return 'npx cellgrad'
  return script.endsWith('.js') ? `node ${quoted(relative('', script))}` : 'cellgrad'
}

/** A word quoted for a shell; one with unprintable characters has the form $'…' of bash, zsh and POSIX 2024. */
export function quoted(word: string): string {
  if (/^(?:[\p{L}\p{N}\p{Extended_Pictographic}_./:=@%+,-]|\u200d|\ufe0f)+$/u.test(word)) return word
  if (printable(word) === word) return `'${word.replaceAll("'", "'\\''")}'`
  return `$'${printable(word.replaceAll(/[\\']/g, String.raw`\$&`))}'`
}
