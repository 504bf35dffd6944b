// The limits that the specification guarantees are enough: no kernel of a rollout binds more arrays, and the suite runs
// on such a device with `npm run test:limits` (see default-limits.ts).

import fc from 'fast-check'
import { afterAll, expect, it } from 'vitest'
import {
  cpu, defineRule, grad, init, key, mlp, normal, rollout, scope, sum, type Backend, type Data, type DataParams,
  type Tensor,
} from '../../src/index.ts'
import { ceilTo } from '../../src/backends/ceil-to.ts'
import type { Box, Program } from '../../src/backends/program.ts'
import { openDevice } from '../../src/backends/webgpu/device.ts'
import { kernelsOf, type ProgramKernel } from '../../src/backends/webgpu/program/kernels.ts'
import { divisions } from '../../src/backends/webgpu/program/sizes.ts'
import { backendOn } from '../../src/backends/webgpu/webgpu.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { distance } from '../nca/fused-scenes.ts'
import { long } from '../long.ts'
import { useDefaultLimits } from './default-limits.ts'
import './gpu.ts'

const endLimits = await useDefaultLimits()
const opened = await openDevice()
endLimits() // other files of this process have limits of their own
const gpu = backendOn(opened)
afterAll(() => gpu.close())

/** Limits of the WebGPU specification, of which one uniform buffer is that of sizes. */
const most = { storageBuffers: 8, uniformBuffers: 12 - 1, uniform: 65536, storage: 128 * 2 ** 20 }

const programs: fc.Arbitrary<Program> = fc.record({
  batch: fc.integer({ min: 1, max: 64 }), depth: fc.constant(1), height: fc.integer({ min: 1, max: 256 }), width: fc.integer({ min: 1, max: 256 }),
  channels: fc.constantFrom(1, 4, 24, 96),
  padding: fc.constantFrom('zero', 'circular', 'reflect', 'replicate'),
  perception: fc.oneof(
    fc.record({
      window: fc.constantFrom<Box>([1, 1, 1], [1, 3, 3], [1, 1, 5], [1, 13, 13]), filters: fc.integer({ min: 1, max: 4 }), learned: fc.boolean(), views: fc.constant([]), attention: fc.constant([]), normalised: fc.constant(1), deformable: fc.constant([]),
    }),
    fc.constantFrom<Box>([1, 1, 1], [1, 3, 3], [1, 1, 5], [1, 5, 5]).map(window => ({
      window, filters: 0, learned: false, attention: [], normalised: 1, deformable: [],
      views: [{ taps: Array.from({ length: sizeOf(window) }, (_, t) => t), outputs: 1, columns: 16, activation: 'relu' as const, slope: 0 }],
    })),
  ),
  hidden: fc.array(fc.constantFrom(1, 80, 240, 1024), { maxLength: 3 }),
  fireRate: fc.constantFrom(0.5, 1), inputMask: fc.constant(null),
  noise: fc.constantFrom(null, { on: 'change' as const, std: 0.1 }), bound: fc.constant(null), given: fc.constant(null), stepSize: fc.constant(1),
  living: fc.option(fc.constant({ channel: 0, above: 0.1, when: 'both' as const })),
}).map(({ hidden, ...rest }) => ({
  ...rest,
  updated: Array.from({ length: rest.channels }, (_, c) => c),
  layers: [...hidden, rest.channels].map((outputs, i) => (
    { outputs, columns: ceilTo(outputs, 16), activation: i === hidden.length ? 'linear' : 'relu', slope: 0, copied: 0, first: 0, groups: 0 })),
}))

it('the kernels of a rollout bind no more than every adapter allows, and their arrays are no larger', () => {
  fc.assert(fc.property(programs, fc.constantFrom(divisions.hardware, divisions.software), (program, division) => {
    const { gradients, workspace, ...rest } = kernelsOf(program, most, division)
    const single = Object.values(rest).filter((one): one is ProgramKernel => one instanceof Object && 'access' in one)
    expect(single.length).toBe(10)
    for (const { name, access } of [...single, ...gradients]) {
      const uniforms = access.filter(kind => kind === 'uniform').length
      expect(uniforms, name).toBeLessThanOrEqual(most.uniformBuffers)
      expect(access.length - uniforms, name).toBeLessThanOrEqual(most.storageBuffers)
    }
    expect(workspace.count).toBeGreaterThan(0)
    if (workspace.mostLevels > 1) expect(16 * workspace.sums * workspace.mostLevels).toBeLessThanOrEqual(most.storage)
    if (workspace.count > 1) expect(16 * workspace.size * workspace.count).toBeLessThanOrEqual(most.storage)
  }))
})

it.runIf(long)('a rollout whose weights are too large for uniforms has a gradient on a device with these limits', async () => {
  const { maxStorageBuffersPerShaderStage, maxUniformBufferBindingSize, maxStorageBufferBindingSize } = opened.device.limits
  expect([maxStorageBuffersPerShaderStage, maxUniformBufferBindingSize, maxStorageBufferBindingSize])
    .toEqual([most.storageBuffers, most.uniform, most.storage])
  const rule = defineRule({
    channels: { a: 24 }, perceive: ['identity', 'sobelX', 'sobelY'], update: mlp(240, { lastStd: 0.05 }),
  })
  const by = (backend: Backend): Promise<Data> => scope(() => {
    const x = normal(key(1), [1, 5, 5, 24], { backend })
    const loss = (p: DataParams): Tensor => sum(rollout(rule, p, x, key(0), { steps: 1 }))
    return { data: grad(loss)(init(rule, key(0), { backend })).update.w1.data() }
  }).data
  expect(distance(await by(gpu), await by(cpu()))).toBeLessThan(1e-5)
})
