// Where a thread spends its time in WebAssembly.

/** The operations of a call of a matrix product, from its arguments. */
const operations = {
  product: (rows, inner, columns) => 2 * rows * inner * columns,
  productTN: (rows, m, n) => 2 * rows * m * n,
}

/**
 * Counts, from now on, on this thread and in backends that are used for the first time after this call: the milliseconds of each
 * kernel (src/backends/wasm/kernels.ts), the operations of all matrix products, and the bytes of the kernels' memory. Reading
 * the clock adds about 0.2 µs to each call.
 */
export function countKernels() {
  const memories = []
  const spent = {
    ms: new Map(),
    products: 0,
    bytes: () => memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0),
    clear() {
      spent.ms.clear()
      spent.products = 0
    },
  }
  const timed = (name, kernel) => (...args) => {
    const started = performance.now()
    const result = kernel(...args)
    spent.ms.set(name, (spent.ms.get(name) ?? 0) + performance.now() - started)
    spent.products += operations[name]?.(...args) ?? 0
    return result
  }
  const { Instance } = WebAssembly
  WebAssembly.Instance = function (module, imports) {
    memories.push(imports.env.memory)
    const kernels = Object.entries(new Instance(module, imports).exports).filter(([, f]) => typeof f === 'function')
    return { exports: Object.fromEntries(kernels.map(([name, kernel]) => [name, timed(name, kernel)])) }
  }
  return spent
}
