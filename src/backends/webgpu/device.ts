/**
 * Opening a GPU: `navigator.gpu` in a browser, Dawn through the optional package `webgpu` in Node.
 */

/** Dawn crashes the process when this object or a device is collected while in use, so both are held here. */
let dawn: GPU | undefined
const devices = new Set<GPUDevice>()

/**
 * A device and the name of its adapter, a hardware one before a software one. Its buffers may be as large as the
 * adapter allows. Throws one sentence where there is no WebGPU or no adapter.
 */
export async function openDevice(): Promise<{ device: GPUDevice; adapter: string }> {
  const gpu = globalThis.navigator?.gpu ?? await openDawn()
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' })
  if (!adapter) {
    throw new Error('webgpu: no adapter found; install a Vulkan driver for your GPU, or a software one '
      + '(on Debian 13 and later: apt install mesa-vulkan-drivers).')
  }
  const { maxBufferSize, maxStorageBufferBindingSize, maxStorageBuffersPerShaderStage } = adapter.limits
  const device = await adapter.requestDevice({
    requiredLimits: { maxBufferSize, maxStorageBufferBindingSize, maxStorageBuffersPerShaderStage },
  })
  devices.add(device)
  const { vendor, architecture, device: model, description } = adapter.info
  return { device, adapter: [vendor, architecture, model, description].filter(part => part !== '').join(' ') }
}

/** Ends a device and everything on it. */
export function closeDevice(device: GPUDevice): void {
  device.destroy()
  devices.delete(device)
}

async function openDawn(): Promise<GPU> {
  try {
    const { create } = await import('webgpu')
    return dawn ??= create([])
  } catch (cause) {
    const hint = 'in Node it comes with the optional package webgpu (npm install webgpu)'
    throw new Error(`webgpu: there is no WebGPU here; ${hint}.`, { cause })
  }
}
