/**
 * Windows of an image as the rows of a matrix, so that a convolution is a matrix product, and the adjoint.
 *
 * A window is read in runs: stretches of `runBytes` that are contiguous in the image, a whole line of the window if
 * its taps are adjacent cells, else single cells. `offsets` has the distance of each run from the cell, in bytes.
 */

/** rows[i] = the window of cell i, run after run (im2col). Writes up to 12 bytes beyond the last row. */
export function windows(
  x: usize, cells: usize, count: usize, runs: usize, offsets: usize, runBytes: usize, rows: usize, stride: usize,
): void {
  for (let i: usize = 0; i < count; i++) {
    const cell = x + load<u32>(cells + (i << 2))
    let to = rows + i * stride
    for (let t: usize = 0; t < runs; t++) {
      const from = cell + load<u32>(offsets + (t << 2))
      // The last vector may reach too far; the next run overwrites it.
      for (let k: usize = 0; k < runBytes; k += 16) v128.store(to + k, v128.load(from + k))
      to += runBytes
    }
  }
}

/** The adjoint: adds row i to the window of cell i (col2im), row by row in order. */
export function addWindows(
  x: usize, cells: usize, count: usize, runs: usize, offsets: usize, runBytes: usize, rows: usize, stride: usize,
): void {
  for (let i: usize = 0; i < count; i++) {
    const cell = x + load<u32>(cells + (i << 2))
    let from = rows + i * stride
    for (let t: usize = 0; t < runs; t++) {
      const to = cell + load<u32>(offsets + (t << 2))
      let k: usize = 0
      for (; k + 16 <= runBytes; k += 16) {
        v128.store(to + k, f32x4.add(v128.load(to + k), v128.load(from + k)))
      }
      for (; k < runBytes; k += 4) store<f32>(to + k, load<f32>(to + k) + load<f32>(from + k))
      from += runBytes
    }
  }
}
