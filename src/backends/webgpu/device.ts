/**
 * Opening a GPU: `navigator.gpu` in a browser, Dawn through the optional package `webgpu` in Node.
 */

export type OpenDevice = {
  readonly device: GPUDevice
  /** The driver's name of the GPU. */
  readonly adapter: string
  /** Whether it is a software adapter, which runs on the CPU. */
  readonly software: boolean
}

declare const process: { readonly platform: string; once(event: 'exit', listener: () => void): void } | undefined

/** Dawn crashes the process if this object or a device is garbage-collected while in use, so both are referenced here. */
let dawn: GPU | undefined
const devices = new Set<GPUDevice>()

/** Limits that are requested as high as the adapter allows; the others keep the defaults, which every adapter has. */
const wanted = [
  'maxBufferSize', 'maxStorageBufferBindingSize', 'maxUniformBufferBindingSize', 'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize', 'maxComputeInvocationsPerWorkgroup', 'maxComputeWorkgroupSizeX',
] as const

/**
 * A device and the name of its adapter; hardware is preferred to software. If there is no WebGPU or no adapter, throws one
 * sentence that says what to install.
 */
export async function openDevice(): Promise<OpenDevice> {
  const gpu = globalThis.navigator?.gpu ?? await openDawn()
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' })
  if (!adapter) throw new Error(`webgpu: no GPU found; ${remedy()}.`)
  const device = await adapter.requestDevice({
    requiredLimits: Object.fromEntries(wanted.map(name => [name, adapter.limits[name]])),
  })
  devices.add(device)
  const { vendor, architecture, device: model, description, isFallbackAdapter } = adapter.info
  const name = [vendor, architecture, model, description].filter(part => part !== '').join(' ')
  const software = isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|basic render/i.test(name)
  return { device, adapter: name, software }
}

/** Ends a device and everything on it. */
export function closeDevice(device: GPUDevice): void {
  device.destroy()
  devices.delete(device)
}

async function openDawn(): Promise<GPU> {
  if (typeof process === 'undefined') {
    throw new Error('webgpu: there is no WebGPU on this page; it takes a browser that has it, and a page that comes '
      + 'from https or localhost.')
  }
  try {
    const { create } = await import('webgpu')
    if (dawn) return dawn
    // It also crashes when the process ends while the GPU is working; `destroy` waits for it.
    process.once('exit', () => devices.forEach(device => device.destroy()))
    return dawn = create([])
  } catch (cause) {
    const missing = (cause as { code?: string }).code === 'ERR_MODULE_NOT_FOUND'
    const [reason] = (cause as Error).message.split('\n')
    throw new Error(missing
      ? 'webgpu: there is no WebGPU here; in Node it comes with the optional package webgpu (npm install webgpu).'
      : `webgpu: the package webgpu cannot be loaded: ${reason}.`, { cause })
  }
}

/** What to do where no adapter is found, as the end of a sentence. */
function remedy(): string {
  switch (typeof process === 'undefined' ? 'browser' : process.platform) {
    case 'linux': return 'install the Vulkan driver of your GPU (NVIDIA: its own driver; AMD and Intel: apt install '
      + 'mesa-vulkan-drivers libvulkan1, which on Debian 13 and later also brings a software one)'
    case 'darwin': return 'this Mac has none that macOS offers to programs (Metal)'
    case 'win32': return 'install the current driver of your GPU (Direct3D 12)'
    default: return 'switch hardware acceleration on in the settings of the browser, or use one with WebGPU'
  }
}
