// The checks that run in a browser: operators and fused rollouts on the browser's WebGPU against
// the float64 loops of the CPU in the same page, the fused rollouts of the CPU in WebAssembly, memory, errors, the end.
// `run.ts` opens the page and calls `runChecks`.

import fc from 'fast-check'
import {
  add, bits, cpu, defineRule, explain, fire, growingRule, memory, mlp, tensor, uniform, webgpu, zeros,
} from '../../src/index.ts'
import { closeScope, openScope } from '../../src/tensor/lifetime.ts'
import { defaultBackend } from '../../src/tensor/tensor.ts'
import { expectNear, laterOutcome, outcome, scenesOf } from '../nca/fused-scenes.ts'
import { cases } from '../operators/cases.ts'
import { expectAgreement, expectSame, misspelt, runMisspelt } from '../webgpu/agreement.ts'

/** The number of random cases per property, and the seed that repeats them. */
export type Settings = { numRuns: number; seed: number }

/** How many checks passed and failed. */
export type Counts = { passed: number; failed: number }

/** Runs everything, with a line on the console for each check. */
export async function runChecks({ numRuns, seed }: Settings): Promise<Counts> {
  fc.configureGlobal({ numRuns, includeErrorInReport: true, seed })
  const counts = { passed: 0, failed: 0 }
  const gpu = await webgpu()
  console.log(`browser: adapter ${gpu.adapter}${gpu.software ? ' (software)' : ''}`)

  /** Every check is a scope, after which the backends hold what they held before. */
  async function check(what: string, test: () => Promise<void>): Promise<void> {
    try {
      const before = [gpu, defaultBackend].map(backend => memory(backend).buffers)
      const scope = openScope(what)
      try {
        await test()
      } finally {
        closeScope(scope, new Set())
      }
      const after = [gpu, defaultBackend].map(backend => memory(backend).buffers)
      expectText(`${after} buffers`, `${before} buffers`)
      counts.passed++
      console.log(`browser: ${what}`)
    } catch (error) {
      counts.failed++
      // The numbers of the failed scene are left out: the seed makes it again.
      console.log(`browser: FAILED: ${what}\n${(error as Error).stack}`.replace(/^(.{200}).+$/gm, '$1…'))
    }
  }

  for (const [i, c] of cases.entries()) {
    await check(`${c.op.name} (${i}): value, first and second derivative`, () => expectAgreement(gpu, c, { numRuns }))
  }

  await check('random bits, numbers and fires are those of the CPU', async () => {
    const shapes = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 99 }), fc.constant(4), fc.nat())
    await fc.assert(fc.asyncProperty(shapes, async ([h, w, c, n]) => {
      await expectSame(gpu, (_, backend) => bits([n, 7], [h, w], { backend }))
      await expectSame(gpu, (_, backend) => uniform([n, 7], [h, w], { backend }))
      await expectSame(gpu, (_, backend) => fire([n, 7], zeros([1, h, w, c], { backend }), 0.5))
    }))
  })

  // One rule and one size of grid: compiling its shaders takes most of the time.
  const rule = defineRule({ ...growingRule, channels: { rgba: 4, hidden: 4 }, update: mlp(16) })
  const scenes = scenesOf({
    rules: fc.constant(rule), grid: fc.constant([13, 18]), batches: fc.constant(2), longest: 5,
  })

  await check('fused rollouts on the GPU, and their gradients, are the composed ones', async () => {
    expectText(explain(rule, gpu), /^fused: /)
    await fc.assert(fc.asyncProperty(scenes, async scene => {
      expectNear(scene, await laterOutcome(scene, gpu), outcome(scene, cpu(), { dtype: 'float64' }))
    }))
  })

  await check('fused rollouts on the CPU, and their gradients, are the composed ones', async () => {
    for (const fma of [true, false]) {
      const host = cpu({ fma })
      expectText(explain(rule, host), /^fused: /)
      fc.assert(fc.property(scenesOf({ longest: 5 }), scene => {
        expectNear(scene, outcome(scene, host), outcome(scene, cpu({ simd: false }), { dtype: 'float64' }))
      }))
    }
  })

  await check("the CPU has one thread on a page's main thread, and refuses more, also where the page has shared memory", async () => {
    expectText(`${crossOriginIsolated}`, 'true')
    await expectError(async () => cpu({ threads: 4 }), "cpu: threads is 4, expected 1, since threads wait for each other, as only Node's and those of an isolated page's worker can.")
  })

  await check('a kernel that does not compile is told with its operator', async () => {
    const other = await webgpu()
    const x = tensor([1, 1], { backend: other })
    runMisspelt(x)
    await expectError(() => x.data(), misspelt)
    await other.close()
  })

  await check('everything is given back', async () => {
    gpu.trim()
    const { buffers, bytes, pooledBytes } = memory(gpu)
    expectText(`${[buffers, bytes, pooledBytes]}`, '0,0,0')
  })

  await check('close lets reads finish and refuses the rest', async () => {
    const x = tensor([1, 1, 1], { backend: gpu })
    const read = add(x, x).data()
    await Promise.all([gpu.close(), gpu.close()])
    expectText(`${await read}`, '2,2,2')
    await expectError(async () => add(x, x), 'webgpu: the backend has been closed.')
    await expectError(() => x.data(), 'webgpu: the backend has been closed.')
  })

  await check('a browser without WebGPU is told what it takes', async () => {
    Object.defineProperty(navigator, 'gpu', { value: undefined })
    await expectError(() => webgpu(), 'webgpu: there is no WebGPU on this page; it takes a '
      + 'browser that has it, and a page that comes from https or localhost.')
  })

  return counts
}

function expectText(got: string, expected: string | RegExp): void {
  const holds = typeof expected === 'string' ? got === expected : expected.test(got)
  if (!holds) throw new Error(`got ${got}, expected ${expected}`)
}

async function expectError(act: () => Promise<unknown>, expected: string | RegExp): Promise<void> {
  const message = await act().then(() => 'no error', (error: Error) => error.message)
  expectText(message, expected)
}
