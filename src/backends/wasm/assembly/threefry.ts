/**
 * threefry2x32-20 at four counters at a time, its two words joined by ⊕ (Salmon et al. 2011; src/tensor/key.ts has the
 * same function in plain words).
 */

/** The bits at the counters (x, y) under the key (k0, k1). */
// @ts-ignore: decorators on functions
@inline
export function bitsAt(k0: i32, k1: i32, counterX: v128, counterY: v128): v128 {
  const k2 = k0 ^ k1 ^ 0x1bd11bda
  let x = i32x4.add(counterX, i32x4.splat(k0)), y = i32x4.add(counterY, i32x4.splat(k1))
  x = i32x4.add(x, y); y = mix(y, x, 13)
  x = i32x4.add(x, y); y = mix(y, x, 15)
  x = i32x4.add(x, y); y = mix(y, x, 26)
  x = i32x4.add(x, y); y = mix(y, x, 6)
  x = i32x4.add(x, i32x4.splat(k1)); y = i32x4.add(y, i32x4.splat(k2 + 1))
  x = i32x4.add(x, y); y = mix(y, x, 17)
  x = i32x4.add(x, y); y = mix(y, x, 29)
  x = i32x4.add(x, y); y = mix(y, x, 16)
  x = i32x4.add(x, y); y = mix(y, x, 24)
  x = i32x4.add(x, i32x4.splat(k2)); y = i32x4.add(y, i32x4.splat(k0 + 2))
  x = i32x4.add(x, y); y = mix(y, x, 13)
  x = i32x4.add(x, y); y = mix(y, x, 15)
  x = i32x4.add(x, y); y = mix(y, x, 26)
  x = i32x4.add(x, y); y = mix(y, x, 6)
  x = i32x4.add(x, i32x4.splat(k0)); y = i32x4.add(y, i32x4.splat(k1 + 3))
  x = i32x4.add(x, y); y = mix(y, x, 17)
  x = i32x4.add(x, y); y = mix(y, x, 29)
  x = i32x4.add(x, y); y = mix(y, x, 16)
  x = i32x4.add(x, y); y = mix(y, x, 24)
  x = i32x4.add(x, i32x4.splat(k1)); y = i32x4.add(y, i32x4.splat(k2 + 4))
  x = i32x4.add(x, y); y = mix(y, x, 13)
  x = i32x4.add(x, y); y = mix(y, x, 15)
  x = i32x4.add(x, y); y = mix(y, x, 26)
  x = i32x4.add(x, y); y = mix(y, x, 6)
  x = i32x4.add(x, i32x4.splat(k2)); y = i32x4.add(y, i32x4.splat(k0 + 5))
  return v128.xor(x, y)
}

/** Turns y by n bits to the left and joins it to x. */
// @ts-ignore: decorators on functions
@inline
function mix(y: v128, x: v128, n: i32): v128 {
  return v128.xor(v128.or(i32x4.shl(y, n), i32x4.shr_u(y, 32 - n)), x)
}
