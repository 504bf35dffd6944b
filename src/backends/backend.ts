/**
 * A backend: memory for flat arrays, and something that runs kernels on them.
 *
 * A backend knows kernels, never operators: it gets a `Kernel` (plain loops for a CPU, WGSL for a GPU) and the shapes
 * of the buffers, and nothing about derivatives. `src/tensor` needs nine methods of it.
 */

import type { ProgramRunner } from './program.ts'
import type { Room } from './wasm/simd/scratch.ts'

/**
 * Element types. float64 exists on the CPU only, where it is the oracle; masks, indices and random bits are integers.
 */
export type DType = 'float32' | 'float64' | 'int32' | 'uint32'

/** A flat, row-major array on the host. */
export type Data = Float32Array | Float64Array | Int32Array | Uint32Array

/** Sizes per axis, outermost first; images are `[batch, height, width, channels]`. */
export type Shape = readonly number[]

/** Shape and element type of an array. */
export type Spec = { readonly shape: Shape; readonly dtype: DType }

/** A backend's own name for a piece of its memory; only that backend looks inside. */
export type Handle = object

/** One call of a kernel. `attrs` may be baked into a compiled kernel, `scalars` and spatial sizes never are. */
export type Call<A> = {
  readonly inputs: readonly Spec[]
  readonly out: Spec
  readonly attrs: A
  readonly scalars: readonly number[]
}

/** The plain loops. They must write every element of `out`, whose previous contents are undefined. */
export type CpuKernel<A> = (inputs: readonly Data[], out: Data, call: Call<A>) => void

/**
 * The same in WebAssembly SIMD, for float32. Given a backend's working memory, it makes a loop that computes `out` and
 * returns true, or returns false for a call that it does not support, for instance with another element type; then the
 * plain loops run. A backend makes each of its loops once.
 */
export type SimdKernel<A> = (room: Room) => (inputs: readonly Data[], out: Data, call: Call<A>) => boolean

/** The compute shader for one call. */
export type WgslKernel<A> = (call: Call<A>) => Shader

/**
 * WGSL with a function `main`, and its arguments. Equal sources share one compiled pipeline, so spatial sizes and scalars
 * must not be part of the source: they are uniforms. The source may use these declarations,
 *
 *   inputs   one read-only array each, by the given names
 *   out      the output array; every element must be written
 *   T        the type of an element of `out`: f32, i32 or u32
 *   u        the uniforms, as in `u.height`
 *   lanes    the number of invocations in a workgroup
 *
 * and the functions of src/backends/wgsl/functions.ts, for numbers of the type of the first input.
 *
 * With `threads`, `main(i: u32)` runs once for each i below that number. With `groups`, `main(group: u32, lane: u32)`
 * runs in that many workgroups, whose invocations may share workgroup memory and wait for each other.
 *
 * @example { inputs: ['x'], f32: { slope: 2 }, threads: 12, source: 'fn main(i: u32) { out[i] = u.slope * x[i]; }' }
 */
export type Shader = {
  /**
   * Names of the inputs, in order; those beyond the inputs of the call (optional ones) are not declared. Every adapter
   * allows 7 inputs, most allow more.
   */
  readonly inputs: readonly string[]
  /** Uniforms that are whole numbers from 0 to 2³² − 1. Both kinds together are at most 63. */
  readonly u32?: Readonly<Record<string, number>>
  /** Uniforms that are floating-point numbers. */
  readonly f32?: Readonly<Record<string, number>>
  /** Whether the source checks indices with `inside(index: i32, n: u32) -> u32`; one outside of 0 … n − 1 fails the next read. */
  readonly indices?: boolean
  readonly source: string
} & ({ readonly threads: number } | { readonly groups: number })

/** One computation in the languages of the backends. */
export type Kernel<A> = {
  readonly name: string
  readonly cpu: CpuKernel<A>
  readonly wgsl?: WgslKernel<A>
  /**
   * @internal
   * Runs instead of the plain loops; only operators that are measurably faster with it (at least 1.3 times) have one.
   * Results differ from theirs in the last digits, since sums within a tile are in float32.
   */
  readonly simd?: SimdKernel<A>
}

/** The memory of a backend: live buffers, their bytes, the peak of live bytes, and bytes pooled for reuse. */
export type Memory = {
  readonly buffers: number
  readonly bytes: number
  readonly peakBytes: number
  readonly pooledBytes: number
}

/** The place where tensors are stored and computed: `cpu()` and `await webgpu()` make one. */
export interface Backend {
  /** 'cpu' or 'webgpu', for messages. */
  readonly name: string
  /** Element types that this backend can hold. */
  readonly dtypes: readonly DType[]
  /** Memory for one array; its contents are undefined. `name` is the operator that asks, for messages. */
  alloc(spec: Spec, name?: string): Handle
  /** Takes the memory back, for reuse. */
  free(handle: Handle): void
  /**
   * If the garbage collector frees unreachable arrays by itself: a function to call afterwards, instead of `free`, so that
   * the count is right. It must not refer to the array.
   */
  collected?(handle: Handle): () => void
  /** If the garbage collector cannot see the memory: its bytes. */
  unseen?(handle: Handle): number
  /** Copies host values into new memory. The shape is for messages. */
  upload(data: Data, shape?: Shape): Handle
  /** Runs a kernel, or enqueues it. */
  run<A>(kernel: Kernel<A>, call: Call<A>, inputs: readonly Handle[], out: Handle): void
  /** A copy of the values, as soon as everything enqueued before has run. */
  read(handle: Handle, spec: Spec): Promise<Data>
  /** The values themselves, synchronously, where the backend can: to be copied before anything else runs, and not changed. */
  readSync?(handle: Handle, spec: Spec): Data
  memory(): Memory
  /** @internal Runs whole rollouts of cellular automata in one call, where the backend can. */
  readonly runner?: ProgramRunner
  /** Starts a new measurement of `peakBytes`. */
  resetPeak(): void
  /** Gives pooled memory back to the system. */
  trim(): void
}

const arrays = { float32: Float32Array, float64: Float64Array, int32: Int32Array, uint32: Uint32Array }

/** A zeroed host array. */
export function hostArray(dtype: DType, size: number): Data {
  return new arrays[dtype](size)
}

/** The bytes of an array's elements. */
export function bytesOf({ shape, dtype }: Spec): number {
  return sizeOf(shape) * arrays[dtype].BYTES_PER_ELEMENT
}

/** The element type of a host array. */
export function dtypeOf(data: Data): DType {
  if (data instanceof Float32Array) return 'float32'
  if (data instanceof Float64Array) return 'float64'
  return data instanceof Int32Array ? 'int32' : 'uint32'
}

/** Number of elements: the product of the sizes. */
export function sizeOf(shape: Shape): number {
  let size = 1
  for (const n of shape) size *= n
  return size
}
