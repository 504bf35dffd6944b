// Rows of numbers as lines of a file.

import fc from 'fast-check'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { tensor } from '../../src/index.ts'
import { appendMetrics } from '../../src/node/index.ts'

const folder = await mkdtemp(join(tmpdir(), 'cellgrad-metrics-'))
afterAll(() => rm(folder, { recursive: true }))
let files = 0
const fresh = (ending: string): string => join(folder, `${files++}.${ending}`)

/** The cells of CSV, by the grammar of RFC 4180. */
function parse(text: string): string[][] {
  const rows: string[][] = [[]]
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|$)/g)) {
    rows.at(-1)!.push(quoted?.replaceAll('""', '"') ?? plain)
    if (end === '\n') rows.push([])
  }
  return rows.slice(0, -1)
}

it('are JSON lines, or CSV with a head, that read back as they were', async () => {
  const value = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.string(), fc.boolean(), fc.constant(null))
  const rows = fc.array(fc.tuple(value, value), { minLength: 1, maxLength: 4 })
  await fc.assert(fc.asyncProperty(rows, fc.string({ minLength: 1 }).filter(name => name !== 'a' && name !== '__proto__'), async (list, name) => {
    const [csv, jsonl] = [fresh('csv'), fresh('jsonl')]
    for (const [a, b] of list) {
      const row = { a, [name]: b }
      await appendMetrics(csv, row)
      await appendMetrics(jsonl, row)
    }
    const names = Object.keys({ a: 0, [name]: 0 })
    const cells = list.map(([a, b]) => names.map(n => String((n === 'a' ? a : b) ?? '')))
    expect(parse(await readFile(csv, 'utf8'))).toEqual([names, ...cells])
    const lines = (await readFile(jsonl, 'utf8')).trimEnd().split('\n')
    expect(lines.map(line => JSON.parse(line) as object)).toEqual(list.map(([a, b]) => JSON.parse(JSON.stringify({ a, [name]: b })) as object))
  }))
})

it('are refused if they cannot be written', async () => {
  await expect(appendMetrics('a.txt', { a: 1 })).rejects.toThrow('appendMetrics: path is "a.txt", expected a name that ends with .jsonl or .csv.')
  await expect(appendMetrics(fresh('csv'), {})).rejects.toThrow('appendMetrics: row is {}')
  await expect(appendMetrics(fresh('csv'), { loss: tensor(1) as never })).rejects.toThrow('appendMetrics: loss is a tensor [] float32, expected a number')
  await expect(appendMetrics(join(folder, 'none', 'a.csv'), { a: 1 })).rejects.toThrow('metrics: cannot write')
  const path = fresh('csv')
  await appendMetrics(path, { a: 1, b: 2 })
  await expect(appendMetrics(path, { b: 1, a: 2 })).rejects.toThrow('has other columns than this row, which has b, a.')
  await expect(appendMetrics(path, { a: 1 })).rejects.toThrow('has other columns')
  expect(await readFile(path, 'utf8')).toBe('a,b\n1,2\n')
  const other = fresh('csv')
  await writeFile(other, 'text')
  await expect(appendMetrics(other, { a: 1 })).rejects.toThrow('has other columns')
})
