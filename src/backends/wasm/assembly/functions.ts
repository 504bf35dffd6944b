/**
 * Elementary functions, in place, four numbers at a time. `bytes` is a multiple of 16.
 *
 *   e^x = 2^n · e^r,  n = round(x / ln 2),  r = x − n ln 2 in two parts, e^r a polynomial of degree 7 on |r| ≤ ½ ln 2
 *
 * with the coefficients of Cephes (expf), accurate to a relative error of about 1e-7, even for subnormal results.
 */
import { mad } from './simd'

export function exponential(v: v128): v128 {
  const x = f32x4.max(f32x4.min(v, f32x4.splat(89)), f32x4.splat(-104))
  const n = f32x4.nearest(f32x4.mul(x, f32x4.splat(1.44269504088896341)))
  const r = mad(n, f32x4.splat(2.12194440e-4), mad(n, f32x4.splat(-0.693359375), x))
  let p = mad(r, f32x4.splat(1.9875691500e-4), f32x4.splat(1.3981999507e-3))
  p = mad(r, p, f32x4.splat(8.3334519073e-3))
  p = mad(r, p, f32x4.splat(4.1665795894e-2))
  p = mad(r, p, f32x4.splat(1.6666665459e-1))
  p = mad(r, p, f32x4.splat(5.0000001201e-1))
  p = f32x4.add(mad(f32x4.mul(r, r), p, r), f32x4.splat(1))
  // 2^n may overflow or underflow although the result does not, so the multiplication has two steps.
  const whole = i32x4.trunc_sat_f32x4_s(n), half = i32x4.shr_s(whole, 1)
  return f32x4.mul(f32x4.mul(p, power(half)), power(i32x4.sub(whole, half)))
}

/** 2^n for whole n from −126 to 127. */
// @ts-ignore: decorators on functions
@inline
function power(n: v128): v128 {
  return i32x4.shl(i32x4.add(n, i32x4.splat(127)), 23)
}

export function exp(x: usize, bytes: usize): void {
  for (const end = x + bytes; x < end; x += 16) v128.store(x, exponential(v128.load(x)))
}

/** 1 / (1 + e^−x). */
export function logistic(x: v128): v128 {
  const one = f32x4.splat(1)
  return f32x4.div(one, f32x4.add(one, exponential(f32x4.neg(x))))
}

export function sigmoid(x: usize, bytes: usize): void {
  for (const end = x + bytes; x < end; x += 16) v128.store(x, logistic(v128.load(x)))
}

export function sqrt(x: usize, bytes: usize): void {
  for (const end = x + bytes; x < end; x += 16) v128.store(x, f32x4.sqrt(v128.load(x)))
}
