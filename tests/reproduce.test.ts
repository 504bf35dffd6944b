// The reproductions run, and write what they promise. Whether they reproduce anything takes longer than a test.

import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, it } from 'vitest'
import { long } from './long.ts'

const run = promisify(execFile)
const out = await mkdtemp(join(tmpdir(), 'cellgrad-reproduce-'))
afterAll(() => rm(out, { recursive: true }))

const reproduce = (...args: string[]): Promise<{ stdout: string; stderr: string }> =>
  run(process.execPath, ['--import', 'tsx', 'reproduce/run.ts', ...args])

it.runIf(long)('a claim is tried, continued, and written down', async () => {
  const { stdout } = await reproduce('pool', '--quick', '--out', out)
  expect(stdout).toContain('iteration 20/20')
  const again = await reproduce('pool', '--quick', '--out', out)
  expect(again.stdout).toContain('from 20 on')
  const files = (await readdir(out)).filter(name => name.startsWith('reproduce-pool')).sort()
  expect(files).toEqual([
    'reproduce-pool-error.svg', 'reproduce-pool-with.png', 'reproduce-pool-without.png', 'reproduce-pool.csv',
    'reproduce-pool.md',
  ])
  expect(await readFile(join(out, 'reproduce-pool.csv'), 'utf8')).toMatch(/^pool,.*\nwithout(,-?[\d.]+){7}\nwith(,-?[\d.]+){7}\n$/)
}, 120_000)

it('a claim that there is not is refused', async () => {
  const error = await reproduce('pull').catch((e: unknown) => e) as { code: number; stderr: string }
  expect(error).toMatchObject({ code: 2, stderr: expect.stringContaining('there is no claim pull') as string })
})
