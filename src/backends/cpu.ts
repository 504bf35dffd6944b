/**
 * The CPU backend: typed arrays, plain loops, and a pool that hands arrays of the same size out again.
 *
 * The plain loops are the oracle of every other kernel, so this file runs them unchanged and does nothing clever.
 * It adds memory management: a rollout asks for the same few sizes thousands of times, and a freed array of exactly that
 * size is the cheapest new one. In float32, the operators that take most of the time run in WebAssembly instead, and so
 * do whole rollouts, on several threads (wasm/).
 */
import {
  dtypeOf, hostArray, sizeOf, type Backend, type Call, type CpuKernel, type Data, type DType, type Handle, type Kernel,
  type Memory, type SimdKernel, type Spec,
} from './backend.ts'
import { callable, check, checkOptions, flag, isObject, keysOf, numberFrom, wholeFrom } from './options.ts'
import { defaultThreads, mostThreads } from './wasm/default-threads.ts'
import { supports } from './wasm/module.ts'
import { wasmRunner } from './wasm/runner.ts'
import { scratch } from './wasm/simd/scratch.ts'
import { canWait } from './wasm/threads.ts'

export type CpuOptions = {
  /** Kernels that replace the plain loops, and the WebAssembly kernels, of the same name. */
  overrides?: Readonly<Record<string, CpuKernel<never>>>
  /** Whether WebAssembly is used where there is any, default true. False runs only the plain loops: the oracle. */
  simd?: boolean
  /**
   * Threads that share a rollout, from 1 to 256, by default the environment variable CELLGRAD_THREADS or, without it, as
   * many as the machine has. With 1, none is started; results are the same bits for any number. Threads synchronise by
   * blocking. In a browser only a page's worker may block, and only if the page is isolated from other origins (COOP, COEP)
   * and so has shared memory; threads start with the first rollout there, and share the work as soon as they run.
   * Elsewhere in a page it is 1, and more are refused.
   */
  threads?: number
  /**
   * Whether sums may use the machine's fused multiply-add, where the engine offers it (relaxed SIMD: Node 22, browsers).
   * Default true. It is faster on many machines; without it, results are the same bits on every machine.
   */
  fma?: boolean
  /**
   * Bytes that rollouts may keep for their backward passes instead of recomputing: up to three quarters for the changes of
   * states, which save most time, the rest for hidden layers. By default 24 MiB per sample, at least 32 and at most 192 MiB.
   */
  historyBytes?: number
  /** The most bytes of freed arrays kept for reuse, default 256 MiB. */
  poolBytes?: number
}

const cpuOptions = keysOf<CpuOptions>({
  overrides: { fits: x => isObject(x) && Object.values(x).every(callable.fits), expected: 'kernels by name' },
  simd: flag,
  threads: wholeFrom(1, mostThreads),
  fma: flag,
  historyBytes: numberFrom(0),
  poolBytes: numberFrom(0),
})

/** The CPU as a backend, with the way in which it computes. */
export type CpuBackend = Backend & {
  /**
   * Threads that the next rollout will use: 1 before the first rollout and, in the worker of a page, until all have started;
   * then all of them.
   */
  readonly threads: number
  /** Whether multiplications and additions are fused: the last bits of a run depend on it. */
  readonly fma: boolean
}

/**
 * A CPU backend. Most code never calls this: tensors are on `defaultBackend` unless a placement says otherwise.
 *
 * @throws for an option that does not exist, or a value of the wrong kind
 * @example const oracle = cpu({ poolBytes: 0 }); tensor([1, 2], { backend: oracle })
 */
export function cpu(options: CpuOptions = {}): CpuBackend {
  checkOptions('cpu', options, cpuOptions)
  const {
    overrides = {}, poolBytes = 256 * 2 ** 20, simd = true, fma = true, historyBytes,
    threads = defaultThreads(),
  } = options
  const expected = "1, since threads wait for each other, as only Node's and those of an isolated page's worker can"
  check(canWait() || threads === 1, 'cpu', 'threads', threads, expected)
  const pool = new Map<string, Data[]>()
  let buffers = 0, bytes = 0, peakBytes = 0, pooledBytes = 0

  const build = fma && supports('fma') ? 'fma' : 'plain'
  const fast = simd && supports(build)
  const runner = fast ? wasmRunner({ build, threads, historyBytes }) : undefined
  const simdLoop = fast ? simdLoops(build) : () => undefined

  const kindOf = (dtype: DType, size: number): string => `${dtype}:${size}`

  function alloc({ shape, dtype }: Spec): Data {
    const size = sizeOf(shape)
    const reused = pool.get(kindOf(dtype, size))?.pop()
    if (reused) pooledBytes -= reused.byteLength
    const data = reused ?? hostArray(dtype, size)
    buffers++
    bytes += data.byteLength
    peakBytes = Math.max(peakBytes, bytes)
    return data
  }

  function free(handle: Handle): void {
    const data = handle as Data
    buffers--
    bytes -= data.byteLength
    if (pooledBytes + data.byteLength > poolBytes) return
    pooledBytes += data.byteLength
    const key = kindOf(dtypeOf(data), data.length)
    const list = pool.get(key)
    if (list) list.push(data)
    else pool.set(key, [data])
  }

  return {
    name: 'cpu',
    dtypes: ['float32', 'float64', 'int32', 'uint32'],
    alloc,
    free,
    collected(handle: Handle): () => void {
      const { byteLength } = handle as Data
      return () => {
        buffers--
        bytes -= byteLength
      }
    },
    upload(data: Data): Handle {
      const copy = alloc({ shape: [data.length], dtype: dtypeOf(data) })
      copy.set(data)
      return copy
    },
    run<A>(kernel: Kernel<A>, call: Call<A>, inputs: readonly Handle[], out: Handle): void {
      const override = overrides[kernel.name] as CpuKernel<A> | undefined
      if (override) override(inputs as readonly Data[], out as Data, call)
      else if (!simdLoop(kernel)?.(inputs as readonly Data[], out as Data, call)) {
        kernel.cpu(inputs as readonly Data[], out as Data, call)
      }
    },
    read: async (handle: Handle): Promise<Data> => (handle as Data).slice(),
    readSync: (handle: Handle): Data => handle as Data,
    memory: (): Memory => ({ buffers, bytes, peakBytes, pooledBytes }),
    resetPeak(): void {
      peakBytes = bytes
    },
    runner,
    fma: fast && build === 'fma',
    get threads(): number { return runner?.threads() ?? 1 },
    trim(): void {
      runner?.trim()
      pool.clear()
      pooledBytes = 0
    },
  }
}

/** The SIMD loops of one backend by kernel, each made at its first call; all share one small memory. */
function simdLoops(build: 'fma' | 'plain'): <A>(kernel: Kernel<A>) => ReturnType<SimdKernel<A>> | undefined {
  const room = scratch(build)
  const loops = new WeakMap<object, unknown>()
  return <A>(kernel: Kernel<A>) => {
    const loop = (loops.get(kernel) ?? kernel.simd?.(room)) as ReturnType<SimdKernel<A>> | undefined
    if (loop) loops.set(kernel, loop)
    return loop
  }
}
