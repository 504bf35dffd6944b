// The GPU itself as a benchmarked engine: its name, its peak speed, and the CPU's cost of submitting commands to it.

import { device, timed } from './dawn.mjs'
import { serve } from './serve.mjs'

const cg = await import(new URL('../../dist/index.js', import.meta.url))
const backend = await cg.webgpu()
const { STORAGE } = GPUBufferUsage

/** Its name, and the limits of the device that cellgrad opens. */
function describe() {
  const { limits } = device
  const names = [
    'maxBufferSize', 'maxStorageBufferBindingSize', 'maxUniformBufferBindingSize', 'maxComputeWorkgroupStorageSize',
    'maxComputeInvocationsPerWorkgroup', 'maxStorageBuffersPerShaderStage',
  ]
  return {
    adapter: backend.adapter, software: backend.software, timestamps: device.features.has('timestamp-query'),
    limits: Object.fromEntries(names.map(name => [name, limits[name]])),
  }
}

/** A function that runs a shader with these buffers in that many workgroups and waits for it. */
function program(code, buffers, groups) {
  const module = device.createShaderModule({ code })
  const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } })
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }))
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries })
  return (times = 1) => {
    const encoder = device.createCommandEncoder()
    const pass = encoder.beginComputePass()
    for (let i = 0; i < times; i++) {
      pass.setPipeline(pipeline)
      pass.setBindGroup(0, group)
      pass.dispatchWorkgroups(groups)
    }
    pass.end()
    device.queue.submit([encoder.finish()])
    return device.queue.onSubmittedWorkDone()
  }
}

const lanes = 64

/** Eight independent chains of fused multiply-adds of four numbers, which fit into registers everywhere. */
const chains = [0, 1, 2, 3, 4, 5, 6, 7]
const multiplyAdds = rounds => `
@group(0) @binding(0) var<storage, read_write> out: array<vec4f>;
@compute @workgroup_size(${lanes}) fn main(@builtin(global_invocation_id) id: vec3u) {
  let m = vec4f(0.999 + 1e-9 * f32(id.x));
  let c = vec4f(0.5);
  ${chains.map(i => `var a${i} = vec4f(f32(id.x + ${i}u));`).join('\n')}
  for (var k = 0u; k < ${rounds}u; k++) {
    ${chains.map(() => chains.map(i => `a${i} = fma(a${i}, m, c);`).join(' ')).join('\n')}
  }
  out[id.x] = ${chains.map(i => `a${i}`).join(' + ')};
}`

const vectorsEach = 4
const copy = `
@group(0) @binding(0) var<storage, read_write> to: array<vec4f>;
@group(0) @binding(1) var<storage, read> given: array<vec4f>;
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  for (var k = 0u; k < ${vectorsEach}u; k++) {
    let i = (group.x * ${vectorsEach}u + k) * ${lanes}u + lane;
    to[i] = given[i];
  }
}`

const groups = backend.software ? 64 : 32768
const rounds = backend.software ? 128 : 64
const sums = program(multiplyAdds(rounds), [device.createBuffer({ size: 16 * groups * lanes, usage: STORAGE })], groups)

const bytes = (backend.software ? 16 : 120) * 2 ** 20
const arrays = [0, 1].map(() => device.createBuffer({ size: bytes, usage: STORAGE }))
const copies = program(copy, arrays, bytes / (16 * lanes * vectorsEach))

/** The best of five: GFLOP/s of multiply-adds, and GB/s that a copy reads and writes. */
async function peak() {
  const fastest = async run => {
    const times = []
    for (let i = 0; i < 6; i++) {
      const { ms, gpuMs } = await timed(run)
      if (i > 0) times.push(gpuMs > 0 ? gpuMs : ms)
    }
    return Math.min(...times)
  }
  const operations = groups * lanes * rounds * chains.length ** 2 * 4 * 2
  return { gflops: operations / await fastest(sums) / 1e6, gigabytes: 2 * bytes / await fastest(copies) / 1e6 }
}

// ---- what commands cost the CPU ----

/** Waits until everything that was enqueued has run. */
const settled = () => cg.zeros([1], { backend }).data()

const one = cg.zeros([1], { backend })
const rule = cg.growingRule
const params = cg.init(rule, cg.key(0), { backend })
const x = cg.seed(rule, { height: 8, width: 16, backend })
const composed = { ...backend, runner: undefined }
const [composedParams, composedX] = [await cg.to(composed, params), await cg.to(composed, x)]
const nothing = program(`
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
@compute @workgroup_size(1) fn main() { out[0] = 0.0; }`, [device.createBuffer({ size: 4, usage: STORAGE })], 1)

/** Each does about n dispatches, on grids so small that the GPU has almost nothing to do. */
const work = {
  'Dawn alone': n => { nothing(n) },
  'operator (add)': n => cg.scope(() => { for (let i = 0; i < n; i++) cg.add(one, one) }),
  'composed forward step': n => cg.scope(() => {
    cg.rollout(rule, composedParams, composedX, cg.key(1), { steps: Math.ceil(n / 19) })
  }),
  'fused forward step': n => cg.scope(() => { cg.rollout(rule, params, x, cg.key(1), { steps: n }) }),
  'fused forward and backward step': n => cg.scope(() => {
    cg.grad(p => cg.sum(cg.rollout(rule, p, x, cg.key(1), { steps: n >> 1, checkpoint: false })))(params)
  }),
}

/** The CPU's time for a dispatch, in µs: until commands are submitted, not until they have run. */
async function encode({ what, dispatches: wanted }) {
  let handedOver = 0
  const { dispatches } = await timed(async () => {
    const started = performance.now()
    work[what](wanted)
    handedOver = performance.now() - started
    await settled()
  })
  return { ms: handedOver, dispatches, us: 1e3 * handedOver / dispatches }
}

await serve({ describe, peak, encode, names: () => ({ names: Object.keys(work) }) })
