/**
 * The tap of a window that reads the greatest number: the first of equals; a NaN counts as greater than every number.
 *
 * Numbers are mapped to integers in the same order (ranks), so that this is a comparison of integers: the bits of a
 * negative float count backwards, −0 becomes 0, and every NaN the greatest. The least integer is reserved for what lies
 * outside of the grid, which never wins.
 */

/** Replaces floats by their ranks. `bytes` is rounded up to a multiple of 16. */
export function ranks(x: usize, bytes: usize): void {
  const most = i32x4.splat(0x7fffffff)
  for (const end = x + bytes; x < end; x += 16) {
    const v = f32x4.add(v128.load(x), f32x4.splat(0))
    const rank = v128.xor(v, v128.and(i32x4.shr_s(v, 31), most))
    v128.store(x, v128.bitselect(most, rank, f32x4.ne(v, v)))
  }
}

/** taps[p] = the first t with the greatest x[p + offset t], for `bytes` bytes, rounded up to a multiple of 16. */
export function winningTaps(x: usize, bytes: usize, taps: i32, offsets: usize, to: usize): void {
  for (const end = x + bytes; x < end; x += 16) {
    let best = v128.load(x + load<u32>(offsets)), winner = i32x4.splat(0)
    for (let t = 1; t < taps; t++) {
      const v = v128.load(x + load<u32>(offsets + ((t as usize) << 2)))
      winner = v128.bitselect(i32x4.splat(t), winner, i32x4.gt_s(v, best))
      best = i32x4.max_s(v, best)
    }
    v128.store(to, winner)
    to += 16
  }
}
