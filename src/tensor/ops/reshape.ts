/**
 * reshape: the same numbers in another shape, its own adjoint: ⟨reshape x, g⟩ = ⟨x, reshape g⟩.
 */
import { defineOp, refuse, requireTensor, type Op } from '../op.ts'
import { checkShape, sameShape, showShape, sizeOf, type Shape } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'

/** reshape: a view. */
export const reshapeOp: Op<{ shape: Shape }> = defineOp<{ shape: Shape }>({
  name: 'reshape',
  view: true,
  infer: ([x], { shape }) => {
    if (sizeOf(shape) !== sizeOf(x.shape)) {
      refuse('reshape', `${showShape(x.shape)} has ${sizeOf(x.shape)} elements, `
        + `${showShape(shape)} has ${sizeOf(shape)}`)
    }
    return { shape, dtype: x.dtype }
  },
  cpu: ([x], out) => { out.set(x) },
  vjp: [{ uses: [], grad: (g, { inputs: [x] }) => reshape(g, x.shape) }],
})

/** The same numbers in another shape; shares memory. One size may be −1 and is inferred. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  requireTensor('reshape', 'x', x)
  const full = Array.isArray(shape) && shape.includes(-1) ? completed(x, shape) : shape
  checkShape('reshape', full)
  return sameShape(x.shape, full) ? x : apply(reshapeOp, [x], { shape: full })
}

/** The shape, with a size of −1 inferred. */
function completed(x: Tensor, shape: Shape): Shape {
  const known = shape.filter(n => n !== -1)
  const [size, of] = [sizeOf(x.shape), sizeOf(known)]
  if (known.length < shape.length - 1) refuse('reshape', `only one size may be −1, got ${showShape(shape)}`, { x })
  if (of === 0 || size % of !== 0) {
    refuse('reshape', `${size} elements do not divide by ${of}, so there is no ${showShape(shape)}`, { x })
  }
  return shape.map(n => (n === -1 ? size / of : n))
}
