// A run that is killed again and again, at random moments, ends with the same bits as an undisturbed one.
//
//     CELLGRAD_SEED=1234 npx vitest run tests/cli/resume.test.ts     the moments of a run that failed

import { existsSync, readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { readCheckpoint, readModel } from '../../src/node/index.ts'
import { foldIn, key, drawInteger } from '../../src/index.ts'
import { long } from '../long.ts'
import { seed } from '../seed.ts'
import { run, start, temporaryFolder, writeConfig, type Running } from './run.ts'

const iterations = 40
const kills = long ? 6 : 2
const saveEvery = 4 // as in the tiny configuration
const folder = temporaryFolder()

/** Lines of a run's metrics, the last of which may be cut off. */
function lines(path: string): string[] {
  const file = join(path, 'metrics.jsonl')
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []
}

/** Everything about each iteration, except its time. */
function metrics(path: string): unknown[] {
  return lines(path).map(line => ({ ...JSON.parse(line) as object, seconds: 0 }))
}

/** Kills a run without a chance to react once it has written `count` metrics and `milliseconds` have passed. */
async function killAfter({ child, result }: Running, path: string, count: number, milliseconds: number): Promise<void> {
  while (lines(path).length < count && child.exitCode === null) await sleep(2)
  await sleep(milliseconds)
  child.kill('SIGKILL')
  await result
}

it('survives kill -9 at any moment', async () => {
  console.log(`kill -9 at moments of seed ${seed}`)
  const config = await writeConfig(folder('run.yaml'), `iterations: ${iterations}\n`)
  const [whole, killed] = [folder('whole'), folder('killed')]
  const undisturbed = run(['train', 'lizard', '--config', config, '--out', whole])

  for (let i = 0; i < kills; i++) {
    const draw = (n: number, low: number, high: number): number => drawInteger(foldIn(foldIn(key(seed), i), n), low, high + 1)
    const begun = existsSync(join(killed, 'config.yaml'))
    const args = begun ? ['--resume', killed] : ['lizard', '--config', config, '--out', killed]
    // The first kill hits the start of the program or of the run; the last one may hit its final pictures.
    const latest = i === kills - 1 ? iterations : Math.round((iterations * i) / kills)
    const count = i === 0 ? 0 : draw(0, Math.min(Math.max(lines(killed).length + 1, 2 * saveEvery), latest), latest)
    await killAfter(start(['train', ...args]), killed, count, i === 0 ? draw(1, 200, 900) : draw(1, 0, 30))
    // Every file that exists is complete.
    if (existsSync(join(killed, 'checkpoint.safetensors'))) await readCheckpoint(join(killed, 'checkpoint.safetensors'))
    if (existsSync(join(killed, 'model.safetensors'))) await readModel(join(killed, 'model.safetensors'))
  }
  const last = await run(['train', '--resume', killed])

  expect(await undisturbed).toMatchObject({ status: 0, err: '' })
  expect(last, `seed ${seed}`).toMatchObject({ status: 0, err: '' })
  expect(last.out).toMatch(/^Going on with .* from iteration [1-9]/)
  expect(metrics(killed), `seed ${seed}`).toEqual(metrics(whole))
  expect(metrics(whole).map(metric => (metric as { iteration: number }).iteration)).toEqual(Array.from({ length: iterations }, (_, i) => i + 1))
  for (const file of ['model.safetensors', 'checkpoint.safetensors', 'growth.gif', 'target.png']) {
    expect((await readFile(join(killed, file))).equals(await readFile(join(whole, file))), `${file}, seed ${seed}`).toBe(true)
  }
  expect((await readdir(killed)).sort(), `seed ${seed}`).toEqual((await readdir(whole)).sort())
})
