// Where a thread spends its time in WebAssembly.

/**
 * Counts, from now on, the milliseconds of each kernel (src/backends/wasm/kernels.ts) on this thread, in backends that are
 * used for the first time after this call. Reading the clock adds about 0.2 µs to each call.
 */
export function timeKernels() {
  const spent = new Map()
  const timed = (name, kernel) => (...args) => {
    const started = performance.now()
    const result = kernel(...args)
    spent.set(name, (spent.get(name) ?? 0) + performance.now() - started)
    return result
  }
  const { Instance } = WebAssembly
  WebAssembly.Instance = function (module, imports) {
    const kernels = Object.entries(new Instance(module, imports).exports).filter(([, f]) => typeof f === 'function')
    return { exports: Object.fromEntries(kernels.map(([name, kernel]) => [name, timed(name, kernel)])) }
  }
  return spent
}
