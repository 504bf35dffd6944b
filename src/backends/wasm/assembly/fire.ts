/**
 * Fire masks: which cells update in this step.
 *
 * The bit of a cell is the draw at the counter (sample, cell) under the step's key, compared with p·2³² as an integer.
 * Four cells are drawn at a time, and only where a bit can matter.
 */
import { bitsAt } from './threefry'

/** to = near ∧ (the draw is below `threshold`), a whole number up to 2³² − 1. */
export function fire(
  to: usize, near: usize, first: usize, last: usize, width: usize, words: usize, k0: i32, k1: i32, sample: i32,
  threshold: i32,
): void {
  const limit = i32x4.splat(threshold), four = i32x4(0, 1, 2, 3)
  for (let row = first; row < last; row++) {
    for (let i: usize = 0; i < words; i++) {
      const at = (row * words + i) << 3, wanted = load<u64>(near + at)
      let bits: u64 = 0
      const cell = (row * width + (i << 6)) as i32
      for (let lane: i32 = 0; lane < 64; lane += 4) {
        if (!((wanted >> (lane as u64)) & 15)) continue
        const drawn = bitsAt(k0, k1, i32x4.splat(sample), i32x4.add(i32x4.splat(cell + lane), four))
        bits |= (i32x4.bitmask(i32x4.lt_u(drawn, limit)) as u64) << (lane as u64)
      }
      store<u64>(to + at, bits & wanted)
    }
  }
}
