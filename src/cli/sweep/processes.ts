/**
 * Runs of a sweep as processes of this computer: each is `cellgrad train` in a folder of its own. So it is locked,
 * saved and resumed like any other run, and if one crashes, the others are not affected.
 *
 *   SWEEP/configs/ID.yaml   its configuration        SWEEP/runs/ID   its folder       …/failed.txt   why it failed
 *
 * These folders alone show what has been done, so a sweep that is started again continues where it was.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pLimit from 'p-limit'
import type { PlannedRun } from '../../experiment/sweep/plan.ts'
import { cannotWrite, WriteError, writeFileAtomic } from '../../node/atomic-file.ts'
import { unwritten } from '../input/usage.ts'
import { signals } from '../terminal/interrupt.ts'
import { lock } from '../run/lock.ts'
import { parseMetrics, resultOf } from '../run/metrics.ts'
import { files } from '../run/run-folder.ts'
import type { Executor, Outcome } from './driver.ts'

/** The file that says why a run has failed. */
export const failure = 'failed.txt'

/** Why a run was given up: its process, or its worker, was killed more often than the sweep's `retries` allow. */
export function givenUp(what: 'process' | 'worker', times: number): string {
  return `its ${what} was killed ${times === 1 ? 'once' : `${times} times`} without a new checkpoint in between (retries of the sweep)`
}

/** An executor that trains runs in so many processes at once, which share the cores, with further flags of `cellgrad train`. */
export function processes(folder: string, workers: number, flags: readonly string[], retries: number): Executor {
  const limit = pLimit(workers)
  return {
    slots: workers,
    flags: '',
    train: (run, iterations, signal) => limit(() => trainRun(folder, run, iterations, {
      env: environment(Math.min(workers, limit.activeCount + limit.pendingCount)), signal, flags, retries, // a run that is alone has all cores
    })),
    close: async () => {},
  }
}

/** The flags that tell the runs of a sweep which fields to show in TensorBoard's table. */
export function comparing(fields: readonly string[]): string[] {
  return ['--hyperparameters', fields.join(',')]
}

/** The environment of one of so many processes that share the cores. */
export function environment(workers: number): NodeJS.ProcessEnv {
  const threads = Math.max(1, Math.floor(availableParallelism() / workers))
  return { ...process.env, CELLGRAD_THREADS: process.env.CELLGRAD_THREADS ?? String(threads) }
}

/** Makes the folders of a sweep. They are made only once: if they vanish, the sweep stops. */
export async function makeFolders(folder: string): Promise<void> {
  for (const name of ['runs', 'configs']) await mkdir(join(folder, name), { recursive: true }).catch(cannotWrite(folder))
}

/**
 * Trains a run in a process, with further flags of `cellgrad train`, unless it has got that far already, or has failed before. If
 * its process is killed, it is restarted, at most `retries` times in a row without a new checkpoint.
 *
 * @throws if it could not be written
 */
export async function trainRun(
  folder: string, { id, config }: Pick<PlannedRun, 'id' | 'config'>, iterations: number,
  { env, signal, flags, retries }: { env: NodeJS.ProcessEnv; signal: AbortSignal; flags: readonly string[]; retries: number },
): Promise<Outcome> {
  const own = join(folder, 'runs', id)
  for (let kills = 0, saved = await savedAt(own); ;) {
    const known = await outcomeOf(own, iterations)
    if (known) return known
    if (signal.aborted) return { stopped: true }
    if (kills > retries) return failed(own, givenUp('process', kills))
    const file = join(folder, 'configs', `${id}.yaml`)
    await writeFileAtomic(file, `${JSON.stringify(config, null, 2)}\n`) // JSON is YAML
    if (existsSync(own)) await untilFree(own)
    const args = existsSync(join(own, files.config)) ? ['--resume', own] : ['--config', file, '--out', own]
    const ended = await cellgrad(['train', '--plain', ...args, '--iterations', String(iterations), ...flags], env, signal)
    if (ended.status === 0 && !await outcomeOf(own, iterations)) return failed(own, 'it has no metrics')
    if (ended.status === unwritten) throw new WriteError(ended.words.split('\n')[0])
    const wasStopped = ended.status === null || Object.values(signals).includes(ended.status as never)
    if (ended.status !== 0 && !wasStopped) return failed(own, ended.words)
    const now = await savedAt(own)
    kills = now === saved ? kills + 1 : 1
    saved = now
  }
}

/** The time at which a run was last saved; 0 if it never was. */
export async function savedAt(own: string): Promise<number> {
  return stat(join(own, files.checkpoint)).then(({ mtimeMs }) => mtimeMs, () => 0)
}

/** The outcome of a run that should have so many iterations: its result, or why it failed; null if it is not done. */
export async function outcomeOf(own: string, iterations: number): Promise<Outcome | null> {
  const why = await readFile(join(own, failure), 'utf8').catch(() => null)
  if (why !== null) return { failed: why.trim() }
  const metrics = parseMetrics(await readFile(join(own, files.metrics), 'utf8').catch(() => ''))
  const isOver = (metrics.at(-1)?.iteration ?? 0) >= iterations || existsSync(join(own, files.ended))
  if (!isOver || !existsSync(join(own, files.checkpoint))) return null
  return { value: resultOf(metrics.filter(({ iteration }) => iteration <= iterations)) }
}

/** Records why a run failed. */
export async function failed(own: string, why: string): Promise<Outcome> {
  await makeFolder(own)
  await writeFileAtomic(join(own, failure), `${why}\n`)
  return { failed: why }
}

/** Makes the folder of a run, but not the folders above it. */
export async function makeFolder(own: string): Promise<void> {
  await mkdir(own).catch((error: NodeJS.ErrnoException) => { if (error.code !== 'EEXIST') cannotWrite(own)(error) })
}

/** Waits until no process trains in a folder: a process whose sweep was killed stops, but not at once. */
async function untilFree(folder: string): Promise<void> {
  for (let waited = 0; ; waited++) {
    try {
      const release = await lock(folder)
      return release()
    } catch (error) {
      if (waited === 60) throw error
      await sleep(500)
    }
  }
}

/** Runs this program in a child process until that ends. The child saves and stops when the signal aborts or this process dies. */
function cellgrad(args: readonly string[], env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<{ status: number | null; words: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...process.execArgv, process.argv[1], ...args], {
      env, stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    let words = ''
    child.stderr!.on('data', (data: Buffer) => { words = (words + data.toString()).slice(-2000) })
    const stop = (): void => { child.kill('SIGTERM') }
    signal.addEventListener('abort', stop)
    if (signal.aborted) stop() // aborted while the configuration was being written
    child.on('error', reject)
    child.on('close', status => {
      signal.removeEventListener('abort', stop)
      resolve({ status, words: words.trim() || `status ${status}` })
    })
  })
}
