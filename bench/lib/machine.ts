/**
 * The machine: its name for the tables, and a probe of the current speed of its cores.
 */
import { execFile, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

export const cores: number = availableParallelism()

/** 'AMD EPYC, 2 cores, 24 GB, Linux 6.1.0, Node 20.20.2' */
export const machine: string = [
  cpus()[0]?.model.trim() ?? process.arch, `${cores} cores`, `${Math.round(totalmem() / 2 ** 30)} GB`,
  `${type()} ${release()}`, `Node ${process.versions.node}`,
].join(', ')

/** The GFLOP/s of 128-bit fused multiply-adds on all cores at once; NaN without a probe. */
export type Probe = () => Promise<number>

/** Builds probe.c in a folder. Without a C compiler, the probe returns NaN. */
export function buildProbe(folder: string): Probe {
  const binary = join(folder, 'probe')
  const source = new URL('../probe.c', import.meta.url).pathname
  const built = ['cc', 'gcc'].some(compiler =>
    works(compiler, ['-O2', '-march=native', '-ffp-contract=fast', source, '-o', binary]))
  if (!built) return async () => NaN
  const pin = existsSync('/usr/bin/taskset')
  const run = promisify(execFile)
  return async () => {
    const rates = await Promise.all(Array.from({ length: cores }, async (_, core) => {
      const { stdout } = await (pin ? run('taskset', ['-c', String(core), binary]) : run(binary))
      return Number(stdout)
    }))
    return rates.reduce((sum, rate) => sum + rate, 0)
  }
}

/** Whether a program runs and exits with 0. */
export function works(program: string, args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0
}
