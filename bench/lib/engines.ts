/**
 * The engines: cellgrad, in the variants that this Node offers, and those that it is compared with.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { cores, works } from './machine.ts'
import type { Engine } from './server.ts'

const root = new URL('../..', import.meta.url).pathname
const bench = new URL('..', import.meta.url).pathname
const server = (name: string): string => `${bench}servers/${name}`
const node = process.execPath

/** Whether this runs in the folder that scripts/pack-gpu.mjs made: everything is built, and the peers are missing. */
export const packed: boolean = !existsSync(`${root}src`)

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

/** cellgrad as it runs in this Node without flags and options. */
export const plainNode: Engine = variants.find(({ name }) => name === 'cellgrad')!

/** The Python that has PyTorch, if any; if the system's and another one do, the one with the newest version. */
const python = ['python3', '/usr/bin/python3'].filter(program => works(program, ['-c', 'import torch, numpy']))
  .toSorted((a, b) => torchVersion(b).localeCompare(torchVersion(a), 'en', { numeric: true }))[0]

/** PyTorch at its fastest (channels last), the reference of all ratios, and with its usual layout. */
export const torch: readonly Engine[] = python
  ? ['channels-last', 'channels-first'].map(layout => ({
    name: `PyTorch ${torchVersion(python)}, ${layout}`,
    command: [python, `${root}python/server.py`, layout, String(cores)],
    env: { OMP_NUM_THREADS: String(cores), OMP_PROC_BIND: 'true' },
    threads: cores,
  }))
  : []

/**
 * PyTorch with memory that is not returned to the system between steps: without gradients it would otherwise spend half of
 * its time on page faults.
 */
export const torchKeepingMemory: readonly Engine[] = torch.map(engine => ({
  ...engine,
  env: { ...engine.env, MALLOC_MMAP_THRESHOLD_: String(2 ** 32), MALLOC_TRIM_THRESHOLD_: String(2 ** 34) },
}))

/** Autodiff libraries in JavaScript. They compute in one thread in Node. */
export const peers: readonly Engine[] = [
  { name: `jax-js ${versions()['@jax-js/jax']}, WASM`, command: [node, server('jax-js.mjs')], threads: 1, fewSteps: 4 },
  {
    name: `TensorFlow.js ${versions()['@tensorflow/tfjs']}, WASM`,
    command: [node, server('tfjs.mjs')], threads: 1, fewSteps: 4,
  },
]

function torchVersion(program: string): string {
  return spawnSync(program, ['-c', 'import torch; print(torch.__version__)'], { encoding: 'utf8' }).stdout.trim()
}

function versions(): Readonly<Record<string, string>> {
  return JSON.parse(readFileSync(`${bench}package.json`, 'utf8')).dependencies
}

/** cellgrad on the GPU: one dispatch per step, or operators. The first one is the reference of all ratios. */
export const onGpu: readonly Engine[] = (['fused', 'composed'] as const).map(webgpu => ({
  name: `cellgrad, ${webgpu}`, command: [node, server('cellgrad.mjs'), 'webgpu'], threads: 1, backend: { webgpu },
}))

/** Autodiff libraries in JavaScript on the GPU. */
export const gpuPeers: readonly Engine[] = packed ? [] : [
  { name: `jax-js ${versions()['@jax-js/jax']}, WebGPU`, command: [node, server('jax-js.mjs'), 'webgpu'], threads: 1 },
  {
    name: `TensorFlow.js ${versions()['@tensorflow/tfjs']}, WebGPU`,
    command: [node, server('tfjs.mjs'), 'webgpu'], threads: 1, fewSteps: 1,
  },
]

/** The process that has only the GPU. */
export const adapter: Engine = { name: 'the GPU', command: [node, server('adapter.mjs')], threads: 1 }

/** Builds dist/, and installs the peers into bench/node_modules if any is missing. */
export function prepare(): void {
  if (packed) return
  npm(root, ['run', '--silent', 'build'])
  const missing = Object.keys(versions()).some(name => !existsSync(`${bench}node_modules/${name}`))
  if (missing) npm(bench, ['ci', '--ignore-scripts', '--loglevel=error'])
}

function npm(folder: string, args: readonly string[]): void {
  const { status } = spawnSync('npm', args, { cwd: folder, stdio: 'inherit' })
  if (status !== 0) throw new Error(`bench: npm ${args.join(' ')} failed in ${folder}.`)
}
