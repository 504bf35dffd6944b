// Runs the command line as its users do, in a process of its own, from a bundle of the sources.

import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll } from 'vitest'
import { bundled } from '../bundled.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

export type Result = { status: number | null; signal: NodeJS.Signals | null; out: string; err: string }

/** A running command and its result. */
export type Running = { child: ChildProcess; result: Promise<Result> }

export type RunOptions = {
  cwd?: string
  env?: Record<string, string>
  /** Whether there is a GPU, if only a software one. */
  gpu?: boolean
  /** Modules that are imported before the program, behind the GPU. */
  imports?: readonly string[]
  /** Flags of Node itself. */
  flags?: readonly string[]
  /** A file for its output, instead of `out`. */
  stdout?: number
}

/** For `imports`: a module of this text. */
export function asModule(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`
}

/** For `imports`: the package webgpu is not installed. */
export const noPackage: string = asModule(`import { register } from 'node:module'
  register(${JSON.stringify(asModule("export const resolve = (name, context, next) => next(name === 'webgpu' ? 'no-such-package' : name, context)"))})`)

/** A module that kills its process, or its parent, with -9 when it would train with `"batch": 3`; a file records that. */
export function killer(note: string, whom: 'pid' | 'ppid'): string {
  return asModule(`import fs from 'node:fs'
    const file = process.argv.find(word => /(configs.*|config)\\.yaml$/.test(word)) ?? process.argv[process.argv.indexOf('--resume') + 1] + '/config.yaml'
    if (process.argv[2] === 'train' && /"?batch"?: 3/.test(fs.readFileSync(file, 'utf8'))) {
      fs.appendFileSync(${JSON.stringify(note)}, 'x')
      process.kill(process.${whom}, 'SIGKILL')
    }`)
}

/** Starts `cellgrad …args`. */
export function start(args: readonly string[], { cwd = root, env = {}, gpu = false, imports = [], flags = [], stdout }: RunOptions = {}): Running {
  const before = [...gpu ? [pathToFileURL(bundled('tests/webgpu/gpu.ts')).href] : [], ...imports].flatMap(name => ['--import', name])
  const child = spawn(process.execPath, [...flags, ...before, bundled('src/cli/main.ts'), ...args], {
    cwd,
    stdio: ['pipe', stdout ?? 'pipe', 'pipe'],
    env: { ...process.env, FORCE_COLOR: undefined, NO_COLOR: '1', CELLGRAD_DEBUG: undefined, ...env },
  })
  let [out, err] = ['', '']
  child.stdout?.on('data', (data: Buffer) => { out += data.toString() })
  child.stderr!.on('data', (data: Buffer) => { err += data.toString() })
  const result = new Promise<Result>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status, signal) => resolve({ status, signal, out, err }))
  })
  return { child, result }
}

/** Runs `cellgrad …args` to its end. */
export function run(args: readonly string[], options?: RunOptions): Promise<Result> {
  return start(args, options).result
}

/** A folder that exists during the tests of a file. */
export function temporaryFolder(): (...parts: string[]) => string {
  let folder = ''
  beforeAll(async () => { folder = await mkdtemp(join(tmpdir(), 'cellgrad-cli-')) })
  afterAll(() => rm(folder, { recursive: true }))
  return (...parts) => join(folder, ...parts)
}

/** A run that takes milliseconds per iteration, with everything in it that a run has. */
export const tiny = `
size: 6
padding: 1
batch: 3
pool: 16
damaged: 1
steps: [3, 6]
saveEvery: 4
rule: { channels: { rgba: 4, hidden: 4 }, update: { hidden: 8 } }
`

/** Writes the tiny configuration with values that override it; returns its path. */
export async function writeConfig(path: string, more = ''): Promise<string> {
  await writeFile(path, tiny + more)
  return path
}
