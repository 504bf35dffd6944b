// What the docs say of files is what is read: every field of every table, with its default and its range.

import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { fieldsPage } from './fields-page.ts'

it('the page of fields is that of the tables (npx vitest run tests/experiment/docs.test.ts -u writes it anew)', async () => {
  await expect(fieldsPage()).toMatchFileSnapshot('../../docs/fields.md')
})

it('the page of fields has what each must be, what it is otherwise, and what it means', () => {
  const rows = readFileSync('docs/fields.md', 'utf8').split('\n').filter(line => line.startsWith('| `')).map(line => line.slice(2, -2).split(/(?<!\\)\|/).map(cell => cell.trim()))
  expect(rows.length).toBeGreaterThan(120)
  for (const [path, what, , about] of rows) expect([path, what !== '' && !what.includes('undefined'), about !== '']).toEqual([path, true, true])
})
