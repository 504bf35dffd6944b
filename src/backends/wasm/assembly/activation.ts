/**
 * Activations, in place, and their derivatives from their outputs h:
 *
 *   1  relu        max(x, 0)             h > 0 (for a whole layer the product does it, matrix.ts)
 *   2  leakyRelu   x > 0 ? x : slope·x   h > 0 ? 1 : slope
 *   3  tanh                              1 − h²
 *   4  sigmoid     ½ + ½ tanh(x/2)       h (1 − h)
 *   5  scaled      slope·x
 *   6  gelu, 7  silu, 8  softplus        from their inputs instead (smooth.ts)
 *
 * tanh is a quotient of polynomials in x², accurate to about 1e-7 (the minimax fit that Eigen uses).
 */
import { mad } from './simd'
import { smooth } from './smooth'

export function tanh(v: v128): v128 {
  const x = f32x4.max(f32x4.min(v, f32x4.splat(7.90531110763549805)), f32x4.splat(-7.90531110763549805))
  const q = f32x4.mul(x, x)
  let p = mad(q, f32x4.splat(-2.76076847742355e-16), f32x4.splat(2.00018790482477e-13))
  p = mad(q, p, f32x4.splat(-8.60467152213735e-11))
  p = mad(q, p, f32x4.splat(5.12229709037114e-8))
  p = mad(q, p, f32x4.splat(1.48572235717979e-5))
  p = mad(q, p, f32x4.splat(6.37261928875436e-4))
  p = mad(q, p, f32x4.splat(4.89352455891786e-3))
  let d = mad(q, f32x4.splat(1.19825839466702e-6), f32x4.splat(1.18534705686654e-4))
  d = mad(q, d, f32x4.splat(2.26843463243900e-3))
  d = mad(q, d, f32x4.splat(4.89352518554385e-3))
  return f32x4.div(f32x4.mul(x, p), d)
}

/** Applies activation `kind` to rows of `bytes` bytes, a multiple of 16, `stride` bytes apart. */
export function activate(kind: i32, x: usize, rows: usize, bytes: usize, stride: usize, slope: f32): void {
  for (let i: usize = 0; i < rows; i++, x += stride) activateRow(kind, x, x + bytes, slope)
}

function activateRow(kind: i32, x: usize, end: usize, slope: f32): void {
  const zero = f32x4.splat(0), half = f32x4.splat(0.5), s = f32x4.splat(slope)
  if (kind == 1) {
    for (; x < end; x += 16) v128.store(x, f32x4.max(v128.load(x), zero))
  } else if (kind == 2) {
    for (; x < end; x += 16) {
      const v = v128.load(x)
      v128.store(x, v128.bitselect(v, f32x4.mul(v, s), f32x4.gt(v, zero)))
    }
  } else if (kind == 3) {
    for (; x < end; x += 16) v128.store(x, tanh(v128.load(x)))
  } else if (kind == 4) {
    for (; x < end; x += 16) v128.store(x, mad(half, tanh(f32x4.mul(half, v128.load(x))), half))
  } else if (kind == 5) {
    for (; x < end; x += 16) v128.store(x, f32x4.mul(v128.load(x), s))
  } else if (kind > 5) smooth(kind, x, end, 0)
}

/** g ← g ⊙ the derivative, from h: the outputs or, from kind 6 on, the inputs, laid out like g. */
export function activateBack(kind: i32, g: usize, h: usize, rows: usize, bytes: usize, stride: usize, slope: f32): void {
  for (let i: usize = 0; i < rows; i++, g += stride, h += stride) activateRowBack(kind, g, g + bytes, h, slope)
}

function activateRowBack(kind: i32, g: usize, end: usize, h: usize, slope: f32): void {
  const zero = f32x4.splat(0), one = f32x4.splat(1), s = f32x4.splat(slope)
  if (kind == 1) {
    for (; g < end; g += 16, h += 16) v128.store(g, v128.and(v128.load(g), f32x4.gt(v128.load(h), zero)))
  } else if (kind == 2) {
    for (; g < end; g += 16, h += 16) {
      const v = v128.load(g)
      v128.store(g, v128.bitselect(v, f32x4.mul(v, s), f32x4.gt(v128.load(h), zero)))
    }
  } else if (kind == 3) {
    for (; g < end; g += 16, h += 16) {
      const y = v128.load(h)
      v128.store(g, f32x4.mul(v128.load(g), f32x4.sub(one, f32x4.mul(y, y))))
    }
  } else if (kind == 4) {
    for (; g < end; g += 16, h += 16) {
      const y = v128.load(h)
      v128.store(g, f32x4.mul(v128.load(g), f32x4.mul(y, f32x4.sub(one, y))))
    }
  } else if (kind > 5) smooth(kind, h, h + (end - g), g)
}

/** g[n] += Σ_rows a[row, n], rows in order: the derivative by a bias. `n` is a multiple of 8. */
export function sumRows(rows: usize, n: usize, a: usize, stride: usize, g: usize): void {
  for (let j: usize = 0; j < n << 2; j += 32) {
    let s0 = v128.load(g + j), s1 = v128.load(g + j, 16), p = a + j
    for (let i: usize = 0; i < rows; i++) {
      s0 = f32x4.add(s0, v128.load(p))
      s1 = f32x4.add(s1, v128.load(p, 16))
      p += stride
    }
    v128.store(g + j, s0)
    v128.store(g + j, s1, 16)
  }
}
