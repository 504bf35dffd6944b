/**
 * The engines: cellgrad, in the variants that this Node offers, and those it is compared with.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { cores, works } from './machine.ts'
import type { Engine } from './server.ts'

const server = (name: string): string => new URL(`../servers/${name}`, import.meta.url).pathname
const node = process.execPath

/**
 * cellgrad without and with relaxed SIMD, which has fused multiply-adds. Node 20 and 21 have it behind a flag, later
 * ones always. The last one is the fastest.
 */
export const variants: readonly Engine[] = Number.parseInt(process.versions.node, 10) < 22
  ? [
    { name: 'cellgrad', command: [node, server('cellgrad.mjs')], threads: cores },
    {
      name: 'cellgrad, relaxed SIMD',
      command: [node, '--experimental-wasm-relaxed-simd', server('cellgrad.mjs')],
      threads: cores,
    },
  ]
  : [
    { name: 'cellgrad, fma: false', command: [node, server('cellgrad.mjs')], threads: cores, backend: { fma: false } },
    { name: 'cellgrad', command: [node, server('cellgrad.mjs')], threads: cores },
  ]

/** cellgrad as one gets it from this Node, without flags and options. */
export const plainNode: Engine = variants.find(({ name }) => name === 'cellgrad')!

/** The Python that has PyTorch, if any. */
const python = ['/usr/bin/python3', 'python3'].find(program => works(program, ['-c', 'import torch, numpy']))

/** PyTorch at its fastest (channels last), the reference of all ratios, and as it is usually written. */
export const torch: readonly Engine[] = python
  ? ['channels-last', 'channels-first'].map(layout => ({
    name: `PyTorch ${torchVersion(python)}, ${layout}`,
    command: [python, server('pytorch.py'), layout, String(cores)],
    env: { OMP_NUM_THREADS: String(cores), OMP_PROC_BIND: 'true' },
    threads: cores,
  }))
  : []

/**
 * PyTorch with memory that is not handed back to the system between steps: without gradients it would otherwise spend
 * half of its time on page faults.
 */
export const torchKeepingMemory: readonly Engine[] = torch.map(engine => ({
  ...engine,
  env: { ...engine.env, MALLOC_MMAP_THRESHOLD_: String(2 ** 32), MALLOC_TRIM_THRESHOLD_: String(2 ** 34) },
}))

/** Autodiff libraries in JavaScript. They compute in one thread in Node. */
export const peers: readonly Engine[] = [
  { name: `jax-js ${version('@jax-js/jax')}, WASM`, command: [node, server('jax-js.mjs')], threads: 1, fewSteps: 4 },
  {
    name: `TensorFlow.js ${version('@tensorflow/tfjs')}, WASM`,
    command: [node, server('tfjs.mjs')], threads: 1, fewSteps: 4,
  },
]

function torchVersion(program: string): string {
  return spawnSync(program, ['-c', 'import torch; print(torch.__version__)'], { encoding: 'utf8' }).stdout.trim()
}

function version(name: string): string {
  const { dependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return dependencies[name]
}

/** Builds dist/, and installs the peers into bench/node_modules where they are missing. */
export function prepare(): void {
  const root = new URL('../..', import.meta.url).pathname
  npm(root, ['run', '--silent', 'build'])
  const bench = new URL('..', import.meta.url).pathname
  if (existsSync(`${bench}/node_modules/.package-lock.json`)) return
  npm(bench, ['ci', '--ignore-scripts', '--loglevel=error'])
}

function npm(folder: string, args: readonly string[]): void {
  const { status } = spawnSync('npm', args, { cwd: folder, stdio: 'inherit' })
  if (status !== 0) throw new Error(`bench: npm ${args.join(' ')} failed in ${folder}.`)
}
