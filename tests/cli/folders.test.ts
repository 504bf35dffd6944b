// Folders of runs: one process in each, one for each process, with a valid name, and none left over.

import { existsSync } from 'node:fs'
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { lock, startOf } from '../../src/cli/run/lock.ts'
import { encodePng } from '../../src/node/index.ts'
import { loadConfig } from '../../src/cli/input/config-file.ts'
import { createRun, loadTarget, openRun } from '../../src/cli/run/run-folder.ts'
import { checkArguments } from '../../src/cli/input/command.ts'
import { UsageError } from '../../src/cli/input/usage.ts'
import { long } from '../long.ts'
import { runHere } from './here.ts'
import { asModule, run, start, temporaryFolder, writeConfig } from './run.ts'

const folder = temporaryFolder()
const here = encodeURIComponent(hostname())
const refused = (path: string): Promise<string> => lock(path).then(release => { release(); return '' }, (error: Error) => error.message)

describe('a lock', () => {
  it('is held by one process at a time, and leaves nothing when it is released', async () => {
    await mkdir(folder('once'))
    for (let i = 0; i < 3; i++) (await lock(folder('once')))()
    expect(await readdir(folder('once'))).toEqual([])
  })

  it('is ignored and removed if it is stale: no such process, or one that started later', async () => {
    await mkdir(folder('stale'))
    expect(startOf(2 ** 22 + 1)).toBe(null)
    await writeFile(folder('stale', `.cellgrad-${2 ** 22 + 1}@${startOf(process.pid)}@${here}.lock`), '')
    await writeFile(folder('stale', `.cellgrad-${process.ppid}@${startOf(process.pid)}-1@${here}.lock`), '')
    const release = await lock(folder('stale'))
    expect(await readdir(folder('stale'))).toHaveLength(1)
    release()
  })

  it('of a living process is reported with its number and time', async () => {
    await mkdir(folder('held'))
    const file = folder('held', `.cellgrad-${process.ppid}@${startOf(process.ppid)}@${here}.lock`)
    await writeFile(file, '')
    const at = new Date()
    at.setHours(1, 0, 0)
    await utimes(file, at, at)
    expect(await refused(folder('held'))).toBe(`train: ${folder('held')} is being trained by process ${process.ppid} since 01:00`)
    await utimes(file, new Date(2025, 10, 3, 23, 59), new Date(2025, 10, 3, 23, 59))
    expect(await refused(folder('held'))).toBe(`train: ${folder('held')} is being trained by process ${process.ppid} since 2025-11-03 23:59`)
    expect(await readdir(folder('held'))).toHaveLength(1)
  })

  it('from another machine counts, and can be deleted', async () => {
    await mkdir(folder('far'))
    const file = folder('far', '.cellgrad-1@a-1@other.machine.lock')
    await writeFile(file, '')
    expect(await refused(folder('far'))).toContain(`is being trained by process 1 of other.machine (if not, delete ${file}) since `)
  })
})

describe('a target', () => {
  it('is accepted with a remark if it is opaque, however it is fitted, and refused if it is transparent', async () => {
    const picture = (alphas: number[]): Promise<void> => writeFile(folder('p.png'), encodePng({
      width: alphas.length, height: 1, data: Float32Array.from(alphas.flatMap(alpha => [0, 0, 0, alpha])),
    }))
    const said = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
    const config = await loadConfig({ flags: { target: folder('p.png') }, command: 'cellgrad train' })
    const words = async (): Promise<string> => {
      said.mockClear()
      await loadTarget(config)
      return said.mock.calls.join('')
    }
    try {
      await picture([1, 1])
      expect(await words()).toContain('p.png is opaque, so its background will grow too; ')
      await picture([1, 0.5])
      expect(await words()).toBe('')
    } finally {
      said.mockRestore()
    }
    await picture([0, 0.001])
    await expect(loadTarget(config)).rejects.toThrow(/p\.png is fully transparent: there is nothing to grow$/)
  })
})

describe('train', () => {
  it('started many times at once gets as many folders', async () => {
    const many = long ? 6 : 3
    await writeConfig(folder('run.yaml'), 'iterations: 1\n')
    const results = await Promise.all(Array.from({ length: many }, () => run(['train', 'lizard', '--config', 'run.yaml'], { cwd: folder() })))
    for (const result of results) expect(result).toMatchObject({ status: 0, err: '' })
    const folders = Array.from({ length: many }, (_, i) => `out/lizard-${i + 1}`)
    expect(results.map(({ out }) => / in (.*)\n/.exec(out)?.[1]).sort()).toEqual(folders)
    for (const at of folders) expect((await readdir(folder(at))).filter(name => name.startsWith('.'))).toEqual([])
  })

  it('keeps a second one out while it runs, and lets it in after kill -9, which leaves nothing behind', async () => {
    const path = folder('busy')
    const config = await writeConfig(folder('long.yaml'), 'iterations: 100000\n')
    const { child, result } = start(['train', 'fish', '--config', config, '--out', path])
    while (child.exitCode === null && !existsSync(folder('busy', 'metrics.jsonl'))) await sleep(5)
    // One after the other: at the same moment, each might find the other's lock.
    const resumed = await run(['train', '--resume', path])
    const anew = await run(['train', 'fish', '--config', config, '--out', path])
    for (const { status, out, err } of [resumed, anew]) {
      expect([status, out]).toEqual([1, ''])
      expect(err).toMatch(new RegExp(`^train: ${path} is being trained by process ${child.pid} since \\d\\d:\\d\\d\n$`))
    }
    child.kill('SIGKILL')
    await result
    expect((await readdir(path)).some(name => name.endsWith('.lock'))).toBe(true)
    await writeFile(folder('busy', '.cellgrad-1234.tmp'), 'half')
    expect(await run(['train', '--resume', path, '--iterations', '1'])).toMatchObject({ err: '' })
    expect((await readdir(path)).filter(name => name.startsWith('.'))).toEqual([])
  })

  it('calls its folder after the picture, by a name that a folder may have', async () => {
    const names = ['...png', ' .x\n\x1b.png', `${'long'.repeat(50)}.png`]
    const png = encodePng({ width: 6, height: 6, data: new Float32Array(144).fill(1) })
    await Promise.all(names.map(name => writeFile(folder(name), png)))
    const results = await Promise.all(names.map(name => runHere(['train', name, '--config', 'run.yaml'], { cwd: folder() })))
    for (const result of results) expect(result).toMatchObject({ status: 0, err: '' })
    expect((await readdir(folder('out'))).filter(name => !name.startsWith('lizard')).sort())
      .toEqual(['long'.repeat(10), 'picture', 'x-u000a-u001b'].map(name => `${name}-1`).sort())
    expect((await readdir(folder())).filter(name => name.startsWith('.-'))).toEqual([])
  })

  it('says in a sentence if no folder can be made', async () => {
    const config = await loadConfig({ flags: { target: 'fish' } })
    const picture = await loadTarget(config)
    const [file, long] = [folder('a file'), folder('x'.repeat(300))]
    await writeFile(file, '')
    await expect(createRun(config, picture, file)).rejects.toThrow(new Error(`train: cannot make the folder ${file} (a file has this name)`))
    await expect(createRun(config, picture, `${file}/x`))
      .rejects.toThrow(new Error(`train: cannot make the folder ${file}/x (a part of its path is a file)`))
    await expect(createRun(config, picture, long)).rejects.toThrow(new Error(`train: cannot make the folder ${long} (its name is too long)`))
    await expect(openRun(folder('nowhere'), {})).rejects.toThrow(new Error(`train: there is no folder ${folder('nowhere')}`))
  })

  it.each([
    ['--out needs a value', ['--out', '']], ['--out needs a value', ['--out=']], ['--resume needs a value', ['--resume', '']],
    ['an argument is empty', ['']],
  ])('says in a sentence: %s', (message, given) => {
    const args = { target: { type: 'positional' }, out: { type: 'string' }, resume: { type: 'string' } } as const
    expect(() => checkArguments('cellgrad train', given, args)).toThrow(new UsageError(`cellgrad train: ${message}`))
  })

  it('leaves no folder of a run that fails before its first iteration', async () => {
    const narrow = asModule('WebAssembly.Memory.prototype.grow = () => { throw new RangeError() }')
    const { status, out, err } = await run(['train', 'fish', '--config', folder('run.yaml'), '--out', folder('vain')], { imports: [narrow] })
    expect([status, out.split('\n')[0]]).toEqual([1, `Growing fish on 8×8 cells, 1 iterations, in ${folder('vain')}`])
    expect(err).toMatch(/^cpu: a rollout needs \d+ MB of working memory, but .*\n$/)
    expect(existsSync(folder('vain'))).toBe(false)
  })
})
