/**
 * Fire masks: which cells update in this step.
 *
 * The bit of a cell is threefry2x32-20 of the step's key at the counter (sample, cell), its two words joined by ⊕, and
 * compared with p·2³² as an integer (Salmon et al. 2011; src/tensor/key.ts has the same function in plain words). Four
 * cells at a time, and only where a bit can matter.
 */

/** to = near ∧ (the draw is below `threshold`), a whole number up to 2³² − 1. */
export function fire(
  to: usize, near: usize, first: usize, last: usize, width: usize, words: usize, k0: i32, k1: i32, sample: i32,
  threshold: i32,
): void {
  const k2 = k0 ^ k1 ^ 0x1bd11bda
  const limit = i32x4.splat(threshold), four = i32x4(0, 1, 2, 3)
  for (let row = first; row < last; row++) {
    for (let i: usize = 0; i < words; i++) {
      const at = (row * words + i) << 3, wanted = load<u64>(near + at)
      let bits: u64 = 0
      const cell = (row * width + (i << 6)) as i32
      for (let lane: i32 = 0; lane < 64; lane += 4) {
        if (!((wanted >> (lane as u64)) & 15)) continue
        let x = i32x4.splat(sample + k0)
        let y = i32x4.add(i32x4.splat(cell + lane + k1), four)
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
        bits |= (i32x4.bitmask(i32x4.lt_u(v128.xor(x, y), limit)) as u64) << (lane as u64)
      }
      store<u64>(to + at, bits & wanted)
    }
  }
}

/** Turns y by n bits to the left and joins it to x. */
// @ts-ignore: decorators on functions
@inline
function mix(y: v128, x: v128, n: i32): v128 {
  return v128.xor(v128.or(i32x4.shl(y, n), i32x4.shr_u(y, 32 - n)), x)
}
