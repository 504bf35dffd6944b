// How a command computes on the CPU: the number of threads, with or without fused multiply-add.

import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { describe, expect, it } from 'vitest'
import { supports } from '../../src/backends/wasm/module.ts'
import { readCheckpoint } from '../../src/node/index.ts'
import { runHere } from './here.ts'
import { run, temporaryFolder, writeConfig } from './run.ts'

const folder = temporaryFolder()

describe('threads', () => {
  it('are no more than the machine runs at once', async () => {
    const most = availableParallelism()
    const { status, out, err } = await run(['train', 'fish', '--threads', '1000', '--out', folder('many')])
    expect([status, out]).toEqual([2, ''])
    expect(err).toBe(`threads is 1000, expected at most ${most}, as many as this machine runs at once; 0 for all\n`)
  })

  it('are those of CELLGRAD_THREADS by default', async () => {
    const grow = ['grow', '--steps', '1', '--size', '8', '--backend', 'cpu']
    const [one, wrong] = await Promise.all(['1', '1.5'].map(CELLGRAD_THREADS => run(grow, { env: { CELLGRAD_THREADS } })))
    expect(one.out).toMatch(/^Computing on: CPU, 1 thread(, fused multiply-add)?\n/)
    expect(wrong).toEqual({
      status: 1, signal: null, out: '',
      err: 'cpu: the environment variable CELLGRAD_THREADS is "1.5", expected a whole number from 1 to 256.\n',
    })
  })
})

describe('fused multiply-add', () => {
  // Node 20 has it behind a flag, so both kinds of engine are at hand; later ones always have it.
  const flags = ['--experimental-wasm-relaxed-simd']
  const train = (...args: string[]): string[] => ['train', ...args]

  it.skipIf(supports('fma'))('is kept by a run, and a line says if that is impossible', async () => {
    const config = await writeConfig(folder('run.yaml'), 'iterations: 2\n')
    const path = folder('run')
    const choice = async (): Promise<unknown[]> => [
      /\nfma: (\w+)\n/.exec(await readFile(folder('run', 'config.yaml'), 'utf8'))?.[1],
      (await readCheckpoint(folder('run', 'checkpoint.safetensors'))).metadata.fma,
    ]
    const first = await run(train('fish', '--config', config, '--out', path), { flags })
    expect(first).toMatchObject({ status: 0, err: '' })
    expect(first.out).toMatch(/\nComputing on: CPU, \d+ threads?, fused multiply-add\n/)
    expect(await choice()).toEqual(['on', 'on'])

    const without = await run(train('--resume', path, '--iterations', '3'))
    expect(without.out).toContain('\nThis engine has no fused multiply-add, which fma: on asks for (Node 22 has).\nUp to iteration 2, fused multiply-add was on; from here on it is off: ')
    expect(await choice()).toEqual(['on', 'off'])

    const asked = await run(train('--resume', path, '--iterations', '4', '--fma', 'off'), { flags })
    expect(asked).toMatchObject({ status: 0, err: '' })
    expect(asked.out).not.toContain('fused')
    expect(await choice()).toEqual(['off', 'off'])
  })

  it('stays off if it is off in a new run', async () => {
    const config = await writeConfig(folder('plain.yaml'), 'iterations: 1\n')
    expect(await runHere(train('fish', '--config', config, '--fma', 'off', '--out', folder('plain')))).toMatchObject({ status: 0, err: '' })
    expect(await readFile(folder('plain', 'config.yaml'), 'utf8')).toContain('\nfma: off\n')
    expect((await readCheckpoint(folder('plain', 'checkpoint.safetensors'))).metadata).toEqual({ fma: 'off' })
  })
})
