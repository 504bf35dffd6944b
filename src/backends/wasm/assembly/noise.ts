/**
 * Normal noise on the changes of cells: the numbers of `normal(key, [b,h,w,u])` (src/tensor/ops/random.ts) at just those
 * cells. Number i is made from the bits at counter (0, i),
 *
 *   √2·erf⁻¹(p),  p = (4k + 1) / 2²⁴ − 1,  k the upper 23 bits
 *
 * with erf⁻¹ by two polynomials, whose coefficients (src/backends/erfinv.ts) are at `erfinv`. Everything is computed in
 * double precision and in the same order as in random.ts, so that rounded to float32 the bits are the same.
 */
import { bitsAt } from './threefry'

/**
 * x[i, c] += std · noise for the i-th cell of `rows` (a plane of bits) and the `channels` channels whose `keep` is zero. The
 * numbers of the sample begin at `counter`. The cells of x are contiguous; with a table `rowsAt` x is a state instead, whose
 * rows begin at these offsets and have all cells.
 */
export function disturb(
  rows: usize, first: usize, last: usize, width: usize, words: usize, rowsAt: usize, x: usize, stride: usize, cellBytes: usize,
  keep: usize, channels: usize, k0: i32, k1: i32, counter: i32, std: f32, erfinv: usize,
): void {
  let change = x
  for (let y = first; y < last; y++) {
    if (rowsAt) change = x + load<u32>(rowsAt + (y << 2))
    for (let i: usize = 0; i < words; i++) {
      let bits = load<u64>(rows + ((y * words + i) << 3))
      while (bits) {
        let n = counter + ((y * width + (i << 6) + (ctz(bits) as usize)) * channels) as i32, left = 0
        let noise = f32x4.splat(0)
        for (let c: usize = 0; c < cellBytes; c += 4) {
          if (load<u32>(keep + c)) continue
          if (!left) {
            const drawn = bitsAt(k0, k1, i32x4.splat(0), i32x4.add(i32x4.splat(n), i32x4(0, 1, 2, 3)))
            noise = f32x4.mul(normal(i32x4.shr_u(drawn, 9), erfinv), f32x4.splat(std))
            n += left = 4
          }
          store<f32>(change + c, load<f32>(change + c) + f32x4.extract_lane(noise, 0))
          noise = v128.shuffle<i32>(noise, noise, 1, 2, 3, 0)
          left--
        }
        change += stride
        bits &= bits - 1
      }
    }
  }
}

/** Four normal numbers from four k. */
// @ts-ignore: decorators on functions
@inline
function normal(k: v128, erfinv: usize): v128 {
  const low = normalPair(k, erfinv), high = normalPair(v128.shuffle<i32>(k, k, 2, 3, 2, 3), erfinv)
  return v128.shuffle<i32>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 1, 4, 5)
}

/** Two normal numbers, from the lower two k. */
function normalPair(k: v128, erfinv: usize): v128 {
  const p = f64x2.add(f64x2.mul(f64x2.convert_low_i32x4_u(k), f64x2.splat(1 / 4194304.0)), f64x2.splat(1 / 16777216.0 - 1))
  const w = minusLogarithm(f64x2.sub(f64x2.splat(1), f64x2.mul(p, p)))
  let sum = polynomial(erfinv, f64x2.sub(w, f64x2.splat(2.5)))
  const far = f64x2.ge(w, f64x2.splat(5))
  if (v128.any_true(far)) sum = v128.bitselect(polynomial(erfinv + 72, f64x2.sub(f64x2.sqrt(w), f64x2.splat(3))), sum, far)
  return f64x2.mul(f64x2.splat(1.4142135623730951), f64x2.mul(p, sum))
}

/** The polynomial of x with the nine coefficients at `from`. */
function polynomial(from: usize, x: v128): v128 {
  let sum = v128.load64_splat(from)
  for (const end = from + 64; from < end; from += 8) sum = f64x2.add(f64x2.mul(sum, x), v128.load64_splat(from, 8))
  return sum
}

/** JavaScript's logarithm, which `normal` uses too. */
// @ts-ignore: decorators on functions
@external('env', 'log')
declare function log(x: f64): f64

/** −ln x. */
// @ts-ignore: decorators on functions
@inline
function minusLogarithm(x: v128): v128 {
  return f64x2.neg(f64x2.replace_lane(f64x2.splat(log(f64x2.extract_lane(x, 0))), 1, log(f64x2.extract_lane(x, 1))))
}
