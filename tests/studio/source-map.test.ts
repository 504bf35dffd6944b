// From a place in JavaScript to the line of the script: the same as Node reads from the same source map, at every place.

import { SourceMap } from 'node:module'
import ts from 'typescript'
import { expect, it } from 'vitest'
import { examples } from '../../studio/src/rooms/tape/examples.ts'
import { sourceLine } from '../../studio/src/rooms/tape/source-map.ts'

it.each(examples)('finds the lines of the script $name', ({ text }) => {
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.CommonJS, sourceMap: true }
  const { outputText, sourceMapText } = ts.transpileModule(`// A comment\ntype Gone = {\n  readonly x: 1\n}\n\n${text}`, { compilerOptions })
  const payload = JSON.parse(sourceMapText!) as ConstructorParameters<typeof SourceMap>[0]
  const map = new SourceMap(payload)
  const places = outputText.split('\n').flatMap((code, i) => Array.from(code, (_, column) => {
    const entry = map.findEntry(i, column)
    // Before the first place of a line Node finds the last one of an earlier line.
    return 'originalLine' in entry && entry.generatedLine === i ? [{ line: i + 1, column: column + 1, from: entry.originalLine + 1 }] : []
  })).flat()
  expect(places.length).toBeGreaterThan(50)
  expect(places.map(({ line, column }) => ({ line, column, from: sourceLine(payload.mappings, { line, column }) }))).toEqual(places)
})

it('finds no line for a text without a source', () => {
  expect(sourceLine(';;AAAA', { line: 1, column: 1 })).toBe(null)
  expect(sourceLine('', { line: 7, column: 1 })).toBe(null)
  expect(sourceLine(';;AAAA', { line: 3, column: 40 })).toBe(1)
})
