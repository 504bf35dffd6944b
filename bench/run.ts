/**
 * `npm run bench`: measures cellgrad on the CPU of this machine or on its GPU, compared with PyTorch and the autodiff
 * libraries in JavaScript. bench/README.md says what is measured, and how to read it.
 *
 *   npm run bench                              everything on the CPU, about an hour and a half; writes docs/results/cpu-*
 *   npm run bench -- --webgpu                  everything on the GPU; writes docs/results/webgpu-*
 *   npm run bench -- --only train,forward      some of it
 *   npm run bench -- --quick                   tiny sizes, to check that it runs; writes out/bench/*
 *   npm run bench -- --out FOLDER              results elsewhere
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Context } from './lib/context.ts'
import { prepare } from './lib/engines.ts'
import { gpuProbe, openGpu, type GpuContext } from './lib/gpu.ts'
import { buildProbe, machine } from './lib/machine.ts'
import { measureKinds } from './measurements/kinds.ts'
import { measureMemory } from './measurements/memory.ts'
import { measureOperators } from './measurements/operators.ts'
import { measurePixelSpace } from './measurements/pixel.ts'
import { measureProfile } from './measurements/profile.ts'
import { measureRules } from './measurements/rules.ts'
import { measureScaling } from './measurements/scaling.ts'
import { measureForward, measureTraining } from './measurements/speed.ts'
import { measureAdapter, measureDispatches, measureGpuOperators } from './measurements/webgpu-operators.ts'
import { measureGrowing, measureTable2, measureTable6 } from './measurements/webgpu-rollouts.ts'

type Measurements<C> = Readonly<Record<string, (context: C) => Promise<void>>>

const onCpu: Measurements<Context> = {
  train: measureTraining,
  forward: measureForward,
  memory: measureMemory,
  pixel: measurePixelSpace,
  scaling: measureScaling,
  operators: measureOperators,
  profile: measureProfile,
  rules: measureRules,
  kinds: measureKinds,
}

const onGpu: Measurements<GpuContext> = {
  adapter: measureAdapter,
  growing: measureGrowing,
  table6: measureTable6,
  table2: measureTable2,
  operators: measureGpuOperators,
  dispatch: measureDispatches,
}

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' }, quick: { type: 'boolean', default: false }, out: { type: 'string' },
    webgpu: { type: 'boolean', default: false },
  },
})
const known = Object.keys(options.webgpu ? onGpu : onCpu)
const chosen = options.only?.split(',') ?? known
const unknown = chosen.find(name => !known.includes(name))
if (unknown !== undefined) {
  throw new Error(`bench: there is no measurement ${unknown}, expected some of ${known.join(', ')}.`)
}

async function run<C>(measurements: Measurements<C>, context: C): Promise<void> {
  for (const name of chosen) {
    const started = Date.now()
    await measurements[name](context)
    console.log(`${name} took ${Math.round((Date.now() - started) / 1000)} s`)
  }
}

const temp = mkdtempSync(join(tmpdir(), 'cellgrad-bench-'))
try {
  prepare()
  console.log(machine)
  const out = options.out ?? (options.quick ? 'out/bench' : 'docs/results')
  mkdirSync(out, { recursive: true })
  const context = { quick: options.quick, temp, out }
  if (options.webgpu) {
    const gpu = await openGpu()
    console.log(gpu.name)
    await run(onGpu, { ...context, gpu, probe: gpuProbe(gpu) })
    gpu.server.stop()
  } else {
    await run(onCpu, { ...context, probe: buildProbe(temp) })
  }
} finally {
  rmSync(temp, { recursive: true, force: true })
}
