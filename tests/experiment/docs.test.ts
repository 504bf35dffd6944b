// The docs about files agree with the code that reads them: every field of every table, with its default and its range.

import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { fieldsPage } from './fields-page.ts'

it('the page of fields agrees with the tables (npx vitest run tests/experiment/docs.test.ts -u writes it again)', async () => {
  await expect(fieldsPage()).toMatchFileSnapshot('../../docs/fields.md')
})

it('the page of fields has the range, the default and the meaning of each', () => {
  const rows = readFileSync('docs/fields.md', 'utf8').split('\n').filter(line => line.startsWith('| `')).map(line => line.slice(2, -2).split(/(?<!\\)\|/).map(cell => cell.trim()))
  expect(rows.length).toBeGreaterThan(120)
  for (const [path, what, , about] of rows) expect([path, what !== '' && !what.includes('undefined'), about !== '']).toEqual([path, true, true])
})
