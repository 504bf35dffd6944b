// Devices with the limits that every adapter of the specification has, and no more: most hardware has about these, and
// the software adapter has more, so that exceeding them would not be noticed on it. With CELLGRAD_LIMITS=default, every
// test that imports gpu.ts runs on them.

const devices: GPUDevice[] = []

/** Makes `navigator.gpu` give devices with the default limits, whatever is requested; returns a function that ends this. */
export async function useDefaultLimits(): Promise<() => void> {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator')
  const { create } = await import('webgpu')
  const dawn = create([])
  const requestAdapter = async (options?: GPURequestAdapterOptions): Promise<object | null> => {
    const adapter = await dawn.requestAdapter(options)
    return adapter && {
      info: adapter.info,
      limits: {},
      requestDevice: async () => {
        const device = await adapter.requestDevice()
        devices.push(device)
        return device
      },
    }
  }
  Object.defineProperty(globalThis, 'navigator', { value: { gpu: { requestAdapter } }, configurable: true, writable: true })
  process.once('exit', () => devices.forEach(device => device.destroy()))
  return () => {
    if (before) Object.defineProperty(globalThis, 'navigator', before)
    else Reflect.deleteProperty(globalThis, 'navigator')
  }
}
