// A GPU for benchmarked engines: Dawn, from the package webgpu, as navigator.gpu, where all engines find the same
// adapter. Importing this file installs it there, and counts each engine's dispatches and buffers.

import { create, globals } from 'webgpu'
import { timed as timedByWall } from './serve.mjs'

// It must stay referenced, or the process crashes. Without the option, timestamps are rounded to 0.1 ms.
const gpu = create(['disable-dawn-features=timestamp_quantization'])

/** The device that was opened last. */
export let device = null

const asked = { dispatches: 0, bytes: 0, peakBytes: 0 }

/** The most passes whose beginning and end can be timed in one measurement. */
const mostPasses = 2048
let stamps = null

const { prototype: devices } = globals.GPUDevice
const { prototype: buffers } = globals.GPUBuffer
const { prototype: encoders } = globals.GPUCommandEncoder
const { prototype: passes } = globals.GPUComputePassEncoder
const { createBuffer } = devices

async function requestAdapter(options) {
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance', ...options })
  if (!adapter) return null
  const requestDevice = adapter.requestDevice.bind(adapter)
  adapter.requestDevice = async (descriptor = {}) => {
    const features = new Set([...descriptor.requiredFeatures ?? [], 'timestamp-query'])
    device = await requestDevice({
      ...descriptor, requiredFeatures: [...features].filter(name => adapter.features.has(name)),
    })
    stamps = device.features.has('timestamp-query') ? newStamps() : null
    return device
  }
  return adapter
}

/** Times are in a query set; they are copied to a buffer, and from there to one that the host can read. */
function newStamps() {
  const size = 16 * mostPasses
  const { QUERY_RESOLVE, COPY_SRC, COPY_DST, MAP_READ } = globals.GPUBufferUsage
  return {
    set: device.createQuerySet({ type: 'timestamp', count: 2 * mostPasses }),
    resolved: createBuffer.call(device, { size, usage: QUERY_RESOLVE | COPY_SRC }),
    read: createBuffer.call(device, { size, usage: COPY_DST | MAP_READ }),
    passes: 0,
  }
}

/** The GPU's time in compute passes since the last call, in ms; NaN if it cannot be measured. */
async function gpuTime() {
  if (!stamps) return NaN
  const { set, resolved, read, passes: count } = stamps
  stamps.passes = 0
  if (count === 0) return 0
  if (count > mostPasses) return NaN
  const encoder = device.createCommandEncoder()
  encoder.resolveQuerySet(set, 0, 2 * count, resolved, 0)
  encoder.copyBufferToBuffer(resolved, 0, read, 0, 16 * count)
  device.queue.submit([encoder.finish()])
  await read.mapAsync(globals.GPUMapMode.READ)
  const times = new BigUint64Array(read.getMappedRange(0, 16 * count).slice())
  read.unmap()
  let sum = 0
  for (let i = 0; i < count; i++) sum += Number(times[2 * i + 1] - times[2 * i]) / 1e6
  return sum
}

/**
 * Like `timed` of serve.mjs, with the GPU's time in compute passes, the number of dispatches, and the peak bytes of GPU
 * buffers, pooled ones included.
 */
export async function timed(fn) {
  await gpuTime()
  asked.dispatches = 0
  asked.peakBytes = asked.bytes
  const time = await timedByWall(fn)
  const { dispatches, peakBytes } = asked
  return { ...time, gpuMs: await gpuTime(), dispatches, bufferMB: peakBytes / 2 ** 20 }
}

const { beginComputePass } = encoders
encoders.beginComputePass = function (descriptor) {
  if (!stamps || stamps.passes++ >= mostPasses) return beginComputePass.call(this, descriptor)
  const beginningOfPassWriteIndex = 2 * (stamps.passes - 1)
  const timestampWrites = {
    querySet: stamps.set, beginningOfPassWriteIndex, endOfPassWriteIndex: beginningOfPassWriteIndex + 1,
  }
  return beginComputePass.call(this, { ...descriptor, timestampWrites })
}

const { dispatchWorkgroups } = passes
passes.dispatchWorkgroups = function (...groups) {
  asked.dispatches++
  return dispatchWorkgroups.apply(this, groups)
}

const alive = new WeakSet()
devices.createBuffer = function (descriptor) {
  const buffer = createBuffer.call(this, descriptor)
  alive.add(buffer)
  asked.bytes += buffer.size
  asked.peakBytes = Math.max(asked.peakBytes, asked.bytes)
  return buffer
}
const { destroy } = buffers
buffers.destroy = function () {
  if (alive.delete(this)) asked.bytes -= this.size
  return destroy.call(this)
}

Object.assign(globalThis, globals)
Object.defineProperty(globalThis, 'navigator', {
  value: { userAgent: 'node', gpu: { requestAdapter, getPreferredCanvasFormat: () => 'bgra8unorm' } },
  configurable: true,
})
