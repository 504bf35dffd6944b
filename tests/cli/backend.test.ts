// --backend, in processes of their own, which must end properly whatever happens to the GPU.

import { existsSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { readCheckpoint } from '../../src/node/index.ts'
import { long } from '../long.ts'
import { asModule, noPackage, run, start, temporaryFolder, writeConfig, type RunOptions, type Running } from './run.ts'

const folder = temporaryFolder()
const gpu = ['--backend', 'webgpu'] as const
const onGpu = { gpu: true }

/** A module that loses the GPU when work is submitted to it for the two hundredth time. */
const loses = asModule(`import { globals } from ${JSON.stringify(import.meta.resolve('webgpu'))}
  const { prototype } = globals.GPUDevice
  const { createCommandEncoder } = prototype
  let count = 0
  prototype.createCommandEncoder = function () {
    if (++count === 200) setTimeout(() => this.destroy(), 0)
    return createCommandEncoder.call(this)
  }`)

/** The iterations in a run's metrics; the last line may be cut off. */
function iterations(path: string): number[] {
  const file = join(path, 'metrics.jsonl')
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []
  return lines.map(line => (JSON.parse(line) as { iteration: number }).iteration)
}

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1)

/** Waits until a run has gone through so many iterations, and sends a signal. */
async function signalAfter({ child }: Running, path: string, count: number, signal: NodeJS.Signals): Promise<void> {
  while (iterations(path).length < count && child.exitCode === null) await sleep(5)
  child.kill(signal)
}

beforeAll(async () => {
  const config = await writeConfig(folder('small.yaml'), 'iterations: 4\n')
  expect(await run(['train', 'fish', '--config', config, '--out', folder('small')])).toMatchObject({ status: 0, err: '' })
})

describe('train --backend webgpu', () => {
  it.runIf(long)('survives kill -9', async () => {
    const config = await writeConfig(folder('run.yaml'), 'iterations: 12\nbackend: webgpu\n')
    const [whole, killed] = [folder('whole'), folder('killed')]
    const undisturbed = run(['train', 'fish', '--config', config, '--out', whole], onGpu)
    const running = start(['train', 'fish', '--config', config, '--out', killed], onGpu)
    await signalAfter(running, killed, 6, 'SIGKILL')
    await running.result
    const last = await run(['train', '--resume', killed, '--verbose'], onGpu)

    expect(await undisturbed).toMatchObject({ status: 0, signal: null, err: '' })
    expect(last).toMatchObject({ status: 0, signal: null, err: '' })
    expect(last.out).toMatch(/^Going on with .* from iteration (4|8|12) of 12\nComputing on: .* \(WebGPU\)\nRollouts run fused: /)
    expect(iterations(killed)).toEqual(upTo(12))
    for (const file of ['model.safetensors', 'checkpoint.safetensors', 'growth.gif']) {
      expect((await readFile(join(killed, file))).equals(await readFile(join(whole, file))), file).toBe(true)
    }
  })

  it.runIf(long)('resumes a run of the CPU, is stopped by Ctrl-C, and the CPU resumes it again', async () => {
    const config = await writeConfig(folder('first.yaml'), 'iterations: 4\n')
    const path = folder('moved')
    expect((await run(['train', 'fish', '--config', config, '--threads', '1', '--out', path])).out)
      .toMatch(/\nComputing on: CPU, 1 thread(, fused multiply-add)?\n/)

    const running = start(['train', '--resume', path, ...gpu, '--iterations', '100000'], onGpu)
    await signalAfter(running, path, 6, 'SIGINT')
    const { status, signal, out, err } = await running.result
    expect([status, signal, err]).toEqual([130, null, ''])
    expect(out).toMatch(/ from iteration 4 of 100000\nComputing on: .* \(WebGPU\)\n/)
    const { state: { iteration } } = await readCheckpoint(join(path, 'checkpoint.safetensors'))
    expect(out).toContain(`Stopped and saved after iteration ${iteration} of 100000. Go on with:\n`)
    expect(iterations(path)).toEqual(upTo(iteration))
    expect(await readFile(join(path, 'config.yaml'), 'utf8')).toContain('\nbackend: webgpu\n')

    const last = await run(['train', '--resume', path, '--backend', 'cpu', '--iterations', `${iteration + 1}`])
    expect([last.status, last.err]).toEqual([0, ''])
    expect(iterations(path)).toEqual(upTo(iteration + 1))
  })

  it.runIf(long)('keeps the last checkpoint if the GPU is lost, and says how to go on', async () => {
    const config = await writeConfig(folder('lost.yaml'), 'iterations: 1000\n')
    const path = folder('lost')
    const { status, signal, err } = await run(['train', 'fish', '--config', config, ...gpu, '--save-every', '1', '--out', path], { gpu: true, imports: [loses] })
    expect([status, signal]).toEqual([1, null])
    const { state: { iteration } } = await readCheckpoint(join(path, 'checkpoint.safetensors'))
    const [what, saved, how] = err.trimEnd().split('\n')
    expect(what).toMatch(/^webgpu: the GPU was lost \(.*\), with all that was on it; /)
    expect(saved).toBe(`Saved after iteration ${iteration} of 1000. Go on with this, or with --backend cpu besides:`)
    expect(how).toMatch(/^ {2}npx cellgrad train --resume /)
    expect(iteration).toBeGreaterThan(0)
    const args = ['train', '--resume', path, '--backend', 'cpu', '--iterations', `${iteration + 1}`]
    expect(await run(args)).toMatchObject({ status: 0, err: '' })
    expect(iterations(path)).toEqual(upTo(iteration + 1))
  })

  it('leaves nothing behind, and changes nothing, if there is no GPU', async () => {
    const missing = {
      status: 1, out: '', err: 'webgpu: there is no WebGPU here; in Node it comes with the optional package webgpu (npm install webgpu).\n',
    }
    const before = await readFile(folder('small', 'config.yaml'), 'utf8')
    const results = await Promise.all([
      run(['train', 'fish', ...gpu, '--out', folder('none')], { imports: [noPackage] }),
      run(['train', '--resume', folder('small'), ...gpu], { imports: [noPackage] }),
    ])
    for (const result of results) expect(result).toMatchObject(missing)
    expect(existsSync(folder('none'))).toBe(false)
    expect(await readFile(folder('small', 'config.yaml'), 'utf8')).toBe(before)
  })
})

it('grow grows the same pattern on every backend, and says on which it computes', async () => {
  const cells = async (backend: string, options: RunOptions): Promise<string[]> => {
    const { status, out, err } = await run(['grow', folder('small', 'model.safetensors'), '--steps', '8', '--backend', backend], options)
    expect([status, err]).toEqual([0, ''])
    return out.split('\n')
  }
  const [[onCpu, ...expected], [here, ...got], [best], [without]] = await Promise.all([
    cells('cpu', {}), cells('webgpu', onGpu), cells('auto', onGpu), cells('auto', { imports: [noPackage] }),
  ])
  expect(got).toEqual(expected)
  expect(onCpu).toMatch(/^Computing on: CPU, \d+ threads?(, fused multiply-add)?$/)
  expect(here).toMatch(/^Computing on: \S.* \(WebGPU\)$/)
  expect(without).toBe(onCpu)
  expect(best).toBe(/swiftshader|llvmpipe/i.test(here) ? onCpu : here)
})
