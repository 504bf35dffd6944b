/**
 * matmul: products of matrices, one or many of them at once.
 *
 *   out[s, i, j] = Σ_c a[s, i, c] · b[s, c, j]          ∂L/∂a = g bᵀ          ∂L/∂b = aᵀ g
 *
 * for every sample s, with g = ∂L/∂out. Both derivatives are such products again. A single product is a dense layer without
 * bias (`dense.ts`), whose WebAssembly kernel also computes batches, one product after the other.
 */
import type { Spec } from '../../backends/backend.ts'
import { fewTerms, longSum } from '../../backends/wgsl/long-sum.ts'
import { writeFour } from '../../backends/wgsl/matrix.ts'
import { defineOp, refuse, requireTensor, sameDtype, type Op } from '../op.ts'
import { sameShape, sizeOf } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'
import { denseOp, denseProduct } from './dense.ts'
import { reshape } from './reshape.ts'
import { transpose } from './transpose.ts'
import { exactProducts } from './whole.ts'

/** inputs: a [s,n,k], b [s,k,m]. */
export const matmulOp: Op<null> = defineOp<null>({
  name: 'matmul',
  infer: ([a, b]): Spec => ({ shape: [a.shape[0], a.shape[1], b.shape[2]], dtype: a.dtype }),
  cpu: exactProducts(([a, b], sums, { inputs: [{ shape: [, n, k] }, { shape: [, , m] }] }) => {
    for (let o = 0; o < sums.length; o++) {
      const row = Math.floor(o / m), from = Math.floor(row / n) * k * m + o % m
      for (let c = 0; c < k; c++) sums[o] += a[row * k + c] * b[from + c * m]
    }
  }),
  simd: room => {
    const one = denseOp.simd!(room)
    return ([a, b], out, { inputs: [{ shape: [s, n, k] }, { shape: [, , m] }], out: { dtype }, scalars }) => {
      const [left, right, product] = [[n, k], [k, m], [n, m]].map(shape => ({ shape, dtype }))
      const call = { inputs: [left, right], out: product, attrs: { bias: false }, scalars }
      const at = (x: typeof a, i: number, [rows, columns]: readonly number[]): typeof a => x.subarray(i * rows * columns, (i + 1) * rows * columns)
      for (let i = 0; i < s; i++) {
        if (!one([at(a, i, [n, k]), at(b, i, [k, m])], at(out, i, [n, m]), call)) return false
      }
      return true
    }
  },
  // A thread for four numbers of a row.
  wgsl: ({ inputs: [{ shape: [, n, k] }, { shape: [, , m] }], out }) => {
    const blocks = Math.ceil(m / 4)
    const long = k > fewTerms
    const sum = long ? 't.parts[0]' : 't'
    return {
      inputs: ['a', 'b'],
      threads: sizeOf(out.shape) / m * blocks,
      u32: { n, k, m, blocks },
      source: `${long ? longSum('vec4<T>', 1, k) : ''} ${writeFour}
        fn main(i: u32) {
          let r = i / u.blocks;
          let j = i % u.blocks * 4;
          ${long ? 'var t: Part;' : 'var t = vec4<T>();'}
          for (var c = 0u; c < u.k; c++) {
            let at = (r / u.n * u.k + c) * u.m + j;
            ${sum} += a[r * u.k + c] * vec4(b[at], b[at + 1], b[at + 2], b[at + 3]);
            ${long ? 'carry(&t);' : ''}
          }
          ${long ? 'complete(&t);' : ''}
          writeFour(r, j, ${sum});
        }`,
    }
  },
  vjp: [
    { uses: [1], grad: (g, { inputs: [, b] }) => apply(matmulOp, [g, transpose(b, [0, 2, 1])], null) },
    { uses: [0], grad: (g, { inputs: [a] }) => apply(matmulOp, [transpose(a, [0, 2, 1]), g], null) },
  ],
})

/**
 * The product of two matrices, a `[n,k]` and b `[k,m]`; or of batches of matrices, a `[…,n,k]` and b `[…,k,m]`, pair by pair.
 * (For one matrix b and many a use `dense(a, b)`.)
 *
 * @returns `[…,n,m]`
 * @throws where the axes before the last two differ, or a does not have as many columns as b has rows
 * @example matmul(a, transpose(a))   // [n,n]
 * @example matmul(softmax(mul(matmul(q, transpose(k, [0, 2, 1])), 1 / Math.sqrt(d))), v)   // attention, q, k, v [b,n,d]
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  requireTensor('matmul', 'a', a)
  requireTensor('matmul', 'b', b)
  sameDtype('matmul', { a, b })
  if (a.shape.length < 2) refuse('matmul', 'a must be [n,k] or […,n,k]', { a, b })
  if (b.shape.length < 2) refuse('matmul', 'b must be [k,m] or […,k,m]', { a, b })
  const lead = a.shape.slice(0, -2), [n, k] = a.shape.slice(-2), [rows, m] = b.shape.slice(-2)
  if (!sameShape(lead, b.shape.slice(0, -2))) {
    refuse('matmul', 'the axes before the last two differ', { a, b }, b.shape.length === 2 ? 'One matrix for all is dense(a, b).' : '')
  }
  if (k !== rows) refuse('matmul', `a has ${k} columns, b has ${rows} rows`, { a, b })
  if (lead.length === 0) return denseProduct(a, b)
  const s = sizeOf(lead)
  return reshape(apply(matmulOp, [reshape(a, [s, n, k]), reshape(b, [s, k, m])], null), [...lead, n, m])
}
