import { existsSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { decodePng, readCheckpoint, readModel } from '../../src/node/index.ts'
import { long } from '../long.ts'
import { runHere } from './here.ts'
import { run, start, temporaryFolder, writeConfig } from './run.ts'

const folder = temporaryFolder()

describe('a run', () => {
  it('leaves everything in its folder and says where', async () => {
    await writeConfig(folder('run.yaml'), 'iterations: 12\nseed: 5\n')
    const { status, out, err } = await run(['train', '🦎', '--config', 'run.yaml', '--preset', 'persistent'], { cwd: folder() })
    expect([status, err]).toEqual([0, ''])
    expect(out).not.toContain('\x1b')
    expect(out).toMatch(/^Growing 🦎 on 8×8 cells, 12 iterations, in out\/lizard-1\n/)
    expect(out).toMatch(/\niteration 12\/12 {2}error 0\.\d+ /)
    const at = folder('out', 'lizard-1')
    const files = (await readdir(at)).sort()
    expect(files).toEqual([
      'about.json', 'checkpoint.safetensors', 'config.yaml', 'growth.gif', 'growth.png', 'loss.svg', 'metrics.jsonl', 'model.safetensors', 'regeneration.gif', 'report.md', 'target.png',
    ])
    for (const file of files) expect(out).toContain(`\n${join('out', 'lizard-1', file)} `)

    const { rule, provenance } = await readModel(join(at, 'model.safetensors'))
    expect(rule.channels).toEqual({ rgba: 4, hidden: 4 })
    expect(provenance).toMatchObject({ target: '🦎', preset: 'persistent', seed: '5', iterations: '12', grid: '8' })
    expect((await readCheckpoint(join(at, 'checkpoint.safetensors'))).state.iteration).toBe(12)
    const metrics = (await readFile(join(at, 'metrics.jsonl'), 'utf8')).trimEnd().split('\n').map(line => JSON.parse(line) as Record<string, number>)
    expect(metrics.map(({ iteration }) => iteration)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1))
    for (const metric of metrics) {
      expect(Object.keys(metric)).toEqual(['iteration', 'loss', 'log10Loss', 'gradNorm', 'steps', 'rate', 'seconds'])
      expect(metric.steps).toBeGreaterThanOrEqual(3)
      expect(metric.steps).toBeLessThan(6)
    }
    expect(decodePng(await readFile(join(at, 'target.png'))).width).toBe(6)
    expect(await readFile(join(at, 'loss.svg'), 'utf8')).toContain('<svg')
    expect(await readFile(join(at, 'config.yaml'), 'utf8')).toContain('\n  pool: 16\n')

    // The next run gets the next folder, and nothing is overwritten.
    const again = await runHere(['train', 'lizard', '--config', 'run.yaml', '--out', 'out/lizard-1'], { cwd: folder() })
    expect(again).toMatchObject({ status: 1, err: 'train: out/lizard-1 holds a run already; go on with it (--resume out/lizard-1) or choose another folder\n' })
    expect((await runHere(['train', 'lizard', '--config', 'run.yaml', '--iterations', '1'], { cwd: folder() })).out).toContain('in out/lizard-2\n')
  })

  it('learns a picture of one\'s own', async () => {
    await writeConfig(folder('own.yaml'), 'iterations: 1\n')
    const { status, out } = await runHere(['train', folder('out/lizard-1/growth.png'), '--config', folder('own.yaml'), '--out', folder('own')])
    expect(status, out).toBe(0)
    expect(decodePng(await readFile(folder('own', 'target.png')))).toMatchObject({ width: 6, height: 6 })
  })

  it('can be played by its folder, its model and its checkpoint', async () => {
    const played = await Promise.all(['', 'model.safetensors', 'checkpoint.safetensors'].map(file => runHere(['grow', folder('own', file), '--steps', '2'])))
    expect(played[0]).toMatchObject({ status: 0, err: '', out: expect.stringMatching(/^step 0\/2 {2}1 cells\n/) })
    for (const result of played) expect(result).toEqual(played[0])
  })

  it('trains longer if it is resumed with more iterations', async () => {
    const args = ['train', '--resume', folder('own'), '--iterations', '3', '--save-every', '1']
    expect(await runHere(args)).toMatchObject({ status: 0, err: '' })
    expect((await readModel(folder('own', 'model.safetensors'))).provenance.iterations).toBe('3')
    expect(await readFile(folder('own', 'config.yaml'), 'utf8')).toContain('\n  iterations: 3\n')
  })
})

it('start makes a small run in the same way', async () => {
  const { status, out, err } = await runHere(['start', 'fish', '--iterations', '1', '--out', folder('start')])
  expect([status, err]).toEqual([0, ''])
  expect(out).toContain(folder('start', 'growth.gif'))
  expect((await readModel(folder('start', 'model.safetensors'))).provenance).toMatchObject({ target: 'fish', iterations: '1' })
})

describe('an interrupted run', () => {
  it.each([...(long ? [['SIGHUP', 129] as const] : []), ['SIGINT', 130], ['SIGTERM', 143]] as const)('%s saves and says how to go on', async (signal, code) => {
    const config = await writeConfig(folder('long.yaml'), 'iterations: 100000\n')
    const path = folder(`long ${signal}`)
    const { child, result } = start(['train', 'fish', '--config', config, '--save-every', '100000', '--out', path])
    while (child.exitCode === null && !await stat(join(path, 'metrics.jsonl')).then(({ size }) => size > 0, () => false)) await sleep(5)
    child.kill(signal)
    const { status, out, err } = await result
    expect([status, err]).toEqual([code, ''])
    const { state } = await readCheckpoint(join(path, 'checkpoint.safetensors'))
    expect(state.iteration).toBe((await readFile(join(path, 'metrics.jsonl'), 'utf8')).trimEnd().split('\n').length)
    expect(out).toContain(`Stopped and saved after iteration ${state.iteration} of 100000. Go on with:\n`)
    expect(out.trimEnd()).toMatch(new RegExp(`npx cellgrad train --resume '${path}'$`))
    for (const file of ['growth.png', 'growth.gif', 'regeneration.gif', 'loss.svg']) expect(existsSync(join(path, file)), file).toBe(signal === 'SIGINT')
  })
})

it('keeps the last good state when the loss is no longer a number', async () => {
  const config = await writeConfig(folder('wild.yaml'), 'iterations: 20\noptimiser: { rate: 1.0e+36 }\n')
  const { status, err } = await runHere(['train', 'fish', '--config', config, '--out', folder('wild')])
  expect(status).toBe(1)
  const iteration = Number(/^training: the (?:loss|gradient norm) of iteration (\d+) is .*\(saved in .*wild\)\n$/.exec(err)?.[1])
  expect((await readCheckpoint(folder('wild', 'checkpoint.safetensors'))).state.iteration).toBe(iteration - 1)
  expect((await readModel(folder('wild', 'model.safetensors'))).provenance.iterations).toBe(String(iteration - 1))
})
