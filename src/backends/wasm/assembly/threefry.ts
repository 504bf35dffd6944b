/**
 * threefry2x32-20 at four counters at a time, its two words combined by ⊕ (Salmon et al. 2011; src/tensor/key.ts has the
 * same function in plain numbers).
 */

/** The bits at the counters (x, y) under the key (k0, k1). */
export function bitsAt(k0: i32, k1: i32, x: v128, y: v128): v128 {
  let k2 = k0 ^ k1 ^ 0x1bd11bda
  x = i32x4.add(x, i32x4.splat(k0))
  y = i32x4.add(y, i32x4.splat(k1))
  for (let group = 1; group < 6; group++) {
    // Four rotations, one in each byte.
    for (let turns = group & 1 ? 0x061a0f0d : 0x18101d11; turns; turns >>= 8) {
      x = i32x4.add(x, y)
      y = v128.xor(v128.or(i32x4.shl(y, turns & 31), i32x4.shr_u(y, 32 - (turns & 31))), x)
    }
    const used = k0
    k0 = k1
    k1 = k2
    k2 = used
    x = i32x4.add(x, i32x4.splat(k0))
    y = i32x4.add(y, i32x4.splat(k1 + group))
  }
  return v128.xor(x, y)
}
