/**
 * cellgrad: a functional autodiff engine for neural cellular automata.
 *
 * Tensors, transforms and backends are listed here; each of the parts below lists its own names, once, and can be
 * imported by itself: `cellgrad/ops`, `cellgrad/nca`, `cellgrad/data`. What touches files is `cellgrad/node`.
 */
export * from './tensor/ops/index.ts'
export * from './nca/index.ts'
export * from './nca/data/index.ts'

// Transforms
export { vjp } from './autograd/vjp.ts'
export type { Cotangent, Pullback } from './autograd/vjp.ts'
export { grad, hvp, inner, valueAndGrad, valueAndGradAux } from './autograd/grad.ts'
export { checkpoint } from './autograd/checkpoint.ts'
export { customVjp } from './autograd/custom-vjp.ts'
export { scan } from './autograd/scan.ts'
export type { ScanOptions } from './autograd/scan.ts'
export { printTape, traceOf } from './autograd/tools/trace-of.ts'
export type { KeptValue, Trace, TraceRow } from './autograd/tools/trace-of.ts'
export { traceGrad } from './autograd/tools/trace-grad.ts'
export type { BackwardStep, GradTrace } from './autograd/tools/trace-grad.ts'
export { checkGrad, NotSmoothError } from './autograd/tools/check-grad.ts'
export type { CheckGradOptions, GradReport } from './autograd/tools/check-grad.ts'

// Tensors, keys, and operators of one's own
export { defaultBackend, memory, tensor, Tensor, to } from './tensor/tensor.ts'
export type { Nested, Placement, TensorOptions } from './tensor/tensor.ts'
export { scope } from './tensor/lifetime.ts'
export { tap } from './tensor/tap.ts'
export { eachLeaf, mapTree } from './tensor/tree.ts'
export { bitsAt, drawChoice, drawInteger, drawPermutation, foldIn, key, split, threefry, uniformAt } from './tensor/key.ts'
export type { Key } from './tensor/key.ts'
export { apply } from './tensor/trace.ts'
export { defineOp } from './tensor/op.ts'
export type { DerivativeRule, Op, Saved } from './tensor/op.ts'

// Backends
export { cpu } from './backends/cpu.ts'
export type { CpuBackend, CpuOptions } from './backends/cpu.ts'
export { webgpu } from './backends/webgpu/webgpu.ts'
export type { WebGpuBackend, WebGpuOptions } from './backends/webgpu/webgpu.ts'
export type {
  Backend, Call, CpuKernel, Data, DType, Kernel, Memory, Shader, Shape, Spec, WgslKernel,
} from './backends/backend.ts'

// Other people's formats
export { exportHtml } from './exchange/html/export-html.ts'
export type { HtmlOptions } from './exchange/html/export-html.ts'
export { decodeLink, encodeLink } from './exchange/link/link.ts'
export type { Linked, LinkOptions } from './exchange/link/link.ts'
