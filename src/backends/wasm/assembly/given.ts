/**
 * Inputs that are written into some channels of all cells before a step, and their cotangents. `channels` holds the offsets
 * of `count` channels within a cell.
 */

/** Writes, cell by cell, the numbers at `values`, which are `stride` bytes apart; 0: all cells get the same. */
export function give(
  x: usize, rowsAt: usize, cellBytes: usize, first: usize, last: usize, width: usize, values: usize, stride: usize,
  channels: usize, count: usize,
): void {
  for (let y = first; y < last; y++) {
    let cell = x + load<u32>(rowsAt + (y << 2))
    for (let i: usize = 0; i < width; i++, cell += cellBytes, values += stride) {
      for (let c: usize = 0; c < count; c++) store<f32>(cell + load<u32>(channels + (c << 2)), load<f32>(values + (c << 2)))
    }
  }
}

/** Moves the cotangents of these channels out of g, which becomes zero there: per cell or, if `stride` is 0, summed over cells. */
export function take(
  g: usize, rowsAt: usize, cellBytes: usize, first: usize, last: usize, width: usize, owed: usize, stride: usize,
  channels: usize, count: usize,
): void {
  for (let c: usize = 0; c < count; c++, owed += 4) {
    const channel = load<u32>(channels + (c << 2))
    let sum: f64 = 0, to = owed
    for (let y = first; y < last; y++) {
      let cell = g + load<u32>(rowsAt + (y << 2)) + channel
      for (let i: usize = 0; i < width; i++, cell += cellBytes, to += stride) {
        const v = load<f32>(cell)
        sum += v
        if (stride) store<f32>(to, v)
        store<f32>(cell, 0)
      }
    }
    if (!stride) store<f32>(owed, sum as f32)
  }
}
