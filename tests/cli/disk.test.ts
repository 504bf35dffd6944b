// A full disk and a vanished folder end a run and a sweep with one sentence, and the last saved files are complete.

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { unwritten } from '../../src/cli/input/usage.ts'
import { readCheckpoint } from '../../src/node/index.ts'
import { long } from '../long.ts'
import { run, start, temporaryFolder, writeConfig } from './run.ts'
import { removeDisk, smallDisk } from './small-disk.ts'

const folder = temporaryFolder()

const disk = smallDisk(64)
const grow = (kilobytes: number): unknown => execFileSync('mount', ['-o', `remount,size=${kilobytes}k`, disk!])

beforeAll(async () => {
  await writeConfig(folder('base.yaml'), 'iterations: 2000\n')
  await writeFile(folder('sweep.yaml'), 'base: base.yaml\nfields: { batch: [2, 3] }\nhalving: { least: 60, factor: 100 }\nbudget: { iterations: 120 }\n')
})

afterAll(() => removeDisk(disk))

describe.skipIf(disk === null)('a full disk', () => {
  it('ends a run, which continues from its last checkpoint when there is room again', async () => {
    const path = join(disk!, 'run')
    const { status, err } = await run(['train', 'fish', '--config', folder('base.yaml'), '--out', path])
    const saved = (await readCheckpoint(join(path, 'checkpoint.safetensors'))).state.iteration
    expect(saved).toBeGreaterThan(0)
    expect(status).toBe(unwritten)
    const [what, where, again] = err.trimEnd().split('\n')
    expect(what).toMatch(/^file: cannot write \S*run\/\S+ \(ENOSPC: no space left on device, write\)$/)
    expect(where).toBe(`Saved after iteration ${saved} of 2000. Go on with:`)
    expect(again).toMatch(/train --resume \S+run$/)
    expect((await readdir(path)).filter(name => name.startsWith('.'))).toEqual([])

    execFileSync('bash', ['-c', `cat /dev/zero > ${join(disk!, 'filled')} 2> /dev/null || true`])
    const more = await run(['train', 'fish', '--config', folder('base.yaml'), '--out', join(disk!, 'another')])
    expect(more.status).toBe(unwritten)
    expect(more.err).toMatch(/^\S+: cannot .* \(ENOSPC: no space left on device, \w+.*\)\n$/)
    expect(await readdir(disk!)).toEqual(['filled', 'run'])

    await rm(join(disk!, 'filled'))
    grow(1000)
    expect(await run(['train', '--resume', path, '--plain', '--iterations', String(saved + 4)])).toMatchObject({ status: 0, err: '' })
    expect((await readCheckpoint(join(path, 'checkpoint.safetensors'))).state.iteration).toBe(saved + 4)
    await rm(path, { recursive: true })
    grow(90)
  })

  it.runIf(long)('ends a sweep without failing its runs, and the sweep continues when there is room again', async () => {
    const sweep = (out: string) => run(['sweep', folder('sweep.yaml'), '--out', out, '--workers', '2'])
    const path = join(disk!, 'sweep')
    const { status, err } = await sweep(path)
    const [what, where, again] = err.trimEnd().split('\n')
    expect([status, what]).toEqual([unwritten, expect.stringMatching(/^\S+: cannot .* \(ENOSPC: no space left on device, \w+.*\)$/)])
    expect(where).toMatch(/^Stopped with \d results; runs that were under way are as they were last saved\. Go on with:$/)
    expect(again).toMatch(/sweep \S+sweep\.yaml --out \S+sweep$/)

    grow(2000)
    expect(await sweep(path)).toMatchObject({ status: 0, err: '' })
    expect((await readFile(join(path, 'report.md'), 'utf8')).match(/^\| [23] \| 60 \| 0\.\d+ \|$/gm)).toHaveLength(2)
  }, 180_000)
})

/** Waits until a run below a folder has been saved once. */
async function untilSaved(path: string): Promise<void> {
  while (!existsSync(path) || !(await readdir(path, { recursive: true })).some(name => name.endsWith('checkpoint.safetensors'))) await sleep(10)
}

describe('a folder that vanishes', () => {
  it('ends a run, and is not made again', async () => {
    const path = folder('gone')
    const { result } = start(['train', 'fish', '--config', folder('base.yaml'), '--out', path])
    await untilSaved(path)
    await rm(path, { recursive: true, maxRetries: 3 })
    expect(await result).toMatchObject({ status: unwritten, err: `train: the folder ${path} is gone, with what was saved in it\n` })
    expect(existsSync(path)).toBe(false)
  })

  it('ends a sweep, and is not made again', async () => {
    const path = folder('sweep-gone')
    const { result } = start(['sweep', folder('sweep.yaml'), '--out', path, '--workers', '1'])
    await untilSaved(path)
    await rm(path, { recursive: true, maxRetries: 3 })
    expect(await result).toMatchObject({ status: unwritten, err: `sweep: the folder ${path} is gone, with what was saved in it\n` })
    expect(existsSync(path)).toBe(false)
  })
})

it.runIf(long)('a sweep whose output nobody reads saves its runs, and says how to go on', async () => {
  const { child, result } = start(['sweep', folder('sweep.yaml'), '--out', folder('pipe'), '--workers', '1'])
  child.stdout!.once('data', () => child.stdout!.destroy())
  const { status, err } = await result
  expect(status).toBe(141)
  expect(err).toMatch(/^Stopped with \d of 2 candidates trained, since nobody reads the output any more\. Go on with:\n {2}npx cellgrad sweep \S+ --out \S+pipe\n$/)
})

it('a run that fails at once removes nothing that was there before', async () => {
  await mkdir(folder('theirs'))
  await writeFile(folder('theirs', 'model.safetensors'), 'mine')
  await writeFile(folder('two.yaml'), 'size: 6\npadding: 1\nrule: { channels: { rgba: 4, hidden: 4 } }\nthreads: 1\niterations: 1\n')
  const narrow = `data:text/javascript,${encodeURIComponent('WebAssembly.Memory.prototype.grow = () => { throw new RangeError() }')}`
  const { status } = await run(['train', 'fish', '--config', folder('two.yaml'), '--out', folder('theirs')], { imports: [narrow] })
  expect(status).toBe(1)
  expect(await readdir(folder('theirs'))).toEqual(['model.safetensors'])
  expect(await readFile(folder('theirs', 'model.safetensors'), 'utf8')).toBe('mine')
})
