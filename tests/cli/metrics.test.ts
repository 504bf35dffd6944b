import { readFile, writeFile } from 'node:fs/promises'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { openMetrics, recentLoss } from '../../src/cli/run/metrics.ts'
import { temporaryFolder } from './run.ts'

const folder = temporaryFolder()
const progress = (iteration: number): Parameters<Awaited<ReturnType<typeof openMetrics>>['append']>[0] =>
  ({ iteration, loss: 1 / iteration, gradNorm: 2, steps: 64, rate: 1e-3, seconds: 1 })

it('cut off after any byte and opened at any iteration that is whole, the file holds each iteration once', async () => {
  await fc.assert(fc.asyncProperty(fc.nat(8), fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(8), async (first, cut, at) => {
    const path = folder('metrics.jsonl')
    await writeFile(path, '')
    const log = await openMetrics(path, 0)
    for (let i = 1; i <= first; i++) await log.append(progress(i))
    await log.close()
    const bytes = await readFile(path)
    const left = bytes.subarray(0, Math.round(bytes.length * cut))
    await writeFile(path, left)
    const iteration = Math.min(at, left.toString().split('\n').length - 1)

    const again = await openMetrics(path, iteration)
    expect(again.metrics.map(metric => metric.iteration)).toEqual(Array.from({ length: iteration }, (_, i) => i + 1))
    for (let i = iteration + 1; i <= first; i++) await again.append(progress(i))
    await again.close()
    const records = (await readFile(path, 'utf8')).split('\n').slice(0, -1).map(line => JSON.parse(line) as Record<string, number>)
    expect(records.map(record => record.iteration)).toEqual(Array.from({ length: Math.max(first, iteration) }, (_, i) => i + 1))
    for (const record of records) expect(record.log10Loss).toBeCloseTo(-Math.log10(record.iteration), 12)
    // The clock of a resumed run continues from its last time.
    expect(records.at(-1)?.seconds ?? 0).toBe(first > iteration ? +(iteration > 0) + 1 : +(iteration > 0))
  }))
})

it('a line has the fields that the documentation names, in their order, and no others', async () => {
  const page = await readFile('docs/experiments.md', 'utf8')
  const table = page.slice(page.indexOf('| field | what |'), page.indexOf('`cellgrad train … --tensorboard`'))
  const fields = [...table.matchAll(/^\| (`.*`) \|/gm)].flatMap(([, names]) => names.replaceAll('`', '').split(', '))
  const path = folder('fields.jsonl')
  const log = await openMetrics(path, 0)
  await log.append(progress(1))
  await log.append({ ...progress(2), distance: 0.1, validation: 0.5 })
  await log.close()
  const [before, after] = (await readFile(path, 'utf8')).trimEnd().split('\n').map(line => JSON.parse(line) as Record<string, number>)
  expect(Object.keys(after)).toEqual(fields)
  expect(Object.keys(before)).toEqual(fields.filter(name => name !== 'distance' && name !== 'validation'))
  expect(Object.values(after).every(Number.isFinite)).toBe(true)
})

it('damaged lines are left out and counted; the others stay as they are', async () => {
  const spoilt = fc.constantFrom('', 'x', '{', '7', 'null', '[1]', '{"iteration":2', '{"iteration":"2","loss":1,"seconds":1}', '{"iteration":2,"loss":null,"seconds":1}', '\u0000\u0000')
  await fc.assert(fc.asyncProperty(fc.array(fc.option(spoilt), { maxLength: 8 }), async list => {
    const path = folder('spoilt.jsonl')
    await writeFile(path, '')
    const log = await openMetrics(path, 0)
    for (let i = 1; i <= list.length; i++) await log.append(progress(i))
    await log.close()
    const lines = (await readFile(path, 'utf8')).split('\n').slice(0, -1)
    await writeFile(path, lines.map((line, i) => `${list[i] ?? line}\n`).join(''))

    const again = await openMetrics(path, list.length)
    expect(again.unreadable).toEqual(list.flatMap((text, i) => (text === null ? [] : i + 1)))
    await again.append(progress(list.length + 1))
    await again.close()
    const left = (await readFile(path, 'utf8')).split('\n').slice(0, -1)
    expect(left.slice(0, -1)).toEqual(lines.filter((_, i) => list[i] === null))
    expect(left.map(line => (JSON.parse(line) as { iteration: number }).iteration).at(-1)).toBe(list.length + 1)
  }))
})

it('the recent loss is the mean of the last hundred', () => {
  const metrics = Array.from({ length: 250 }, (_, i) => ({ ...progress(i + 1), validation: undefined, log10Loss: 0, loss: i < 150 ? 1000 : i }))
  expect(recentLoss(metrics)).toBe((150 + 249) / 2)
})
