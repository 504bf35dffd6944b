/**
 * Joining tensors along an axis, and taking them apart.
 *
 *   concat   out = x₀ followed by x₁, x₂, …      ∂L/∂x_k = the part of g that x_k filled
 *   stack    the same along a new axis
 *
 * The parts of a tensor are slices, so the derivative of concat is `slice`, and that of taking apart is `pad`.
 */
import { defineOp, refuse, requireTensor, sameDtype, type Op } from '../op.ts'
import { check, isWhole } from '../../backends/options.ts'
import { normaliseAxis, sameShape, sizeOf } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'
import { axisOf, linesAlong, withSize } from './lines.ts'
import { slice } from './pad-slice.ts'
import { reshape } from './reshape.ts'

/** The most inputs of one kernel, as many as every GPU allows. Longer lists are joined in parts. */
const most = 7

/** concat: at least one input, at most seven. */
export const concatOp: Op<{ axis: number }> = defineOp<{ axis: number }>({
  name: 'concat',
  infer: (list, { axis }) => {
    sameDtype('concat', named(list))
    if (list.some(x => !sameShape(withSize(x.shape, axis, 0), withSize(list[0].shape, axis, 0)))) {
      refuse('concat', `shapes differ outside of axis ${axis}`, named(list))
    }
    const size = sizesAlong(list, axis).reduce((a, b) => a + b)
    return { shape: withSize(list[0].shape, axis, size), dtype: list[0].dtype }
  },
  cpu: (list, out, { inputs, out: { shape }, attrs: { axis } }) => {
    const whole = linesAlong(shape, axis)
    let offset = 0
    list.forEach((x, k) => {
      const { outer, n, inner } = linesAlong(inputs[k].shape, axis)
      for (let o = 0; o < outer; o++) {
        const to = (o * whole.n + offset) * inner
        for (let i = 0; i < n * inner; i++) out[to + i] = x[o * n * inner + i]
      }
      offset += n
    })
  },
  wgsl: ({ inputs, out, attrs: { axis } }) => {
    const { n, inner } = linesAlong(out.shape, axis)
    const names = inputs.map((_, k) => `x${k}`)
    return {
      inputs: names,
      threads: sizeOf(out.shape),
      u32: { n, inner, ...Object.fromEntries(inputs.map(({ shape }, k) => [`size${k}`, shape[axis]])) },
      source: `
        fn main(i: u32) {
          let line = i / u.inner / u.n;
          let offset = i % u.inner;
          var k = i / u.inner % u.n;
          ${names.map((name, k) => `
            if (k < u.size${k}) { out[i] = ${name}[(line * u.size${k} + k) * u.inner + offset]; return; }
            k -= u.size${k};`).join('')}
        }`,
    }
  },
  vjp: position => ({
    uses: [],
    grad: (g, { inputs, attrs: { axis } }) => {
      const sizes = sizesAlong(inputs, axis)
      const start = sizes.slice(0, position).reduce((a, b) => a + b, 0)
      return part(g, axis, start, sizes[position])
    },
  }),
})

function sizesAlong(list: readonly { readonly shape: readonly number[] }[], axis: number): number[] {
  return list.map(x => x.shape[axis])
}

/** The tensors under the names that messages give them. */
function named(list: readonly Tensor[]): Record<string, Tensor> {
  return Object.fromEntries(list.map((x, i) => [`list[${i}]`, x]))
}

/** `size` entries along one axis, from `start` on. */
function part(x: Tensor, axis: number, start: number, size: number): Tensor {
  return slice(x, withSize(x.shape.map(() => 0), axis, start), withSize(x.shape, axis, size))
}

function checkList(op: string, list: readonly Tensor[]): void {
  check(Array.isArray(list), op, 'the first argument', list, 'a list of tensors')
  if (list.length === 0) refuse(op, 'the list is empty')
  list.forEach((x, i) => requireTensor(op, `list[${i}]`, x))
}

/**
 * Tensors joined along an axis, the last by default.
 *
 * @throws for an empty list, and where types or the other sizes differ
 * @example concat([x, laplacian])    // [b,h,w,c] twice → [b,h,w,2c]
 */
export function concat(list: readonly Tensor[], axis = -1): Tensor {
  checkList('concat', list)
  return joined(list, normaliseAxis('concat', axis, list[0].shape.length))
}

function joined(list: readonly Tensor[], axis: number): Tensor {
  if (list.length <= most) return apply(concatOp, list, { axis })
  const part = Math.ceil(list.length / most)
  const parts = Array.from({ length: Math.ceil(list.length / part) }, (_, i) => list.slice(i * part, (i + 1) * part))
  return joined(parts.map(inside => joined(inside, axis)), axis)
}

/**
 * Tensors of one shape joined along a new axis, the first by default.
 *
 * @throws for an empty list, and where types or shapes differ
 * @example stack([a, b, c])          // three [h,w,c] → [3,h,w,c]
 */
export function stack(list: readonly Tensor[], axis = 0): Tensor {
  checkList('stack', list)
  const { shape } = list[0]
  if (list.some(x => !sameShape(x.shape, shape))) refuse('stack', 'shapes differ', named(list))
  const at = normaliseAxis('stack', axis, shape.length + 1)
  return concat(list.map(x => reshape(x, shape.toSpliced(at, 0, 1))), at)
}

/**
 * The entries along an axis, the first by default, as tensors without that axis: the inverse of `stack`.
 *
 * @example unstack(batch)            // [b,h,w,c] → b times [h,w,c]
 */
export function unstack(x: Tensor, axis = 0): Tensor[] {
  const at = axisOf('unstack', x, axis)
  return Array.from({ length: x.shape[at] }, (_, i) => reshape(part(x, at, i, 1), x.shape.toSpliced(at, 1)))
}

/**
 * Consecutive parts of the given sizes along an axis, the last by default: the inverse of `concat`.
 *
 * @throws where the sizes do not add up to the axis
 * @example const [rgba, hidden] = splitAxis(x, [4, 12])
 */
export function splitAxis(x: Tensor, sizes: readonly number[], axis = -1): Tensor[] {
  const along = axisOf('splitAxis', x, axis)
  const areSizes = Array.isArray(sizes) && sizes.every(n => isWhole(n))
  check(areSizes, 'splitAxis', 'the list of sizes', sizes, 'a list of whole numbers ≥ 0')
  const total = sizes.reduce((a, b) => a + b, 0)
  if (total !== x.shape[along]) {
    refuse('splitAxis', `sizes ${sizes.join(' + ')} are ${total}, but axis ${along} has ${x.shape[along]}`, { x })
  }
  let end = 0
  return sizes.map(size => part(x, along, (end += size) - size, size))
}
