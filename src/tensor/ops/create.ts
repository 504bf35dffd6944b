/**
 * Tensors without inputs: constants and counters.
 */
import type { DType } from '../../backends/backend.ts'
import { defineOp, requireTensor, type Op } from '../op.ts'
import { check, checkOptions, isWhole } from '../../backends/options.ts'
import { checkNumber, place, placementOptions, type Placement, type Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'
import { checkShape, sizeOf, type Shape } from '../shape.ts'

type Made = { readonly shape: Shape; readonly dtype: DType }

/** full: out_i = value. */
export const fullOp: Op<Made> = defineOp<Made>({
  name: 'full',
  infer: (_, made) => made,
  cpu: (_, out, { scalars: [value] }) => { out.fill(value) },
  wgsl: ({ out, scalars: [value] }) => ({
    inputs: [],
    threads: sizeOf(out.shape),
    ...(out.dtype === 'float32' ? { f32: { value } } : { u32: { value } }),
    source: 'fn main(i: u32) { out[i] = T(u.value); }',
  }),
  vjp: null,
})

/** iota: out_i = i, the position in row-major order. */
export const iotaOp: Op<Made> = defineOp<Made>({
  name: 'iota',
  infer: (_, made) => made,
  cpu: (_, out) => { for (let i = 0; i < out.length; i++) out[i] = i },
  wgsl: ({ out }) => ({ inputs: [], threads: sizeOf(out.shape), source: 'fn main(i: u32) { out[i] = T(i); }' }),
  vjp: null,
})

/**
 * A tensor of one repeated value.
 *
 * @example full([8, 72, 72, 16], 0.5)
 */
export function full(shape: Shape, value: number, placement: Placement = {}): Tensor {
  return filled('full', shape, value, placement)
}

function filled(op: string, shape: Shape, value: number, placement: Placement): Tensor {
  const { dtype, backend } = place(placement, op)
  checkShape(op, shape)
  checkNumber(op, 'the value', value, dtype)
  return apply(fullOp, [], { shape, dtype }, [value], backend)
}

/** Zeros; float32 on the default backend unless `placement` says otherwise. */
export function zeros(shape: Shape, placement: Placement = {}): Tensor {
  return filled('zeros', shape, 0, placement)
}

/** Ones; float32 on the default backend unless `placement` says otherwise. */
export function ones(shape: Shape, placement: Placement = {}): Tensor {
  return filled('ones', shape, 1, placement)
}

/** Zeros of the shape, type and backend of `x`. */
export function zerosLike(x: Tensor): Tensor {
  requireTensor('zerosLike', 'x', x)
  return full(x.shape, 0, { like: x })
}

/** Ones of the shape, type and backend of `x`. */
export function onesLike(x: Tensor): Tensor {
  requireTensor('onesLike', 'x', x)
  return full(x.shape, 1, { like: x })
}

/** 0, 1, …, n − 1 as a vector `[n]`; int32 unless `placement` says otherwise. */
export function range(n: number, placement: Placement = {}): Tensor {
  check(isWhole(n), 'range', 'n', n, 'a whole number ≥ 0')
  checkOptions('range', placement, placementOptions)
  const { dtype, backend } = place({ ...placement, dtype: placement.dtype ?? 'int32' }, 'range')
  return apply(iotaOp, [], { shape: [n], dtype }, [], backend)
}
