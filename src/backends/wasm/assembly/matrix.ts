/**
 * Small matrix products, which are nearly all of the arithmetic of a neural cellular automaton.
 *
 * One micro-kernel serves every shape: 4 rows × 8 columns of sums stay in eight vector registers during the loop over the
 * inner dimension, which reads two vectors of the right matrix and four numbers of the left one per iteration. The left
 * matrix and the result are row-major with strides, so that they may be blocks of larger arrays. The right matrix is packed
 * in panels of 8 columns, `panel[k][8]`, padded with zeros, so that the kernel reads it front to back.
 *
 * With more sums, or with the inner loop unrolled, V8 before Node 24 would spill registers (`npm run bench:tiles`).
 */
import { mad } from './simd'

/** Bytes of a packed matrix of `inner` rows. */
// @ts-ignore: decorators on functions
@inline
function panelBytes(inner: usize): usize {
  return inner << 5
}

/**
 * C = max(bias + A·B, floor): a floor of 0 is a ReLU, one of −∞ has no effect. Or, with a `gate` of the shape of C (not
 * null), C = A·B where the gate is positive, else 0: the derivative of a ReLU. `rows` is rounded up to a multiple of 4 and
 * `columns` is a multiple of 8: A must be readable and C writable that far. Strides are in bytes; a null bias is zero.
 */
export function product(
  rows: usize, inner: usize, columns: usize, a: usize, aStride: usize, panels: usize, bias: usize, c: usize,
  cStride: usize, floor: f32, gate: usize,
): void {
  const least = f32x4.splat(floor)
  for (let j: usize = 0; j < columns; j += 8) {
    const panel = panels + (j >> 3) * panelBytes(inner), end = panel + panelBytes(inner)
    const low = bias ? v128.load(bias + (j << 2)) : f32x4.splat(0)
    const high = bias ? v128.load(bias + (j << 2), 16) : f32x4.splat(0)
    for (let i: usize = 0; i < rows; i += 4) {
      let a0 = a + i * aStride, a1 = a0 + aStride, a2 = a1 + aStride, a3 = a2 + aStride, b = panel
      let l0 = low, h0 = high, l1 = low, h1 = high, l2 = low, h2 = high, l3 = low, h3 = high
      while (b < end) {
        const bl = v128.load(b), bh = v128.load(b, 16)
        const x0 = v128.load32_splat(a0)
        l0 = mad(x0, bl, l0)
        h0 = mad(x0, bh, h0)
        const x1 = v128.load32_splat(a1)
        l1 = mad(x1, bl, l1)
        h1 = mad(x1, bh, h1)
        const x2 = v128.load32_splat(a2)
        l2 = mad(x2, bl, l2)
        h2 = mad(x2, bh, h2)
        const x3 = v128.load32_splat(a3)
        l3 = mad(x3, bl, l3)
        h3 = mad(x3, bh, h3)
        a0 += 4
        a1 += 4
        a2 += 4
        a3 += 4
        b += 32
      }
      const to = c + i * cStride + (j << 2)
      if (gate) {
        const open = gate + i * cStride + (j << 2)
        gated(to, open, l0, h0)
        gated(to + cStride, open + cStride, l1, h1)
        gated(to + 2 * cStride, open + 2 * cStride, l2, h2)
        gated(to + 3 * cStride, open + 3 * cStride, l3, h3)
      } else {
        store8(to, least, l0, h0)
        store8(to + cStride, least, l1, h1)
        store8(to + 2 * cStride, least, l2, h2)
        store8(to + 3 * cStride, least, l3, h3)
      }
    }
  }
}

// @ts-ignore: decorators on functions
@inline
function store8(to: usize, least: v128, low: v128, high: v128): void {
  v128.store(to, f32x4.max(low, least))
  v128.store(to, f32x4.max(high, least), 16)
}

// @ts-ignore: decorators on functions
@inline
function gated(to: usize, open: usize, low: v128, high: v128): void {
  const zero = f32x4.splat(0)
  v128.store(to, v128.and(low, f32x4.gt(v128.load(open), zero)))
  v128.store(to, v128.and(high, f32x4.gt(v128.load(open, 16), zero)), 16)
}

/** G += parts in double precision, then parts = 0. `bytes` is the size of the parts, a multiple of 16. */
export function settle(parts: usize, bytes: usize, g: usize): void {
  const zero = f32x4.splat(0)
  for (const end = parts + bytes; parts < end; parts += 16, g += 32) {
    const part = v128.load(parts)
    v128.store(parts, zero)
    v128.store(g, f64x2.add(v128.load(g), f64x2.promote_low_f32x4(part)))
    v128.store(g, f64x2.add(v128.load(g, 16), f64x2.promote_low_f32x4(v128.shuffle<i64>(part, part, 1, 0))), 16)
  }
}

/**
 * G += AᵀB over exactly `rows` rows. `m`, the columns of A, is a multiple of 4; `n`, the columns of B, a multiple of 8.
 * Sums run over the rows in order, so that splitting the rows into blocks changes no bit.
 */
export function productTN(
  rows: usize, m: usize, n: usize, a: usize, aStride: usize, b: usize, bStride: usize, g: usize, gStride: usize,
): void {
  for (let j: usize = 0; j < n; j += 8) {
    const from = b + (j << 2), end = from + rows * bStride
    for (let i: usize = 0; i < m; i += 4) {
      let p = a + (i << 2), q = from
      const g0 = g + i * gStride + (j << 2), g1 = g0 + gStride, g2 = g1 + gStride, g3 = g2 + gStride
      let l0 = v128.load(g0), h0 = v128.load(g0, 16), l1 = v128.load(g1), h1 = v128.load(g1, 16)
      let l2 = v128.load(g2), h2 = v128.load(g2, 16), l3 = v128.load(g3), h3 = v128.load(g3, 16)
      while (q < end) {
        const bl = v128.load(q), bh = v128.load(q, 16)
        const x0 = v128.load32_splat(p)
        l0 = mad(x0, bl, l0)
        h0 = mad(x0, bh, h0)
        const x1 = v128.load32_splat(p, 4)
        l1 = mad(x1, bl, l1)
        h1 = mad(x1, bh, h1)
        const x2 = v128.load32_splat(p, 8)
        l2 = mad(x2, bl, l2)
        h2 = mad(x2, bh, h2)
        const x3 = v128.load32_splat(p, 12)
        l3 = mad(x3, bl, l3)
        h3 = mad(x3, bh, h3)
        p += aStride
        q += bStride
      }
      v128.store(g0, l0)
      v128.store(g0, h0, 16)
      v128.store(g1, l1)
      v128.store(g1, h1, 16)
      v128.store(g2, l2)
      v128.store(g2, h2, 16)
      v128.store(g3, l3)
      v128.store(g3, h3, 16)
    }
  }
}
