/**
 * Cells of a state: reading neighbourhoods, and writing rows back.
 *
 * A state is `[depth + 2r, height + 2r, width + 2r, channels]`: a ring of width r, the reach of the filters along each axis,
 * represents what lies outside of the grid, so that no neighbour needs a test. The table `rowsAt` has the byte offset of each
 * row. The channels of a cell are padded to a multiple of four. Cells are identified by their byte offset (bits.ts makes lists
 * of them), and the rows of a list are processed in blocks, densely packed: cells that cannot change cost nothing.
 */
import { mad } from './simd'

/**
 * Perception: y[f, c] = Σ_taps weight[tap, c] · x[cell + tap, c] for each filter f and each channel c.
 *
 * A weight of zero looks at nothing, so 0·∞ must not be NaN: a sum that is NaN is computed again, with a selection.
 *
 * @param counts number of taps of each filter
 * @param taps byte offset of each tap from its cell
 * @param weights for each tap, one number per (padded) channel
 * @param y one row per listed cell: `[filters][channels]`
 */
export function perceive(
  x: usize, cells: usize, count: usize, filters: usize, counts: usize, taps: usize, weights: usize, cellBytes: usize,
  y: usize, stride: usize,
): void {
  for (let i: usize = 0; i < count; i++) {
    const cell = x + load<u32>(cells + (i << 2))
    let out = y + i * stride, tap = taps, w = weights
    for (let f: usize = 0; f < filters; f++) {
      const end = tap + (load<u32>(counts + (f << 2)) << 2)
      let c: usize = 0
      for (; c + 64 <= cellBytes; c += 64) { // sixteen channels at a time
        let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, weight = w + c
        for (let t = tap; t < end; t += 4) {
          const from = cell + load<i32>(t) + c
          s0 = mad(v128.load(from), v128.load(weight), s0)
          s1 = mad(v128.load(from, 16), v128.load(weight, 16), s1)
          s2 = mad(v128.load(from, 32), v128.load(weight, 32), s2)
          s3 = mad(v128.load(from, 48), v128.load(weight, 48), s3)
          weight += cellBytes
        }
        v128.store(out + c, s0)
        v128.store(out + c, s1, 16)
        v128.store(out + c, s2, 32)
        v128.store(out + c, s3, 48)
        const sum = f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)) // NaN wherever one of them is
        if (v128.any_true(f32x4.ne(sum, sum))) {
          for (let k: usize = c; k < c + 64; k += 16) lookAgain(cell + k, tap, end, w + k, cellBytes, out + k)
        }
      }
      for (; c < cellBytes; c += 16) {
        let s = f32x4.splat(0), weight = w + c
        for (let t = tap; t < end; t += 4) {
          s = mad(v128.load(cell + load<i32>(t) + c), v128.load(weight), s)
          weight += cellBytes
        }
        v128.store(out + c, s)
        if (v128.any_true(f32x4.ne(s, s))) lookAgain(cell + c, tap, end, w + c, cellBytes, out + c)
      }
      w += ((end - tap) >> 2) * cellBytes
      tap = end
      out += cellBytes
    }
  }
}

/** Four channels of one filter at one cell, without taps of weight zero. */
function lookAgain(from: usize, tap: usize, end: usize, weight: usize, cellBytes: usize, out: usize): void {
  let s = f32x4.splat(0)
  for (; tap < end; tap += 4, weight += cellBytes) {
    const w = v128.load(weight)
    s = mad(v128.and(v128.load(from + load<i32>(tap)), f32x4.ne(w, f32x4.splat(0))), w, s)
  }
  v128.store(out, s)
}

/** The adjoint of `perceive`: g[cell + tap, c] += weight[tap, c] · y[f, c], row by row in order. */
export function perceiveBack(
  g: usize, cells: usize, count: usize, filters: usize, counts: usize, taps: usize, weights: usize, cellBytes: usize,
  y: usize, stride: usize,
): void {
  for (let i: usize = 0; i < count; i++) {
    const cell = g + load<u32>(cells + (i << 2))
    let from = y + i * stride, tap = taps, w = weights
    for (let f: usize = 0; f < filters; f++) {
      const end = tap + (load<u32>(counts + (f << 2)) << 2)
      for (; tap < end; tap += 4) {
        const to = cell + load<i32>(tap)
        for (let c: usize = 0; c < cellBytes; c += 16) {
          const weight = v128.load(w + c), seen = v128.and(v128.load(from + c), f32x4.ne(weight, f32x4.splat(0)))
          v128.store(to + c, mad(seen, weight, v128.load(to + c)))
        }
        w += cellBytes
      }
      from += cellBytes
    }
  }
}

/** The derivative with respect to the filters: gw[tap, c] += Σ_rows x[cell + tap, c] · y[f, c], rows in order. */
export function perceiveWeights(
  x: usize, cells: usize, count: usize, filters: usize, counts: usize, taps: usize, gw: usize, cellBytes: usize,
  y: usize, stride: usize,
): void {
  let tap = taps
  for (let f: usize = 0; f < filters; f++) {
    const end = tap + (load<u32>(counts + (f << 2)) << 2)
    for (; tap < end; tap += 4) {
      const offset = x + load<i32>(tap)
      for (let c: usize = 0; c < cellBytes; c += 16) {
        let s = v128.load(gw + c), from = y + f * cellBytes + c
        for (let i: usize = 0; i < count; i++) {
          s = mad(v128.load(offset + load<u32>(cells + (i << 2)) + c), v128.load(from), s)
          from += stride
        }
        v128.store(gw + c, s)
      }
      gw += cellBytes
    }
  }
}

/** rows[i] = x[cell i], with zeros in the channels whose `keep` is all ones. */
export function gather(
  x: usize, cells: usize, count: usize, cellBytes: usize, rows: usize, stride: usize, keep: usize,
): void {
  for (let i: usize = 0; i < count; i++) {
    const from = x + load<u32>(cells + (i << 2))
    for (let c: usize = 0; c < cellBytes; c += 16) {
      v128.store(rows + c, v128.andnot(v128.load(from + c), v128.load(keep + c)))
    }
    rows += stride
  }
}

/** x[cell i] = rows[i]. */
export function put(x: usize, cells: usize, count: usize, cellBytes: usize, rows: usize): void {
  for (let i: usize = 0; i < count; i++) {
    const to = x + load<u32>(cells + (i << 2))
    for (let c: usize = 0; c < cellBytes; c += 16) v128.store(to + c, v128.load(rows + c))
    rows += cellBytes
  }
}

/** x[cell i] ← x[cell i] ∧ keep: zeroes the channels whose `keep` is not all ones. */
export function erase(x: usize, cells: usize, count: usize, cellBytes: usize, keep: usize): void {
  for (let i: usize = 0; i < count; i++) {
    const to = x + load<u32>(cells + (i << 2))
    for (let c: usize = 0; c < cellBytes; c += 16) v128.store(to + c, v128.and(v128.load(to + c), v128.load(keep + c)))
  }
}

/**
 * x[cell] += change[i] for the i-th cell of `rows` (a plane of bits) that is also in `alive`. Their old values replace the
 * changes, packed: this is the log from which the backward pass restores the state. Channels whose `keep` is all ones do
 * not change, even if their zero weights times an infinity gave NaN.
 *
 * @returns how many cells changed
 */
export function grow(
  rows: usize, alive: usize, first: usize, last: usize, words: usize, x: usize, rowsAt: usize, cellBytes: usize,
  change: usize, stride: usize, keep: usize,
): usize {
  let log = change
  const start = log
  for (let y = first; y < last; y++) {
    let from = x + load<u32>(rowsAt + (y << 2))
    for (let i: usize = 0; i < words; i++) {
      const at = (y * words + i) << 3
      let bits = load<u64>(rows + at)
      const living = load<u64>(alive + at)
      while (bits) {
        const bit = ctz(bits)
        if ((living >> bit) & 1) {
          const cell = from + (bit as usize) * cellBytes
          for (let c: usize = 0; c < cellBytes; c += 16) {
            const old = v128.load(cell + c)
            v128.store(cell + c, v128.bitselect(old, f32x4.add(old, v128.load(change + c)), v128.load(keep + c)))
            v128.store(log + c, old) // never overtakes what is still to be read: the log is at most as long
          }
          log += cellBytes
        }
        change += stride
        bits &= bits - 1
      }
      from += cellBytes << 6
    }
  }
  return (log - start) / cellBytes
}

/** Copies, or adds, cells by the offsets (to, from) in `pairs`: updates the ring, or adds its cotangents back to the grid. */
export function copyPairs(x: usize, pairs: usize, count: usize, cellBytes: usize, add: bool): void {
  for (let i: usize = 0; i < count; i++, pairs += 8) {
    copyRows(x + load<u32>(pairs), 0, x + load<u32>(pairs, 4), 0, 1, cellBytes, cellBytes, add)
  }
}

/** Rows `[width, channels]` of a dense array into a state; the padding of the channels becomes zero. */
export function loadRows(
  x: usize, rowsAt: usize, cellBytes: usize, dense: usize, first: usize, last: usize, width: usize, channels: usize,
): void {
  const bytes = channels << 2
  for (let y = first; y < last; y++) {
    copyRows(x + load<u32>(rowsAt + (y << 2)), cellBytes, dense + y * width * bytes, bytes, width, bytes, cellBytes, false)
  }
}

/** The inverse: rows of a state into a dense array. */
export function storeRows(
  x: usize, rowsAt: usize, cellBytes: usize, dense: usize, first: usize, last: usize, width: usize, channels: usize,
): void {
  const bytes = channels << 2
  for (let y = first; y < last; y++) {
    copyRows(dense + y * width * bytes, bytes, x + load<u32>(rowsAt + (y << 2)), cellBytes, width, bytes, bytes, false)
  }
}

/** x += dense, for the rows of a state. */
export function addRows(
  x: usize, rowsAt: usize, cellBytes: usize, dense: usize, first: usize, last: usize, width: usize, channels: usize,
): void {
  const bytes = channels << 2
  for (let y = first; y < last; y++) {
    copyRows(x + load<u32>(rowsAt + (y << 2)), cellBytes, dense + y * width * bytes, bytes, width, bytes, bytes, true)
  }
}

/** Copies rows of `bytes` bytes, followed by zeros up to `end`; or, with `add`, adds them. */
export function copyRows(
  to: usize, toStride: usize, from: usize, fromStride: usize, rows: usize, bytes: usize, end: usize, add: bool,
): void {
  for (let i: usize = 0; i < rows; i++) {
    if (add) for (let c: usize = 0; c < bytes; c += 4) store<f32>(to + c, load<f32>(to + c) + load<f32>(from + c))
    else memory.copy(to, from, bytes)
    memory.fill(to + bytes, 0, end - bytes)
    to += toStride
    from += fromStride
  }
}

export function zero(from: usize, bytes: usize): void {
  memory.fill(from, 0, bytes)
}
