// The runs that are served to Studio: answers contain only the contents of run folders, whatever is requested, and nothing is
// written.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { servedRuns } from '../../src/cli/run/served-runs.ts'
import type { ServedRuns } from '../../src/experiment/index.ts'

const around = mkdtempSync(join(tmpdir(), 'cellgrad-served-'))
const folder = join(around, 'out')
const answers = servedRuns(folder)

const line = (iteration: number, loss: number): string => `${JSON.stringify({ iteration, loss, log10Loss: Math.log10(loss), gradNorm: 1, steps: 8, rate: 0.001, seconds: iteration })}\n`

function makeRun(name: string, config: string, iterations = 0): void {
  mkdirSync(join(folder, name), { recursive: true })
  writeFileSync(join(folder, name, 'config.yaml'), config)
  writeFileSync(join(folder, name, 'metrics.jsonl'), Array.from({ length: iterations }, (_, i) => line(i + 1, 1 / (i + 1))).join(''))
}

beforeAll(() => {
  makeRun('a b', 'batch: 8\niterations: 1000\n', 1000)
  makeRun('deep/er/c', 'batch: 4\n')
  makeRun('broken', 'batch: [\n')
  writeFileSync(join(around, 'secret.png'), 'secret')
  writeFileSync(join(folder, 'a b', 'growth.png'), 'growth')
  writeFileSync(join(folder, 'a b', 'checkpoint.safetensors'), 'secret')
  symlinkSync(join(around, 'secret.png'), join(folder, 'a b', 'target.png'))
  writeFileSync(join(folder, 'a b', '.cellgrad-1@no-start@elsewhere.lock'), '')
  writeFileSync(join(folder, 'deep/er/c', '.cellgrad-999999999@x@gone.lock.old'), '')
})
afterAll(() => rmSync(around, { recursive: true }))

async function list(): Promise<ServedRuns> {
  return JSON.parse(String((await answers('/runs.json'))!.bytes)) as ServedRuns
}

describe('served runs', () => {
  it('have configuration, results, curve and files; for one that cannot be read there is a sentence', async () => {
    const { runs, leftOut, folder: told } = await list()
    expect(told).toBe(folder)
    expect(runs.map(({ name }) => name)).toEqual(['a b', 'deep/er/c'])
    const [first, second] = runs
    expect(first).toMatchObject({ config: { train: { batch: 8 } }, results: { iteration: 1000 }, files: ['growth.png'], training: true })
    expect(first.curve.iterations.length).toBeLessThanOrEqual(300)
    expect(first.curve.iterations.at(-1)).toBe(1000)
    expect(second).toMatchObject({ results: { iteration: 0 }, curve: { iterations: [], losses: [] }, files: [], training: false })
    expect(leftOut.join()).toContain('config.yaml')
  })

  it('are up to date', async () => {
    makeRun('deep/er/c', 'batch: 4\n', 3)
    expect((await list()).runs[1].results.iteration).toBe(3)
    makeRun('new', 'batch: 2\n')
    expect((await list()).runs.map(({ name }) => name)).toContain('new')
    rmSync(join(folder, 'new'), { recursive: true })
    makeRun('deep/er/c', 'batch: 4\n')
  })

  it('give their pictures and models, and no other file', async () => {
    expect(String((await answers('/runs/a b/growth.png'))!.bytes)).toBe('growth')
    const part = fc.constantFrom('..', '.', 'a b', 'deep', 'er', 'c', 'target.png', 'secret.png', 'checkpoint.safetensors', 'config.yaml', 'metrics.jsonl', 'runs', '', 'out', '\\')
    const before = readdirSync(folder, { recursive: true }).map(String).sort()
    const times = before.map(name => statSync(join(folder, name)).mtimeMs)
    await fc.assert(fc.asyncProperty(fc.array(part, { maxLength: 6 }), async parts => {
      expect(await answers(`/runs/${parts.join('/')}`)).toBeNull()
    }))
    expect(readdirSync(folder, { recursive: true }).map(String).sort()).toEqual(before)
    expect(before.map(name => statSync(join(folder, name)).mtimeMs)).toEqual(times)
  })
})
