/**
 * What a backend is: memory for flat arrays, and something that runs kernels on them.
 *
 * A backend knows kernels, never operators: it is handed a `Kernel` (plain loops for a CPU, WGSL for a GPU), the shapes
 * of the buffers, and nothing about derivatives. Ten methods are all that `src/tensor` asks of it.
 */

/** Element types. float64 exists on the CPU only, where it is the oracle; masks, indices and random bits are integers. */
export type DType = 'float32' | 'float64' | 'int32' | 'uint32'

/** A flat, row-major array on the host. */
export type Data = Float32Array | Float64Array | Int32Array | Uint32Array

/** Sizes per axis, outermost first; images are `[batch, height, width, channels]`. */
export type Shape = readonly number[]

/** What is known of an array without looking at its values. */
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

/** The plain loops. They must write every element of `out`, which holds rubbish before. */
export type CpuKernel<A> = (inputs: readonly Data[], out: Data, call: Call<A>) => void

/** A compute shader for one call; see `src/backends/webgpu` for the names it may use. */
export type WgslKernel<A> = (call: Call<A>) => {
  /** WGSL source. Equal sources share one compiled pipeline, so no spatial size and no scalar may stand in it. */
  readonly source: string
  /** Values of the uniform array `u`: sizes and scalars, as unsigned integers or as floats. */
  readonly uniforms: readonly { readonly type: 'u32' | 'f32'; readonly value: number }[]
  /** How many invocations are needed (rounded up to whole workgroups). */
  readonly threads: number
}

/** One computation in the languages of the backends. SIMD kernels override the plain loops by `name`. */
export type Kernel<A> = { readonly name: string; readonly cpu: CpuKernel<A>; readonly wgsl?: WgslKernel<A> }

/** What a backend holds now: live buffers, their bytes, the most bytes ever live, and bytes kept aside for reuse. */
export type Memory = { readonly buffers: number; readonly bytes: number; readonly peakBytes: number; readonly pooledBytes: number }

export interface Backend {
  /** 'cpu' or 'webgpu', for messages. */
  readonly name: string
  /** Element types that this backend can hold. */
  readonly dtypes: readonly DType[]
  /** Memory for one array; its contents are undefined. */
  alloc(spec: Spec): Handle
  /** Takes the memory back, for reuse. */
  free(handle: Handle): void
  /** Copies host values into new memory. */
  upload(data: Data): Handle
  /** Runs a kernel, or enqueues it. */
  run<A>(kernel: Kernel<A>, call: Call<A>, inputs: readonly Handle[], out: Handle): void
  /** A copy of the values, as soon as everything enqueued before has run. */
  read(handle: Handle, spec: Spec): Promise<Data>
  /** The same at once, where the backend can. */
  readSync?(handle: Handle, spec: Spec): Data
  memory(): Memory
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
