/**
 * `npm run bench`: measures cellgrad on the CPU of this machine, beside PyTorch and the autodiff libraries in
 * JavaScript. bench/README.md says what, and how to read it.
 *
 *   npm run bench                              everything, about 25 minutes; writes docs/results/cpu-*
 *   npm run bench -- --only train,forward      some of it
 *   npm run bench -- --quick                   tiny sizes, to see that it runs; writes out/bench/cpu-*
 *   npm run bench -- --out FOLDER              results elsewhere
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Context } from './lib/context.ts'
import { prepare } from './lib/engines.ts'
import { buildProbe, machine } from './lib/machine.ts'
import { measureMemory } from './measurements/memory.ts'
import { measureOperators } from './measurements/operators.ts'
import { measurePixelSpace } from './measurements/pixel.ts'
import { measureScaling } from './measurements/scaling.ts'
import { measureForward, measureTraining } from './measurements/speed.ts'

const measurements: Readonly<Record<string, (context: Context) => Promise<void>>> = {
  train: measureTraining,
  forward: measureForward,
  memory: measureMemory,
  pixel: measurePixelSpace,
  scaling: measureScaling,
  operators: measureOperators,
}

const { values: options } = parseArgs({
  options: { only: { type: 'string' }, quick: { type: 'boolean', default: false }, out: { type: 'string' } },
})
const chosen = options.only?.split(',') ?? Object.keys(measurements)
const unknown = chosen.find(name => !Object.hasOwn(measurements, name))
if (unknown !== undefined) {
  const known = Object.keys(measurements).join(', ')
  throw new Error(`bench: there is no measurement ${unknown}, expected some of ${known}.`)
}

const temp = mkdtempSync(join(tmpdir(), 'cellgrad-bench-'))
try {
  prepare()
  console.log(machine)
  const out = options.out ?? (options.quick ? 'out/bench' : 'docs/results')
  mkdirSync(out, { recursive: true })
  const context = { quick: options.quick, temp, out, probe: buildProbe(temp) }
  for (const name of chosen) {
    const started = Date.now()
    await measurements[name](context)
    console.log(`${name} took ${Math.round((Date.now() - started) / 1000)} s`)
  }
} finally {
  rmSync(temp, { recursive: true, force: true })
}
