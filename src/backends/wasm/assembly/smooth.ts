/**
 * Smooth relatives of ReLUs. Their derivatives are computed from x and not from their outputs, since they are not monotonic or
 * never exactly 0:
 *
 *   gelu       x σ(v),  v = √(8/π) (x + 0.044715 x³)                σ(v) (1 + x (1 − σ(v)) √(8/π) (1 + 3 · 0.044715 x²))
 *   silu       x σ(x)                                               σ(x) (1 + x (1 − σ(x)))
 *   softplus   max(x, 0) + ln(1 + e^−|x|)                           σ(x)
 *
 * where σ(v) equals the ½ (1 + tanh(v/2)) in the usual formula of GELU, but is accurate even where it is small; and with
 * ln(1 + u) = 2 artanh(s) = 2s (1 + s²/3 + s⁴/5 + …), s = u/(2 + u), of which eight terms suffice, since s ≤ ⅓.
 */
import { exponential, logistic } from './functions'
import { mad } from './simd'

const root: f32 = 1.5957691216057308, cubic: f32 = 0.044715

/** √(8/π) x (1 + n · 0.044715 x²): v for n = 1, and x v' for n = 3. */
function bent(x: v128, n: f32): v128 {
  return f32x4.mul(f32x4.splat(root), mad(f32x4.mul(f32x4.splat(n * cubic), x), f32x4.mul(x, x), x))
}

function softplus(x: v128): v128 {
  const u = exponential(f32x4.neg(f32x4.abs(x))), s = f32x4.div(u, f32x4.add(f32x4.splat(2), u)), q = f32x4.mul(s, s)
  let p = f32x4.splat(1 / 15)
  for (let n: f32 = 13; n > 0; n -= 2) p = mad(q, p, f32x4.splat(1 / n))
  return mad(f32x4.add(s, s), p, f32x4.max(x, f32x4.splat(0)))
}

/**
 * Applies activation `kind`, 6 or more (activation.ts), to the numbers from x to `end`, in place; or, with a g (not null) laid
 * out like x, g ← g ⊙ the derivative at x.
 */
export function smooth(kind: i32, x: usize, end: usize, g: usize): void {
  const one = f32x4.splat(1)
  for (const away = g - x; x < end; x += 16) {
    const v = v128.load(x), s = logistic(kind == 6 ? bent(v, 1) : v)
    if (!g) {
      v128.store(x, kind == 8 ? softplus(v) : f32x4.mul(v, s))
      continue
    }
    const slope = kind == 8 ? s : f32x4.mul(s, mad(kind == 6 ? bent(v, 3) : v, f32x4.sub(one, s), one))
    v128.store(x + away, f32x4.mul(v128.load(x + away), slope))
  }
}
