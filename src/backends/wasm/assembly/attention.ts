/**
 * Attention over the windows of listed cells (src/nca/fused/attention.ts). With n the normalised state, u_h the query of head h
 * of a cell, a number for each channel, and r_h a number for each tap,
 *
 *   s[t] = u_h · n[t] + r_h[t]          a = softmax(s)          y_h = Σ_t a[t] n[t]
 *
 * and backward, from ∂y,
 *
 *   ∂s[t] = a[t] (n[t] · ∂y_h − y_h · ∂y_h)          ∂u_h = Σ_t ∂s[t] n[t]
 *   ∂n[t] += a[t] ∂y_h + ∂s[t] u_h                   ∂r_h[t] += ∂s[t]
 */
import { exp } from './functions'
import { mad } from './simd'

function total(v: v128): f32 {
  return (f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1)) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3))
}

export function dot(a: usize, b: usize, bytes: usize): f32 {
  let sum = f32x4.splat(0)
  for (let c: usize = 0; c < bytes; c += 16) sum = mad(v128.load(a + c), v128.load(b + c), sum)
  return total(sum)
}

/** to += w · from, all channels. */
export function addCell(to: usize, from: usize, cellBytes: usize, w: f32): void {
  for (let c: usize = 0; c < cellBytes; c += 16) v128.store(to + c, mad(f32x4.splat(w), v128.load(from + c), v128.load(to + c)))
}

/** Four channels of a cell from byte c on, with zeros from number `channels` on. */
function within(v: v128, c: usize, channels: usize): v128 {
  return v128.and(v, i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat((channels - (c >> 2)) as i32)))
}

/** The mean of a cell's first `channels` channels. */
function meanOf(cell: usize, channels: usize): v128 {
  let sum = f32x4.splat(0)
  for (let c: usize = 0; c < channels << 2; c += 16) sum = f32x4.add(sum, within(v128.load(cell + c), c, channels))
  return f32x4.splat(total(sum) / (channels as f32))
}

/** (v − less) · by in four channels of a cell from byte c on. */
function scaled(v: v128, less: v128, by: v128, c: usize, channels: usize): v128 {
  return within(f32x4.mul(f32x4.sub(v, less), by), c, channels)
}

/** n of one cell; returns 1 / √(var x + 10⁻⁵). */
function normaliseCell(n: usize, x: usize, cellBytes: usize, channels: usize): v128 {
  const mean = meanOf(x, channels)
  let by = f32x4.splat(1)
  for (let c: usize = 0; c < cellBytes; c += 16) v128.store(n + c, scaled(v128.load(x + c), mean, by, c, channels))
  by = f32x4.splat(1 / sqrt<f32>(dot(n, n, cellBytes) / (channels as f32) + 1e-5))
  for (let c: usize = 0; c < cellBytes; c += 16) v128.store(n + c, f32x4.mul(v128.load(n + c), by))
  return by
}

/**
 * n = (x − mean x) / √(var x + 10⁻⁵) over the first `channels` channels of each cell of some rows, and 0 in the others. With a
 * cotangent `gn` (not null) also the adjoint: g += (∂n − mean ∂n − n mean(∂n ⊙ n)) / √(var x + 10⁻⁵), and ∂n becomes 0.
 */
export function normalise(
  n: usize, x: usize, rowsAt: usize, cellBytes: usize, first: usize, last: usize, width: usize, channels: usize, gn: usize, g: usize,
): void {
  for (let y = first; y < last; y++) {
    const from = load<u32>(rowsAt + (y << 2))
    for (let at: usize = from, end = from + width * cellBytes; at < end; at += cellBytes) {
      const by = normaliseCell(n + at, x + at, cellBytes, channels)
      if (!gn) continue
      const owed = meanOf(gn + at, channels), along = f32x4.splat(dot(n + at, gn + at, cellBytes) / (channels as f32))
      for (let c: usize = 0; c < cellBytes; c += 16) {
        const rest = mad(f32x4.neg(along), v128.load(n + at + c), v128.load(gn + at + c))
        v128.store(g + at + c, f32x4.add(v128.load(g + at + c), scaled(rest, owed, by, c, channels)))
        v128.store(gn + at + c, f32x4.splat(0))
      }
    }
  }
}

/** Computes y and, for the backward pass, a: cell by cell and head by head a number for each tap, in whole vectors. */
export function attend(
  n: usize, cells: usize, count: usize, heads: usize, taps: usize, offsets: usize, cellBytes: usize, u: usize,
  uStride: usize, r: usize, a: usize, y: usize, yStride: usize,
): void {
  const end = taps << 2, pitch = (end + 15) & ~15
  for (let i: usize = 0; i < count; i++) {
    const cell = n + load<u32>(cells + (i << 2))
    for (let h: usize = 0; h < heads; h++) {
      let most: f32 = -Infinity, sum: f32 = 0
      for (let t: usize = 0; t < end; t += 4) {
        const s: f32 = dot(u + i * uStride + h * cellBytes, cell + load<i32>(offsets + t), cellBytes) + load<f32>(r + h * end + t)
        store<f32>(a + t, s)
        most = max<f32>(most, s)
      }
      for (let t: usize = 0; t < end; t += 4) store<f32>(a + t, load<f32>(a + t) - most)
      exp(a, pitch)
      for (let t: usize = 0; t < end; t += 4) sum += load<f32>(a + t)
      for (let t: usize = 0; t < end; t += 4) store<f32>(a + t, load<f32>(a + t) / sum)
      const to = y + i * yStride + h * cellBytes
      memory.fill(to, 0, cellBytes)
      for (let t: usize = 0; t < end; t += 4) addCell(to, cell + load<i32>(offsets + t), cellBytes, load<f32>(a + t))
      a += pitch
    }
  }
}

/** From ∂y computes ∂u, and adds to ∂r and, unless `gn` is null, to ∂n, row by row in order. */
export function attendBack(
  n: usize, cells: usize, count: usize, heads: usize, taps: usize, offsets: usize, cellBytes: usize, u: usize,
  uStride: usize, gr: usize, a: usize, y: usize, yStride: usize, gy: usize, gyStride: usize, gu: usize, gn: usize,
): void {
  const end = taps << 2, pitch = (end + 15) & ~15
  for (let i: usize = 0; i < count; i++) {
    const at = load<u32>(cells + (i << 2))
    memory.fill(gu + i * uStride, 0, uStride) // the padding too, since it is multiplied, by zeros
    for (let h: usize = 0; h < heads; h++) {
      const owed = gy + i * gyStride + h * cellBytes, query = i * uStride + h * cellBytes
      const mean = dot(y + i * yStride + h * cellBytes, owed, cellBytes)
      for (let t: usize = 0; t < end; t += 4) {
        const other = at + load<i32>(offsets + t), part = load<f32>(a + t)
        const ds: f32 = part * (dot(owed, n + other, cellBytes) - mean)
        store<f32>(gr + h * end + t, load<f32>(gr + h * end + t) + ds)
        addCell(gu + query, n + other, cellBytes, ds)
        if (!gn) continue
        addCell(gn + other, u + query, cellBytes, ds)
        addCell(gn + other, owed, cellBytes, part)
      }
      a += pitch
    }
  }
}
