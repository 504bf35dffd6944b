/**
 * From a place in JavaScript to the line of the script that it comes from.
 *
 * A source map (ECMA-426) has segments of numbers for each line of the generated text: generated column, source file, source
 * line, source column, each as the difference to its value in the segment before. Generated columns begin anew with each line.
 * A number is written in base-64 digits, the lowest first: each has five bits of it, and a sixth bit that says whether more
 * digits follow; the lowest bit of the number is its sign.
 */

const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** A place in a text; lines and columns are counted from 1. */
export type Place = { readonly line: number; readonly column: number }

/** The line of the source, counted from 1, that a place of the generated text comes from; null if the map has none. */
export function sourceLine(mappings: string, { line, column }: Place): number | null {
  let source = 0
  let found: number | null = null
  for (const [i, text] of mappings.split(';').slice(0, line).entries()) {
    let at = 0
    for (const segment of text === '' ? [] : text.split(',')) {
      const [dColumn, , dLine] = numbers(segment)
      at += dColumn
      source += dLine ?? 0
      if (i === line - 1 && (found === null || at < column)) found = source + 1
    }
  }
  return found
}

function numbers(segment: string): number[] {
  const all: number[] = []
  let [number, shift] = [0, 0]
  for (const digit of segment) {
    const bits = digits.indexOf(digit)
    number += (bits & 31) << shift
    shift += 5
    if (bits & 32) continue
    all.push(number & 1 ? -(number >> 1) : number >> 1)
    ;[number, shift] = [0, 0]
  }
  return all
}
